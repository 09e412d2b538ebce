"""One training example: a developed picture and what is true of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLURRED_ABOVE_COC_PX", "SHARP_BELOW_COC_PX", "Example", "Pools", "labels_from_coc"]

SHARP_BELOW_COC_PX = 1.3
"""Up to this circle of confusion, in pixels of the example, a pixel counts as in focus."""

BLURRED_ABOVE_COC_PX = 2.0
"""From here on it counts as blurred; nobody is asked to decide between the two."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture as a camera would have written it, with its truth.

    Attributes:
        rgb: (H, W, 3) uint8, encoded sRGB.
        in_focus: (H, W) float32 in [0, 1], 1 = in focus.
        weight: (H, W) float32 in [0, 1], how far `in_focus` is to be believed; 0 = undecided.
        coc_diameter_px: (H, W) float32 >= 0 in pixels of `rgb`; NaN where nobody knows.
        source: what kind of data it is: "cuhk", "multifocus", "sweep", "scene", "whole".
        scene: what it must not be split from.
    """

    rgb: NDArray[np.uint8]
    in_focus: NDArray[np.float32]
    weight: NDArray[np.float32]
    coc_diameter_px: NDArray[np.float32]
    source: str
    scene: str


Pools = Mapping[str, Sequence[Example]]
"""Examples by the kind that a recipe's shares name."""


def labels_from_coc(
    coc_diameter_px: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return `in_focus` and `weight` that a known circle of confusion implies."""
    sharp = coc_diameter_px <= SHARP_BELOW_COC_PX
    blurred = coc_diameter_px >= BLURRED_ABOVE_COC_PX
    return sharp.astype(np.float32), (sharp | blurred).astype(np.float32)
