from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from focuskit.errors import CameraDataError, RangeError
from focuskit.optics.coc import (
    coc_mm,
    coc_px_of_f_number,
    distance_from_coc_mm,
    mm_to_px,
    px_to_mm,
    sensor_width_mm,
    signed_coc_mm,
)
from focuskit.photo import Exif, Photo


def _photo(height: int, width: int, scale: float = 1.0, **exif: Any) -> Photo:
    return Photo(np.zeros((height, width, 3), np.float32), Exif(**exif), scale=scale)


def test_a_portrait_worked_out_by_hand() -> None:
    # 85 mm at f/1.8 on 36 mm and 6000 px, focused at 3 m; the wall is at 10 m.
    # 85² / (1.8 · 2915) · 7 / 10 = 0.96388 mm; · 6000 / 36 = 160.65 px.
    on_sensor = coc_mm(85, 1.8, 3_000, 10_000)

    assert on_sensor == pytest.approx(0.96388, abs=1e-5)
    photo = _photo(4, 6000, focal_length_mm=85.0, f_number=1.8, sensor_width_mm=36.0)
    assert mm_to_px(on_sensor, photo) == pytest.approx(160.65, abs=0.01)
    assert coc_px_of_f_number(160.65, 3.6, photo.exif) == pytest.approx(80.325)


def test_depth_maps_keep_shape_and_type() -> None:
    depth = np.array([[500.0, 2_000.0], [4_000.0, math.inf]], np.float32)

    signed = signed_coc_mm(50, 2, 2_000, depth)

    assert signed.dtype == np.float32
    assert np.array_equal(np.sign(signed), [[-1, 0], [1, 1]])
    side = np.sign(signed).astype(np.int8)
    side[0, 1] = 1
    again = distance_from_coc_mm(50, 2, 2_000, np.abs(signed), side)
    assert again.dtype == np.float32
    assert again == pytest.approx(depth, rel=1e-5)


def test_focused_at_infinity() -> None:
    depth = np.array([1_000.0, math.inf])

    assert signed_coc_mm(100, 2, math.inf, depth) == pytest.approx([-5, 0])
    again = distance_from_coc_mm(100, 2, math.inf, np.array([5.0, 0.0]), -1)
    assert np.array_equal(again, depth)
    behind = distance_from_coc_mm(100, 2, math.inf, np.array([5.0, 0.0]), 1)
    assert np.array_equal(behind, [math.nan, math.inf], equal_nan=True)


def test_an_unknown_side_has_no_distance() -> None:
    side = np.array([1, 0, -1], np.int8)

    distance = distance_from_coc_mm(50, 2, 2_000, np.full(3, 0.1), side)

    assert np.array_equal(np.isnan(distance), [False, True, False])
    assert isinstance(distance_from_coc_mm(50, 2, 2_000, 0.1, 0), float)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"focal_length_mm": 0.0}, "focal_length_mm must be >= 0.1 and <= 20000 mm, got 0"),
        ({"focal_length_mm": math.nan}, "focal_length_mm must be"),
        ({"f_number": 0.0}, "f_number must be >= 0.5 and <= 128, got 0"),
        ({"f_number": math.inf}, "f_number must be"),
        ({"focus_distance_mm": 3.0}, "more than the focal length of 85 mm, got 3; give it in mill"),
        ({"focus_distance_mm": 85.0}, "more than the focal length"),
        ({"focus_distance_mm": math.nan}, "got nan"),
        ({"distance_mm": 0.0}, "distance_mm must be > 0 mm.*got 0"),
        ({"distance_mm": np.array([1.0, -2.0, math.inf])}, "got -2"),
        ({"distance_mm": np.array([1.0, math.nan])}, "holes of a depth map filled; got NaN"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(change: dict[str, Any], words: str) -> None:
    lens = {
        "focal_length_mm": 85.0,
        "f_number": 1.8,
        "focus_distance_mm": 3_000.0,
        "distance_mm": 10_000.0,
    }

    with pytest.raises(RangeError, match=words):
        coc_mm(**(lens | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("coc", "side", "words"),
    [
        (-0.1, 1, "it is a diameter.*got -0.1"),
        (math.inf, 1, "got inf"),
        (math.nan, 1, "got NaN"),
        (0.1, 2, r"side must be \+1 .*got 2"),
    ],
)
def test_impossible_circles_are_refused(coc: float, side: int, words: str) -> None:
    with pytest.raises(RangeError, match=words):
        distance_from_coc_mm(85, 1.8, 3_000, coc, side)


def test_the_sensor_from_what_the_camera_wrote() -> None:
    assert sensor_width_mm(Exif(sensor_width_mm=23.5)) == 23.5
    view = Exif(focal_length_mm=50.0, focal_length_35mm=75.0)
    assert sensor_width_mm(view) == pytest.approx(24)
    # Equivalents compare diagonals: Micro Four Thirds is 17.3 mm wide, not 18.
    thirds = Exif(focal_length_mm=25.0, focal_length_35mm=50.0)
    assert sensor_width_mm(thirds, aspect=4 / 3) == pytest.approx(17.3, abs=0.01)
    measured = Exif(focal_length_mm=50.0, focal_length_35mm=75.0, sensor_width_mm=23.5)
    assert sensor_width_mm(measured) == 23.5


@pytest.mark.parametrize(
    ("exif", "words"),
    [
        (Exif(), "unknown.*set Exif.sensor_width_mm, such as 36 for full frame"),
        (Exif(focal_length_mm=50.0), "neither the resolution of the focal plane nor"),
        (Exif(focal_length_mm=0.0, focal_length_35mm=50.0), "unknown"),
        (Exif(sensor_width_mm=0.0), "0 mm wide"),
        (Exif(sensor_width_mm=math.nan), "nan mm wide"),
        (Exif(focal_length_mm=500.0, focal_length_35mm=50.0), "360 mm wide, which none is; set"),
    ],
)
def test_an_unknown_sensor_says_what_to_give(exif: Exif, words: str) -> None:
    with pytest.raises(CameraDataError, match=words):
        sensor_width_mm(exif)


def test_an_impossible_aspect_is_refused() -> None:
    with pytest.raises(RangeError, match="aspect must be >= 1"):
        sensor_width_mm(Exif(sensor_width_mm=36.0), aspect=0.5)


def test_pixels_are_those_of_the_array() -> None:
    full = _photo(4, 600, sensor_width_mm=36.0)
    preview = _photo(2, 150, scale=0.25, sensor_width_mm=36.0)
    upright = _photo(600, 4, sensor_width_mm=36.0)

    assert mm_to_px(1.2, full) == pytest.approx(20)
    assert mm_to_px(1.2, preview) == pytest.approx(20 * preview.scale)
    assert mm_to_px(1.2, upright) == pytest.approx(20)
    lengths = np.array([[1.2, -1.2, math.nan]], np.float32)
    assert mm_to_px(lengths, full).dtype == np.float32
    assert px_to_mm(mm_to_px(lengths, full), full) == pytest.approx(lengths, nan_ok=True)


def test_other_f_numbers_need_the_one_of_the_shot() -> None:
    assert coc_px_of_f_number(8.0, 5.6, Exif(f_number=2.8)) == pytest.approx(4)
    assert coc_px_of_f_number(8.0, 2.0, Exif(), taken_at=4.0) == pytest.approx(16)
    assert coc_px_of_f_number(8.0, 2.0, Exif(f_number=8.0), taken_at=4.0) == pytest.approx(16)
    circles = np.array([0.0, 8.0], np.float32)
    assert coc_px_of_f_number(circles, 2.0, Exif(f_number=4.0)).dtype == np.float32
    with pytest.raises(CameraDataError, match=r"holds no f-number.*say which one"):
        coc_px_of_f_number(8.0, 2.0, Exif())
    with pytest.raises(CameraDataError, match="holds the f-number 0, as with"):
        coc_px_of_f_number(8.0, 2.0, Exif(f_number=0.0))
    with pytest.raises(RangeError, match=r"f_number must be >= 0.5 and <= 128, got 0.1"):
        coc_px_of_f_number(8.0, 0.1, Exif(f_number=2.0))
    with pytest.raises(RangeError, match="taken_at must be"):
        coc_px_of_f_number(8.0, 2.0, Exif(), taken_at=200.0)
