"""Circles of confusion as the edits need them: dense, smooth within surfaces, zero in focus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encoded_gray
from focuskit.errors import ShapeError
from focuskit.optics.guided import guided_filter
from focuskit.photo import Photo

__all__ = ["coc_field", "missing_blur", "signed"]

Map = NDArray[np.float32]

_RADIUS_SHARE = 0.02
_EPS = 1e-3
_MOST_CELLS = 640
# Between these probabilities what is in focus passes into what is not.
_BLURRED_BELOW, _SHARP_ABOVE = 0.3, 0.6
_LEAST_TRUST = np.float32(0.02)


def coc_field(photo: Photo, blur_map: BlurMap) -> Map:
    """Return the circle of confusion of every pixel, (H, W) float32 in pixels.

    Where the map is not sure, the answer comes from surer pixels of the same surface; where it says
    in focus, it is exactly 0.

    Raises:
        ShapeError: the map belongs to a picture of another size.
    """
    shape = (photo.height, photo.width)
    if (blur_map.height, blur_map.width) != shape:
        raise ShapeError(
            f"The blur map is {blur_map.width}×{blur_map.height} pixels, its photo "
            f"{photo.width}×{photo.height}: give the map of this very photo, or resize it with "
            "BlurMap.resized."
        )
    longest = max(shape)
    spread = guided_filter(
        encoded_gray(photo),
        np.ascontiguousarray(blur_map.coc_diameter_px),
        radius=max(1, round(_RADIUS_SHARE * longest)),
        eps=_EPS,
        weight=np.maximum(blur_map.confidence, _LEAST_TRUST),
        subsample=max(1, longest // _MOST_CELLS),
    )
    probability = blur_map.in_focus_probability
    blurred = np.clip((_SHARP_ABOVE - probability) / (_SHARP_ABOVE - _BLURRED_BELOW), 0, 1)
    return np.asarray(np.maximum(spread, 0) * blurred, np.float32)


def missing_blur(now_px: Map, wanted_px: Map) -> Map:
    """Return the blur to add so that one circle of confusion becomes another; variances add."""
    left = np.maximum(wanted_px * wanted_px - now_px * now_px, np.float32(0))
    return np.asarray(np.sqrt(left), np.float32)


def signed(coc_px: Map, blur_map: BlurMap) -> Map:
    """Return the field with what lies before the plane of focus negative.

    One photo cannot tell the sides apart: what is unknown counts as behind.
    """
    if blur_map.side is None:
        return coc_px
    return np.where(blur_map.side < 0, -coc_px, coc_px)
