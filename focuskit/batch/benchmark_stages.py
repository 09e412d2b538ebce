"""Where the time of one photo goes."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2

from focuskit.batch.judge import Judge
from focuskit.batch.library import Shot
from focuskit.batch.looking import find_subject, measure_best
from focuskit.batch.pictures import draw_box, jpeg, overlay, shrunk
from focuskit.cull.sets import fingerprint
from focuskit.cull.views import view_of
from focuskit.detect import detect_at
from focuskit.io import Frame, open_frame

__all__ = ["STAGES", "stages_of"]

_WARM = 2

STAGES: dict[str, tuple[Callable[..., Any], ...]] = {
    "decode": (open_frame,),
    "shrink": (Frame.photo, shrunk),
    "detect": (detect_at,),
    "faces": (find_subject,),
    "measure": (measure_best,),
    "pictures": (overlay, draw_box, jpeg),
    "grouping": (fingerprint, view_of),
}
"""What culling a photo consists of, and the functions whose time each part is."""

# What stands inside another stage is not counted twice.
_INSIDE = {"measure": "faces"}


def stages_of(judge: Judge, shots: Sequence[Shot]) -> dict[str, float]:
    """Return the mean time in s of each part of judging a photo, on one core, without workers.

    The parts are measured under a profiler, which slows all of them a little; they are scaled so
    that they add up to the time without it. What belongs to no part is called "rest".

    Args:
        judge: with a folder for pictures.
        shots: photos, three at least; the first two only warm up.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for shot in shots[:_WARM]:
            judge(shot)
        profile, alone_s = cProfile.Profile(), 0.0
        for shot in shots[_WARM:]:
            profile.runcall(judge, shot)
            started = time.perf_counter()
            judge(shot)
            alone_s += time.perf_counter() - started
    finally:
        cv2.setNumThreads(threads)
    count = len(shots) - _WARM
    found = _cumulative(profile)
    whole_s = found[_place(Judge.__call__)]
    parts = {
        name: sum(found.get(_place(function), 0.0) for function in functions)
        for name, functions in STAGES.items()
    }
    for outer, inner in _INSIDE.items():
        parts[outer] -= parts[inner]
    parts["rest"] = whole_s - sum(parts.values())
    return {name: value / whole_s * alone_s / count for name, value in parts.items()}


_Place = tuple[str, int, str]


def _cumulative(profile: cProfile.Profile) -> dict[_Place, float]:
    return {place: row[3] for place, row in pstats.Stats(profile).stats.items()}  # type: ignore[attr-defined]


def _place(function: Callable[..., Any]) -> _Place:
    code = function.__code__
    return str(Path(code.co_filename)), code.co_firstlineno, code.co_name
