"""What runs where the photos are decoded: in a thread, a worker process, or another machine."""

from __future__ import annotations

import faulthandler
import os
import platform
import threading
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import cv2
from distributed import Worker, WorkerPlugin

import focuskit
from focuskit.batch.fetching import on_copy
from focuskit.batch.keys import key_of, same_files
from focuskit.batch.library import Problem, Shot
from focuskit.batch.outcome import Outcome
from focuskit.errors import BatchError, FocuskitError, InputError, PhotoTooLargeError

__all__ = ["Outcome", "Ready", "run_batch"]

R = TypeVar("R")

_NOWHERE = os.devnull
# What holds the interpreter itself cannot be given up on, only ended: later, and from outside it.
_LAST_RESORT = 1.5


def versions() -> dict[str, str]:
    """Return what has to be the same on all machines of a run."""
    return {
        "focuskit": focuskit.__version__,
        "distributed": version("distributed"),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


class Ready(WorkerPlugin):
    """Makes a worker ready for a job once, before its first shot, whenever it joins.

    Attributes:
        job: its `prepare`, if it has one, loads what all shots need.
        nice: added to the worker's niceness.
        versions: of the coordinator.
        device: where networks run there, as here; None for what the worker itself says.
    """

    name = "focuskit-ready"

    def __init__(self, job: Callable[[Shot], Any], nice: int) -> None:
        self.job = job
        self.nice = nice
        self.versions = versions()
        self.device = os.environ.get("FOCUSKIT_DEVICE")

    def setup(self, worker: Worker) -> None:
        """Called by dask when a worker starts, or starts again.

        Raises:
            BatchError: the worker is not fit for the run.
            FocuskitError: what the job needs cannot be loaded.
        """
        self._check(worker)
        cv2.setNumThreads(1)
        if self.device:
            os.environ["FOCUSKIT_DEVICE"] = self.device
        if self.nice and hasattr(os, "nice"):
            os.nice(self.nice)
        prepare = getattr(self.job, "prepare", None)
        if prepare is not None:
            prepare()

    def _check(self, worker: Worker) -> None:
        found = versions()
        other = [
            f"{name} {found[name]} instead of {wanted}"
            for name, wanted in self.versions.items()
            if found[name] != wanted
        ]
        if other:
            raise BatchError(
                f"Versions differ: {worker.address} has {', '.join(other)}. Install the same ones, "
                "or results would depend on which machine looked at a photo."
            )
        if worker.nanny is not None and worker.state.nthreads > 1:
            raise BatchError(
                f"The worker {worker.address} has {worker.state.nthreads} threads; start it with "
                "--nthreads 1 and as many --nworkers instead: a photo that hangs is ended with "
                "its process."
            )


def run_batch(
    job: Callable[[Shot], R], shots: Sequence[Shot], time_limit_s: float, *, alone: bool
) -> list[Outcome[R]]:
    """Run a job on some shots, one after the other, whatever happens to each.

    Args:
        job: takes a shot.
        shots: the shots.
        time_limit_s: how long one may take.
        alone: this process has nothing else to do and may be ended if nothing else helps.
    """
    cv2.setNumThreads(1)
    return [_run_one(job, shot, time_limit_s, alone) for shot in shots]


def _run_one(job: Callable[[Shot], R], shot: Shot, time_limit_s: float, alone: bool) -> Outcome[R]:
    key = key_of(shot)
    if alone:
        _end_process_after(time_limit_s * _LAST_RESORT)
    try:
        result = _within(time_limit_s, lambda: _guarded(job, shot), shot)
    finally:
        if alone:
            faulthandler.cancel_dump_traceback_later()
    if key and not same_files(key, shot):
        result = Problem(
            shot.name,
            f"{shot.judged} changed while it was being read; repeat the command once it is "
            "complete.",
            again=True,
        )
    return Outcome(shot, result, key)


def _within(limit_s: float, work: Callable[[], R | Problem], shot: Shot) -> R | Problem:
    found: list[R | Problem] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(limit_s)
    if found:
        return found[0]
    return Problem(
        shot.name,
        f"{shot.judged} took longer than {limit_s:g} s and was given up; the file is probably "
        "damaged, or else allow more with --time-limit.",
        again=True,
    )


def _end_process_after(seconds: float) -> None:
    # The trace is written to the descriptor, which has to stay open until then.
    faulthandler.dump_traceback_later(seconds, exit=True, file=_nowhere())


_OPEN: list[int] = []


def _nowhere() -> int:
    if not _OPEN:
        _OPEN.append(os.open(_NOWHERE, os.O_WRONLY))
    return _OPEN[0]


def _guarded(job: Callable[[Shot], R], shot: Shot) -> R | Problem:
    try:
        return on_copy(job, shot)
    except FocuskitError as exc:
        # A larger limit may let it through next time.
        again = not isinstance(exc, InputError) or isinstance(exc, PhotoTooLargeError)
        return Problem(shot.name, str(exc), again=again)
    except Exception as exc:  # noqa: BLE001 - one photo's bug must not cost the others' results
        last = traceback.extract_tb(exc.__traceback__)[-1]
        return Problem(
            shot.name,
            f"focuskit itself failed on {shot.judged} ({type(exc).__name__}: {exc}, at "
            f"{Path(last.filename).name}:{last.lineno}); this is a bug, please report it.",
            again=True,
        )
