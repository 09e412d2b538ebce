"""Takes pixels on outlines apart into what is before and what is behind.

A pixel that an outline crosses holds some of both. Drawn as either, the subject's colour bleeds
into the blur around it, or the outline turns jagged. Its two colours are those of its neighbours
on both sides, and how much it holds of each is where its own lies between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Split", "split_outlines"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]

_REACH = 2
# Pixels that may hold both colours themselves speak only where there are no others.
_UNSURE = np.float32(1e-2)
# Colours closer than this, as a share of their sum, tell no share of coverage.
_LEAST_CONTRAST = np.float32(0.03)
_DOUBT = np.float32(16)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Two surfaces at every pixel, the same one twice where no outline passes.

    Attributes:
        near: (H, W, 3) light of the nearer one.
        far: (H, W, 3) light of the other.
        cover: (H, W, 1) share of the pixel that the nearer one covers, in [0, 1].
        near_place: (H, W, 1) where it lies in depth.
        far_place: (H, W, 1) likewise.
    """

    near: Image
    far: Image
    cover: Map
    near_place: Map
    far_place: Map


def split_outlines(light: Image, place: Map, step: float) -> Split:
    """Return the two surfaces at every pixel.

    Args:
        light: (H, W, 3) linear light.
        place: (H, W) depth, larger = farther.
        step: neighbours that differ by more are two surfaces.
    """
    window = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(place, window), cv2.dilate(place, window)
    mixed = high - low > step
    if not mixed.any():
        column = place[..., None]
        return Split(light, light, np.ones_like(column), column, column)
    near_place = np.where(mixed, low, place).astype(np.float32)
    far_place = np.where(mixed, high, place).astype(np.float32)
    wide = np.ones((2 * _REACH + 3, 2 * _REACH + 3), np.uint8)
    sure = np.where(mixed, _UNSURE, np.float32(1))
    near, near_spread = _mean_of(light, sure * (place - cv2.erode(place, wide) < step / 2))
    far, far_spread = _mean_of(light, sure * (cv2.dilate(place, wide) - place < step / 2))
    apart = near - far
    length = (apart * apart).sum(axis=2)
    along = ((light - far) * apart).sum(axis=2) / np.maximum(length, np.float32(1e-12))
    belongs = (place - low <= high - place).astype(np.float32)
    # Colours tell as far as both surfaces differ by more than they vary themselves.
    doubt = _DOUBT * (near_spread + far_spread) + (_LEAST_CONTRAST * (near + far).sum(axis=2)) ** 2
    trust = length / (length + doubt + np.float32(1e-12))
    cover = belongs + trust * (np.clip(along, 0, 1) - belongs)
    cover = np.where(mixed, cover, np.float32(1)).astype(np.float32)
    # Put together again, both must give the pixel, grain and all.
    share = cover[..., None]
    rest = light - (share * near + (1 - share) * far)
    outline = mixed[..., None]
    return Split(
        np.where(outline, np.maximum(near + rest, 0), light).astype(np.float32),
        np.where(outline, np.maximum(far + rest, 0), light).astype(np.float32),
        share,
        near_place[..., None],
        far_place[..., None],
    )


def _mean_of(light: Image, weight: Map) -> tuple[Image, Map]:
    """Return the mean light around each pixel, and how much it varies there."""
    size = (2 * _REACH + 1, 2 * _REACH + 1)
    weight = np.asarray(weight, np.float32)
    square = (light * light).sum(axis=2, keepdims=True)
    stack = np.concatenate([light, square, np.ones_like(square)], axis=2) * weight[..., None]
    summed = cv2.boxFilter(stack, -1, size, normalize=False)
    total = summed[..., 4:]
    known = total > _UNSURE / 2
    mean = np.where(known, summed[..., :4] / np.maximum(total, _UNSURE / 2), stack[..., :4] * 0)
    colour = np.where(known, mean[..., :3], light)
    spread = np.maximum(mean[..., 3] - (mean[..., :3] ** 2).sum(axis=2), 0)
    return colour, np.where(known[..., 0], spread, np.float32(1e3))
