"""Laws of deconvolution that hold for any photo."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.optics.deconvolve import deconvolve
from focuskit.optics.gathering import Gathering
from focuskit.optics.psf import Aperture
from tests.scenes import blurred, make_scene

few = settings(max_examples=8)


def _cocs(seed: int, shape: tuple[int, int], most: float) -> NDArray[np.float32]:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    rng = np.random.default_rng(seed)
    slope = rng.uniform(-1, 1, 2).astype(np.float32)
    plane = slope[0] * y / shape[0] + slope[1] * x / shape[1]
    return np.asarray(most * (plane - plane.min()) / max(float(np.ptp(plane)), 1e-3), np.float32)


@given(seed=st.integers(0, 99), most=st.floats(0.5, 14), blades=st.sampled_from([0, 6]))
@few
def test_the_adjoint_is_one(seed: int, most: float, blades: int) -> None:
    rng = np.random.default_rng(seed)
    model = Gathering(_cocs(seed, (31, 42), most), Aperture(blades, 10.0), (0.0, 0.0))
    one, other = (rng.standard_normal((31, 42), dtype=np.float32) for _ in range(2))

    forth = float(np.vdot(model.blur(one), other))
    back = float(np.vdot(one, model.spread_back(other)))

    assert abs(forth - back) <= 1e-3 * float(np.linalg.norm(one) * np.linalg.norm(other))


@given(seed=st.integers(0, 99), most=st.floats(2, 12), sigma=st.floats(0, 0.05))
@few
def test_a_valid_picture_and_the_original_where_nothing_is_believed(
    seed: int, most: float, sigma: float
) -> None:
    light = blurred(make_scene(45, 62, seed=seed), 3.0) * 2
    coc = _cocs(seed, (45, 62), most)
    before = light.copy()

    restored = deconvolve(light, coc, noise=sigma)

    assert np.array_equal(light, before)
    assert np.isfinite(restored.light).all()
    assert restored.light.min() >= 0
    assert 0 <= restored.confidence.min() <= restored.confidence.max() <= 1
    kept = restored.confidence == 0
    assert np.array_equal(restored.light[kept], light[kept])
    assert kept[coc < 1.5].all()


@given(seed=st.integers(0, 99), coc=st.floats(2, 9))
@few
def test_it_commutes_with_flips(seed: int, coc: float) -> None:
    light = blurred(make_scene(40, 50, seed=seed), 4.0)
    field = np.full((40, 50), coc, np.float32)

    plain = deconvolve(light, field, noise=0.004)
    flipped = deconvolve(np.ascontiguousarray(light[:, ::-1]), field, noise=0.004)

    # Conjugate gradients are stopped early, where rounding still shows.
    assert np.abs(flipped.light[:, ::-1] - plain.light).mean() < 4e-3
    assert np.abs(flipped.confidence[:, ::-1] - plain.confidence).mean() < 1e-2


@given(level=st.floats(0.01, 0.9), coc=st.floats(2, 12))
@few
def test_an_even_surface_stays_even(level: float, coc: float) -> None:
    light = np.full((40, 50, 3), level, np.float32)

    restored = deconvolve(light, np.full((40, 50), coc, np.float32), noise=0.003).light

    assert np.abs(restored - light).max() < 0.01 * level + 1e-4
