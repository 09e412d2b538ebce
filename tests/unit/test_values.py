from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from focuskit.blurmap import BlurMap
from focuskit.check import check_range
from focuskit.errors import RangeError, ShapeError
from focuskit.photo import Exif, Photo


def _photo(height: int = 4, width: int = 6) -> Photo:
    return Photo(np.full((height, width, 3), 0.5, np.float32), Exif(camera="A", iso=100))


def _map(height: int = 40, width: int = 60, coc: float = 8.0) -> BlurMap:
    ones = np.ones((height, width), np.float32)
    return BlurMap(ones * 0.25, ones * coc, ones, side=ones.astype(np.int8))


def test_a_photo_cannot_be_changed() -> None:
    photo = _photo()

    with pytest.raises(FrozenInstanceError):
        photo.scale = 0.5  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        photo.rgb[0, 0, 0] = 1


def test_making_a_photo_leaves_the_array_writeable() -> None:
    rgb = np.zeros((2, 2, 3), np.float32)

    Photo(rgb)

    rgb[0, 0, 0] = 1


def test_with_rgb_keeps_what_the_camera_wrote() -> None:
    photo = _photo()

    assert photo.with_rgb(np.zeros((4, 6, 3), np.float32)).exif == photo.exif


@pytest.mark.parametrize(
    ("rgb", "error", "words"),
    [
        (np.zeros((4, 6), np.float32), ShapeError, r"\(H, W, 3\), got float32 of shape \(4, 6\)"),
        (np.zeros((4, 6, 3), np.uint8), ShapeError, "must be float32, got uint8"),
        (np.zeros((0, 6, 3), np.float32), ShapeError, "at least one pixel"),
        (np.full((1, 1, 3), np.nan, np.float32), RangeError, "NaN or infinite"),
        (np.full((1, 1, 3), np.inf, np.float32), RangeError, "NaN or infinite"),
        (np.full((1, 1, 3), -0.1, np.float32), RangeError, r"found \[-0.1, -0.1\]"),
        ("photo.jpg", ShapeError, "got str"),
    ],
)
def test_wrong_pixels_are_refused_with_a_sentence(
    rgb: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Photo(rgb)  # type: ignore[arg-type]


def test_wrong_primaries_and_scale_are_refused() -> None:
    rgb = np.zeros((1, 1, 3), np.float32)

    with pytest.raises(RangeError, match="'cmyk'"):
        Photo(rgb, primaries="cmyk")  # type: ignore[arg-type]
    with pytest.raises(RangeError, match="scale must be"):
        Photo(rgb, scale=2.0)


def test_values_travel_to_other_processes() -> None:
    again = pickle.loads(pickle.dumps((_photo(), _map())))

    assert np.array_equal(again[0].rgb, _photo().rgb)
    assert again[0].exif == _photo().exif
    assert np.array_equal(again[1].coc_diameter_px, _map().coc_diameter_px)


@pytest.mark.parametrize(("factor", "coc"), [(0.5, 4.0), (1.0, 8.0), (2.0, 16.0)])
def test_resizing_a_map_scales_its_coc_and_nothing_else(factor: float, coc: float) -> None:
    resized = _map().resized(round(40 * factor), round(60 * factor))

    assert (resized.height, resized.width) == (40 * factor, 60 * factor)
    np.testing.assert_allclose(resized.coc_diameter_px, coc, rtol=1e-5)
    np.testing.assert_allclose(resized.in_focus_probability, 0.25, rtol=1e-5)
    assert resized.side is not None
    assert (resized.side == 1).all()


def test_a_map_of_one_pixel_can_be_resized() -> None:
    resized = _map(1, 1).resized(3, 5)

    assert resized.in_focus_probability.shape == (3, 5)
    assert resized.resized(1, 1).coc_diameter_px.shape == (1, 1)


@pytest.mark.parametrize("side", [(0, 5), (5, 0), (-1, 5)])
def test_no_map_is_smaller_than_a_pixel(side: tuple[int, int]) -> None:
    with pytest.raises(RangeError, match=">= 1 px"):
        _map().resized(*side)


def test_maps_of_different_shapes_do_not_go_together() -> None:
    ones = np.ones((4, 4), np.float32)

    with pytest.raises(ShapeError, match=r"confidence must have shape \(4, 4\), got \(4, 5\)"):
        BlurMap(ones, ones, np.ones((4, 5), np.float32))
    with pytest.raises(ShapeError, match="side must be int8"):
        BlurMap(ones, ones, ones, side=ones)  # type: ignore[arg-type]
    with pytest.raises(RangeError, match=r"in_focus_probability must lie in \[0, 1\]"):
        BlurMap(ones * 2, ones, ones)


def test_check_range_says_what_was_wanted() -> None:
    with pytest.raises(RangeError, match=r"f_number must be >= 0.5 and <= 128, got -2.8"):
        check_range("f_number", -2.8, low=0.5, high=128)
    with pytest.raises(RangeError, match="x must be finite, got nan"):
        check_range("x", float("nan"))
