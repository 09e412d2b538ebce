"""What every operation promises, whoever wrote it."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import replace
from datetime import datetime
from typing import Any, get_type_hints

import numpy as np
import pytest
from numpy.typing import NDArray

import focuskit
from focuskit.blurmap import BlurMap
from focuskit.edit import OPERATIONS, Edited
from focuskit.errors import FocuskitError, ShapeError
from focuskit.photo import Exif, Photo
from tests.scenes import as_photo, blurred, make_scene

NAMES = [row.name for row in OPERATIONS]
EXIF = Exif(
    camera="Maker Model",
    focal_length_mm=85.0,
    f_number=4.0,
    iso=400,
    taken_at=datetime(2026, 1, 1),
    block=b"II*\0",
)


def _picture(kind: str) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return {
        "scene": lambda: _half_sharp(96, 128),
        "odd": lambda: _half_sharp(97, 131),
        "pixel": lambda: np.full((1, 1, 3), 0.3, np.float32),
        "row": lambda: rng.random((1, 90, 3), np.float32),
        "column": lambda: rng.random((90, 1, 3), np.float32),
        "tiny": lambda: rng.random((3, 2, 3), np.float32),
        "black": lambda: np.zeros((96, 128, 3), np.float32),
        "clipped white": lambda: np.full((96, 128, 3), 4.0, np.float32),
        "huge highlights": lambda: np.where(make_scene(96, 128, 1) > 0.5, 1e6, 0.1),
        "noise": lambda: rng.random((96, 128, 3), np.float32),
        "constant": lambda: np.full((96, 128, 3), 0.18, np.float32),
    }[kind]().astype(np.float32)


KINDS = (
    "scene",
    "odd",
    "pixel",
    "row",
    "column",
    "tiny",
    "black",
    "clipped white",
    "huge highlights",
    "noise",
    "constant",
)


def _half_sharp(height: int, width: int) -> NDArray[np.float32]:
    scene = make_scene(height, width, seed=3)
    scene[:, width // 2 :] = blurred(scene, 5.0)[:, width // 2 :]
    return scene


def _map_of(photo: Photo) -> BlurMap:
    """Sharp on the left, 5 px on the right; of a single column, all of it blurred."""
    coc = np.zeros((photo.height, photo.width), np.float32)
    coc[:, photo.width // 2 :] = 5.0
    return BlurMap((coc == 0).astype(np.float32), coc, np.full_like(coc, 0.9))


def _settings(name: str, photo: Photo) -> dict[str, Any]:
    """What an operation is asked for, by the settings that it has rather than by its name."""
    known = {
        "factor": 2.0,
        "strength": 8.0,
        "point": (0.75 * (photo.width - 1), 0.5 * (photo.height - 1)),
        "apply": True,
        "background": True,
    }
    takes = inspect.signature(OPERATIONS.get(name)).parameters
    return {setting: value for setting, value in known.items() if setting in takes}


def _asked(name: str, photo: Photo, blur_map: BlurMap, **more: Any) -> Edited:
    return OPERATIONS.get(name)(photo, blur_map, **_settings(name, photo), **more)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_valid_photo_or_a_sentence_and_the_original_as_it_was(name: str, kind: str) -> None:
    photo = replace(as_photo(_picture(kind)), exif=EXIF)
    before = photo.rgb.copy()
    blur_map = _map_of(photo)
    told = [blur_map.in_focus_probability.copy(), blur_map.coc_diameter_px.copy()]

    edited, sentence = None, ""
    try:
        edited = _asked(name, photo, blur_map)
    except FocuskitError as exc:
        sentence = str(exc)
    if edited is None:
        assert len(sentence.split()) >= 5, sentence
        assert sentence.endswith("."), sentence
    else:
        assert edited.photo.rgb.shape == photo.rgb.shape
        assert edited.photo.rgb.dtype == np.float32
        assert np.isfinite(edited.photo.rgb).all()
        assert edited.photo.rgb.min() >= 0
        assert edited.photo.exif == EXIF
        assert edited.photo.primaries == photo.primaries
        assert 0 <= edited.changed_share <= 1
        changed = np.any(edited.photo.rgb != photo.rgb, axis=2).mean()
        assert edited.changed_share == pytest.approx(changed, abs=1e-6)
        if edited.confidence is not None:
            assert edited.confidence.shape == (photo.height, photo.width)
            assert edited.confidence.dtype == np.float32
            assert 0 <= edited.confidence.min() <= edited.confidence.max() <= 1
    assert np.array_equal(photo.rgb, before)
    assert np.array_equal(blur_map.in_focus_probability, told[0])
    assert np.array_equal(blur_map.coc_diameter_px, told[1])


@pytest.mark.parametrize("name", NAMES)
def test_an_ordinary_photo_is_changed_and_repeats_exactly(name: str) -> None:
    photo = as_photo(_picture("scene"))
    blur_map = _map_of(photo)

    first, second = (_asked(name, photo, blur_map) for _ in range(2))

    assert first.changed_share > 0
    assert np.array_equal(first.photo.rgb, second.photo.rgb)
    assert first.notes == second.notes


@pytest.mark.parametrize("name", NAMES)
def test_what_is_protected_stays_to_the_bit(name: str) -> None:
    photo = as_photo(_picture("odd"))
    mask = np.zeros((photo.height, photo.width), np.float32)
    mask[: photo.height // 2] = 1

    edited = _asked(name, photo, _map_of(photo), protect=mask)

    assert np.array_equal(edited.photo.rgb[mask == 1], photo.rgb[mask == 1])


@pytest.mark.parametrize("name", NAMES)
def test_a_map_or_mask_of_another_size_is_refused(name: str) -> None:
    photo, other = as_photo(_picture("scene")), as_photo(_picture("odd"))
    mask = np.zeros((other.height, other.width), np.float32)

    with pytest.raises(ShapeError):
        _asked(name, photo, _map_of(other))
    with pytest.raises(ShapeError):
        _asked(name, photo, _map_of(photo), protect=mask)


@pytest.mark.parametrize("name", NAMES)
def test_progress_rises_and_ends(name: str) -> None:
    photo = as_photo(_picture("scene"))
    shares: list[float] = []

    _asked(name, photo, _map_of(photo), tick=shares.append)

    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("name", NAMES)
def test_other_memory_layouts(name: str) -> None:
    rgb = _picture("scene")
    flipped, plain = Photo(rgb[::-1]), as_photo(rgb[::-1].copy())

    first, second = (_asked(name, each, _map_of(each)) for each in (flipped, plain))

    assert np.array_equal(first.photo.rgb, second.photo.rgb)


@pytest.mark.parametrize(
    "name", [row.name for row in OPERATIONS if row.target.startswith("focuskit.")]
)
def test_the_same_function_is_offered_by_the_package_and_gives_the_photo(name: str) -> None:
    offered, operation = getattr(focuskit, name), OPERATIONS.get(name)
    photo = as_photo(_picture("scene"))
    blur_map = _map_of(photo)
    shown = inspect.signature(offered)

    made = offered(photo, blur_map, **_settings(name, photo))

    assert name in focuskit.__all__
    assert shown.parameters == inspect.signature(operation).parameters
    assert get_type_hints(offered)["return"] is Photo
    assert inspect.getdoc(offered) == inspect.getdoc(operation)
    assert pickle.loads(pickle.dumps(offered)) is offered
    assert np.array_equal(made.rgb, _asked(name, photo, blur_map).photo.rgb)
