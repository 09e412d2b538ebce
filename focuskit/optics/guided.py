"""Edge-aware smoothing and upsampling of maps, with the photo's grey picture as the guide.

Within each window the map is fitted as a line of the guide, `map = a * guide + b`; edges of the map
then follow edges of the photo. Weights make the fit a normalised convolution: values that are not
trusted are filled in from those that are.

References:
    K. He, J. Sun, X. Tang: Guided image filtering. TPAMI 2013.
    K. He, J. Sun: Fast guided filter. arXiv:1505.00996, 2015.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_range
from focuskit.errors import ShapeError

__all__ = ["guided_filter", "guided_upsample"]

Map = NDArray[np.float32]
_TINY = np.float32(1e-6)


def guided_filter(
    guide: Map,
    values: Map,
    *,
    radius: int,
    eps: float,
    weight: Map | None = None,
    subsample: int = 1,
) -> Map:
    """Smooth `values` along the structures of `guide`.

    Args:
        guide: (H, W) float32, the photo's encoded grey picture.
        values: (H, W) float32.
        radius: of the square window in pixels, >= 1: windows are 2 radius + 1 wide.
        eps: variance of the guide below which a window counts as flat and is averaged, > 0.
        weight: (H, W) float32 >= 0, how much each value is trusted; None trusts all alike.
        subsample: solve on pictures smaller by this factor (He and Sun 2015), >= 1.

    Returns:
        (H, W) float32; may leave the range of `values` slightly, as any linear fit does.

    Raises:
        ShapeError: the arrays differ in size.
        RangeError: `radius`, `eps` or `subsample` is too small.
    """
    _check_same_size(guide, values, weight)
    check_range("subsample", subsample, low=1)
    if subsample == 1:
        a, b = _coefficients(guide, values, radius, eps, weight)
        return a * guide + b
    height, width = guide.shape
    small = (max(1, height // subsample), max(1, width // subsample))
    trusted = None if weight is None else _shrunk(weight, small)
    # The mean of a block must be the mean of its trusted values.
    low = _shrunk(values if weight is None else values * weight, small)
    if trusted is not None:
        low /= np.maximum(trusted, _TINY)
    return guided_upsample(
        guide, low, radius=max(1, round(radius / subsample)), eps=eps, weight=trusted
    )


def guided_upsample(
    guide: Map, values: Map, *, radius: int, eps: float, weight: Map | None = None
) -> Map:
    """Bring a small map to the size of a guide, its edges on the guide's edges.

    The lines are solved at the size of `values` and only their coefficients are enlarged, so the
    cost per pixel of the guide is two interpolations and one product.

    Args:
        guide: (H, W) float32.
        values: (h, w) float32, at most as large as the guide.
        radius: of the window in pixels of `values`, >= 1.
        eps: as in `guided_filter`.
        weight: (h, w) float32 >= 0, or None.

    Returns:
        (H, W) float32.

    Raises:
        ShapeError: `weight` differs from `values` in size.
        RangeError: `radius` or `eps` is too small.
    """
    _check_same_size(values, values, weight)
    height, width = guide.shape
    small = (int(values.shape[0]), int(values.shape[1]))
    a, b = _coefficients(_shrunk(guide, small), values, radius, eps, weight)
    result = _enlarged(a, height, width)
    result *= guide
    result += _enlarged(b, height, width)
    return result


def _coefficients(
    guide: Map, values: Map, radius: int, eps: float, weight: Map | None
) -> tuple[Map, Map]:
    """Eq. 5, 6 and 8 of He et al. 2013, every mean weighted."""
    check_range("radius", radius, low=1, unit="px")
    check_range("eps", eps, low=1e-12)
    mean = _Mean(radius, guide.shape)
    if weight is None:
        guide_mean, values_mean = mean(guide), mean(values)
        square, product = mean(guide * guide), mean(guide * values)
    else:
        # A trace of trust everywhere keeps windows without any from dividing by nothing.
        weight = weight + _TINY
        trust = mean(weight)
        guided, weighted = weight * guide, weight * values
        guide_mean, values_mean = mean(guided) / trust, mean(weighted) / trust
        square, product = mean(guided * guide) / trust, mean(guided * values) / trust
    variance = np.maximum(square - guide_mean * guide_mean, np.float32(0))
    a = np.asarray((product - guide_mean * values_mean) / (variance + np.float32(eps)), np.float32)
    b = values_mean - a * guide_mean
    if weight is None:
        return mean(a), mean(b)
    # Windows vote by the trust they hold, or the fill-in of empty windows would drown good ones.
    votes = mean(trust)
    return mean(a * trust) / votes, mean(b * trust) / votes


class _Mean:
    """Box mean that never reaches past a picture smaller than its window."""

    def __init__(self, radius: int, shape: tuple[int, ...]) -> None:
        self._size = tuple(2 * min(radius, side) + 1 for side in (shape[1], shape[0]))

    def __call__(self, values: Map) -> Map:
        mean = cv2.boxFilter(values, cv2.CV_32F, self._size, borderType=cv2.BORDER_REFLECT)
        return np.asarray(mean, np.float32).reshape(values.shape)


def _shrunk(values: Map, shape: tuple[int, int]) -> Map:
    if values.shape == shape:
        return values
    small = cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(shape)


def _enlarged(values: Map, height: int, width: int) -> Map:
    large = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32).reshape(height, width)


def _check_same_size(guide: Map, values: Map, weight: Map | None) -> None:
    for name, other in (("values", values), ("weight", weight)):
        if other is not None and other.shape != guide.shape:
            raise ShapeError(
                f"{name} must have the guide's shape {guide.shape}, got {other.shape}."
            )
