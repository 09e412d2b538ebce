"""What edges at full size add to a map, and the smallest blur that shows."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb
from focuskit.errors import ShapeError
from focuskit.optics.blind import SEEN_LONG_EDGE_PX, smallest_resolvable_coc_px, with_edges
from focuskit.optics.psf import disc_psf

Map = NDArray[np.float32]
HEIGHT, WIDTH = 300, 2400
TRUE_PX = 5.0


def blocks(height: int, width: int, cell: int = 24) -> Map:
    """Grey rectangles: edges that stand alone, in linear light."""
    rng = np.random.default_rng(4)
    small = rng.uniform(0.05, 0.7, (math.ceil(height / cell), math.ceil(width / cell)))
    return np.kron(small, np.ones((cell, cell)))[:height, :width].astype(np.float32)


def seen(light: Map, coc_px: float = 0.0, noise: float = 0.003) -> Map:
    """As a camera writes it: blurred in linear light, encoded, noisy."""
    if coc_px:
        light = cv2.filter2D(light, -1, disc_psf(coc_px), borderType=cv2.BORDER_REFLECT)
    gray = encode_srgb(np.asarray(light, np.float32))
    rng = np.random.default_rng(2)
    return np.clip(gray + rng.normal(0, noise, gray.shape), 0, 1).astype(np.float32)


def constant(shape: tuple[int, int], coc_px: float) -> BlurMap:
    ones = np.ones(shape, np.float32)
    return BlurMap(ones * 0.5, ones * np.float32(coc_px), ones)


@pytest.mark.parametrize("told_px", [1.0, 2.0, 9.0])
def test_edges_pull_a_wrong_answer_towards_the_truth(told_px: float) -> None:
    gray = seen(blocks(HEIGHT, WIDTH), TRUE_PX)

    found = with_edges(gray, constant(gray.shape, told_px)).coc_diameter_px

    before, after = (abs(math.log(each / TRUE_PX)) for each in (told_px, float(np.median(found))))
    assert after < 0.75 * before


def test_what_the_detector_could_not_see_is_left_to_the_edges() -> None:
    """The same answer is believed more of a photo of which the detector saw every pixel."""
    wide = seen(blocks(60, 4 * SEEN_LONG_EDGE_PX), TRUE_PX)
    less = seen(blocks(60, 2 * SEEN_LONG_EDGE_PX), TRUE_PX)

    far, near = (
        float(np.median(with_edges(gray, constant(gray.shape, 9.0)).coc_diameter_px))
        for gray in (wide, less)
    )

    assert abs(far - TRUE_PX) < abs(near - TRUE_PX)


def test_nothing_else_of_the_map_changes_and_small_photos_keep_theirs() -> None:
    gray = seen(blocks(HEIGHT, WIDTH), TRUE_PX)
    before = constant(gray.shape, 2.0)

    after = with_edges(gray, before)

    assert after.in_focus_probability is not None
    assert np.array_equal(after.in_focus_probability, before.in_focus_probability)
    assert np.array_equal(after.confidence, before.confidence)
    assert after.coc_diameter_px.dtype == np.float32
    assert np.isfinite(after.coc_diameter_px).all()
    assert after.coc_diameter_px.min() >= 0
    small = gray[:, :SEEN_LONG_EDGE_PX]
    kept = constant(small.shape, 2.0)
    assert with_edges(small, kept) is kept


def test_a_photo_without_edges_keeps_its_map() -> None:
    flat = np.full((50, WIDTH), 0.4, np.float32)
    kept = constant(flat.shape, 7.0)

    assert with_edges(flat, kept) is kept
    with pytest.raises(ShapeError, match="2400×50"):
        with_edges(flat, constant((50, 90), 7.0))


def test_strips_make_no_seams() -> None:
    """The same rows, once at the border between two strips and once within one."""
    tall = seen(blocks(2913, 160, cell=64), TRUE_PX)
    early, late = (
        with_edges(np.ascontiguousarray(part), constant(part.shape, 1.0)).coc_diameter_px
        for part in (tall[:2400], tall[513:])
    )

    at_border, within = early[960:1090], late[960 - 513 : 1090 - 513]

    assert np.abs(at_border - within).max() < 0.25


def test_the_smallest_blur_that_shows_grows_with_softness_and_noise() -> None:
    light = blocks(400, 500)

    crisp, soft, noisy = (
        smallest_resolvable_coc_px(each)
        for each in (seen(light), seen(light, 3.0), seen(light, noise=0.04))
    )

    assert 1.2 < crisp < 2.0
    assert soft > 1.2 * crisp
    assert noisy > 1.1 * crisp


@pytest.mark.parametrize("coc_px", [1.0, 2.0])
def test_what_is_called_resolvable_widens_edges_and_what_is_not_hardly_does(coc_px: float) -> None:
    from focuskit.optics.edges import measure_edges

    light = blocks(400, 500)
    least = smallest_resolvable_coc_px(seen(light))

    sharp, soft = (
        float(np.median(measure_edges(seen(light, each)).width_px)) for each in (0.0, coc_px)
    )

    assert (soft > 1.15 * sharp) == (coc_px >= least)


def test_no_edges_no_answer() -> None:
    assert math.isnan(smallest_resolvable_coc_px(np.full((1, 1), 0.5, np.float32)))
    assert math.isnan(smallest_resolvable_coc_px(np.full((300, 200), 0.5, np.float32)))
