"""The cost of bokeh: the whole command in a process of its own, against GEGL's lens blur."""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.maps import COC_STEPS_PER_PX
from focuskit.errors import BatchError

__all__ = ["bench_bokeh"]

T = TypeVar("T")
Row = dict[str, Any]
Rgb8 = NDArray[np.uint8]
Map = NDArray[np.float32]
Advance = Callable[[int, int, int], None] | None

# The lens of the photo that is made draws discs so much smaller than those that are asked for.
_SMALLER = 10
_THINGS = 24
_TIMEOUT_S = 900
_RESULTS = "out"
_OWN, _FOUND = "focuskit bokeh, blur given", "focuskit bokeh, blur estimated"
_PREVIEW = "focuskit bokeh --preview, blur estimated"
# More than any photo's background has, so that there is something to add.
_MUCH = ("--strength", "8")
_RENDER = "focuskit.optics.render alone"
_PEER, _PEER_IDLE = "gegl:lens-blur", "gegl, reading and writing alone"
# Tells its own time: reading, and what Python needs to start, are no part of it.
_RENDERING = """
import time
import numpy as np
from focuskit.io import read_gray, read_photo
from focuskit.optics.render import render
light = read_photo("photo.jpg").rgb
coc = np.multiply(read_gray("given-coc.png"), np.float32(10 / 64), dtype=np.float32)
started, cores = time.perf_counter(), time.process_time()
render(light, coc)
print("took", time.perf_counter() - started, time.process_time() - cores)
"""
_COMMAND = (sys.executable, "-c", "from focuskit.cli import main; main()", "bokeh")


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    core_s: float
    peak_mb: float | None


def bench_bokeh(
    megapixels: float, coc_px: float, *, repeats: int, threads: int, advance: Advance = None
) -> list[Row]:
    """Time `focuskit bokeh`, its preview, GEGL's lens blur and decoding by turns.

    All read the same JPEG and write one. To compare with GEGL, focuskit is given the circles of
    confusion that GEGL is given as its aux input; to compare with its preview, it estimates them.

    Args:
        megapixels: of a photo that is made for it, 3:2.
        coc_px: diameter of the largest disc.
        repeats: how often each runs.
        threads: that GEGL and OpenMP may use.
        advance: told after each run: done, all, failed.

    Returns:
        Rows of what, value and unit; without GEGL there is none that compares with it.

    Raises:
        BatchError: a command failed.
    """
    with tempfile.TemporaryDirectory(prefix="focuskit-bench-") as name:
        folder = Path(name)
        strength = _apart(_make_files, folder, megapixels, coc_px)
        given: tuple[str, ...] = ("photo.jpg", "--coc", "given-coc.png")
        results = ("-o", _RESULTS)
        found = (*_COMMAND, "photo.jpg", *_MUCH, *results)
        commands = {
            _OWN: (*_COMMAND, *given, "--strength", f"{strength:.6f}", *results),
            _FOUND: found,
            _PREVIEW: (*found, "--preview"),
            _RENDER: (sys.executable, "-c", _RENDERING),
        }
        if shutil.which("gegl") is not None:
            commands[_PEER] = _gegl("photo.jpg", coc_px)
            commands[_PEER_IDLE] = _gegl("photo.jpg", None)
        runs: dict[str, list[_Run]] = {what: [] for what in commands}
        decodes = []
        data = np.frombuffer((folder / "photo.jpg").read_bytes(), np.uint8)
        for number in range(repeats):
            for turn, (what, command) in enumerate(commands.items()):
                runs[what].append(_apart(_run, command, folder, threads))
                if advance is not None:
                    advance(number * len(commands) + turn + 1, repeats * len(commands), 0)
            started = time.perf_counter()
            cv2.imdecode(data, cv2.IMREAD_COLOR)
            decodes.append(time.perf_counter() - started)
    return _rows(runs, decodes)


def _apart(work: Callable[..., T], *given: Any) -> T:
    """Call a function in a process of its own: what a process holds counts for its children."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def _rows(runs: dict[str, list[_Run]], decodes: list[float]) -> list[Row]:
    seconds = {what: min(run.seconds for run in each) for what, each in runs.items()}
    cores = {what: min(run.core_s for run in each) for what, each in runs.items()}
    rows: list[Row] = []
    for what, each in runs.items():
        rows += [
            {"what": what, "value": round(seconds[what], 2), "unit": "s, minimum"},
            {"what": what, "value": round(_median_s(each), 2), "unit": "s, median"},
            {"what": what, "value": round(cores[what], 2), "unit": "core s, minimum"},
        ]
        peaks = [run.peak_mb for run in each if run.peak_mb is not None]
        if peaks:
            rows.append({"what": what, "value": round(max(peaks)), "unit": "MB, peak"})
    rows.append({"what": "cv2.imdecode", "value": round(min(decodes), 2), "unit": "s, minimum"})
    ratios = {
        "bokeh / cv2.imdecode": seconds[_OWN] / min(decodes),
        "preview / bokeh, blur estimated": seconds[_PREVIEW] / seconds[_FOUND],
    }
    if _PEER in runs:
        blur_s = seconds[_PEER] - seconds[_PEER_IDLE]
        blur_core_s = cores[_PEER] - cores[_PEER_IDLE]
        ratios |= {
            "gegl:lens-blur / bokeh, commands": seconds[_PEER] / seconds[_OWN],
            "gegl:lens-blur / bokeh, medians": _median_s(runs[_PEER]) / _median_s(runs[_OWN]),
            "gegl:lens-blur / bokeh, core s": cores[_PEER] / cores[_OWN],
            "gegl:lens-blur / render, blur alone": blur_s / seconds[_RENDER],
            "gegl:lens-blur / render, blur alone, core s": blur_core_s / cores[_RENDER],
        }
    return rows + [
        {"what": what, "value": round(each, 2), "unit": ""} for what, each in ratios.items()
    ]


def _median_s(runs: list[_Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def _gegl(photo: str, coc_px: float | None) -> tuple[str, ...]:
    start = ("gegl", photo, "-o", "gegl.jpg", "--")
    if coc_px is None:
        return (*start, "gegl:nop")
    return (*start, "gegl:lens-blur", f"radius={coc_px / 2:g}", "aux=[", "gegl:load",
            "path=aux.png", "]")  # fmt: skip


def _run(command: tuple[str, ...], folder: Path, threads: int) -> _Run:
    """Run a command in a fresh process; its peak memory is that of it and what it started."""
    count = str(threads)
    environment = os.environ | {"GEGL_THREADS": count, "OMP_NUM_THREADS": count}
    # What is there already would not be made again.
    shutil.rmtree(folder / _RESULTS, ignore_errors=True)
    started = time.perf_counter()
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        code, core_s, peak_mb = _waited(process)
    seconds = time.perf_counter() - started
    text = (folder / "said.txt").read_text(errors="replace").strip()
    if code:
        raise BatchError(
            f"{command[0]} failed with code {code}, so that nothing is timed: {text[-500:]}"
        )
    if text.startswith("took "):
        seconds, core_s = (float(each) for each in text.split()[1:3])
    return _Run(seconds, core_s, peak_mb)


def _waited(process: subprocess.Popen[bytes]) -> tuple[int, float, float | None]:
    """Return the exit code, the seconds of all cores, and the peak memory in MB."""
    if sys.platform == "win32":
        return process.wait(_TIMEOUT_S), math.nan, None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # Kilobytes, but bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def _make_files(folder: Path, megapixels: float, coc_px: float) -> float:
    """Write a photo, its circles of confusion for both, and return the strength to ask for."""
    width = round(math.sqrt(megapixels * 1e6 * 1.5) / 2) * 2
    height = round(width / 3) * 2
    picture, wanted = _scene(height, width, coc_px)
    options = [cv2.IMWRITE_JPEG_QUALITY, 95]
    (folder / "photo.jpg").write_bytes(bytes(cv2.imencode(".jpg", picture, options)[1]))
    del picture
    own = np.rint(wanted / _SMALLER * COC_STEPS_PER_PX).astype(np.uint16)
    cv2.imwrite(str(folder / "given-coc.png"), own)
    cv2.imwrite(str(folder / "aux.png"), np.rint(wanted / coc_px * 65535).astype(np.uint16))
    background = wanted[wanted > 0]
    # The strength is that of the more blurred parts of the background.
    typical = float(np.quantile(background, 0.9))
    return 100 * typical / math.hypot(height, width)


def _scene(height: int, width: int, coc_px: float) -> tuple[Rgb8, Map]:
    """Return a picture of textured things on slanted ground, one of them in focus, and its blur."""
    rng = np.random.default_rng(120)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x / np.float32(width), y / np.float32(height)
    coc = np.asarray(coc_px * np.clip(1 - y, 0, 1), np.float32)
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = rng.uniform(60, 180, 3)
    things = [
        (rng.uniform(0, 1), rng.uniform(0, 0.8), rng.uniform(0.03, 0.12), rng.uniform(0.1, 1))
        for _ in range(_THINGS)
    ]
    for across, down, size, blur in [
        *sorted(things, key=lambda each: -each[3]),
        (0.45, 0.6, 0.2, 0),
    ]:
        inside = ((x - across) / size) ** 2 + ((y - down) / size / 1.5) ** 2 < 1
        picture[inside] = rng.uniform(20, 230, 3)
        coc[inside] = coc_px * blur
    cv2.setRNGSeed(120)
    # Texture at every scale; the finest octave stands for the sensor's noise too.
    for octave in range(6):
        grain = np.empty((max(1, height >> octave), max(1, width >> octave), 3), np.float32)
        cv2.randn(grain, np.zeros(3), np.full(3, 6.0))
        picture += cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    lamps = rng.uniform(0, 1, (40, 2)) * (width, height * 0.4)
    for left, top in lamps.astype(int).tolist():
        cv2.circle(picture, (left, top), max(1, width // 1000), (255, 255, 255), -1, cv2.LINE_AA)
    return np.clip(picture, 0, 255).astype(np.uint8), coc
