"""Whether blur runs along one direction, as moving cameras and subjects leave it."""

from __future__ import annotations

import cmath
import math

from focuskit.cull.measures import Evidence, ScoreInfo, Scorer
from focuskit.cull.sharpness import EDGE_WIDTH
from focuskit.optics.cepstrum import motion_length_px

__all__ = ["MOTION_ANGLE", "MOTION_LENGTH", "MOTION_PROBABILITY", "MOTION_RATIO"]
__all__ += ["MOTION_SHARED", "MOTION_WIDTH"]

# Of the lean: with it misfocus parts from motion at a ratio of 1.6.
_EXPONENT = 0.448
# Misfocus as likely as motion, by widths alone; at 1.8 times motion is four times as likely.
_EVEN_RATIO, _STEEPNESS = 1.6, 12.0
# How far widths, which are of all boxes, count beside the spectrum of the judged one.
_BESIDE = 1 / 3
# Narrower edges, as wide along a direction as across it, need no closer look.
_LEAST_WIDTH_PX, _LEAST_LEAN = 0.9, 1.2
_SURE = 30.0
# Below this ratio there is no path whose length could be measured.
_LEAST_RATIO = 1.4


def _motion_ratio(evidence: Evidence) -> float:
    lean = evidence.lean
    return math.nan if lean is None else math.exp(_EXPONENT * abs(lean))


def _motion_probability(evidence: Evidence) -> float:
    ratio = _motion_ratio(evidence)
    logit = _STEEPNESS * math.log(ratio / _EVEN_RATIO)
    if evidence.moved is not None and _may_have_moved(evidence, ratio):
        beside = 0.0 if math.isnan(logit) else _BESIDE * logit
        logit = evidence.moved(evidence.gray) + beside
    return 1 / (1 + math.exp(-min(max(logit, -_SURE), _SURE))) if math.isfinite(logit) else math.nan


def _may_have_moved(evidence: Evidence, ratio: float) -> bool:
    return ratio >= _LEAST_LEAN or EDGE_WIDTH.measure(evidence) >= _LEAST_WIDTH_PX


def _motion_width(evidence: Evidence) -> float:
    ellipse = evidence.ellipse
    return ellipse.long_px if ellipse else math.nan


def _motion_angle(evidence: Evidence) -> float:
    lean = evidence.lean
    return math.nan if lean is None else math.degrees(cmath.phase(lean) / 2) % 180


def _motion_length(evidence: Evidence) -> float:
    if not _motion_ratio(evidence) >= _LEAST_RATIO:
        return math.nan
    return motion_length_px(evidence.gray, _motion_angle(evidence))


def _motion_shared(evidence: Evidence) -> float:
    return evidence.shared


MOTION_PROBABILITY = Scorer(
    ScoreInfo(
        "motion_probability",
        "share",
        0.0,
        1.0,
        False,
        "How likely the judged box moved rather than being sharp or out of focus, from its power "
        "spectrum and motion_ratio; from that alone where edges are narrow or no network runs.",
    ),
    _motion_probability,
)
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
MOTION_LENGTH = Scorer(
    ScoreInfo(
        "motion_length",
        "px",
        3.0,
        24.0,
        False,
        "Length of the path in the judged box at 100 %, from the dip that a straight path leaves "
        "in the cepstrum; only where edges are clearly wider along one direction.",
    ),
    _motion_length,
)
