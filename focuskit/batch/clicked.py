"""A point that a person wants sharp, where no depth tells what lies off it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from focuskit.blurmap import BlurMap
from focuskit.errors import InputError

__all__ = ["kept_at"]

_REACH_SHARE = 0.01
# Most of a surface around the point: circles scatter within it.
_MOST = 0.8
# Of the diagonal: three times the circle that a viewer of the whole picture takes for a point.
_CLEARLY_BLURRED = 3 / 1500
_SAYS_BLURRED, _IN_FOCUS = 0.3, 0.6
_LEFT_PX = 1.0


def kept_at(blur_map: BlurMap, point: tuple[float, float]) -> BlurMap:
    """Return the map with the plane of focus taken through a point.

    What is as blurred as the surroundings of the point, or less, counts as in focus; what is more
    blurred keeps what it is blurred beyond that, as if all of it lay on the same side. One photo
    cannot tell front from back, so that what is sharper than the point stays as it is.

    Args:
        blur_map: of the photo that is edited.
        point: (x, y) in its pixels.

    Raises:
        InputError: the point is clearly out of focus, or nothing is more so.
    """
    x, y = (int(each) for each in point)
    reach = max(1, round(_REACH_SHARE * math.hypot(blur_map.height, blur_map.width)))
    window = np.s_[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    own_px = float(np.quantile(blur_map.coc_diameter_px[window], _MOST))
    limit_px = _CLEARLY_BLURRED * math.hypot(blur_map.height, blur_map.width)
    probability = float(np.median(blur_map.in_focus_probability[window]))
    if own_px > max(limit_px, _LEFT_PX) and probability < _SAYS_BLURRED:
        raise InputError(
            f"The point {x},{y} is out of focus by about {own_px:.1f} px, and blur added elsewhere "
            "does not make it sharp: give a point that is in focus, or use refocus to sharpen "
            "what is there."
        )
    left = np.maximum(blur_map.coc_diameter_px - np.float32(own_px), np.float32(0))
    more_blurred = (left >= _LEFT_PX) & (blur_map.in_focus_probability < _IN_FOCUS)
    if not more_blurred.any():
        raise InputError(
            f"Nothing in this photo is more out of focus than the point {x},{y}, so that there is "
            "no background to blur: give a point on something sharper, or a depth with --depth."
        )
    kept = np.where(left == 0, np.float32(1), blur_map.in_focus_probability)
    return replace(blur_map, coc_diameter_px=left, in_focus_probability=kept)
