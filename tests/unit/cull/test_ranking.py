from __future__ import annotations

import math

from focuskit.cull.measures import Measures
from focuskit.cull.ranking import sharpest_first
from focuskit.cull.subject import Region


def _frame(width: float, detail: float, *, x: int = 0) -> Measures:
    region = Region(x, 0, 300, 300, "in-focus area")
    return Measures({"edge_width": width, "detail": detail}, region)


def _order(*frames: Measures) -> list[int]:
    widths = {index: frame["edge_width"] for index, frame in enumerate(frames)}
    return sharpest_first(range(len(frames)), frames, widths, tolerance=1.12)


def test_in_one_box_detail_decides() -> None:
    assert _order(_frame(0.80, -31), _frame(0.82, -30), _frame(1.2, -33)) == [1, 0, 2]


def test_between_boxes_widths_decide() -> None:
    assert _order(_frame(0.80, -31), _frame(0.82, -30, x=150), _frame(1.2, -20)) == [0, 1, 2]


def test_detail_that_came_into_the_box_does_not_win() -> None:
    assert _order(_frame(0.80, -31), _frame(1.4, -20)) == [0, 1]


def test_frames_that_cannot_be_judged_come_last() -> None:
    blind = _frame(math.inf, math.nan)

    assert _order(blind, _frame(0.80, -31), _frame(0.82, -30)) == [2, 1, 0]
    assert _order(blind, blind) == [0, 1]
