from __future__ import annotations

import time
from dataclasses import replace

import pytest

from focuskit.cull.sets import (
    Bracket,
    Burst,
    FocusStack,
    Panorama,
    find_duplicates,
    find_sets,
)
from tests.shots import focus_sweep, shot

EVENLY = [index / 6 for index in range(7)]


def test_frames_in_quick_succession_are_a_burst() -> None:
    sets = find_sets([shot(0.0), shot(0.3), shot(0.6), shot(60.0)])

    assert sets == [Burst((0, 1, 2))]


def test_order_of_the_files_does_not_matter() -> None:
    assert find_sets([shot(0.6), shot(90), shot(0.0), shot(0.3)]) == [Burst((2, 3, 0))]


def test_another_scene_another_camera_and_a_pause_end_a_burst() -> None:
    assert find_sets([shot(0), shot(1.0, scene=2)]) == []
    assert find_sets([shot(0), shot(0.3, camera="43")]) == []
    assert find_sets([shot(0), shot(5.0)]) == []


def test_interleaved_cameras_each_have_their_burst() -> None:
    shots = [shot(i * 0.2, camera="AB"[i % 2]) for i in range(6)]

    assert find_sets(shots) == [Burst((0, 2, 4)), Burst((1, 3, 5))]


def test_two_cameras_of_one_model_without_serials_are_told_apart_by_their_counters() -> None:
    shots = [
        shot(i * 0.2, camera=None, name=f"IMG_{i // 2 + (100, 7000)[i % 2]:04}.JPG")
        for i in range(6)
    ]

    assert find_sets(shots) == [Burst((0, 2, 4)), Burst((1, 3, 5))]


def test_a_counter_that_starts_anew_does_not_end_a_burst() -> None:
    shots = [shot(i * 0.2, name=f"IMG_{(9998 + i) % 10_000:04}.JPG") for i in range(4)]

    assert find_sets(shots) == [Burst((0, 1, 2, 3))]


def test_without_times_and_numbers_nothing_is_grouped() -> None:
    assert find_sets([shot(None), shot(None)]) == []


def test_without_times_numbers_and_likeness_tell() -> None:
    names = ("a/IMG_0009.jpg", "a/IMG_0010.jpg", "a/IMG_0011.jpg", "a/IMG_0013.jpg")
    shots = [
        shot(None, name=name, scene=scene) for name, scene in zip(names, (1, 1, 2, 2), strict=True)
    ]

    assert find_sets(shots) == [Burst((0, 1))]


@pytest.mark.parametrize("order", [(0, -2, 2), (-2, 0, 2), (2, 1, 0, -1, -2)])
def test_an_exposure_ladder_is_a_bracket(order: tuple[int, ...]) -> None:
    shots = [
        shot(i * 0.4, ev=-6.0 + step, gain=2.0**step, bias=None) for i, step in enumerate(order)
    ]

    assert find_sets(shots) == [Bracket(tuple(range(len(order))))]


def test_the_cameras_own_compensation_makes_a_bracket_of_small_steps() -> None:
    shots = [
        shot(i * 0.4, ev=-6 + step, bias=step, gain=2.0**step)
        for i, step in enumerate((0, -0.33, 0.33))
    ]

    assert find_sets(shots) == [Bracket((0, 1, 2))]


def test_a_bracket_of_flash_shows_in_the_pictures_alone() -> None:
    shots = [shot(i * 1.2, gain=gain) for i, gain in enumerate((0.6, 0.35, 0.95))]

    assert find_sets(shots) == [Bracket((0, 1, 2))]


def test_automatic_exposure_that_follows_the_light_is_still_a_burst() -> None:
    assert find_sets([shot(i * 0.2, ev=-6 + 0.7 * i) for i in range(4)]) == [Burst((0, 1, 2, 3))]


def test_a_burst_that_runs_into_a_bracket_is_cut_there() -> None:
    burst = [shot(i * 0.3, ev=-8.0, gain=0.4) for i in range(3)]
    ladder = [
        shot(1.2 + i * 0.3, ev=ev, gain=2 ** (ev + 3.5)) for i, ev in enumerate((-6.5, -4.5, -2.5))
    ]

    assert find_sets(burst + ladder) == [Burst((0, 1, 2)), Bracket((3, 4, 5))]


def test_long_exposures_of_a_bracket_do_not_part_it() -> None:
    at = (0.0, 0.5, 9.0)
    shots = [
        replace(shot(at[i], ev=step, bias=step, gain=2.0**step), exposure_s=4.0 * 2**step)
        for i, step in enumerate((-2, 0, 2))
    ]

    assert find_sets(shots) == [Bracket((0, 1, 2))]


@pytest.mark.parametrize("gap_s", [0.1, 3.0])
def test_a_focus_stack_is_no_burst(gap_s: float) -> None:
    assert find_sets(focus_sweep(EVENLY, gap_s)) == [FocusStack(tuple(range(7)))]
    assert find_sets(focus_sweep(EVENLY, gap_s)[::-1]) == [FocusStack(tuple(range(6, -1, -1)))]


def test_frames_exposed_anew_one_by_one_are_no_focus_stack() -> None:
    times_s = [1 / 1600, 1 / 50, 1 / 400, 1 / 25, 1 / 800, 1 / 100, 1 / 3200]
    stack = focus_sweep(EVENLY, 0.3)
    anew = [replace(frame, exposure_s=time) for frame, time in zip(stack, times_s, strict=True)]
    assert [found.kind for found in find_sets(anew)] == ["burst"]
    lamp_s = [1 / 50, 1 / 40, 1 / 50, 1 / 60, 1 / 50, 1 / 40, 1 / 50]
    flickering = [
        replace(frame, exposure_s=time) for frame, time in zip(stack, lamp_s, strict=True)
    ]
    assert [found.kind for found in find_sets(flickering)] == ["focus stack"]


def test_focus_that_missed_once_or_was_lost_is_a_burst() -> None:
    assert [found.kind for found in find_sets(focus_sweep([0.0] * 4 + [1.0] * 4, 0.1))] == ["burst"]
    lost = [shot(i * 0.2, sigma=0.5 * i) for i in range(6)]
    assert find_sets(lost) == [Burst(tuple(range(6)))]


@pytest.mark.parametrize(
    "planes",
    [
        (0.5, 0.0, 1.0),
        (0.5, 0.25, 0.75, 0.0, 1.0),
        (0.5, 0.25, 0.0, 0.75, 1.0),
        (0.5, 0.67, 0.83, 1.0, 0.33, 0.17, 0.0),
    ],
)
def test_a_focus_bracket_may_begin_in_the_middle(planes: tuple[float, ...]) -> None:
    assert find_sets(focus_sweep(planes, 0.5)) == [FocusStack(tuple(range(len(planes))))]


def test_two_focus_stacks_in_one_go_are_parted_where_the_focus_starts_over() -> None:
    frames = focus_sweep([*EVENLY, *EVENLY], 0.5)
    without_times = [
        replace(frame, taken_at=None, name=f"IMG_{index:04}.jpg")
        for index, frame in enumerate(frames)
    ]

    for shots in (frames, without_times):
        assert find_sets(shots) == [
            FocusStack(tuple(range(7))),
            FocusStack(tuple(range(7, 14))),
        ]


def test_distances_tell_where_the_focus_starts_over() -> None:
    distances = [0.4, 0.42, 0.45, 0.5, 0.38, 0.41, 0.47, 0.5]
    shots = [
        replace(shot(i * 0.5), focus_distance_m=distance) for i, distance in enumerate(distances)
    ]

    assert find_sets(shots) == [FocusStack((0, 1, 2, 3)), FocusStack((4, 5, 6, 7))]


def test_a_flat_subject_that_the_focus_passes_is_a_stack() -> None:
    shots = [shot(i * 0.5, sigma=abs(i - 3) or 0.3) for i in range(7)]

    assert find_sets(shots) == [FocusStack(tuple(range(7)))]


def test_a_burst_does_not_run_into_a_stack() -> None:
    stack = focus_sweep(EVENLY, 0.3)
    elsewhere = [shot(-2.0 + i * 0.3, scene=3, x=60) for i in range(4)]

    kinds = [(found.kind, len(found.members)) for found in find_sets([*elsewhere, *stack])]

    assert ("focus stack", 7) in kinds


@pytest.mark.parametrize("step_px", [90, 150, 190])
def test_overlapping_frames_are_a_panorama(step_px: int) -> None:
    shots = [shot(2.0 * i, x=step_px * i) for i in range(4)]

    assert find_sets(shots) == [Panorama((0, 1, 2, 3))]
    assert find_sets(shots[::-1]) == [Panorama((3, 2, 1, 0))]


def test_a_fast_pan_is_a_burst() -> None:
    assert find_sets([shot(0.1 * i, x=60 * i) for i in range(5)]) == [Burst((0, 1, 2, 3, 4))]


def test_a_clock_set_back_between_shots_parts_them_and_loses_none() -> None:
    before = [shot(3600 + i * 0.3, name=f"IMG_{i + 1:04}.JPG") for i in range(3)]
    after = [shot(i * 0.3, scene=2, name=f"IMG_{i + 4:04}.JPG") for i in range(3)]

    assert find_sets(before + after) == [Burst((3, 4, 5)), Burst((0, 1, 2))]


def test_a_clock_set_back_onto_other_shots_is_told_by_the_counter() -> None:
    first = [shot(i * 0.4, name=f"IMG_{i + 1:04}.JPG") for i in range(3)]
    second = [shot(0.2 + i * 0.4, name=f"IMG_{i + 501:04}.JPG") for i in range(3)]

    assert find_sets(first + second) == [Burst((0, 1, 2)), Burst((3, 4, 5))]


@pytest.mark.parametrize(
    "names",
    [
        ("a/IMG_9998.jpg", "a/IMG_9999.jpg", "a/IMG_0001.jpg", "a/IMG_0002.jpg"),
        ("100CANON/IMG_9999.jpg", "101CANON/IMG_0001.jpg"),
    ],
)
def test_without_times_a_counter_that_starts_anew_goes_on(names: tuple[str, ...]) -> None:
    shots = [shot(None, name=name) for name in names]

    assert find_sets(shots) == [Burst(tuple(range(len(names))))]


def test_without_times_names_of_two_cameras_in_one_folder_keep_apart() -> None:
    shots = [
        shot(None, name=f"{letters}_{number:04}.jpg", scene=scene)
        for number in range(3)
        for letters, scene in (("DSC", 1), ("IMG", 2))
    ]

    assert find_sets(shots) == [Burst((0, 2, 4)), Burst((1, 3, 5))]


@pytest.mark.parametrize("name", ["copy/IMG_0002.JPG", "backup of the second.jpg"])
def test_copies_are_named_and_belong_to_no_set_twice(name: str) -> None:
    shots = [
        replace(shot(i * 0.3, name=f"a/IMG_{i + 1:04}.JPG"), digest=bytes([i])) for i in range(3)
    ]
    copy = replace(shots[1], name=name)

    assert find_duplicates([*shots, copy]) == {3: 1}
    assert find_duplicates([copy, *shots]) == {0: 2}
    assert find_sets([*shots, copy]) == [Burst((0, 1, 2))]


def test_a_large_library_is_grouped_in_seconds() -> None:
    shots = [shot(i * 1.5, scene=i // 5 % 7, name=f"{i % 2}/IMG_{i:05}.jpg") for i in range(4000)]

    start = time.perf_counter()
    sets = find_sets(shots)

    assert time.perf_counter() - start < 8
    assert sum(len(found.members) for found in sets) == 4000
