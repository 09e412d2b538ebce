"""Reading grey pictures whose values are data: maps, masks, depths. No curve is undone."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from focuskit.errors import InputError, RangeError
from focuskit.io.frame import orient
from focuskit.io.read import open_frame

__all__ = ["read_gray"]

# Lossy formats let the channels of a grey picture drift apart by so much of the range.
_GRAY_WITHIN = 0.03
_ROWS = 64


def read_gray(
    path: str | os.PathLike[str], *, max_megapixels: float | None = None
) -> NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]:
    """Read the values of a grey picture as the file holds them, upright.

    Args:
        path: the file, in any format that photos can have; colour pictures whose channels are
            equal count as grey. Alpha is ignored.
        max_megapixels: see `open_frame`.

    Returns:
        (H, W) uint8, uint16 or float32.

    Raises:
        InputError: it is a picture in colour.
        RangeError: floating-point values are below 0.
        PhotoUnreadableError, UnsupportedFormatError, PhotoTooLargeError: see `open_frame`.
    """
    frame = open_frame(path, max_megapixels=max_megapixels)
    samples = orient(frame.samples, frame.orientation)
    apart = _spread(samples)
    if apart > _GRAY_WITHIN:
        raise InputError(
            f"{path} is a picture in colour (its channels differ by up to {apart:.0%}), where a "
            "grey one belongs: a map, mask or depth has one value per pixel."
        )
    if samples.dtype == np.float32:
        _check_positive(path)
    # Not a mean, which would round what the file holds exactly.
    return np.ascontiguousarray(samples[..., 1])


def _spread(samples: NDArray[Any]) -> float:
    """Return how far the channels differ, as a share of white or of the largest value."""
    whole = np.issubdtype(samples.dtype, np.integer)
    white = float(np.iinfo(samples.dtype).max if whole else max(float(samples.max()), 1e-30))
    apart = 0.0
    for top in range(0, len(samples), _ROWS):
        red, green, blue = cv2.split(samples[top : top + _ROWS])
        for other in (red, blue):
            apart = max(apart, float(cv2.absdiff(other, green).max()))
    return apart / white


def _check_positive(path: str | os.PathLike[str]) -> None:
    """Refuse signed values: as light, what lies below 0 was taken for 0 already."""
    try:
        with tifffile.TiffFile(os.fspath(path)) as tiff:
            lowest = float(np.asarray(tiff.pages[0].asarray()).min())
    except ValueError:  # a codec that tifffile lacks: the values are as good as can be
        return
    if lowest < 0:
        raise RangeError(
            f"{path} holds values down to {lowest:g}, where nothing below 0 makes sense: blur is a "
            "diameter, whose side of the plane of focus comes from --depth."
        )
