"""The cost of a cull against the cost of decoding alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.culling import decide_all
from focuskit.batch.judge import Judge
from focuskit.batch.library import Problem, Shot, find_shots
from focuskit.batch.runner import cores, run_shots
from focuskit.errors import BatchError

__all__ = ["bench_decode", "camera_jpeg"]

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
        library, pictures = Path(name, "library"), Path(name, "pictures")
        library.mkdir()
        pictures.mkdir()
        data = camera_jpeg()
        (library / "IMG_0000.jpg").write_bytes(data)
        for index in range(1, photos):
            (library / f"IMG_{index:04d}.jpg").hardlink_to(library / "IMG_0000.jpg")
        shots = find_shots([library]).shots
        decode_s, _, _ = _per_photo(_decode, shots, count)
        cull_s, judgements, peak_mb = _per_photo(Judge(detector, pictures=pictures), shots, count)
        started = time.perf_counter()
        decide_all(judgements)
        whole_s = cull_s + (time.perf_counter() - started) / photos
    return [
        {"what": "size of the JPEG", "value": round(len(data) / 1e6, 2), "unit": "MB"},
        {"what": "workers", "value": count, "unit": ""},
        {"what": "cv2.imdecode", "value": round(decode_s * 1000, 1), "unit": "ms/photo/core"},
        {"what": "cull", "value": round(whole_s * 1000, 1), "unit": "ms/photo/core"},
        {
            "what": "cull / cv2.imdecode",
            "value": round(whole_s / decode_s, 2),
            "unit": "",
        },
        {"what": "peak memory of a worker", "value": peak_mb, "unit": "MB"},
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


def _decode(shot: Shot) -> None:
    data = np.frombuffer(shot.judged.read_bytes(), np.uint8)
    cv2.imdecode(data, cv2.IMREAD_COLOR)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A job that also tells the peak memory of the process that it runs in."""

    job: Callable[[Shot], Any]

    def __call__(self, shot: Shot) -> tuple[Any, float | None]:
        return self.job(shot), _peak_mb()


def _per_photo(
    job: Callable[[Shot], Any], shots: tuple[Shot, ...], workers: int
) -> tuple[float, list[Any], float | None]:
    """Return the core seconds per photo once all workers are busy, the outcomes, the peak in MB."""
    outcomes: list[Any] = []
    peaks: list[float] = []
    times: list[float] = []
    for _, outcome in run_shots(_Watched(job), shots, workers=workers):
        if isinstance(outcome, Problem):
            raise BatchError(f"The benchmark's photo failed: {outcome.message}")
        outcomes.append(outcome[0])
        peaks.extend(peak for peak in outcome[1:] if peak is not None)
        times.append(time.perf_counter())
    # The first task of each worker pays for starting it and importing everything.
    warm = len(times) // 3
    core_s = (times[-1] - times[warm - 1]) * workers / (len(times) - warm)
    return core_s, outcomes, max(peaks, default=None)


def _peak_mb() -> float | None:
    # Not getrusage: what it tells begins with the memory of the process that started this one.
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) * 1024 / 1e6)
