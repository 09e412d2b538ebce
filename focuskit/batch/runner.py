"""One function over many shots, through dask."""

from __future__ import annotations

import math
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from focuskit.batch.clients import connected
from focuskit.batch.crew import Crew
from focuskit.batch.library import Problem, Shot
from focuskit.batch.worker import Outcome, Ready, run_batch
from focuskit.errors import BatchError

__all__ = ["TASKS_IN_FLIGHT_PER_WORKER", "batch_size", "run_shots"]

R = TypeVar("R")
Batch = tuple[Shot, ...]

# A few shots are done before worker processes have even started.
_FEW_SHOTS = 32
_LEAST_BATCH, _MOST_BATCH = 8, 32
# With fewer tasks than that the last ones keep one worker busy and the others waiting.
_TASKS_PER_RUN = 300
TASKS_IN_FLIGHT_PER_WORKER = 3
"""Tasks that a worker has before it, so that it need not wait for the next."""

# How long a scheduler or all workers may be gone.
_PATIENCE_S, _PAUSE_S = 300.0, 2.0
_COUNT_EVERY_S = 5.0
# How long there may be no worker at all before others are called.
_LOOK_EVERY_S, _NOBODY_S = 5.0, 30.0


def run_shots(
    job: Callable[[Shot], R],
    shots: Sequence[Shot],
    crew: Crew | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome[R]]:
    """Run `job` on every shot and yield each outcome as it comes.

    Up to 32 shots run on threads of this process; more on worker processes, started by spawn
    because the OpenMP in LibRaw deadlocks under fork. A shot whose job raises a FocuskitError,
    takes too long, or takes its worker down, comes back as a Problem and the others go on.

    Args:
        job: picklable; takes a shot. It runs with one OpenCV thread. Its `prepare`, if it has one,
            is called once in each worker before.
        shots: what to do; tasks carry these, never pixels.
        crew: who works; None for all cores of this machine.
        stop: asked after every task; once it is true, only what is in flight is waited for.

    Raises:
        BatchError: workers could not be started or reached, or a scheduler was gone for too long.
    """
    crew = crew or Crew()
    if not shots:
        return
    there = crew.path_map.there(job)
    processes = len(shots) > _FEW_SHOTS
    size = batch_size(len(shots)) if processes else 1
    todo = deque(tuple(shots[i : i + size]) for i in range(0, len(shots), size))
    patience = _Patience(crew)
    while todo:
        try:
            with connected(
                crew, Ready(there, crew.nice), shots=len(shots), processes=processes
            ) as client:
                patience.reset()
                stream = _Stream(client, there, crew, todo, alone=processes or bool(crew.scheduler))
                yield from stream.outcomes(stop)
        except (CancelledError, OSError, TimeoutError, BatchError) as exc:
            patience.wait(exc)
        if stop():
            return


def batch_size(shots: int) -> int:
    """Return how many shots a task carries, in a run of so many."""
    return min(max(shots // _TASKS_PER_RUN, _LEAST_BATCH), _MOST_BATCH)


class _Patience:
    """Waits for a scheduler or workers that went away, but not for ever."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._lost_at: float | None = None
        self._was_there = False

    def reset(self) -> None:
        self._was_there, self._lost_at = True, None

    def wait(self, why: BaseException) -> None:
        if not self._was_there or (self._crew.scheduler is None and isinstance(why, BatchError)):
            raise why
        self._lost_at = self._lost_at or time.monotonic()
        if time.monotonic() - self._lost_at > _PATIENCE_S:
            raise BatchError(
                f"The workers of {self._crew.scheduler or 'this machine'} have been gone for "
                f"{_PATIENCE_S:.0f} s ({why}); start them again and repeat the command: it goes on "
                "where it stopped."
            ) from why
        time.sleep(_PAUSE_S)


class _Stream:
    """Keeps a window of tasks in flight and hands out what comes of them."""

    def __init__(
        self,
        client: Any,
        job: Callable[[Shot], Any],
        crew: Crew,
        todo: deque[Batch],
        *,
        alone: bool,
    ) -> None:
        self._client = client
        self._job = job
        self._crew = crew
        self._alone = alone
        self._todo = todo
        self._pending: dict[str, tuple[Any, Batch]] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers, self._counted_at = 1, -math.inf

    def outcomes(self, stop: Callable[[], bool]) -> Iterator[Outcome[Any]]:
        from distributed import KilledWorker

        suspects: list[Shot] = []
        try:
            self._fill()
            while self._pending:
                future = self._next()
                _, batch = self._pending[future.key]
                # Not its status: what finished on a worker that died since is done again while we
                # wait.
                try:
                    results = future.result()
                except KilledWorker:
                    suspects.extend(batch)
                    results = []
                del self._pending[future.key]
                yield from self._here(batch, results)
                if not stop():
                    self._fill()
            # dask blames every task that waited on a worker when it died. Alone in the cluster,
            # each shot shows whether it was the one.
            while suspects:
                shot = suspects[-1]
                try:
                    results = self._submit((shot,)).result()
                except KilledWorker:
                    results = [Outcome(shot, _taken_down(shot, self._crew))]
                suspects.pop()
                yield from self._here((shot,), results)
        finally:
            # Whatever is not handed out yet is done again after a lost connection.
            self._todo.extendleft((shot,) for shot in suspects)
            self._todo.extendleft(batch for _, batch in self._pending.values())

    def _next(self) -> Any:
        """Return a task that ended; somebody has to be there to end it."""
        waited_s = 0.0
        while True:
            try:
                return self._done.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                waited_s = 0.0 if self._client.nthreads() else waited_s + _LOOK_EVERY_S
            if waited_s >= _NOBODY_S:
                raise ConnectionError("all workers are gone")

    def _fill(self) -> None:
        while self._todo and len(self._pending) < self._window():
            batch = self._todo.popleft()
            future = self._submit(batch)
            self._pending[future.key] = (future, batch)
            future.add_done_callback(self._done.put)

    def _window(self) -> int:
        # Asking costs as much as a small task, and clusters grow slowly.
        if time.monotonic() > self._counted_at + _COUNT_EVERY_S:
            threads = sum(self._client.nthreads().values())
            self._workers, self._counted_at = max(1, threads), time.monotonic()
        return self._workers * TASKS_IN_FLIGHT_PER_WORKER

    def _submit(self, batch: Batch) -> Any:
        there = self._crew.path_map.there(batch)
        return self._client.submit(
            run_batch,
            self._job,
            there,
            self._crew.time_limit_s,
            alone=self._alone,
            pure=False,
            resources=dict(self._crew.resources) or None,
        )

    def _here(self, batch: Batch, results: Sequence[Outcome[Any]]) -> Iterator[Outcome[Any]]:
        for shot, outcome in zip(batch, results, strict=False):
            here = self._crew.path_map.here(outcome)
            yield Outcome(shot, here.result, here.key)


def _taken_down(shot: Shot, crew: Crew) -> Problem:
    return Problem(
        shot.name,
        f"{shot.judged} took its worker process down several times (its decoder crashed, hung, or "
        f"needed more than {crew.memory_gib:g} GiB); the file is probably damaged, or else allow "
        "more with --memory.",
        again=True,
    )
