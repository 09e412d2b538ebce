"""Refocusing: what gets sharper, what gets blurred, what is believed, what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.edit.edited import Edited
from focuskit.edit.refocus import refocus
from focuskit.errors import InputError, RangeError, ShapeError
from focuskit.photo import Exif, Photo
from tests.scenes import blurred, make_scene

Map = NDArray[np.float32]
SHAPE = (112, 160)
MIDDLE = SHAPE[1] // 2
COC_PX = 6.0
LEFT, RIGHT = np.s_[12:-12, 12 : MIDDLE - 12], np.s_[12:-12, MIDDLE + 12 : -12]
POINT = (120.0, 56.0)


def _halves(left_px: float, right_px: float, seed: int = 4) -> Photo:
    scene = make_scene(*SHAPE, seed=seed)
    left, right = (blurred(scene, each) for each in (left_px, right_px))
    return Photo(np.where(np.arange(SHAPE[1])[None, :, None] < MIDDLE, left, right))


def _map(coc_px: float = COC_PX) -> BlurMap:
    """In focus on the left, blurred on the right."""
    coc = np.zeros(SHAPE, np.float32)
    coc[:, MIDDLE:] = coc_px
    return BlurMap((coc == 0).astype(np.float32), coc, np.ones(SHAPE, np.float32))


@pytest.fixture(scope="module")
def moved() -> Edited:
    return refocus(_halves(0, COC_PX), _map(), point=POINT, highlights=0)


def _error(photo: Photo, truth: Photo, where: tuple[slice, ...]) -> float:
    return float(((photo.rgb - truth.rgb)[where] ** 2).mean())


def test_both_halves_come_nearer_to_the_photo_focused_there(moved: Edited) -> None:
    before, truth = _halves(0, COC_PX), _halves(COC_PX, 0)

    assert _error(moved.photo, truth, LEFT) < 0.1 * _error(before, truth, LEFT)
    assert _error(moved.photo, truth, RIGHT) < 0.8 * _error(before, truth, RIGHT)


def test_confidence_is_high_inside_and_lower_at_outlines_and_1_where_nothing_changed(
    moved: Edited,
) -> None:
    confidence = moved.confidence
    assert confidence is not None
    changed = np.any(moved.photo.rgb != _halves(0, COC_PX).rgb, axis=2)

    assert np.all(confidence[~changed] == 1)
    assert confidence[LEFT].mean() > 0.9
    assert confidence[RIGHT].mean() > 0.4
    assert confidence[20:-20, MIDDLE - 1 : MIDDLE + 1].max() <= 0.5
    assert any("came back with a confidence" in note for note in moved.notes)


def test_a_box_and_a_circle_of_confusion_name_the_same_plane(moved: Edited) -> None:
    photo = _halves(0, COC_PX)

    box = refocus(photo, _map(), box=(100, 30, 150, 80), highlights=0)
    told = refocus(photo, _map(), coc_px=COC_PX, highlights=0)

    for other in (box, told):
        assert np.abs(other.photo.rgb - moved.photo.rgb)[LEFT].mean() < 0.005
        assert np.abs(other.photo.rgb - moved.photo.rgb)[RIGHT].mean() < 0.005


def test_where_sides_are_known_blur_before_the_old_plane_grows() -> None:
    """The left third lies in front, the right third behind; both are equally blurred."""
    coc = np.zeros(SHAPE, np.float32)
    coc[:, :50], coc[:, 110:] = 4, 4
    side = np.sign(coc).astype(np.int8)
    side[:, :50] = -1
    photo = Photo(make_scene(*SHAPE, seed=2))
    known = BlurMap((coc == 0).astype(np.float32), coc, np.ones(SHAPE, np.float32), side)

    unknown = refocus(photo, replace(known, side=None), point=(140, 56), grain=False)
    told = refocus(photo, known, point=(140, 56), grain=False)

    def detail(edited: Edited) -> float:
        return float(np.abs(np.diff(edited.photo.rgb[:, 10:40], axis=1)).mean())

    assert detail(told) < 0.6 * detail(unknown)


def test_what_blur_took_altogether_is_said_and_stays() -> None:
    photo = _halves(0, 30)

    found = refocus(photo, _map(30), point=POINT, highlights=0)

    assert any("cannot come back" in note for note in found.notes)
    assert np.abs(found.photo.rgb - photo.rgb)[12:-12, MIDDLE + 28 : -28].mean() < 0.01
    assert _error(found.photo, _halves(30, 0), LEFT) < _error(photo, _halves(30, 0), LEFT)


def test_noise_weakens_what_is_restored() -> None:
    rng = np.random.default_rng(0)
    clean = _halves(0, COC_PX)
    noisy = Photo(np.maximum(clean.rgb + rng.normal(0, 0.04, clean.rgb.shape), 0).astype("f4"))

    calm, rough = (
        refocus(photo, _map(), point=POINT, highlights=0).photo.rgb[RIGHT] - photo.rgb[RIGHT]
        for photo in (clean, noisy)
    )

    # Noise must not be sharpened into grain.
    assert rough.std() < 1.5 * calm.std()


def test_protected_parts_stay_to_the_bit() -> None:
    photo = replace(_halves(0, COC_PX), exif=Exif(camera="A"))
    protect = np.zeros(SHAPE, np.float32)
    protect[:50] = 1

    found = refocus(photo, _map(), point=POINT, protect=protect)

    assert np.array_equal(found.photo.rgb[:50], photo.rgb[:50])
    assert not np.array_equal(found.photo.rgb[60:], photo.rgb[60:])
    assert found.confidence is not None
    assert np.all(found.confidence[:50] == 1)
    assert found.photo.exif == photo.exif


def test_a_doubtful_place_is_said() -> None:
    doubtful = replace(_map(), confidence=np.full(SHAPE, 0.1, np.float32))

    found = refocus(_halves(0, COC_PX), doubtful, point=POINT)

    assert any("The map is not sure" in note for note in found.notes)


def test_one_speck_at_the_point_does_not_speak_for_its_surface(moved: Edited) -> None:
    coc = _map().coc_diameter_px.copy()
    coc[54:58, 118:122] = 40
    confidence = np.ones(SHAPE, np.float32)
    confidence[54:58, 118:122] = 0.05
    spoilt = replace(_map(), coc_diameter_px=coc, confidence=confidence)

    found = refocus(_halves(0, COC_PX), spoilt, point=POINT, highlights=0)

    assert np.abs(found.photo.rgb - moved.photo.rgb)[LEFT].mean() < 0.01


def test_what_makes_no_sense_is_refused_with_a_way_on() -> None:
    photo, blur_map = _halves(0, COC_PX), _map()
    for wrong in ({}, {"point": POINT, "coc_px": 4.0}, {"point": POINT, "box": (0, 0, 9, 9)}):
        with pytest.raises(InputError, match="exactly one of point, box and coc_px"):
            refocus(photo, blur_map, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"in focus already.*use bokeh"):
        refocus(photo, blur_map, point=(30, 56))
    with pytest.raises(InputError, match=r"The box .* is in focus already"):
        refocus(photo, blur_map, box=(10, 10, 60, 90))
    for point in ((-1.0, 5.0), (5.0, 112.0), (160.0, 5.0), (math.nan, 5.0)):
        with pytest.raises(RangeError, match="outside the photo, which is 160×112 pixels"):
            refocus(photo, blur_map, point=point)
    for box in ((10, 10, 10, 30), (0, 0, 161, 30), (50, 50, 20, 70), (math.nan, 0, 9, 9)):
        with pytest.raises(RangeError, match="The box"):
            refocus(photo, blur_map, box=box)
    with pytest.raises(RangeError, match="in focus already"):
        refocus(photo, blur_map, coc_px=0.2)
    for coc_px in (math.nan, math.inf, 1e4):
        with pytest.raises(RangeError, match="coc_px must be"):
            refocus(photo, blur_map, coc_px=coc_px)
    with pytest.raises(RangeError, match="highlights"):
        refocus(photo, blur_map, point=POINT, highlights=3)
    with pytest.raises(ShapeError, match="protect"):
        refocus(photo, blur_map, point=POINT, protect=np.zeros((3, 3), np.float32))
