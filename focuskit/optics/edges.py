"""How wide the edges of a picture are: what lens, focus and hand did to them, from one photo.

Re-blurring an edge of width sigma with a Gaussian s0 flattens it by a factor that tells sigma (Zhuo
and Sim 2011): the sharper it was, the more it loses. Here gradient *energies* are compared, as
means of a small Gaussian window on the edge: they do not depend on where between two pixels the
edge lies, average noise along it, and have a closed form. Wide edges are measured on halved
pictures, so that each is seen at a scale where it is one or two pixels wide.

Limits. Below sigma 0.4 px (CoC about 1.3 px) an edge cannot be told from a perfect one. Widths are
good to about 15 % from 0.5 to 8 px on edges that stand alone; crowded ones (fur, grass) read up to
a third narrower. Encoded values are measured, as people see them: strong edges that were blurred in
linear light read somewhat narrower too.

References:
    S. Zhuo, T. Sim: Defocus map estimation from a single image. Pattern Recognition 44(9), 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.noise import measure_noise

__all__ = [
    "COC_PER_SIGMA",
    "OWN_VARIANCE",
    "REBLUR_SIGMA",
    "RESOLVABLE_SIGMA_PX",
    "Edges",
    "gradient_energies",
    "join_edges",
    "measure_edges",
]

COC_PER_SIGMA = 3.35
"""Diameter of a disc / sigma that `measure_edges` reads off an edge blurred with it.

The line spread of a uniform disc of diameter c has standard deviation c / 4, but it is rounder than
a Gaussian and so its edges are steeper: on rendered discs of 3 to 24 px the ratio is 3.2 to 3.5.
"""

RESOLVABLE_SIGMA_PX = 0.4
"""Edges narrower than this look alike."""

REBLUR_SIGMA = 1.0
"""Sigma of the known Gaussian in pixels."""

OWN_VARIANCE = 1 / 3 + 1 / 12
"""Blur that the measurement adds, px^2: the derivative along its axis 1/3, the pixel 1/12."""

_WINDOW = 1.5
# Energy that noise of variance 1 leaves in the two gradient pictures: the sum of the squared taps.
_NOISE_ENERGY = 0.4609
_NOISE_ENERGY_REBLURRED = 0.0434
_MIN_SNR = 3.0
_MIN_CONTRAST = 0.02
_MIN_CONTRAST_SNR = 6.0
_MIN_COHERENCE = 0.3
_HALF_CONTRAST = np.float32(0.15)
_CLIPPED = 0.985
_REACH = 5
_FALL = np.float32(0.4)
# In pixels of an octave: wider edges belong to the next one, narrower ones were seen by the last.
# The ranges overlap, or edges that two octaves read a little apart would fall between them.
_OCTAVE_RANGE = (0.9, 2.3)
_SMALLEST_SIDE = 16

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Points along the edges of a picture; all arrays have shape (N,).

    Attributes:
        x, y: float32, position in pixels.
        sigma_px: float32 >= 0, standard deviation of the Gaussian that blurs the edge that much;
            0 = too sharp to measure. `COC_PER_SIGMA` turns it into a CoC diameter.
        width_px: float32 > 0, standard deviation of the edge's profile as it was seen, with what
            the pixel and the derivative add (`OWN_VARIANCE`): 0.65 for a perfect step, less in
            crowded detail. It still orders edges that are too sharp for `sigma_px`.
        angle_rad: float32 in (-pi/2, pi/2], direction across the edge, counter-clockwise from +x as
            seen on the picture (y down).
        contrast: float32 >= 0, height of the step on the encoded scale.
        weight: float32 in (0, 1], trust: low for weak, crowded or noisy edges.
    """

    x: Map
    y: Map
    sigma_px: Map
    width_px: Map
    angle_rad: Map
    contrast: Map
    weight: Map

    def __len__(self) -> int:
        return int(self.x.size)


def measure_edges(
    gray: Map, *, noise_sigma: float | None = None, max_sigma_px: float = 16.0
) -> Edges:
    """Measure the width of every edge that stands out of the noise.

    Clipped edges, whose width is cut off with the highlight, are left out.

    Args:
        gray: (H, W) float32 in [0, 1], encoded (`focuskit.color.encoded_gray`).
        noise_sigma: of the picture on the same scale; None measures it.
        max_sigma_px: wider edges are not looked for.

    Returns:
        Points on the edges, none for a picture without edges or smaller than 16 pixels.
    """
    noise = measure_noise(gray) if noise_sigma is None else noise_sigma
    parts, picture, scale = [], np.asarray(gray, np.float32), 1
    while min(picture.shape) >= _SMALLEST_SIDE:
        last = _OCTAVE_RANGE[1] * scale >= max_sigma_px or min(picture.shape) < 2 * _SMALLEST_SIDE
        parts.append(_octave(picture, noise / scale, scale, last=last))
        if last:
            break
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        # Even sides only, so that every octave's pixels are squares of whole pixels.
        even = picture[: 2 * half[1], : 2 * half[0]]
        picture = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.float32)
        scale *= 2
    return join_edges([Edges(*columns) for columns in parts])


def join_edges(parts: Sequence[Edges]) -> Edges:
    """Return the edges of several pictures as one; positions stay those in their own pictures."""
    return Edges(
        *(
            np.concatenate([np.zeros(0, np.float32), *(getattr(part, name) for part in parts)])
            for name in Edges.__slots__
        )
    )


def gradient_energies(picture: Map, noise_sigma: float) -> tuple[Map, Map]:
    """Return |gradient|^2 of a picture before and after re-blurring, the noise's share taken off.

    Both have the picture's shape; single pixels may be negative, means over regions hardly are.
    """
    before, after = _energy(picture), _energy(_reblurred(picture))
    before -= np.float32(_NOISE_ENERGY * noise_sigma**2)
    after -= np.float32(_NOISE_ENERGY_REBLURRED * noise_sigma**2)
    return before, after


def _octave(picture: Map, noise: float, scale: int, *, last: bool) -> tuple[Map, ...]:
    """The columns of `Edges` for the edges whose width suits this scale."""
    xx, yy, xy, reblurred = _energies(picture)
    sharp = xx + yy
    noise_energy = np.float32(_NOISE_ENERGY * noise**2)
    found = _ridge(xx, yy, sharp) & (sharp > np.float32(1 + _MIN_SNR) * noise_energy)
    found &= cv2.dilate(picture, np.ones((5, 5), np.uint8)) < _CLIPPED
    y, x = np.nonzero(found)
    alone = _stands_out(sharp, xx, yy, y, x)
    y, x = y[alone], x[alone]
    xx, yy, xy, sharp, reblurred = (part[y, x] for part in (xx, yy, xy, sharp, reblurred))
    signal = sharp - noise_energy
    after = reblurred - np.float32(_NOISE_ENERGY_REBLURRED * noise**2)
    variance = _total_variance(signal / np.maximum(after, signal * np.float32(1e-3)))
    sigma = np.sqrt(np.maximum(variance - np.float32(OWN_VARIANCE), 0))
    contrast = _contrast(signal, variance)
    coherence = np.hypot(xx - yy, 2 * xy) / np.maximum(sharp, np.float32(1e-12))
    keep = (contrast > max(_MIN_CONTRAST, _MIN_CONTRAST_SNR * noise)) & (coherence > _MIN_COHERENCE)
    keep &= sigma >= (0 if scale == 1 else _OCTAVE_RANGE[0])
    keep &= sigma < _OCTAVE_RANGE[1] * (2 if last else 1)
    snr = signal / np.maximum(10 * noise_energy, np.float32(1e-12))
    weight = coherence**2 * snr / (1 + snr) * contrast / (contrast + _HALF_CONTRAST)
    centre = np.float32((scale - 1) / 2)
    columns = (
        x * np.float32(scale) + centre,
        y * np.float32(scale) + centre,
        np.where(sigma < RESOLVABLE_SIGMA_PX, 0, sigma) * np.float32(scale),
        # As if it had been seen at full size, where the own blur counts once.
        np.sqrt(variance) if scale == 1 else np.hypot(sigma * scale, np.sqrt(OWN_VARIANCE)),
        np.arctan2(-2 * xy, xx - yy) / 2,
        contrast,
        weight,
    )
    return tuple(np.asarray(column[keep], np.float32) for column in columns)


def _stands_out(
    sharp: Map, xx: Map, yy: Map, y: NDArray[np.intp], x: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """True where the energy falls off on at least one side within reach.

    Noise on a wide slope makes ridges too, but the slope's own energy stands on both sides.
    """
    last_y, last_x = sharp.shape[0] - 1, sharp.shape[1] - 1
    along_x = xx[y, x] >= yy[y, x]
    dy, dx = np.where(along_x, 0, _REACH), np.where(along_x, _REACH, 0)
    before = sharp[np.maximum(y - dy, 0), np.maximum(x - dx, 0)]
    after = sharp[np.minimum(y + dy, last_y), np.minimum(x + dx, last_x)]
    return np.asarray(np.minimum(before, after) < _FALL * sharp[y, x])


def _contrast(energy: Map, variance: Map) -> Map:
    """Height of the step that leaves this energy in the window; see `_total_variance`."""
    window = np.float32(2 * _WINDOW**2)
    step = energy * variance * np.sqrt(1 + window / variance) * np.float32(2 * np.pi)
    return np.asarray(np.sqrt(step), np.float32)


def _energies(picture: Map) -> tuple[Map, Map, Map, Map]:
    """Structure tensor xx, yy, xy of the picture, and the energy of its re-blurred gradient."""
    dx, dy = _gradient(picture)
    after = _energy(_reblurred(picture))
    return _window(dx * dx), _window(dy * dy), _window(dx * dy), _window(after)


def _reblurred(picture: Map) -> Map:
    blurred = cv2.GaussianBlur(picture, (7, 7), REBLUR_SIGMA, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32)


def _gradient(picture: Map) -> tuple[Map, Map]:
    # Scharr's taps sum to 32; BORDER_REFLECT makes no edge out of the picture's border.
    dx = cv2.Scharr(picture, cv2.CV_32F, 1, 0, scale=1 / 32, borderType=cv2.BORDER_REFLECT)
    dy = cv2.Scharr(picture, cv2.CV_32F, 0, 1, scale=1 / 32, borderType=cv2.BORDER_REFLECT)
    return np.asarray(dx, np.float32), np.asarray(dy, np.float32)


def _energy(picture: Map) -> Map:
    dx, dy = _gradient(picture)
    # In place: on large pictures fresh arrays cost more than the arithmetic.
    dx *= dx
    dy *= dy
    dx += dy
    return dx


def _window(energy: Map) -> Map:
    return np.asarray(
        cv2.GaussianBlur(energy, (9, 9), _WINDOW, borderType=cv2.BORDER_REFLECT), np.float32
    )


def _ridge(xx: Map, yy: Map, sharp: Map) -> NDArray[np.bool_]:
    """True where the energy is largest across the edge, borders excluded."""
    found = np.zeros(sharp.shape, np.bool_)
    middle = sharp[1:-1, 1:-1]
    across_x = (middle >= sharp[1:-1, :-2]) & (middle > sharp[1:-1, 2:])
    across_y = (middle >= sharp[:-2, 1:-1]) & (middle > sharp[2:, 1:-1])
    found[1:-1, 1:-1] = np.where(xx[1:-1, 1:-1] >= yy[1:-1, 1:-1], across_x, across_y)
    return found


def _total_variance(ratio: Map) -> Map:
    """Variance u of the edge, own blur included, from the ratio of windowed energies.

    A Gaussian edge of variance u leaves g^2 ~ exp(-x^2 / u) / u, whose mean in a Gaussian window of
    variance w^2 on the edge is ~ 1 / sqrt(u (2 w^2 + u)). Re-blurring adds d = s0^2 to u, so
    ratio^2 = (u + d)(2 w^2 + u + d) / (u (2 w^2 + u)): quadratic in u. Without the window it is
    Eq. 5 of Zhuo and Sim 2011.
    """
    d, window = np.float32(REBLUR_SIGMA**2), np.float32(2 * _WINDOW**2)
    excess = np.maximum(ratio * ratio - 1, np.float32(1e-3))
    linear = excess * window - 2 * d
    root = np.sqrt(linear * linear + 4 * excess * d * (d + window))
    return np.asarray((root - linear) / (2 * excess), np.float32)
