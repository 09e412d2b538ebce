from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.cull.sets import (
    Bracket,
    Burst,
    Fingerprint,
    FocusStack,
    Panorama,
    find_duplicates,
    find_sets,
    fingerprint,
)
from focuskit.photo import Exif, Photo

START = datetime(2026, 5, 17, 10, 30)
SIZE = (240, 160)


@lru_cache
def _scene(seed: int) -> NDArray[np.float32]:
    """A scene of (320, 960) with detail of every size."""
    rng = np.random.default_rng(seed)
    light = np.zeros((320, 960), np.float32)
    for cells in (3, 12, 48, 160):
        noise = rng.random((cells, 3 * cells), dtype=np.float32)
        light += cv2.resize(noise, (960, 320), interpolation=cv2.INTER_LINEAR)
    return light / light.max()


@lru_cache
def _seen(seed: int, x: int = 0, sigma: float = 0.0, gain: float = 1.0) -> Fingerprint:
    light = _scene(seed)[80 : 80 + SIZE[1], x : x + SIZE[0]] * np.float32(gain)
    if sigma:
        light = cv2.GaussianBlur(light, (0, 0), sigma)
    rgb = np.repeat(np.clip(light, 0, 1)[..., None], 3, axis=2)
    return fingerprint(Photo(np.ascontiguousarray(rgb), Exif()))


def _shot(
    at_s: float | None,
    *,
    scene: int = 1,
    camera: str | None = "42",
    ev: float | None = -6.0,
    bias: float | None = 0.0,
    name: str = "",
    x: int = 0,
    sigma: float = 0.0,
    gain: float = 1.0,
) -> Fingerprint:
    taken = None if at_s is None else START + timedelta(seconds=at_s)
    return replace(
        _seen(scene, x, sigma, gain),
        taken_at=taken,
        camera=camera,
        exposure_ev=ev,
        exposure_bias_ev=bias,
        name=name,
        digest=b"",
    )


def _stack(count: int, gap_s: float, *, jump: bool = False) -> list[Fingerprint]:
    """Frames focused from left to right; with `jump`, in one step."""
    frames = []
    scene = _scene(3)[80 : 80 + SIZE[1], : SIZE[0]]
    for index in range(count):
        plane = round(index / (count - 1)) if jump else index / (count - 1)
        light = np.empty_like(scene)
        for left in range(0, SIZE[0], 20):
            away = abs(left / (SIZE[0] - 20) - plane)
            soft = cv2.GaussianBlur(scene, (0, 0), 0.3 + 4 * away)
            light[:, left : left + 20] = soft[:, left : left + 20]
        rgb = np.repeat(light[..., None], 3, axis=2)
        exif = Exif(serial="42", taken_at=START + timedelta(seconds=index * gap_s))
        frames.append(fingerprint(Photo(np.ascontiguousarray(rgb), exif)))
    return frames


def test_frames_in_quick_succession_are_a_burst() -> None:
    sets = find_sets([_shot(0.0), _shot(0.3), _shot(0.6), _shot(60.0)])

    assert sets == [Burst((0, 1, 2))]


def test_order_of_the_files_does_not_matter() -> None:
    assert find_sets([_shot(0.6), _shot(90), _shot(0.0), _shot(0.3)]) == [Burst((2, 3, 0))]


def test_another_scene_another_camera_and_a_pause_end_a_burst() -> None:
    assert find_sets([_shot(0), _shot(1.0, scene=2)]) == []
    assert find_sets([_shot(0), _shot(0.3, camera="43")]) == []
    assert find_sets([_shot(0), _shot(5.0)]) == []


def test_interleaved_cameras_each_have_their_burst() -> None:
    shots = [_shot(i * 0.2, camera="AB"[i % 2]) for i in range(6)]

    assert find_sets(shots) == [Burst((0, 2, 4)), Burst((1, 3, 5))]


def test_two_cameras_of_one_model_without_serials_are_told_apart_by_their_counters() -> None:
    shots = [
        _shot(i * 0.2, camera=None, name=f"IMG_{i // 2 + (100, 7000)[i % 2]:04}.JPG")
        for i in range(6)
    ]

    assert find_sets(shots) == [Burst((0, 2, 4)), Burst((1, 3, 5))]


def test_a_counter_that_starts_anew_does_not_end_a_burst() -> None:
    shots = [_shot(i * 0.2, name=f"IMG_{(9998 + i) % 10_000:04}.JPG") for i in range(4)]

    assert find_sets(shots) == [Burst((0, 1, 2, 3))]


def test_without_times_and_numbers_nothing_is_grouped() -> None:
    assert find_sets([_shot(None), _shot(None)]) == []


def test_without_times_numbers_and_likeness_tell() -> None:
    names = ("a/IMG_0009.jpg", "a/IMG_0010.jpg", "a/IMG_0011.jpg", "a/IMG_0013.jpg")
    shots = [
        _shot(None, name=name, scene=scene) for name, scene in zip(names, (1, 1, 2, 2), strict=True)
    ]

    assert find_sets(shots) == [Burst((0, 1))]


@pytest.mark.parametrize("order", [(0, -2, 2), (-2, 0, 2), (2, 1, 0, -1, -2)])
def test_an_exposure_ladder_is_a_bracket(order: tuple[int, ...]) -> None:
    shots = [
        _shot(i * 0.4, ev=-6.0 + step, gain=2.0**step, bias=None) for i, step in enumerate(order)
    ]

    assert find_sets(shots) == [Bracket(tuple(range(len(order))))]


def test_the_cameras_own_compensation_makes_a_bracket_of_small_steps() -> None:
    shots = [
        _shot(i * 0.4, ev=-6 + step, bias=step, gain=2.0**step)
        for i, step in enumerate((0, -0.33, 0.33))
    ]

    assert find_sets(shots) == [Bracket((0, 1, 2))]


def test_a_bracket_of_flash_shows_in_the_pictures_alone() -> None:
    shots = [_shot(i * 1.2, gain=gain) for i, gain in enumerate((0.6, 0.35, 0.95))]

    assert find_sets(shots) == [Bracket((0, 1, 2))]


def test_automatic_exposure_that_follows_the_light_is_still_a_burst() -> None:
    assert find_sets([_shot(i * 0.2, ev=-6 + 0.7 * i) for i in range(4)]) == [Burst((0, 1, 2, 3))]


def test_a_burst_that_runs_into_a_bracket_is_cut_there() -> None:
    burst = [_shot(i * 0.3, ev=-8.0, gain=0.4) for i in range(3)]
    ladder = [
        _shot(1.2 + i * 0.3, ev=ev, gain=2 ** (ev + 3.5)) for i, ev in enumerate((-6.5, -4.5, -2.5))
    ]

    assert find_sets(burst + ladder) == [Burst((0, 1, 2)), Bracket((3, 4, 5))]


def test_long_exposures_of_a_bracket_do_not_part_it() -> None:
    at = (0.0, 0.5, 9.0)
    shots = [
        replace(_shot(at[i], ev=step, bias=step, gain=2.0**step), exposure_s=4.0 * 2**step)
        for i, step in enumerate((-2, 0, 2))
    ]

    assert find_sets(shots) == [Bracket((0, 1, 2))]


@pytest.mark.parametrize("gap_s", [0.1, 3.0])
def test_a_focus_stack_is_no_burst(gap_s: float) -> None:
    assert find_sets(_stack(7, gap_s)) == [FocusStack(tuple(range(7)))]
    assert find_sets(_stack(7, gap_s)[::-1]) == [FocusStack(tuple(range(6, -1, -1)))]


def test_focus_that_missed_once_or_was_lost_is_a_burst() -> None:
    assert [found.kind for found in find_sets(_stack(8, 0.1, jump=True))] == ["burst"]
    lost = [_shot(i * 0.2, sigma=0.5 * i) for i in range(6)]
    assert find_sets(lost) == [Burst(tuple(range(6)))]


@pytest.mark.parametrize("step_px", [90, 150, 190])
def test_overlapping_frames_are_a_panorama(step_px: int) -> None:
    shots = [_shot(2.0 * i, x=step_px * i) for i in range(4)]

    assert find_sets(shots) == [Panorama((0, 1, 2, 3))]
    assert find_sets(shots[::-1]) == [Panorama((3, 2, 1, 0))]


def test_a_fast_pan_is_a_burst() -> None:
    assert find_sets([_shot(0.1 * i, x=60 * i) for i in range(5)]) == [Burst((0, 1, 2, 3, 4))]


def test_copies_are_named_and_belong_to_no_set_twice() -> None:
    shots = [replace(_shot(i * 0.3), digest=bytes([i])) for i in range(3)]
    shots.append(replace(shots[1], name="copy/IMG_1.jpg"))

    assert find_duplicates(shots) == {3: 1}
    assert find_sets(shots) == [Burst((0, 1, 2))]


def test_a_large_library_is_grouped_in_seconds() -> None:
    shots = [_shot(i * 1.5, scene=i // 5 % 7, name=f"{i % 2}/IMG_{i:05}.jpg") for i in range(4000)]

    start = time.perf_counter()
    sets = find_sets(shots)

    assert time.perf_counter() - start < 8
    assert sum(len(found.members) for found in sets) == 4000


@given(
    st.lists(
        st.builds(
            _shot,
            st.one_of(st.none(), st.floats(0, 20)),
            scene=st.integers(1, 3),
            camera=st.sampled_from(["A", "B", None]),
            ev=st.one_of(st.none(), st.floats(-12, 2)),
            bias=st.one_of(st.none(), st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])),
            name=st.sampled_from(["", "IMG_0001.JPG", "IMG_0002.JPG", "b/IMG_0002.JPG", "x.tif"]),
            x=st.sampled_from([0, 100]),
        ),
        max_size=20,
    )
)
def test_no_shot_is_in_two_sets_and_every_set_has_two(shots: list[Fingerprint]) -> None:
    members = [index for found in find_sets(shots) for index in found.members]

    assert len(members) == len(set(members))
    assert all(len(found.members) >= 2 for found in find_sets(shots))
