"""Depth that a phone stored inside the photo itself: the depth image of a HEIC."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray

from focuskit.io.complete import check_boxes
from focuskit.io.source import load

__all__ = ["Depth", "read_embedded_depth"]

_HEAD_BYTES = 4096
_DAMAGED = (ArithmeticError, EOFError, LookupError, MemoryError, OSError, RuntimeError, ValueError)
# ITU-T H.265, G.14.3.3, depth_representation_type; 0, 1 and 3 are disparities of a kind.
_OF_DISTANCES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Depth:
    """How far away things are.

    Attributes:
        values: (H, W) float32, larger = farther; upright.
        of_steps: whether these are even steps of blur (of disparity, that is) with a zero that
            means nothing; else distances above 0, in a unit of their own.
    """

    values: NDArray[np.float32]
    of_steps: bool


def read_embedded_depth(
    path: str | os.PathLike[str], *, max_megapixels: float | None = None
) -> Depth | None:
    """Read the depth image of a HEIC; other photos hold none that is read here.

    Disparity, plain or uneven, and inverse distance grow towards the camera and are turned round;
    the blur of a thin lens goes with them in even steps. Where the file does not say what the
    values are, they count as disparity, which is what phones write.

    Args:
        path: the photo.
        max_megapixels: see `open_frame`.

    Returns:
        The depth, at a size of its own and turned as the file says; None where there is none.

    Raises:
        PhotoUnreadableError: the file or its depth is damaged.
        UnsupportedFormatError, PhotoTooLargeError: see `open_frame`.
    """
    if load(path, max_megapixels, head=_HEAD_BYTES).format != "heif":
        return None
    file = load(path, max_megapixels)
    check_boxes(file)
    try:
        found = pillow_heif.open_heif(file.data, convert_hdr_to_8bit=False).info["depth_images"]
        if not found:
            return None
        file.check_size(*found[0].size)
        samples, told = np.asarray(found[0]), found[0].info.get("metadata") or {}
    except _DAMAGED as exc:
        raise file.unreadable(f"the depth image in it is damaged ({exc})".strip()) from exc
    return _depth(samples if samples.ndim == 2 else samples[..., 1], told)


def _depth(samples: NDArray[Any], told: Mapping[str, Any]) -> Depth:
    white = float(np.iinfo(samples.dtype).max)
    share = samples.astype(np.float32) / np.float32(white)
    if told.get("representation_type") != _OF_DISTANCES:
        return Depth(1 - share, of_steps=True)
    near, far = told.get("z_near"), told.get("z_far")
    if near is None or far is None or not 0 < near < far:
        return Depth(share, of_steps=True)
    return Depth(np.float32(near) + share * np.float32(far - near), of_steps=False)
