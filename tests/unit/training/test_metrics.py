from __future__ import annotations

import math

import numpy as np
import pytest

from focuskit.errors import InputError, RangeError, ShapeError
from focuskit.training.metrics import PhotoScore, mean_curves, score_photo, summarise

MASK = np.array([[True, True, False, False]])
MAP = np.array([[0.9, 0.4, 0.6, 0.1]], np.float32)

# A set of two photos small enough to work out every figure of the protocol by hand.
# A, from the highest value:    .9 sharp, .8 sharp, .6, .3, .2 sharp, .1
# B, likewise:                  .6 sharp, .5, .3 sharp, .2, .2 sharp, .1
MASK_A = np.array([[True, True, False], [False, True, False]])
MAP_A = np.array([[0.9, 0.8, 0.3], [0.6, 0.2, 0.1]], np.float32)
MASK_B = np.array([[True, True, False], [False, False, True]])
MAP_B = np.array([[0.3, 0.6, 0.5], [0.1, 0.2, 0.2]], np.float32)


@pytest.fixture
def two() -> list[PhotoScore]:
    return [score_photo(MAP_A, MASK_A), score_photo(MAP_B, MASK_B)]


def test_f_max_of_two_photos_by_hand(two: list[PhotoScore]) -> None:
    # F = 1.3 TP / (0.3 * 3 wanted + found), over the threshold:
    #   A: to .2 3.9/5.9, to .3 2.6/4.9, to .6 2.6/3.9, to .8 2.6/2.9, to .9 1.3/1.9
    #   B: to .2 3.9/5.9, to .3 2.6/3.9, to .5 1.3/2.9, to .6 1.3/1.9, then 0
    # The means are largest from .5 to .6, where neither photo is at its best: 2/3 and 13/19.
    assert summarise(two).f_max.value == pytest.approx(77 / 114)
    assert int(np.argmax(mean_curves(two).f)) in range(128, 154)
    best = [score.f_curve.max() for score in two if score.f_curve is not None]
    assert best == pytest.approx([26 / 29, 13 / 19])


def test_the_other_means_of_two_photos_by_hand(two: list[PhotoScore]) -> None:
    summary = summarise(two)

    # A: mean 2.9/6, so .725: .9 and .8 found, both right: 2.6 / 2.9.
    # B: mean 1.9/6, so .475: .6 and .5 found, one right: 1.3 / 2.9.
    assert summary.f_adaptive.value == pytest.approx((26 / 29 + 13 / 29) / 2)
    # Blurred is below .5. A: .3 .2 .1, two right of three wanted. B: .3 .2 .2 .1, two right.
    assert summary.f_blur.value == pytest.approx((2.6 / 3.9 + 2.6 / 4.9) / 2)
    # A: .9 and .8 beat all three, .2 beats one: 7/9.
    # B: .3 beats two, .6 three, .2 one and ties with one: 6.5/9.
    assert summary.auc.value == pytest.approx(13.5 / 18)
    # A: .1 .2 .8 on what is sharp, .3 .6 .1 beside it. B: .7 .4 .8 and .5 .1 .2.
    assert summary.mae.value == pytest.approx((2.1 / 6 + 2.7 / 6) / 2)


def test_iou_is_pooled_over_two_photos_by_hand(two: list[PhotoScore]) -> None:
    # A: two in both, four in either. B: two, and five. The mean of ratios would be 9/20.
    assert summarise(two).iou_blur.value == pytest.approx(4 / 9)


def test_calibration_of_two_photos_by_hand(two: list[PhotoScore]) -> None:
    # Each value has a bin of its own; sharp pixels against the sum of probabilities there:
    #   .1: 0 of 2, .2; .2: 2 of 3, .6; .3: 1 of 2, .6; .5: 0 of 1, .5; .6: 1 of 2, 1.2;
    #   .8: 1 of 1; .9: 1 of 1
    gaps = 0.2 + 1.4 + 0.4 + 0.5 + 0.2 + 0.2 + 0.1
    summary, curves = summarise(two), mean_curves(two)

    assert summary.ece.value == pytest.approx(gaps / 12)
    assert summary.ece.low <= summary.ece.value <= summary.ece.high
    filled = [1, 3, 4, 7, 9, 12, 13]
    assert list(np.flatnonzero(curves.pixels)) == filled
    assert curves.pixels[filled] * 12 == pytest.approx([2, 3, 2, 1, 2, 1, 1])
    assert curves.probability[filled] == pytest.approx([0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 0.9])
    assert curves.in_focus[filled] == pytest.approx([0, 2 / 3, 1 / 2, 0, 1 / 2, 1, 1])
    assert np.isnan(curves.in_focus[0])


def test_a_certain_map_that_is_right_is_calibrated() -> None:
    right = score_photo(MASK_A.astype(np.float32), MASK_A)
    wrong = score_photo((~MASK_A).astype(np.float32), MASK_A)

    assert summarise([right]).ece.value == 0
    assert summarise([wrong]).ece.value == 1


def test_precision_and_recall_are_averaged_threshold_by_threshold(two: list[PhotoScore]) -> None:
    curves = mean_curves(two)

    # At .55 A finds three and two are right, B finds one and it is right, of three wanted each.
    assert curves.precision[140] == pytest.approx((2 / 3 + 1) / 2)
    assert curves.recall[140] == pytest.approx((2 / 3 + 1 / 3) / 2)
    # At .75 B finds nothing, which adds 0 to both.
    assert curves.precision[191] == pytest.approx((1 + 0) / 2)
    assert curves.recall[191] == pytest.approx((2 / 3 + 0) / 2)
    assert (curves.precision[0], curves.recall[0]) == (pytest.approx(1 / 2), 1)
    assert (curves.precision[255], curves.recall[255]) == (0, 0)


def test_a_photo_of_one_class_counts_where_no_class_is_needed(two: list[PhotoScore]) -> None:
    sharp = np.array([[1, 1, 1], [0.5, 0.5, 0.5]], np.float32)
    three = [*two, score_photo(sharp, np.ones((2, 3), np.bool_))]
    summary = summarise(three)

    assert (summary.photos, summary.empty_class) == (3, 1)
    assert summary.mae.value == pytest.approx((2.1 + 2.7 + 1.5) / 18)
    # Nothing of it is blurred in mask or map.
    assert summary.iou_blur.value == pytest.approx(4 / 9)
    # Its three pixels at .5 fall into one bin with B's: 3 of 4 sharp where 2 are said.
    assert summary.ece.value == pytest.approx((0.2 + 1.4 + 0.4 + 1.0 + 0.2 + 0.2 + 0.1) / 18)
    for name in ("f_max", "f_adaptive", "f_blur", "auc"):
        assert getattr(summary, name).value == getattr(summarise(two), name).value
    assert (mean_curves(three).f == mean_curves(two).f).all()


def test_the_adaptive_threshold_stops_at_one_by_hand() -> None:
    # Mean .8, so 1.2, capped at 1: three are found and two of them right, of two wanted.
    capped = score_photo(np.array([[1, 1, 1, 0.2]], np.float32), MASK)

    assert capped.f_adaptive == pytest.approx(2.6 / 3.6)


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

    assert (score.f_curve, score.precision, score.recall) == (None,) * 3
    assert (score.f_adaptive, score.f_blur, score.auc) == (None,) * 3
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
    for estimate in (summary.f_max, summary.f_adaptive, summary.auc, summary.mae, summary.ece):
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.low < estimate.high
    assert summarise(scores) == summary


def test_a_set_of_empty_classes_has_no_f() -> None:
    summary = summarise([score_photo(MAP, np.ones((1, 4), np.bool_))])

    assert math.isnan(summary.f_max.value)
    assert np.isnan(mean_curves([score_photo(MAP, np.ones((1, 4), np.bool_))]).f).all()
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
    with pytest.raises(InputError, match="no photo"):
        mean_curves([])
