"""Where the plane of focus shall go, and what that asks of every pixel.

With the plane moved to what had the circle of confusion c0, what had c gets |c - c0|, both counted
along depth: negative in front of the old plane, positive behind it. Blur adds by its squares, so
that the way from c to |c - c0| is blur to add where the latter is larger, blur to take back where
it is smaller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.check import check_range
from focuskit.edit.field import missing_blur
from focuskit.errors import InputError, RangeError
from focuskit.optics.render import IDENTITY_BELOW_COC_PX, MOST_COC_PX
from focuskit.photo import Photo

__all__ = ["Moves", "Plane", "moves_to", "plane_at_point", "plane_in_box", "plane_of_coc"]

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

# How far around a point its surface speaks for it, as a share of the longer side.
_REACH_SHARE, _LEAST_REACH_PX = 0.02, 6
# Encoded values that differ by this much are hardly of one surface.
_COLOUR_SIGMA = 0.1
_LEAST_LIKE = 0.05
_LEAST_TRUST = np.float32(0.02)
# Share of c0 by which circles may differ and still count as the clicked surface's, and from where
# on nothing is taken back: the map is not better than that.
_SAME, _APART = 0.35, 0.8


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane parallel to the sensor, by how blurred it is now.

    Attributes:
        coc_px: diameter of its circle of confusion, signed like a depth: < 0 before the plane of
            focus. Where nobody knows the side, it counts as behind.
        confidence: of the map in that, in [0, 1].
    """

    coc_px: float
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """What moving the plane asks of every pixel.

    Attributes:
        added_px: (H, W) signed circle of confusion to add; negative before the new plane.
        removed_px: (H, W) circle of confusion to take back, 0 where there is none.
        nearness: (H, W) in [0, 1], how far a pixel belongs to the new plane.
    """

    added_px: Map
    removed_px: Map
    nearness: Map

    def without(self, protected: Mask) -> Moves:
        """Return the same with nothing asked of some pixels."""
        return Moves(
            *(
                np.where(protected, np.float32(0), each)
                for each in (self.added_px, self.removed_px, self.nearness)
            )
        )


def plane_at_point(
    photo: Photo, blur_map: BlurMap, now_px: Map, point: tuple[float, float]
) -> Plane:
    """Return the plane of the surface at a point (x, y) in pixels.

    Raises:
        RangeError: the point lies outside the photo.
        InputError: it is in focus already.
    """
    x, y = point
    if not (0 <= x < photo.width and 0 <= y < photo.height):
        raise RangeError(
            f"The point ({x:g}, {y:g}) lies outside the photo, which is {photo.width}×"
            f"{photo.height} pixels: x counts from 0 at the left, y from 0 at the top."
        )
    column, row = int(x), int(y)
    reach = max(_LEAST_REACH_PX, round(_REACH_SHARE * max(photo.height, photo.width)))
    rows = slice(max(0, row - reach), row + reach + 1)
    columns = slice(max(0, column - reach), column + reach + 1)
    light = np.minimum(photo.rgb[rows, columns], 1) ** np.float32(1 / 2.2)
    own = light[row - rows.start, column - columns.start]
    apart = ((light - own) ** 2).sum(axis=2) / (2 * 3 * _COLOUR_SIGMA**2)
    dy, dx = np.ogrid[: light.shape[0], : light.shape[1]]
    away = (dy - (row - rows.start)) ** 2 + (dx - (column - columns.start)) ** 2
    near = np.exp(-away / (2 * (reach / 2) ** 2))
    alike = np.maximum(np.exp(-apart), _LEAST_LIKE) * near
    return _plane((rows, columns), blur_map, now_px, alike, f"The point ({x:g}, {y:g})")


def plane_in_box(
    photo: Photo, blur_map: BlurMap, now_px: Map, box: tuple[float, float, float, float]
) -> Plane:
    """Return the plane of most of a box (x0, y0, x1, y1) in pixels.

    Raises:
        RangeError: the box reaches beyond the photo, or holds nothing.
        InputError: most of it is in focus already.
    """
    x0, y0, x1, y1 = box
    told = f"The box ({x0:g}, {y0:g}, {x1:g}, {y1:g})"
    if not (0 <= x0 < x1 <= photo.width and 0 <= y0 < y1 <= photo.height):
        raise RangeError(
            f"{told} holds nothing or reaches beyond the photo, which is {photo.width}×"
            f"{photo.height} pixels: give its left, top, right and bottom edge."
        )
    rows = slice(int(y0), max(int(y0) + 1, math.ceil(y1)))
    columns = slice(int(x0), max(int(x0) + 1, math.ceil(x1)))
    return _plane((rows, columns), blur_map, now_px, np.ones(1), told)


def plane_of_coc(coc_px: float) -> Plane:
    """Return the plane of what has this circle of confusion now; negative = before the old plane.

    Raises:
        RangeError: it is in focus already, or no lens blurs that much.
    """
    check_range("coc_px", coc_px, low=-MOST_COC_PX, high=MOST_COC_PX, unit="px")
    if abs(coc_px) < IDENTITY_BELOW_COC_PX:
        raise RangeError(
            f"What has a circle of confusion of {coc_px:g} px is in focus already: give 1 px or "
            "more, or a point."
        )
    return Plane(coc_px, 1.0)


def _plane(
    window: tuple[slice, slice],
    blur_map: BlurMap,
    now_px: Map,
    alike: NDArray[np.floating],
    told: str,
) -> Plane:
    values = now_px[window]
    trust = np.maximum(blur_map.confidence[window], _LEAST_TRUST)
    weights = np.broadcast_to(alike, values.shape) * trust
    coc_px = _median(values, weights)
    if coc_px < IDENTITY_BELOW_COC_PX:
        raise InputError(
            f"{told} is in focus already: give a point that is not, or use bokeh to blur the rest "
            "more."
        )
    near = np.abs(values - coc_px) <= _SAME * coc_px
    like = np.broadcast_to(alike, values.shape)
    sure = float((like * near * blur_map.confidence[window]).sum() / like.sum())
    sign = 1.0
    if blur_map.side is not None:
        votes = float((weights * blur_map.side[window]).sum())
        sign = -1.0 if votes < 0 else 1.0
    return Plane(sign * coc_px, sure)


def moves_to(plane: Plane, now_px: Map, blur_map: BlurMap) -> Moves:
    """Return what the pixels need for the plane to become the one in focus.

    Args:
        plane: the new one.
        now_px: (H, W) circle of confusion now, >= 0.
        blur_map: of the photo; where it knows no side, all blur lies on the side of the plane.
    """
    own = np.float32(abs(plane.coc_px))
    towards = math.copysign(1.0, plane.coc_px)
    # Depth counted from the old plane towards the new one.
    depth = now_px
    if blur_map.side is not None:
        depth = now_px * np.where(blur_map.side == 0, 1, blur_map.side * np.int8(towards))
        depth = depth.astype(np.float32)
    beyond = depth - own
    wanted = np.abs(beyond)
    added = np.minimum(missing_blur(now_px, wanted), np.float32(MOST_COC_PX))
    added *= np.sign(beyond) * np.float32(towards)
    nearness = np.clip((_APART - wanted / own) / (_APART - _SAME), 0, 1)
    # More than the plane's own blur is never taken back: the map errs, and too much rings.
    removed = np.minimum(missing_blur(wanted, now_px), own)
    removed = np.where(nearness > 0, removed, np.float32(0))
    return Moves(*(np.asarray(each, np.float32) for each in (added, removed, nearness)))


def _median(values: Map, weights: NDArray[np.floating]) -> float:
    order = np.argsort(values, axis=None)
    summed = np.cumsum(weights.ravel()[order])
    index = int(np.searchsorted(summed, summed[-1] / 2))
    return float(values.ravel()[order][min(index, order.size - 1)])
