from __future__ import annotations

import math

from focuskit.cull.measures import Measures
from focuskit.cull.ranking import sharpest_first
from focuskit.cull.subject import Region

BOX = Region(0, 0, 300, 300, "in-focus area")
BLIND = (math.inf, math.nan)


def _order(*frames: tuple[float, float]) -> list[int]:
    measures = [Measures({"edge_width": width, "shared_detail": det}, BOX) for width, det in frames]
    return sharpest_first(
        range(len(frames)), measures, dict(enumerate(width for width, _ in frames))
    )


def test_detail_at_the_shared_place_decides() -> None:
    assert _order((0.80, -31), (0.82, -30), (1.2, -33)) == [1, 0, 2]


def test_without_a_shared_place_widths_decide() -> None:
    assert _order((0.82, math.nan), (0.80, math.nan), (1.2, math.nan)) == [1, 0, 2]


def test_a_frame_that_does_not_show_the_place_comes_after_those_that_do() -> None:
    assert _order((0.80, math.nan), (0.82, -30), (0.9, -33)) == [1, 2, 0]


def test_frames_that_cannot_be_judged_come_last() -> None:
    assert _order(BLIND, (0.80, -31), (0.82, -30)) == [2, 1, 0]
    assert _order(BLIND, BLIND) == [0, 1]
