"""A model of many workers and one coordinator, for clusters that are not at hand."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from focuskit.check import check_range
from focuskit.errors import RangeError

__all__ = ["Costs", "Simulated", "simulate"]


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run costs, as measured.

    The coordinator does one thing after the other: a task costs it `task_s` and `row_s` for each
    of its shots. Workers take whatever task was handed out first.

    Attributes:
        photo_s: times of single photos in a worker; simulated ones are drawn from these.
        task_s: of the coordinator for each task: handing it out, taking it back.
        row_s: of the coordinator for each shot: taking the outcome, writing the row.
        worker_task_s: of a worker for each task, besides its shots.
        worker_shot_s: of a worker for each shot, besides the photo.
        per_task: shots in a task.
        in_flight: tasks handed out at a time, for each worker.

    Raises:
        RangeError: a time or count makes no sense.
    """

    photo_s: tuple[float, ...]
    task_s: float
    row_s: float
    worker_task_s: float
    worker_shot_s: float
    per_task: int
    in_flight: int

    def __post_init__(self) -> None:
        if not self.photo_s or min(self.photo_s) < 0:
            raise RangeError(
                f"Times of photos must be measured and not negative, got {self.photo_s}."
            )
        check_range("task_s", self.task_s, low=0, unit="s")
        check_range("row_s", self.row_s, low=0, unit="s")
        check_range("worker_task_s", self.worker_task_s, low=0, unit="s")
        check_range("worker_shot_s", self.worker_shot_s, low=0, unit="s")
        check_range("per_task", self.per_task, low=1)
        check_range("in_flight", self.in_flight, low=1)

    @property
    def most_per_s(self) -> float:
        """Shots per second that the coordinator can see to, however many workers there are."""
        each = self.task_s / self.per_task + self.row_s
        return 1 / each if each else float("inf")


@dataclass(frozen=True, slots=True)
class Simulated:
    """How a run goes.

    Attributes:
        workers: how many there were.
        wall_s: from the first task handed out to the last row written.
        coordinator_busy, workers_busy: shares of that time.
    """

    workers: int
    wall_s: float
    coordinator_busy: float
    workers_busy: float


def simulate(costs: Costs, shots: int, workers: int, *, seed: int = 0) -> Simulated:
    """Run a library through workers that are ready, in a discrete-event simulation.

    Args:
        costs: what things cost.
        shots: how many there are.
        workers: how many work.
        seed: of the times that are drawn.

    Raises:
        RangeError: there are no shots or no workers.
    """
    check_range("shots", shots, low=1)
    check_range("workers", workers, low=1)
    run = _Run(costs, _tasks(costs, shots, seed), workers)
    wall_s = run.last_row_s()
    return Simulated(workers, wall_s, run.coordinator_s / wall_s, run.worker_s / (wall_s * workers))


@dataclass(frozen=True, slots=True)
class _Task:
    shots: int
    seconds: float


def _tasks(costs: Costs, shots: int, seed: int) -> Iterator[_Task]:
    rng = np.random.default_rng(seed)
    for first in range(0, shots, costs.per_task):
        count = min(costs.per_task, shots - first)
        photos_s = float(rng.choice(costs.photo_s, count).sum())
        yield _Task(count, costs.worker_task_s + count * costs.worker_shot_s + photos_s)


class _Run:
    """One run; time passes from event to event."""

    def __init__(self, costs: Costs, tasks: Iterable[_Task], workers: int) -> None:
        self._costs = costs
        self._left = iter(tasks)
        self._workers = workers
        self._idle = workers
        self._waiting: deque[_Task] = deque()
        # (when, order, task, handed out or finished); the order breaks ties.
        self._events: list[tuple[float, int, _Task, bool]] = []
        self._order = 0
        self._free_at = 0.0
        self.coordinator_s = 0.0
        self.worker_s = 0.0

    def last_row_s(self) -> float:
        for _ in range(self._costs.in_flight * self._workers):
            self._hand_out()
        while self._events:
            now, _, task, finished = heapq.heappop(self._events)
            if finished:
                self._idle += 1
                self._coordinate(now, task.shots * self._costs.row_s)
                self._hand_out()
            else:
                self._waiting.append(task)
            while self._idle and self._waiting:
                self._start(now, self._waiting.popleft())
        return self._free_at

    def _hand_out(self) -> None:
        task = next(self._left, None)
        if task is not None:
            self._coordinate(0.0, self._costs.task_s)
            self._happens(self._free_at, task, finished=False)

    def _start(self, now: float, task: _Task) -> None:
        self._idle -= 1
        self.worker_s += task.seconds
        self._happens(now + task.seconds, task, finished=True)

    def _coordinate(self, now: float, seconds: float) -> None:
        self._free_at = max(self._free_at, now) + seconds
        self.coordinator_s += seconds

    def _happens(self, when: float, task: _Task, *, finished: bool) -> None:
        self._order += 1
        heapq.heappush(self._events, (when, self._order, task, finished))
