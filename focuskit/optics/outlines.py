"""Takes pixels on outlines apart into what is before and what is behind.

A pixel that an outline crosses holds some of both. Drawn as either, the subject's colour bleeds
into the blur around it, or the outline turns jagged. Its two colours are those of its neighbours
on both sides, and how much it holds of each is where its own lies between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Outlines", "split_outlines"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Index = NDArray[np.intp]

_REACH = 2
# Outlines are sought cell by cell; what is decided about a pixel depends on so many around it.
_CELL, _CONTEXT = 64, 6
# Pixels that may hold both colours themselves speak only where there are no others.
_UNSURE = np.float32(1e-2)
# Colours closer than this, as a share of their sum, tell no share of coverage.
_LEAST_CONTRAST = np.float32(0.03)
_DOUBT = np.float32(16)


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """The N pixels that outlines cross, each as two surfaces.

    Attributes:
        rows: (N,) where they are, ascending.
        columns: (N,) likewise.
        near: (3, N) light of the nearer surface.
        far: (3, N) light of the other.
        cover: (N,) share of the pixel that the nearer one covers, in [0, 1].
        near_place: (N,) where it lies in depth.
        far_place: (N,) likewise.
    """

    rows: Index
    columns: Index
    near: Map
    far: Map
    cover: Map
    near_place: Map
    far_place: Map

    def within(self, rows: slice, columns: slice) -> Outlines:
        """Return those in a part of the picture, counted from its corner."""
        first, last = np.searchsorted(self.rows, (rows.start, rows.stop))
        across = self.columns[first:last]
        inside = first + np.flatnonzero((across >= columns.start) & (across < columns.stop))
        return Outlines(
            self.rows[inside] - rows.start,
            self.columns[inside] - columns.start,
            self.near[:, inside],
            self.far[:, inside],
            self.cover[inside],
            self.near_place[inside],
            self.far_place[inside],
        )


def split_outlines(light: Image, place: Map, step: float) -> Outlines:
    """Return the pixels that outlines cross, taken apart.

    Args:
        light: (H, W, 3) linear light.
        place: (H, W) depth, larger = farther.
        step: neighbours that differ by more are two surfaces.
    """
    window = np.ones((3, 3), np.uint8)
    low = np.asarray(cv2.erode(place, window), np.float32)
    high = np.asarray(cv2.dilate(place, window), np.float32)
    mixed = (high - low) > step
    parts = [
        _split(light, place, (low, high), mixed, rows, columns, step)
        for rows, columns in _parts(mixed)
    ]
    return _joined(parts)


def _parts(mixed: NDArray[np.bool_]) -> list[tuple[slice, slice]]:
    """Return rectangles that hold all mixed pixels and little else."""
    height, width = mixed.shape
    parts = []
    for top in range(0, height, _CELL):
        columns = np.flatnonzero(mixed[top : top + _CELL].any(axis=0)) // _CELL
        if not columns.size:
            continue
        cells = np.unique(columns)
        for run in np.split(cells, np.flatnonzero(np.diff(cells) > 1) + 1):
            left, right = int(run[0]) * _CELL, (int(run[-1]) + 1) * _CELL
            parts.append((slice(top, min(top + _CELL, height)), slice(left, min(right, width))))
    return parts


def _split(
    light: Image,
    place: Map,
    bounds: tuple[Map, Map],
    mixed: NDArray[np.bool_],
    rows: slice,
    columns: slice,
    step: float,
) -> Outlines:
    top, left = max(0, rows.start - _CONTEXT), max(0, columns.start - _CONTEXT)
    around = (slice(top, rows.stop + _CONTEXT), slice(left, columns.stop + _CONTEXT))
    inner = np.zeros(mixed[around].shape, bool)
    inner[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = True
    y, x = np.nonzero(inner & mixed[around])
    seen, depth = np.ascontiguousarray(light[around]), np.ascontiguousarray(place[around])
    wide = np.ones((2 * _REACH + 3, 2 * _REACH + 3), np.uint8)
    sure = np.where(mixed[around], _UNSURE, np.float32(1))
    near, near_spread = _mean_of(seen, sure * (depth - cv2.erode(depth, wide) < step / 2), y, x)
    far, far_spread = _mean_of(seen, sure * (cv2.dilate(depth, wide) - depth < step / 2), y, x)
    own = seen[y, x]
    low, high = (bound[around][y, x] for bound in bounds)
    at = depth[y, x]
    apart = near - far
    length = (apart * apart).sum(axis=1)
    along = ((own - far) * apart).sum(axis=1) / np.maximum(length, np.float32(1e-12))
    belongs = (at - low <= high - at).astype(np.float32)
    # Colours tell as far as both surfaces differ by more than they vary themselves.
    doubt = _DOUBT * (near_spread + far_spread) + (_LEAST_CONTRAST * (near + far).sum(axis=1)) ** 2
    trust = length / (length + doubt + np.float32(1e-12))
    cover = (belongs + trust * (np.clip(along, 0, 1) - belongs)).astype(np.float32)
    # Put together again, both must give the pixel, grain and all.
    share = cover[:, None]
    rest = own - (share * near + (1 - share) * far)
    return Outlines(
        y + top,
        x + left,
        np.maximum(near + rest, 0).astype(np.float32).T,
        np.maximum(far + rest, 0).astype(np.float32).T,
        cover,
        low,
        high,
    )


def _joined(parts: list[Outlines]) -> Outlines:
    if not parts:
        none, blank = np.zeros(0, np.intp), np.zeros(0, np.float32)
        colour = np.zeros((3, 0), np.float32)
        return Outlines(none, none, colour, colour, blank, blank, blank)
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")

    def joined(name: str) -> NDArray[Any]:
        values = np.concatenate([getattr(part, name) for part in parts], axis=-1)
        return np.ascontiguousarray(values[..., order])

    return Outlines(
        rows[order],
        joined("columns"),
        joined("near"),
        joined("far"),
        joined("cover"),
        joined("near_place"),
        joined("far_place"),
    )


def _mean_of(light: Image, weight: Map, y: Index, x: Index) -> tuple[Image, Map]:
    """Return the mean light around some pixels, (N, 3), and how much it varies there, (N,)."""
    size = (2 * _REACH + 1, 2 * _REACH + 1)
    weight = np.asarray(weight, np.float32)
    square = (light * light).sum(axis=2)
    summed = [
        cv2.boxFilter(plane * weight, -1, size, normalize=False)[y, x]
        for plane in (*cv2.split(light), square)
    ]
    total = cv2.boxFilter(weight, -1, size, normalize=False)[y, x]
    known = total > _UNSURE / 2
    mean = np.stack(summed, axis=1) / np.maximum(total, _UNSURE / 2)[:, None]
    colour = np.where(known[:, None], mean[:, :3], light[y, x])
    spread = np.maximum(mean[:, 3] - (mean[:, :3] ** 2).sum(axis=1), 0)
    return colour, np.where(known, spread, np.float32(1e3))
