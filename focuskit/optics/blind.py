"""How large the blur of a photo is, from the photo alone: what edges add to a detector's answer.

A detector that looks at a photo made small cannot see a circle of confusion of a few pixels of the
large one; the edges of the large one show it (Zhuo and Sim 2011). Edges in turn say nothing where
there are none, and tell wide blur worse than a detector that knows what things look like. Each is
believed as far as it sees.

References:
    S. Zhuo, T. Sim: Defocus map estimation from a single image. Pattern Recognition 44(9), 2011.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.errors import ShapeError
from focuskit.optics.edges import (
    COC_PER_SIGMA,
    RESOLVABLE_SIGMA_PX,
    Edges,
    join_edges,
    measure_edges,
)
from focuskit.optics.guided import guided_filter
from focuskit.optics.noise import measure_noise

__all__ = ["SEEN_LONG_EDGE_PX", "smallest_resolvable_coc_px", "with_edges"]

Map = NDArray[np.float32]

SEEN_LONG_EDGE_PX = 1600
"""Long side of the picture that detectors look at, at most."""

# Where the detector saw nearly every pixel, edges have nothing to add.
_LEAST_ENLARGEMENT = 1.25
# What follows was chosen on rendered scenes of up to 3000 px.
# Edges of fur, grass and print read narrower than those that stand alone.
_CROWDED = np.float32(1.3)
# In pixels of what the detector saw: not resolved below the first, clearly from the second on.
_UNSEEN_BELOW_PX, _SEEN_FROM_PX = 1.5, 4.0
_LEAST_SEEN = np.float32(0.1)
# What edges there are in wide blur are seldom its own: from here on they fade out.
_WIDE_FROM_PX = 8.0
# Weight of edges per pixel at which they are trusted as much as a detector that sees well.
_HALF_TRUST = np.float32(0.003)
# Change of log(1 + CoC) around an edge: on a surface up to the first, an outline from the second.
_SURFACE_TO, _OUTLINE_FROM = np.float32(0.2), np.float32(0.6)
_MOST_CELLS = 640
_RADIUS_SHARE = 0.02
_EPS = 1e-3
_TINY = 1e-9
# Wider blur a detector sees. Both are even, so that halved strips are those of the halved picture.
_MOST_SIGMA_PX = 4.0
_STRIP, _OVERLAP = 1024, 64

_TILE = 512
_MOST_TILES = (3, 4)
_LEAST_EDGES = 30
_SHARPEST = 0.2
_OWN_SIGMA_RANGE_PX = (RESOLVABLE_SIGMA_PX, 1.1)
# Widths scatter by so much on clean pictures, and by more where noise is large against contrast.
_SCATTER, _SCATTER_OF_NOISE = 0.15, 6.0


def with_edges(gray: Map, blur_map: BlurMap) -> BlurMap:
    """Return a detector's map with circles of confusion corrected by the edges of the full photo.

    Both answers are averaged as logarithms. Edges weigh by how many trusted ones are near; the
    detector by whether a circle of this size showed in a picture of `SEEN_LONG_EDGE_PX`. Photos
    that are hardly larger than that keep their map.

    Args:
        gray: (H, W) float32 in [0, 1], encoded, at its own resolution.
        blur_map: of the same size.

    Returns:
        The map with other `coc_diameter_px`.

    Raises:
        ShapeError: photo and map differ in size.
    """
    if gray.shape != (blur_map.height, blur_map.width):
        raise ShapeError(
            f"The blur map is {blur_map.width}×{blur_map.height} pixels, its photo "
            f"{gray.shape[1]}×{gray.shape[0]}: give the map of this very photo."
        )
    enlargement = max(gray.shape) / SEEN_LONG_EDGE_PX
    if enlargement < _LEAST_ENLARGEMENT:
        return blur_map
    edges = _edges_in_strips(gray)
    if not len(edges):
        return blur_map
    told, density = _spread(gray, edges, blur_map.coc_diameter_px)
    coc = np.empty(gray.shape, np.float32)
    for top in range(0, gray.shape[0], _STRIP):
        rows = slice(top, top + _STRIP)
        detected = blur_map.coc_diameter_px[rows]
        coc[rows] = _averaged(detected, told[rows], density[rows], np.float32(enlargement))
    return replace(blur_map, coc_diameter_px=coc)


def _averaged(detected_px: Map, told: Map, density: Map, enlargement: np.float32) -> Map:
    shown_px = detected_px / enlargement
    seen = (shown_px - np.float32(_UNSEEN_BELOW_PX)) / np.float32(_SEEN_FROM_PX - _UNSEEN_BELOW_PX)
    wide = np.clip((shown_px - np.float32(_WIDE_FROM_PX)) / np.float32(_WIDE_FROM_PX), 0, 1)
    trust = density / (density + _HALF_TRUST) * (1 - wide)
    share = trust / (trust + np.clip(seen, _LEAST_SEEN, 1))
    found = np.log1p(detected_px)
    coc = np.expm1(found + share * (np.maximum(told, 0) - found))
    return np.asarray(np.maximum(coc, 0), np.float32)


def smallest_resolvable_coc_px(gray: Map) -> float:
    """Return the smallest circle of confusion that shows in a photo, in pixels of it.

    Lens, mosaic and sharpening draw even what is in focus a little wide; a circle shows where it
    widens edges by more than their widths scatter, which noise adds to. Smaller blur cannot be told
    from none.

    Args:
        gray: (H, W) float32 in [0, 1], encoded, at its own resolution.

    Returns:
        Diameter in pixels, about 1.3 for a clean, crisp photo; NaN where no edges tell.
    """
    edges = join_edges([measure_edges(tile) for tile in _tiles(gray)])
    if len(edges) < _LEAST_EDGES:
        return math.nan
    order = np.argsort(edges.sigma_px)
    heard = np.cumsum(edges.weight[order], dtype=np.float64)
    sharpest = edges.sigma_px[order][int(np.searchsorted(heard, _SHARPEST * heard[-1]))]
    low, high = _OWN_SIGMA_RANGE_PX
    own = min(max(float(sharpest), low), high)
    contrast = float(np.median(edges.contrast))
    scatter = _SCATTER + _SCATTER_OF_NOISE * measure_noise(gray) / max(contrast, _TINY)
    widened = own * math.sqrt((1 + scatter) ** 2 - 1)
    return COC_PER_SIGMA * max(RESOLVABLE_SIGMA_PX, widened)


def _tiles(gray: Map) -> list[Map]:
    """Return pieces spread evenly over the picture, or all of a small one."""
    height, width = gray.shape
    down, across = (
        min(most, max(1, side // _TILE)) for most, side in zip(_MOST_TILES, gray.shape, strict=True)
    )
    if height <= down * _TILE and width <= across * _TILE:
        return [gray]
    tops = np.linspace(0, max(0, height - _TILE), down).astype(int)
    lefts = np.linspace(0, max(0, width - _TILE), across).astype(int)
    return [gray[y : y + _TILE, x : x + _TILE] for y in tops for x in lefts]


def _edges_in_strips(gray: Map) -> Edges:
    """Measure the edges of a large picture in the memory that a small one takes."""
    noise = measure_noise(gray)
    parts = []
    for top in range(0, gray.shape[0], _STRIP):
        first = max(0, top - _OVERLAP)
        strip = gray[first : top + _STRIP + _OVERLAP]
        edges = measure_edges(strip, noise_sigma=noise, max_sigma_px=_MOST_SIGMA_PX)
        y = edges.y + np.float32(first)
        own = (y >= top) & (y < top + _STRIP)
        columns = (y if name == "y" else getattr(edges, name) for name in Edges.__slots__)
        parts.append(Edges(*(column[own] for column in columns)))
    return join_edges(parts)


def _spread(gray: Map, edges: Edges, detected_px: Map) -> tuple[Map, Map]:
    """Return log(1 + CoC) that edges tell at each pixel, and the weight of edges around it.

    Edges where the detector sees blur change are outlines, as sharp as what is in front: they say
    nothing of what is behind, and not enough of what is in front to make up for that.
    """
    factor = max(1, max(gray.shape) // _MOST_CELLS)
    rows, columns = (math.ceil(side / factor) for side in gray.shape)
    cell = (edges.y / factor).astype(np.intp) * columns + (edges.x / factor).astype(np.intp)
    weight = np.bincount(cell, edges.weight, rows * columns)
    log = np.log1p(edges.sigma_px * (np.float32(COC_PER_SIGMA) * _CROWDED))
    total = np.bincount(cell, edges.weight * log, rows * columns)
    mean = _as_map(total / np.maximum(weight, _TINY), rows, columns)
    trust = _as_map(weight / factor**2, rows, columns)
    guide, detected = (
        cv2.resize(each, (columns, rows), interpolation=cv2.INTER_AREA).reshape(rows, columns)
        for each in (gray, detected_px)
    )
    radius = max(1, round(_RADIUS_SHARE * max(rows, columns)))
    around = np.ones((2 * (radius // 2) + 1,) * 2, np.uint8)
    seen = np.log1p(np.asarray(detected, np.float32))
    change = cv2.dilate(seen, around) - cv2.erode(seen, around)
    surface = np.clip((_OUTLINE_FROM - change) / (_OUTLINE_FROM - _SURFACE_TO), 0, 1)
    trust *= surface
    told = guided_filter(np.asarray(guide, np.float32), mean, radius=radius, eps=_EPS, weight=trust)
    density = np.asarray(cv2.blur(trust, (2 * radius + 1, 2 * radius + 1)) * surface, np.float32)
    return _enlarged(told, gray.shape), _enlarged(density, gray.shape)


def _as_map(values: NDArray[np.float64], rows: int, columns: int) -> Map:
    return values.reshape(rows, columns).astype(np.float32)


def _enlarged(values: Map, shape: tuple[int, ...]) -> Map:
    large = cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32).reshape(shape)
