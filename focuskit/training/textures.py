"""Crisp textures cut out of photos: what rendered scenes are papered with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encode_srgb, encoding_of, linearise
from focuskit.errors import ShapeError
from focuskit.optics.edges import measure_edges

__all__ = ["sharp_textures"]

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Map = NDArray[np.float32]
_Scalar = TypeVar("_Scalar", np.uint8, np.bool_)

_SRGB = encoding_of("srgb")
_SIDES_PX = (400, 320, 256, 200, 160, 128, 96)
_ASPECTS = (1.0, 1.5, 0.67)
# Scans and film frames end in a dark line, which is sharp in every photo.
_BORDER_PX = 4
_CRISP_SIGMA_PX, _SOFT_SIGMA_PX = 0.75, 1.0
_AROUND_PX = 25
_MIN_CRISP = 0.01
_PLAIN_INSIDE = 0.8


def sharp_textures(
    pairs: Iterable[tuple[Pixels, Mask | None]],
    rng: np.random.Generator,
    *,
    per_photo: int = 2,
    min_side_px: int = 96,
    inside: float = 0.9,
    plain_scale: float = 0.6,
) -> list[Pixels]:
    """Return crisp pieces of photos, shrunk until the blur that they still have is below a pixel.

    Args:
        pairs: photos, (H, W, 3) uint8 encoded sRGB, each with the mask of what is in focus (True)
            or None for a photo without: there the parts with the most crisp edges are taken.
        rng: where all chance comes from.
        per_photo: at most so many pieces of each.
        min_side_px: smallest side of a piece before it is shrunk.
        inside: least share of a piece that the mask must hold in focus.
        plain_scale: how far pieces of photos without a mask are shrunk; those with one are shrunk
            to 0.5 to 0.7.

    Raises:
        ShapeError: a photo is not a uint8 picture, or its mask is of another size.
    """
    textures: list[Pixels] = []
    for whole, whole_mask in pairs:
        _check(whole, whole_mask)
        photo, mask = _trimmed(whole), None if whole_mask is None else _trimmed(whole_mask)
        if min(photo.shape[:2]) < min_side_px:
            continue
        crisp, soft = _edge_densities(photo)
        if mask is None:
            # No one looked at it: what has no texture may well be a blurred background.
            good, least = (crisp > _MIN_CRISP) & (crisp > 2 * soft), _PLAIN_INSIDE
            scale = plain_scale
        else:
            good, least = mask & (soft <= np.maximum(crisp / 2, _MIN_CRISP)), inside
            scale = rng.uniform(0.5, 0.7)
        for y, x, height, width in _pieces(good, crisp, least, min_side_px, per_photo, rng):
            textures.append(_shrunk(photo[y : y + height, x : x + width], scale))
    return textures


def _check(photo: Pixels, mask: Mask | None) -> None:
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ShapeError(f"A photo must be (H, W, 3) uint8, got {photo.dtype} {photo.shape}.")
    if mask is not None and mask.shape != photo.shape[:2]:
        raise ShapeError(f"The mask is {mask.shape}, its photo {photo.shape[:2]}.")


def _trimmed(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    return array[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX]


def _edge_densities(photo: Pixels) -> tuple[Map, Map]:
    """Return how much of each pixel's surroundings are crisp edges, and how much are soft ones."""
    gray = cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2GRAY)
    edges = measure_edges(np.asarray(gray, np.float32) / np.float32(255), max_sigma_px=4)
    place = edges.y.astype(np.int64), edges.x.astype(np.int64)
    densities: list[Map] = []
    # Wide edges are found on shrunken copies, where there are fewer points along each.
    area = np.clip(edges.sigma_px, 1, 4) ** 2
    for chosen in (edges.sigma_px <= _CRISP_SIGMA_PX, edges.sigma_px > _SOFT_SIGMA_PX):
        points = np.zeros(photo.shape[:2], np.float32)
        np.add.at(points, place, edges.weight * area * chosen)
        densities.append(np.asarray(cv2.blur(points, (_AROUND_PX, _AROUND_PX)), np.float32))
    return densities[0], densities[1]


def _pieces(
    good: Mask,
    crisp: Map,
    least: float,
    min_side_px: int,
    count: int,
    rng: np.random.Generator,
) -> list[tuple[int, int, int, int]]:
    """Find the largest rectangles of which `least` is good, none twice in the same place."""
    free = good.astype(np.float32)
    found: list[tuple[int, int, int, int]] = []
    for side in _SIDES_PX:
        for aspect in rng.permutation(_ASPECTS):
            height, width = round(side / max(aspect, 1)), round(side * min(aspect, 1))
            if min(height, width) < min_side_px or height > good.shape[0] or width > good.shape[1]:
                continue
            place = _best_place(free, crisp, height, width, least)
            if place is None:
                continue
            y, x = place
            free[y : y + height, x : x + width] = 0
            found.append((y, x, height, width))
            if len(found) == count:
                return found
    return found


def _best_place(
    free: Map, crisp: Map, height: int, width: int, least: float
) -> tuple[int, int] | None:
    share = _window_means(free, height, width)
    strength = np.where(share >= least, _window_means(crisp, height, width), np.float32(-1))
    y, x = np.unravel_index(int(strength.argmax()), strength.shape)
    # A piece without any texture cannot be told sharp, mask or no mask.
    return (int(y), int(x)) if strength[y, x] > _MIN_CRISP else None


def _window_means(values: Map, height: int, width: int) -> Map:
    total = cv2.integral(values, sdepth=cv2.CV_64F)
    window = (total[height:, width:] - total[:-height, width:] - total[height:, :-width]) + total[
        :-height, :-width
    ]
    return np.asarray(window / (height * width), np.float32)


def _shrunk(piece: Pixels, scale: float) -> Pixels:
    size = (round(piece.shape[1] * scale), round(piece.shape[0] * scale))
    light = cv2.resize(
        linearise(np.ascontiguousarray(piece), _SRGB), size, interpolation=cv2.INTER_AREA
    )
    return np.rint(encode_srgb(np.asarray(light, np.float32)) * 255).clip(0, 255).astype(np.uint8)
