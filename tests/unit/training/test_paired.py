"""Networks compared photo by photo: what the intervals must and must not say."""

from __future__ import annotations

import numpy as np
import pytest

from focuskit.errors import InputError
from focuskit.training.metrics import score_photo, summarise
from focuskit.training.paired import PhotoFigures, f_max, mae, paired_difference

RNG = np.random.default_rng(3)
MASKS = [RNG.random((24, 32)) > RNG.uniform(0.3, 0.7) for _ in range(12)]


def _figures(noise: float, seed: int) -> PhotoFigures:
    rng = np.random.default_rng(seed)
    maps = [mask * (1 - noise) + rng.random(mask.shape) * noise for mask in MASKS]
    return PhotoFigures.of(
        [score_photo(each.astype(np.float32), m) for each, m in zip(maps, MASKS, strict=True)]
    )


def test_figures_are_those_of_the_tables() -> None:
    mixed = [*MASKS, np.ones((24, 32), np.bool_)]
    maps = [np.clip(mask * 0.5 + RNG.random(mask.shape) * 0.5, 0, 1) for mask in mixed]
    scores = [score_photo(a.astype(np.float32), m) for a, m in zip(maps, mixed, strict=True)]

    figures = PhotoFigures.of(scores)
    wanted = summarise(scores, resamples=2)

    assert np.isnan(figures.f_curve[-1]).all()
    assert f_max([figures]) == pytest.approx(wanted.f_max.value)
    assert mae([figures]) == pytest.approx(wanted.mae.value)


def test_the_better_one_is_told_from_the_other_both_ways() -> None:
    good, bad = [_figures(0.3, 1)], [_figures(0.9, 2)]

    ahead, behind = paired_difference(good, bad), paired_difference(bad, good)

    assert 0 < ahead.f_max.low <= ahead.f_max.value <= ahead.f_max.high
    assert ahead.mae.low <= ahead.mae.value <= ahead.mae.high < 0
    assert behind.f_max.value == -ahead.f_max.value
    assert behind.f_max.high == pytest.approx(-ahead.f_max.low)


def test_a_network_does_not_differ_from_itself() -> None:
    same = paired_difference([_figures(0.8, 1)], [_figures(0.8, 1)])

    assert (same.f_max.low, same.f_max.value, same.f_max.high) == (0, 0, 0)
    assert (same.mae.low, same.mae.value, same.mae.high) == (0, 0, 0)


def test_pairs_say_more_than_two_intervals() -> None:
    """A small and constant difference counts, however much the photos differ."""
    errors = np.linspace(0.01, 0.5, 12)
    curves = np.repeat(1 - errors[:, None], 256, 1)
    one = PhotoFigures(curves, errors)
    other = PhotoFigures(curves - 0.001, errors + 0.001)

    found = paired_difference([one], [other])

    assert found.f_max.low == pytest.approx(0.001)
    assert found.mae.high == pytest.approx(-0.001)


def test_seeds_that_disagree_widen_the_interval() -> None:
    errors = np.full(12, 0.1)
    base = PhotoFigures(np.full((12, 256), 0.8), errors)
    up, down = (PhotoFigures(base.f_curve + d, errors) for d in (0.05, -0.03))

    alone = paired_difference([up], [base])
    both = paired_difference([up, down], [base, base])

    assert alone.f_max.low == pytest.approx(0.05)
    assert both.f_max.value == pytest.approx(0.01)
    assert both.f_max.low == pytest.approx(-0.03)
    assert both.f_max.high == pytest.approx(0.05)


def test_what_cannot_be_paired_is_refused() -> None:
    one = _figures(0.5, 1)
    fewer = PhotoFigures(one.f_curve[:5], one.mae[:5])
    without = PhotoFigures(np.full((3, 256), np.nan), np.zeros(3))

    with pytest.raises(InputError, match="1 and 2 runs"):
        paired_difference([one], [one, one])
    with pytest.raises(InputError, match=r"on \[5, 12\] photos"):
        paired_difference([one], [fewer])
    with pytest.raises(InputError, match="No photo has a part in focus"):
        paired_difference([without], [without])
