"""One step of a recipe over a library: only what is missing, and nothing lost on the way."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from focuskit.batch.catalog import Catalog, Row, State
from focuskit.batch.crew import Crew
from focuskit.batch.keys import ShotKey, key_of, same_files, stats_of
from focuskit.batch.library import Problem, Shot
from focuskit.batch.storing import restored, stored
from focuskit.errors import InputError

__all__ = [
    "Found",
    "Interrupted",
    "Progress",
    "Run",
    "Step",
    "left_to_do",
    "run_step",
    "stops_on_interrupt",
]

R = TypeVar("R")


class Progress(Protocol):
    """Told after every shot how far a run is."""

    def __call__(self, done: float, total: int, failed: int, note: str = "", /) -> None:
        """Show it; long work on one shot counts by its share, the note is what there is to say."""


# A killed run has to do so much again at most.
_SAVE_EVERY_S, _SAVE_EVERY_ROWS = 1.0, 256


class Interrupted(KeyboardInterrupt):
    """Ctrl-C was pressed; what was in flight has been finished and saved."""


Run = Callable[..., Iterator[Any]]
"""Runs a job on shots as `run_shots` does: takes job, shots, crew and `stop`, yields Outcomes."""


def _all_there(_: Any) -> bool:
    return True


def _as_it_is(shot: Shot) -> Shot:
    return shot


@dataclass(frozen=True)
class Step(Generic[R]):
    """What is done with every shot.

    Attributes:
        name: in the catalog.
        job: takes a shot, picklable; what it raises becomes a Problem.
        version: of the model and every parameter that the outcome depends on; a function where
            shots have parameters of their own.
        kind: type of the outcome, that `restored` can read.
        rebound: gives an outcome the shot that it belongs to: files move.
        there: whether the files that an outcome tells of are still there.
        before: asked here, not by a worker, about each shot that is to be done: gives it as the job
            wants it, or says why it shall not be done. That is not remembered.
    """

    name: str
    job: Callable[[Shot], R]
    version: str | Callable[[Shot], str]
    kind: type[R]
    rebound: Callable[[R, Shot], R]
    there: Callable[[R], bool] = _all_there
    before: Callable[[Shot], Shot | Problem] = _as_it_is

    def version_of(self, shot: Shot) -> str:
        """Return the version of a shot's outcome."""
        return self.version if isinstance(self.version, str) else self.version(shot)


@dataclass(frozen=True, slots=True)
class Found(Generic[R]):
    """What is known of one shot after a step.

    Attributes:
        shot: which.
        result: the outcome, or why there is none.
        remembered: it was in the catalog.
    """

    shot: Shot
    result: R | Problem
    remembered: bool = False


def run_step(
    step: Step[R],
    shots: Sequence[Shot],
    catalog: Catalog,
    crew: Crew | None = None,
    *,
    retry: bool = False,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
    run: Run | None = None,
) -> Iterator[Found[R]]:
    """Yield what a step finds out about every shot; what the catalog knows comes first.

    New outcomes go to the catalog about once a second. A shot is done again if one of its files or
    the step's version changed, if files that the step wrote are gone, or if it failed by something
    else than its own content.

    Args:
        step: what to do.
        shots: with what.
        catalog: what is known.
        crew: who works.
        retry: do again what failed by its own content, too.
        progress: told how far it is.
        stop: asked after every task.
        run: how the job gets to the shots; None for `run_shots`.

    Raises:
        Interrupted: `stop` was true before everything was done.
        BatchError: workers could not be started or reached.
        OutputError: the catalog cannot be written.
    """
    remembered = _remembered(step, shots, catalog, retry=retry)
    done = failed = 0
    missing: list[Shot] = []
    for shot in shots:
        found = _recall(step, shot, catalog, remembered)
        if found is None:
            ready = step.before(shot)
            if not isinstance(ready, Problem):
                missing.append(ready)
                continue
            found = Found(shot, ready)
        done, failed = done + 1, failed + isinstance(found.result, Problem)
        yield found
    if progress is not None and done:
        progress(done, len(shots), failed)
    if not missing:
        return
    with _Writer(catalog) as writer:
        for outcome in (run or _run_shots())(step.job, missing, crew, stop=stop):
            writer.add(_row(step, outcome.shot, outcome.key, outcome.result))
            done, failed = done + 1, failed + isinstance(outcome.result, Problem)
            if progress is not None:
                progress(done, len(shots), failed)
            yield Found(outcome.shot, outcome.result)
    if done < len(shots):
        raise Interrupted


def _run_shots() -> Run:
    # Workers and their libraries are only needed where there is something to do.
    from focuskit.batch.runner import run_shots

    return run_shots


def left_to_do(
    step: Step[Any], shots: Sequence[Shot], catalog: Catalog, *, retry: bool = False
) -> list[Shot]:
    """Return the shots that `run_step` would work on; writes nothing."""
    remembered = _remembered(step, shots, catalog, retry=retry)
    return [shot for shot in shots if _usable(step, shot, catalog, remembered) is None]


@contextmanager
def stops_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C was pressed; a second one interrupts at once."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    before = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: Any) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


class _Writer:
    """Saves rows in bundles: a transaction for each would cost more than the work."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._rows: list[Row] = []
        self._saved_at = time.monotonic()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._save()

    def add(self, row: Row) -> None:
        self._rows.append(row)
        late = time.monotonic() - self._saved_at > _SAVE_EVERY_S
        if late or len(self._rows) >= _SAVE_EVERY_ROWS:
            self._save()

    def _save(self) -> None:
        rows, self._rows = self._rows, []
        self._saved_at = time.monotonic()
        if rows:
            self._catalog.put(rows)


def _remembered(
    step: Step[Any], shots: Sequence[Shot], catalog: Catalog, *, retry: bool
) -> dict[str, Row]:
    """Return the row that holds for each shot, be it of that name or of a file that was moved."""
    usable: set[State] = {"done"} if retry else {"done", "failed"}
    known = [row for row in catalog.known(step.name) if row.state in usable and row.key]
    by_name = {row.shot: row for row in known}
    sizes = {(row.version, tuple(each.bytes for each in row.key)) for row in known}
    by_content = {(row.version, tuple(each.ends for each in row.key)): row for row in known}
    found: dict[str, Row] = {}
    for shot in shots if known else ():
        version, row = step.version_of(shot), by_name.get(shot.name)
        if row is not None and row.version == version and same_files(row.key, shot):
            found[shot.name] = row
        elif (version, tuple(size for size, _ in stats_of(shot))) in sizes:
            # Reading the ends of a file is worth it only if they may be known.
            ends = tuple(each.ends for each in key_of(shot))
            if moved := by_content.get((version, ends)):
                found[shot.name] = moved
    return found


def _usable(
    step: Step[R], shot: Shot, catalog: Catalog, remembered: dict[str, Row]
) -> Found[R] | None:
    """Return what the catalog knows of a shot, if it is whole and all that it tells of is there."""
    row = remembered.get(shot.name)
    text = None if row is None else catalog.outcome(row.shot, step.name)
    if row is None or text is None:
        return None
    try:
        found = _found(step, shot, row.state, text)
    except InputError:
        # Of another version, or damaged: it is found out anew.
        return None
    if not isinstance(found.result, Problem) and not step.there(found.result):
        return None
    return found


def _recall(
    step: Step[R], shot: Shot, catalog: Catalog, remembered: dict[str, Row]
) -> Found[R] | None:
    found = _usable(step, shot, catalog, remembered)
    if found is not None:
        row = remembered[shot.name]
        if row.shot != shot.name or not same_files(row.key, shot):
            # Moved or touched: next time a glance at size and time will do.
            catalog.put([_row(step, shot, key_of(shot), found.result)])
    return found


def _found(step: Step[R], shot: Shot, state: State, text: str) -> Found[R]:
    if state != "done":
        return Found(shot, Problem(shot.name, restored(text, str)), remembered=True)
    return Found(shot, step.rebound(restored(text, step.kind), shot), remembered=True)


def _row(step: Step[Any], shot: Shot, key: ShotKey, result: Any) -> Row:
    version = step.version_of(shot)
    if isinstance(result, Problem):
        state: State = "again" if result.again or not key else "failed"
        return Row(shot.name, step.name, version, state, key, stored(result.message))
    return Row(shot.name, step.name, version, "done", key, stored(result))
