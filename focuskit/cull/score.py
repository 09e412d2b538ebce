"""One number from 0 to 100 for a shot, and what it is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from focuskit.cull.measures import Measures, ScoreInfo

__all__ = ["SCORES", "SCORE_VERSION", "Score", "score_shot", "sharpness_score"]

SCORE_VERSION = 1
"""Goes up when a shot's score changes though its measures and thresholds do not."""

# Half the points: noise of a small sensor at ISO 12,800, encoded; and a quarter of the frame lost.
_NOISY, _CLIPPED = 0.03, 0.25
# Blur cannot be mended and decides; noise and tone can, in part, and cost at most this share each.
_MOST_COST = 0.15
_OF_NOTE = 1.2
_SUBJECTS = ("given", "AF point", "eyes", "face")


def _info(name: str, meaning: str) -> ScoreInfo:
    return ScoreInfo(name, "points", 0.0, 100.0, True, meaning)


SCORES: tuple[ScoreInfo, ...] = (
    _info(
        "score",
        "The lowest of sharpness, focus placement and motion, less up to 15 % each for noise and "
        "exposure.",
    ),
    _info("sharpness_score", "Edge width where the photo is judged; 50 lies on the limit."),
    _info(
        "placement_score",
        "Whether focus lies on the subject: how much sharper than it the frame is elsewhere. Empty "
        "where no subject is known.",
    ),
    _info(
        "motion_score",
        "Edge width along the direction of motion, if there is one; 50 lies on the limit.",
    ),
    _info("noise_score", "Noise at 100 %; 50 at 3 % of white."),
    _info("exposure_score", "Clipped and black area; 50 at a quarter of the frame."),
)
"""The overall score and its parts."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a shot.

    Attributes:
        overall: 0 to 100, NaN where sharpness is unknown.
        parts: 0 to 100 by the names in SCORES but the first; NaN where a part is unknown.
    """

    overall: float
    parts: Mapping[str, float]


def sharpness_score(width_px: float, limit_px: float) -> float:
    """Return 0 to 100 for an edge width: 50 on the limit, NaN for NaN."""
    return _falling(width_px / limit_px, 4)


def score_shot(
    measures: Measures,
    *,
    width_px: float,
    limit_px: float,
    sharp_width_px: float,
    motion_probability: float,
) -> Score:
    """Return the score of a shot and its parts.

    Args:
        measures: its numbers.
        width_px: the edge width that its verdict rests on; NaN if there was nothing to judge.
        limit_px: the edge width beyond which it is out of focus.
        sharp_width_px: the edge width that a sharp photo has.
        motion_probability: from this probability on blur is called motion.
    """
    parts = {
        "sharpness_score": sharpness_score(width_px, limit_px),
        "placement_score": _placement(measures, sharp_width_px),
        "motion_score": _motion(measures, limit_px, motion_probability),
        "noise_score": _falling(measures.values.get("noise", math.nan) / _NOISY, 2),
        "exposure_score": _exposure(measures),
    }
    deciding = [parts[name] for name in ("sharpness_score", "placement_score", "motion_score")]
    overall = min(part for part in deciding if not math.isnan(part)) if _known(parts) else math.nan
    for name in ("noise_score", "exposure_score"):
        if not math.isnan(parts[name]):
            overall *= 1 - _MOST_COST * (1 - parts[name] / 100)
    return Score(overall, parts)


def _known(parts: Mapping[str, float]) -> bool:
    return not math.isnan(parts["sharpness_score"])


def _falling(ratio: float, steepness: float) -> float:
    return math.nan if math.isnan(ratio) else 100 / (1 + ratio**steepness)


def _placement(measures: Measures, sharp_px: float) -> float:
    """Compare the subject's edges with the sharpest elsewhere, where a subject is known."""
    if measures.region.kind not in _SUBJECTS:
        return math.nan
    if measures.beside is None:
        return 100.0
    ratio = measures["edge_width"] / max(measures.beside.edge_width_px, sharp_px)
    return _falling(max(0.0, ratio - _OF_NOTE), 2)


def _motion(measures: Measures, limit_px: float, called_from: float) -> float:
    """Score the width along the path, the more the surer it is that there is one."""
    along = sharpness_score(measures.values.get("motion_width", math.nan), limit_px)
    probability = measures.values.get("motion_probability", math.nan)
    if math.isnan(along) or math.isnan(probability):
        return math.nan
    return 100 - (100 - along) * min(probability / max(called_from, 0.01), 1.0)


def _exposure(measures: Measures) -> float:
    high = measures.values.get("clipped_high", math.nan)
    low = measures.values.get("clipped_low", math.nan)
    return _falling((high + low) / _CLIPPED, 2)
