"""Where a photo is in focus, by the width of its edges; its main product is the size of the blur.

Every edge is measured by re-blurring (`focuskit.optics.edges`). The widths, weighted by trust, are
gathered on a coarse grid and spread over the regions between edges with the photo as guide, so that
a surface takes the blur of the edges on it; then the map is enlarged along the photo's edges
(solve small, upsample along edges: Kriener).

References:
    S. Zhuo, T. Sim: Defocus map estimation from a single image. Pattern Recognition 44(9), 2011.
    K. He, J. Sun: Fast guided filter. arXiv:1505.00996, 2015.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.detect._working import (
    WORKING_LONG_EDGE,
    Working,
    contrast_trust,
    finish,
    logistic,
    regional_width,
    spread,
)
from focuskit.optics.edges import COC_PER_SIGMA, Edges, measure_edges
from focuskit.photo import Photo

__all__ = ["detect_reblur"]

Map = NDArray[np.float32]

# The narrowest edges that a sharp lens, demosaicing and 8-bit JPEG leave: read as no blur.
_SHARP_SIGMA_PX = 0.6
# Fitted on a seeded half of CUHK's 604 training photos, native size and 320 px.
_SHARPNESS_RANGE_PX = (0.45, 1.1)
_TYPICAL_SHARE = 0.6
_DENSITY_SHARE = 0.15
_BAR = 0.52
# Contrast against noise from which on a region has a say in what is typical of the photo.
_JUDGED = 0.5
_SOME = np.float32(0.01)


def detect_reblur(photo: Photo, *, working_long_edge: int | None = WORKING_LONG_EDGE) -> BlurMap:
    """Measure the blur of edges and spread it over the photo.

    Args:
        photo: of any size.
        working_long_edge: larger photos are shrunk to this many pixels for measuring, and their map
            enlarged along the photo's edges; None measures them as they are.

    Returns:
        Map of the photo's size. CoC below about 2 working pixels reads 0; where there are no edges
        near, the CoC is that of the nearest ones and the confidence is low.

    Raises:
        RangeError: `working_long_edge` is below 1.
    """
    working = Working.of(photo, working_long_edge)
    edges = measure_edges(working.gray, noise_sigma=working.noise_sigma)
    # Logarithm: blur is known to a ratio, not to a difference.
    width, weight = _gathered(working, edges, np.log1p(edges.sigma_px))
    at_edges, _ = _gathered(working, edges, _sharpness(edges))
    sharp = (_filled(working, at_edges, weight) + _regional_sharpness(working)) * np.float32(0.5)
    sigma = np.expm1(np.maximum(_filled(working, width, weight), 0))
    # Blurs add in squares: what every photo has is no defocus.
    excess = np.sqrt(np.maximum(sigma * sigma - np.float32(_SHARP_SIGMA_PX**2), 0))
    density = working.box(weight, 41)
    return finish(
        photo,
        working,
        probability=_probability(working, sharp, density),
        coc_diameter_px=excess * np.float32(COC_PER_SIGMA),
        confidence=density / (density + np.float32(_HALF_TRUST)),
    )


def _sharpness(edges: Edges) -> Map:
    """Sharpness of each edge in [0, 1], against what the photo at hand can show.

    A crisp photo sets a higher bar than one that is soft at 100 %, but within narrow limits: the
    sharpest edges of a missed shot are still not sharp.
    """
    typical = 0.0
    if len(edges):
        order = np.argsort(edges.width_px)
        heard = np.cumsum(edges.weight[order], dtype=np.float64)
        typical = float(edges.width_px[order][int(np.searchsorted(heard, 0.4 * heard[-1]))])
    return _falling(edges.width_px, typical)


def _regional_sharpness(working: Working) -> Map:
    """The same for regions, whose texture has no edges that stand alone."""
    width, trust = regional_width(working, working.gray), contrast_trust(working)
    judged = width[trust > _JUDGED]
    typical = float(np.quantile(judged, 0.1)) if judged.size else 0.0
    return spread(working, _falling(width, typical), trust + _SOME, share=0.03)


def _falling(width_px: Map, typical_px: float) -> Map:
    low, high = _SHARPNESS_RANGE_PX
    bar = np.float32(min(low + _TYPICAL_SHARE * typical_px, high))
    return np.asarray(np.exp(-((width_px / bar) ** 4)), np.float32)


def _probability(working: Working, sharp: Map, density: Map) -> Map:
    """Calibrate the local mean sharpness of edges; many edges speak for focus, few against."""
    evidence = sharp + np.float32(_DENSITY_SHARE) * np.log((density + np.float32(0.0015)) / _DENSE)
    probability = logistic(evidence, centre=_BAR, slope=6)
    smooth = spread(working, probability, np.ones_like(probability), share=0.04)
    return logistic(smooth, centre=0.5, slope=7)


_DENSE = np.float32(0.05)
# Weight of edges per cell, mean over a neighbourhood, at which confidence reaches one half.
_HALF_TRUST = 0.01
_TINY = np.float32(1e-6)


def _gathered(working: Working, edges: Edges, values: Map) -> tuple[Map, Map]:
    """Weighted means of a value of the edges in each cell of the grid, and the sums of weights."""
    rows, columns = working.guide.shape
    row = (edges.y * np.float32(rows / working.gray.shape[0])).astype(np.intp)
    column = (edges.x * np.float32(columns / working.gray.shape[1])).astype(np.intp)
    cell = np.minimum(row, rows - 1) * columns + np.minimum(column, columns - 1)
    weight = np.bincount(cell, edges.weight, rows * columns).astype(np.float64)
    total = np.bincount(cell, edges.weight * values, rows * columns)
    mean = total / np.maximum(weight, _TINY)
    return _as_map(mean, rows, columns), _as_map(weight, rows, columns)


def _as_map(values: NDArray[np.float64], rows: int, columns: int) -> Map:
    return values.reshape(rows, columns).astype(np.float32)


def _filled(working: Working, values: Map, weight: Map) -> Map:
    """Fill cells without edges from ever wider surroundings, nearest first."""
    filled, trust = values, weight
    for share in (0.02, 0.06, 0.2):
        wide = spread(working, filled, trust, share=share)
        known = trust / (trust + np.float32(_HALF_TRUST))
        filled = np.asarray(known * filled + (1 - known) * wide, np.float32)
        trust = np.maximum(trust, np.float32(0.005))
    return spread(working, filled, np.maximum(weight, np.float32(0.025)), share=0.03)
