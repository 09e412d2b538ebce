"""Bokeh and magnification: what they add, what they leave alone, what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.edit.bokeh import bokeh
from focuskit.edit.field import coc_field, missing_blur, signed
from focuskit.edit.finish import highlight_gain
from focuskit.edit.magnify import magnify
from focuskit.errors import CameraDataError, InputError, RangeError, ShapeError
from focuskit.photo import Exif, Photo
from tests.scenes import blurred, make_scene

Map = NDArray[np.float32]
SHAPE = (96, 144)
few = settings(max_examples=8)


def _map(coc_px: float = 6.0, shape: tuple[int, int] = SHAPE) -> BlurMap:
    """In focus on the left, blurred on the right."""
    probability = np.zeros(shape, np.float32)
    probability[:, : shape[1] // 2] = 1
    coc = np.where(probability > 0.5, 0, coc_px).astype(np.float32)
    return BlurMap(probability, coc, np.ones(shape, np.float32))


def _photo(seed: int = 1, f_number: float | None = 4.0) -> Photo:
    scene = make_scene(*SHAPE, seed=seed)
    right = blurred(scene, 6.0)
    scene[:, SHAPE[1] // 2 :] = right[:, SHAPE[1] // 2 :]
    return Photo(scene, exif=Exif(camera="A", f_number=f_number))


def _detail(rgb: Map) -> float:
    return float(np.abs(np.diff(rgb, axis=1)).mean())


LEFT, RIGHT = slice(0, SHAPE[1] // 2 - 4), slice(SHAPE[1] // 2 + 12, None)


@given(seed=st.integers(0, 99), wide=st.floats(0.7, 2.8))
@few
def test_a_wider_aperture_blurs_the_background_and_leaves_the_subject(
    seed: int, wide: float
) -> None:
    photo = _photo(seed)

    found = bokeh(photo, _map(), f_number=wide)

    assert np.array_equal(found.photo.rgb[:, LEFT], photo.rgb[:, LEFT])
    assert _detail(found.photo.rgb[:, RIGHT]) < 0.9 * _detail(photo.rgb[:, RIGHT])
    assert found.photo.exif == photo.exif
    assert 0.3 < found.changed_share < 0.6
    assert found.confidence is None


def test_the_blur_grows_as_the_f_number_falls_and_as_strength_rises() -> None:
    photo = _photo()
    by_f = [_detail(bokeh(photo, _map(), f_number=n).photo.rgb[:, RIGHT]) for n in (2.8, 1.4, 0.7)]
    by_strength = [
        _detail(bokeh(photo, _map(), strength=s).photo.rgb[:, RIGHT]) for s in (5, 8, 10)
    ]

    assert by_f == sorted(by_f, reverse=True)
    assert by_strength == sorted(by_strength, reverse=True)


def test_magnifying_adds_just_the_missing_blur() -> None:
    """Twice the blur, drawn at once, is what the photo becomes."""
    scene = make_scene(*SHAPE, seed=4)
    once, twice = (Photo(blurred(scene, coc)) for coc in (6.0, 12.0))
    everywhere = BlurMap(
        np.zeros(SHAPE, np.float32), np.full(SHAPE, 6, np.float32), np.ones(SHAPE, np.float32)
    )

    found = magnify(once, everywhere, factor=2, highlights=0, grain=False).photo

    inner = (slice(16, -16), slice(16, -16))
    error = float(np.abs(found.rgb - twice.rgb)[inner].mean())
    assert error < 0.2 * float(np.abs(once.rgb - twice.rgb)[inner].mean())


def test_magnifying_by_one_changes_nothing() -> None:
    photo = _photo()

    found = magnify(photo, _map(), factor=1)

    assert np.array_equal(found.photo.rgb, photo.rgb)
    assert found.changed_share == 0


@given(now=st.floats(0, 50), factor=st.floats(1, 20))
def test_blurs_add_by_their_squares(now: float, factor: float) -> None:
    values = np.array([now], np.float32)

    added = missing_blur(values, values * np.float32(factor))

    assert math.hypot(now, float(added[0])) == pytest.approx(now * factor, rel=1e-4, abs=1e-4)
    assert missing_blur(values * np.float32(factor), values)[0] == 0


def test_protected_parts_stay_to_the_bit_and_half_protected_ones_change_half() -> None:
    photo = _photo()
    protect = np.zeros(SHAPE, np.float32)
    protect[:48] = 1
    half = np.full(SHAPE, 0.5, np.float32)

    free = bokeh(photo, _map(), f_number=1.4, grain=False).photo.rgb
    kept = bokeh(photo, _map(), f_number=1.4, grain=False, protect=protect).photo.rgb
    halved = bokeh(photo, _map(), f_number=1.4, grain=False, protect=half).photo.rgb

    assert np.array_equal(kept[:48], photo.rgb[:48])
    assert not np.array_equal(kept[48:], photo.rgb[48:])
    assert np.allclose(halved, (free + photo.rgb) / 2, atol=1e-5)


def test_small_lamps_gain_light_and_white_skies_do_not() -> None:
    light = np.full((200, 300, 3), 0.2, np.float32)
    light[50:53, 50:53] = 1
    light[120:] = 1

    gain = highlight_gain(light, 1.0)

    assert gain is not None
    found = light * gain[..., None]
    assert found[51, 51, 0] > 6
    assert np.allclose(found[160:], 1)
    assert np.array_equal(found[:40], light[:40])
    assert highlight_gain(light, 0) is None


def test_a_lamp_becomes_a_disc_that_shows() -> None:
    light = np.full((*SHAPE, 3), 0.02, np.float32)
    light[48, 110] = 1
    photo = Photo(light)

    plain, risen = (
        bokeh(photo, _map(), strength=6, highlights=amount, grain=False).photo.rgb[48, 110, 0]
        for amount in (0.0, 1.0)
    )

    assert risen > 1.5 * plain


def test_white_paint_on_bright_ground_is_no_lamp() -> None:
    bright = np.full((200, 300, 3), 0.5, np.float32)
    dark = np.full((200, 300, 3), 0.02, np.float32)
    for light in (bright, dark):
        light[98:101, 148:151] = 1

    painted, lamp = (highlight_gain(light, 0.5) for light in (bright, dark))

    assert painted is None
    assert lamp is not None
    assert lamp[99, 149] > 3


def test_grain_comes_back_where_blur_took_it() -> None:
    rng = np.random.default_rng(0)
    light = np.full((*SHAPE, 3), 0.2, np.float32)
    light += rng.normal(0, 0.02, SHAPE).astype(np.float32)[..., None]
    photo = Photo(np.maximum(light, 0))

    smooth, grained = (
        bokeh(photo, _map(), f_number=None, strength=8, grain=grain).photo.rgb[:, RIGHT].std()
        for grain in (False, True)
    )
    again = bokeh(photo, _map(), strength=8).photo.rgb

    assert smooth < 0.3 * photo.rgb[:, RIGHT].std()
    assert grained == pytest.approx(photo.rgb[:, RIGHT].std(), rel=0.4)
    assert np.array_equal(again, bokeh(photo, _map(), strength=8).photo.rgb)


def test_where_the_map_is_not_sure_surer_pixels_of_the_surface_speak() -> None:
    photo = Photo(np.full((*SHAPE, 3), 0.3, np.float32))
    coc = np.full(SHAPE, 8, np.float32)
    coc[46:50, 70:74] = 30
    confidence = np.ones(SHAPE, np.float32)
    confidence[46:50, 70:74] = 0

    field = coc_field(photo, BlurMap(np.zeros(SHAPE, np.float32), coc, confidence))

    assert field[48, 72] == pytest.approx(8, abs=2)


def test_the_sides_of_the_focal_plane_are_told_where_the_map_knows_them() -> None:
    side = np.zeros(SHAPE, np.int8)
    side[:48], side[48:60] = -1, 1
    field = np.full(SHAPE, 5, np.float32)

    assert np.array_equal(signed(field, _map()), field)
    found = signed(field, replace(_map(), side=side))
    assert np.unique(found[:48]).tolist() == [-5]
    assert np.unique(found[48:]).tolist() == [5]


def test_settings_that_make_no_sense_are_refused_with_a_way_on() -> None:
    photo, blur_map = _photo(), _map()
    with pytest.raises(InputError, match="either f_number or strength"):
        bokeh(photo, blur_map)
    with pytest.raises(InputError, match="either f_number or strength"):
        bokeh(photo, blur_map, f_number=1.4, strength=2)
    with pytest.raises(CameraDataError, match=r"EXIF does not say .*give --strength"):
        bokeh(_photo(f_number=None), blur_map, f_number=1.4)
    with pytest.raises(RangeError, match=r"taken at f/4; f/5.6 would be sharper"):
        bokeh(photo, blur_map, f_number=5.6)
    with pytest.raises(RangeError, match="f_number must be"):
        bokeh(photo, blur_map, f_number=0.1)
    for strength in (0.0, -1.0, 11.0, math.nan):
        with pytest.raises(RangeError, match="strength"):
            bokeh(photo, blur_map, strength=strength)
    for factor in (0.9, 21.0, math.inf):
        with pytest.raises(RangeError, match="factor"):
            magnify(photo, blur_map, factor=factor)
    with pytest.raises(RangeError, match="highlights"):
        magnify(photo, blur_map, highlights=2)


def test_a_photo_without_blur_is_no_silent_success() -> None:
    sharp = BlurMap(
        np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    )
    with pytest.raises(InputError, match=r"nothing out of focus.*--map"):
        bokeh(_photo(), sharp, strength=2)
    with pytest.raises(InputError, match="Nothing in this photo is out of focus"):
        magnify(_photo(), sharp)


def test_less_blur_than_there_is_is_refused_with_how_much_there_is() -> None:
    with pytest.raises(RangeError, match=r"blurred by 3\.\d % .* already.* give more than 3"):
        bokeh(_photo(), _map(), strength=2)


def test_maps_and_masks_of_other_sizes_are_refused() -> None:
    other = _map(shape=(SHAPE[1], SHAPE[0]))
    with pytest.raises(ShapeError, match=r"96×144 pixels, its photo 144×96"):
        bokeh(_photo(), other, strength=6)
    with pytest.raises(ShapeError, match="protect"):
        bokeh(_photo(), _map(), strength=6, protect=np.zeros((3, 3), np.float32))
