"""A photo decoded once, from which previews and crops are cut without decoding again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_range
from focuskit.color import Encoding, linearise
from focuskit.errors import RangeError
from focuskit.photo import DecodedFrom, Exif, Photo

__all__ = ["Frame", "orient"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The decoded samples of a photo, still encoded and as stored.

    Attributes:
        samples: (H, W, 3) uint8, uint16 or float32 as the file stores them: encoded, not upright.
        order: which end of the last axis is red.
        orientation: EXIF orientation that makes `samples` upright, 1 to 8.
        encoding: how samples become linear light, and in which primaries.
        exif: what the camera wrote.
        source: the file.
        scale: size of the samples / size of the full sensor picture, in (0, 1].
        decoded_from: which picture of the file this is.
        bits: bits per sample of the source: 8, 16, or 32 for floating point.
    """

    samples: NDArray[Any]
    order: Literal["rgb", "bgr"] = "rgb"
    orientation: int = 1
    encoding: Encoding = field(default_factory=Encoding)
    exif: Exif = field(default_factory=Exif)
    source: Path | None = None
    scale: float = 1.0
    decoded_from: DecodedFrom = "full"
    bits: int = 8

    @property
    def height(self) -> int:
        """Height in pixels of the upright picture."""
        return int(self.samples.shape[1 if self.orientation >= 5 else 0])

    @property
    def width(self) -> int:
        """Width in pixels of the upright picture."""
        return int(self.samples.shape[0 if self.orientation >= 5 else 1])

    def photo(self, long_edge: int | None = None) -> Photo:
        """Return the whole picture, upright, in linear light.

        Shrinking averages areas, along the encoded values: a few percent too dark across hard
        edges, which does not matter to a score but would to a print. `read_photo` never shrinks.

        Args:
            long_edge: the longer side of the result in pixels, at most; None or anything above the
                frame's own size keeps every pixel.

        Raises:
            RangeError: `long_edge` is below 1.
        """
        samples, ratio = self.samples, 1.0
        longest = max(self.height, self.width)
        if long_edge is not None and check_range("long_edge", long_edge, low=1) < longest:
            ratio = long_edge / longest
            samples = _shrink(samples, ratio)
        return self._finish(samples, self.scale * ratio)

    def crop(self, x: int, y: int, width: int, height: int) -> Photo:
        """Return a part at native pixels, upright, in linear light.

        Args:
            x: left edge in pixels of the upright picture.
            y: top edge.
            width: in pixels, at least 1.
            height: in pixels, at least 1.

        Returns:
            A photo whose `scale` is the frame's: it tells the size of its pixels, not of the cut.

        Raises:
            RangeError: the part does not lie within the picture.
        """
        inside = 0 <= x <= x + width <= self.width and 0 <= y <= y + height <= self.height
        if not inside or width < 1 or height < 1:
            raise RangeError(
                f"A crop must hold a pixel and lie within {self.width} × {self.height}, "
                f"got {width} × {height} at ({x}, {y})."
            )
        left, top, across, down = self._stored(x, y, width, height)
        return self._finish(self.samples[top : top + down, left : left + across], self.scale)

    def _stored(self, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int]:
        if self.orientation >= 5:
            x, y, width, height = y, x, height, width
        stored_height, stored_width = self.samples.shape[:2]
        if self.orientation in (2, 3, 7, 8):
            x = stored_width - x - width
        if self.orientation in (3, 4, 6, 7):
            y = stored_height - y - height
        return x, y, width, height

    def _finish(self, samples: NDArray[Any], scale: float) -> Photo:
        # Turning before linearising moves a quarter of the bytes for 8-bit samples.
        samples = orient(samples, self.orientation)
        if self.order == "bgr":
            samples = cv2.cvtColor(samples, cv2.COLOR_BGR2RGB).reshape(samples.shape)
        rgb = linearise(samples, self.encoding)
        if rgb is self.samples or np.shares_memory(rgb, self.samples):
            rgb = rgb.copy()
        return Photo(
            rgb=rgb,
            exif=self.exif,
            primaries=self.encoding.primaries,
            source=self.source,
            scale=min(max(scale, 1e-6), 1.0),
            decoded_from=self.decoded_from,
            bits=self.bits,
        )


def orient(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return `samples` upright, C-contiguous.

    Args:
        samples: (H, W, 3) as stored.
        orientation: EXIF tag 0x0112, 1 to 8.
    """
    shape = samples.shape
    if orientation >= 5:
        samples, shape = cv2.transpose(samples), (shape[1], shape[0], shape[2])
    across, down = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    if across or down:
        samples = cv2.flip(samples, -1 if across and down else int(across))
    return np.ascontiguousarray(samples).reshape(shape)


def _shrink(samples: NDArray[Any], ratio: float) -> NDArray[Any]:
    height, width = samples.shape[:2]
    target = max(round(width * ratio), 1), max(round(height * ratio), 1)
    # Exact halvings run in a vectorised path of OpenCV; one step straight to the target takes
    # three times as long. An odd last row or column goes: half a pixel of the result at most.
    while width // 2 >= target[0] and height // 2 >= target[1]:
        width, height = width // 2, height // 2
        even = samples[: height * 2, : width * 2]
        samples = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
    if (width, height) != target:
        samples = cv2.resize(samples, target, interpolation=cv2.INTER_AREA)
    return samples.reshape(target[1], target[0], 3)
