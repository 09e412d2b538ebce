"""Whether a blurred box moved, told by its power spectrum.

Misfocus dims the spectrum alike in all directions, in rings; motion in bands that lie across its
path. The subject's own spectrum is added to that; a small network has learned to look past it.

References:
    P. D. Welch: The use of fast Fourier transform for the estimation of power spectra. IEEE Trans.
        Audio and Electroacoustics 15(2), 1967.
"""

from __future__ import annotations

import math
from itertools import zip_longest

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_map
from focuskit.detect.runtime import open_network

__all__ = ["MOTION_NAME", "SPECTRUM_SHAPE", "log_spectrum", "motion_logit"]

MOTION_NAME = "motion"
"""The weights that tell motion."""

_WINDOW, _STEP = 64, 32

SPECTRUM_SHAPE = (_WINDOW, _WINDOW // 2)
"""Rows and columns of `log_spectrum`."""

Map = NDArray[np.float32]

# Below the noise of 8 bits nothing is told apart: 1e-9 of white squared per pixel.
_LEAST_POWER = 1e-9 * _WINDOW**2
# Light of uneven boxes leaks less with a Hann window, the zeros at its ends left out.
_ACROSS = np.hanning(_WINDOW + 2)[1:-1].astype(np.float32)
_HANN = np.outer(_ACROSS, _ACROSS)


def motion_logit(gray: Map) -> float:
    """Return how surely a box is blurred by motion: the log odds, > 0 for motion.

    What is sharp or out of focus has less than 0, and so have subjects of one direction, such as
    fences, which look alike moved and still.

    Args:
        gray: (H, W) float32 encoded luma in [0, 1], at 100 %.

    Raises:
        ShapeError, RangeError: `gray` is no such picture, or not finite.
        WeightsError, DeviceError: the network cannot be run; the message tells a way on.
    """
    network, _ = open_network(MOTION_NAME)
    return float(network(log_spectrum(gray)[None, None])[0].mean())


def log_spectrum(gray: Map) -> Map:
    """Return the logarithm of a box's power by frequency, the mean over windows that overlap.

    Args:
        gray: (H, W) float32; mirrored at its borders where it is smaller than a window of 64 px.

    Returns:
        (64, 32) float32: cycles per 64 px, -32 to 31 downwards and 0 to 31 to the right; frequency
        0 lies at [32, 0].

    Raises:
        ShapeError, RangeError: `gray` is no such picture, or not finite.
    """
    check_map("gray", gray, low=-math.inf, high=math.inf)
    down, right = (max(0, _WINDOW - side) for side in gray.shape)
    if down or right:
        gray = cv2.copyMakeBorder(gray, 0, down, 0, right, cv2.BORDER_REFLECT)  # type: ignore[assignment]
    windows = [
        gray[top : top + _WINDOW, left : left + _WINDOW]
        for top in _starts(gray.shape[0])
        for left in _starts(gray.shape[1])
    ]
    # Two windows go into one complex transform: its power and that of the opposite frequency add
    # up to twice both of theirs.
    count, blank = len(windows), np.zeros_like(_HANN)
    both = np.zeros((_WINDOW, _WINDOW), np.float32)
    for real, imaginary in zip_longest(windows[::2], windows[1::2], fillvalue=blank):
        found = cv2.dft(cv2.merge([_weighted(real), _weighted(imaginary)]))
        both += np.square(found[..., 0]) + np.square(found[..., 1])
    opposite = np.roll(both[::-1, ::-1], (1, 1), axis=(0, 1))
    power = (both + opposite)[:, : SPECTRUM_SHAPE[1]] / np.float32(2 * count)
    shifted = np.fft.fftshift(np.log(power + np.float32(_LEAST_POWER)), axes=0)
    return np.ascontiguousarray(shifted, dtype=np.float32)


def _weighted(window: Map) -> Map:
    return np.asarray((window - window.mean()) * _HANN, np.float32)


def _starts(side: int) -> list[int]:
    last = side - _WINDOW
    return [round(float(start)) for start in np.linspace(0, last, -(-last // _STEP) + 1)]
