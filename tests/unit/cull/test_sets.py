from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.cull.sets import Bracket, Burst, Fingerprint, find_sets

START = datetime(2026, 5, 17, 10, 30)
SCENE, OTHER_SCENE = 0x0F0F0F0F0F0F0F0F, 0x33CC33CC33CC33CC


def _shot(
    at_s: float | None,
    *,
    bits: int = SCENE,
    camera: str | None = "42",
    ev: float | None = -6.0,
    bias: float | None = 0.0,
) -> Fingerprint:
    taken = None if at_s is None else START + timedelta(seconds=at_s)
    return Fingerprint(bits, taken, camera, ev, bias)


def test_frames_in_quick_succession_are_a_burst() -> None:
    sets = find_sets([_shot(0.0), _shot(0.3), _shot(0.6), _shot(60.0)])

    assert sets == [Burst((0, 1, 2))]


def test_order_of_the_files_does_not_matter() -> None:
    assert find_sets([_shot(0.6), _shot(90), _shot(0.0), _shot(0.3)]) == [Burst((2, 3, 0))]


def test_another_scene_another_camera_and_a_pause_end_a_burst() -> None:
    assert find_sets([_shot(0), _shot(0.3, bits=OTHER_SCENE)]) == []
    assert find_sets([_shot(0), _shot(0.3, camera="43")]) == []
    assert find_sets([_shot(0), _shot(5.0)]) == []


def test_interleaved_cameras_each_have_their_burst() -> None:
    shots = [_shot(i * 0.2, camera="AB"[i % 2]) for i in range(6)]

    assert find_sets(shots) == [Burst((0, 2, 4)), Burst((1, 3, 5))]


def test_without_a_time_nothing_is_grouped() -> None:
    assert find_sets([_shot(None), _shot(None)]) == []


@pytest.mark.parametrize("order", [(0, -2, 2), (-2, 0, 2), (2, 1, 0, -1, -2)])
def test_an_exposure_ladder_is_a_bracket_however_it_looks(order: tuple[int, ...]) -> None:
    shots = [
        _shot(i * 0.4, ev=-6.0 + step, bits=random.Random(i).getrandbits(64), bias=None)
        for i, step in enumerate(order)
    ]

    assert find_sets(shots) == [Bracket(tuple(range(len(order))))]


def test_the_cameras_own_compensation_makes_a_bracket_of_small_steps() -> None:
    shots = [_shot(i * 0.4, ev=-6 + step, bias=step) for i, step in enumerate((0, -0.33, 0.33))]

    assert find_sets(shots) == [Bracket((0, 1, 2))]


def test_automatic_exposure_that_drifts_is_still_a_burst() -> None:
    shots = [_shot(i * 0.2, ev=-6 + 0.33 * i) for i in range(4)]

    assert find_sets(shots) == [Burst((0, 1, 2, 3))]


def test_a_burst_that_runs_into_a_bracket_is_cut_there() -> None:
    burst = [_shot(i * 0.3, ev=-8.0) for i in range(3)]
    ladder = [_shot(1.2 + i * 0.3, ev=ev) for i, ev in enumerate((-6.5, -4.5, -2.5))]

    assert find_sets(burst + ladder) == [Burst((0, 1, 2)), Bracket((3, 4, 5))]


def test_slow_drift_of_the_scene_does_not_chain_for_ever() -> None:
    shots, bits = [], 0
    for index in range(8):
        shots.append(_shot(index * 0.3, bits=bits))
        bits |= ((1 << 8) - 1) << (8 * index)

    sets = find_sets(shots)

    assert len(sets) >= 2
    assert max(len(found.members) for found in sets) <= 5


@given(
    st.lists(
        st.builds(
            _shot,
            st.one_of(st.none(), st.floats(0, 20)),
            bits=st.integers(0, 2**64 - 1),
            camera=st.sampled_from(["A", "B", None]),
            ev=st.one_of(st.none(), st.floats(-12, 2)),
            bias=st.one_of(st.none(), st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])),
        ),
        max_size=25,
    )
)
def test_no_shot_is_in_two_sets_and_every_set_has_two(shots: list[Fingerprint]) -> None:
    members = [index for found in find_sets(shots) for index in found.members]

    assert len(members) == len(set(members))
    assert all(len(found.members) >= 2 for found in find_sets(shots))
    assert all(shots[index].taken_at is not None for index in members)
