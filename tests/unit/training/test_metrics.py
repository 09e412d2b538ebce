from __future__ import annotations

import math

import numpy as np
import pytest

from focuskit.errors import InputError, RangeError, ShapeError
from focuskit.training.metrics import score_photo, summarise

MASK = np.array([[True, True, False, False]])
MAP = np.array([[0.9, 0.4, 0.6, 0.1]], np.float32)


def test_f_at_every_threshold_by_hand() -> None:
    curve = score_photo(MAP, MASK).f_curve

    assert curve is not None
    # t = 0: all four found, P = 1/2, R = 1.
    assert curve[0] == pytest.approx(1.3 * 0.5 / (0.3 * 0.5 + 1))
    # 0.1 < t <= 0.4: three found, P = 2/3, R = 1.
    assert curve[round(0.3 * 255)] == pytest.approx(1.3 * (2 / 3) / (0.3 * 2 / 3 + 1))
    # 0.6 < t <= 0.9: one found and right, P = 1, R = 1/2.
    assert curve[round(0.7 * 255)] == pytest.approx(1.3 * 0.5 / (0.3 + 0.5))
    # Nothing found: no true positive gives 0.
    assert curve[255] == 0


def test_a_value_on_the_threshold_counts() -> None:
    exact = np.array([[128 / 255, 0.0]], np.float32)

    curve = score_photo(exact, np.array([[True, False]])).f_curve

    assert curve is not None
    assert curve[128] == 1
    assert curve[129] == 0


def test_the_other_scores_by_hand() -> None:
    score = score_photo(MAP, MASK)

    assert score.mae == pytest.approx((0.1 + 0.6 + 0.6 + 0.1) / 4)
    # Pairs (sharp, blurred): .9>.6, .9>.1, .4<.6, .4>.1.
    assert score.auc == pytest.approx(3 / 4)
    # Blurred below 0.5: .4 and .1; one is right of two found and two wanted.
    assert score.f_blur == pytest.approx(1.3 * 0.5 * 0.5 / (0.3 * 0.5 + 0.5))
    assert score.blur_overlap == (1, 3)
    # 1.5 * mean = 0.75: only .9 is found.
    assert score.f_adaptive == pytest.approx(1.3 * 0.5 / (0.3 + 0.5))


def test_ties_count_half_and_the_adaptive_threshold_stops_at_one() -> None:
    score = score_photo(np.ones((1, 4), np.float32), MASK)

    assert score.auc == pytest.approx(0.5)
    assert score.f_adaptive == pytest.approx(1.3 * 0.5 / (0.3 * 0.5 + 1))


@pytest.mark.parametrize("in_focus", [True, False])
def test_an_empty_class_counts_for_the_error_only(in_focus: bool) -> None:
    score = score_photo(MAP, np.full((1, 4), in_focus))

    assert (score.f_curve, score.f_adaptive, score.f_blur, score.auc) == (None,) * 4
    summary = summarise([score, score_photo(MAP, MASK)])
    assert (summary.photos, summary.empty_class) == (2, 1)
    assert summary.auc.value == pytest.approx(3 / 4)
    assert summary.mae.value == pytest.approx((score.mae + 0.35) / 2)


def test_f_max_is_the_maximum_of_means_not_the_mean_of_maxima() -> None:
    low = score_photo(np.array([[0.3, 0.1]], np.float32), np.array([[True, False]]))
    high = score_photo(np.array([[0.9, 0.7]], np.float32), np.array([[True, False]]))

    both = summarise([low, high]).f_max.value

    half = 1.3 * 0.5 / (0.3 * 0.5 + 1)
    assert both == pytest.approx((1 + half) / 2)
    assert both < 1


def test_overlap_is_pooled_over_the_set_and_intervals_hold_the_value() -> None:
    rng = np.random.default_rng(0)
    scores = []
    for _ in range(30):
        mask = rng.random((8, 8)) > 0.4
        noisy = np.clip(mask + rng.normal(0, 0.5, mask.shape), 0, 1).astype(np.float32)
        scores.append(score_photo(noisy, mask))

    summary = summarise(scores)

    pooled = np.array([score.blur_overlap for score in scores]).sum(axis=0)
    assert summary.iou_blur.value == pytest.approx(pooled[0] / pooled[1])
    for estimate in (summary.f_max, summary.f_adaptive, summary.auc, summary.mae):
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.low < estimate.high
    assert summarise(scores) == summary


def test_a_set_of_empty_classes_has_no_f() -> None:
    summary = summarise([score_photo(MAP, np.ones((1, 4), np.bool_))])

    assert math.isnan(summary.f_max.value)
    assert summary.mae.value == pytest.approx((0.1 + 0.6 + 0.4 + 0.9) / 4)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="bool"):
        score_photo(MAP, np.ones((1, 4)))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="shape"):
        score_photo(MAP, np.ones((2, 2), np.bool_))
    with pytest.raises(RangeError):
        score_photo(MAP * 2, MASK)
    with pytest.raises(InputError, match="no photo"):
        summarise([])
