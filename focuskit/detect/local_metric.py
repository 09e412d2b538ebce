"""Where a photo is in focus, by two learned filters of 7×7 px: numpy and OpenCV alone.

The filters are the principal components of what ConvNets look for when they tell sharp from blurred
patches. Their joint response around each pixel is a local metric of sharpness, and an iteration
that drives it to two levels makes the map (Zeng et al. 2019). The combination of the two responses,
the threshold and the window of the iteration are not public. What is ours, or differs:

- The noise's share of the responses is taken off, and the metric is their share in the contrast of
  the same few pixels: strong but soft edges must not pass as sharp.
- A guided filter spreads the metric from where there is contrast to where there is none.
- It is judged against the sharpest twentieth of the photo, but less so the lower that is: a frame
  without detail comes out low.
- The threshold of the iteration is Otsu's, of the map as it is in that round.
- The iteration runs on a grid of about 160 cells along the longer side, every fourth pixel of a
  photo of 640 px, with windows of 3×3 cells: at every pixel a hundred rounds take sixteen times
  as long. A guided filter brings the result back to the photo's structures.
- tanh(x) < x makes every map fade, so each round is rescaled to a maximum of 1: see `refined`.
- The map is the mean of the metric and of what the iteration makes of it: two levels alone know
  nothing of how sure they are. A logistic makes a probability of it.
- Circle of confusion and confidence, which the paper has not, are those of the detector "lbp".

References:
    K. Zeng et al.: A local metric for defocus blur detection based on CNN feature learning. IEEE
        TIP 28(5), 2019.
    N. Otsu: A threshold selection method from gray-level histograms. IEEE TSMC 9(1), 1979.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.detect._working import (
    WORKING_LONG_EDGE,
    Working,
    contrast_trust,
    finish,
    logistic,
    spread,
)
from focuskit.detect.lbp import regional_coc_diameter_px
from focuskit.detect.weights import (
    WAY_ON,
    WEIGHTS_VARIABLE,
    Weights,
    chosen_weights,
    differing_keys,
    find_weights,
    first_line,
    own_file,
    read_shapes,
    refusal,
    weight_names,
)
from focuskit.errors import WeightsError
from focuskit.optics.guided import guided_filter
from focuskit.photo import Photo

__all__ = ["LocalMetric", "detect_local_metric", "refined", "sharpness_metric"]

Map = NDArray[np.float32]

_NAME = "local-metric"
_FILTERS_SHAPE = (2, 7, 7)
_ROUNDS = {10: 0.3, 50: 0.2, 100: 0.5}
"""Rounds of the iteration whose maps are combined, and their weights [paper]."""

# Chosen on CUHK's training photos alone, native size and 320 px.
_NOISE_FACTOR = 4.0
_CONTRAST_SIDE_PX = 5
_CONTRAST_WEIGHT = np.float32(0.2)
_FLOOR = np.float32(0.01)
_POOL_CELLS = 3
_MEAN_CELLS = 7
_SPREAD_SHARE = 0.04
_LEAST_TRUST = np.float32(0.3)
_LOW, _HIGH = 0.02, 0.95
_DOUBT = 0.05
_HIGH_LEVEL = 0.75
_WINDOW_CELLS = 3
_REFINED_WEIGHT = np.float32(0.5)
_EDGES_SHARE = 0.025
_EDGES_EPS = 1e-3
_CENTRE = 0.55
_SLOPE = 10.0
_LEVELS = 64
_CENTRES = (np.arange(_LEVELS) + 0.5) / _LEVELS


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
        trust = contrast_trust(working)
        metric = sharpness_metric(working, filters)
        return finish(
            photo,
            working,
            probability=_probability(working, metric, trust, rescale=self.rescale),
            coc_diameter_px=regional_coc_diameter_px(working, trust),
            confidence=trust,
        )


detect_local_metric = LocalMetric()


def sharpness_metric(working: Working, filters: Map) -> Map:
    """Return the joint response of the filters around each cell, as a share of the contrast there.

    Args:
        working: the picture.
        filters: (2, 7, 7) float32, each of mean 0 and unit L2 norm.

    Returns:
        (m, n) float32 in [0, 1] for a grid of m×n cells.
    """
    gray = working.gray
    # White noise of sigma n makes responses of sigma n each.
    noise = np.float32(working.noise_sigma**2)
    energy = sum((_convolved(gray, each) ** 2 for each in filters), start=np.zeros_like(gray))
    energy = np.maximum(energy - np.float32(_NOISE_FACTOR * len(filters)) * noise, 0)
    mean = _box(gray, _CONTRAST_SIDE_PX)
    contrast = np.maximum(_box(gray * gray, _CONTRAST_SIDE_PX) - mean * mean - noise, 0)
    energy, contrast = (_box(working.on_grid(each), _POOL_CELLS) for each in (energy, contrast))
    return np.asarray(energy / (energy + _CONTRAST_WEIGHT * contrast + _FLOOR**2), np.float32)


def refined(levels: Map, *, rescale: bool = True) -> Map:
    """Drive a map to few levels, and return the weighted sum of what it was on the way.

    In each round, cells whose neighbourhood's mean is below the threshold that parts the whole map
    best become 0, all others the hyperbolic tangent of it. Rescaled, the map comes to rest but for
    its rims, which alternate between two states.

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
        levels = np.tanh(mean) * (mean >= _bar(levels))
        if rescale:
            greatest = levels.max()
            if greatest > 0:
                levels /= greatest
        if number in _ROUNDS:
            result += np.float32(_ROUNDS[number]) * levels
    return result


def _bar(levels: Map) -> np.float32:
    """Return the level in [0, 1] that parts a map into two with the least variance within them.

    Between two clear levels many part it alike; the lowest of them keeps rims from being eaten.
    """
    steps = (levels.ravel() * np.float32(_LEVELS - 1)).astype(np.intp)
    counts = np.bincount(steps, minlength=_LEVELS)
    below = counts.cumsum()
    moment = (counts * _CENTRES).cumsum()
    above = levels.size - below
    apart = moment * levels.size - moment[-1] * below
    # Empty sides have nothing apart: their bound does not matter.
    between = apart * apart / np.maximum(below * above, 1)
    return np.float32(_CENTRES[between.argmax()])


def _probability(working: Working, metric: Map, trust: Map, *, rescale: bool) -> Map:
    """Return the in-focus probability of each cell from the metric."""
    weight = np.maximum(trust, _LEAST_TRUST)
    smooth = spread(working, _box(metric, _MEAN_CELLS), weight, share=_SPREAD_SHARE)
    levels, strength = _judged(smooth)
    rows, columns = (max(1, side // 2) for side in levels.shape)
    small = cv2.resize(levels, (columns, rows), interpolation=cv2.INTER_AREA)
    parted = refined(np.asarray(small, np.float32).reshape(rows, columns), rescale=rescale)
    radius = max(1, round(_EDGES_SHARE * max(levels.shape)))
    shaped = guided_filter(
        working.guide, _enlarged(parted, levels.shape), radius=radius, eps=_EDGES_EPS
    )
    mixed = levels + _REFINED_WEIGHT * (np.float32(strength) * shaped - levels)
    return logistic(mixed, centre=_CENTRE, slope=_SLOPE)


def _judged(smooth: Map) -> tuple[Map, float]:
    """Return the metric in [0, 1] beside the photo's sharpest part, and how sharp that is."""
    low, high = np.quantile(smooth, (_LOW, _HIGH))
    base = max(float(low), 0.0)
    top = max(float(high) - base, 0.0) + _DOUBT
    levels = np.clip((smooth - np.float32(base)) * np.float32(_HIGH_LEVEL / top), 0, 1)
    return np.asarray(levels, np.float32), min(1.0, float(levels.max()))


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
    if own_file(_NAME) is not None:
        _check_own(weights)
    try:
        filters = np.array(weights.facts["filters"], np.float32)
    except (KeyError, TypeError, ValueError) as exc:
        raise _unfit(f"they hold no filters ({first_line(exc)})") from exc
    if filters.shape != _FILTERS_SHAPE:
        raise _unfit(f"the filters are of shape {filters.shape}, expected {_FILTERS_SHAPE}")
    if not np.isfinite(filters).all():
        raise _unfit("the filters hold values that are not finite")
    return filters


def _check_own(weights: Weights) -> None:
    reason = refusal(weights.facts, _NAME)
    if not reason:
        return
    path = weights.files["safetensors"]
    # Compared with the shipped file, not with the network: that would take torch.
    shipped = find_weights(_NAME).files["safetensors"] if _NAME in weight_names() else path
    differing = differing_keys(read_shapes(shipped)[0], read_shapes(path)[0])
    raise WeightsError(
        f"{path} cannot run {_NAME}: {reason}; {differing}. Give weights that focuskit train or "
        f"focuskit weights export wrote for {_NAME}."
    )


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
