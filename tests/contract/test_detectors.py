"""What every detector promises, whoever wrote it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.detect import DETECTORS, detect_at, is_ready, open_detector
from focuskit.errors import WeightsError
from focuskit.photo import Exif, Photo
from tests.scenes import as_photo, make_scene

NAMES = [row.name for row in DETECTORS if is_ready(row.name)]
# Others say of themselves that they only tell parts of a frame from each other.
ABSOLUTE = [name for name in NAMES if not getattr(DETECTORS.get(name), "relative", False)]
MISSING = [row.name for row in DETECTORS if not is_ready(row.name)]


def _picture(kind: str) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return {
        "scene": lambda: make_scene(96, 128, seed=3),
        "odd": lambda: make_scene(97, 131, seed=5),
        "larger than the grid": lambda: make_scene(331, 701, seed=5),
        "pixel": lambda: np.full((1, 1, 3), 0.3, np.float32),
        "row": lambda: rng.random((1, 200, 3), np.float32),
        "column": lambda: rng.random((200, 1, 3), np.float32),
        "tiny": lambda: rng.random((3, 2, 3), np.float32),
        "strip": lambda: rng.random((7, 2000, 3), np.float32),
        "black": lambda: np.zeros((96, 128, 3), np.float32),
        "clipped white": lambda: np.full((96, 128, 3), 4.0, np.float32),
        "huge highlights": lambda: np.where(make_scene(96, 128, 1) > 0.5, 1e30, 0.1),
        "noise": lambda: rng.random((96, 128, 3), np.float32),
        "black and white": lambda: (rng.random((97, 131, 1)) > 0.5).repeat(3, axis=2),
        "small black and white": lambda: (rng.random((16, 16, 1)) > 0.5).repeat(3, axis=2),
        "checkerboard": lambda: np.indices((96, 128, 3)).sum(axis=0) % 2,
        "constant": lambda: np.full((96, 128, 3), 0.18, np.float32),
    }[kind]().astype(np.float32)


KINDS = (
    "scene",
    "odd",
    "larger than the grid",
    "pixel",
    "row",
    "column",
    "tiny",
    "strip",
    "black",
    "clipped white",
    "huge highlights",
    "noise",
    "black and white",
    "small black and white",
    "checkerboard",
    "constant",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_valid_map_of_the_photos_size_and_the_photo_as_it_was(name: str, kind: str) -> None:
    photo = as_photo(_picture(kind))
    before = photo.rgb.copy()

    found = DETECTORS.get(name)(photo)

    for values in (found.in_focus_probability, found.coc_diameter_px, found.confidence):
        assert values.shape == (photo.height, photo.width)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert values.min() >= 0
    assert found.in_focus_probability.max() <= 1
    assert found.confidence.max() <= 1
    assert found.side is None or not found.side.any()
    assert np.array_equal(photo.rgb, before)


@pytest.mark.parametrize("kind", ["black", "clipped white", "constant"])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_judge_by_is_no_confidence(name: str, kind: str) -> None:
    assert DETECTORS.get(name)(as_photo(_picture(kind))).confidence.max() < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_repeats_exactly_and_reads_pixels_only(name: str) -> None:
    photo = as_photo(_picture("scene"))
    exif = Exif(camera="Maker Model", f_number=1.4, iso=6400, taken_at=datetime(2026, 1, 1))
    told = replace(photo, exif=exif, decoded_from="preview", scale=0.5, bits=16)

    first, second = (DETECTORS.get(name)(each) for each in (photo, told))

    for field in ("in_focus_probability", "coc_diameter_px", "confidence"):
        assert np.array_equal(getattr(first, field), getattr(second, field))


@pytest.mark.parametrize("name", NAMES)
def test_other_memory_layouts(name: str) -> None:
    rgb = _picture("scene")
    flipped = Photo(rgb[::-1])

    found = DETECTORS.get(name)(flipped)

    again = DETECTORS.get(name)(as_photo(rgb[::-1].copy()))
    assert np.array_equal(found.in_focus_probability, again.in_focus_probability)


@pytest.mark.parametrize("name", NAMES)
def test_a_sharp_half_beats_a_blurred_half(name: str) -> None:
    from tests.scenes import blurred

    scene = make_scene(240, 320, seed=11)
    mixed = scene.copy()
    mixed[:, 160:] = blurred(scene, 10.0)[:, 160:]

    found = DETECTORS.get(name)(as_photo(mixed))

    sharp, soft = np.s_[20:-20, 20:130], np.s_[20:-20, 190:-20]
    # To those that know photos alone a rendered scene is strange: less is asked of them.
    more = 0.4 if name in ABSOLUTE else 0.1
    assert found.in_focus_probability[sharp].mean() > found.in_focus_probability[soft].mean() + more
    assert np.median(found.coc_diameter_px[soft]) > np.median(found.coc_diameter_px[sharp]) + 2


@pytest.mark.parametrize("name", ABSOLUTE)
def test_a_missed_shot_is_in_focus_nowhere(name: str) -> None:
    """Without a sharp part, the least blurred one must not be called sharp."""
    from tests.scenes import blurred

    scene = make_scene(240, 320, seed=11)

    sharp, missed = (DETECTORS.get(name)(as_photo(each)) for each in (scene, blurred(scene, 10.0)))

    def best(found):  # type: ignore[no-untyped-def]
        return np.percentile(found.in_focus_probability * found.confidence, 98)

    assert best(sharp) > 0.5
    assert best(missed) < 0.3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(165, 350), (83, 175), (1, 1), (331, 701)])
def test_a_smaller_map_is_the_map_made_smaller(name: str, size: tuple[int, int]) -> None:
    photo = as_photo(_picture("larger than the grid"))
    whole = DETECTORS.get(name)(photo).resized(*size)
    small = detect_at(DETECTORS.get(name), photo, *size)

    assert (small.height, small.width) == size
    # Maps of nearly two values differ by more along their rims.
    most = 0.03 if name in ABSOLUTE else 0.05
    for attribute in ("in_focus_probability", "confidence"):
        difference = np.abs(getattr(whole, attribute) - getattr(small, attribute))
        assert difference.mean() < most
    coc_px = whole.coc_diameter_px.mean()
    assert small.coc_diameter_px.mean() == pytest.approx(coc_px, rel=0.1, abs=0.01)


@pytest.mark.skipif(not MISSING, reason="the weights of every detector ship")
def test_without_weights_the_way_to_them_is_told() -> None:
    for name in MISSING:
        for use in (open_detector, lambda name: DETECTORS.get(name)(as_photo(_picture("scene")))):
            with pytest.raises(WeightsError, match=f"focuskit train {name} "):
                use(name)
