"""Whether blur runs along one direction, as moving cameras and subjects leave it."""

from __future__ import annotations

import math

from focuskit.color import encoded_gray
from focuskit.cull.measures import Evidence, ScoreInfo, Scorer
from focuskit.cull.orientation import detail_ratio, fit_ellipse, widths_by_direction

__all__ = ["MOTION_ANGLE", "MOTION_RATIO", "MOTION_SHARED", "MOTION_WIDTH"]

# Few edges are the sharpest and many are not: either alone goes wrong where the other does not.
_SHARES = (0.15, 0.4)
# Of the product of the three: with it misfocus parts from motion at the line that widths alone had.
_EXPONENT = 0.414


def _motion_ratio(evidence: Evidence) -> float:
    ratios = [detail_ratio(encoded_gray(evidence.crop), evidence.noise_sigma)]
    for share in _SHARES:
        ellipse = fit_ellipse(widths_by_direction(evidence.all_edges, share))
        if ellipse is None:
            return math.nan
        ratios.append(ellipse.long_px / ellipse.short_px)
    return float(math.prod(ratios) ** _EXPONENT)


def _motion_width(evidence: Evidence) -> float:
    ellipse = evidence.ellipse
    return ellipse.long_px if ellipse else math.nan


def _motion_angle(evidence: Evidence) -> float:
    ellipse = evidence.ellipse
    return ellipse.angle_deg if ellipse else math.nan


def _motion_shared(evidence: Evidence) -> float:
    return evidence.shared


MOTION_RATIO = Scorer(
    ScoreInfo(
        "motion_ratio",
        "ratio",
        1.0,
        math.inf,
        False,
        "How many times wider edges are along one direction than at right angles to it, from "
        "three estimates.",
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
MOTION_SHARED = Scorer(
    ScoreInfo(
        "motion_shared",
        "share",
        0.0,
        1.0,
        None,
        "Share of the other boxes that moved the same way: 1 for a shaken camera, 0 where only the "
        "subject moved.",
    ),
    _motion_shared,
)
