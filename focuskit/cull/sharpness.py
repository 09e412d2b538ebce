"""How sharp the judged box is, and how much of the frame is."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from focuskit.cull.measures import Evidence, ScoreInfo, Scorer

__all__ = ["EDGE_COUNT", "EDGE_WIDTH", "IN_FOCUS_SHARE", "TEXTURE_SHARE"]

_IN_FOCUS = 0.5
_TEXTURED = 0.5


def _edge_width(evidence: Evidence) -> float:
    known = np.isfinite(evidence.widths)
    return float(evidence.widths[known].max()) if known.any() else math.nan


def _edge_count(evidence: Evidence) -> float:
    return float(len(evidence.edges))


def _textured(evidence: Evidence) -> NDArray[np.bool_]:
    return evidence.blur_map.confidence >= _TEXTURED


def _in_focus_share(evidence: Evidence) -> float:
    textured = _textured(evidence)
    if not textured.any():
        return math.nan
    return float((evidence.blur_map.in_focus_probability[textured] >= _IN_FOCUS).mean())


def _texture_share(evidence: Evidence) -> float:
    return float(_textured(evidence).mean())


EDGE_WIDTH = Scorer(
    ScoreInfo(
        "edge_width",
        "px",
        0.0,
        math.inf,
        False,
        "Width of the sharpest edges in the judged box at 100 %, along the direction in which they "
        "are widest; σ of the profile, 0.65 for a perfect step.",
    ),
    _edge_width,
)
EDGE_COUNT = Scorer(
    ScoreInfo("edge_count", "", 0.0, math.inf, None, "How many edge points the width rests on."),
    _edge_count,
)
IN_FOCUS_SHARE = Scorer(
    ScoreInfo("in_focus_share", "share", 0.0, 1.0, None, "In-focus share of the textured frame."),
    _in_focus_share,
)
TEXTURE_SHARE = Scorer(
    ScoreInfo(
        "texture_share", "share", 0.0, 1.0, None, "Share of the frame with texture to judge."
    ),
    _texture_share,
)
