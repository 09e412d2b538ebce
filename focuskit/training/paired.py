"""Whether one network is better than another: scores of the same photos, compared in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from focuskit.errors import InputError
from focuskit.training.metrics import Estimate, PhotoScore

__all__ = ["Difference", "PhotoFigures", "f_max", "mae", "paired_difference"]

_THRESHOLDS = 256


@dataclass(frozen=True, slots=True, eq=False)
class PhotoFigures:
    """What one network reaches on each of P photos.

    Attributes:
        f_curve: (P, 256) float64, F of the in-focus class for map >= t/255; NaN where the mask
            lacks a class.
        mae: (P,) float64, mean |map - mask|.
    """

    f_curve: NDArray[np.float64]
    mae: NDArray[np.float64]

    @classmethod
    def of(cls, scores: Sequence[PhotoScore]) -> Self:
        """Return the figures of scores, one per photo."""
        unknown = np.full(_THRESHOLDS, np.nan)
        curves = [unknown if score.f_curve is None else score.f_curve for score in scores]
        return cls(
            np.array(curves, np.float64).reshape(-1, _THRESHOLDS),
            np.array([score.mae for score in scores], np.float64),
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one network is from another, with 95 % bootstrap intervals.

    Attributes:
        f_max: of the maximum over thresholds of the mean F; above 0 the one is better.
        mae: of the mean absolute error; below 0 the one is better.
    """

    f_max: Estimate
    mae: Estimate


def f_max(runs: Sequence[PhotoFigures]) -> float:
    """Return the mean over runs of the maximum over thresholds of the mean F."""
    return float(np.mean([_known(run).mean(axis=0).max() for run in runs]))


def mae(runs: Sequence[PhotoFigures]) -> float:
    """Return the mean over runs of the mean absolute error."""
    return float(np.mean([run.mae.mean() for run in runs]))


def paired_difference(
    one: Sequence[PhotoFigures],
    other: Sequence[PhotoFigures],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Difference:
    """Return the figures of one way to train less those of another.

    Photos are redrawn with replacement, the same for both and for all runs; of several runs, those
    too, by number. With a single one the interval knows nothing of what another seed would give.

    Args:
        one: of each run, in the order of their seeds, on the same photos.
        other: likewise, as many runs on the same photos.
        seed: of the bootstrap.
        resamples: how often is redrawn.

    Raises:
        InputError: there is no photo with both classes, or runs and photos differ in number.
    """
    shapes = {run.f_curve.shape for run in (*one, *other)}
    if len(one) != len(other) or len(shapes) != 1:
        raise InputError(
            f"Only runs of the same number on the same photos can be paired; got {len(one)} and "
            f"{len(other)} runs on {sorted(shape[0] for shape in shapes)} photos."
        )
    curves = [[_known(run) for run in runs] for runs in (one, other)]
    if not len(curves[0][0]):
        raise InputError("No photo has a part in focus and one that is blurred.")
    rng = np.random.default_rng(seed)
    runs = rng.integers(0, len(one), (resamples, len(one)))
    whole = _counts(rng, len(curves[0][0]), resamples)
    every = _counts(rng, len(one[0].mae), resamples)
    f = [np.stack([(whole @ curve).max(axis=1) for curve in each]) for each in curves]
    errors = [np.stack([every @ run.mae for run in each]) for each in (one, other)]
    return Difference(
        _estimate(f_max(one) - f_max(other), f[0] - f[1], runs),
        _estimate(mae(one) - mae(other), errors[0] - errors[1], runs),
    )


def _known(run: PhotoFigures) -> NDArray[np.float64]:
    return run.f_curve[~np.isnan(run.f_curve).any(axis=1)]


def _counts(rng: np.random.Generator, photos: int, resamples: int) -> NDArray[np.float64]:
    """Return (resamples, photos) shares in which each photo was drawn."""
    drawn = rng.integers(0, photos, (resamples, photos))
    return np.stack([np.bincount(row, minlength=photos) for row in drawn]) / photos


def _estimate(value: float, differences: NDArray[np.float64], runs: NDArray[np.int64]) -> Estimate:
    """Return the estimate from (runs, resamples) differences and the runs drawn for each."""
    resampled = np.take_along_axis(differences.T, runs, axis=1).mean(axis=1)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(value, float(low), float(high))
