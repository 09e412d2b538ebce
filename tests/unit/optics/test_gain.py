"""What restoring would gain: where there is anything to gain, and how the rehearsal goes on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import encode_srgb, linearise_srgb
from focuskit.errors import InputError
from focuskit.optics.deconvolve import MOST_TRUST, Restored
from focuskit.optics.gain import expected_gains, mixed
from focuskit.optics.light_noise import LightNoise, measure_light_noise
from tests.scenes import blurred, make_scene

Image = NDArray[np.float32]
COC_PX = 5.0


def _shot(light: Image, sigma: float) -> Image:
    """What 8 bits keep of a blurred and noisy picture."""
    rng = np.random.default_rng(0)
    encoded = encode_srgb(np.minimum(blurred(light, COC_PX), 1))
    encoded = encoded + np.float32(sigma) * rng.standard_normal(light.shape, dtype=np.float32)
    return linearise_srgb(np.rint(np.clip(encoded, 0, 1) * 255).astype(np.float32) / 255)


def _coc(light: Image) -> NDArray[np.float32]:
    return np.full(light.shape[:2], COC_PX, np.float32)


def test_gain_is_expected_where_there_is_texture_and_little_noise() -> None:
    labels = np.zeros((128, 256), np.int32)
    labels[:, :128], labels[:, 152:] = 1, 2
    light = make_scene(128, 256, seed=6)
    light[:, 128:] = 0.2
    quiet, noisy = (_shot(light, sigma) for sigma in (0.002, 0.06))

    told, hidden = (
        expected_gains(each, _coc(each), labels, measure_light_noise(each))
        for each in (quiet, noisy)
    )

    assert told[1].gain_db > 1
    assert told[1].lost_db > 10
    assert told[2].lost_db < 1
    assert hidden[1].lost_db < told[1].lost_db
    assert expected_gains(quiet, _coc(quiet), np.zeros_like(labels), LightNoise(0.002)) == {}


def test_it_says_the_same_again_whichever_cell_ends_first() -> None:
    light = _shot(make_scene(120, 460, seed=2), 0.004)
    labels = np.ones((120, 460), np.int32)
    labels[:, 230:] = 2

    once, again = (expected_gains(light, _coc(light), labels, LightNoise(0.004)) for _ in range(2))

    assert set(once) == {1, 2}
    assert once == again


def test_progress_rises_with_each_cell_and_what_it_raises_ends_the_work() -> None:
    light = _shot(make_scene(60, 900, seed=3), 0.004)
    labels = np.ones((60, 900), np.int32)
    shares: list[float] = []

    def cancel(share: float) -> None:
        raise InputError(f"cancelled at {share}")

    expected_gains(light, _coc(light), labels, LightNoise(0.004), tick=shares.append)

    assert shares == sorted(shares)
    assert len(shares) == 4
    assert shares[-1] == 1
    with pytest.raises(InputError, match="cancelled"):
        expected_gains(light, _coc(light), labels, LightNoise(0.004), tick=cancel)


def test_light_is_mixed_as_far_as_the_restored_is_believed() -> None:
    light = np.full((1, 3, 3), 0.2, np.float32)
    confidence = np.array([[0, MOST_TRUST / 2, MOST_TRUST]], np.float32)

    made = mixed(light, Restored(np.full_like(light, 0.6), confidence))

    assert np.allclose(made[0, :, 0], [0.2, 0.4, 0.6])
