"""Laws of apertures and the light that they spread."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.optics.psf import Aperture, disc_psf

few = settings(max_examples=40)
bladed = st.integers(5, 9)
rotations = st.floats(-360, 360)
circles = st.floats(1, 80)


@st.composite
def apertures(draw: st.DrawFn) -> Aperture:
    return Aperture(
        blades=draw(st.sampled_from([0, 5, 6, 7, 8, 9])),
        rotation_deg=draw(rotations),
        curvature=draw(st.floats(0, 1)),
        ring=draw(st.sampled_from([-1.0, -0.3, 0.0, 0.5, 1.0])),
        cats_eye=draw(st.sampled_from([0.0, 0.4, 1.0])),
    )


@st.composite
def fields(draw: st.DrawFn) -> tuple[float, float]:
    length, angle = draw(st.floats(0, 1)), draw(st.floats(0, 2 * math.pi))
    return length * math.cos(angle), length * math.sin(angle)


def _moments(psf: NDArray[np.float32]) -> tuple[float, float, float]:
    """Centroid x, y and mean square distance from the middle pixel."""
    at = np.arange(psf.shape[0]) - psf.shape[0] // 2
    columns, rows = psf.sum(axis=0, dtype=np.float64), psf.sum(axis=1, dtype=np.float64)
    return columns @ at, rows @ at, (columns + rows) @ at**2


def _difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Share of the light that lies elsewhere."""
    size = max(a.shape[0], b.shape[0])
    a, b = (np.pad(each, (size - each.shape[0]) // 2) for each in (a, b))
    return float(np.abs(a - b).sum()) / 2


@given(aperture=apertures(), coc=st.floats(0, 80), field=fields())
@settings(max_examples=100)
def test_every_psf_is_a_share_of_light(
    aperture: Aperture, coc: float, field: tuple[float, float]
) -> None:
    psf = aperture.psf(coc, field)

    assert psf.dtype == np.float32
    assert psf.shape[0] == psf.shape[1]
    assert psf.shape[0] % 2 == 1
    assert psf.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)
    assert psf.min() >= 0
    # Circumscribed circles of pentagons are 15 % larger than the disc.
    assert psf.shape[0] <= 1.16 * coc + 3
    if coc < 1:
        assert psf.shape == (1, 1)


@given(coc=circles, cats_eye=st.floats(0, 1))
@few
def test_a_plain_aperture_is_the_disc(coc: float, cats_eye: float) -> None:
    assert np.array_equal(Aperture(cats_eye=cats_eye).psf(coc), disc_psf(coc))


@given(coc=st.floats(1, 40))
@few
def test_the_disc_counts_samples_as_if_it_looked_at_all(coc: float) -> None:
    size = 2 * math.ceil(coc / 2 - 0.5) + 1
    fine = (np.arange(size * 16) + 0.5) / 16 - size / 2
    inside = fine[:, None] ** 2 + fine[None, :] ** 2 <= (coc / 2) ** 2
    cells = inside.reshape(size, 16, size, 16).sum(axis=(1, 3)).astype(np.float64)

    assert np.array_equal(disc_psf(coc), (cells / cells.sum()).astype(np.float32))


@given(coc=st.floats(4, 200), blades=st.sampled_from([0, 7]))
@few
def test_second_moment_of_the_round_aperture(coc: float, blades: int) -> None:
    psf = Aperture(blades, curvature=1.0).psf(coc)

    # Light is counted at the middle of its pixel, which adds 1 / 12 along each axis (Sheppard's
    # correction), and in small discs a little more or less with how the rim meets the grid.
    error = 0.05 if coc < 8 else 0.01
    assert _moments(psf)[2] - 1 / 6 == pytest.approx(coc**2 / 8, rel=error)


@given(coc=circles, blades=bladed, rotation=rotations)
@few
def test_fully_curved_blades_are_round(coc: float, blades: int, rotation: float) -> None:
    curved = Aperture(blades, rotation, curvature=1.0).psf(coc)

    # The disc counts samples, 16 along each side of a pixel; the other one is exact.
    assert _difference(curved, disc_psf(coc)) < 0.03 / coc


@given(coc=circles, blades=bladed, rotation=rotations, curvature=st.floats(0, 1))
@few
def test_a_turn_by_one_blade_changes_nothing(
    coc: float, blades: int, rotation: float, curvature: float
) -> None:
    psf = Aperture(blades, rotation, curvature).psf(coc)
    turned = Aperture(blades, rotation + 360 / blades, curvature).psf(coc)

    assert np.allclose(psf, turned, atol=1e-6)


@given(aperture=apertures(), coc=circles, field=fields())
@few
def test_mirrored_apertures_draw_mirrored_discs(
    aperture: Aperture, coc: float, field: tuple[float, float]
) -> None:
    x, y = field
    mirrored = Aperture(
        aperture.blades,
        -aperture.rotation_deg,
        aperture.curvature,
        aperture.ring,
        aperture.cats_eye,
    )

    psf = aperture.psf(coc, field)
    assert np.allclose(psf, mirrored.psf(coc, (x, -y))[::-1], atol=1e-6)


@given(coc=circles, blades=bladed, curvature=st.floats(0, 1))
@few
def test_a_corner_on_an_axis_makes_the_psf_symmetric(
    coc: float, blades: int, curvature: float
) -> None:
    psf = Aperture(blades, 0.0, curvature).psf(coc)

    assert np.allclose(psf, psf[::-1], atol=1e-6)
    if blades % 2 == 0:
        assert np.allclose(psf, psf[:, ::-1], atol=1e-6)


@given(coc=st.floats(6, 200), blades=bladed, rotation=rotations, curvature=st.floats(0, 1))
@few
def test_every_shape_lets_the_same_light_through(
    coc: float, blades: int, rotation: float, curvature: float
) -> None:
    psf = Aperture(blades, rotation, curvature).psf(coc)

    # Pixels inside the rim hold one pixel's share of the area each.
    assert 1 / psf.max() == pytest.approx(math.pi * coc**2 / 4, rel=1e-3)
    assert _moments(psf)[:2] == pytest.approx((0, 0), abs=0.02)


@given(coc=st.floats(2, 80), blades=bladed, ring=st.floats(0.1, 1), rotation=rotations)
@few
def test_rings_shade_and_keep_the_shape(
    coc: float, blades: int, ring: float, rotation: float
) -> None:
    even = Aperture(blades, rotation).psf(coc)
    bubble = Aperture(blades, rotation, ring=ring).psf(coc)
    cream = Aperture(blades, rotation, ring=-ring).psf(coc)

    seen = even > 1e-5 * even.max()
    for shaded in (bubble, cream):
        assert (shaded[seen] > 0).all()
        assert shaded[~seen].sum() < 1e-3
    assert _moments(cream)[2] < _moments(even)[2] < _moments(bubble)[2]
    # One darkens what the other one brightens.
    assert _difference((bubble + cream) / 2, even) < 0.05


@given(aperture=apertures(), coc=st.floats(1.01, 60), field=fields())
@few
def test_a_little_more_defocus_changes_little(
    aperture: Aperture, coc: float, field: tuple[float, float]
) -> None:
    step = _difference(aperture.psf(coc, field), aperture.psf(coc + 0.01, field))

    # The rim moves by 0.005 px; discs move by samples of 1 / 16 px at the four poles.
    assert step < 0.08 / coc


@given(coc=circles, blades=st.sampled_from([0, 5, 8]), ring=st.floats(-1, 1))
@few
def test_cats_eyes_start_off_the_centre(coc: float, blades: int, ring: float) -> None:
    whole = Aperture(blades, ring=ring).psf(coc)

    assert np.array_equal(Aperture(blades, ring=ring, cats_eye=1.0).psf(coc), whole)
    assert np.array_equal(Aperture(blades, ring=ring).psf(coc, (0.6, 0.8)), whole)


@given(coc=st.floats(8, 80), angle=st.floats(0, 2 * math.pi), strength=st.floats(0.1, 1))
@few
def test_cats_eyes_narrow_and_lean_towards_the_centre(
    coc: float, angle: float, strength: float
) -> None:
    aperture = Aperture(cats_eye=strength)
    shares, leans = [], []
    for length in (0.0, 0.4, 0.7, 1.0):
        x, y = length * math.cos(angle), length * math.sin(angle)
        psf = aperture.psf(coc, (x, y))
        lean = _moments(psf)
        shares.append(1 / float(psf.max()))
        leans.append(-lean[0] * math.cos(angle) - lean[1] * math.sin(angle))
        assert lean[0] * math.sin(angle) == pytest.approx(lean[1] * math.cos(angle), abs=0.02)

    assert shares == sorted(shares, reverse=True)
    assert leans == sorted(leans)
