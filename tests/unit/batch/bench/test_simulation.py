"""Laws that any number of workers behind one coordinator obeys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch.bench.simulation import Costs, simulate
from focuskit.errors import RangeError

COSTS = Costs(
    (0.1,), task_s=0.0, row_s=0.0, worker_task_s=0.0, worker_shot_s=0.0, per_task=10, in_flight=3
)
SECONDS = st.floats(1e-4, 0.5)
ANY = st.builds(
    Costs,
    st.lists(SECONDS, min_size=1, max_size=5).map(tuple),
    task_s=st.floats(0, 0.01),
    row_s=st.floats(0, 0.01),
    worker_task_s=st.floats(0, 0.1),
    worker_shot_s=st.floats(0, 0.01),
    per_task=st.integers(1, 32),
    in_flight=st.integers(1, 4),
)


@pytest.mark.parametrize("workers", [1, 2, 4, 10])
def test_a_coordinator_that_costs_nothing_divides_the_time(workers: int) -> None:
    found = simulate(COSTS, 400, workers)

    assert found.wall_s == pytest.approx(40 / workers)
    assert found.workers_busy == pytest.approx(1)
    assert found.coordinator_busy == 0


def test_what_does_not_divide_evenly_leaves_workers_waiting() -> None:
    found = simulate(COSTS, 30, 2)

    assert found.wall_s == pytest.approx(2.0)
    assert found.workers_busy == pytest.approx(0.75)


def test_with_many_workers_the_coordinator_is_the_limit() -> None:
    costs = replace(COSTS, task_s=0.01, row_s=0.001)

    found = simulate(costs, 100_000, 2000)

    assert 100_000 / found.wall_s == pytest.approx(costs.most_per_s, rel=0.01)
    assert costs.most_per_s == pytest.approx(500)
    assert found.coordinator_busy > 0.99
    assert found.workers_busy < 0.05


def test_one_task_in_flight_leaves_a_worker_waiting_for_the_next() -> None:
    costs = replace(COSTS, task_s=0.5, in_flight=1)

    one, three = simulate(costs, 100, 1), simulate(replace(costs, in_flight=3), 100, 1)

    assert one.wall_s == pytest.approx(15)
    assert three.wall_s == pytest.approx(10.5)


@given(costs=ANY, shots=st.integers(1, 300), workers=st.integers(1, 40))
def test_no_run_is_faster_than_its_parts(costs: Costs, shots: int, workers: int) -> None:
    found = simulate(costs, shots, workers)

    tasks = -(-shots // costs.per_task)
    coordinator_s = tasks * costs.task_s + shots * costs.row_s
    longest_s = max(costs.photo_s)
    worker_s = tasks * costs.worker_task_s + shots * (costs.worker_shot_s + longest_s)
    assert found.wall_s >= coordinator_s * (1 - 1e-9)
    assert found.wall_s >= shots * min(costs.photo_s) / workers * (1 - 1e-9)
    assert found.wall_s <= (coordinator_s + worker_s) * (1 + 1e-9)
    assert 0 <= found.coordinator_busy <= 1 + 1e-9
    assert 0 < found.workers_busy <= 1 + 1e-9


@given(costs=ANY, shots=st.integers(1, 300), seed=st.integers(0, 9))
def test_a_run_is_the_same_every_time(costs: Costs, shots: int, seed: int) -> None:
    assert simulate(costs, shots, 3, seed=seed) == simulate(costs, shots, 3, seed=seed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"photo_s": ()},
        {"photo_s": (-1.0,)},
        {"task_s": -1.0},
        {"row_s": float("nan")},
        {"worker_task_s": -0.1},
        {"worker_shot_s": -0.1},
        {"per_task": 0},
        {"in_flight": 0},
    ],
)
def test_costs_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RangeError):
        replace(COSTS, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("shots", "workers"), [(0, 1), (1, 0)])
def test_a_run_needs_shots_and_workers(shots: int, workers: int) -> None:
    with pytest.raises(RangeError):
        simulate(COSTS, shots, workers)
