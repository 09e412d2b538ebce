"""What holds for the sets of any library, however odd."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from focuskit.cull.decide import Thresholds, decide, decide_sets
from focuskit.cull.measures import Measures
from focuskit.cull.sets import Bracket, Burst, Fingerprint, FocusStack, Panorama, find_sets
from focuskit.cull.subject import Region
from tests.shots import shot

DIAGONAL_PX = math.hypot(6000, 4000)
LIMIT_PX = Thresholds().limit_width_px(DIAGONAL_PX)

# Few places and times, so that shots are often alike, close together or at the same moment.
SHOTS = st.lists(
    st.builds(
        shot,
        st.one_of(st.none(), st.floats(0, 20), st.sampled_from([0.0, 0.3, 0.6, 0.9, 1.2])),
        scene=st.integers(1, 3),
        camera=st.sampled_from(["A", "B", None]),
        ev=st.one_of(st.none(), st.floats(-12, 2)),
        bias=st.sampled_from([None, -2.0, -1.0, 0.0, 1.0, 2.0]),
        name=st.sampled_from(["", "IMG_0001.JPG", "IMG_0002.JPG", "b/IMG_0002.JPG", "x.tif"]),
        x=st.sampled_from([0, 100, 200]),
        sigma=st.sampled_from([0.0, 1.0, 3.0]),
        gain=st.sampled_from([0.25, 0.5, 1.0]),
    ),
    max_size=16,
)


def _named(shots: list[Fingerprint]) -> list[Fingerprint]:
    """Give every shot a name of its own, as files have."""
    return [
        replace(each, name=f"{index % 2}/IMG_{(9996 + index) % 10000:04}.JPG")
        for index, each in enumerate(shots)
    ]


@given(SHOTS)
def test_every_shot_is_in_at_most_one_set_and_sets_have_two_and_more(
    shots: list[Fingerprint],
) -> None:
    sets = find_sets(shots)

    members = [index for found in sets for index in found.members]
    assert len(members) == len(set(members))
    assert set(members) <= set(range(len(shots)))
    assert all(len(found.members) >= 2 for found in sets)


@given(SHOTS, st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(shots: list[Fingerprint], random: object) -> None:
    named = _named(shots)
    mixed = list(named)
    random.shuffle(mixed)  # type: ignore[attr-defined]

    def found(library: list[Fingerprint]) -> set[tuple[str, tuple[str, ...]]]:
        return {
            (each.kind, tuple(library[index].name for index in each.members))
            for each in find_sets(library)
        }

    assert found(mixed) == found(named)


@given(SHOTS, SHOTS)
def test_shots_hours_apart_are_never_one_set(
    early: list[Fingerprint], late: list[Fingerprint]
) -> None:
    morning = [replace(each, taken_at=(each.taken_at or shot(0).taken_at)) for each in early]
    evening = [
        replace(each, taken_at=each.taken_at.replace(hour=20))
        for each in late
        if each.taken_at is not None
    ]

    for found in find_sets(morning + evening):
        assert len({index < len(morning) for index in found.members}) == 1


@given(SHOTS)
def test_shots_of_two_cameras_are_never_one_set(shots: list[Fingerprint]) -> None:
    for found in find_sets(shots):
        assert len({shots[index].camera for index in found.members}) == 1


@given(
    st.lists(st.floats(0.3, 9.0), min_size=2, max_size=9),
    st.lists(st.one_of(st.just(math.nan), st.floats(-60, 0)), min_size=9, max_size=9),
    st.sampled_from([Burst, Bracket, FocusStack, Panorama]),
)
def test_only_bursts_have_rejects_and_their_best_is_kept(
    widths_px: list[float], detail: list[float], kind: type[Burst]
) -> None:
    measures = [
        Measures(
            {
                "edge_width": width,
                "edge_count": 500.0,
                "in_focus_share": 0.6,
                "texture_share": 0.8,
                "motion_probability": 0.02,
                "motion_ratio": 1.1,
                "motion_width": width,
                "motion_angle": 45.0,
                "clipped_high": 0.0,
                "clipped_low": 0.0,
                "shared_detail": seen,
            },
            Region(0, 0, 384, 384, "in-focus area"),
        )
        for width, seen in zip(widths_px, detail, strict=False)
    ]
    alone = [decide(each, DIAGONAL_PX) for each in measures]

    decided = decide_sets(alone, measures, [kind(tuple(range(len(alone))))])

    if kind is Burst:
        (best,) = [each for each in decided if each.place and each.place.rank == 1]
        assert best.verdict != "reject"
    else:
        assert {each.verdict for each in decided} <= {"keeper", "cant-tell"}
        assert {each.place and each.place.rank for each in decided} == {0}
    # A frame that is sharp by itself is rejected for a sharper one of its burst alone.
    for before, after in zip(alone, decided, strict=True):
        assert kind is Burst or before.verdict == "reject" or after.verdict == before.verdict
