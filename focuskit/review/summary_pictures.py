"""Pictures that a page carries inside itself, within what a mail may weigh."""

from __future__ import annotations

import base64
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import OutputError

__all__ = ["Pictures"]

Rgb8 = NDArray[np.uint8]

_QUALITIES = (80, 55)
_LEAST_PX = 96
# Culling keeps them this long; longer ones are there once somebody has reviewed the shot.
_KEPT_PX = 375
_REVIEWED = "large"
# Of the crop, what fits beside a photo.
_CROP_PX = 320


class Pictures:
    """Takes pictures out of the folder that a cull filled, and makes them as light as asked.

    Attributes:
        missing: stems of shots of which a picture was asked for and not found.
        spent: characters of all pictures given so far.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.missing: set[str] = set()
        self.spent = 0

    def photo(self, stem: str, long_edge_px: int, most_bytes: int) -> str | None:
        """Return a photo as the address of itself; None where there is no picture of it.

        Args:
            stem: of its pictures.
            long_edge_px: it is made no longer than this.
            most_bytes: and no heavier, unless it would be shorter than 96 px.
        """
        reviewed = self._read(stem, f"{_REVIEWED}/", "photo") if long_edge_px > _KEPT_PX else None
        picture = reviewed if reviewed is not None else self._read(stem, "", "photo")
        if picture is None:
            self._missed(stem)
            return None
        edge = min(long_edge_px, max(picture.shape[:2]))
        while True:
            small = _shrunk(picture, edge)
            for quality in _QUALITIES:
                data = _webp(small, quality)
                if len(data) <= most_bytes:
                    return self._given(data)
            if edge <= _LEAST_PX:
                return self._given(data)
            # Bytes go with the area, or nearly.
            edge = max(
                _LEAST_PX, int(edge * max(0.4, 0.95 * math.sqrt(max(most_bytes, 1) / len(data))))
            )

    def crop(self, stem: str, most_bytes: int) -> str | None:
        """Return the middle of the 100 % crop of a shot, pixel for pixel.

        Args:
            stem: of its pictures.
            most_bytes: it is cut until it weighs no more.
        """
        picture = self._read(stem, "", "crop")
        if picture is None:
            self._missed(stem)
            return None
        size = _CROP_PX
        while True:
            middle = _middle(picture, size)
            for quality in _QUALITIES:
                data = _webp(middle, quality)
                if len(data) <= most_bytes or (size <= _LEAST_PX and quality == _QUALITIES[-1]):
                    return self._given(data)
            size = max(_LEAST_PX, size * 3 // 4)

    def _given(self, data: bytes) -> str:
        address = "data:image/webp;base64," + base64.b64encode(data).decode("ascii")
        self.spent += len(address)
        return address

    def _missed(self, stem: str) -> None:
        if stem:
            self.missing.add(stem)

    def _read(self, stem: str, below: str, kind: str) -> Rgb8 | None:
        if not stem:
            return None
        try:
            data = (self._folder / f"{below}{stem}-{kind}.jpg").read_bytes()
        except OSError:
            return None
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        return None if picture is None else np.asarray(picture, np.uint8)


def _shrunk(picture: Rgb8, long_edge_px: int) -> Rgb8:
    factor = long_edge_px / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _middle(picture: Rgb8, size: int) -> Rgb8:
    rows, columns = picture.shape[:2]
    top, left = max((rows - size) // 2, 0), max((columns - size) // 2, 0)
    return np.ascontiguousarray(picture[top : top + size, left : left + size])


def _webp(picture: Rgb8, quality: int) -> bytes:
    done, data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise OutputError("OpenCV could not encode a WebP; reinstall opencv-python-headless.")
    return bytes(data)
