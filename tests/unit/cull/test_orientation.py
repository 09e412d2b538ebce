from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.cull.orientation import DIRECTIONS, fit_ellipse

THETA = np.arange(DIRECTIONS) * math.pi / DIRECTIONS


def _moved(length: float, angle_deg: float, width: float = 0.7) -> np.ndarray:
    across = np.cos(THETA - math.radians(angle_deg)) ** 2
    return np.sqrt(width**2 + length**2 / 12 * across)


@given(st.floats(3, 20), st.floats(0, 179))
def test_motion_is_found_whatever_its_direction(length: float, angle: float) -> None:
    ellipse = fit_ellipse(_moved(length, angle))

    assert ellipse is not None
    assert ellipse.long_px == pytest.approx(math.sqrt(0.49 + length**2 / 12), rel=1e-3)
    assert ellipse.short_px == pytest.approx(0.7, rel=1e-3)
    assert abs((ellipse.angle_deg - angle + 90) % 180 - 90) < 0.5


def test_even_blur_has_no_direction() -> None:
    ellipse = fit_ellipse(np.full(DIRECTIONS, 2.0))

    assert ellipse is not None
    assert ellipse.long_px == pytest.approx(ellipse.short_px)


def test_some_directions_may_be_missing() -> None:
    widths = _moved(11, 28)
    widths[[2, 6, 7]] = math.nan

    ellipse = fit_ellipse(widths)

    assert ellipse is not None
    assert abs(ellipse.angle_deg - 28) < 1


@pytest.mark.parametrize("known", [[], [0], [0, 1, 2, 3], [0, 4, 1]])
def test_from_one_side_nothing_is_claimed(known: list[int]) -> None:
    widths = np.full(DIRECTIONS, math.nan)
    widths[known] = 1.0

    assert fit_ellipse(widths) is None
