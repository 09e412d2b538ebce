"""Taking defocus back where enough is left to take it back from.

What is most probable under a prior on gradients is found tile by tile, several at a time. Every
pixel has its own circle of confusion and its own noise; pixels that say nothing, because they are
clipped or beyond the border, weigh nothing, which keeps them from ringing. Where nothing could be
believed whatever came out, nothing is solved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_image, check_map
from focuskit.optics.gathering import Gathering
from focuskit.optics.light_noise import LightNoise
from focuskit.optics.parallel import each_done
from focuskit.optics.psf import Aperture
from focuskit.optics.reweighted import most_probable

__all__ = [
    "CAMERA_SIGMA",
    "GUESSED_ERROR",
    "HARDEST_COC_PX",
    "LEAST_COC_PX",
    "MEASURED_ERROR",
    "MOST_TRUST",
    "Restored",
    "clipped",
    "deconvolve",
]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Area = tuple[slice, slice]

LEAST_COC_PX = 1.5
"""Diameter below which there is nothing to take back."""
HARDEST_COC_PX = 16.0
"""Diameter from which on nothing is left to take back."""
MOST_TRUST = 0.9
"""Confidence that is never exceeded: even where nothing speaks against it, one pixel in ten was
better before."""
CAMERA_SIGMA = 0.008
"""What compression and processing have done to detail acts like noise, in encoded values."""

MEASURED_ERROR, GUESSED_ERROR = 0.07, 0.3
"""Shares of itself that a diameter may be wrong by: where it was measured, and where guessed."""

_FULL_FROM_PX, _FULL_TO_PX = 1.75, 10.0
_CLIPPED_FROM = 0.97
_TILE_PX = 320
_MARGIN_REACHES = 3
# A tile is cut down to what can be hoped for if that is less than this share of it.
_WORTH_CUTTING = 0.85
# How far beyond the range of the input narrow detail may reach, by its height there.
_OVERSHOOT = 1.0
_SIGMAS = 3.0
# How often the restored pixel was the better one, weighted by what was at stake, on rendered scenes
# kept for development: by the share of its surroundings that was seen, by how far the result
# blurred again is off (in 3 sigma), and by its overshoot; from none to full.
_EVIDENCE, _OFF, _EXCESS = (0.05, 0.4), (2.0, 0.8), (1.5, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """Light with defocus taken back.

    Attributes:
        light: (H, W, 3) float32 linear light >= 0; the input, to the bit, where `confidence` is 0.
        confidence: (H, W) float32 in [0, 1], how likely `light` is nearer to the truth than the
            input was.
    """

    light: Image
    confidence: Map


def deconvolve(
    light: Image,
    coc_px: Map,
    *,
    noise: LightNoise | float,
    aperture: Aperture | None = None,
    coc_error: float = MEASURED_ERROR,
    where: Mask | None = None,
    least: Map | None = None,
    tick: Callable[[float], None] | None = None,
) -> Restored:
    """Take defocus back, each pixel by its own circle of confusion.

    Below `LEAST_COC_PX` and above `HARDEST_COC_PX` the light stays as it is. Clipped pixels count
    as unknown. Works in tiles: memory beyond input and output does not grow with the picture.
    What `tick` raises ends the work.

    Args:
        light: (H, W, 3) float32 linear light >= 0, white at 1.
        coc_px: (H, W) float32 >= 0, diameters in pixels.
        noise: of the light, or its standard deviation in encoded values, white at 1.
        aperture: the shape of the PSF; None for an open round one.
        coc_error: share of itself that a diameter may be wrong by; acts like noise, >= 0.
        where: (H, W), True where the answer matters; None = everywhere. Elsewhere light may stay.
        least: (H, W) >= 0, the confidence up to which the answer does not matter; None = 0.
        tick: told the share that is done, in [0, 1].

    Raises:
        ShapeError, RangeError: the arrays are none of that, or the noise is negative.
    """
    check_image("light", light)
    check_map("coc_px", coc_px, shape=light.shape[:2], high=math.inf)
    if least is not None:
        check_map("least", least, shape=light.shape[:2], high=math.inf)
    limit = np.broadcast_to(np.float32(0), light.shape[:2]) if least is None else least
    if where is not None:
        limit = np.where(where, limit, np.float32(1))
    measured = noise if isinstance(noise, LightNoise) else LightNoise(float(noise))
    known = LightNoise(math.hypot(measured.encoded_sigma, CAMERA_SIGMA))
    given = _Given(light, coc_px, known, aperture or Aperture(), coc_error)
    result = Restored(light.copy(), np.zeros(light.shape[:2], np.float32))

    def restore(core: Area) -> None:
        wanted = np.float32(MOST_TRUST) * _in_band(coc_px[core]) > limit[core]
        if wanted.any():
            _restore(given, _around(core, wanted), limit, result)

    tiles = list(_tiles(light.shape[0], light.shape[1]))
    with closing(each_done(restore, tiles)) as each:
        for done, _ in enumerate(each, start=1):
            if tick is not None:
                tick(done / len(tiles))
    return result


def clipped(light: Image) -> Mask:
    """Return where a channel is at white or so near that its neighbours may have pulled it down."""
    return np.asarray((light >= _CLIPPED_FROM).any(axis=2))


def _in_band(coc_px: Map) -> Map:
    """Return how far a circle of confusion is within what can be taken back, 0 to 1."""
    rise = _ramp(coc_px, LEAST_COC_PX, _FULL_FROM_PX)
    return rise * _ramp(coc_px, HARDEST_COC_PX, _FULL_TO_PX)


def _tiles(height: int, width: int) -> Iterator[Area]:
    """Yield tiles of about the same size that make up a picture."""
    rows, columns = (max(1, round(side / _TILE_PX)) for side in (height, width))
    for row in range(rows):
        for column in range(columns):
            yield (
                slice(row * height // rows, (row + 1) * height // rows),
                slice(column * width // columns, (column + 1) * width // columns),
            )


def _around(core: Area, wanted: Mask) -> Area:
    """Return the part of a tile that holds what is wanted."""
    x, y, width, height = cv2.boundingRect(wanted.astype(np.uint8))
    top, left = core[0].start + y, core[1].start + x
    return slice(top, top + height), slice(left, left + width)


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What `deconvolve` was given; the noise as it acts."""

    light: Image
    coc_px: Map
    noise: LightNoise
    aperture: Aperture
    coc_error: float


def _restore(given: _Given, core: Area, limit: Map, result: Restored) -> None:
    """Restore the part of a tile that can be believed, in place."""
    tile = _Tile(given, core)
    hoped = tile.most_trust[tile.inner] > limit[core]
    if not hoped.any():
        return
    less = _around(core, hoped)
    if _area_px(less) < _WORTH_CUTTING * _area_px(core):
        core, tile = less, _Tile(given, less)
    light, trust = tile.restored()
    result.confidence[core] = trust
    result.light[core] = np.where(trust[..., None] > 0, light, given.light[core])


def _area_px(core: Area) -> int:
    return int((core[0].stop - core[0].start) * (core[1].stop - core[1].start))


class _Tile:
    """A part of a picture with a margin around it, and what is known there.

    Attributes:
        inner: the part without the margin.
        most_trust: the most that a result can be trusted, margin included.
    """

    def __init__(self, given: _Given, core: Area) -> None:
        most = float(np.minimum(given.coc_px[core], HARDEST_COC_PX).max())
        margin = _MARGIN_REACHES * math.ceil(most / 2) + 4
        self.inner = (slice(margin, -margin), slice(margin, -margin))
        self._given = given
        self._seen = _with_margin(given.light, core, margin)
        cocs = _with_margin(given.coc_px, core, margin)
        self._cocs = np.minimum(cocs, np.float32(HARDEST_COC_PX))
        field = _field(given.light.shape, core)
        self._model = Gathering(self._cocs, given.aperture, field)
        ones = np.broadcast_to(np.float32(1), given.coc_px.shape)
        known = _with_margin(ones, core, margin, mode=cv2.BORDER_CONSTANT)
        reach = self._model.reach_px
        # Light from beyond the tile is missing along its rim.
        known[:reach], known[-reach:], known[:, :reach], known[:, -reach:] = 0, 0, 0, 0
        known[cv2.dilate(clipped(self._seen).astype(np.uint8), np.ones((3, 3))) > 0] = 0
        self._known = known * _one_surface(self._cocs)
        # What a pixel was spread over, and what was spread over it, must have been seen.
        evidence = _ramp(_surroundings(self._known, reach), *_EVIDENCE)
        self.most_trust = np.float32(MOST_TRUST) * _in_band(self._cocs) * evidence

    def restored(self) -> tuple[Image, Map]:
        """Return the light without the margin, and how far it is to be trusted."""
        seen, noise = self._seen, self._given.noise
        sigma = _sigma(seen, self._cocs, noise, self._given.coc_error)
        found = most_probable(seen, self._cocs, self._model, self._known, sigma)
        bounded, excess = _bounded(seen, found, self._cocs, noise)
        # Blurred again, the result must be the input.
        off = np.abs(self._model.blur_all(bounded) - seen) / (np.float32(_SIGMAS) * sigma)
        agrees = _ramp(_smooth(np.asarray(off.mean(axis=2), np.float32), 2.0), *_OFF)
        trust = self.most_trust * agrees * _ramp(excess, *_EXCESS)
        return bounded[self.inner], np.asarray(trust[self.inner], np.float32)


def _with_margin(values: Image, core: Area, margin: int, mode: int = cv2.BORDER_REFLECT) -> Image:
    """Return a tile and what is around it; beyond the picture, its mirror image or 0."""
    rows, columns = core
    height, width = values.shape[:2]
    top, bottom = max(0, rows.start - margin), min(height, rows.stop + margin)
    left, right = max(0, columns.start - margin), min(width, columns.stop + margin)
    more = (
        margin - (rows.start - top),
        margin - (bottom - rows.stop),
        margin - (columns.start - left),
        margin - (right - columns.stop),
    )
    part = np.ascontiguousarray(values[top:bottom, left:right])
    return np.asarray(cv2.copyMakeBorder(part, *more, mode), np.float32)


def _field(shape: tuple[int, ...], core: Area) -> tuple[float, float]:
    half = math.hypot(shape[0], shape[1]) / 2
    y, x = ((part.start + part.stop) / 2 for part in core)
    return ((x - shape[1] / 2) / half, (y - shape[0] / 2) / half)


def _one_surface(coc_px: Map) -> Map:
    """Return 1 where the blur around is the same, less where another surface's light mixes in."""
    size = 2 * math.ceil(float(coc_px.max()) / 4) + 3
    window = np.ones((size, size), np.uint8)
    apart = cv2.dilate(coc_px, window) - cv2.erode(coc_px, window)
    relative = apart / np.maximum(coc_px, LEAST_COC_PX)
    return np.asarray(np.exp(-((relative / np.float32(0.6)) ** 2)), np.float32)


def _sigma(seen: Image, coc_px: Map, noise: LightNoise, coc_error: float) -> Image:
    """Return what a pixel may be off by: noise, and what an error of its PSF would do to it."""
    calm = _smooth(seen, 1.0)
    curved = np.abs(cv2.Laplacian(calm, cv2.CV_32F)).mean(axis=2)
    curved = cv2.GaussianBlur(curved, (0, 0), 2.0)
    # d(sigma²) = 2 (c / 4)² d(c) / c, and d(light) = d(sigma²) / 2 times the Laplacian.
    wrong = np.float32(coc_error / 16) * coc_px**2 * curved
    return np.asarray(np.sqrt(noise.sigma(calm) ** 2 + wrong[..., None] ** 2), np.float32)


def _bounded(seen: Image, restored: Image, coc_px: Map, noise: LightNoise) -> tuple[Image, Map]:
    """Return light that stays near the input's range, and by how many of its spans it had left it.

    Ringing overshoots next to edges, where the input rises or falls steadily. Light that may lie
    beyond the input's range is that of narrow detail, which blur dimmed: there the input has a
    bump.
    """
    size = 2 * math.ceil(float(coc_px.max()) / 2) + 1
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    wide = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1))
    calm = _smooth(seen, 0.7)
    high, low = cv2.dilate(calm, window), cv2.erode(calm, window)
    bump = cv2.dilate(cv2.morphologyEx(calm, cv2.MORPH_TOPHAT, wide), window)
    dent = cv2.dilate(cv2.morphologyEx(calm, cv2.MORPH_BLACKHAT, wide), window)
    slack = np.float32(_SIGMAS) * noise.sigma(calm)
    highest = high + np.float32(_OVERSHOOT) * bump + slack
    lowest = np.maximum(low - np.float32(_OVERSHOOT) * dent - slack, 0)
    beyond = np.maximum(restored - highest, lowest - restored)
    excess = np.clip(beyond / np.maximum(high - low + slack, 1e-6), 0, 4).max(axis=2)
    bounded = np.clip(restored, lowest, highest)
    return np.asarray(bounded, np.float32), np.asarray(excess, np.float32)


def _ramp(values: Map, none: float, full: float) -> Map:
    """Return 0 at `none` and beyond, 1 at `full` and beyond."""
    return np.asarray(np.clip((values - none) / (full - none), 0, 1), np.float32)


def _surroundings(known: Map, reach: int) -> Map:
    size = 2 * reach + 1
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)).astype(np.float32)
    return np.asarray(cv2.filter2D(known, -1, window / window.sum()), np.float32)


def _smooth(image: Image, sigma_px: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.float32)
