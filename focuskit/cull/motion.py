"""Whether blur runs along one direction, as moving cameras and subjects leave it."""

from __future__ import annotations

import math

from focuskit.cull.measures import Evidence, ScoreInfo, Scorer

__all__ = ["MOTION_ANGLE", "MOTION_RATIO", "MOTION_WIDTH"]


def _motion_ratio(evidence: Evidence) -> float:
    ellipse = evidence.ellipse
    return ellipse.long_px / ellipse.short_px if ellipse else math.nan


def _motion_width(evidence: Evidence) -> float:
    ellipse = evidence.ellipse
    return ellipse.long_px if ellipse else math.nan


def _motion_angle(evidence: Evidence) -> float:
    ellipse = evidence.ellipse
    return ellipse.angle_deg if ellipse else math.nan


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
MOTION_WIDTH = Scorer(
    ScoreInfo(
        "motion_width",
        "px",
        0.0,
        math.inf,
        False,
        "Width of the sharpest edges along that direction, over all boxes that were looked at.",
    ),
    _motion_width,
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
