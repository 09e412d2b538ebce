"""Linear light back to encoded samples: the other way of `focuskit.color.linearise`."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import LINEAR_CURVE, Curve, Encoding

__all__ = ["Kind", "by_bands", "encode_samples"]

Kind = Literal["u8", "u16", "f32"]
Light = NDArray[np.float32]

_TYPES: dict[Kind, tuple[type[np.generic], float]] = {
    "u8": (np.uint8, 255),
    "u16": (np.uint16, 65535),
    "f32": (np.float32, 1),
}
# By bands: the intermediate floats of a whole 24-megapixel picture would take a gigabyte.
_ROWS = 256
_MOST_WORKERS = 4
_STEPS = 65536


def encode_samples(rgb: Light, encoding: Encoding, kind: Kind) -> NDArray[Any]:
    """Return samples for linear light.

    Args:
        rgb: (H, W, 3) in the encoding's primaries.
        encoding: of the samples.
        kind: "u8" and "u16" are rounded and clipped; "f32" goes on above 1, as its curve does.

    Returns:
        (H, W, 3) uint8, uint16 or float32.
    """
    samples = np.empty(rgb.shape, _TYPES[kind][0])

    def encode(rows: slice) -> None:
        samples[rows] = _encoded(rgb[rows], encoding, kind)

    by_bands(len(rgb), encode)
    return samples


def by_bands(height: int, work: Callable[[slice], None]) -> None:
    """Do something for the rows of each band of a picture, several at a time."""
    bands = [slice(top, min(height, top + _ROWS)) for top in range(0, height, _ROWS)]
    with ThreadPoolExecutor(min(_MOST_WORKERS, os.cpu_count() or 1)) as pool:
        for _ in pool.map(work, bands):
            pass


def _encoded(rgb: Light, encoding: Encoding, kind: Kind) -> NDArray[Any]:
    made, white = _TYPES[kind]
    linear = rgb
    if encoding.matrix is not None:
        back = np.linalg.inv(np.array(encoding.matrix).reshape(3, 3))
        linear = np.asarray(cv2.transform(rgb, back), np.float32).reshape(rgb.shape)
        linear = np.maximum(linear, np.float32(0))
    if len(set(encoding.curves)) == 1:
        encoded = _through(encoding.curves[0], linear)
    else:
        planes = (np.ascontiguousarray(linear[..., index]) for index in range(3))
        pairs = zip(encoding.curves, planes, strict=True)
        encoded = np.stack([_through(curve, plane) for curve, plane in pairs], axis=-1)
    if kind == "f32":
        return encoded
    rounded = np.clip(np.rint(encoded * np.float32(white)), 0, white)
    return np.asarray(rounded, made)


def _through(curve: Curve, linear: Light) -> Light:
    if curve == LINEAR_CURVE:
        return linear
    if curve.kind == "parametric" and _can_be_encoded(curve):
        return curve.encode(linear)
    table, most = _inverse(curve)
    # Along the square root, which most curves lie near, 65536 steps are fine enough for 16 bits.
    root = cv2.sqrt(linear * np.float32(1 / most)).reshape(linear.shape)
    steps = np.rint(np.minimum(root, np.float32(1)) * np.float32(_STEPS - 1)).astype(np.uint16)
    return np.asarray(table[steps], np.float32)


def _can_be_encoded(curve: Curve) -> bool:
    """Whether both parts of a parametric curve rise."""
    g, a, _, c, d, _, _ = curve.numbers
    return g > 0 and a > 0 and (d <= 0 or c > 0)


@lru_cache(maxsize=32)
def _inverse(curve: Curve) -> tuple[Light, float]:
    """Return encoded values at even steps of the square root of light, and the most light."""
    encoded = np.linspace(0, 1, _STEPS, dtype=np.float32)
    # Sampled curves of cameras and scanners may fall for a step or two.
    linear = np.maximum.accumulate(curve.linearise(encoded))
    most = max(float(linear[-1]), 1e-6)
    table = np.interp(np.linspace(0, 1, _STEPS) ** 2 * most, linear, encoded)
    return table.astype(np.float32), most
