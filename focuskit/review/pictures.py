"""Pictures of a library: those that culling cached, and larger ones made on demand."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from focuskit.errors import FocuskitError, InputError, OutputError
from focuskit.review.rendering import Wanted, prepare_worker, render

__all__ = ["BusyError", "Pictures", "Store", "is_stem", "workers"]

_STEM = re.compile(r"[0-9a-f]{16}")
_OWN = re.compile(r"[0-9a-f]{16}-(?:thumb|photo|overlay|crop|full)\.jpg")
_MOST_BYTES = 2 << 30
_MOST_WAITING = 64
# What is only made ahead waits for nobody and keeps nobody waiting.
_MOST_AHEAD = 4
_TIME_LIMIT_S = 60.0
_TASKS_PER_WORKER = 400


class BusyError(FocuskitError):
    """Too many pictures are waited for already."""


def is_stem(text: str) -> bool:
    """Tell whether a text is what culling calls the pictures of a shot."""
    return _STEM.fullmatch(text) is not None


def workers() -> Executor:
    """Return two processes that make pictures: a crashing decoder takes none but itself along."""
    return ProcessPoolExecutor(
        max_workers=min(2, os.cpu_count() or 1),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=prepare_worker,
        max_tasks_per_child=_TASKS_PER_WORKER,
    )


class Store:
    """A folder of pictures that does not outgrow its bound: what was used last stays.

    Attributes:
        folder: where they lie.
    """

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        """Take over what lies in a folder; it is made with the first picture."""
        self.folder = folder
        self._most = most_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._total = 0
        found = []
        with suppress(OSError):
            for entry in os.scandir(folder):
                if _OWN.fullmatch(entry.name):
                    told = entry.stat()
                    found.append((told.st_atime_ns, entry.name, told.st_size))
        for _, name, size in sorted(found):
            self._sizes[name] = size
            self._total += size

    def find(self, name: str) -> Path | None:
        """Return where a picture lies, if it is there."""
        if name not in self._sizes:
            return None
        self._sizes.move_to_end(name)
        path = self.folder / name
        if path.exists():
            return path
        self._total -= self._sizes.pop(name)
        return None

    def added(self, name: str) -> None:
        """Count a picture that was written, and remove what was not used for longest."""
        self._total -= self._sizes.pop(name, 0)
        with suppress(OSError):
            self._sizes[name] = (self.folder / name).stat().st_size
            self._total += self._sizes[name]
        while self._total > self._most and len(self._sizes) > 1:
            oldest, size = self._sizes.popitem(last=False)
            self._total -= size
            with suppress(OSError):
                (self.folder / oldest).unlink()


@dataclass(frozen=True, slots=True)
class _Job:
    wanted: Wanted
    name: str


class Pictures:
    """Finds pictures, or has them made; used from the event loop only."""

    def __init__(
        self, culled: Path, store: Store, make_workers: Callable[[], Executor] = workers
    ) -> None:
        """Prepare; workers start with the first picture.

        Args:
            culled: folder of the pictures that culling cached.
            store: for the others.
            make_workers: starts who makes them.
        """
        self._culled = culled
        self._store = store
        self._make_workers = make_workers
        self._workers: Executor | None = None
        self._making: dict[str, asyncio.Task[Path]] = {}

    def cached(self, stem: str, kind: str) -> Path | None:
        """Return a picture that culling cached: "photo", "overlay" or "crop"."""
        path = self._culled / f"{stem}-{kind}.jpg"
        return path if is_stem(stem) and path.exists() else None

    async def get(self, stem: str, wanted: Wanted) -> Path:
        """Return a picture, made now unless it lies there.

        Args:
            stem: what the pictures of the shot are called.
            wanted: which.

        Raises:
            BusyError: too many are waited for.
            FocuskitError: it cannot be made.
        """
        name = f"{stem}-{wanted.kind}.jpg"
        found = self._store.find(name)
        if found is not None:
            return found
        if name not in self._making and len(self._making) >= _MOST_WAITING:
            raise BusyError("Too many pictures are being made just now; ask again in a moment.")
        return await asyncio.shield(self._begin(_Job(wanted, name)))

    def ahead(self, stem: str, wanted: Wanted) -> None:
        """Have a picture made that may be asked for next, if nobody has to wait for that."""
        name = f"{stem}-{wanted.kind}.jpg"
        if len(self._making) < _MOST_AHEAD and self._store.find(name) is None:
            self._begin(_Job(wanted, name))

    def close(self) -> None:
        """End the workers, whatever they do."""
        if self._workers is not None:
            self._workers.shutdown(wait=False, cancel_futures=True)
            self._workers = None
            for child in multiprocessing.active_children():
                child.terminate()

    def _begin(self, job: _Job) -> asyncio.Task[Path]:
        task = self._making.get(job.name)
        if task is None:
            task = asyncio.create_task(self._make(job))
            self._making[job.name] = task
            task.add_done_callback(lambda done: self._end(job.name, done))
        return task

    def _end(self, name: str, done: asyncio.Task[Path]) -> None:
        self._making.pop(name, None)
        # Who asked has been told; a picture made ahead fails in silence.
        if not done.cancelled():
            done.exception()

    async def _make(self, job: _Job) -> Path:
        target = self._store.folder / job.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise OutputError(
                f"Pictures cannot be kept in {target.parent} ({exc.strerror})."
            ) from exc
        if self._workers is None:
            self._workers = self._make_workers()
        running = self._workers
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_TIME_LIMIT_S):
                await loop.run_in_executor(running, render, job.wanted, target)
        except BrokenExecutor as exc:
            if self._workers is running:
                self._workers = None
            raise InputError(
                f"{job.wanted.shot} cannot be shown: its decoder crashed; the file may be damaged."
            ) from exc
        except TimeoutError as exc:
            raise InputError(
                f"{job.wanted.shot} cannot be shown: it was not decoded within a minute."
            ) from exc
        except OSError as exc:
            raise OutputError(
                f"The picture of {job.wanted.shot} could not be kept in {target.parent} "
                f"({exc.strerror}); free some space."
            ) from exc
        self._store.added(job.name)
        return target
