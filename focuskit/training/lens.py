"""Lenses for rendered training data: apertures of known shape, blur of exactly known size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_range
from focuskit.optics.edges import COC_PER_SIGMA
from focuskit.optics.psf import disc_psf

__all__ = ["Lens", "path_psf", "random_lens"]

Image = NDArray[np.float32]

_LEVEL_RATIO = 1.3
_MAX_LEVELS = 12
# Samples across a polygon: its rim is then good to a percent whatever its size.
_POLYGON_SAMPLES = 192


@dataclass(frozen=True, slots=True)
class Lens:
    """What the aperture looks like; every shape has the second moment of the round one.

    Attributes:
        blades: 0 = round, else the corners of the polygon that they leave open.
        rotation_rad: direction of its first corner.
        gaussian: blur with a Gaussian instead: lenses whose bokeh fades out towards its rim.
    """

    blades: int = 0
    rotation_rad: float = 0.0
    gaussian: bool = False

    def psf(self, coc_diameter_px: float) -> Image:
        """Return the (K, K) point spread function of a circle of confusion, sum 1.

        Raises:
            RangeError: the diameter is negative or not finite.
        """
        check_range("coc_diameter_px", coc_diameter_px, low=0.0, unit="px")
        if coc_diameter_px < 1.0:
            return np.ones((1, 1), np.float32)
        if self.gaussian:
            reach, sigma = _gaussian_of(coc_diameter_px)
            row = np.asarray(cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F), np.float32)
            return row @ row.T
        if self.blades == 0:
            return disc_psf(coc_diameter_px)
        return _polygon_psf(coc_diameter_px, self.blades, self.rotation_rad)

    def reach(self, coc_diameter_px: float) -> int:
        """Return how many pixels away from a point its light can land."""
        if coc_diameter_px < 1.0:
            return 0
        if self.gaussian:
            return _gaussian_of(coc_diameter_px)[0]
        return math.ceil(coc_diameter_px * (0.5 if self.blades == 0 else 0.57))

    def blur(self, image: Image, coc_diameter_px: float) -> Image:
        """Return linear light as it looks out of focus by `coc_diameter_px` everywhere."""
        if coc_diameter_px < 1.0:
            return image
        if self.gaussian:
            reach, sigma = _gaussian_of(coc_diameter_px)
            size = (2 * reach + 1, 2 * reach + 1)
            soft = cv2.GaussianBlur(image, size, sigma, borderType=cv2.BORDER_REFLECT_101)
            return np.asarray(soft, np.float32)
        psf = self.psf(coc_diameter_px)
        return np.asarray(cv2.filter2D(image, -1, psf, borderType=cv2.BORDER_REFLECT_101))

    def blur_varying(self, image: Image, coc_diameter_px: Image) -> Image:
        """Return linear light blurred by a CoC that changes slowly from pixel to pixel.

        Each pixel mixes two neighbouring levels of blur so that the second moment, which goes with
        the square of the diameter, is the one asked for.
        """
        levels = _levels(float(coc_diameter_px.min()), float(coc_diameter_px.max()))
        steps = np.arange(levels.size, dtype=np.float64)
        place = np.interp(coc_diameter_px.astype(np.float64) ** 2, levels**2, steps)
        place = np.asarray(place, np.float32)
        result = np.zeros_like(image)
        for index, level in enumerate(levels):
            share = np.maximum(1 - np.abs(place - np.float32(index)), 0)
            self._add_level(result, image, share, float(level))
        return result

    def _add_level(self, result: Image, image: Image, share: Image, coc_px: float) -> None:
        rows, columns = np.flatnonzero(share.any(axis=1)), np.flatnonzero(share.any(axis=0))
        if not rows.size:
            return
        reach = self.reach(coc_px)
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        left, right = int(columns[0]), int(columns[-1]) + 1
        y, x = max(0, top - reach), max(0, left - reach)
        seen = self.blur(np.ascontiguousarray(image[y : bottom + reach, x : right + reach]), coc_px)
        seen = seen[top - y : bottom - y, left - x : right - x]
        result[top:bottom, left:right] += seen * share[top:bottom, left:right, None]


def random_lens(rng: np.random.Generator) -> Lens:
    """Return a round lens mostly, else one with blades or with a soft rim."""
    kind = rng.random()
    if kind < 0.65:
        return Lens()
    if kind < 0.87:
        return Lens(int(rng.integers(5, 10)), float(rng.uniform(0, 2 * math.pi)))
    return Lens(gaussian=True)


def path_psf(x: NDArray[np.float64], y: NDArray[np.float64]) -> Image:
    """Return the streak of a point that spends equal times at the points (x, y), sum 1, centred."""
    x, y = x - x.mean(), y - y.mean()
    reach = math.ceil(max(float(np.abs(x).max()), float(np.abs(y).max()))) + 1
    size = 2 * reach + 1
    column, row = np.floor(x + reach).astype(np.int64), np.floor(y + reach).astype(np.int64)
    right, down = x + reach - column, y + reach - row
    psf = np.zeros((size, size))
    for dy, dx, share in (
        (0, 0, (1 - down) * (1 - right)),
        (0, 1, (1 - down) * right),
        (1, 0, down * (1 - right)),
        (1, 1, down * right),
    ):
        np.add.at(psf, (np.minimum(row + dy, size - 1), np.minimum(column + dx, size - 1)), share)
    return np.asarray(psf / psf.sum(), dtype=np.float32)


def _gaussian_of(coc_px: float) -> tuple[int, float]:
    sigma = coc_px / COC_PER_SIGMA
    return max(1, math.ceil(3 * sigma)), sigma


def _levels(low: float, high: float) -> NDArray[np.float64]:
    low, high = max(low, 1.0), max(high, 1.0)
    if high / low < 1.02:
        levels = np.array([math.sqrt(low * high)])
    else:
        count = math.ceil(math.log(high / low) / math.log(_LEVEL_RATIO)) + 1
        levels = np.geomspace(low, high, min(count, _MAX_LEVELS))
    # Up to a pixel all blur looks alike, and `blur` leaves it out.
    levels[levels < 1.001] = 0.999
    return levels


def _polygon_psf(coc_px: float, blades: int, rotation_rad: float) -> Image:
    # <r^2> is circumradius^2 (2 + cos(2 pi / n)) / 6 for the polygon, diameter^2 / 8 for the disc.
    circumradius = coc_px * math.sqrt(0.75 / (2 + math.cos(2 * math.pi / blades)))
    reach = math.ceil(circumradius - 0.5)
    size = 2 * reach + 1
    samples = max(4, round(_POLYGON_SAMPLES / size))
    at = (np.arange(size * samples, dtype=np.float32) + 0.5) / samples - (reach + 0.5)
    inside = np.ones((at.size, at.size), np.bool_)
    apothem = circumradius * math.cos(math.pi / blades)
    for side in range(blades):
        angle = rotation_rad + (2 * side + 1) * math.pi / blades
        c, s = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        inside &= at[None, :] * c + at[:, None] * s <= apothem
    cells = inside.reshape(size, samples, size, samples).sum(axis=(1, 3), dtype=np.float32)
    return np.asarray(cells / cells.sum(), dtype=np.float32)
