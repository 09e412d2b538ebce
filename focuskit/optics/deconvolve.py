"""Taking defocus back where enough is left to take it back from.

The most probable light under a hyper-Laplacian prior on gradients is found by iteratively
re-weighted least squares with conjugate gradients. Every pixel has its own circle of confusion and
its own noise; pixels that say nothing, because they are clipped or beyond the border, weigh
nothing, which keeps them from ringing.

References:
    A. Levin et al.: Image and depth from a conventional camera with a coded aperture. SIGGRAPH
        2007 (re-weighted least squares).
    D. Krishnan, R. Fergus: Fast image deconvolution using hyper-Laplacian priors. NIPS 2009.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_image, check_map
from focuskit.optics.blur_model import BlurModel
from focuskit.optics.light_noise import LightNoise, encoding_slope
from focuskit.optics.psf import Aperture

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
_OUTER, _INNER = 3, 8
# Of the prior tau |gradient|^p, gradients in encoded values.
_EXPONENT, _TAU, _FLAT = 0.8, 2.4, 0.0135
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
    tick: Callable[[float], None] | None = None,
) -> Restored:
    """Take defocus back, each pixel by its own circle of confusion.

    Below `LEAST_COC_PX` and above `HARDEST_COC_PX` the light stays as it is. Clipped pixels count
    as unknown. Works in tiles: memory beyond input and output does not grow with the picture.

    Args:
        light: (H, W, 3) float32 linear light >= 0, white at 1.
        coc_px: (H, W) float32 >= 0, diameters in pixels.
        noise: of the light, or its standard deviation in encoded values, white at 1.
        aperture: the shape of the PSF; None for an open round one.
        coc_error: share of itself that a diameter may be wrong by; acts like noise, >= 0.
        where: (H, W), True where the answer matters; None = everywhere. Elsewhere light may stay.
        tick: told the share that is done, in [0, 1].

    Raises:
        ShapeError, RangeError: the arrays are none of that, or the noise is negative.
    """
    check_image("light", light)
    check_map("coc_px", coc_px, shape=light.shape[:2], high=math.inf)
    measured = noise if isinstance(noise, LightNoise) else LightNoise(float(noise))
    known = LightNoise(math.hypot(measured.encoded_sigma, CAMERA_SIGMA))
    result, confidence = light.copy(), np.zeros(light.shape[:2], np.float32)
    tiles = list(_tiles(light.shape[0], light.shape[1]))
    for index, core in enumerate(tiles):
        wanted = _in_band(coc_px[core]) > 0
        if where is not None:
            wanted &= where[core]
        if wanted.any():
            core = _around(core, wanted)
            part, trust = _restored_tile(light, coc_px, core, known, aperture, coc_error)
            confidence[core] = trust
            result[core] = np.where(trust[..., None] > 0, part, light[core])
        if tick is not None:
            tick((index + 1) / len(tiles))
    return Restored(result, confidence)


def clipped(light: Image) -> Mask:
    """Return where a channel is at white or so near that its neighbours may have pulled it down."""
    return np.asarray((light >= _CLIPPED_FROM).any(axis=2))


def _in_band(coc_px: Map) -> Map:
    """Return how far a circle of confusion is within what can be taken back, 0 to 1."""
    rise = _ramp(coc_px, LEAST_COC_PX, _FULL_FROM_PX)
    return rise * _ramp(coc_px, HARDEST_COC_PX, _FULL_TO_PX)


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, _TILE_PX):
        for left in range(0, width, _TILE_PX):
            yield (
                slice(top, min(height, top + _TILE_PX)),
                slice(left, min(width, left + _TILE_PX)),
            )


def _around(core: tuple[slice, slice], wanted: Mask) -> tuple[slice, slice]:
    """Return the part of a tile that holds what is wanted."""
    x, y, width, height = cv2.boundingRect(wanted.astype(np.uint8))
    top, left = core[0].start + y, core[1].start + x
    return slice(top, top + height), slice(left, left + width)


class _Tile:
    """A part of a picture with a margin around it, and what is known there."""

    def __init__(
        self,
        light: Image,
        coc_px: Map,
        core: tuple[slice, slice],
        noise: LightNoise,
        aperture: Aperture | None,
        coc_error: float,
    ) -> None:
        most = float(np.minimum(coc_px[core], HARDEST_COC_PX).max())
        margin = _MARGIN_REACHES * math.ceil(most / 2) + 4
        self.inner = (slice(margin, -margin), slice(margin, -margin))
        self.seen = _with_margin(light, core, margin)
        cocs = _with_margin(coc_px, core, margin)
        self.cocs = np.minimum(cocs, np.float32(HARDEST_COC_PX))
        field = _field(light.shape, core)
        self.model = BlurModel(self.cocs, aperture or Aperture(), field)
        known = _with_margin(
            np.ones(coc_px.shape, np.float32), core, margin, mode=cv2.BORDER_CONSTANT
        )
        reach = self.model.reach_px
        # Light from beyond the tile is missing along its rim.
        known[:reach], known[-reach:], known[:, :reach], known[:, -reach:] = 0, 0, 0, 0
        known[cv2.dilate(clipped(self.seen).astype(np.uint8), np.ones((3, 3))) > 0] = 0
        self.known = known * _one_surface(self.cocs)
        self.sigma = _sigma(self.seen, self.cocs, noise, coc_error)

    def solved(self) -> Image:
        """Return the most probable light, margin included."""
        return _solve(self.seen, self.model, self.known, self.sigma)


def _restored_tile(
    light: Image,
    coc_px: Map,
    core: tuple[slice, slice],
    noise: LightNoise,
    aperture: Aperture | None,
    coc_error: float,
) -> tuple[Image, Map]:
    """Return the restored core of a tile and how far it is to be trusted."""
    tile = _Tile(light, coc_px, core, noise, aperture, coc_error)
    bounded, excess = _bounded(tile.seen, tile.solved(), tile.cocs, noise)
    trust = _trust(tile.seen, bounded, excess, tile.model, tile.known, tile.sigma)
    trust = _in_band(tile.cocs) * trust
    return bounded[tile.inner], np.asarray(trust[tile.inner], np.float32)


def _with_margin(
    values: Image, core: tuple[slice, slice], margin: int, mode: int = cv2.BORDER_REFLECT
) -> Image:
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


def _field(shape: tuple[int, ...], core: tuple[slice, slice]) -> tuple[float, float]:
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


def _solve(seen: Image, model: BlurModel, known: Map, sigma: Image) -> Image:
    """Return the most probable light (H, W, 3)."""
    # In these units noise and gradients are about even over the tones.
    slope = encoding_slope(_smooth(seen, 3.0))
    weight = known[..., None] / sigma**2
    goal = slope * model.spread_back(weight * seen)
    unit = seen / slope

    for _ in range(_OUTER):
        prior = _prior_weights(unit * slope, slope)

        def normal(values: Image, prior: tuple[Image, Image] = prior) -> Image:
            light = slope * values
            data = model.spread_back(weight * model.blur(light))
            return slope * (data + _roughness(light, prior))

        unit = _conjugate_gradients(normal, goal, unit, _INNER)
    return np.asarray(np.maximum(unit * slope, np.float32(0)))


def _prior_weights(light: Image, slope: Image) -> tuple[Image, Image]:
    """Return what squared differences to the right and down weigh."""
    weights = []
    for step in _differences(light / slope):
        square = (step**2).mean(axis=2, keepdims=True) + np.float32(_FLAT**2)
        strength = np.float32(_TAU) * square ** np.float32(_EXPONENT / 2 - 1)
        weights.append(np.asarray(strength / slope**2, np.float32))
    return weights[0], weights[1]


def _differences(image: Image) -> tuple[Image, Image]:
    right, down = np.zeros_like(image), np.zeros_like(image)
    np.subtract(image[:, 1:], image[:, :-1], out=right[:, :-1])
    np.subtract(image[1:], image[:-1], out=down[:-1])
    return right, down


def _roughness(light: Image, weights: tuple[Image, Image]) -> Image:
    """Return the gradient of half the weighted squared differences."""
    right, down = _differences(light)
    right *= weights[0]
    down *= weights[1]
    total = -(right + down)
    total[:, 1:] += right[:, :-1]
    total[1:] += down[:-1]
    return total


def _conjugate_gradients(
    normal: Callable[[Image], Image], goal: Image, start: Image, steps: int
) -> Image:
    found = start.copy()
    left = goal - normal(found)
    direction = left.copy()
    energy = float(np.vdot(left, left))
    for _ in range(steps):
        if energy <= 0:
            break
        image = normal(direction)
        step = np.float32(energy / max(float(np.vdot(direction, image)), 1e-30))
        found += step * direction
        left -= step * image
        before, energy = energy, float(np.vdot(left, left))
        direction *= np.float32(energy / before)
        direction += left
    return found


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


def _trust(
    seen: Image, restored: Image, excess: Map, model: BlurModel, known: Map, sigma: Image
) -> Map:
    """Return how likely restoring was right, from what the result looks like, 0 to 1."""
    # What a pixel was spread over, and what was spread over it, must have been seen.
    evidence = _ramp(_surroundings(known, model.reach_px), *_EVIDENCE)
    # Blurred again, the result must be the input.
    off = np.abs(model.blur(restored) - seen) / (np.float32(_SIGMAS) * sigma)
    agrees = _ramp(_smooth(np.asarray(off.mean(axis=2), np.float32), 2.0), *_OFF)
    rings = _ramp(excess, *_EXCESS)
    return np.asarray(np.float32(MOST_TRUST) * evidence * agrees * rings, np.float32)


def _ramp(values: Map, none: float, full: float) -> Map:
    """Return 0 at `none` and beyond, 1 at `full` and beyond."""
    return np.asarray(np.clip((values - none) / (full - none), 0, 1), np.float32)


def _surroundings(known: Map, reach: int) -> Map:
    size = 2 * reach + 1
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)).astype(np.float32)
    return np.asarray(cv2.filter2D(known, -1, window / window.sum()), np.float32)


def _smooth(image: Image, sigma_px: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.float32)
