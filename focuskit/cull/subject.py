"""Which part of the picture a verdict should be about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap

__all__ = ["Region", "RegionKind", "choose_regions"]

RegionKind = Literal[
    "given", "AF point", "eyes", "face", "in-focus area", "sharpest tiles", "centre"
]

# A tile counts as in focus, or as judgeable, from these averages on.
_IN_FOCUS = 0.5
_JUDGEABLE = 0.1
# The centre of the frame gets this much more weight than its corners: between two equally sharp
# places the subject is more often the central one.
_CENTRE_BONUS = 0.25


@dataclass(frozen=True, slots=True)
class Region:
    """A box of the upright photo that is judged at 100 %.

    Attributes:
        x, y: upper left corner in pixels of the full frame.
        width, height: size in pixels of the full frame.
        kind: how it was found.
    """

    x: int
    y: int
    width: int
    height: int
    kind: RegionKind


def choose_regions(
    blur_map: BlurMap,
    *,
    frame_width: int,
    frame_height: int,
    size_px: int,
    count: int = 3,
    detail: NDArray[np.float32] | None = None,
) -> list[Region]:
    """Return up to `count` boxes worth judging at 100 %, the most promising first.

    The salient in-focus area of the map comes first; where nothing is in focus, the tiles that
    look least blurred among those with texture; where there is no texture at all, the centre.

    Args:
        blur_map: map of the whole frame, at any size; some hundred pixels are enough.
        frame_width: width of the full frame in pixels.
        frame_height: height of the full frame in pixels.
        size_px: side of a box in pixels of the full frame; cut down to the frame.
        count: most boxes to return; boxes do not overlap by more than half.
        detail: (H, W) float32 >= 0 of the map's size, how much fine detail there is: boxes after
            the first are taken where it is strongest, because a map that knows what belongs
            together does not tell where within the subject sharpness can be measured.
    """
    width, height = min(size_px, frame_width), min(size_px, frame_height)
    to_map_x, to_map_y = blur_map.width / frame_width, blur_map.height / frame_height
    window = (max(1, round(width * to_map_x)), max(1, round(height * to_map_y)))
    sharp = _window_mean(blur_map.in_focus_probability * blur_map.confidence, window)
    texture = _window_mean(blur_map.confidence, window)
    worth = (sharp + 0.05 * texture) * _centre_weight(sharp.shape)
    fine = None if detail is None else _window_mean(detail, window)
    regions: list[Region] = []
    for index in range(count):
        if index == 1 and fine is not None:
            worth *= fine
        row, column = np.unravel_index(int(np.argmax(worth)), worth.shape)
        if regions and worth[row, column] <= 0:
            break
        kind = _kind(float(sharp[row, column]), float(texture[row, column]))
        if kind == "centre" and regions:
            break
        if kind == "centre":
            row, column = worth.shape[0] // 2, worth.shape[1] // 2
        x = _clamp(round(column / to_map_x - width / 2), frame_width - width)
        y = _clamp(round(row / to_map_y - height / 2), frame_height - height)
        regions.append(Region(x, y, width, height, kind))
        half_x, half_y = max(1, window[0] // 2), max(1, window[1] // 2)
        worth[max(0, row - half_y) : row + half_y, max(0, column - half_x) : column + half_x] = 0
    return regions


def _kind(sharp: float, texture: float) -> RegionKind:
    if texture < _JUDGEABLE:
        return "centre"
    return "in-focus area" if sharp >= _IN_FOCUS * texture else "sharpest tiles"


def _window_mean(values: NDArray[np.float32], window: tuple[int, int]) -> NDArray[np.float32]:
    mean = cv2.boxFilter(values, -1, window, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(mean, np.float32).reshape(values.shape)


@lru_cache(maxsize=8)
def _centre_weight(shape: tuple[int, ...]) -> NDArray[np.float32]:
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    weight = 1 + np.float32(_CENTRE_BONUS) * (1 - np.minimum(1, np.hypot(x, y)))
    weight.flags.writeable = False
    return np.asarray(weight)


def _clamp(value: int, high: int) -> int:
    return max(0, min(value, high))
