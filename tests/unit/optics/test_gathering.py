"""Gathering light: the sum it is made of, its transpose, and what light does."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.optics.gathering import Gathering
from focuskit.optics.psf import Aperture

Map = NDArray[np.float32]
Matrix = NDArray[np.float64]
ROUND, BLADES, CATS_EYE = Aperture(), Aperture(6, 10.0), Aperture(cats_eye=0.8)
FIELD = (0.5, -0.4)
HEIGHT, WIDTH = 23, 29


def _rising(shape: tuple[int, int], low: float, high: float) -> Map:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    along = (y / (shape[0] - 1) + x / (shape[1] - 1)) / 2
    return np.asarray(low + (high - low) * along, np.float32)


def _levels(coc: Map) -> list[float]:
    """Diameters a fifth apart from the least to the most of 1 px and more, and none at all."""
    blurred = coc[coc >= 1]
    if not blurred.size:
        return [0.0]
    low, high = float(blurred.min()), float(blurred.max())
    if high < 1.03 * low:
        levels = [math.sqrt(low * high)]
    else:
        count = math.ceil(math.log(high / low, 1.2)) + 1
        levels = [low * (high / low) ** (step / (count - 1)) for step in range(count)]
    return levels if blurred.size == coc.size else [0.0, *levels]


def _pixel_by_pixel(coc: Map, aperture: Aperture) -> Matrix:
    """The map as a matrix: a row for every pixel, of how much it takes of every other."""
    levels = _levels(coc)
    psfs = [aperture.psf(level, FIELD) for level in levels]
    pad = max(psf.shape[0] // 2 for psf in psfs)
    rows = []
    for (y, x), size in np.ndenumerate(coc):
        row = np.zeros((HEIGHT + 2 * pad, WIDTH + 2 * pad))
        for share, psf in zip(_shares(levels, float(size)), psfs, strict=True):
            reach = psf.shape[0] // 2
            own = np.s_[
                y + pad - reach : y + pad + reach + 1, x + pad - reach : x + pad + reach + 1
            ]
            # What lies to the right comes from a point whose PSF reaches to the left.
            row[own] += share * psf[::-1, ::-1]
        rows.append(row[pad : pad + HEIGHT, pad : pad + WIDTH].ravel())
    return np.stack(rows)


def _shares(levels: list[float], size: float) -> list[float]:
    """How much of each level mixes to a squared diameter, of the two that it lies between."""
    size = min(max(size, levels[0]), levels[-1])
    shares = [0.0] * len(levels)
    shares[-1] = 1.0
    for index, (low, high) in enumerate(pairwise(levels)):
        if low <= size < high:
            upper = (size**2 - low**2) / (high**2 - low**2)
            shares[-1] = 0.0
            shares[index], shares[index + 1] = 1 - upper, upper
    return shares


@pytest.mark.parametrize("aperture", [ROUND, BLADES, CATS_EYE])
@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 0.5), (0.0, 3.0), (1.0, 3.0), (0.0, 16.0), (12.0, 12.0), (16.0, 16.0)]
)
def test_it_is_the_sum_over_what_each_pixel_gathers_and_back_its_transpose(
    aperture: Aperture, low: float, high: float
) -> None:
    coc = _rising((HEIGHT, WIDTH), low, high)
    light = np.random.default_rng(0).random((HEIGHT, WIDTH), np.float32)
    model, matrix = Gathering(coc, aperture, FIELD), _pixel_by_pixel(coc, aperture)

    for found, expected in (
        (model.blur(light), matrix @ light.ravel()),
        (model.spread_back(light), matrix.T @ light.ravel()),
    ):
        assert np.abs(found.ravel() - expected).max() < 1e-4


def test_channels_are_blurred_each_for_itself() -> None:
    light = np.random.default_rng(1).random((HEIGHT, WIDTH, 3), np.float32)
    model = Gathering(_rising((HEIGHT, WIDTH), 0.0, 6.0), ROUND, (0.0, 0.0))

    seen = model.blur_all(light)

    for channel in range(3):
        own = np.ascontiguousarray(light[..., channel])
        assert np.array_equal(seen[..., channel], model.blur(own))


def test_nothing_comes_from_farther_away_than_it_says() -> None:
    model = Gathering(_rising((40, 40), 0.0, 9.0), CATS_EYE, FIELD)
    light = np.zeros((40, 40), np.float32)
    light[20, 20] = 1

    y, x = np.nonzero(model.blur(light) > 1e-6)

    assert y.size > 1
    assert max(np.abs(y - 20).max(), np.abs(x - 20).max()) <= model.reach_px


def test_even_light_stays_even_away_from_the_border() -> None:
    model = Gathering(_rising((60, 60), 0.0, 14.0), ROUND, (0.0, 0.0))

    seen = model.blur(np.ones((60, 60), np.float32))

    assert np.abs(seen[8:-8, 8:-8] - 1).max() < 1e-4
