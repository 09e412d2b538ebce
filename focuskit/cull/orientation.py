"""Edge width by direction: misfocus widens all edges alike, motion those across its path."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.edges import Edges

__all__ = ["DIRECTIONS", "Ellipse", "detail_lean", "fit_ellipse", "shared_motion"]
__all__ += ["motion_lean", "widths_by_direction"]

DIRECTIONS = 8
"""How many: 180° / 8 apart; each takes the edges within 22.5° of it, so neighbours overlap."""

# The sharpest edges lie in the plane of focus; the rest may lie before or behind it.
_SHARPEST = 0.25
_LEAST_SHARE = 0.025
_LEAST_POINTS = 20
# Narrower edges are as narrow as lenses draw them: a ratio to less would only measure noise.
_FLOOR_PX = 0.6
# Detail is compared with what is a little coarser, as what is much coarser may run another way; and
# the energy that white noise of variance 1 leaves in each along an axis.
_FINE_PX, _COARSE_PX = 1.0, 1.4
_FINE_NOISE, _COARSE_NOISE = 0.0204, 0.0072
# With less detail than this share along one direction, a fence alone makes fine and coarse differ.
_LEAST_CROSSING = 0.03
# Few edges are the sharpest and many are not: either alone goes wrong where the other does not.
_MOTION_SHARES = (0.15, 0.4)
# How many times larger widths lean than detail does.
_DETAIL_FACTOR = 6.0
# Paths of 4 px leave no narrower edges along them: what detail leans to then is the subject's own.
_LEAST_WIDTH_PX = 0.9
# Boxes moved alike: in directions no farther apart, by edges so many times wider along them.
_SAME_WAY_DEG, _MOVED = 25.0, 1.3
_LEAST_STRUCTURE, _LEAST_KEPT = 1e-7, 1e-3


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

    @property
    def lean(self) -> complex:
        """Logarithm of the ratio of the two, as a vector of twice the angle; see `detail_lean`."""
        ratio = math.log(self.long_px / self.short_px)
        return cmath.rect(ratio, 2 * math.radians(self.angle_deg))


def widths_by_direction(
    edges: Edges, share: float = _SHARPEST, *, by_contrast: bool = False
) -> NDArray[np.float64]:
    """Return the width of the sharpest edges for each direction across them.

    Args:
        edges: of one box or several.
        share: the width that this share of the edges stays below, by weight.
        by_contrast: let strong edges count more: what is close to them widens or narrows them
            less, so that crowded detail reads more nearly as wide as edges that stand alone.

    Returns:
        (DIRECTIONS,) in pixels, for directions of k·180°/DIRECTIONS counter-clockwise from +x; NaN
        where too few edges lie that way.
    """
    widths = np.full(DIRECTIONS, math.nan)
    trust = edges.weight * edges.contrast if by_contrast else edges.weight
    total = float(trust.sum())
    for index in range(DIRECTIONS):
        near = _faces(edges.angle_rad, index)
        weight = trust[near]
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


def motion_lean(gray: NDArray[np.float32], noise_sigma: float, edges: Edges) -> complex | None:
    """Return along which direction a picture moved, and how surely, from three estimates.

    They agree on the direction of motion and else on none, so their vectors are added.

    Args:
        gray: (H, W) float32 in [0, 1], encoded.
        noise_sigma: on the same scale.
        edges: of the picture, or of several that moved alike.

    Returns:
        A vector at twice the angle, as that of `detail_lean`; None where edges and detail run
        along one direction only.
    """
    ellipses = [fit_ellipse(widths_by_direction(edges, share)) for share in _MOTION_SHARES]
    known = [each for each in ellipses if each is not None]
    detail = detail_lean(gray, noise_sigma)
    if detail is None and len(known) < len(ellipses):
        return None
    if known and max(each.long_px for each in known) < _LEAST_WIDTH_PX:
        detail = None
    return sum(each.lean for each in known) + _DETAIL_FACTOR * (detail or 0)


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


def detail_lean(gray: NDArray[np.float32], noise_sigma: float) -> complex | None:
    """Return along which direction fine detail falls off fastest, and how much faster.

    Fine detail is compared with what is a little coarser, direction by direction: motion takes the
    finest first, along its path. It speaks where edges that can be measured one by one are few.

    Args:
        gray: (H, W) float32 in [0, 1], encoded.
        noise_sigma: on the same scale.

    Returns:
        The logarithm of the ratio of what is left across the path and along it, as a vector at
        twice the angle of the path, counter-clockwise from +x, so that opposite ways are one; None
        where detail runs along one direction only, and that cannot be told.
    """
    fine = _structure(gray, _FINE_PX, _FINE_NOISE * noise_sigma**2)
    coarse = _structure(gray, _COARSE_PX, _COARSE_NOISE * noise_sigma**2)
    energy, axes = np.linalg.eigh(coarse)
    if energy[0] < _LEAST_CROSSING * energy[1]:
        return None
    even = axes / np.sqrt(energy) @ axes.T
    kept, ways = np.linalg.eigh(even @ fine @ even)
    least, most = np.maximum(kept, _LEAST_KEPT).tolist()
    x, y = ways[:, 0].tolist()
    return cmath.rect(math.log(most / least), 2 * math.atan2(-y, x))


def _structure(
    gray: NDArray[np.float32], sigma_px: float, noise_energy: float
) -> NDArray[np.float64]:
    """Structure tensor of the whole picture at a scale, without the noise's share."""
    smooth = cv2.GaussianBlur(gray, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    x, y = (
        cv2.Sobel(smooth, cv2.CV_32F, dx, dy, scale=1 / 8, borderType=cv2.BORDER_REFLECT)
        for dx, dy in ((1, 0), (0, 1))
    )
    cross = float(np.mean(x * y))
    tensor = np.array([[float(np.mean(x * x)), cross], [cross, float(np.mean(y * y))]])
    lowest = float(np.linalg.eigvalsh(tensor)[0])
    return tensor - np.eye(2) * min(noise_energy, lowest - _LEAST_STRUCTURE)


def _faces(angle_rad: NDArray[np.float32], index: int) -> NDArray[np.bool_]:
    """True where an edge lies within the range of a direction."""
    half, quarter = np.float32(math.pi), np.float32(math.pi / 2)
    turn = angle_rad - np.float32(index * math.pi / DIRECTIONS)
    turn += quarter
    # Angles lie within half a turn, so once around is enough; a remainder takes ten times as long.
    turn += (turn < 0) * half
    turn -= quarter
    return np.asarray(np.abs(turn, out=turn) <= np.float32(math.pi / DIRECTIONS))


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
