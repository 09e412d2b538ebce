from __future__ import annotations

import numpy as np
import pytest

from focuskit.batch.compare import choose_crops, compare_sheet
from focuskit.blurmap import BlurMap
from focuskit.photo import Exif, Photo
from tests.scenes import blurred, make_scene

HEIGHT, WIDTH = 700, 1000


def _case(subject: tuple[slice, slice], changed: tuple[slice, slice]) -> tuple[Photo, ...]:
    scene = make_scene(HEIGHT, WIDTH, seed=2)
    after = scene.copy()
    after[changed] = blurred(scene, 12.0)[changed]
    return Photo(scene, exif=Exif(camera="Maker"), primaries="display-p3"), Photo(after)


def _map(subject: tuple[slice, slice]) -> BlurMap:
    probability = np.zeros((HEIGHT, WIDTH), np.float32)
    probability[subject] = 1
    return BlurMap(probability, 5 * (1 - probability), np.ones_like(probability))


SUBJECT = np.s_[100:500, 500:900]
CHANGED = np.s_[300:700, 0:520]


def test_crops_show_the_change_and_the_outline() -> None:
    before, after = _case(SUBJECT, CHANGED)

    first, *others = choose_crops(before, after, _map(SUBJECT))

    change = np.abs(after.rgb - before.rgb).mean(axis=2)

    def cut(crop: object) -> tuple[slice, slice]:
        return np.s_[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]  # type: ignore[attr-defined]

    assert first.y >= 290
    assert first.x + first.width <= 530
    assert len(others) == 2
    inside = _map(SUBJECT).in_focus_probability
    for crop in others:
        assert 0 < inside[cut(crop)].mean() < 1
    # Where outline and change meet comes first.
    assert change[cut(others[0])].any()


def test_crops_lie_apart_and_within() -> None:
    before, after = _case(SUBJECT, CHANGED)

    crops = choose_crops(before, after, _map(SUBJECT))

    for crop in crops:
        assert 0 <= crop.x <= WIDTH - crop.width
        assert 0 <= crop.y <= HEIGHT - crop.height
    for index, one in enumerate(crops):
        for other in crops[:index]:
            apart = max(abs(one.x - other.x), abs(one.y - other.y))
            assert apart > 0.5 * one.width


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (40, 30), (97, 131), (2000, 500)])
def test_photos_of_any_shape_have_a_sheet(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    before, after = (Photo(rng.random((*shape, 3), np.float32)) for _ in range(2))
    ones = np.ones(shape, np.float32)

    sheet = compare_sheet(before, after, BlurMap(ones, 0 * ones, ones))

    assert np.isfinite(sheet.rgb).all()
    assert sheet.width >= 2 * min(shape[1], 900 * shape[1] // max(shape))


def test_the_sheet_has_the_photos_colours_and_no_exif() -> None:
    before, after = _case(SUBJECT, CHANGED)

    sheet = compare_sheet(before, after, _map(SUBJECT))

    assert sheet.primaries == "display-p3"
    assert sheet.exif == Exif()
    assert sheet.source is None
