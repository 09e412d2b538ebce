"""What culling is judged on: named apart, so that the command line need not import the judges."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Line"]


class Line(StrEnum):
    """What can be judged."""

    BURSTS = "bursts"
    WHOLE_BURSTS = "whole-bursts"
    REJECTS = "rejects"
    SHALLOW = "shallow"
    SWEEPS = "sweeps"
    MOTION = "motion"
    LADDER = "ladder"
    SETS = "sets"
