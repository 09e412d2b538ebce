from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focuskit.color import encode_srgb
from focuskit.errors import RangeError, ShapeError
from focuskit.training.camera import develop
from tests.scenes import make_scene


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    strength=st.floats(0, 1),
)
def test_developing_never_changes_the_size(
    height: int, width: int, seed: int, strength: float
) -> None:
    light = np.random.default_rng(seed).random((height, width, 3), dtype=np.float32) * 3

    pixels = develop(light, np.random.default_rng(seed), strength=strength)

    assert pixels.shape == light.shape
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


def test_the_same_seed_gives_the_same_bytes() -> None:
    light = make_scene(48, 64, seed=1)

    first, again, other = (develop(light, np.random.default_rng(seed)) for seed in (5, 5, 6))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_without_strength_it_only_encodes() -> None:
    light = make_scene(48, 64, seed=1)

    pixels = develop(light, np.random.default_rng(0), strength=0)

    np.testing.assert_allclose(pixels, encode_srgb(light) * 255, atol=0.51)


@pytest.mark.parametrize("seed", range(40))
def test_brightness_and_hue_stay_about_what_they_were(seed: int) -> None:
    light = np.full((33, 47, 3), (0.4, 0.2, 0.08), np.float32)

    pixels = develop(light, np.random.default_rng(seed))

    red, green, blue = pixels.reshape(-1, 3).mean(axis=0)
    assert abs(float(pixels.mean()) - 118) < 50
    # A mosaic read with the wrong layout would swap them; black and white keeps them equal.
    assert red > green > blue or abs(red - blue) < 12


def test_light_far_above_white_is_white() -> None:
    pixels = develop(np.full((32, 32, 3), 50, np.float32), np.random.default_rng(3))

    assert pixels.mean() > 235


def test_about_a_third_are_nearly_clean_and_some_visibly_noisy() -> None:
    light = np.full((32, 32, 3), 0.2, np.float32)

    noise = np.array([develop(light, np.random.default_rng(s))[..., 1].std() for s in range(120)])

    assert 0.25 < (noise < 1.6).mean() < 0.75
    assert 0.05 < (noise > 4).mean() < 0.5


def test_arguments_are_checked() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError):
        develop(np.zeros((4, 4), np.float32), rng)
    with pytest.raises(RangeError):
        develop(np.full((4, 4, 3), -1, np.float32), rng)
    with pytest.raises(RangeError):
        develop(np.zeros((4, 4, 3), np.float32), rng, strength=2)
