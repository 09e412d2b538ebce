"""Connections to dask: a cluster of this machine's own, or somebody's scheduler."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Client, LocalCluster

import focuskit
from focuskit.batch.crew import Crew
from focuskit.batch.worker import Ready, versions
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
_ATTEMPTS, _PAUSE_S = 6, 1.0


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
            _check_workers(client, crew.scheduler)
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
    if address.startswith("tls://") and not dask.config.get("distributed.comm.tls.client.cert"):
        raise BatchError(
            f"{address} is an encrypted connection, and dask has no certificate for it: set "
            "distributed.comm.tls in dask's configuration, see docs/cluster.md."
        )
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as exc:
        raise BatchError(
            f"There is no dask scheduler at {address} ({exc}); start one with `dask scheduler`, or "
            "check address, firewall and TLS settings."
        ) from exc
    with client:
        yield client


def _check_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_CONNECT_S)
        # Anything of ours: whether they have it at all.
        client.run(versions)
    except TimeoutError as exc:
        raise BatchError(
            f"The scheduler at {address} has no workers; start some with `dask worker {address}`."
        ) from exc
    except ModuleNotFoundError as exc:
        raise BatchError(
            f"The workers of {address} have no {exc.name}; install focuskit "
            f"{focuskit.__version__} there, in the environment that runs `dask worker`."
        ) from exc


def _make_ready(client: Client, ready: Ready) -> None:
    attempt = 1
    while True:
        try:
            client.register_plugin(ready)
            return
        except FocuskitError:
            raise
        except Exception as exc:  # dask hands on whatever loading raised over there
            # A worker that is lost at this moment is replaced, and the next is asked.
            if attempt == _ATTEMPTS or not isinstance(exc, OSError | TimeoutError):
                raise BatchError(f"The workers cannot be made ready: {exc}.") from exc
            attempt += 1
            time.sleep(_PAUSE_S)


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
