"""Defocus that differs from pixel to pixel, as a linear map with an exact adjoint."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.psf import Aperture

__all__ = ["BlurModel"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]

_LEVEL_RATIO = 1.2
_SAME_RATIO = 1.03
_IDENTITY_PX = 1.0


class BlurModel:
    """What a lens makes of light, each pixel gathering by its own circle of confusion.

    Between a few levels of blur each pixel mixes two, so that the second moment of its PSF, which
    goes with the square of the diameter, is the one asked for. Outside the picture it is dark.

    Args:
        coc_px: (H, W) float32 >= 0, diameters; below 1 px light stays where it is.
        aperture: the shape of the PSF.
        field: (x, y) of the tile in the picture, as `Aperture.psf` takes it.
    """

    def __init__(self, coc_px: Map, aperture: Aperture, field: tuple[float, float]) -> None:
        levels = _levels(coc_px)
        steps = np.arange(levels.size, dtype=np.float32)
        place = np.interp(coc_px**2, levels**2, steps).astype(np.float32)
        self._levels: list[_Level] = []
        self.reach_px = 0
        for index, level in enumerate(levels.tolist()):
            psf = None if level < _IDENTITY_PX else aperture.psf(level, field)
            if psf is not None:
                self.reach_px = max(self.reach_px, psf.shape[0] // 2)
            share = np.maximum(1 - np.abs(place - np.float32(index)), 0)
            if levels.size == 1:
                self._levels.append(_Level(None, psf, coc_px.shape))
            elif share.any():
                self._levels.append(_Level(share, psf, coc_px.shape))

    def blur(self, light: Image) -> Image:
        """Return (H, W, C) light as the lens shows it."""
        seen = np.zeros_like(light)
        for level in self._levels:
            level.add_blurred(light, seen)
        return seen

    def spread_back(self, seen: Image) -> Image:
        """Return the adjoint of `blur` applied to (H, W, C)."""
        light = np.zeros_like(seen)
        for level in self._levels:
            level.add_spread_back(seen, light)
        return light


class _Level:
    """One size of blur, worked on only in the rectangle that has it."""

    def __init__(self, share: Map | None, psf: Map | None, shape: tuple[int, ...]) -> None:
        x, y, width, height = 0, 0, shape[1], shape[0]
        self._share: Map | None = None
        if share is not None:
            x, y, width, height = cv2.boundingRect((share > 0).astype(np.uint8))
            self._share = share[y : y + height, x : x + width, None]
        reach = 0 if psf is None else psf.shape[0] // 2
        top, left = max(0, y - reach), max(0, x - reach)
        self._own = np.s_[y : y + height, x : x + width]
        self._around = np.s_[top : y + height + reach, left : x + width + reach]
        self._within = np.s_[y - top : y - top + height, x - left : x - left + width]
        self._psf = None if psf is None else np.ascontiguousarray(psf)
        # filter2D correlates; a PSF is convolved.
        self._flipped = None if psf is None else np.ascontiguousarray(psf[::-1, ::-1])

    def add_blurred(self, light: Image, seen: Image) -> None:
        if self._flipped is None:
            part = light[self._own]
        else:
            part = _correlated(light[self._around], self._flipped)[self._within]
        seen[self._own] += self._shared(part)

    def add_spread_back(self, seen: Image, light: Image) -> None:
        part = self._shared(seen[self._own])
        if self._psf is None:
            light[self._own] += part
            return
        around = np.zeros_like(light[self._around])
        around[self._within] = part
        light[self._around] += _correlated(around, self._psf)

    def _shared(self, part: Image) -> Image:
        if self._share is None:
            return part
        # Of equal shape, arrays are multiplied several times faster than along a short axis.
        if self._share.shape != part.shape:
            self._share = np.ascontiguousarray(np.broadcast_to(self._share, part.shape))
        return np.asarray(part * self._share, np.float32)


def _correlated(image: Image, kernel: Map) -> Image:
    made = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(made, np.float32).reshape(image.shape)


def _levels(coc_px: Map) -> NDArray[np.float32]:
    """Return the diameters of the levels that these circles of confusion lie between."""
    blurred = coc_px[coc_px >= _IDENTITY_PX]
    if not blurred.size:
        return np.zeros(1, np.float32)
    low, high = float(blurred.min()), float(blurred.max())
    if high / low < _SAME_RATIO:
        levels = [math.sqrt(low * high)]
    else:
        count = math.ceil(math.log(high / low) / math.log(_LEVEL_RATIO)) + 1
        levels = np.geomspace(low, high, count).tolist()
    if blurred.size < coc_px.size:
        # A pixel more of blur than none is a step, not a mixture.
        levels = [0.0, *levels]
    return np.array(levels, np.float32)
