"""Culling a library: judge every shot, group them, decide, write down what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from focuskit.batch.again import look_again
from focuskit.batch.catalog import Catalog
from focuskit.batch.crew import Crew
from focuskit.batch.engine import Progress, Step, run_step, stops_on_interrupt
from focuskit.batch.judge import Judge, Judgement
from focuskit.batch.library import Library, Problem, Shot
from focuskit.batch.looking import looking_version
from focuskit.batch.storing import restored
from focuskit.batch.versions import measured_version
from focuskit.cull.decide import Decision, Reason, Thresholds, decide, decide_sets
from focuskit.cull.sets import Fingerprint, find_duplicates, find_sets, parts_of

__all__ = ["Culled", "Way", "cull_library", "decide_all", "decide_alone", "judge_library"]
__all__ += ["judge_step"]

# Seven kilobytes each; beyond that they are read back.
_HELD = 10_000

JUDGE = "judge"
"""Name of the step whose rows hold what was measured."""


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
    judgements: list[Judgement] = []
    problems: list[Problem] = []
    for part in _judged_parts(library, judge, way or Way()):
        judgements += part.judgements
        problems += part.problems
    return sorted(judgements, key=_by_shot), problems


@dataclass(frozen=True, slots=True)
class _Part:
    """Shots of which no set has frames elsewhere; problems come with the first part."""

    judgements: list[Judgement]
    problems: list[Problem]


def _judged_parts(library: Library, judge: Judge, way: Way) -> Iterator[_Part]:
    """Judge a library, then yield it in parts that fit into memory, bursts compared."""
    catalog = way.catalog or Catalog.in_memory()
    progress = way.progress or _silent
    step, total = judge_step(judge), len(library.shots)
    with stops_on_interrupt() as stop:
        go = partial(run_step, catalog=catalog, crew=way.crew, retry=way.retry, stop=stop)
        judged = _Judged(step, catalog)
        problems, note = list(library.problems), ""
        for done, found in enumerate(go(step, library.shots), start=1):
            if isinstance(found.result, Problem):
                problems.append(found.result)
            else:
                judged.add(found.shot, found.result)
                note = way.judged(found.result)
            progress(done, total, len(problems), note)

        def again(done: int, more: int) -> None:
            progress(total + done, total + more, len(problems), note)

        problems.sort(key=lambda problem: problem.name)
        # Failed shots are told even where nothing could be judged.
        for members in parts_of(judged.lights) or [[]]:
            judgements = sorted((judged.of(index) for index in members), key=_by_shot)
            yield _Part(look_again(judgements, judge, go, progress=again), problems)
            problems = []


class _Judged:
    """Judgements that lie in the catalog; here are a few, and what tells which belong together."""

    def __init__(self, step: Step[Judgement], catalog: Catalog) -> None:
        self._step = step
        self._catalog = catalog
        self._shots: list[Shot] = []
        self._held: dict[int, Judgement] = {}
        self.lights: list[Fingerprint] = []

    def add(self, shot: Shot, judgement: Judgement) -> None:
        if len(self._held) < _HELD:
            self._held[len(self._shots)] = judgement
        self._shots.append(shot)
        self.lights.append(replace(judgement.fingerprint, view=None, detail=None))

    def of(self, index: int) -> Judgement:
        if index in self._held:
            return self._held.pop(index)
        shot = self._shots[index]
        text = self._catalog.outcome(shot.name, self._step.name)
        if text is None:
            raise KeyError(shot.name)
        return self._step.rebound(restored(text, Judgement), shot)


def _by_shot(judgement: Judgement) -> str:
    return judgement.shot.name


def judge_step(judge: Judge) -> Step[Judgement]:
    """Return judging as a step of a run."""
    return Step(
        JUDGE,
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
    parts = list(cull_parts(library, judge, thresholds=thresholds, way=way))
    pairs = [pair for part in parts for pair in zip(part.judgements, part.decisions, strict=True)]
    pairs.sort(key=lambda pair: pair[0].shot.name)
    return Culled(
        tuple(judgement for judgement, _ in pairs),
        tuple(decision for _, decision in pairs),
        tuple(problem for part in parts for problem in part.problems),
    )


def cull_parts(
    library: Library,
    judge: Judge,
    *,
    thresholds: Thresholds | None = None,
    way: Way | None = None,
) -> Iterator[Culled]:
    """The same in parts of some thousand shots, for libraries of any size.

    No set lies in two parts; each part is in the order of its shots' names. Problems come with the
    first part.

    Raises:
        Interrupted: Ctrl-C; what was in flight has been saved.
        FocuskitError: what `run_step` raises.
    """
    before: Counter[str] = Counter()
    for part in _judged_parts(library, judge, way or Way()):
        decisions = [_counted(each, before) for each in decide_all(part.judgements, thresholds)]
        for each in decisions:
            if each.place is not None:
                kind, number = each.place.kind, each.place.number
                before[kind] = max(before[kind], number)
        yield Culled(tuple(part.judgements), tuple(decisions), tuple(part.problems))


def _counted(decision: Decision, before: Mapping[str, int]) -> Decision:
    """Return a decision whose set's number goes on from the parts before."""
    place = decision.place
    if place is None or not before.get(place.kind):
        return decision
    return replace(decision, place=replace(place, number=place.number + before[place.kind]))
