"""What every scorer promises, whoever wrote it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from focuskit.blurmap import BlurMap
from focuskit.cull import SCORERS, Evidence, gather
from focuskit.cull.subject import Region
from focuskit.photo import Photo
from tests.scenes import make_scene

NAMES = [row.name for row in SCORERS]


def _evidence(kind: str, height: int = 96, width: int = 128) -> Evidence:
    pictures = {
        "scene": make_scene(height, width, seed=3),
        "black": np.zeros((height, width, 3), np.float32),
        "clipped": np.full((height, width, 3), 4.0, np.float32),
        "noise": np.random.default_rng(0).random((height, width, 3), np.float32),
        "pixel": np.full((1, 1, 3), 0.3, np.float32),
        "odd": make_scene(37, 53, seed=5),
    }
    photo = Photo(pictures[kind])
    shape = photo.rgb.shape[:2]
    ones = np.ones(shape, np.float32)
    blank = np.zeros(shape, np.float32)
    blur_map = BlurMap(ones * 0.7, blank, blank if kind in ("black", "clipped") else ones)
    region = Region(0, 0, photo.width, photo.height, "in-focus area")
    return gather(photo, blur_map, [(region, photo)])[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["scene", "black", "clipped", "noise", "pixel", "odd"])
def test_a_number_in_its_range_or_none(name: str, kind: str) -> None:
    scorer, evidence = SCORERS.get(name), _evidence(kind)
    before = evidence.photo.rgb.copy()

    value = scorer.measure(evidence)

    assert isinstance(value, float)
    assert math.isnan(value) or scorer.info.low <= value <= scorer.info.high
    assert np.array_equal(evidence.photo.rgb, before)
    again = scorer.measure(_evidence(kind))
    assert value == again or (math.isnan(value) and math.isnan(again))


@pytest.mark.parametrize("name", NAMES)
def test_every_scorer_explains_itself(name: str) -> None:
    info = SCORERS.get(name).info

    assert info.name == name
    assert info.meaning.endswith(".")
    assert info.low < info.high
