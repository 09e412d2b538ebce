from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.training.augment import View, augment
from focuskit.training.example import BLURRED_ABOVE_COC_PX, SHARP_BELOW_COC_PX, Example
from tests.unit.training._make import half_sharp, half_sharp_example

FIELDS = ("rgb", "in_focus", "weight", "coc_diameter_px")
SOURCES = ("cuhk", "multifocus", "sweep", "scene", "whole")


def _even(coc_px: float, source: str = "scene", shape: tuple[int, int] = (120, 150)) -> Example:
    """The same everywhere."""
    ones = np.ones(shape, np.float32)
    rgb = half_sharp(*shape, 1)
    return Example(rgb, ones * 0, ones, ones * np.float32(coc_px), source, "even")


def _view(example: Example, seed: int, size: int = 64, **options: float) -> View:
    return augment(example, np.random.default_rng(seed), size, **options)


@given(
    height=st.integers(16, 150),
    width=st.integers(16, 150),
    size=st.sampled_from([32, 64, 96]),
    source=st.sampled_from(SOURCES),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40)
def test_views_are_of_the_size_asked_for_and_repeat(
    height: int, width: int, size: int, source: str, seed: int
) -> None:
    whole = half_sharp_example(3, source, size=150)
    parts = (getattr(whole, name)[:height, :width] for name in FIELDS)
    example = Example(*parts, source, "a")
    before = [getattr(example, name).copy() for name in FIELDS]

    view, again = _view(example, seed, size), _view(example, seed, size)

    assert (view.rgb.shape, view.rgb.dtype) == ((size, size, 3), np.uint8)
    for name in FIELDS[1:]:
        values = getattr(view, name)
        assert (values.shape, values.dtype) == ((size, size), np.float32)
        assert values.flags.c_contiguous
        assert not (values < 0).any()
    assert view.in_focus.max() <= 1 + 1e-6
    assert view.weight.max() <= 2 + 1e-6
    assert np.isfinite(view.coc_diameter_px).all() == (source in ("scene", "whole"))
    for name, values in zip(FIELDS, before, strict=True):
        assert np.array_equal(getattr(view, name), getattr(again, name), equal_nan=True)
        assert np.array_equal(getattr(example, name), values, equal_nan=True)


def _slope(ramp: NDArray[np.float32]) -> float:
    """How much of the whole one pixel of the view spans, whichever way the view was turned."""
    along = [abs(float(np.diff(ramp, axis=axis).mean())) for axis in (0, 1)]
    assert min(along) < 1e-3 * max(along)
    return max(along)


@pytest.mark.parametrize("seed", range(20))
def test_a_picture_that_is_shrunk_is_less_blurred(seed: int) -> None:
    height, width = 160, 200
    down = np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, axis=1)
    across = np.repeat(np.linspace(0, 1, width, dtype=np.float32)[None], height, axis=0)
    coc = np.full((height, width), 8, np.float32)
    # Ramps instead of labels tell how large the view shows the picture.
    example = Example(half_sharp(height, width, 1), down, across, coc, "multifocus", "ramps")

    view = _view(example, seed)

    rows, columns = (height - 1) * _slope(view.in_focus), (width - 1) * _slope(view.weight)
    wanted = 8 / (rows * columns) ** 0.5
    assert view.coc_diameter_px == pytest.approx(wanted, rel=0.02)


def test_of_a_whole_picture_at_half_its_size_the_blur_is_half() -> None:
    example = _even(8.0, shape=(128, 128))

    cocs = np.array([float(_view(example, seed).coc_diameter_px.mean()) for seed in range(80)])

    # Whole, or at the smallest scale: nothing is ever shown smaller.
    assert cocs.min() == pytest.approx(4, rel=0.03)
    assert cocs.max() == pytest.approx(8 * 1.15, rel=0.2)


@given(coc_px=st.floats(0, 6), source=st.sampled_from(["scene", "whole"]), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_known_blur_is_labelled_again_at_the_new_size(
    coc_px: float, source: str, seed: int
) -> None:
    view = _view(_even(coc_px, source), seed)

    seen = float(view.coc_diameter_px[0, 0])
    assert (view.coc_diameter_px == seen).all()
    assert (view.in_focus == (seen <= SHARP_BELOW_COC_PX)).all()
    decided = not SHARP_BELOW_COC_PX < seen < BLURRED_ABOVE_COC_PX
    assert view.weight == pytest.approx(float(decided))


def test_the_same_photo_is_in_focus_small_and_blurred_large() -> None:
    views = [_view(_even(2.1, shape=(128, 128)), seed) for seed in range(40)]

    assert {float(view.in_focus[0, 0]) for view in views} == {0, 1}
    assert {float(view.weight[0, 0]) for view in views} == {0, 1}


@pytest.mark.parametrize("seed", range(5))
def test_what_was_undecided_stays_so_and_what_nobody_measured_keeps_its_label(seed: int) -> None:
    example = _even(0.5)
    undecided = replace(example, weight=np.zeros_like(example.weight))
    unknown = np.full_like(example.weight, np.nan)

    assert not _view(undecided, seed).weight.any()
    for label in (0, 1):
        in_focus = np.full_like(unknown, label)
        view = _view(replace(example, in_focus=in_focus, coc_diameter_px=unknown), seed)
        assert view.in_focus == pytest.approx(label)
        assert view.weight == pytest.approx(1)


@pytest.mark.parametrize("source", ["cuhk", "multifocus", "sweep"])
def test_labels_that_were_seen_not_measured_stay(source: str) -> None:
    example = replace(_even(0.2, source), scene="drawn")

    for seed in range(5):
        assert not _view(example, seed, hard=1).in_focus.any()


def test_picture_and_maps_are_flipped_and_turned_together() -> None:
    marked = np.zeros((160, 160), np.float32)
    marked[:70, :60] = 1
    rgb = np.where(marked[..., None] > 0, 255, 0).repeat(3, axis=2).astype(np.uint8)
    example = Example(rgb, marked, marked, 8 * marked, "sweep", "marked")

    corners = set()
    for seed in range(150):
        view = _view(example, seed)
        bright = view.rgb.mean(axis=2) > 100
        for part in (view.in_focus > 0.5, view.weight > 0.5, view.coc_diameter_px > 0):
            assert (part == bright).mean() > 0.95
        whole = 0.1 < bright.mean() < 0.3
        if whole:
            y, x = np.argwhere(bright).mean(axis=0)
            corners.add((y > 32, x > 32))

    assert len(corners) == 4


@pytest.mark.parametrize("hard", [1.0, 2.0, 3.5])
def test_hard_regions_and_only_they_weigh_more(hard: float) -> None:
    found = set()
    for seed in range(10):
        example = half_sharp_example(seed)
        weights = _view(example, seed, hard=hard).weight
        found |= set(np.unique(weights.round(4)).tolist())

    assert found == {1.0, hard}


def test_hard_is_where_what_catches_the_eye_is_blurred_or_the_rest_sharp() -> None:
    example = half_sharp_example(4)
    ones = np.ones_like(example.in_focus)
    for seed in range(10):
        sharp = _view(replace(example, in_focus=ones), seed).weight > 1.5
        blurry = _view(replace(example, in_focus=0 * ones), seed).weight > 1.5
        assert np.array_equal(sharp, ~blurry)
        # Little of a picture catches the eye.
        assert blurry.mean() < 0.5


@pytest.mark.parametrize("source", SOURCES[1:])
def test_truth_that_was_not_drawn_knows_no_hard_regions(source: str) -> None:
    for seed in range(5):
        assert _view(half_sharp_example(1, source), seed).weight.max() <= 1 + 1e-6


def test_colours_change_and_every_view_stays_a_picture() -> None:
    example = half_sharp_example(1)
    means = [_view(example, seed).rgb.reshape(-1, 3).mean(axis=0) for seed in range(30)]

    assert np.std(means, axis=0).min() > 4
    assert 20 < np.min(means) < np.max(means) < 235
