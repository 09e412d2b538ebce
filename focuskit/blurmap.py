"""Where a photograph is in focus, and by how much it is not elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_map, check_range
from focuskit.errors import ShapeError

__all__ = ["NOTHING_IN_FOCUS_SHARE", "BlurMap"]

NOTHING_IN_FOCUS_SHARE = 0.01
"""With less than this share of the frame in focus, a map says that nothing is."""


@dataclass(frozen=True, slots=True, eq=False)
class BlurMap:
    """A map of defocus that belongs to one photo at one resolution.

    Attributes:
        in_focus_probability: (H, W) float32 in [0, 1]; 1 = in focus.
        coc_diameter_px: (H, W) float32 >= 0, diameter of the circle of confusion in pixels of the
            photo that the map belongs to; 0 = no blur that could be resolved.
        confidence: (H, W) float32 in [0, 1]; low where there is no texture to judge.
        side: (H, W) int8: +1 behind the focal plane, -1 in front of it, 0 unknown; None if unknown
            everywhere. One photo alone cannot tell.

    Raises:
        ShapeError, RangeError: on construction, if the arrays are not that.
    """

    in_focus_probability: NDArray[np.float32]
    coc_diameter_px: NDArray[np.float32]
    confidence: NDArray[np.float32]
    side: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        probability = check_map("BlurMap.in_focus_probability", self.in_focus_probability)
        shape = (int(probability.shape[0]), int(probability.shape[1]))
        check_map("BlurMap.coc_diameter_px", self.coc_diameter_px, shape=shape, high=math.inf)
        check_map("BlurMap.confidence", self.confidence, shape=shape)
        if self.side is not None and (self.side.shape != shape or self.side.dtype != np.int8):
            raise ShapeError(
                f"BlurMap.side must be int8 of shape {shape}, "
                f"got {self.side.dtype} of shape {self.side.shape}."
            )
        for name in ("in_focus_probability", "coc_diameter_px", "confidence", "side"):
            values = getattr(self, name)
            if values is not None:
                view = values.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.in_focus_probability.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.in_focus_probability.shape[1])

    @property
    def in_focus_share(self) -> float:
        """Share of the frame that is in focus rather than not, in [0, 1]."""
        return float((self.in_focus_probability >= 0.5).mean())

    def resized(self, height: int, width: int) -> BlurMap:
        """Return the map for the same photo at another size, CoC scaled along.

        Shrinking averages, growing interpolates linearly. Where the two axes are scaled
        differently the CoC takes their geometric mean.

        Args:
            height: new height in pixels, >= 1.
            width: new width in pixels, >= 1.

        Raises:
            RangeError: a side is smaller than one pixel.
        """
        check_range("height", height, low=1, unit="px")
        check_range("width", width, low=1, unit="px")
        if (height, width) == (self.height, self.width):
            return self
        factor = math.sqrt((height / self.height) * (width / self.width))
        side = self.side
        if side is not None:
            resized = cv2.resize(side, (width, height), interpolation=cv2.INTER_NEAREST)
            side = resized.reshape(height, width).astype(np.int8, copy=False)
        return BlurMap(
            in_focus_probability=np.clip(_resize(self.in_focus_probability, height, width), 0, 1),
            coc_diameter_px=np.maximum(_resize(self.coc_diameter_px, height, width) * factor, 0),
            confidence=np.clip(_resize(self.confidence, height, width), 0, 1),
            side=side,
        )


def _resize(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    shrinks = height < values.shape[0] or width < values.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(values, (width, height), interpolation=how)
    return np.asarray(resized, dtype=np.float32).reshape(height, width)
