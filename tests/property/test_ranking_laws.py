"""What must hold of every burst, whatever its frames are like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from focuskit.color import linearise_srgb
from focuskit.cull.measures import Measures
from focuskit.cull.ranking import sharpest_first
from focuskit.cull.same_place import brighter_by, seek
from focuskit.cull.subject import Region
from focuskit.cull.views import View, view_of
from focuskit.photo import Photo
from tests.scenes import make_scene

BOX = Region(0, 0, 300, 300, "in-focus area")
Frame = tuple[float, float]

widths = st.floats(0.65, 8) | st.just(math.inf)
details = st.floats(-60, -10) | st.just(math.nan)
frames = st.lists(st.tuples(widths, details), min_size=1, max_size=8, unique=True)


def _order(of: Sequence[Frame]) -> list[Frame]:
    measures = [Measures({"edge_width": width, "shared_detail": det}, BOX) for width, det in of]
    order = sharpest_first(range(len(of)), measures, dict(enumerate(width for width, _ in of)))
    assert sorted(order) == list(range(len(of)))
    return [of[index] for index in order]


@given(frames, st.randoms(use_true_random=False))
def test_the_order_in_which_frames_come_does_not_matter(of: list[Frame], chance: object) -> None:
    numbers = [value for frame in of for value in frame if math.isfinite(value)]
    # Frames that tie may come in any order.
    assume(len(set(numbers)) == len(numbers))
    assume(sum(math.isinf(width) for width, _ in of) <= 1)
    shuffled = list(of)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    assert repr(_order(shuffled)) == repr(_order(of))


@given(frames, st.floats(1.0001, 4), st.floats(0.01, 20) | st.just(math.nan))
def test_a_blurrier_frame_never_changes_the_first(
    of: list[Frame], wider: float, less: float
) -> None:
    first = _order(of)[0]
    blurrier = (first[0] * wider, first[1] - less)

    assert _order([*of, blurrier])[0] == first


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 120), st.integers(0, 80), st.floats(0.8, 1.25))
def test_what_a_box_shows_is_found_wherever_it_moved(x: int, y: int, gain: float) -> None:
    scene = make_scene(400, 600, seed=5)
    box = view_of(Photo(np.ascontiguousarray(scene[100:228, 200:328])))
    # The camera drifts by up to 120 px: the scene moves the other way.
    moved = np.roll(scene, (y - 40, x - 60), axis=(0, 1)) * np.float32(gain)
    small = np.asarray(cv2.resize(moved, (300, 200), interpolation=cv2.INTER_AREA), np.float32)

    found = seek(box, (128, 128), Photo(small), near=(200 / 600, 100 / 400))

    assert found.likeness > 0.9
    assert abs(found.x - (200 + x - 60)) <= 4
    assert abs(found.y - (100 + y - 40)) <= 4


@settings(max_examples=25, deadline=None)
@given(st.floats(0.75, 1.3), st.integers(-8, 8), st.integers(-8, 8))
def test_how_much_brighter_a_frame_is_shows_wherever_it_drifted(
    gain: float, x: int, y: int
) -> None:
    encoded = 0.1 + 0.6 * make_scene(240, 360, seed=2)

    def seen(left: int, top: int, factor: float) -> View:
        cut = encoded[top : top + 200, left : left + 300] * np.float32(factor)
        return view_of(Photo(linearise_srgb(np.ascontiguousarray(cut, np.float32))))

    found = brighter_by(seen(30, 20, 1.0), seen(30 + x, 20 + y, gain))

    assert abs(found / gain - 1) < 0.06
