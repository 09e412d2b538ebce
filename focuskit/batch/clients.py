"""Connections to dask: a cluster of this machine's own, or somebody's scheduler."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Client, LocalCluster

import focuskit
from focuskit.batch.crew import Crew
from focuskit.batch.worker import Ready
from focuskit.errors import BatchError, FocuskitError

__all__ = ["connected"]

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
_SETTINGS: dict[str, Any] = {
    "distributed.nanny.pre-spawn-environ": _WORKER_ENVIRONMENT,
    # Nothing lies in a worker between photos that could be moved to disk, and a worker that pauses
    # until memory is free would wait for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
}
_CONNECT_S = 15
_ATTEMPTS = 4


@contextmanager
def connected(crew: Crew, ready: Ready, *, shots: int, processes: bool) -> Iterator[Client]:
    """Give a client whose workers are ready.

    Args:
        crew: who works.
        ready: what makes a worker ready.
        shots: how many there are to do; more workers are not started.
        processes: on this machine, whether workers are processes, or threads of this one.

    Raises:
        BatchError: no connection, no workers, or other versions there.
        FocuskitError: what a worker needs cannot be loaded.
    """
    _silence()
    if crew.scheduler is not None:
        with _remote(crew.scheduler) as client:
            _check_versions(client, crew.scheduler)
            _make_ready(client, ready)
            yield client
        return
    held = _hold_interrupts()
    try:
        cluster = _local(crew, min(crew.count(), shots), processes=processes)
    except BaseException:
        _release_interrupts(held)
        raise
    try:
        with cluster, Client(cluster) as client:
            try:
                _make_ready(client, ready)
                _release_interrupts(held)
                yield client
            finally:
                _hold_interrupts()
    finally:
        _release_interrupts(held)


def _silence() -> None:
    # What dask would tell about lost workers and connections is told as a sentence, once.
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _local(crew: Crew, workers: int, *, processes: bool) -> LocalCluster:
    attempt = 1
    while True:
        try:
            return _cluster(crew, workers, processes=processes)
        except (OSError, RuntimeError, TimeoutError) as exc:
            # One that dies while it starts takes the whole start along.
            if attempt == _ATTEMPTS:
                raise BatchError(
                    f"dask could not start {workers} workers ({exc}); try --workers 1."
                ) from exc
            attempt += 1


def _cluster(crew: Crew, workers: int, *, processes: bool) -> LocalCluster:
    with dask.config.set(_SETTINGS):
        return LocalCluster(
            n_workers=workers if processes else 1,
            threads_per_worker=1 if processes else workers,
            processes=processes,
            memory_limit=int(crew.memory_gib * 2**30) if processes else 0,
            # Any free port: the usual one may be another cluster's.
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )


@contextmanager
def _remote(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as exc:
        raise BatchError(
            f"There is no dask scheduler at {address} ({exc}); start one with `dask scheduler`, or "
            "check address, firewall and TLS settings."
        ) from exc
    with client:
        yield client


def _check_versions(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_CONNECT_S)
        theirs = client.run(_versions)
    except TimeoutError as exc:
        raise BatchError(
            f"The scheduler at {address} has no workers; start some with `dask worker {address}`."
        ) from exc
    except ModuleNotFoundError as exc:
        raise BatchError(
            f"The workers of {address} have no {exc.name}; install focuskit "
            f"{focuskit.__version__} there, in the environment that runs `dask worker`."
        ) from exc
    ours = _versions()
    other = [
        f"{worker} has {name} {found[name]} instead of {wanted}"
        for worker, found in theirs.items()
        for name, wanted in ours.items()
        if found[name] != wanted
    ]
    if other:
        raise BatchError(
            f"Versions differ: {'; '.join(other[:4])}{'; ...' if len(other) > 4 else ''}. Install "
            "the same ones, or results would depend on which machine looked at a photo."
        )


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import version

    import focuskit

    python = ".".join(platform.python_version_tuple()[:2])
    return {
        "focuskit": focuskit.__version__,
        "distributed": version("distributed"),
        "python": python,
    }


def _make_ready(client: Client, ready: Ready) -> None:
    try:
        client.register_plugin(ready)
    except FocuskitError:
        raise
    except Exception as exc:
        raise BatchError(f"The workers cannot be made ready: {exc}.") from exc


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
