"""Laws of the thin lens."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.optics.coc import (
    coc_mm,
    coc_px_of_f_number,
    distance_from_coc_mm,
    mm_to_px,
    px_to_mm,
    signed_coc_mm,
)
from focuskit.photo import Exif, Photo

focal_lengths = st.floats(2, 800)
f_numbers = st.floats(0.7, 64)
focuses = st.one_of(st.floats(1_000, 100_000), st.just(math.inf))
near_focuses = st.floats(1_000, 100_000)
distances = st.floats(50, 1e7)


@given(f=focal_lengths, n=f_numbers, s=near_focuses)
def test_the_plane_of_focus_has_no_blur(f: float, n: float, s: float) -> None:
    assert coc_mm(f, n, s, s) == 0


@given(f=focal_lengths, n=f_numbers, s=focuses, pair=st.tuples(distances, distances))
def test_blur_grows_away_from_the_plane_of_focus(
    f: float, n: float, s: float, pair: tuple[float, float]
) -> None:
    near, far = sorted(pair)

    assert signed_coc_mm(f, n, s, near) <= signed_coc_mm(f, n, s, far)
    if far <= s:
        assert coc_mm(f, n, s, near) >= coc_mm(f, n, s, far)
    if near >= s:
        assert coc_mm(f, n, s, near) <= coc_mm(f, n, s, far)


@given(f=focal_lengths, n=f_numbers, s=focuses, d=distances)
def test_the_sign_tells_the_side(f: float, n: float, s: float, d: float) -> None:
    signed = signed_coc_mm(f, n, s, d)

    assert abs(signed) == coc_mm(f, n, s, d)
    assert np.sign(signed) == (0 if d == s else 1 if d > s else -1)


@given(f=focal_lengths, n=f_numbers, s=focuses, d=distances)
def test_blur_goes_with_one_over_the_f_number(f: float, n: float, s: float, d: float) -> None:
    at_one = coc_mm(f, 1.0, s, d)

    assert coc_mm(f, n, s, d) * n == pytest.approx(at_one, rel=1e-12)
    assert coc_mm(f, 2.0, s, d) == at_one / 2
    there = coc_px_of_f_number(coc_mm(f, n, s, d), 1.0, Exif(f_number=n))
    assert there == pytest.approx(at_one, rel=1e-12)


@given(f=focal_lengths, n=f_numbers, s=focuses, d=distances)
def test_the_distance_comes_back(f: float, n: float, s: float, d: float) -> None:
    # Far behind the plane of focus hardly anything changes with distance any more.
    if math.isfinite(s) and d > 1e3 * s:
        d = 1e3 * s
    side = -1 if d <= s else 1

    again = distance_from_coc_mm(f, n, s, coc_mm(f, n, s, d), side)

    assert again == pytest.approx(d, rel=1e-9)


@given(f=focal_lengths, n=f_numbers, s=near_focuses)
def test_infinity_is_the_limit(f: float, n: float, s: float) -> None:
    star = coc_mm(f, n, s, math.inf)

    assert star == pytest.approx(f * f / (n * (s - f)), rel=1e-12)
    assert coc_mm(f, n, s, 1e9 * s) == pytest.approx(star, rel=1e-6)
    assert distance_from_coc_mm(f, n, s, star, 1) == math.inf
    assert math.isnan(distance_from_coc_mm(f, n, s, 1.001 * star, 1))
    assert distance_from_coc_mm(f, n, s, 1.001 * star, -1) < s
    # Focus that moves away ends at focus on infinity.
    assert coc_mm(f, n, 1e12, s) == pytest.approx(coc_mm(f, n, math.inf, s), rel=1e-6)


@given(
    length=st.floats(-50, 50),
    sensor=st.floats(4, 60),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_millimetres_and_pixels_undo_each_other(
    length: float, sensor: float, shape: tuple[int, int]
) -> None:
    photo = Photo(np.zeros((*shape, 3), np.float32), Exif(sensor_width_mm=sensor))

    assert px_to_mm(mm_to_px(length, photo), photo) == pytest.approx(length, rel=1e-12)
    assert mm_to_px(sensor, photo) == pytest.approx(max(shape))
