"""Parts of a picture worked on several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["each_done"]

T = TypeVar("T")
R = TypeVar("R")

_MOST_WORKERS = 6


def each_done(
    work: Callable[[T], R], parts: Sequence[T], *, most: int | None = None
) -> Generator[R, None, None]:
    """Yield what `work` returns for each part, in their order, several at a time.

    OpenCV and numpy let go of the interpreter, so that threads do. Who stops asking for more should
    close this: what has not begun by then is never done.

    Args:
        work: done for each part.
        parts: of the picture.
        most: how many at a time; None for what the processor has cores for.

    Raises:
        Exception: what `work` raises.
    """
    workers = min(most or min(_MOST_WORKERS, os.cpu_count() or 1), len(parts))
    if workers <= 1:
        yield from map(work, parts)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(work, parts)
    finally:
        pool.shutdown(cancel_futures=True)
