"""Pictures that are sharp all over and pictures that are blurred all over, made without any mask.

Both come from photos of which somebody chose the whole for being sharp (the folder `sharp` of the
training data). Made smaller, they are crisp; blurred by a lens, nothing in them is in focus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encode_srgb, encoding_of, linearise
from focuskit.errors import InputError
from focuskit.training.lens import random_lens

__all__ = ["FocusPools", "make_pools", "random_crop", "random_masks", "random_view"]

Pixels = NDArray[np.uint8]

_SRGB = encoding_of("srgb")
# Side in pixels of a whole photo where it is looked at, which views and blur are made for.
_LOOKED_AT, _SPREAD = 320, 0.2
_SCALES = (0.42, 0.72)
# Radii of the disc: what is blurred by more looks no different to a small patch.
_RADIUS_PX = (1.0, 8.0)
# Share of the photos that pools are made from: those that show best that they are sharp all over.
_CHOSEN, _LEAST_PERCENTILE, _PLACE_SHARE = 0.6, 15, 0.1
_ROOM = 1.15
_NOISY_SHARE, _COMPRESSED_SHARE = 0.3, 0.3
_CELLS = (2, 6)


@dataclass(frozen=True, slots=True, eq=False)
class FocusPools:
    """Two lists of (S, S, 3) uint8 pictures, encoded sRGB, that have no picture in common.

    Attributes:
        clear: sharp all over.
        blurred: blurred all over.
    """

    clear: Sequence[Pixels]
    blurred: Sequence[Pixels]


def make_pools(
    photos: Sequence[Pixels], rng: np.random.Generator, *, count: int, side_px: int
) -> FocusPools:
    """Return pools of `count` pictures each, a little larger than `side_px` to cut from.

    Args:
        photos: (H, W, 3) uint8 encoded sRGB, sharp all over.
        rng: where all chance comes from.
        count: pictures in each pool.
        side_px: side of the pictures that will be cut from them.

    Raises:
        InputError: there are no photos.
    """
    if not photos:
        raise InputError(
            "There are no sharp photos to learn from; put photos that are sharp all over into the "
            "folder sharp of the data."
        )
    photos = _chosen(photos)
    side = math.ceil(_ROOM * side_px)
    clear = [_crisp(photos[int(rng.integers(len(photos)))], rng, side) for _ in range(count)]
    blurred = [
        _misfocused(_crisp(photos[int(rng.integers(len(photos)))], rng, side), rng)
        for _ in range(count)
    ]
    return FocusPools(clear, blurred)


def random_view(rgb: Pixels, rng: np.random.Generator, size: int) -> Pixels:
    """Return a size×size view of a part of a photo, about as large as in a whole one of 320 pixels.

    Colours and noise vary.
    """
    height, width = rgb.shape[:2]
    share = min(1.0, size / _LOOKED_AT * math.exp(rng.uniform(-_SPREAD, _SPREAD)))
    rows, columns = max(1, round(share * height)), max(1, round(share * width))
    return _varied(_cut(rgb, rng, rows, columns), rng, size)


def random_crop(rgb: Pixels, rng: np.random.Generator, size: int) -> Pixels:
    """Return a size×size piece of a picture at its own scale; colours and noise vary."""
    return _varied(_cut(rgb, rng, size, size), rng, size)


def random_masks(rng: np.random.Generator, count: int, size: int) -> NDArray[np.float32]:
    """Return (count, 1, size, size) masks in [0, 1] of a few blobs, hard or soft at their rims."""
    masks = np.empty((count, 1, size, size), np.float32)
    for mask in masks:
        cells = int(rng.integers(*_CELLS))
        coarse = rng.standard_normal((cells, cells), np.float32)
        smooth = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        gain = np.float32(math.exp(rng.uniform(math.log(1.0), math.log(60))))
        offset = np.float32(rng.normal(0, 0.5))
        mask[0] = (1 + np.tanh(gain * (smooth + offset))) / 2
    return masks


def _chosen(photos: Sequence[Pixels]) -> Sequence[Pixels]:
    """Return the photos whose least detailed places hold the most detail, in their own order.

    A sky tells nothing of focus, and a blurred background among the sharp pictures tells the wrong.
    """
    least = np.array([_least_detail(photo) for photo in photos])
    count = math.ceil(_CHOSEN * len(photos))
    return [photos[i] for i in sorted(np.argsort(-least, kind="stable")[:count].tolist())]


def _least_detail(photo: Pixels) -> float:
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    half = (max(1, gray.shape[1] // 2), max(1, gray.shape[0] // 2))
    small = np.asarray(cv2.resize(gray, half, interpolation=cv2.INTER_AREA), np.float32)
    place = max(1, round(_PLACE_SHARE * max(half)))
    detail = cv2.blur(np.abs(cv2.Laplacian(small, cv2.CV_32F)), (place, place))
    return float(np.percentile(detail, _LEAST_PERCENTILE))


def _crisp(photo: Pixels, rng: np.random.Generator, side: int) -> Pixels:
    """Make a photo smaller until it is crisp; mirrored at its borders, it fills a square."""
    scale = math.exp(rng.uniform(*np.log(_SCALES)))
    stretch = math.exp(rng.normal(0, 0.12))
    height, width = photo.shape[:2]
    shape = (max(2, round(width * scale * stretch)), max(2, round(height * scale / stretch)))
    small = np.asarray(cv2.resize(photo, shape, interpolation=cv2.INTER_AREA), np.uint8)
    if rng.random() < 0.1:
        small = np.rot90(small, int(rng.integers(1, 4)))
    rows, columns = min(side, small.shape[0]), min(side, small.shape[1])
    small = np.ascontiguousarray(_cut(small, rng, rows, columns))
    down, right = side - rows, side - columns
    top, left = int(rng.integers(0, down + 1)), int(rng.integers(0, right + 1))
    return np.asarray(
        cv2.copyMakeBorder(small, top, down - top, left, right - left, cv2.BORDER_REFLECT), np.uint8
    )


def _misfocused(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    radius = math.exp(rng.uniform(*np.log(_RADIUS_PX)))
    light = random_lens(rng).blur(linearise(rgb, _SRGB), 2 * radius)
    encoded = encode_srgb(np.clip(light, 0, 1).astype(np.float32))
    return np.rint(255 * encoded).astype(np.uint8)


def _cut(rgb: Pixels, rng: np.random.Generator, rows: int, columns: int) -> Pixels:
    top = int(rng.integers(0, rgb.shape[0] - rows + 1))
    left = int(rng.integers(0, rgb.shape[1] - columns + 1))
    return rgb[top : top + rows, left : left + columns]


def _varied(rgb: Pixels, rng: np.random.Generator, size: int) -> Pixels:
    if rgb.shape[:2] != (size, size):
        larger = rgb.shape[0] * rgb.shape[1] > size * size
        method = cv2.INTER_AREA if larger else cv2.INTER_LINEAR
        rgb = np.asarray(cv2.resize(rgb, (size, size), interpolation=method), np.uint8)
    if rng.random() < 0.5:
        rgb = rgb[:, ::-1]
    gain = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.04, 3))
    ramp = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.15))
    table = np.clip(255 * ramp * gain, 0, 255).astype(np.uint8)
    rgb = np.asarray(cv2.LUT(np.ascontiguousarray(rgb), table.reshape(256, 1, 3)), np.uint8)
    if rng.random() < _NOISY_SHARE:
        noise = rng.standard_normal(rgb.shape, np.float32) * np.float32(rng.uniform(0.5, 4))
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    if rng.random() < _COMPRESSED_SHARE:
        quality = int(rng.integers(60, 96))
        _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        bgr = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        rgb = np.ascontiguousarray(bgr[..., ::-1])
    return rgb
