"""How long a straight path of motion is, from the echo that it leaves in the cepstrum.

Motion at even speed over a length l blanks the spectrum at every 1/l along its path. In the
logarithm of the spectrum these are ripples, and the transform of that, the cepstrum, has a dip at
the distance l along the path, whatever the picture shows.

References:
    R. Rom: On the cepstrum of two-dimensional functions. IEEE Trans. Information Theory 21(2),
    1975.
    M. Cannon: Blind deconvolution of spatially invariant image blurs with phase. IEEE Trans.
    Acoustics, Speech, and Signal Processing 24(1), 1976.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["LENGTHS_PX", "motion_length_px"]

LENGTHS_PX = (3.5, 22.0)
"""Shorter paths drown in the picture's own spectrum; longer ones are not looked for."""

_STEP_PX = 0.25
_LARGEST_PX, _SMALLEST_PX = 224, 64
# Directions are known to some degrees only.
_TURNS_DEG = (-12.0, -8.0, -4.0, 0.0, 4.0, 8.0, 12.0)
# In cycles per pixel: above, noise and compression rule; what is left there tells how strong.
_PASS, _NOISE_FROM = 0.3, 0.45
_LEAST_CYCLES = 2.5
_SPECTRUM_SIGMA, _FINE_SIGMA, _COARSE_SIGMA = 1.5, 1.0, 2.5

Map = NDArray[np.float32]


def motion_length_px(gray: Map, angle_deg: float) -> float:
    """Return how far the picture moved along a direction, if it moved at even speed.

    Half of the paths of 4 to 16 px that were drawn on photos are found to within 0.5 px.

    Args:
        gray: (H, W) in [0, 1], encoded; its middle is looked at.
        angle_deg: direction of the motion, counter-clockwise from +x.

    Returns:
        In `LENGTHS_PX`; NaN for a picture smaller than 64 px. A picture that did not move along
        this direction gives some number too.
    """
    side = min(*gray.shape, _LARGEST_PX) & ~1
    if side < _SMALLEST_PX:
        return math.nan
    top, left = (gray.shape[0] - side) // 2, (gray.shape[1] - side) // 2
    cepstrum = _cepstrum(gray[top : top + side, left : left + side])
    lengths = np.arange(*LENGTHS_PX, _STEP_PX, dtype=np.float32)
    turns = np.radians(angle_deg + np.array(_TURNS_DEG, np.float32))[:, None]
    x = side / 2 + lengths * np.cos(turns)
    y = side / 2 - lengths * np.sin(turns)
    found = cv2.remap(
        cepstrum, x.astype(np.float32), y.astype(np.float32), interpolation=cv2.INTER_LINEAR
    )
    return float(lengths[np.argmin(found.min(axis=0))])


def _cepstrum(square: Map) -> Map:
    """Cepstrum of the square with the origin in its middle, without what is alike all around."""
    side = len(square)
    hann = np.hanning(side).astype(np.float32)
    flat = (square - square.mean()) * hann[:, None] * hann
    spectrum = np.square(np.abs(np.fft.fftshift(np.fft.fft2(flat)))).astype(np.float32)
    power = np.asarray(cv2.GaussianBlur(spectrum, (0, 0), _SPECTRUM_SIGMA), np.float32)
    ring, cycles, passed = _rings(side)
    noise = np.median(power[cycles > _NOISE_FROM]) + np.finfo(np.float32).tiny
    logarithm = np.log(power + noise)
    mean = np.bincount(ring.ravel(), logarithm.ravel()) / np.bincount(ring.ravel())
    ripples = (logarithm - mean[ring]) * passed
    found = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(ripples)).real).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(found, (0, 0), s) for s in (_FINE_SIGMA, _COARSE_SIGMA))
    return np.asarray(fine - coarse, np.float32)


def _rings(side: int) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Number of the ring around the origin, frequency, and how much of it is let pass."""
    frequency = np.fft.fftshift(np.fft.fftfreq(side))
    cycles = np.hypot(frequency[:, None], frequency)
    passed = np.exp(-((cycles / _PASS) ** 4)) * (cycles >= _LEAST_CYCLES / side)
    return (cycles * side).astype(np.intp), cycles, passed
