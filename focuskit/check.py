"""Checks of arguments: each raises a sentence, none asserts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from focuskit.errors import RangeError, ShapeError

__all__ = ["check_image", "check_map", "check_range"]


def check_image(name: str, image: object) -> NDArray[np.float32]:
    """Return `image` if it is a linear-light picture, or raise.

    Args:
        name: what the message calls it.
        image: expected to be (H, W, 3) float32, finite and >= 0, with H, W >= 1.

    Raises:
        ShapeError: not such an array.
        RangeError: it holds negative or non-finite numbers.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(f"{name} must be an array of shape (H, W, 3), got {_describe(image)}.")
    return _check_values(name, image, 0.0, math.inf)


def check_map(
    name: str,
    values: object,
    *,
    shape: tuple[int, int] | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> NDArray[np.float32]:
    """Return `values` if it is a (H, W) float32 map within [low, high], or raise.

    Raises:
        ShapeError: not a float32 map, or not of `shape`.
        RangeError: it holds numbers outside [low, high] or non-finite ones.
    """
    if not isinstance(values, np.ndarray) or values.ndim != 2:
        raise ShapeError(f"{name} must be an array of shape (H, W), got {_describe(values)}.")
    if shape is not None and values.shape != shape:
        raise ShapeError(f"{name} must have shape {shape}, got {values.shape}.")
    return _check_values(name, values, low, high)


def check_range(
    name: str, value: float, *, low: float = -math.inf, high: float = math.inf, unit: str = ""
) -> float:
    """Return `value` if it is a finite number within [low, high], or raise RangeError."""
    if not math.isfinite(value) or not low <= value <= high:
        bounds = " and ".join(
            part
            for part in (
                f">= {low:g}" if low > -math.inf else "",
                f"<= {high:g}" if high < math.inf else "",
            )
            if part
        )
        wanted = f"{bounds or 'finite'}{' ' + unit if unit else ''}"
        raise RangeError(f"{name} must be {wanted}, got {value:g}.")
    return value


def _check_values(
    name: str, values: NDArray[np.generic], low: float, high: float
) -> NDArray[np.float32]:
    if values.dtype != np.float32:
        raise ShapeError(f"{name} must be float32, got {values.dtype}.")
    if values.size == 0:
        raise ShapeError(f"{name} must hold at least one pixel, got shape {values.shape}.")
    # min and max are NaN if any element is, so two passes answer both questions.
    lowest, highest = float(values.min()), float(values.max())
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise RangeError(f"{name} must be finite, got NaN or infinite pixels.")
    if lowest < low or highest > high:
        raise RangeError(
            f"{name} must lie in [{low:g}, {high:g}], found [{lowest:g}, {highest:g}]."
        )
    return values.astype(np.float32, copy=False)


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__
