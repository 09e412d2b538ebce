"""Culling a library: judge every shot, group them, decide, write down what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from focuskit.batch.judge import Judge, Judgement
from focuskit.batch.library import Library, Problem
from focuskit.batch.runner import run_shots
from focuskit.cull.decide import Decision, Reason, Thresholds, decide, decide_sets
from focuskit.cull.sets import find_duplicates, find_sets

__all__ = ["Culled", "Progress", "cull_library", "decide_all", "judge_library"]

Progress = Callable[[float, int, int], None]
"""Called with (done, total, failed) after every shot; long work on one counts by its share."""


@dataclass(frozen=True, slots=True)
class Culled:
    """What culling a library gave.

    Attributes:
        judgements: one per shot that could be read, in the order of their names.
        decisions: one per judgement.
        problems: shots and folders that could not be used, in the order of their names.
    """

    judgements: tuple[Judgement, ...]
    decisions: tuple[Decision, ...]
    problems: tuple[Problem, ...] = field(default=())


def judge_library(
    library: Library, judge: Judge, *, workers: int | None = None, progress: Progress | None = None
) -> tuple[list[Judgement], list[Problem]]:
    """Judge every shot of a library on all cores.

    Returns:
        Judgements and problems, each in the order of their shots' names.
    """
    judgements: list[Judgement] = []
    problems = list(library.problems)
    for done, (_, outcome) in enumerate(run_shots(judge, library.shots, workers=workers), start=1):
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            judgements.append(outcome)
        if progress is not None:
            progress(done, len(library.shots), len(problems))
    judgements.sort(key=lambda judgement: judgement.shot.name)
    problems.sort(key=lambda problem: problem.name)
    return judgements, problems


def decide_all(
    judgements: Sequence[Judgement], thresholds: Thresholds | None = None
) -> list[Decision]:
    """Decide about shots alone, then within their sets."""
    alone = [_with_troubles(_decide(each, thresholds), each) for each in judgements]
    prints = [each.fingerprint for each in judgements]
    sets = find_sets(prints)
    decided = decide_sets(alone, [each.measures for each in judgements], sets, thresholds)
    for copy, original in find_duplicates(prints).items():
        name = judgements[original].shot.name
        text = f"The same picture as {name}: judged with it."
        reasons = (*decided[original].reasons, Reason("duplicate", text))
        decided[copy] = replace(decided[original], reasons=reasons)
    return decided


def _decide(judgement: Judgement, thresholds: Thresholds | None) -> Decision:
    return decide(
        judgement.measures,
        judgement.diagonal_px,
        thresholds,
        decoded_from=judgement.decoded_from,
    )


def _with_troubles(decision: Decision, judgement: Judgement) -> Decision:
    troubles = tuple(Reason("partner-unreadable", text) for text in judgement.unreadable)
    return replace(decision, reasons=(*decision.reasons, *troubles))


def cull_library(
    library: Library,
    judge: Judge,
    *,
    thresholds: Thresholds | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Culled:
    """Judge and decide; nothing in the library is changed."""
    judgements, problems = judge_library(library, judge, workers=workers, progress=progress)
    decisions = decide_all(judgements, thresholds)
    return Culled(tuple(judgements), tuple(decisions), tuple(problems))
