"""How well a map of in-focus probability agrees with a hand-drawn mask.

The protocol: masks are True where in focus; maps are compared at the mask's size, without rescaling
their values; scores are means over photos with 95 % bootstrap intervals over photos. Photos with an
empty class are left out of F and AUC, kept for what needs no class (MAE, IoU, ECE), and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_map
from focuskit.errors import InputError, ShapeError

__all__ = [
    "BETA_SQUARED",
    "RELIABILITY_BINS",
    "Curves",
    "Estimate",
    "PhotoScore",
    "Scores",
    "mean_curves",
    "score_photo",
    "summarise",
]

BETA_SQUARED = 0.3
RELIABILITY_BINS = 15
_THRESHOLDS = 256
_AUC_LEVELS = 65536


@dataclass(frozen=True, slots=True, eq=False)
class PhotoScore:
    """What one photo adds to the scores of a set.

    Attributes:
        precision: (256,) float64, of the in-focus class for map >= t/255, t = 0..255; 0 where
            nothing is found. None if the mask lacks a class.
        recall: (256,) float64, likewise.
        f_curve: (256,) float64, F of precision and recall; None likewise.
        f_adaptive: F at min(1.5 * mean of the map, 1); None likewise.
        f_blur: F of the blurred class for map < 0.5; None likewise.
        auc: area under the ROC curve of the in-focus class, ties count half; None likewise.
        mae: mean |map - mask|, in [0, 1].
        blur_overlap: pixels that are blurred in mask and map, and in mask or map.
        reliability: (3, 15) float64, for each fifteenth of the probability: how many pixels the map
            puts there, how many of them are in focus, and the sum of their probabilities.
    """

    precision: NDArray[np.float64] | None
    recall: NDArray[np.float64] | None
    f_curve: NDArray[np.float64] | None
    f_adaptive: float | None
    f_blur: float | None
    auc: float | None
    mae: float
    blur_overlap: tuple[int, int]
    reliability: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score and its 95 % bootstrap interval over photos."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a set of photos; all but `mae` and `ece` are better when higher.

    Attributes:
        f_max: maximum over thresholds of the mean F of the in-focus class (beta squared 0.3).
        f_adaptive: mean F at 1.5 times each map's mean.
        f_blur: mean F of the blurred class at 0.5.
        auc: mean area under the ROC curve.
        iou_blur: intersection over union of the blurred class at 0.5, pixels pooled over the set.
        mae: mean absolute error of the soft map.
        ece: expected calibration error: how far the share of pixels in focus is from the
            probability said, on average over the pixels of the set, in 15 equal bins.
        photos: how many photos.
        empty_class: how many of them lack a class and count for `mae`, `iou_blur` and `ece` only.
    """

    f_max: Estimate
    f_adaptive: Estimate
    f_blur: Estimate
    auc: Estimate
    iou_blur: Estimate
    mae: Estimate
    ece: Estimate
    photos: int
    empty_class: int


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """What the figures of a set are drawn from.

    The published convention: precision and recall are each averaged over photos threshold by
    threshold, a photo in which nothing is found adding 0 to both; so the curve of precision bends
    down to (0, 0) at the highest thresholds.

    Attributes:
        precision: (256,) float64, mean over photos for map >= t/255; NaN if all lack a class.
        recall: (256,) float64, likewise.
        f: (256,) float64, mean of the photos' F, not F of the means.
        pixels: (15,) float64, share of all pixels by predicted probability, in fifteenths.
        probability: (15,) float64, mean prediction there; NaN where there is no pixel.
        in_focus: (15,) float64, share of these pixels that are in focus; NaN likewise.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f: NDArray[np.float64]
    pixels: NDArray[np.float64]
    probability: NDArray[np.float64]
    in_focus: NDArray[np.float64]


def score_photo(in_focus_probability: NDArray[np.float32], mask: NDArray[np.bool_]) -> PhotoScore:
    """Compare one map with its mask.

    Args:
        in_focus_probability: (H, W) float32 in [0, 1].
        mask: (H, W) bool, True where in focus.

    Raises:
        ShapeError, RangeError: the arrays are not that or differ in size.
    """
    if mask.dtype != np.bool_:
        raise ShapeError(f"mask must be bool, got {mask.dtype}.")
    values = check_map("in_focus_probability", in_focus_probability, shape=mask.shape)
    positives = int(np.count_nonzero(mask))
    blurred = values < 0.5
    both = int(np.count_nonzero(blurred & ~mask))
    either = int(np.count_nonzero(blurred | ~mask))
    mae = float(np.abs(values - mask).mean(dtype=np.float64))
    reliability = _reliability(values, mask)
    if positives in (0, mask.size):
        return PhotoScore(None, None, None, None, None, None, mae, (both, either), reliability)
    threshold = min(1.5 * float(values.mean(dtype=np.float64)), 1.0)
    hits, found = _at_thresholds(values, mask)
    return PhotoScore(
        precision=hits / np.maximum(found, 1),
        recall=hits / positives,
        f_curve=_f(hits, found, positives),
        f_adaptive=_f_of(values >= threshold, mask),
        f_blur=_f_of(blurred, ~mask),
        auc=_auc(values, mask),
        mae=mae,
        blur_overlap=(both, either),
        reliability=reliability,
    )


def summarise(scores: Sequence[PhotoScore], *, seed: int = 0, resamples: int = 1000) -> Scores:
    """Return the scores of a set with percentile bootstrap intervals over its photos.

    Args:
        scores: one per photo, at least one.
        seed: of the bootstrap, so that tables repeat.
        resamples: how often photos are redrawn with replacement.

    Raises:
        InputError: there is no photo.
    """
    if not scores:
        raise InputError("There is no photo to score.")
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(scores), (resamples, len(scores)))
    whole = [score for score in scores if score.f_curve is not None]
    redrawn = rng.integers(0, max(len(whole), 1), (resamples, len(whole)))
    overlap = np.array([score.blur_overlap for score in scores], np.float64)
    return Scores(
        f_max=_interval(np.array([score.f_curve for score in whole]), redrawn),
        f_adaptive=_interval(_column([score.f_adaptive for score in whole]), redrawn),
        f_blur=_interval(_column([score.f_blur for score in whole]), redrawn),
        auc=_interval(_column([score.auc for score in whole]), redrawn),
        iou_blur=_pooled(overlap, drawn),
        mae=_interval(_column([score.mae for score in scores]), drawn),
        ece=_ece(np.stack([score.reliability for score in scores]), drawn),
        photos=len(scores),
        empty_class=len(scores) - len(whole),
    )


def mean_curves(scores: Sequence[PhotoScore]) -> Curves:
    """Return the curves of a set.

    Raises:
        InputError: there is no photo.
    """
    if not scores:
        raise InputError("There is no photo to score.")
    pixels, in_focus, probability = np.sum([score.reliability for score in scores], axis=0)
    filled = np.where(pixels > 0, pixels, np.nan)
    return Curves(
        precision=_mean([score.precision for score in scores]),
        recall=_mean([score.recall for score in scores]),
        f=_mean([score.f_curve for score in scores]),
        pixels=pixels / pixels.sum(),
        probability=probability / filled,
        in_focus=in_focus / filled,
    )


def _mean(curves: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64]:
    known = [curve for curve in curves if curve is not None]
    return np.mean(known, axis=0) if known else np.full(_THRESHOLDS, np.nan)


def _column(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array(values, np.float64).reshape(-1, 1)


def _interval(table: NDArray[np.float64], drawn: NDArray[np.int64]) -> Estimate:
    """Maximum over columns of the mean over rows, and its spread when rows are redrawn."""
    if table.size == 0:
        return Estimate(np.nan, np.nan, np.nan)
    resampled = (_counts(drawn) @ table / len(table)).max(axis=1)
    return _estimate(table.mean(axis=0).max(), resampled)


def _counts(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    # How often each photo was drawn, as a matrix: resampled sums are then one product.
    photos = drawn.shape[1]
    return np.stack([np.bincount(row, minlength=photos) for row in drawn]).astype(np.float64)


def _estimate(value: float, resampled: NDArray[np.float64]) -> Estimate:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def _ece(reliability: NDArray[np.float64], drawn: NDArray[np.int64]) -> Estimate:
    def error(bins: NDArray[np.float64]) -> NDArray[np.float64]:
        # Weight times gap of a bin, n / N * |hits / n - sum / n|: its pixels n cancel.
        gaps = np.abs(bins[..., 1, :] - bins[..., 2, :]).sum(axis=-1)
        return np.asarray(gaps / bins[..., 0, :].sum(axis=-1))

    resampled = np.tensordot(_counts(drawn), reliability, axes=1)
    return _estimate(float(error(reliability.sum(axis=0))), error(resampled))


def _pooled(overlap: NDArray[np.float64], drawn: NDArray[np.int64]) -> Estimate:
    both, either = overlap.sum(axis=0)
    if either == 0:
        return Estimate(1.0, 1.0, 1.0)
    sums = overlap[drawn].sum(axis=1)
    ratios = np.divide(sums[:, 0], sums[:, 1], out=np.ones(len(sums)), where=sums[:, 1] > 0)
    return _estimate(both / either, ratios)


def _f_of(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    hits, sizes = np.array([np.count_nonzero(found & wanted)]), np.array([np.count_nonzero(found)])
    return float(_f(hits, sizes, int(np.count_nonzero(wanted)))[0])


def _f(hits: NDArray[np.int64], found: NDArray[np.int64], wanted: int) -> NDArray[np.float64]:
    # F = (1 + b) P R / (b P + R) with P = hits / found, R = hits / wanted: the products cancel,
    # and no hits gives the 0 that the protocol asks for.
    return (1 + BETA_SQUARED) * hits / (BETA_SQUARED * wanted + found)


def _at_thresholds(
    values: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many pixels in focus, and how many in all, reach t/255 for t = 0..255."""
    # map >= t/255 exactly when floor(255 map) >= t, so one histogram serves all thresholds.
    levels = (values * np.float32(255)).astype(np.uint8)
    found = np.bincount(levels.ravel(), minlength=_THRESHOLDS)[::-1].cumsum()[::-1]
    hits = np.bincount(levels[mask], minlength=_THRESHOLDS)[::-1].cumsum()[::-1]
    return hits, found


def _reliability(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    last = RELIABILITY_BINS - 1
    bins = np.minimum((values * np.float32(RELIABILITY_BINS)).astype(np.intp), last)
    sums = [
        np.bincount(bins.ravel(), minlength=RELIABILITY_BINS),
        np.bincount(bins[mask], minlength=RELIABILITY_BINS),
        np.bincount(bins.ravel(), values.ravel(), minlength=RELIABILITY_BINS),
    ]
    return np.stack(sums).astype(np.float64)


def _auc(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    # Ranks on 16-bit levels: pixels closer than 2^-16 count as tied, which moves AUC by far less
    # than it is printed with, and saves the sort.
    levels = (values * np.float32(_AUC_LEVELS - 1)).astype(np.uint16)
    positive = np.bincount(levels[mask], minlength=_AUC_LEVELS).astype(np.float64)
    negative = np.bincount(levels[~mask], minlength=_AUC_LEVELS).astype(np.float64)
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))
