"""From maps to verdicts: where to look, what to measure there, what to keep."""

from __future__ import annotations

from focuskit.cull.measures import Evidence, Measures, ScoreInfo, Scorer, gather, measure
from focuskit.cull.scorers import SCORERS

__all__ = ["SCORERS", "Evidence", "Measures", "ScoreInfo", "Scorer", "gather", "measure"]
