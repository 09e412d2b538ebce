"""Edge width by direction: misfocus widens all edges alike, motion those across its path."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from focuskit.optics.edges import Edges

__all__ = ["DIRECTIONS", "widths_by_direction"]

DIRECTIONS = 8
"""How many: 180° / 8 apart; each takes the edges within 22.5° of it, so neighbours overlap."""

# The sharpest edges lie in the plane of focus; the rest may lie before or behind it.
_SHARPEST = 0.25
_LEAST_SHARE = 0.025
_LEAST_POINTS = 20


def widths_by_direction(edges: Edges) -> NDArray[np.float64]:
    """Return the width of the sharpest edges for each direction across them.

    Args:
        edges: of one box.

    Returns:
        (DIRECTIONS,) in pixels, for directions of k·180°/DIRECTIONS counter-clockwise from
        +x; NaN where too few edges lie that way.
    """
    widths = np.full(DIRECTIONS, math.nan)
    total = float(edges.weight.sum())
    for index in range(DIRECTIONS):
        turn = edges.angle_rad - np.float32(index * math.pi / DIRECTIONS)
        near = np.abs((turn + math.pi / 2) % math.pi - math.pi / 2) <= math.pi / DIRECTIONS
        weight = edges.weight[near]
        if len(weight) >= _LEAST_POINTS and weight.sum() >= _LEAST_SHARE * total:
            widths[index] = _weighted_quantile(edges.width_px[near], weight, _SHARPEST)
    return widths


def _weighted_quantile(
    values: NDArray[np.float32], weights: NDArray[np.float32], share: float
) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, share * reached[-1])])
