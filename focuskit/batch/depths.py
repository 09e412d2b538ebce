"""Depth pictures: which side of the plane of focus things lie on, and how far from it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from focuskit.batch.fitting import LEAST_BLUR_DIAGONALS
from focuskit.blurmap import BlurMap
from focuskit.errors import InputError, RangeError

__all__ = ["placed_by_depth"]

Map = NDArray[np.float32]

_SPOT_SHARE = 0.005
_TRUSTED, _IN_FOCUS = 0.5, 0.6
# Shares of the largest distance from the plane: in focus up to the first, not from the second on.
_SHARP_TO, _BLURRED_FROM = 0.04, 0.12
_FAR = 0.95


def placed_by_depth(
    blur_map: BlurMap, depth: Map, spot: tuple[float, float] | None, *, of_steps: bool, name: str
) -> BlurMap:
    """Return a map whose blur and sides come from a depth picture.

    A thin lens draws a point at distance d behind a plane at s as a circle of K (1 - s / d) pixels.
    Distances are that; the steps of 8 and 16 bits have no zero that means anything, and are taken
    as even steps of blur, which is how phones save them. The scale K is fitted to the blur that is
    there; where a photo shows none, the farthest depth counts as a thousandth of the diagonal, for
    `bokeh` to go on from.

    Args:
        blur_map: estimated, of the same photo.
        depth: (H, W) float32, larger = farther.
        spot: (x, y) of what is in focus; None for what the map says to be.
        of_steps: whether the file held whole numbers rather than distances.
        name: of the file, for messages.

    Raises:
        InputError: nothing says where the plane of focus lies, or the depth is the same everywhere.
        RangeError: distances that are not above 0.
    """
    if not of_steps and not depth.min() > 0:
        raise RangeError(
            f"The depth {name} holds distances down to {float(depth.min()):g}: floating-point "
            "depths must lie above 0, holes filled; 8 and 16 bits may begin at 0."
        )
    plane = _plane(blur_map, depth, spot)
    off = depth - np.float32(plane) if of_steps else 1 - np.float32(plane) / depth
    far = float(np.quantile(np.abs(off), _FAR))
    if far <= 0:
        raise InputError(
            f"The depth {name} is the same nearly everywhere, so that it tells no side: give one "
            "that belongs to this photo, or leave out --depth."
        )
    off = np.clip(off / np.float32(far), -4, 4)
    size = np.abs(off)
    probability = np.clip((_BLURRED_FROM - size) / (_BLURRED_FROM - _SHARP_TO), 0, 1)
    return replace(
        blur_map,
        in_focus_probability=probability.astype(np.float32),
        coc_diameter_px=size * np.float32(_scale(blur_map, size)),
        confidence=np.ones_like(size),
        side=np.sign(off).astype(np.int8),
    )


def _plane(blur_map: BlurMap, depth: Map, spot: tuple[float, float] | None) -> float:
    if spot is not None:
        x, y = (int(each) for each in spot)
        reach = max(1, round(_SPOT_SHARE * math.hypot(*depth.shape)))
        # A median, so that a click beside an outline does not land between two things.
        return float(
            np.median(depth[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1])
        )
    sharp = (blur_map.in_focus_probability >= _IN_FOCUS) & (blur_map.confidence >= _TRUSTED)
    if not sharp.any():
        raise InputError(
            "Nothing in the photo is surely in focus, so that the depth has no plane to count "
            "from: give --focus X,Y, a point that is in focus."
        )
    return float(np.median(depth[sharp]))


def _scale(blur_map: BlurMap, size: Map) -> float:
    """Return the circle of confusion where the distance from the plane counts as 1."""
    least = LEAST_BLUR_DIAGONALS * math.hypot(*size.shape)
    trusted = (blur_map.confidence >= _TRUSTED) & (size >= _BLURRED_FROM)
    if not trusted.any():
        return least
    ratio = blur_map.coc_diameter_px[trusted] / size[trusted]
    return max(least, float(np.median(ratio[:: max(1, ratio.size // 100_000)])))
