"""Edge width by direction: misfocus widens all edges alike, motion those across its path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.edges import Edges

__all__ = ["DIRECTIONS", "Ellipse", "detail_ratio", "fit_ellipse", "shared_motion"]
__all__ += ["widths_by_direction"]

DIRECTIONS = 8
"""How many: 180° / 8 apart; each takes the edges within 22.5° of it, so neighbours overlap."""

# The sharpest edges lie in the plane of focus; the rest may lie before or behind it.
_SHARPEST = 0.25
_LEAST_SHARE = 0.025
_LEAST_POINTS = 20
# Narrower edges are as narrow as lenses draw them: a ratio to less would only measure noise.
_FLOOR_PX = 0.6
# What fine detail is compared with what; and the energy of white noise of variance 1 in the former.
_FINE_PX, _COARSE_PX = 1.0, 4.0
_FINE_NOISE = 0.0409 / 2
# Boxes moved alike: in directions no farther apart, by edges so many times wider along them.
_SAME_WAY_DEG, _MOVED = 25.0, 1.3
_LEAST_STRUCTURE, _LEAST_KEPT = 1e-9, 1e-3


@dataclass(frozen=True, slots=True)
class Ellipse:
    """How wide edges are along the direction where they are widest, and at right angles to it.

    Attributes:
        long_px: width of edges that face along `angle_deg`, the direction of any motion.
        short_px: width of edges at right angles to those.
        angle_deg: in [0, 180), counter-clockwise from the picture's +x.
    """

    long_px: float
    short_px: float
    angle_deg: float


def widths_by_direction(edges: Edges, share: float = _SHARPEST) -> NDArray[np.float64]:
    """Return the width of the sharpest edges for each direction across them.

    Args:
        edges: of one box or several.
        share: the width that this share of the edges stays below, by weight.

    Returns:
        (DIRECTIONS,) in pixels, for directions of k·180°/DIRECTIONS counter-clockwise from +x; NaN
        where too few edges lie that way.
    """
    widths = np.full(DIRECTIONS, math.nan)
    total = float(edges.weight.sum())
    for index in range(DIRECTIONS):
        turn = edges.angle_rad - np.float32(index * math.pi / DIRECTIONS)
        near = np.abs((turn + math.pi / 2) % math.pi - math.pi / 2) <= math.pi / DIRECTIONS
        weight = edges.weight[near]
        if len(weight) >= _LEAST_POINTS and weight.sum() >= _LEAST_SHARE * total:
            widths[index] = _weighted_quantile(edges.width_px[near], weight, share)
    return widths


def fit_ellipse(widths: NDArray[np.float64]) -> Ellipse | None:
    """Fit how the width depends on direction, or None if too few directions are known.

    Motion along φ by a length l adds the variance of its projection: an edge facing θ is widened to
    σ² + l²/12 · cos²(θ − φ), which is linear in 1, cos 2θ and sin 2θ. Streets and houses have
    hardly any edges but upright and level ones; the fit sees motion between those directions too.

    Args:
        widths: as `widths_by_direction` gives them.
    """
    known = np.isfinite(widths)
    theta = np.arange(DIRECTIONS)[known] * math.pi / DIRECTIONS
    if not _spans_the_circle(known):
        return None
    terms = np.column_stack([np.ones_like(theta), np.cos(2 * theta), np.sin(2 * theta)])
    mean, cosine, sine = np.linalg.lstsq(terms, widths[known] ** 2, rcond=None)[0]
    swing = math.hypot(cosine, sine)
    floor = _FLOOR_PX**2
    long_px = math.sqrt(max(mean + swing, floor))
    short_px = math.sqrt(max(mean - swing, floor))
    return Ellipse(long_px, short_px, math.degrees(math.atan2(sine, cosine) / 2) % 180)


def shared_motion(boxes: Sequence[Ellipse | None]) -> list[float]:
    """Return for each box which share of the others moved the same way; NaN if none can tell."""
    shares = []
    for number, own in enumerate(boxes):
        others = [each for index, each in enumerate(boxes) if each and index != number]
        alike = [own is not None and _moved_alike(own, other) for other in others]
        shares.append(sum(alike) / len(alike) if alike and own else math.nan)
    return shares


def _moved_alike(one: Ellipse, other: Ellipse) -> bool:
    apart = abs((one.angle_deg - other.angle_deg + 90) % 180 - 90)
    return apart <= _SAME_WAY_DEG and other.long_px >= _MOVED * other.short_px


def detail_ratio(gray: NDArray[np.float32], noise_sigma: float) -> float:
    """Return how many times more fine detail there is along one direction than across it.

    Fine detail is compared with what is coarse, direction by direction, so that a fence is
    less easily taken for motion. It speaks where edges that can be measured one by one are few.

    Args:
        gray: (H, W) float32 in [0, 1], encoded.
        noise_sigma: on the same scale.

    Returns:
        1 where all directions are alike, or nothing is there.
    """
    fine = _structure(gray, _FINE_PX)
    fine -= np.eye(2) * _FINE_NOISE * noise_sigma**2
    coarse = _structure(gray, _COARSE_PX) + np.eye(2) * _LEAST_STRUCTURE
    kept = np.maximum(np.linalg.eigvals(np.linalg.solve(coarse, fine)).real, _LEAST_KEPT)
    return float(kept.max() / kept.min())


def _structure(gray: NDArray[np.float32], sigma_px: float) -> NDArray[np.float64]:
    smooth = cv2.GaussianBlur(gray, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    x, y = (
        cv2.Sobel(smooth, cv2.CV_32F, dx, dy, scale=1 / 8, borderType=cv2.BORDER_REFLECT)
        for dx, dy in ((1, 0), (0, 1))
    )
    cross = float(np.mean(x * y))
    return np.array([[float(np.mean(x * x)), cross], [cross, float(np.mean(y * y))]])


def _spans_the_circle(known: NDArray[np.bool_]) -> bool:
    # Three numbers are fitted, and from one side of the circle the other cannot be told.
    opposite = known & np.roll(known, DIRECTIONS // 2)
    return bool(known.sum() >= 4 and opposite.any())


def _weighted_quantile(
    values: NDArray[np.float32], weights: NDArray[np.float32], share: float
) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, share * reached[-1])])
