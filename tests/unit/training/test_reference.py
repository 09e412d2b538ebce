"""Laws of the slow renderer that edits are judged by."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.errors import RangeError, ShapeError
from focuskit.training import reference
from focuskit.training.reference import (
    ROUND,
    Opening,
    Surface,
    draw_defocused,
    draw_sharp,
    point_image,
)

few = settings(max_examples=8, deadline=None)
OPENINGS = [ROUND, Opening(5, 20), Opening(8, 0)]


def _surface(
    light: float | NDArray[np.float64], coc: float | NDArray[np.float64], shape: tuple[int, int]
) -> Surface:
    rgb = np.broadcast_to(np.asarray(light, np.float64), (*shape, 3))
    return Surface(rgb.copy(), np.ones(shape), coc)


def _right_half(shape: tuple[int, int]) -> NDArray[np.float64]:
    cover = np.zeros(shape)
    cover[:, shape[1] // 2 :] = 1
    return cover


def test_it_shares_nothing_with_the_renderer_it_judges() -> None:
    tree = ast.parse(Path(reference.__file__).read_text(encoding="utf-8"))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert not {name for name in names if name and name.startswith("focuskit.optics")}


@given(coc=st.floats(1, 40), sign=st.sampled_from([-1, 1]), which=st.integers(0, 2))
@few
def test_a_picture_of_a_point_has_the_light_the_area_and_the_place_of_the_aperture(
    coc: float, sign: int, which: int
) -> None:
    picture = point_image(sign * coc, OPENINGS[which])
    reach = picture.shape[0] // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]

    assert picture.sum() == pytest.approx(1)
    # Evenly lit: the brightest pixel says how many there are.
    if coc > 4:
        assert 1 / picture.max() == pytest.approx(math.pi * coc**2 / 4, rel=0.02)
    assert [(picture * x).sum(), (picture * y).sum()] == pytest.approx([0, 0], abs=0.03)


def test_the_first_corner_points_where_it_should_and_the_other_way_in_front() -> None:
    opening = Opening(3, 90)
    behind, before = point_image(30, opening), point_image(-30, opening)

    # Up, a triangle reaches as far as its corner; down, half as far.
    rows = np.flatnonzero(behind.sum(axis=1)) - behind.shape[0] // 2
    assert -rows[0] == pytest.approx(2 * rows[-1], abs=1)
    assert np.allclose(behind, behind[:, ::-1])
    assert np.array_equal(before, behind[::-1, ::-1])


@given(coc=st.floats(1.5, 20), which=st.integers(0, 2), slanted=st.booleans())
@few
def test_a_point_becomes_its_picture(coc: float, which: int, slanted: bool) -> None:
    coc = round(coc * 8) / 8
    light = np.zeros((61, 61, 3))
    light[30, 30] = (1, 2, 3)
    field = np.full((61, 61), coc) if slanted else coc

    seen = draw_defocused([Surface(light, np.ones((61, 61)), field)], OPENINGS[which])

    picture = point_image(coc, OPENINGS[which])
    reach = picture.shape[0] // 2
    middle = seen[30 - reach : 31 + reach, 30 - reach : 31 + reach]
    assert np.allclose(middle, picture[..., None] * (1, 2, 3), atol=1e-12)
    assert seen.sum(axis=(0, 1)) == pytest.approx([1, 2, 3])


@given(seed=st.integers(0, 99), coc=st.floats(-0.99, 0.99))
@few
def test_in_focus_everything_stays(seed: int, coc: float) -> None:
    light = np.random.default_rng(seed).random((20, 30, 3))
    cover = np.random.default_rng(seed + 1).random((20, 30))
    surfaces = [Surface(light, cover, coc), _surface(0.3, coc, (20, 30))]

    seen = draw_defocused(surfaces)

    assert np.allclose(seen, draw_sharp(surfaces)[0], atol=1e-12)


@given(seed=st.integers(0, 99))
@few
def test_an_even_scene_stays_even(seed: int) -> None:
    """Whatever the depths, also along slanted surfaces and at the rim."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-6, 9, 40)[None, :] + np.zeros((32, 1))
    surfaces = [
        Surface(np.full((32, 40, 3), 0.6), rng.random((32, 40)), -8.0),
        Surface(np.full((32, 40, 3), 0.6), np.ones((32, 40)), x),
    ]

    assert np.allclose(draw_defocused(surfaces, Opening(6, 10)), 0.6, atol=1e-9)


def test_energy_is_kept_away_from_the_rim() -> None:
    light = np.zeros((80, 80, 3))
    light[30:50, 30:50] = np.random.default_rng(4).random((20, 20, 3))

    for coc in (3.0, 11.0, 25.0):
        seen = draw_defocused([Surface(light, np.ones((80, 80)), coc)])
        assert seen.sum() == pytest.approx(light.sum(), rel=1e-9)


@pytest.mark.parametrize("coc", [-24.0, 24.0])
def test_a_straight_edge_fades_like_the_part_of_a_disc_beyond_it(coc: float) -> None:
    shape = (90, 120)
    front = Surface(np.ones((*shape, 3)), _right_half(shape), coc)

    row = draw_defocused([front, _surface(0, 40.0, shape)])[45, :, 0]

    # Pixel n lies n + 1/2 - 60 to the right of the edge: the share of a disc cut by a chord there.
    at = np.clip((np.arange(120) + 0.5 - 60) / 12, -1, 1)
    share = 0.5 + (at * np.sqrt(1 - at**2) + np.arcsin(at)) / math.pi
    assert row == pytest.approx(share, abs=4e-3)


def test_a_sharp_front_keeps_its_outline_and_what_it_hides_comes_from_behind_it() -> None:
    shape = (60, 80)
    behind = np.zeros((*shape, 3))
    behind[:, 30:, 1] = 1
    surfaces = [
        Surface(np.full((*shape, 3), (0.9, 0, 0)), _right_half(shape), 0.0),
        Surface(behind, np.ones(shape), 20.0),
    ]

    seen = draw_defocused(surfaces)

    assert np.allclose(seen[:, 40:], (0.9, 0, 0))
    assert np.allclose(seen[:, :40, 0], 0)
    # The hidden rest of the green surface shines past the outline as if nothing stood before it.
    alone = draw_defocused(surfaces[1:])
    assert np.allclose(seen[:, :40], alone[:, :40])


def test_nearer_comes_first() -> None:
    shape = (30, 30)
    red = _surface(np.array([1, 0, 0]), 9.0, shape)
    green = _surface(np.array([0, 1, 0]), -9.0, shape)

    assert np.allclose(draw_defocused([green, red]), (0, 1, 0))
    assert np.allclose(draw_defocused([red, green]), (1, 0, 0))


def test_a_slanted_surface_of_equal_circles_is_a_flat_one() -> None:
    rng = np.random.default_rng(8)
    light, cover = rng.random((30, 40, 3)), rng.random((30, 40))
    back = _surface(0.2, 3.0, (30, 40))

    flat, slanted = (
        draw_defocused([Surface(light, cover, coc), back], Opening(5, 7))
        for coc in (-7.0, np.full((30, 40), -7.0))
    )

    assert np.allclose(flat, slanted, atol=1e-12)


def test_a_factor_widens_all_circles() -> None:
    light = np.random.default_rng(3).random((40, 40, 3))

    assert np.array_equal(
        draw_defocused([_surface(light, 4.0, (40, 40))], factor=2),
        draw_defocused([_surface(light, 8.0, (40, 40))]),
    )


def test_the_sharp_picture_and_its_circles() -> None:
    shape = (10, 12)
    surfaces = [
        Surface(np.ones((*shape, 3)), _right_half(shape) * 0.75, -5.0),
        _surface(0, np.arange(120.0).reshape(shape), shape),
    ]

    light, coc = draw_sharp(surfaces)

    assert np.allclose(light[:, 6:], 0.75)
    assert np.allclose(light[:, :6], 0)
    assert np.array_equal(coc[:, 6:], np.full((10, 6), -5))
    assert np.array_equal(coc[:, :6], np.arange(120.0).reshape(shape)[:, :6])


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ShapeError, match="A surface of"):
        Surface(np.zeros((4, 5, 3)), np.ones((5, 4)), 1.0)
    with pytest.raises(ShapeError, match="circle of confusion"):
        Surface(np.zeros((4, 5, 3)), np.ones((4, 5)), np.zeros((4, 4)))
    for coc, corners in ((math.nan, 0), (math.inf, 5), (4.0, 2), (4.0, -1)):
        with pytest.raises(RangeError, match="finite diameter and 0 or at least 3"):
            point_image(coc, Opening(corners))
