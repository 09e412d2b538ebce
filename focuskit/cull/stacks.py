"""Focus stacks: the framing stays, the sharp area wanders."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.cull.fingerprint import Fingerprint
from focuskit.cull.views import match

__all__ = ["LONGEST_STACK", "SHORTEST_STACK", "is_stack"]

SHORTEST_STACK, LONGEST_STACK = 3, 300
_STOPS_PER_LEVEL = 1 / 12
# Detail that grows or goes by less may be noise, shake or a subject that breathes.
_CLEAR_STOPS = 0.4
# A field whose tone changes shows something else, rather than the same less sharp.
_STEADY_TONE, _STEADY_SHARE, _STEADY_IF_TOLD = 0.07, 0.7, 0.9
# Focus that follows something, or hunts, stays closer or turns back.
_DISTANCE_RATIO = 1.1
# A hand holds the framing about so well over a whole stack.
_MOST_WANDER = 0.15
# Rises and falls again at most this share of its range besides the one peak.
_ROUGHNESS = 0.5
_LEAST_SHARE = 0.05
_LEAST_FIELDS = 6
_TEXTURED_STOPS = 3.0
# One jump of focus within a burst that missed is not a stack.
_JUMP_SHARE, _JUMP_FRAMES = 0.85, 5

Grid = NDArray[np.float32]


def is_stack(frames: Sequence[Fingerprint]) -> bool:
    """Return whether frames of one framing are focused one behind the other.

    While parts of the picture get sharper and sharper, others must get softer and softer: what
    shakes or misses its focus gets softer everywhere.
    """
    if len(frames) < SHORTEST_STACK:
        return False
    aligned = _aligned(frames)
    if aligned is None:
        return False
    detail, tones = aligned
    best = detail.max(axis=0)
    textured = best >= np.percentile(best, 90) - _TEXTURED_STOPS
    swing = best - detail.min(axis=0)
    steady = tones.max(axis=0) - tones.min(axis=0) <= _STEADY_TONE
    if steady[textured].mean() < _STEADY_SHARE:
        return False
    if _focused_further(frames) and steady[textured].mean() >= _STEADY_IF_TOLD:
        return True
    single_peak = _roughness(detail) <= _ROUGHNESS * swing
    told = textured & steady & single_peak
    needed = max(_LEAST_FIELDS, _LEAST_SHARE * float(textured.sum()))
    wandering = _wandering(detail, told, needed)
    if wandering is None:
        return False
    return len(frames) < _JUMP_FRAMES or not _jumps(detail[:, wandering])


def _focused_further(frames: Sequence[Fingerprint]) -> bool:
    """Return whether the camera wrote that it focused further, or nearer, with every frame."""
    known = [frame.focus_distance_m for frame in frames if frame.focus_distance_m]
    if len(known) < len(frames) or max(known) < _DISTANCE_RATIO * min(known):
        return False
    farther = [after > before for before, after in pairwise(known)]
    nearer = [after < before for before, after in pairwise(known)]
    return all(farther) or all(nearer)


def _wandering(detail: Grid, told: NDArray[np.bool_], needed: float) -> NDArray[np.bool_] | None:
    """Return the fields that got sharper or softer over half the stack, if enough did either.

    A stack may begin before its subject or end behind it: then hardly anything is sharp in its
    first or last frame, and the two alone would not tell.
    """
    count = len(detail)
    best, fields = needed, None
    for first in range(count // 2):
        for last in range(first + count // 2, count):
            change = detail[last] - detail[first]
            rising, falling = told & (change >= _CLEAR_STOPS), told & (change <= -_CLEAR_STOPS)
            fewer = min(rising.sum(), falling.sum())
            if fewer >= best:
                best, fields = fewer, rising | falling
    return fields


def _roughness(detail: Grid) -> Grid:
    """Return by how much each field goes up and down besides one rise and one fall."""
    travelled = np.abs(np.diff(detail, axis=0)).sum(axis=0)
    best = detail.max(axis=0)
    return np.asarray(travelled - (best - detail[0]) - (best - detail[-1]), np.float32)


def _jumps(curves: Grid) -> bool:
    swing = curves.max(axis=0) - curves.min(axis=0)
    largest = np.abs(np.diff(curves, axis=0)).max(axis=0)
    return bool(np.median(largest / swing) > _JUMP_SHARE)


def _aligned(frames: Sequence[Fingerprint]) -> tuple[Grid, Grid] | None:
    """Return detail in stops and tones of all frames (N, H, W), shifted onto the first."""
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
    height, width = grid.shape
    matrix = np.array([[1, 0, -x * width], [0, 1, -y * height]], np.float64)
    moved = cv2.warpAffine(
        grid, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32).reshape(height, width)
