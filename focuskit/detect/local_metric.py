"""Where a photo is in focus, by two learned filters of 7×7 px: numpy and OpenCV alone.

The filters are the principal components of what ConvNets look for when they tell sharp from blurred
patches. Their joint response, averaged around each pixel, is a local metric of sharpness, and an
iteration that drives it to two levels makes the map (Zeng et al. 2019). The combination of the two
responses, the threshold and the window of the iteration are not public. What is ours, or differs:

- The noise's share of the responses is taken off, and they are judged against the local
  contrast: strong but soft edges must not pass as sharp.
- The metric is stretched from the photo's least to its greatest value, but never as if
  its range were less than in any photo with sharp parts: a frame without detail comes out low.
- The iteration runs on a grid of about 160 cells along the longer side, every fourth pixel of a
  photo of 640 px, with windows of 3×3 cells: at every pixel a hundred rounds take 80 ms, not 5.
  A guided filter brings the result back to the photo's edges.
- tanh(x) < x makes every map fade, so each round is rescaled to a maximum of 1: see `refined`.
- Circle of confusion and confidence, which the paper has not, are those of the detector "lbp".

References:
    K. Zeng et al.: A local metric for defocus blur detection based on CNN feature learning. IEEE
        TIP 28(5), 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.detect._working import WORKING_LONG_EDGE, Working, contrast_trust, finish
from focuskit.detect.lbp import regional_coc_diameter_px
from focuskit.detect.weights import (
    WAY_ON,
    WEIGHTS_VARIABLE,
    chosen_weights,
    first_line,
    own_file,
    weight_names,
)
from focuskit.errors import WeightsError
from focuskit.photo import Photo

__all__ = ["LocalMetric", "detect_local_metric", "refined", "sharpness_metric"]

Map = NDArray[np.float32]

_NAME = "local-metric"
_FILTERS_SHAPE = (2, 7, 7)
_ROUNDS = {10: 0.3, 50: 0.2, 100: 0.5}
"""Rounds of the iteration whose maps are combined, and their weights [paper]."""

# Chosen on 45 of CUHK's training photos, native size, out of some hundred combinations.
_NOISE_FACTOR = 4.0
_CONTRAST_WIDTH_PX = 11.0
_CONTRAST_FLOOR = 0.02
_MEAN_CELLS = 9
_WINDOW_CELLS = 3
# In each of these photos the metric spans nearly this much or more.
_LEAST_RANGE = 0.25
_TINY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class LocalMetric:
    """Finds what is in focus by two learned filters.

    Attributes:
        working_long_edge: larger photos are shrunk to this many pixels for measuring, and their map
            enlarged along the photo's edges; None measures them as they are.
        rescale: whether each round of the iteration is rescaled to a maximum of 1.
        filters: (2, 7, 7) float32, each of mean 0 and unit L2 norm; None for those of the weights.
        relative: it tells parts of a frame from each other: the mean of the map parts sharp from
            blurred, so that a frame without a sharp part, or without a blurred one, has both.
    """

    relative: ClassVar[bool] = True
    networks: ClassVar[tuple[str, ...]] = (_NAME,)

    working_long_edge: int | None = WORKING_LONG_EDGE
    rescale: bool = True
    filters: Map | None = None

    def prepare(self) -> None:
        """Read the filters now, so that what is wrong is said before any photo is read.

        Raises:
            WeightsError: they are missing or damaged; the message tells a way on.
        """
        _filters()

    def __call__(self, photo: Photo) -> BlurMap:
        """Return the map of a photo, of the photo's size.

        Raises:
            WeightsError: the filters are missing or damaged; the message tells a way on.
            RangeError: `working_long_edge` is below 1.
        """
        filters = _filters() if self.filters is None else self.filters
        working = Working.of(photo, self.working_long_edge)
        metric = sharpness_metric(working, filters)
        stretched, strength = _stretched(metric)
        probability = refined(stretched, rescale=self.rescale) * np.float32(strength)
        trust = contrast_trust(working)
        return finish(
            photo,
            working,
            probability=_enlarged(probability, working.guide.shape),
            coc_diameter_px=regional_coc_diameter_px(working, trust),
            confidence=trust,
        )


detect_local_metric = LocalMetric()


def sharpness_metric(working: Working, filters: Map) -> Map:
    """Return the mean joint response of the filters around each cell.

    Args:
        working: the picture.
        filters: (2, 7, 7) float32, each of mean 0 and unit L2 norm.

    Returns:
        (about m/2, n/2) float32 >= 0 for a grid of m×n cells.
    """
    gray = working.gray
    responses = [_convolved(gray, each) for each in filters]
    energy = sum((each * each for each in responses[1:]), start=responses[0] * responses[0])
    # White noise of sigma n makes responses of sigma n each.
    noise = np.float32(_NOISE_FACTOR * len(filters) * working.noise_sigma**2)
    joint = np.asarray(cv2.sqrt(np.maximum(energy - noise, 0)), np.float32).reshape(gray.shape)
    mean = working.box(working.guide, _CONTRAST_WIDTH_PX)
    square = working.box(working.on_grid(gray * gray), _CONTRAST_WIDTH_PX)
    variance = np.maximum(square - mean * mean, 0) + np.float32(_CONTRAST_FLOOR**2)
    judged = working.on_grid(joint) / np.sqrt(variance)
    rows, columns = (max(1, side // 2) for side in working.guide.shape)
    cells = cv2.resize(judged, (columns, rows), interpolation=cv2.INTER_AREA)
    return _box(np.asarray(cells, np.float32).reshape(rows, columns), _MEAN_CELLS)


def refined(levels: Map, *, rescale: bool = True) -> Map:
    """Drive a map to few levels, and return the weighted sum of what it was on the way.

    In each round, cells whose neighbourhood's mean is below the mean of the whole map become 0, all
    others the hyperbolic tangent of it. Rescaled, the map comes to rest but for single cells whose
    mean lies at the bar.

    Args:
        levels: (H, W) float32 in [0, 1], higher = sharper.
        rescale: divide by the greatest value after each round; without, the map fades by and by,
            since tanh(x) < x.

    Returns:
        (H, W) float32 in [0, 1].
    """
    result = np.zeros_like(levels)
    for number in range(1, max(_ROUNDS) + 1):
        mean = _box(levels, _WINDOW_CELLS)
        bar = float(levels.mean(dtype=np.float64))
        levels = np.where(mean < bar, np.float32(0), np.tanh(mean))
        if rescale:
            greatest = float(levels.max())
            levels = levels / np.float32(greatest) if greatest > 0 else levels
        if number in _ROUNDS:
            result += np.float32(_ROUNDS[number]) * levels
    return result


def _stretched(metric: Map) -> tuple[Map, float]:
    """Return the metric in [0, 1], and how far its range is that of a photo with sharp parts."""
    least, greatest = float(metric.min()), float(metric.max())
    span = greatest - least
    stretched = (metric - np.float32(least)) / np.float32(max(span, _TINY))
    return np.asarray(stretched, np.float32), min(1.0, span / _LEAST_RANGE)


def _enlarged(cells: Map, shape: tuple[int, ...]) -> Map:
    large = cv2.resize(cells, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32).reshape(shape)


def _filters() -> Map:
    if _NAME not in weight_names() and own_file(_NAME) is None:
        raise WeightsError(
            f"No filters of {_NAME} ship with this focuskit; train them (focuskit train {_NAME} "
            f"DATA -o RUN) and name the file: {WEIGHTS_VARIABLE}={_NAME}="
            f"RUN/weights/{_NAME}.safetensors."
        )
    weights = chosen_weights(_NAME)
    try:
        filters = np.array(weights.facts["filters"], np.float32)
    except (KeyError, TypeError, ValueError) as exc:
        raise _unfit(f"they hold no filters ({first_line(exc)})") from exc
    if filters.shape != _FILTERS_SHAPE:
        raise _unfit(f"the filters are of shape {filters.shape}, expected {_FILTERS_SHAPE}")
    if not np.isfinite(filters).all():
        raise _unfit("the filters hold values that are not finite")
    return filters


def _unfit(why: str) -> WeightsError:
    return WeightsError(
        f"The weights of {_NAME} do not fit this version of focuskit: {why}. {WAY_ON}"
    )


def _convolved(gray: Map, kernel: Map) -> Map:
    response = cv2.filter2D(gray, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
    return np.asarray(response, np.float32).reshape(gray.shape)


def _box(cells: Map, side: int) -> Map:
    mean = cv2.boxFilter(cells, cv2.CV_32F, (side, side), borderType=cv2.BORDER_REFLECT)
    return np.asarray(mean, np.float32).reshape(cells.shape)
