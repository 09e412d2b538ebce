"""Point spread functions: how one point of light lands on the sensor. Each sums to 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_range

__all__ = ["disc_psf", "motion_psf"]

_SUBSAMPLES = 16


def disc_psf(coc_diameter_px: float) -> NDArray[np.float32]:
    """Return the uniform disc that a defocused point makes behind an open round aperture.

    Args:
        coc_diameter_px: diameter of the circle of confusion in pixels, >= 0; below 1 px the disc
            falls within one pixel and the PSF is the identity.

    Returns:
        (K, K) float32, K odd, anti-aliased at the rim, sum 1.

    Raises:
        RangeError: the diameter is negative or not finite.
    """
    check_range("coc_diameter_px", coc_diameter_px, low=0.0, unit="px")
    if coc_diameter_px < 1.0:
        return np.ones((1, 1), np.float32)
    radius = coc_diameter_px / 2
    reach = math.ceil(radius - 0.5)
    fine = (np.arange((2 * reach + 1) * _SUBSAMPLES) + 0.5) / _SUBSAMPLES - (reach + 0.5)
    inside = fine[:, None] ** 2 + fine[None, :] ** 2 <= radius**2
    return _binned(inside.astype(np.float64), 2 * reach + 1)


def motion_psf(length_px: float, angle_deg: float) -> NDArray[np.float32]:
    """Return the streak of a point that moves evenly along a straight line during the exposure.

    Args:
        length_px: length of the path in pixels, >= 0.
        angle_deg: direction, counter-clockwise from +x as seen on the picture.

    Returns:
        (K, K) float32, K odd, sum 1.

    Raises:
        RangeError: the length is negative or not finite.
    """
    check_range("length_px", length_px, low=0.0, unit="px")
    reach = math.ceil(length_px / 2)
    size = 2 * reach + 1
    # Enough samples that no sub-pixel cell on the path is missed.
    along = np.linspace(-length_px / 2, length_px / 2, max(1, math.ceil(length_px * 32)))
    x = along * math.cos(math.radians(angle_deg)) + reach
    y = -along * math.sin(math.radians(angle_deg)) + reach
    psf = np.zeros((size + 1, size + 1))
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0
    for dy, dx, weight in (
        (0, 0, (1 - fy) * (1 - fx)),
        (0, 1, (1 - fy) * fx),
        (1, 0, fy * (1 - fx)),
        (1, 1, fy * fx),
    ):
        np.add.at(psf, (y0 + dy, x0 + dx), weight)
    psf = psf[:size, :size]
    return np.asarray(psf / psf.sum(), dtype=np.float32)


def _binned(fine: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    cells = fine.reshape(size, _SUBSAMPLES, size, _SUBSAMPLES).sum(axis=(1, 3))
    return np.asarray(cells / cells.sum(), dtype=np.float32)
