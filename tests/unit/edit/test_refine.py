"""Sizes of blur that a detector got wrong, corrected by the photo."""

from __future__ import annotations

import numpy as np
import pytest

from focuskit.edit.refine import best_scale
from focuskit.optics.light_noise import LightNoise
from tests.scenes import blurred, make_scene


@pytest.mark.parametrize(("told_px", "low", "high"), [(8.0, 0.5, 0.7), (5.0, 0.85, 1.2)])
def test_a_size_told_too_large_is_reduced(told_px: float, low: float, high: float) -> None:
    rng = np.random.default_rng(0)
    light = blurred(make_scene(120, 160, seed=2), 5.0)
    light = np.maximum(light + rng.normal(0, 0.003, light.shape), 0).astype(np.float32)
    coc = np.full(light.shape[:2], told_px, np.float32)

    scale = best_scale(light, coc, np.ones(coc.shape, np.bool_), LightNoise(0.004))

    assert low <= scale <= high


def test_a_region_too_small_to_tell_keeps_its_size() -> None:
    light = make_scene(120, 160, seed=2)
    own = np.zeros((120, 160), np.bool_)
    own[:20, :20] = True

    assert best_scale(light, np.full(own.shape, 5, np.float32), own, LightNoise(0.004)) == 1.0
