"""The cost of a cull against the cost of decoding alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.crew import Crew, cores
from focuskit.batch.culling import decide_all
from focuskit.batch.judge import Judge
from focuskit.batch.library import Problem, Shot, find_shots
from focuskit.batch.runner import run_shots
from focuskit.errors import BatchError

__all__ = ["Timed", "bench_decode", "camera_jpeg", "decode", "linked", "peak_mb", "time_job"]

_WIDTH, _HEIGHT = 6000, 4000


def bench_decode(photos: int, detector: str, workers: int | None) -> list[dict[str, Any]]:
    """Time decoding and culling of one 24 MP JPEG under as many names as asked for.

    Returns:
        Rows of what, value and unit.

    Raises:
        BatchError: a photo failed.
    """
    count = workers or cores()
    with tempfile.TemporaryDirectory(prefix="focuskit-bench-") as name:
        pictures = Path(name, "pictures")
        pictures.mkdir()
        data = camera_jpeg()
        shots = linked(Path(name, "library"), data, photos)
        alone = time_job(decode, shots, count)
        culled = time_job(Judge(detector, pictures=pictures), shots, count)
        started = time.perf_counter()
        decide_all(culled.outcomes)
        whole_s = culled.core_s + (time.perf_counter() - started) / photos
    return [
        {"what": "size of the JPEG", "value": round(len(data) / 1e6, 2), "unit": "MB"},
        {"what": "workers", "value": count, "unit": ""},
        {"what": "cv2.imdecode", "value": round(alone.core_s * 1000, 1), "unit": "ms/photo/core"},
        {"what": "cull", "value": round(whole_s * 1000, 1), "unit": "ms/photo/core"},
        {
            "what": "cull / cv2.imdecode",
            "value": round(whole_s / alone.core_s, 2),
            "unit": "",
        },
        {"what": "peak memory of a worker", "value": culled.peak_mb, "unit": "MB"},
    ]


def camera_jpeg() -> bytes:
    """Return a 24 MP JPEG about as heavy as a camera makes it: 2.9 bits a pixel."""
    rng = np.random.default_rng(24)
    picture = np.full((_HEIGHT, _WIDTH, 3), 90, np.uint8)
    for _ in range(2500):
        # Dead leaves: radii with a density of r^-3 have the statistics of natural scenes.
        radius = int(min(700, 16 / np.sqrt(rng.uniform(1e-4, 1))))
        centre = (int(rng.integers(_WIDTH)), int(rng.integers(_HEIGHT)))
        colour = tuple(int(each) for each in rng.integers(20, 235, 3))
        cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.uint8)
    cv2.setRNGSeed(24)
    # Surfaces have texture at every scale; the finest octave stands for the sensor's noise too.
    for octave in range(5):
        grain = np.zeros((_HEIGHT >> octave, _WIDTH >> octave, 3), np.int8)
        cv2.randn(grain, np.zeros(3), np.full(3, 4.0))
        large = cv2.resize(grain.astype(np.float32), (_WIDTH, _HEIGHT)).astype(np.int8)
        picture = np.asarray(cv2.add(picture, large, dtype=cv2.CV_8U), np.uint8)
    return _encode(picture)


def _encode(picture: NDArray[np.uint8]) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR]
    options.append(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    return bytes(cv2.imencode(".jpg", picture, options)[1])


def linked(folder: Path, data: bytes, count: int, suffix: str = ".jpg") -> tuple[Shot, ...]:
    """Make a library of one photo under many names and return its shots."""
    folder.mkdir()
    first = folder / f"IMG_0000{suffix}"
    first.write_bytes(data)
    for index in range(1, count):
        (folder / f"IMG_{index:04d}{suffix}").hardlink_to(first)
    return find_shots([folder]).shots


def decode(shot: Shot) -> None:
    """Decode a JPEG as OpenCV does, and nothing else."""
    data = np.frombuffer(shot.judged.read_bytes(), np.uint8)
    cv2.imdecode(data, cv2.IMREAD_COLOR)


@dataclass(frozen=True, slots=True)
class Timed:
    """What a job cost.

    Attributes:
        core_s: core time per photo once all workers are busy.
        photo_s: what workers took for each photo, without the first third.
        outcomes: what the job returned.
        peak_mb: peak memory of a worker process, None where it cannot be known.
    """

    core_s: float
    photo_s: tuple[float, ...]
    outcomes: list[Any]
    peak_mb: float | None


@dataclass(frozen=True, slots=True)
class _Watched:
    """A job that also tells its time and the peak memory of the process that it runs in."""

    job: Callable[[Shot], Any]

    def __call__(self, shot: Shot) -> tuple[Any, float, float | None]:
        started = time.perf_counter()
        found = self.job(shot)
        return found, time.perf_counter() - started, peak_mb()


def time_job(job: Callable[[Shot], Any], shots: Sequence[Shot], workers: int) -> Timed:
    """Run a job on shots in so many worker processes.

    Raises:
        BatchError: a shot failed.
    """
    outcomes: list[Any] = []
    seconds: list[float] = []
    peaks: list[float] = []
    times: list[float] = []
    for outcome in run_shots(_Watched(job), shots, Crew(workers)):
        if isinstance(outcome.result, Problem):
            raise BatchError(f"The benchmark's photo failed: {outcome.result.message}")
        result, took, peak = outcome.result
        outcomes.append(result)
        seconds.append(took)
        if peak is not None:
            peaks.append(peak)
        times.append(time.perf_counter())
    # The first task of each worker pays for starting it and importing everything.
    warm = len(times) // 3
    core_s = (times[-1] - times[warm - 1]) * workers / (len(times) - warm)
    return Timed(core_s, tuple(seconds[warm:]), outcomes, max(peaks, default=None))


def peak_mb(process: int | str = "self") -> float | None:
    """Return the peak memory of a process in MB, or None where the system does not tell."""
    # Not getrusage: what it tells begins with the memory of the process that started this one.
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return None
    lines = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((round(int(line.split()[1]) * 1024 / 1e6) for line in lines), None)
