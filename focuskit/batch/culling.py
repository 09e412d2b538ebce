"""Culling a library: judge every shot, group them, decide, write down what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from focuskit.batch.again import look_again
from focuskit.batch.catalog import Catalog
from focuskit.batch.crew import Crew
from focuskit.batch.engine import Progress, Step, run_step, stops_on_interrupt
from focuskit.batch.judge import Judge, Judgement
from focuskit.batch.library import Library, Problem, Shot
from focuskit.batch.looking import looking_version
from focuskit.batch.versions import measured_version
from focuskit.cull.decide import Decision, Reason, Thresholds, decide, decide_sets
from focuskit.cull.sets import find_duplicates, find_sets

__all__ = ["Culled", "Way", "cull_library", "decide_all", "decide_alone", "judge_library"]
__all__ += ["judge_step"]


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


@dataclass(frozen=True, slots=True)
class Way:
    """How a library is gone through.

    Attributes:
        catalog: what is known and gets known; None to remember nothing.
        crew: who works; None for all cores of this machine.
        retry: try again what failed before and has not changed.
        progress: told how far it is.
        judged: told of every judgement as it comes; what it returns is shown beside the progress.
    """

    catalog: Catalog | None = None
    crew: Crew | None = None
    retry: bool = False
    progress: Progress | None = None
    judged: Callable[[Judgement], str] = lambda _: ""


def judge_library(
    library: Library, judge: Judge, way: Way | None = None
) -> tuple[list[Judgement], list[Problem]]:
    """Judge every shot of a library, and compare the frames of bursts.

    Returns:
        Judgements and problems, each in the order of their shots' names.

    Raises:
        Interrupted: Ctrl-C; what was in flight has been saved.
        FocuskitError: what `run_step` raises.
    """
    way = way or Way()
    catalog = way.catalog or Catalog.in_memory()
    judgements: list[Judgement] = []
    problems = list(library.problems)
    progress, note = way.progress or _silent, ""
    with stops_on_interrupt() as stop:
        go = partial(run_step, catalog=catalog, crew=way.crew, retry=way.retry, stop=stop)
        for done, found in enumerate(go(judge_step(judge), library.shots), start=1):
            if isinstance(found.result, Problem):
                problems.append(found.result)
            else:
                judgements.append(found.result)
                note = way.judged(found.result)
            progress(done, len(library.shots), len(problems), note)
        judgements.sort(key=lambda judgement: judgement.shot.name)
        problems.sort(key=lambda problem: problem.name)

        def again(done: int, total: int) -> None:
            shots = len(library.shots)
            progress(shots + done, shots + total, len(problems), note)

        return look_again(judgements, judge, go, progress=again), problems


def judge_step(judge: Judge) -> Step[Judgement]:
    """Return judging as a step of a run."""
    return Step(
        "judge",
        judge,
        f"{measured_version(judge.detector, judge.subject)} {looking_version()}",
        Judgement,
        rebound=_rebound,
        there=judge.pictured,
    )


def _rebound(judgement: Judgement, shot: Shot) -> Judgement:
    named = replace(judgement.fingerprint, name=shot.name)
    return replace(judgement, shot=shot, fingerprint=named)


def _silent(done: float, total: int, failed: int, note: str = "", /) -> None:
    return None


def decide_all(
    judgements: Sequence[Judgement], thresholds: Thresholds | None = None
) -> list[Decision]:
    """Decide about shots alone, then within their sets."""
    alone = [_with_troubles(decide_alone(each, thresholds), each) for each in judgements]
    prints = [each.fingerprint for each in judgements]
    sets = find_sets(prints)
    shown = [each.compared or each.measures for each in judgements]
    decided = decide_sets(alone, shown, sets, thresholds)
    for copy, original in find_duplicates(prints).items():
        name = judgements[original].shot.name
        text = f"The same picture as {name}: judged with it."
        reasons = (*decided[original].reasons, Reason("duplicate", text))
        decided[copy] = replace(decided[original], reasons=reasons)
    for index, judgement in enumerate(judgements):
        # What is rejected is rejected with all its files.
        if judgement.strangers and decided[index].verdict == "reject":
            decided[index] = replace(decided[index], verdict="cant-tell")
    return decided


def decide_alone(judgement: Judgement, thresholds: Thresholds | None = None) -> Decision:
    """Decide about a shot as if it were in no set: what can be said before all are judged."""
    return decide(
        judgement.measures,
        judgement.diagonal_px,
        thresholds,
        decoded_from=judgement.decoded_from,
    )


def _with_troubles(decision: Decision, judgement: Judgement) -> Decision:
    troubles = [Reason("partner-unreadable", text) for text in judgement.unreadable]
    troubles += [Reason("partner-differs", text) for text in judgement.strangers]
    for file in judgement.shot.apart:
        text = f"{file.name} beside it has the same name, but was taken at another moment."
        troubles.append(Reason("partner-apart", text))
    if judgement.not_compared:
        troubles.append(Reason("not-compared", judgement.not_compared))
    return replace(decision, reasons=(*decision.reasons, *troubles))


def cull_library(
    library: Library,
    judge: Judge,
    *,
    thresholds: Thresholds | None = None,
    way: Way | None = None,
) -> Culled:
    """Judge and decide; nothing in the library is changed.

    Raises:
        Interrupted: Ctrl-C; what was in flight has been saved.
        FocuskitError: what `run_step` raises.
    """
    judgements, problems = judge_library(library, judge, way)
    decisions = decide_all(judgements, thresholds)
    return Culled(tuple(judgements), tuple(decisions), tuple(problems))
