from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from focuskit.batch.crew import Crew, cores
from focuskit.batch.library import Problem, Shot
from focuskit.batch.runner import run_shots
from focuskit.errors import PhotoUnreadableError


def _shots(count: int) -> list[Shot]:
    return [
        Shot(f"{i:03d}.jpg", Path(f"{i:03d}.jpg"), (Path(f"{i:03d}.jpg"),)) for i in range(count)
    ]


def double(shot: Shot) -> int:
    return int(shot.judged.stem) * 2


def refuse_odd(shot: Shot) -> int:
    if int(shot.judged.stem) % 2:
        raise PhotoUnreadableError(f"{shot.judged} is odd.")
    return int(shot.judged.stem)


def die_on_five(shot: Shot) -> int:
    if int(shot.judged.stem) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return int(shot.judged.stem)


def break_on_three(shot: Shot) -> int:
    return 1 // (int(shot.judged.stem) - 3)


@pytest.mark.parametrize("count", [1, 5, 40])
def test_every_shot_is_done_once(count: int) -> None:
    outcomes = {each.shot.name: each.result for each in run_shots(double, _shots(count), Crew(2))}

    assert outcomes == {f"{i:03d}.jpg": 2 * i for i in range(count)}


def test_nothing_to_do_starts_nothing() -> None:
    assert list(run_shots(double, [])) == []


def test_a_photo_that_fails_does_not_stop_the_others() -> None:
    outcomes = {each.shot.name: each.result for each in run_shots(refuse_odd, _shots(6))}

    failed = [name for name, outcome in outcomes.items() if isinstance(outcome, Problem)]
    assert sorted(failed) == ["001.jpg", "003.jpg", "005.jpg"]
    assert outcomes["001.jpg"] == Problem("001.jpg", "001.jpg is odd.")
    assert outcomes["004.jpg"] == 4


def test_a_photo_that_kills_its_worker_is_named_and_the_others_are_done() -> None:
    outcomes = {each.shot.name: each.result for each in run_shots(die_on_five, _shots(40))}

    assert len(outcomes) == 40
    assert isinstance(outcomes["005.jpg"], Problem)
    assert "took its worker process down" in outcomes["005.jpg"].message
    assert {name for name, outcome in outcomes.items() if isinstance(outcome, Problem)} == {
        "005.jpg"
    }


@pytest.mark.parametrize("count", [5, 40])
def test_a_bug_costs_one_photo_and_is_named_as_such(count: int) -> None:
    outcomes = {each.shot.name: each.result for each in run_shots(break_on_three, _shots(count))}

    failed = {name: each for name, each in outcomes.items() if isinstance(each, Problem)}
    assert len(outcomes) == count
    assert list(failed) == ["003.jpg"]
    assert "ZeroDivisionError" in failed["003.jpg"].message
    assert "at test_runner.py:" in failed["003.jpg"].message
    assert "this is a bug" in failed["003.jpg"].message


def test_there_is_at_least_one_core() -> None:
    assert cores() >= 1


def hang_on_five(shot: Shot) -> int:
    if int(shot.judged.stem) == 5:
        time.sleep(600)
    return int(shot.judged.stem)


def hang_in_a_library_on_five(shot: Shot) -> int:
    if int(shot.judged.stem) == 5:
        # Unlike Python's own, this sleep lets no other thread of the process run.
        ctypes.PyDLL(None).sleep(600)
    return int(shot.judged.stem)


def eat_memory_on_five(shot: Shot) -> int:
    eaten = []
    while int(shot.judged.stem) == 5:
        eaten.append(os.urandom(16 << 20))
    return len(eaten)


def crash_on_five(shot: Shot) -> int:
    if int(shot.judged.stem) == 5:
        ctypes.string_at(0)
    return int(shot.judged.stem)


@pytest.mark.parametrize("count", [8, 40])
def test_a_photo_that_hangs_is_given_up(count: int) -> None:
    started = time.monotonic()

    outcomes = list(run_shots(hang_on_five, _shots(count), Crew(2, time_limit_s=1.5)))

    assert time.monotonic() - started < 60
    failed = {each.shot.name: each.result for each in outcomes if isinstance(each.result, Problem)}
    assert len(outcomes) == count
    assert list(failed) == ["005.jpg"]
    assert "took longer than 1.5 s" in failed["005.jpg"].message
    assert failed["005.jpg"].again


@pytest.mark.slow
@pytest.mark.parametrize("job", [hang_in_a_library_on_five, eat_memory_on_five, crash_on_five])
def test_a_process_that_is_lost_costs_one_photo(job: Callable[[Shot], int]) -> None:
    crew = Crew(2, time_limit_s=3.0, memory_gib=0.75)

    outcomes = list(run_shots(job, _shots(40), crew))

    failed = {each.shot.name for each in outcomes if isinstance(each.result, Problem)}
    assert sorted(each.shot.name for each in outcomes) == [f"{i:03d}.jpg" for i in range(40)]
    assert failed == {"005.jpg"}
