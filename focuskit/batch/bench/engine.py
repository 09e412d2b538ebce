"""What the batch engine itself costs: shots with nothing to do, and sleep in place of work."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from focuskit.batch.bench.decoding import peak_mb
from focuskit.batch.bench.simulation import Costs, Simulated, simulate
from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.batch.crew import Crew
from focuskit.batch.engine import Step, run_step
from focuskit.batch.library import Shot, find_shots
from focuskit.batch.runner import TASKS_IN_FLIGHT_PER_WORKER, batch_size

__all__ = ["Overhead", "check_model", "measure_costs", "model_rows", "noop_library", "time_noop"]

# So many make tasks of the smallest and of the largest size.
_FEW, _MANY = 2400, 9600
# A worker's room while it sleeps: four have to fit into a small machine.
_SLEEPER_GIB = 0.5
_SLEEPS_S = (0.005, 0.08)
_SLEEPING_SHOTS = 1200


@dataclass(frozen=True, slots=True)
class Nothing:
    """What comes of a shot with which nothing is done."""

    shot: Shot


@dataclass(frozen=True, slots=True)
class Sleep:
    """Sleeps as long as the name of a shot says, between two limits; 0 s for none.

    Attributes:
        least_s, most_s: the limits.
    """

    least_s: float = 0.0
    most_s: float = 0.0

    def __call__(self, shot: Shot) -> Nothing:
        """Sleep."""
        if self.most_s:
            time.sleep(self.seconds(shot))
        return Nothing(shot)

    def seconds(self, shot: Shot) -> float:
        """Return how long; the same for a shot every time, and skewed as times of photos are."""
        digest = hashlib.blake2b(shot.name.encode(), digest_size=4).digest()
        drawn = int.from_bytes(digest, "big") / 2**32
        return self.least_s + (self.most_s - self.least_s) * drawn**3


@dataclass(frozen=True, slots=True)
class Overhead:
    """What a run in which nothing is done costs.

    Attributes:
        shots: how many.
        first_s: until the first outcome came: starting workers, mostly.
        wall_s: of the whole run.
        coordinator_s: CPU time of this process between the first outcome and the last.
        repeat_s: of the same again, from the catalog.
        peak_mb: of this process so far.
    """

    shots: int
    first_s: float
    wall_s: float
    coordinator_s: float
    repeat_s: float
    peak_mb: float | None


def noop_library(folder: Path, count: int) -> tuple[Shot, ...]:
    """Make a library of tiny files, all different, that only count as photos by their names."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:06d}.jpg").write_bytes(b"%d" % number)
    return find_shots([folder]).shots


def time_noop(
    shots: Sequence[Shot],
    folder: Path,
    crew: Crew,
    *,
    repeat: bool = True,
    job: Sleep | None = None,
) -> Overhead:
    """Run a job that does nothing through engine and catalog.

    Args:
        shots: what to run.
        folder: for a new catalog.
        crew: who works.
        repeat: run it again.
        job: sleeps instead.
    """
    step = Step(
        "sleep", job or Sleep(), "1", Nothing, rebound=lambda found, shot: replace(found, shot=shot)
    )
    folder.mkdir()
    started, first_s, cpu_at_first = time.perf_counter(), 0.0, 0.0
    with Catalog.open(folder / CATALOG_NAME) as catalog:
        for _ in run_step(step, shots, catalog, crew):
            if not cpu_at_first:
                first_s, cpu_at_first = time.perf_counter() - started, time.process_time()
        coordinator_s = time.process_time() - cpu_at_first
    wall_s = time.perf_counter() - started
    started = time.perf_counter()
    if repeat:
        with Catalog.open(folder / CATALOG_NAME) as catalog:
            for _ in run_step(step, shots, catalog, crew):
                pass
    repeat_s = time.perf_counter() - started
    return Overhead(len(shots), first_s, wall_s, coordinator_s, repeat_s, peak_mb())


def measure_costs(folder: Path, photo_s: Sequence[float], many: Sequence[Shot]) -> Costs:
    """Measure what tasks and shots cost coordinator and worker, with nothing to do.

    Args:
        folder: for catalogs.
        photo_s: times of photos, for the model.
        many: shots of `noop_library`, at least 9,600.
    """
    crew = Crew(1, memory_gib=_SLEEPER_GIB)
    few = time_noop(many[:_FEW], folder / "few", crew, repeat=False)
    lot = time_noop(many[:_MANY], folder / "lot", crew, repeat=False)
    # As many tasks in both, of eight shots and of thirty-two: what differs is due to the shots.
    tasks = _FEW / batch_size(_FEW)
    row_s = max(0.0, (lot.coordinator_s - few.coordinator_s) / (_MANY - _FEW))
    few_s, lot_s = few.wall_s - few.first_s, lot.wall_s - lot.first_s
    # One worker has no time to spare here: what it takes for a shot is what passes.
    worker_shot_s = max(0.0, (lot_s - few_s) / (_MANY - _FEW))
    return Costs(
        tuple(photo_s),
        task_s=max(0.0, few.coordinator_s / tasks - row_s * batch_size(_FEW)),
        row_s=row_s,
        worker_task_s=max(0.0, few_s / tasks - worker_shot_s * batch_size(_FEW)),
        worker_shot_s=worker_shot_s,
        per_task=batch_size(_MANY),
        in_flight=TASKS_IN_FLIGHT_PER_WORKER,
    )


def check_model(
    costs: Costs, folder: Path, shots: Sequence[Shot], counts: Sequence[int] = (1, 2, 4)
) -> list[tuple[float, Simulated]]:
    """Return (measured seconds, simulated run) for some numbers of local workers.

    Workers sleep instead of working, so that there may be more of them than cores.

    Args:
        costs: what tasks and rows cost; its times of photos are not used.
        folder: for catalogs.
        shots: at least 1,200.
        counts: of workers.
    """
    sleep, some = Sleep(*_SLEEPS_S), shots[:_SLEEPING_SHOTS]
    per_task = batch_size(len(some))
    asleep = replace(costs, photo_s=tuple(sleep.seconds(shot) for shot in some), per_task=per_task)
    found: list[tuple[float, Simulated]] = []
    for count in counts:
        crew = Crew(count, memory_gib=_SLEEPER_GIB)
        run = time_noop(some, folder / f"check-{count}", crew, repeat=False, job=sleep)
        simulated = simulate(asleep, len(some), count)
        first = per_task * float(np.mean(asleep.photo_s))
        # The first outcomes come with a whole task: it had been worked on before.
        found.append((run.wall_s - run.first_s + first, simulated))
    return found


def model_rows(costs: Costs, shots: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Return a row for each number of workers: what a library would take on a ready cluster."""
    rows = []
    for count in counts:
        run = simulate(costs, shots, count)
        rows.append(
            {
                "workers": count,
                "minutes": run.wall_s / 60,
                "photos_per_s": shots / run.wall_s,
                "ideal_per_s": count / float(np.mean(costs.photo_s)),
                "coordinator_busy": run.coordinator_busy,
                "workers_busy": run.workers_busy,
            }
        )
    return rows
