"""Sizes of blur that a picture is drawn with, and where each pixel lies between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.layers import CELL
from focuskit.optics.planes import next_power_of_two_below
from focuskit.optics.psf import Aperture

__all__ = [
    "IDENTITY_BELOW_COC_PX",
    "LARGEST_FULL_COC_PX",
    "Lens",
    "levels_of",
    "margin_px",
    "places",
]

Map = NDArray[np.float32]

IDENTITY_BELOW_COC_PX = 1.0
"""Less blur than this leaves a pixel as it is."""

# Neighbouring sizes of blur, with an offset added, have this ratio; pixels between two of them are
# mixed from both.
_RATIO, _OFFSET_PX = 1.25, 1.0
# A disc of so many pixels of a smaller picture is as good as one of the full picture.
_LEAST_DISC = 5.5
LARGEST_FULL_COC_PX = 2 * _LEAST_DISC
"""Larger blurs are drawn on smaller pictures."""
_MOST_SHRINK = 16
# Polygons reach further than the disc of their area, cat's eyes not.
_REACH = 0.62
_FILL_MARGIN_PX = 16


@dataclass(frozen=True, slots=True)
class Lens:
    """The aperture, and the signed sizes of blur to draw, nearest first; 0 is among them."""

    aperture: Aperture
    levels: NDArray[np.float64]

    @property
    def focus(self) -> int:
        """The step without blur."""
        return int(np.searchsorted(self.levels, 0.0))

    def size_px(self, step: int) -> float:
        """Return the diameter of the circle of confusion of a step."""
        return abs(float(self.levels[step]))

    def factor(self, step: int) -> int:
        """How much smaller the picture is made for a step."""
        return min(_MOST_SHRINK, next_power_of_two_below(self.size_px(step) / _LEAST_DISC))

    def psf(self, step: int, field: tuple[float, float], factor: int) -> Map:
        """Return the PSF of a step on a picture made smaller by a factor."""
        size = _at_size(self.size_px(step), factor)
        field = field if self.aperture.cats_eye else (0.0, 0.0)
        return _psf(self.aperture, math.copysign(size, self.levels[step]), field)


def levels_of(coc: Map) -> NDArray[np.float64]:
    """Return the signed sizes of blur to draw, nearest first; 0 is among them."""
    sides = [np.zeros(1)]
    for sign, most in ((-1.0, float(-coc.min())), (1.0, float(coc.max()))):
        if most < IDENTITY_BELOW_COC_PX:
            continue
        first = IDENTITY_BELOW_COC_PX + _OFFSET_PX
        last = most + _OFFSET_PX
        count = max(1, math.ceil(math.log(last / first) / math.log(_RATIO)))
        sides.append(sign * (np.geomspace(first, last, count + 1) - _OFFSET_PX))
    return np.unique(np.concatenate(sides))


def places(coc: Map, lens: Lens) -> Map:
    """Return `_place` of a picture, strip by strip: it is a matter of memory, not of numbers."""
    place = np.empty_like(coc)
    for top in range(0, len(coc), CELL):
        place[top : top + CELL] = _place(coc[top : top + CELL], lens)
    return place


def _place(coc: Map, lens: Lens) -> Map:
    """Return where each pixel lies among the levels; blur adds up by its squared diameter."""
    place = np.full_like(coc, lens.focus)
    for sign, levels in ((1, lens.levels[lens.focus :]), (-1, -lens.levels[lens.focus :: -1])):
        if levels.size < 2:
            continue
        # This is numpy's interp over the squares of 0, 1, and the rest, many times as fast.
        size = np.maximum(coc if sign > 0 else -coc, np.float32(0))
        place += sign * np.minimum(size, np.float32(1)) ** 2
        if levels.size < 3 or float(size.max()) <= 1:
            continue
        ratio = float((levels[2] + _OFFSET_PX) / (levels[1] + _OFFSET_PX))
        size = np.maximum(size, np.float32(1))
        steps = cv2.log((size + np.float32(_OFFSET_PX)) / np.float32(levels[1] + _OFFSET_PX))
        steps = np.floor(steps.reshape(size.shape) * np.float32(1 / math.log(ratio)))
        steps = np.clip(steps, 0, np.float32(levels.size - 3), out=steps)
        low = cv2.exp(steps * np.float32(math.log(ratio))).reshape(size.shape)
        low *= np.float32(levels[1] + _OFFSET_PX)
        high = low * np.float32(ratio) - np.float32(_OFFSET_PX)
        low -= np.float32(_OFFSET_PX)
        share = (size - low) * (size + low) / ((high - low) * (high + low))
        place += sign * (steps + np.clip(share, 0, 1, out=share))
    return np.clip(place, np.float32(0), np.float32(lens.levels.size - 1))


@lru_cache(maxsize=64)
def _psf(aperture: Aperture, coc_px: float, field: tuple[float, float]) -> Map:
    """Return the PSF of a signed size; before the plane of focus light has not crossed yet."""
    if coc_px >= 0:
        return aperture.psf(coc_px, field)
    return replace(aperture, ring=-aperture.ring).psf(-coc_px, field)[::-1, ::-1]


def _at_size(coc_px: float, factor: int) -> float:
    """Return the disc that gives `coc_px` together with shrinking and enlarging by `factor`."""
    if factor == 1:
        return coc_px
    # Variances along an axis, in pixels: an anti-aliased disc c^2 / 16 + 1 / 12, means over cells
    # (f^2 - 1) / 12, interpolation (2 f^2 + 1) / 12.
    return math.sqrt(max(coc_px**2 + 4 / 3 - 16 / 3 * factor**2, 0.0)) / factor


def margin_px(coc_px: float) -> int:
    """Return from how far away blur of a size, and what it uncovers, depend on a picture."""
    return CELL * math.ceil((_REACH * coc_px + _FILL_MARGIN_PX) / CELL)
