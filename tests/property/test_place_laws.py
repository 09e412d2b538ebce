"""Laws of places on a photo that people name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch.places import Box, Coordinate, Spot
from focuskit.errors import FocuskitError, InputError, RangeError
from focuskit.photo import Photo

pixels = st.floats(0, 1e5, allow_nan=False).map(Coordinate)
shares = st.floats(0, 100, allow_nan=False).map(lambda value: Coordinate(value, is_share=True))
coordinates = pixels | shares
sides = st.integers(1, 60)


def _photo(width: int, height: int, scale: float = 1.0) -> Photo:
    return Photo(np.zeros((height, width, 3), np.float32), scale=scale)


@given(coordinates, coordinates)
def test_a_spot_is_read_as_it_is_written(x: Coordinate, y: Coordinate) -> None:
    spot = Spot(x, y)

    assert Spot.parse(str(spot)) == spot
    assert Spot.parse(f" {x} , {y} ") == spot


@given(coordinates, coordinates, coordinates, coordinates)
def test_a_box_is_read_as_it_is_written(
    left: Coordinate, top: Coordinate, right: Coordinate, bottom: Coordinate
) -> None:
    box = Box(left, top, right, bottom)

    assert Box.parse(str(box)) == box


@given(st.text(max_size=20))
def test_any_other_text_is_a_sentence(text: str) -> None:
    for kind in (Spot, Box):
        try:
            said = f"{kind.parse(text)}"
        except FocuskitError as exc:
            sentence = str(exc)
        else:
            assert str(kind.parse(said)) == said
            continue
        assert sentence.endswith(".")


@given(sides, sides, coordinates, coordinates)
def test_a_spot_lies_on_the_photo_or_is_refused(
    width: int, height: int, x: Coordinate, y: Coordinate
) -> None:
    photo = _photo(width, height)
    outside = (not x.is_share and x.value >= width) or (not y.is_share and y.value >= height)

    if outside:
        with pytest.raises(RangeError, match=f"{width}×{height} pixels"):
            Spot(x, y).on(photo)
        return
    found = Spot(x, y).on(photo)

    assert 0 <= found[0] <= width - 1
    assert 0 <= found[1] <= height - 1


@given(sides, sides, shares, shares)
def test_shares_do_not_depend_on_the_size(
    width: int, height: int, x: Coordinate, y: Coordinate
) -> None:
    small, large = _photo(width, height, scale=0.5), _photo(2 * width, 2 * height)

    found, twice = Spot(x, y).on(small), Spot(x, y).on(large)

    # Apart from the last pixel, on whose far edge no pixel begins.
    assert found[0] == pytest.approx(min(twice[0] / 2, width - 1), abs=0.51)
    assert found[1] == pytest.approx(min(twice[1] / 2, height - 1), abs=0.51)


@given(st.integers(0, 79), st.integers(0, 59))
def test_pixels_are_those_of_the_full_photo(x: int, y: int) -> None:
    preview = _photo(40, 30, scale=0.5)

    found = Spot.parse(f"{x},{y}").on(preview)

    assert found == (min(x / 2, 39), min(y / 2, 29))


@given(sides, sides, coordinates, coordinates, coordinates, coordinates)
def test_a_box_lies_on_the_photo_or_is_refused(
    width: int,
    height: int,
    left: Coordinate,
    top: Coordinate,
    right: Coordinate,
    bottom: Coordinate,
) -> None:
    box, photo = Box(left, top, right, bottom), _photo(width, height)
    x, y = [left.of(width), right.of(width)], [top.of(height), bottom.of(height)]
    if not (x[0] < x[1] <= width and y[0] < y[1] <= height):
        with pytest.raises(RangeError, match=f"{width}×{height} pixels"):
            box.on(photo)
        return

    x0, y0, x1, y1 = box.on(photo)

    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height


def test_the_whole_photo_is_a_box() -> None:
    photo = _photo(40, 30)

    assert Box.parse("0,0,40,30").on(photo) == Box.parse("0%,0%,100%,100%").on(photo)
    assert Box.parse("0,0,80,60").on(replace(photo, scale=0.5)) == (0, 0, 40, 30)


@pytest.mark.parametrize(
    "text", ["", "3", "3,", "a,b", "1,2,3", "nan,1", "inf,1", "-1,2", "5,101%"]
)
def test_wrong_spots_say_what_is_wrong(text: str) -> None:
    with pytest.raises(InputError, match=r"give 2 numbers|is no number|lies outside every photo"):
        Spot.parse(text)
