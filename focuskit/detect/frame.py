"""Whether anything in a frame is in focus at all: its sharpest spots speak for it.

A map made from a small picture finds the sharpest part of a missed shot and calls it in focus.
GaugeNet looks at 100 % of the working picture instead, where slight misfocus still shows.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.detect.runtime import open_network

__all__ = ["GAUGE_NAME", "GAUGE_STRIDE", "SHARPEST_SHARE", "focus_probability"]

GAUGE_NAME = "gauge"
"""The weights that judge whole frames."""

GAUGE_STRIDE = 8
"""Pixels per cell of the network's maps; sides of its input must be multiples of this."""

SHARPEST_SHARE = 0.01
"""Share of a frame's cells that speak for the frame: those that look sharpest."""

Map = NDArray[np.float32]

_TILE, _ONE_TILE = 384, 640
# Above the line a frame is in focus, and its map stays as it is. Below, it is not; but whoever
# looks for the sharpest of a missed shot finds it, the dimmer the more the shot is missed.
_STEEP_ABOVE, _STEEP_BELOW, _MOST_BELOW = 20.0, 0.3, 0.9
# So far above the line the probability is 1 to the last bit of a float32.
_BEYOND_DOUBT = 1.0


def focus_probability(light: Map, worth: Map, most: int) -> float:
    """Return how far something in a frame is in focus: one half on the line, 1 soon above it.

    Args:
        light: (H, W, 3) linear light in [0, 1] at the size that decides what counts as blurred.
        worth: (h, w) in [0, 1], of the same frame at any size: where something may be in focus.
        most: tiles to look at, the most promising first; those after the one that leaves no doubt
            are spared, as more cells can only make the sharpest of them sharper.

    Raises:
        WeightsError, DeviceError: the network cannot be run; the message tells a way on.
    """
    network, weights = open_network(GAUGE_NAME)
    height, width = light.shape[:2]
    count = max(1, round(SHARPEST_SHARE * height * width / GAUGE_STRIDE**2))
    cells, above = np.zeros(0, np.float32), -math.inf
    for window in _windows(light, worth)[:most]:
        evidence = network(_gray(light[window])[None, None])[2].ravel()
        cells = np.concatenate((cells, evidence))
        sharpest = np.partition(cells, -min(count, cells.size))[-count:]
        above = float(sharpest.mean()) - float(weights.facts["frame_offset"])
        if above >= _BEYOND_DOUBT and cells.size >= count:
            break
    return max(_sigmoid(_STEEP_ABOVE * above), _MOST_BELOW * _sigmoid(_STEEP_BELOW * above))


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-min(max(logit, -30.0), 30.0)))


def _windows(light: Map, worth: Map) -> list[tuple[slice, slice]]:
    """Return tiles that cover the frame, those first where what may be in focus has detail."""
    height, width = light.shape[:2]
    windows = [
        (slice(*rows), slice(*columns)) for rows in _spans(height) for columns in _spans(width)
    ]
    if len(windows) == 1:
        return windows
    # Every second pixel shows where there is detail.
    green = np.asarray(cv2.sqrt(np.ascontiguousarray(light[::2, ::2, 1])), np.float32)
    size = (green.shape[1], green.shape[0])
    share = cv2.resize(worth, size, interpolation=cv2.INTER_LINEAR)
    detail = np.abs(green - cv2.blur(green, (3, 3))) * share

    def promise(window: tuple[slice, slice]) -> float:
        rows, columns = (slice(part.start // 2, -(-part.stop // 2)) for part in window)
        return float(detail[rows, columns].mean())

    return sorted(windows, key=promise, reverse=True)


def _spans(length: int) -> list[tuple[int, int]]:
    if length <= _ONE_TILE:
        return [(0, length)]
    starts = np.linspace(0, length - _TILE, -(-length // _TILE))
    return [(round(start), round(start) + _TILE) for start in starts]


def _gray(light: Map) -> Map:
    """Return the encoded luma of a picture, its sides brought up to the network's stride."""
    encoded = np.clip(encode_srgb(np.ascontiguousarray(light)), 0, 1)
    gray = np.asarray(cv2.cvtColor(encoded, cv2.COLOR_RGB2GRAY), np.float32)
    down, right = (-side % GAUGE_STRIDE for side in gray.shape)
    framed = cv2.copyMakeBorder(gray, 0, down, 0, right, cv2.BORDER_REFLECT)
    return np.asarray(framed, np.float32)
