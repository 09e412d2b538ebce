"""Who works on a library: cores of this machine, or a dask cluster."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Self, TypeVar

from focuskit.check import check_range
from focuskit.errors import InputError, RangeError

__all__ = ["Crew", "PathMap", "cores", "memory_gib", "parse_resources"]

T = TypeVar("T")

_GIB = 2**30
# What the system, the coordinator and the page cache need.
_SHARE_FOR_WORKERS = 0.9


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float:
    """Return how much memory this machine or container has."""
    from distributed.system import MEMORY_LIMIT

    return float(MEMORY_LIMIT) / _GIB


@dataclass(frozen=True, slots=True)
class PathMap:
    """How workers elsewhere call folders of this machine.

    Attributes:
        pairs: (folder here, folder there); the longest that fits is used.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Self:
        """Read LOCAL=REMOTE pairs.

        Raises:
            InputError: a text is not that.
        """
        pairs = []
        for text in texts:
            here, equals, there = text.partition("=")
            if not (here and equals and there):
                raise InputError(
                    f"{text!r} is no path map; write LOCAL=REMOTE, such as /photos=/mnt/nas/photos."
                )
            pairs.append((os.path.abspath(here), there.rstrip("/\\") or "/"))
        return cls(tuple(sorted(pairs, key=lambda pair: -len(pair[0]))))

    def there(self, value: T) -> T:
        """Return a value with every path in it as workers call it."""
        return _translated(value, self.pairs) if self.pairs else value

    def here(self, value: T) -> T:
        """Return a value that came back with every path in it as this machine calls it."""
        back = tuple((there, here) for here, there in self.pairs)
        return _translated(value, back) if back else value


@dataclass(frozen=True, slots=True)
class Crew:
    """How work is spread.

    Attributes:
        workers: worker processes of this machine, None for one per core that memory allows.
        memory_gib: what one of them may hold; above that it is ended, and the photo named.
        time_limit_s: how long one photo may take.
        nice: added to the niceness of workers, 0 to 19.
        scheduler: address of a dask scheduler, None for this machine alone.
        path_map: how its workers call folders of this machine.
        resources: what a worker of the cluster has to have free for a task, by dask's names for it,
            such as ("GPU", 1.0).

    Raises:
        RangeError: a number makes no sense.
    """

    workers: int | None = None
    memory_gib: float = 2.0
    time_limit_s: float = 120.0
    nice: int = 0
    scheduler: str | None = None
    path_map: PathMap = PathMap()
    resources: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_range("workers", self.workers, low=1)
        check_range("memory_gib", self.memory_gib, low=0.25, unit="GiB")
        check_range("time_limit_s", self.time_limit_s, low=0.1, unit="s")
        check_range("nice", self.nice, low=0, high=19)

    def count(self) -> int:
        """Return how many workers this machine has room for.

        Raises:
            RangeError: more were asked for than fit into its memory.
        """
        room = memory_gib() * _SHARE_FOR_WORKERS
        fit = max(1, math.floor(room / self.memory_gib))
        if self.workers is None:
            return min(cores(), fit)
        if self.workers > fit:
            raise RangeError(
                f"{self.workers} workers of {self.memory_gib:g} GiB need more than the {room:.1f} "
                f"GiB that this machine can spare; at most {fit} fit (--workers, --memory)."
            )
        return self.workers


def parse_resources(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Read NAME=AMOUNT pairs, as `dask worker --resources` takes them.

    Raises:
        InputError: a text is not that.
    """
    found = []
    for text in texts:
        name, _, amount = text.partition("=")
        try:
            found.append((name, float(amount)))
        except ValueError as exc:
            raise InputError(
                f"{text!r} is no resource; write NAME=AMOUNT, such as GPU=1, as the workers were "
                "started with."
            ) from exc
    return tuple(found)


def _translated(value: Any, pairs: tuple[tuple[str, str], ...]) -> Any:
    if isinstance(value, PurePath):
        return _renamed(value, pairs)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            each.name: _translated(getattr(value, each.name), pairs)
            for each in fields(value)
            if each.init
        }
        return replace(value, **changed)
    if isinstance(value, tuple):
        return tuple(_translated(each, pairs) for each in value)
    return value


def _renamed(path: PurePath, pairs: tuple[tuple[str, str], ...]) -> Path:
    absolute = Path(os.path.abspath(path))
    for before, after in pairs:
        if absolute.is_relative_to(before):
            return Path(after, *absolute.relative_to(before).parts)
    return absolute
