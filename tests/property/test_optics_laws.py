"""Laws of the optics and filters that hold whatever the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import erf

from focuskit.optics.edges import COC_PER_SIGMA, Edges, measure_edges
from focuskit.optics.guided import guided_filter, guided_upsample
from focuskit.optics.noise import QUANTISATION_SIGMA, measure_noise
from focuskit.optics.psf import disc_psf
from tests.scenes import blurred

few = settings(max_examples=12)


def _edge(sigma: float, angle: float, offset: float, side: int = 97) -> NDArray[np.float32]:
    """An edge as a sensor sees it: integrated over pixels, 0.3 to 0.7."""
    fine = (np.arange(side * 4) + 0.5) / 4 - side / 2
    across = fine[None, :] * math.cos(angle) + fine[:, None] * math.sin(angle) - offset
    step = 0.5 + 0.2 * erf(across / (math.sqrt(2) * sigma))
    return step.reshape(side, 4, side, 4).mean(axis=(1, 3)).astype(np.float32)


def _middle(edges: Edges, quantile: float = 0.5) -> float:
    order = np.argsort(edges.sigma_px)
    heard = np.cumsum(edges.weight[order])
    return float(edges.sigma_px[order][np.searchsorted(heard, quantile * heard[-1])])


@given(diameter=st.floats(0, 60))
@few
def test_a_disc_sums_to_one_and_is_symmetric(diameter: float) -> None:
    psf = disc_psf(diameter)

    assert psf.sum() == pytest.approx(1, abs=1e-5)
    assert np.allclose(psf, psf[::-1])
    assert np.allclose(psf, psf.T)


@given(value=st.floats(0, 1), seed=st.integers(0, 99), weighted=st.booleans())
@few
def test_filtering_a_constant_gives_the_constant(value: float, seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    guide = rng.random((23, 31), np.float32)
    weight = rng.random((23, 31), np.float32) if weighted else None

    for subsample in (1, 3):
        smooth = guided_filter(
            guide,
            np.full_like(guide, value),
            radius=4,
            eps=1e-3,
            weight=weight,
            subsample=subsample,
        )
        assert smooth == pytest.approx(value, abs=1e-4)
    large = guided_upsample(guide, np.full((6, 8), value, np.float32), radius=1, eps=1e-3)
    assert large == pytest.approx(value, abs=1e-4)


@given(
    sigma=st.floats(0.7, 6),
    angle=st.floats(-1.57, 1.57),
    offset=st.floats(-0.5, 0.5),
    noise=st.sampled_from([0.0, 0.01]),
)
@settings(max_examples=25)
def test_edge_widths_are_read_within_15_percent(
    sigma: float, angle: float, offset: float, noise: float
) -> None:
    rng = np.random.default_rng(0)
    picture = _edge(sigma, angle, offset) + np.float32(noise) * rng.standard_normal(
        (97, 97), np.float32
    )

    edges = measure_edges(picture)

    assert _middle(edges) == pytest.approx(sigma, rel=0.15)
    # The picture's y points down, angles count counter-clockwise as seen.
    turned = np.average(np.cos(2 * (edges.angle_rad + angle)), weights=edges.weight)
    assert turned > 0.9
    assert np.average(edges.contrast, weights=edges.weight) == pytest.approx(0.4, rel=0.25)


@given(diameter=st.floats(3, 20), angle=st.floats(-1.57, 1.57))
@few
def test_disc_blur_is_read_as_its_diameter(diameter: float, angle: float) -> None:
    sharp = np.repeat(_edge(0.05, angle, 0.0)[:, :, None], 3, axis=2)

    edges = measure_edges(blurred(sharp, diameter)[:, :, 0])

    assert _middle(edges) * COC_PER_SIGMA == pytest.approx(diameter, rel=0.15)


@given(sigma=st.floats(0.003, 0.1), seed=st.integers(0, 999))
@few
def test_noise_is_measured_and_makes_no_edges(sigma: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    flat = 0.5 + np.float32(sigma) * rng.standard_normal((200, 300), np.float32)

    assert measure_noise(flat) == pytest.approx(sigma, rel=0.1)
    assert len(measure_edges(flat)) < 10


@given(level=st.floats(0, 1))
@few
def test_a_flat_field_has_only_rounding_noise(level: float) -> None:
    assert measure_noise(np.full((64, 64), level, np.float32)) == QUANTISATION_SIGMA
