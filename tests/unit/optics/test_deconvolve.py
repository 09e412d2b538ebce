"""Taking defocus back: what it gains where the blur is known, and what it leaves alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import encode_srgb, linearise_srgb
from focuskit.errors import InputError, RangeError, ShapeError
from focuskit.optics.deconvolve import HARDEST_COC_PX, LEAST_COC_PX, deconvolve
from focuskit.optics.light_noise import LightNoise, encoding_slope, measure_light_noise
from tests.scenes import blurred, make_scene

Image = NDArray[np.float32]
INNER = np.s_[16:-16, 16:-16]


def _shot(light: Image, coc_px: float, sigma: float, seed: int = 0) -> Image:
    """What 8 bits keep of a blurred and noisy picture."""
    rng = np.random.default_rng(seed)
    encoded = encode_srgb(np.minimum(blurred(light, coc_px), 1))
    encoded = encoded + np.float32(sigma) * rng.standard_normal(light.shape, dtype=np.float32)
    return linearise_srgb(np.rint(np.clip(encoded, 0, 1) * 255).astype(np.float32) / 255)


def _psnr_db(light: Image, truth: Image) -> float:
    one, two = (encode_srgb(np.minimum(each[INNER], 1)) for each in (light, truth))
    return float(-10 * np.log10(np.mean((one - two) ** 2)))


def _field(light: Image, coc_px: float) -> NDArray[np.float32]:
    return np.full(light.shape[:2], coc_px, np.float32)


@pytest.mark.parametrize(("coc", "sigma"), [(2.5, 0.0), (4.0, 0.01), (7.0, 0.004), (7.0, 0.02)])
@pytest.mark.parametrize("wrong", [0.87, 1.0, 1.15])
def test_known_blur_is_taken_back_even_if_not_known_well(
    coc: float, sigma: float, wrong: float
) -> None:
    truth = make_scene(128, 160, seed=5)
    seen = _shot(truth, coc, sigma)
    noise = measure_light_noise(seen)

    restored = deconvolve(seen, _field(seen, coc * wrong), noise=noise)

    weight = restored.confidence[..., None]
    mixed = seen + weight * (restored.light - seen)
    gained = _psnr_db(mixed, truth) - _psnr_db(seen, truth)
    assert gained > (1.5 if wrong == 1.0 else 0.3)


@pytest.mark.parametrize("coc", [0.0, 1.2, LEAST_COC_PX, HARDEST_COC_PX, 40.0])
def test_too_little_and_too_much_blur_stay_to_the_bit(coc: float) -> None:
    light = make_scene(60, 70, seed=1)

    restored = deconvolve(light, _field(light, coc), noise=0.002)

    assert np.array_equal(restored.light, light)
    assert not restored.confidence.any()


def test_clipped_light_is_not_believed_and_does_not_ring() -> None:
    truth = make_scene(120, 120, seed=2) * 0.3
    cv2.circle(truth, (60, 60), 12, (6.0, 6.0, 6.0), -1)
    coc = 6.0
    seen = np.minimum(blurred(truth, coc), 1)

    restored = deconvolve(seen, _field(seen, coc), noise=0.002)

    y, x = np.mgrid[:120, :120] - 60.0
    away = np.hypot(x, y)
    assert restored.confidence[away < 10].max() == 0
    assert np.array_equal(restored.light[away < 10], seen[away < 10])
    assert restored.confidence[(away > 26) & (away < 40)].mean() > 0.5
    # A ring would be farther from the truth than the glow that was there.
    ring = (away > 16) & (away < 30)
    weight = restored.confidence[..., None]
    mixed = seen + weight * (restored.light - seen)
    errors = [float(np.abs(each - truth)[ring].mean()) for each in (mixed, seen)]
    assert errors[0] < errors[1]


def test_an_edge_gets_steeper_without_halos() -> None:
    truth = np.full((96, 96, 3), 0.1, np.float32)
    truth[:, 48:] = 0.5
    seen = blurred(truth, 6.0)

    # As if the blur were half as large again as it is, which rings.
    restored = deconvolve(seen, _field(seen, 9.0), noise=0.002).light

    steepness = [float(np.abs(np.diff(each, axis=1)).max()) for each in (seen, restored)]
    assert steepness[1] > 1.2 * steepness[0]
    assert restored[16:-16].max() < 0.5 * 1.1
    assert restored[16:-16].min() > 0.1 * 0.75


def test_where_limits_the_work_and_tiles_leave_no_seam() -> None:
    truth = make_scene(60, 700, seed=4)
    seen = _shot(truth, 4.0, 0.004)
    coc = _field(seen, 4.0)
    where = np.zeros(coc.shape, np.bool_)
    where[:, :100] = True

    whole = deconvolve(seen, coc, noise=0.004)
    part = deconvolve(seen, coc, noise=0.004, where=where)
    shifted = deconvolve(np.ascontiguousarray(seen[:, 150:]), coc[:, 150:], noise=0.004)

    # Solved on less, what is wanted comes out nearly the same.
    apart = np.abs(part.light[:, :100] - whole.light[:, :100])
    assert apart.max() < 0.1
    assert apart.mean() < 2e-3
    assert not part.confidence[:, 100:].any()
    assert np.array_equal(part.light[:, 100:], seen[:, 100:])
    # Tiles end elsewhere in the shifted picture.
    apart = np.abs(shifted.light[:, 40:] - whole.light[:, 190:])
    assert apart.max() < 0.1
    assert apart.mean() < 1e-3


def test_confidence_that_cannot_be_reached_is_not_worked_for() -> None:
    truth = make_scene(90, 120, seed=4)
    seen = _shot(truth, 4.0, 0.004)
    coc = _field(seen, 4.0)
    least = np.full(coc.shape, 0.5, np.float32)
    least[:, :50] = 2

    whole = deconvolve(seen, coc, noise=0.004)
    part = deconvolve(seen, coc, noise=0.004, least=least)
    never = deconvolve(seen, coc, noise=0.004, least=np.ones_like(coc))

    wanted = whole.confidence[:, 50:] > 0.6
    assert wanted.mean() > 0.5
    assert np.abs(part.light[:, 50:] - whole.light[:, 50:])[wanted].mean() < 2e-3
    assert np.array_equal(part.light[:, :40], seen[:, :40])
    assert np.array_equal(never.light, seen)
    assert not never.confidence.any()


def test_progress_rises_to_the_end_and_what_it_raises_ends_the_work() -> None:
    seen = make_scene(60, 900, seed=3)
    coc, shares = _field(seen, 3.0), list[float]()

    def cancel(share: float) -> None:
        raise InputError(f"cancelled at {share}")

    deconvolve(seen, coc, noise=0.004, tick=shares.append)

    assert shares == sorted(shares)
    assert len(shares) > 1
    assert shares[-1] == 1
    with pytest.raises(InputError, match="cancelled"):
        deconvolve(seen, coc, noise=0.004, tick=cancel)


def test_what_is_no_picture_or_no_noise_is_refused() -> None:
    light = make_scene(20, 20, seed=0)

    with pytest.raises(ShapeError):
        deconvolve(light, np.zeros((20, 21), np.float32), noise=0.01)
    with pytest.raises(RangeError):
        deconvolve(light, np.full((20, 20), -1, np.float32), noise=0.01)
    with pytest.raises(RangeError):
        deconvolve(light, np.zeros((20, 20), np.float32), noise=-1.0)


def test_noise_in_light_follows_the_encoding() -> None:
    rng = np.random.default_rng(0)
    for level in (0.02, 0.2, 0.8):
        encoded = encode_srgb(np.full((4, 200, 200), level, np.float32))
        noisy = linearise_srgb(encoded + np.float32(0.01) * rng.standard_normal(encoded.shape))
        told = LightNoise(0.01).sigma(np.full((1, 1, 3), level, np.float32))[0, 0, 0]
        assert told == pytest.approx(float(noisy.std()), rel=0.03)
    assert encoding_slope(np.zeros((1, 1, 3), np.float32)).min() > 0


def test_noise_is_measured_in_each_channel() -> None:
    rng = np.random.default_rng(0)
    encoded = 0.5 + 0.02 * rng.standard_normal((200, 200, 3), dtype=np.float32)

    assert measure_light_noise(linearise_srgb(encoded)).encoded_sigma == pytest.approx(
        0.02, rel=0.1
    )
