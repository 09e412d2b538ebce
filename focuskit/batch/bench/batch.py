"""The batch engine's figures in one run: speed, scaling, overhead, repeats, memory, RAW."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focuskit.batch.bench.decoding import Timed, camera_jpeg, decode, linked, time_job
from focuskit.batch.bench.engine import (
    Overhead,
    check_model,
    measure_costs,
    model_rows,
    noop_library,
    time_noop,
)
from focuskit.batch.bench.finished import finished_library, repeat_cull
from focuskit.batch.bench.raw import bench_raw
from focuskit.batch.bench.simulation import Costs
from focuskit.batch.bench.stages import stages_of
from focuskit.batch.crew import Crew, cores
from focuskit.batch.culling import decide_all
from focuskit.batch.judge import Judge
from focuskit.batch.library import Shot

__all__ = ["WORKERS", "Bench", "Model", "bench_batch", "bench_model"]

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
"""Numbers of workers that the simulation is run for."""

# Turn by turn, and the best of each: what else the machine does slows all alike.
_ROUNDS = 3
# Fewer would run on threads.
_RAWS = 48
_LEAST_FOR_COSTS = 9600

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured.

    Attributes:
        shots: how many have nothing done with them, and are in a finished library.
        many: how many the coordinator's memory is measured at.
        photos: how many 24 MP photos are culled in each round.
        workers: worker processes; None for one per core.
        detector: name in DETECTORS.
        raws: RAWs with large previews; none to make one.
        say: told what is being done.
    """

    shots: int
    many: int
    photos: int
    workers: int | None
    detector: str
    raws: tuple[Path, ...]
    say: Callable[[str], None]

    @property
    def count(self) -> int:
        """How many worker processes there are."""
        return self.workers or cores()


@dataclass(frozen=True, slots=True)
class Model:
    """What the simulation says of clusters.

    Attributes:
        costs: what was measured for it.
        checked: (workers, measured s, simulated s) of runs on this machine.
        rows: of numbers of workers.
    """

    costs: Costs
    checked: tuple[tuple[int, float, float], ...]
    rows: list[Row]


def bench_batch(bench: Bench) -> tuple[list[Row], dict[str, float]]:
    """Measure everything but the model.

    Returns:
        Rows of what, value and unit, and the seconds of each part of one photo.

    Raises:
        BatchError: something of it failed.
    """
    with tempfile.TemporaryDirectory(prefix="focuskit-bench-") as name:
        folder = Path(name)
        jpeg = camera_jpeg()
        judge, shots = _photos(bench, folder, jpeg)
        rows, culled = _speed(bench, judge, shots)
        bench.say("Taking one photo's time apart ...")
        stages = stages_of(judge, shots, bench.count, culled)
        rows += _overhead(bench, folder)
        rows += _repeats(bench, folder)
        bench.say("Culling RAWs through previews and through demosaicing ...")
        rows += bench_raw(
            jpeg, bench.raws, folder, detector=bench.detector, photos=_RAWS,
            workers=bench.count,
        )  # fmt: skip
    return [{"what": "workers", "value": bench.count, "unit": ""}, *rows], stages


def bench_model(bench: Bench, workers: tuple[int, ...] = WORKERS) -> Model:
    """Measure what the simulation needs, check it on this machine, and run it for clusters.

    Raises:
        BatchError: something of it failed.
    """
    with tempfile.TemporaryDirectory(prefix="focuskit-bench-") as name:
        folder = Path(name)
        judge, shots = _photos(bench, folder, camera_jpeg())
        bench.say(f"Culling {len(shots)} photos with {bench.count} workers ...")
        photo_s = time_job(judge, shots, bench.count).photo_s
        bench.say("Measuring what tasks and shots cost coordinator and workers ...")
        tiny = noop_library(folder / "tiny", max(bench.shots, _LEAST_FOR_COSTS))
        costs = measure_costs(folder, photo_s, tiny)
        bench.say("Holding the model against 1, 2 and 4 workers that sleep ...")
        checked = tuple(
            (run.workers, measured_s, run.wall_s)
            for measured_s, run in check_model(costs, folder, tiny)
        )
    return Model(costs, checked, model_rows(costs, bench.many, workers))


def _photos(bench: Bench, folder: Path, jpeg: bytes) -> tuple[Judge, tuple[Shot, ...]]:
    pictures = folder / "pictures"
    pictures.mkdir()
    return Judge(bench.detector, pictures=pictures), linked(folder / "photos", jpeg, bench.photos)


def _speed(bench: Bench, judge: Judge, shots: tuple[Shot, ...]) -> tuple[list[Row], Timed]:
    many = bench.count if bench.count > 1 else 2
    runs: dict[str, list[Timed]] = {"decode": [], "many": [], "one": []}
    for turn in range(_ROUNDS):
        bench.say(f"Culling {len(shots)} photos with {many} workers and with 1 ({turn + 1}) ...")
        runs["decode"].append(time_job(decode, shots, bench.count))
        runs["many"].append(time_job(judge, shots, many))
        runs["one"].append(time_job(judge, shots, 1))
    best = {name: min(each, key=lambda run: run.core_s) for name, each in runs.items()}
    culled = best["many" if many == bench.count else "one"]
    started = time.perf_counter()
    decide_all(culled.outcomes)
    cull_s = culled.core_s + (time.perf_counter() - started) / len(shots)
    scaling = best["one"].core_s / best["many"].core_s * many
    rows = [
        _row("cv2.imdecode of a 24 MP JPEG", best["decode"].core_s * 1000, "ms/photo/core"),
        _row("cull of a 24 MP JPEG", cull_s * 1000, "ms/photo/core"),
        _row("cull / cv2.imdecode", cull_s / best["decode"].core_s),
        _row(f"scaling from 1 to {many} workers", scaling, "×"),
        _row("peak memory of a worker", culled.peak_mb, "MB"),
    ]
    return rows, culled


def _overhead(bench: Bench, folder: Path) -> list[Row]:
    bench.say(f"Running {bench.shots} shots with nothing to do ...")
    tiny = noop_library(folder / "tiny", max(bench.shots, bench.many))
    crew = Crew(bench.workers)
    run = _noop(tiny[: bench.shots], folder / "noop", crew, repeat=True)
    rows = [
        _row(
            f"engine and catalog, {run.shots} shots with nothing to do", _per_shot(run), "ms/shot"
        ),
        _row("the same again, from the catalog", run.repeat_s, "s"),
        _row(f"peak memory of the coordinator after {run.shots} shots", run.peak_mb, "MB"),
    ]
    bench.say(f"Running {bench.many} shots with nothing to do ...")
    many = _noop(tiny[: bench.many], folder / "noop-many", crew, repeat=False)
    rows += [
        _row(
            f"engine and catalog, {many.shots} shots with nothing to do", _per_shot(many), "ms/shot"
        ),
        _row(f"peak memory of the coordinator after {many.shots} shots", many.peak_mb, "MB"),
    ]
    return rows


def _noop(shots: tuple[Shot, ...], folder: Path, crew: Crew, *, repeat: bool) -> Overhead:
    # In a process of its own: the peak of this one is of photos.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(time_noop, shots, folder, crew, repeat=repeat).result()


def _repeats(bench: Bench, folder: Path) -> list[Row]:
    rows = []
    for count in dict.fromkeys((bench.shots, bench.many)):
        bench.say(f"Making a finished library of {count} small photos and culling it again ...")
        place = folder / f"finished-{count}"
        finished_library(place, count)
        run = repeat_cull(place)
        if count == bench.shots:
            # The first one still wrote verdicts; now all is as it was left.
            run = repeat_cull(place)
        rows.append(_row(f"focuskit cull again, finished library of {count}", run.wall_s, "s"))
        rows.append(_row(f"peak memory of that command, {count} shots", run.peak_mb, "MB"))
    return rows


def _per_shot(run: Overhead) -> float:
    return run.wall_s / run.shots * 1000


def _row(what: str, value: float | None, unit: str = "") -> Row:
    return {"what": what, "value": value, "unit": unit}
