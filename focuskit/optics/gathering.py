"""Defocus that differs from pixel to pixel, as a linear map with an exact adjoint.

One channel after the other, as OpenCV filters these several times faster. Levels of blur whose
kernels are of one size are merged where fewer kernels span them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.psf import Aperture

__all__ = ["Gathering"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Area = tuple[slice, slice]
Anchor = tuple[int, int]

_LEVEL_RATIO, _SAME_RATIO, _IDENTITY_PX = 1.2, 1.03, 1.0
# OpenCV transforms the picture for kernels of so many taps, which costs several times as much as
# adding up the taps of a disc.
_TRANSFORMED_FROM = 130
# Of the largest singular value: less is rounding.
_RANK_FROM = 1e-5


class Gathering:
    """What a lens makes of light, each pixel gathering by its own circle of confusion.

    Between a few levels of blur each pixel mixes two, so that the second moment of its PSF, which
    goes with the square of the diameter, is the one asked for. Outside the picture it is dark.
    It works in memory of its own: one instance serves one thread.

    Args:
        coc_px: (H, W) float32 >= 0, diameters in pixels; below 1 px light all but stays.
        aperture: the shape of the PSF.
        field: (x, y) of the tile in the picture, as `Aperture.psf` takes it.

    Attributes:
        reach_px: how far away from a pixel its light may come from.
    """

    def __init__(self, coc_px: Map, aperture: Aperture, field: tuple[float, float]) -> None:
        levels = _levels(coc_px)
        steps = np.arange(levels.size, dtype=np.float32)
        place = np.interp(coc_px**2, levels**2, steps).astype(np.float32)
        terms = []
        for index, level in enumerate(levels.tolist()):
            share = np.maximum(1 - np.abs(place - np.float32(index)), 0)
            if share.any():
                terms.append((share, aperture.psf(level, field)))
        self.reach_px = max(psf.shape[0] // 2 for _, psf in terms)
        self._terms = [_Term.of(*each) for each in _merged(terms)]
        self._spare = np.empty((3, coc_px.size), np.float32)

    def blur(self, light: Map) -> Map:
        """Return a channel of light, (H, W) float32, as the lens shows it."""
        seen = np.zeros_like(light)
        for term in self._terms:
            term.add_blurred(light, seen, self._spare)
        return seen

    def spread_back(self, seen: Map) -> Map:
        """Return the adjoint of `blur` applied to (H, W) float32."""
        light = np.zeros_like(seen)
        for term in self._terms:
            term.add_spread_back(seen, light, self._spare)
        return light

    def blur_all(self, light: Image) -> Image:
        """Return all channels of (H, W, C) light as the lens shows them."""
        planes = [self.blur(np.ascontiguousarray(light[..., c])) for c in range(light.shape[2])]
        return np.stack(planes, axis=2)


@dataclass(frozen=True, slots=True, eq=False)
class _Term:
    """One kernel and how much of it each pixel takes, worked on only where any does.

    Attributes:
        share: (h, w) of `own`.
        kernels: that add up to the one to correlate with for blurring, and their anchors (x, y).
        flipped: the same for the adjoint.
        own: where anything is taken.
        around: what it is gathered from.
        within: where `own` lies in `around`.
    """

    share: Map
    kernels: tuple[tuple[Map, Anchor], ...]
    flipped: tuple[tuple[Map, Anchor], ...]
    own: Area
    around: Area
    within: Area

    @classmethod
    def of(cls, share: Map, psf: Map) -> _Term:
        """Return the term of a share (H, W) and a PSF."""
        x, y, width, height = cv2.boundingRect((share != 0).astype(np.uint8))
        reach = psf.shape[0] // 2
        top, left = max(0, y - reach), max(0, x - reach)
        bottom, right = (
            min(side, end + reach)
            for side, end in zip(share.shape, (y + height, x + width), strict=True)
        )
        own = np.s_[y : y + height, x : x + width]
        return cls(
            np.ascontiguousarray(share[own]),
            # filter2D correlates; a PSF is convolved.
            tuple(_parts(psf[::-1, ::-1])),
            tuple(_parts(psf)),
            own,
            np.s_[top:bottom, left:right],
            np.s_[y - top : y - top + height, x - left : x - left + width],
        )

    def add_blurred(self, light: Map, seen: Map, spare: Map) -> None:
        blurred = _filtered(light[self.around], self.kernels, spare)[self.within]
        taken = _room(spare[2], self.share.shape)
        np.multiply(blurred, self.share, out=taken)
        seen[self.own] += taken

    def add_spread_back(self, seen: Map, light: Map, spare: Map) -> None:
        target = light[self.around]
        given = _room(spare[2], target.shape)
        if target.shape != self.share.shape:
            given.fill(0)
        np.multiply(seen[self.own], self.share, out=given[self.within])
        target += _filtered(given, self.flipped, spare)


def _room(spare: Map, shape: tuple[int, ...]) -> Map:
    return spare[: math.prod(shape)].reshape(shape)


def _filtered(image: Map, kernels: Iterable[tuple[Map, Anchor]], spare: Map) -> Map:
    made, more = (_room(each, image.shape) for each in spare[:2])
    for index, (kernel, anchor) in enumerate(kernels):
        target = more if index else made
        border = cv2.BORDER_CONSTANT
        cv2.filter2D(image, -1, kernel, dst=target, anchor=anchor, borderType=border)
        if index:
            made += more
    return made


def _parts(kernel: Map) -> list[tuple[Map, Anchor]]:
    """Return kernels that add up to one, and where the pixel itself lies in each."""
    reach = kernel.shape[0] // 2
    if kernel.size < _TRANSFORMED_FROM or (reach + 1) ** 2 >= _TRANSFORMED_FROM:
        return [(np.ascontiguousarray(kernel), (reach, reach))]
    # Quarters that share the middle row and column, which count in one of them.
    parts = []
    for rows, y in ((slice(0, reach + 1), reach), (slice(reach, None), 0)):
        for columns, x in ((slice(0, reach + 1), reach), (slice(reach, None), 0)):
            quarter = kernel[rows, columns].copy()
            quarter[: 1 if y == 0 else 0] = 0
            quarter[:, : 1 if x == 0 else 0] = 0
            parts.append((quarter, (x, y)))
    return parts


def _merged(terms: list[tuple[Map, Map]]) -> list[tuple[Map, Map]]:
    """Return shares and kernels, fewer where fewer kernels span all those of their size."""
    made: list[tuple[Map, Map]] = []
    for _, group in groupby(terms, key=lambda term: max(3, term[1].shape[0])):
        several = list(group)
        made += _spanned(several) if len(several) > 3 else several
    return made


def _spanned(terms: list[tuple[Map, Map]]) -> list[tuple[Map, Map]]:
    size = max(psf.shape[0] for _, psf in terms)
    kernels = [np.pad(psf, (size - psf.shape[0]) // 2).ravel() for _, psf in terms]
    left, values, right = np.linalg.svd(np.stack(kernels), full_matrices=False)
    rank = int((values > _RANK_FROM * values[0]).sum())
    if rank >= len(terms):
        return terms
    amounts = (left * values).astype(np.float32)
    made = []
    for index in range(rank):
        share = np.zeros_like(terms[0][0])
        for (each, _), amount in zip(terms, amounts[:, index], strict=True):
            share += amount * each
        made.append((share, right[index].reshape(size, size).astype(np.float32)))
    return made


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
