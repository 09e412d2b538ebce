"""Circles of confusion as the edits need them: dense, smooth within surfaces, zero in focus."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encoded_gray
from focuskit.errors import ShapeError
from focuskit.optics.guided import guided_filter
from focuskit.photo import Photo

__all__ = ["coc_field", "even_field", "missing_blur", "signed"]

Map = NDArray[np.float32]

_RADIUS_SHARE = 0.02
_EPS = 1e-3
_MOST_CELLS = 640
_STRIP = 128
# Between these probabilities what is in focus passes into what is not.
_BLURRED_BELOW, _SHARP_ABOVE = 0.3, 0.6
_LEAST_TRUST = np.float32(0.02)
# A map that is this sure was measured or drawn, and is taken as it is.
_SURE_FROM = np.float32(0.99)
# Of fields that blur is added by, in their logarithm: smaller differences within a window belong
# to one surface.
_EVEN_RADIUS_SHARE, _EVEN_EPS = 0.03, 0.1
_EVEN_BLURRED_BELOW, _EVEN_SHARP_ABOVE = 0.45, 0.55
_LEAST_COC_PX = 0.7
# So far from what is in focus, in longer sides, a detector's answer is still drawn towards it.
_BESIDE_SHARE = 0.012
_LEAST_WEIGHT = np.float32(1e-3)


def coc_field(photo: Photo, blur_map: BlurMap) -> Map:
    """Return the circle of confusion of every pixel, (H, W) float32 in pixels.

    What the map is sure of stays; where it is not, the answer comes from surer pixels of the same
    surface; where it says in focus, it is exactly 0.

    Raises:
        ShapeError: the map belongs to a picture of another size.
    """
    _check_size(photo, blur_map)
    longest = max(photo.height, photo.width)
    spread = guided_filter(
        encoded_gray(photo),
        np.ascontiguousarray(blur_map.coc_diameter_px),
        radius=max(1, round(_RADIUS_SHARE * longest)),
        eps=_EPS,
        weight=np.maximum(blur_map.confidence, _LEAST_TRUST),
        subsample=max(1, longest // _MOST_CELLS),
    )
    return _settled(spread, blur_map, _BLURRED_BELOW, _SHARP_ABOVE)


def even_field(photo: Photo, blur_map: BlurMap) -> Map:
    """Return the circle of confusion of every pixel for edits that add to it, (H, W) float32.

    Within a surface it is even, since every step in it would be drawn as an outline; what is in
    focus has no say in it beyond its own outline, where it ends abruptly: a map that rises slowly
    from a sharp subject would leave a rim of sharp background around it.

    Raises:
        ShapeError: the map belongs to a picture of another size.
    """
    _check_size(photo, blur_map)
    if float(blur_map.confidence.min()) >= _SURE_FROM:
        sure = blur_map.coc_diameter_px.copy()
        return _settled(sure, blur_map, _EVEN_BLURRED_BELOW, _EVEN_SHARP_ABOVE)
    longest = max(photo.height, photo.width)
    coc = cv2.log(np.maximum(blur_map.coc_diameter_px, np.float32(_LEAST_COC_PX)))
    level = np.asarray(coc, np.float32).reshape(blur_map.coc_diameter_px.shape)
    blurred = np.maximum(1 - blur_map.in_focus_probability, _LEAST_TRUST)
    spread = guided_filter(
        level,
        level,
        radius=max(1, round(_EVEN_RADIUS_SHARE * longest)),
        eps=_EVEN_EPS,
        weight=np.maximum(blur_map.confidence, _LEAST_TRUST) * blurred * blurred,
        subsample=max(1, 2 * longest // _MOST_CELLS),
    )
    spread = np.asarray(cv2.exp(spread), np.float32).reshape(level.shape)
    _raise_beside(spread, blur_map.in_focus_probability)
    return _settled(spread, blur_map, _EVEN_BLURRED_BELOW, _EVEN_SHARP_ABOVE)


def _raise_beside(coc_px: Map, in_focus_probability: Map) -> None:
    """Give the rim around what is in focus the blur from farther out, in place.

    No detector finds a step: its answer falls towards the subject, and the subject's own rim would
    be drawn with all sizes of blur in between, as a coloured fringe.
    """
    height, width = coc_px.shape
    factor = max(1, max(height, width) // _MOST_CELLS)
    size = (max(1, width // factor), max(1, height // factor))
    sharp, coc = (
        np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA)).reshape(size[::-1])
        for each in (in_focus_probability, coc_px)
    )
    reach = max(1, round(_BESIDE_SHARE * max(size)))
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    beside = cv2.dilate((sharp >= 0.5).astype(np.uint8), window).reshape(size[::-1]) > 0
    away = (~beside).astype(np.float32)
    weight = cv2.GaussianBlur(away, (0, 0), reach).reshape(size[::-1])
    mean = cv2.GaussianBlur(coc * away, (0, 0), reach).reshape(size[::-1])
    mean /= np.maximum(weight, _LEAST_WEIGHT)
    mean[~beside | (weight < _LEAST_WEIGHT)] = 0
    large = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    np.maximum(coc_px, large.reshape(height, width), out=coc_px)


def _check_size(photo: Photo, blur_map: BlurMap) -> None:
    if (blur_map.height, blur_map.width) != (photo.height, photo.width):
        raise ShapeError(
            f"The blur map is {blur_map.width}×{blur_map.height} pixels, its photo "
            f"{photo.width}×{photo.height}: give the map of this very photo, or resize it with "
            "BlurMap.resized."
        )


def _settled(spread: Map, blur_map: BlurMap, blurred_below: float, sharp_above: float) -> Map:
    """Put what is sure back in, in place, and 0 where the map says in focus."""
    # By strips: each picture of 24 megapixels costs as much time to allocate as to compute.
    for top in range(0, len(spread), _STRIP):
        rows = slice(top, top + _STRIP)
        sure = blur_map.confidence[rows] >= _SURE_FROM
        np.copyto(spread[rows], blur_map.coc_diameter_px[rows], where=sure)
        blurred = sharp_above - blur_map.in_focus_probability[rows]
        blurred /= sharp_above - blurred_below
        np.clip(blurred, 0, 1, out=blurred)
        np.maximum(spread[rows], 0, out=spread[rows])
        spread[rows] *= blurred
    return spread


def missing_blur(now_px: Map, wanted_px: Map) -> Map:
    """Return the blur to add so that one circle of confusion becomes another; variances add."""
    left = np.multiply(wanted_px, wanted_px, dtype=np.float32)
    for top in range(0, len(left), _STRIP):
        rows = slice(top, top + _STRIP)
        left[rows] -= now_px[rows] * now_px[rows]
    return np.sqrt(np.maximum(left, np.float32(0), out=left), out=left)


def signed(coc_px: Map, blur_map: BlurMap) -> Map:
    """Return the field with what lies before the plane of focus negative.

    One photo cannot tell the sides apart: what is unknown counts as behind.
    """
    if blur_map.side is None:
        return coc_px
    return np.where(blur_map.side < 0, -coc_px, coc_px)
