"""What the training-free detectors share: the working picture, its grid, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.check import check_range
from focuskit.color import encode_srgb, luminance
from focuskit.optics.edges import REBLUR_SIGMA, gradient_energies
from focuskit.optics.guided import guided_filter, guided_upsample
from focuskit.optics.noise import measure_noise
from focuskit.photo import Photo

__all__ = [
    "WORKING_LONG_EDGE",
    "Working",
    "contrast_trust",
    "finish",
    "logistic",
    "regional_width",
    "spread",
]

WORKING_LONG_EDGE = 1500
"""Photos with a longer side are shrunk to this for measuring, in pixels."""

_GRID_LONG_EDGE = 320
_SMALLEST_FINE_GRID = 64
# Below this variance of the guide a window is one surface: along outlines when enlarging; when
# spreading, shading and texture of a surface must not show in its map either.
_ENLARGE_EPS = 1e-3
_SPREAD_EPS = 1e-2

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Working:
    """The picture that is measured, and the coarser grid that maps are solved on.

    Attributes:
        light: (H, W) float32, luminance of the photo in linear light, at its own size.
        gray: (h, w) float32 in [0, 1], encoded, at most the working long edge.
        noise_sigma: of `gray`.
        guide: (m, n) float32: `gray` shrunk to the grid.
        cell: about how many pixels of `gray` a cell of the grid spans.
        enlargement: pixels of the photo per pixel of `gray`, >= 1.
    """

    light: Map
    gray: Map
    noise_sigma: float
    guide: Map
    cell: int
    enlargement: float

    @classmethod
    def of(cls, photo: Photo, working_long_edge: int | None) -> Working:
        """Shrink the photo in linear light, as a smaller sensor would have seen it, and encode.

        Raises:
            RangeError: `working_long_edge` is below 1.
        """
        light = luminance(photo.rgb, photo.primaries)
        # Highlights above white are clipped before shrinking, as in any developed photo.
        np.minimum(light, np.float32(1), out=light)
        longest = max(light.shape)
        if working_long_edge is not None:
            check_range("working_long_edge", working_long_edge, low=1, unit="px")
        if working_long_edge is None or longest <= working_long_edge:
            small, cell = light, _cell(light.shape)
        else:
            factor = working_long_edge / longest
            cell = _cell(tuple(side * factor for side in light.shape))
            # Whole cells only: averages over them are then several times faster.
            small = _shrunk(light, factor, multiple=cell)
        gray = encode_srgb(small)
        guide = gray if cell == 1 else _shrunk(gray, 1 / cell)
        # Sides round apart from each other; the area's ratio is what a CoC's length scales with.
        enlargement = (light.size / gray.size) ** 0.5
        return cls(light, gray, measure_noise(gray), guide, cell, enlargement)

    def on_grid(self, picture: NDArray[np.float32] | NDArray[np.uint8]) -> Map:
        """Return the means of a working-size picture over the cells of the grid, float32."""
        height, width = self.guide.shape
        if picture.shape == self.guide.shape:
            return picture.astype(np.float32)
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32).reshape(height, width)

    def box(self, grid: Map, width_px: float) -> Map:
        """Return the means of a grid over squares of about `width_px` working pixels."""
        side = 2 * round((width_px / self.cell - 1) / 2) + 1
        if side <= 1:
            return grid
        # A window reaching further than a small picture would only see its mirror images.
        size = tuple(min(side, 2 * length + 1) for length in (grid.shape[1], grid.shape[0]))
        mean = cv2.boxFilter(grid, cv2.CV_32F, size, borderType=cv2.BORDER_REFLECT)
        return np.asarray(mean, np.float32).reshape(grid.shape)


def contrast_trust(working: Working, *, width_px: float = 15) -> Map:
    """Return the (m, n) trust in [0, 1): local contrast against noise.

    0 where there is nothing to judge sharpness by.
    """
    mean = working.box(working.guide, width_px)
    square = working.box(working.on_grid(working.gray * working.gray), width_px)
    # The noise's own variance is no contrast.
    noise = np.float32(1.5 * working.noise_sigma**2)
    signal = np.maximum(square - mean * mean - noise, np.float32(0))
    trust = signal / (signal + np.float32((3 * working.noise_sigma) ** 2 + 0.006**2))
    return np.asarray(trust, np.float32)


def regional_width(working: Working, picture: Map, scale: int = 1) -> Map:
    """Return the (m, n) width of a region's structures, from what re-blurring takes off them.

    The ratio of `focuskit.optics.edges`, of energies summed over regions instead of along single
    edges: it speaks for texture, which has no edges that stand alone.

    Args:
        working: whose grid it is.
        picture: its `gray`, or that halved to 1 / `scale`.
        scale: pixels of `gray` per pixel of the picture.

    Returns:
        Standard deviation in pixels of the picture, own blur of the measurement included.
    """
    before, after = gradient_energies(picture, working.noise_sigma / scale)
    before, after = (working.box(working.on_grid(part), 15 * scale) for part in (before, after))
    # Energies of a Gaussian edge of variance u fall as 1 / sqrt(u): (before / after)^2 = 1 + d / u.
    squared = (before / np.maximum(after, np.float32(1e-9))) ** 2
    u = REBLUR_SIGMA**2 / np.maximum(squared - 1, np.float32(0.02))
    return np.asarray(np.sqrt(u), np.float32)


def spread(working: Working, values: Map, weight: Map, *, share: float) -> Map:
    """Spread trusted values over the grid along the photo's structures.

    Args:
        working: whose grid it is.
        values: (m, n) float32.
        weight: (m, n) float32 >= 0.
        share: radius of the window as a share of the grid's longer side.
    """
    radius = max(1, round(share * max(values.shape)))
    return guided_filter(working.guide, values, radius=radius, eps=_SPREAD_EPS, weight=weight)


def logistic(values: Map, *, centre: float, slope: float) -> Map:
    """Return 1 / (1 + exp(-slope (values - centre)))."""
    exponent = np.clip(np.float32(slope) * (np.float32(centre) - values), -30, 30)
    return np.asarray(1 / (1 + np.exp(exponent)), np.float32)


def finish(
    photo: Photo, working: Working, *, probability: Map, coc_diameter_px: Map, confidence: Map
) -> BlurMap:
    """Bring maps from the grid to the photo's size.

    Args:
        photo: whose map it becomes.
        working: whose grid the maps are on.
        probability: (m, n) float32, about [0, 1].
        coc_diameter_px: (m, n) float32 in working pixels.
        confidence: (m, n) float32, about [0, 1].
    """
    shape = (photo.height, photo.width)
    guide = working.gray
    if guide.shape != shape:
        # A square root follows the encoding closely enough to guide, at a tenth of its cost.
        guide = np.asarray(cv2.sqrt(working.light), np.float32).reshape(shape)
    large = probability
    if working.guide.shape != shape:
        large = guided_upsample(guide, probability, radius=2, eps=_ENLARGE_EPS)
    coc = _stretched(coc_diameter_px * np.float32(working.enlargement), shape)
    return BlurMap(
        in_focus_probability=np.clip(large, 0, 1, out=large),
        coc_diameter_px=np.maximum(coc, 0, out=coc),
        confidence=np.clip(_stretched(confidence, shape), 0, 1),
    )


def _cell(shape: tuple[float, ...]) -> int:
    if min(shape) < _SMALLEST_FINE_GRID:
        return 1
    return max(2, round(max(shape) / _GRID_LONG_EDGE))


def _shrunk(picture: Map, factor: float, *, multiple: int = 1) -> Map:
    height, width = (max(1, round(side * factor / multiple)) * multiple for side in picture.shape)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(height, width)


def _stretched(grid: Map, shape: tuple[int, int]) -> Map:
    large = cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32).reshape(shape)
