"""What a map costs, against decoding a photo."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from focuskit.check import check_range
from focuskit.color import encoding_of, linearise
from focuskit.detect import Detector
from focuskit.errors import InputError
from focuskit.photo import Photo

__all__ = ["Timing", "time_maps"]

_THREADS_VARIABLE = "OMP_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Timing:
    """What one thing costs; ratios are to decoding, the first row."""

    what: str
    minimum_ms: float
    median_ms: float
    ratio_of_minima: float
    ratio_of_medians: float


def time_maps(
    detectors: Mapping[str, Detector],
    jpeg: bytes,
    *,
    size: int,
    repeats: int,
    threads: int = 1,
    advance: Callable[[int, int, int], None] | None = None,
) -> list[Timing]:
    """Time one map of each detector against `cv2.imdecode`, in turns.

    Args:
        detectors: by name.
        jpeg: what is decoded; squashed, it is also the picture to be mapped.
        size: sides of that picture in pixels.
        repeats: how often each is timed, after one round that is not.
        threads: how many a map may use; decoding has one whatever is allowed.
        advance: told after each round: done, all, failed.

    Returns:
        The decoding, then a row for each detector.

    Raises:
        InputError: OpenCV cannot decode the JPEG.
        RangeError: `size`, `repeats` or `threads` is below 1.
    """
    check_range("size", size, low=1, unit="px")
    check_range("repeats", repeats, low=1)
    check_range("threads", threads, low=1)
    with _threads(threads):
        photo = _squashed(jpeg, size)
        jobs: dict[str, Callable[[], object]] = {"cv2.imdecode": partial(_decode, jpeg)}
        jobs |= {f"map by {name}": partial(each, photo) for name, each in detectors.items()}
        times = np.empty((repeats + 1, len(jobs)))
        for turn in range(repeats + 1):
            times[turn] = [_time_ms(job) for job in jobs.values()]
            if advance is not None:
                advance(turn + 1, repeats + 1, 0)
    # The first round pays for loading weights and filling caches.
    minima, medians = times[1:].min(axis=0), np.median(times[1:], axis=0)
    columns = (minima, medians, minima / minima[0], medians / medians[0])
    rows = zip(jobs, *(column.tolist() for column in columns), strict=True)
    return [Timing(*row) for row in rows]


def _squashed(jpeg: bytes, size: int) -> Photo:
    whole = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if whole is None:
        raise InputError("OpenCV cannot decode the JPEG that is to be timed.")
    small = cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA)
    return Photo(linearise(np.asarray(small, np.uint8), encoding_of("srgb")))


def _decode(jpeg: bytes) -> object:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def _time_ms(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return 1000 * (time.perf_counter() - started)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let OpenCV, and networks that are opened meanwhile, use so many threads."""
    before, told = cv2.getNumThreads(), os.environ.get(_THREADS_VARIABLE)
    cv2.setNumThreads(count)
    os.environ[_THREADS_VARIABLE] = str(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
        if told is None:
            del os.environ[_THREADS_VARIABLE]
        else:
            os.environ[_THREADS_VARIABLE] = told
