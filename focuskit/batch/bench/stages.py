"""Where the time of one photo goes."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focuskit.batch.bench.decoding import Timed, time_job
from focuskit.batch.judge import Judge
from focuskit.batch.library import Shot
from focuskit.batch.looking import find_subject, measure_best
from focuskit.batch.pictures import draw_box, jpeg, overlay, shrunk
from focuskit.cull.sets import fingerprint
from focuskit.cull.views import view_of
from focuskit.detect import detect_at
from focuskit.io import Frame, open_frame

__all__ = ["STAGES", "Staged", "stages_of"]

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


@dataclass(frozen=True, slots=True)
class Staged:
    """Judges a shot and tells what each part took, in s; picklable.

    Attributes:
        judge: with a folder for pictures.
    """

    judge: Judge

    def __call__(self, shot: Shot) -> dict[str, float]:
        """Return the seconds of each of STAGES, and of what belongs to none as "rest"."""
        profile = cProfile.Profile()
        profile.runcall(self.judge, shot)
        found = _cumulative(profile)
        parts = {
            name: sum(found.get(_place(function), 0.0) for function in functions)
            for name, functions in STAGES.items()
        }
        for outer, inner in _INSIDE.items():
            parts[outer] -= parts[inner]
        parts["rest"] = found[_place(Judge.__call__)] - sum(parts.values())
        return parts


def stages_of(judge: Judge, shots: Sequence[Shot], workers: int, timed: Timed) -> dict[str, float]:
    """Return the mean core time in s of each part of culling a photo, in busy workers.

    The parts are measured under a profiler, which slows all of them a little; they are scaled so
    that they add up to the time without it. What workers and coordinator take besides is called
    "overhead".

    Args:
        judge: with a folder for pictures.
        shots: the photos of `timed`.
        workers: worker processes.
        timed: what the judge costs without the profiler.

    Raises:
        BatchError: a photo failed.
    """
    found = time_job(Staged(judge), shots, workers).outcomes
    # The first photos of a worker pay for loading everything.
    warm = found[len(found) // 3 :]
    means = {name: sum(each[name] for each in warm) / len(warm) for name in warm[0]}
    photo_s = sum(timed.photo_s) / len(timed.photo_s)
    scale = photo_s / sum(means.values())
    parts = {name: value * scale for name, value in means.items()}
    return {**parts, "overhead": max(0.0, timed.core_s - photo_s)}


_Place = tuple[str, int, str]


def _cumulative(profile: cProfile.Profile) -> dict[_Place, float]:
    return {place: row[3] for place, row in pstats.Stats(profile).stats.items()}  # type: ignore[attr-defined]


def _place(function: Callable[..., Any]) -> _Place:
    code = function.__code__
    return str(Path(code.co_filename)), code.co_firstlineno, code.co_name
