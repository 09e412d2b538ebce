"""One function over many shots on all cores, through dask."""

from __future__ import annotations

import logging
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

import cv2

from focuskit.batch.library import Problem, Shot
from focuskit.errors import BatchError, FocuskitError

__all__ = ["cores", "run_shots"]

R = TypeVar("R")

# A few shots are done before worker processes have even started.
_FEW_SHOTS = 32
_SHOTS_PER_TASK = 8
_TASKS_IN_FLIGHT_PER_WORKER = 3

# One arena that keeps what it got: glibc would hand the 72 MB of each 24 MP photo back to the
# system and fault them in again, page by page, for the next one: half the time that decoding takes.
_WORKER_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1000000000",
    "MALLOC_TRIM_THRESHOLD_": "1000000000",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_shots(
    job: Callable[[Shot], R], shots: Sequence[Shot], *, workers: int | None = None
) -> Iterator[tuple[Shot, R | Problem]]:
    """Run `job` on every shot and yield each outcome as it comes.

    Up to 32 shots run on threads of this process; more on worker processes, started by spawn
    because the OpenMP in LibRaw deadlocks under fork. A shot whose job raises a FocuskitError, or
    takes its worker down, comes back as a Problem and the others go on.

    Args:
        job: picklable; takes a shot. It runs with one OpenCV thread.
        shots: what to do; tasks carry these, never pixels.
        workers: how many shots at once; None for as many as there are cores.

    Raises:
        BatchError: the workers could not be started.
    """
    if not shots:
        return
    count = min(workers or cores(), len(shots))
    batch = _SHOTS_PER_TASK if len(shots) > _FEW_SHOTS else 1
    batches = iter([shots[i : i + batch] for i in range(0, len(shots), batch)])
    with _client(count, processes=len(shots) > _FEW_SHOTS) as client:
        yield from _as_they_come(client, job, batches, count * _TASKS_IN_FLIGHT_PER_WORKER)


@contextmanager
def _client(workers: int, *, processes: bool) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    held = _hold_interrupts()
    try:
        with dask.config.set({"distributed.nanny.pre-spawn-environ": _WORKER_ENVIRONMENT}):
            cluster = LocalCluster(
                n_workers=workers if processes else 1,
                threads_per_worker=1 if processes else workers,
                processes=processes,
                # Any free port: the usual one may be another cluster's.
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
    except (OSError, RuntimeError, TimeoutError) as exc:
        _release_interrupts(held)
        raise BatchError(
            f"dask could not start {workers} workers ({exc}); try --workers 1."
        ) from exc
    try:
        with cluster, Client(cluster) as client:
            try:
                _release_interrupts(held)
                yield client
            finally:
                _hold_interrupts()
    finally:
        _release_interrupts(held)


def _hold_interrupts() -> set[int] | None:
    """Let Ctrl-C wait, here and in all that is started meanwhile; return what was held before.

    A cluster cannot be closed while it starts, nor be left half closed. Workers keep the mask for
    good: a terminal sends Ctrl-C to them too, but it is the coordinator who ends them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return None
    # It lets Ctrl-C through again when it starts, so it has to run already.
    resource_tracker.ensure_running()
    return {int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})}


def _release_interrupts(held: set[int] | None) -> None:
    if held is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _as_they_come(
    client: Any, job: Callable[[Shot], R], batches: Iterator[Sequence[Shot]], window: int
) -> Iterator[tuple[Shot, R | Problem]]:
    from distributed import KilledWorker, as_completed

    def submit(batch: Sequence[Shot]) -> Any:
        future = client.submit(_run_batch, job, tuple(batch), pure=False)
        pending[future.key] = batch
        return future

    pending: dict[str, Sequence[Shot]] = {}
    suspects: list[Shot] = []
    done = as_completed([submit(batch) for batch in islice(batches, window)])
    for future in done:
        batch = pending.pop(future.key)
        # Not its status: what finished on a worker that died since is done again while we wait.
        try:
            yield from zip(batch, future.result(), strict=True)
        except KilledWorker:
            suspects.extend(batch)
        for batch in islice(batches, 1):
            done.add(submit(batch))
    # dask blames every task that waited on a worker when it died. Alone in the cluster, each shot
    # shows whether it was the one.
    for shot in suspects:
        try:
            yield shot, submit([shot]).result()[0]
        except KilledWorker:
            yield shot, _taken_down(shot)


def _taken_down(shot: Shot) -> Problem:
    return Problem(
        shot.name,
        f"{shot.judged} took its worker process down several times (its decoder crashed or ran out "
        "of memory); the file is probably damaged.",
    )


def _run_batch(job: Callable[[Shot], R], shots: Sequence[Shot]) -> list[R | Problem]:
    cv2.setNumThreads(1)
    return [_run_one(job, shot) for shot in shots]


def _run_one(job: Callable[[Shot], R], shot: Shot) -> R | Problem:
    try:
        return job(shot)
    except FocuskitError as exc:
        return Problem(shot.name, str(exc))
    except Exception as exc:  # noqa: BLE001 - one photo's bug must not cost the others' results
        last = traceback.extract_tb(exc.__traceback__)[-1]
        return Problem(
            shot.name,
            f"focuskit itself failed on {shot.judged} ({type(exc).__name__}: {exc}, at "
            f"{Path(last.filename).name}:{last.lineno}); this is a bug, please report it.",
        )
