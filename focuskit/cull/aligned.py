"""Frames of one framing laid over each other, although a hand held the camera."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.cull.fingerprint import Fingerprint
from focuskit.cull.views import match

__all__ = ["Grid", "aligned"]

Grid = NDArray[np.float32]

_STOPS_PER_LEVEL = 1 / 12
# A hand holds the framing about so well over a whole stack.
_MOST_WANDER = 0.15


def aligned(frames: Sequence[Fingerprint]) -> tuple[Grid, Grid] | None:
    """Return detail in stops and tones of all frames (N, H, W), shifted onto the first.

    None where the pictures are not known, differ in size, or wander too far.
    """
    first = frames[0]
    details, tones = [], []
    x = y = 0.0
    before = first
    for frame in frames:
        if before.view is None or frame.view is None or frame.detail is None:
            return None
        if first.detail is None or (frame.detail.width, frame.detail.height) != (
            first.detail.width,
            first.detail.height,
        ):
            return None
        moved = match(before.view, frame.view)
        x, y, before = x + moved.x, y + moved.y, frame
        if max(abs(x), abs(y)) > _MOST_WANDER:
            return None
        size = (frame.detail.width, frame.detail.height)
        stored = frame.detail.pixels() * np.float32(255 * _STOPS_PER_LEVEL)
        tone = cv2.resize(frame.view.pixels(), size, interpolation=cv2.INTER_AREA)
        details.append(_shifted(np.asarray(cv2.blur(stored, (3, 3)), np.float32), x, y))
        tones.append(_shifted(np.asarray(tone, np.float32), x, y))
    levels = np.stack(tones)
    # The lamp may flicker, and a lens that breathes lets through a little more or less.
    levels *= levels.mean() / np.maximum(levels.mean(axis=(1, 2), keepdims=True), 1e-6)
    return np.stack(details), levels


def _shifted(grid: Grid, x: float, y: float) -> Grid:
    if x == y == 0:
        return grid
    height, width = grid.shape
    matrix = np.array([[1, 0, -x * width], [0, 1, -y * height]], np.float64)
    moved = cv2.warpAffine(
        grid, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32).reshape(height, width)
