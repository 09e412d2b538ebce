"""Whether blur runs along one direction, as moving cameras and subjects leave it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from focuskit.cull.measures import Evidence, ScoreInfo, Scorer
from focuskit.cull.orientation import DIRECTIONS

__all__ = ["MOTION_ANGLE", "MOTION_RATIO"]

# Narrower edges are as narrow as lenses draw them: a ratio to less would only measure noise.
_FLOOR_PX = 0.6


def _ratios(evidence: Evidence) -> NDArray[np.float64]:
    widths = np.maximum(evidence.widths, _FLOOR_PX)
    return widths / np.roll(widths, -DIRECTIONS // 2)


def _motion_ratio(evidence: Evidence) -> float:
    ratios = _ratios(evidence)
    return float(np.nanmax(ratios)) if np.isfinite(ratios).any() else math.nan


def _motion_angle(evidence: Evidence) -> float:
    ratios = _ratios(evidence)
    if not np.isfinite(ratios).any():
        return math.nan
    return float(np.nanargmax(ratios)) * 180 / DIRECTIONS


MOTION_RATIO = Scorer(
    ScoreInfo(
        "motion_ratio",
        "ratio",
        1.0,
        math.inf,
        False,
        "How many times wider edges are along one direction than at right angles to it.",
    ),
    _motion_ratio,
)
MOTION_ANGLE = Scorer(
    ScoreInfo(
        "motion_angle",
        "degrees",
        0.0,
        180.0,
        None,
        "That direction, counter-clockwise from the picture's +x.",
    ),
    _motion_angle,
)
