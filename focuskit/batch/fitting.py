"""Values from grey files as maps of a photo: their range, and their size."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.maps import COC_STEPS_PER_PX
from focuskit.blurmap import BlurMap
from focuskit.errors import RangeError, ShapeError
from focuskit.photo import Photo

__all__ = [
    "LEAST_BLUR_DIAGONALS",
    "blurred_where_told",
    "check_aspect",
    "coc_px_in",
    "fitted",
    "map_of_coc",
    "shares_in",
]

LEAST_BLUR_DIAGONALS = 1e-3
"""Of a photo's diagonal: the blur that counts where somebody says blurred and none can be seen."""

Map = NDArray[np.float32]

_ASPECTS_WITHIN = 0.01
# Where nothing but the circle of confusion is known: in focus up to 1 px, out of focus from 3 px.
_SHARP_TO_PX, _BLURRED_FROM_PX = 1.0, 3.0
_ROUNDING = 1e-5
_SAYS_BLURRED, _TRUSTED = 0.3, 0.5


def shares_in(what: str, path: Path, values: NDArray[Any]) -> Map:
    """Return grey values as shares of white, float32 in [0, 1].

    Args:
        what: "map", "mask" or "confidence", for messages.
        path: the file that they came from.
        values: uint8, uint16, or float32 from 0 to 1.

    Raises:
        RangeError: floating-point values are above 1.
    """
    if np.issubdtype(values.dtype, np.integer):
        return np.asarray(values / np.float32(np.iinfo(values.dtype).max), np.float32)
    if values.max() > 1:
        raise RangeError(
            f"The {what} {path} holds values up to {float(values.max()):g}: floating-point files "
            "must stay within 0 (black) to 1 (white)."
        )
    return values


def coc_px_in(path: Path, values: NDArray[Any]) -> Map:
    """Return the circle of confusion that a file holds, float32 >= 0 in pixels of its own size.

    Args:
        path: the file.
        values: uint16 with 64 steps per pixel, as `focuskit detect` writes, or float32 in pixels.

    Raises:
        RangeError: it has 8 bits.
    """
    if values.dtype == np.uint16:
        coc_px = np.multiply(values, np.float32(1 / COC_STEPS_PER_PX), dtype=np.float32)
        return np.asarray(coc_px, np.float32)
    if values.dtype == np.uint8:
        raise RangeError(
            f"{path} has 8 bits, too few for a circle of confusion: give the 16-bit -coc.png that "
            f"focuskit detect writes ({COC_STEPS_PER_PX} steps per pixel), or a floating-point "
            "TIFF in pixels. A grey picture of what is in focus goes to --map."
        )
    return np.asarray(values, np.float32)


def map_of_coc(coc_px: Map) -> BlurMap:
    """Return a trusted map of nothing but circles of confusion, (H, W) in pixels."""
    left = np.float32(_BLURRED_FROM_PX) - coc_px
    left *= np.float32(1 / (_BLURRED_FROM_PX - _SHARP_TO_PX))
    # One number for all pixels: large photos have no memory to spare.
    trust = np.broadcast_to(np.float32(1), coc_px.shape)
    return BlurMap(np.clip(left, 0, 1, out=left), coc_px, trust)


def blurred_where_told(blur_map: BlurMap, *, measured: bool) -> tuple[BlurMap, float]:
    """Return a map with some blur wherever it says out of focus, and the share that needed it.

    A painted map may call the background of a photo that is sharp throughout out of focus. Edits
    that enlarge blur need a size to begin with there, and take a thousandth of the diagonal.

    Args:
        blur_map: what is in focus as a person told.
        measured: whether the circle of confusion was measured together with the map: only where it
            is trusted the two can contradict each other by a person's hand.
    """
    least = LEAST_BLUR_DIAGONALS * math.hypot(blur_map.height, blur_map.width)
    coc = blur_map.coc_diameter_px
    without = (blur_map.in_focus_probability < _SAYS_BLURRED) & (coc < least)
    if measured:
        without &= blur_map.confidence >= _TRUSTED
    raised = np.where(without, np.float32(least), coc)
    return replace(blur_map, coc_diameter_px=raised), float(without.mean())


def fitted(what: str, path: Path, values: Map, photo: Photo) -> Map:
    """Return values at the size of a photo: averaged where they shrink, else interpolated.

    Args:
        what: for messages.
        path: the file.
        values: (h, w) float32.
        photo: whose size is wanted.

    Raises:
        ShapeError: the sides are in another proportion.
    """
    height, width = values.shape
    check_aspect(what, path, width, height, photo)
    if (height, width) == (photo.height, photo.width):
        return values
    shrinks = height > photo.height or width > photo.width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    made = cv2.resize(values, (photo.width, photo.height), interpolation=how)
    made = np.asarray(made, np.float32).reshape(photo.height, photo.width)
    # Rounding errors may leave the range, or keep what is white from being quite white, which a
    # mask takes for permission to change it.
    low, high = values.min(), values.max()
    nearly = np.float32(_ROUNDING) * (high - low)
    made[made >= high - nearly] = high
    made[made <= low + nearly] = low
    return made


def check_aspect(what: str, path: Path, width: int, height: int, photo: Photo) -> None:
    """Refuse what cannot be a picture of the same frame.

    Raises:
        ShapeError: the sides are in another proportion; a turned picture is called that.
    """
    if (width, height) == (photo.width, photo.height):
        return
    # A pixel of the smaller picture is the least by which two sizes of one frame may differ.
    pixel = 1 / min(width, height, photo.width, photo.height)
    limit = max(_ASPECTS_WITHIN, pixel)
    found, wanted = math.log(width / height), math.log(photo.width / photo.height)
    if abs(found - wanted) <= limit:
        return
    sizes = f"The {what} {path} is {width}×{height} pixels, the photo {photo.width}×{photo.height}"
    if abs(found + wanted) <= limit:
        lies = "portrait, the photo landscape" if found < 0 else "landscape, the photo portrait"
        raise ShapeError(
            f"{sizes}: it is {lies}. Turn it by 90°; files given along are upright, as the photo "
            "is shown."
        )
    raise ShapeError(
        f"{sizes}: it may be larger or smaller, but in the same proportion (within 1 %). Give the "
        "one that belongs to this photo, uncropped."
    )
