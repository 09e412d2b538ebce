"""How close an edited picture is to the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.errors import ShapeError

__all__ = ["BAND_PX", "Closeness", "closeness", "depth_edges", "similarity"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

BAND_PX = 10
"""Pixels at most so far from a depth edge are the band around it."""

# Neighbours whose circles differ by more lie on two surfaces.
_EDGE_STEP_PX = 2.0
# A picture without any error would have infinitely many decibels, and so would a mean with it.
_MOST_DB = 80.0
_SSIM_SIZE, _SSIM_SIGMA = 11, 1.5
_SSIM_C = (0.01**2, 0.03**2)


@dataclass(frozen=True, slots=True)
class Closeness:
    """Of one picture to the truth, in encoded sRGB from 0 to 1.

    Attributes:
        psnr_db: peak signal-to-noise ratio over the judged pixels, at most 80.
        ssim: mean structural similarity there, at most 1.
        band_psnr_db: over those of them near depth edges; NaN where there are none.
    """

    psnr_db: float
    ssim: float
    band_psnr_db: float


def closeness(light: Image, truth: Image, judged: Mask, band: Mask) -> Closeness:
    """Return how close linear light comes to the truth.

    Args:
        light: (H, W, 3) linear.
        truth: likewise.
        judged: (H, W), which pixels count.
        band: (H, W), which lie near depth edges.

    Raises:
        ShapeError: the sizes differ.
    """
    if not light.shape[:2] == truth.shape[:2] == judged.shape == band.shape:
        raise ShapeError(
            f"Pictures of one size can be compared, got {light.shape[:2]}, {truth.shape[:2]}, "
            f"{judged.shape} and {band.shape}."
        )
    seen, wanted = (
        encode_srgb(np.clip(each, 0, 1).astype(np.float32)).astype(np.float64)
        for each in (light, truth)
    )
    square = ((seen - wanted) ** 2).mean(axis=2)
    alike = similarity(seen, wanted)
    return Closeness(
        _psnr_db(square[judged]),
        float(alike[judged].mean()),
        _psnr_db(square[judged & band]),
    )


def depth_edges(coc_px: Map) -> Mask:
    """Return the (H, W) band around the edges of a signed map of circles of confusion."""
    window = np.ones((3, 3), np.uint8)
    plain = np.asarray(coc_px, np.float32)
    edge = cv2.dilate(plain, window) - cv2.erode(plain, window) > _EDGE_STEP_PX
    if not edge.any():
        return np.zeros(edge.shape, np.bool_)
    away = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away <= BAND_PX)


def _psnr_db(squares: NDArray[np.float64]) -> float:
    if not squares.size:
        return math.nan
    return min(_MOST_DB, -10 * math.log10(max(float(squares.mean()), 1e-30)))


def similarity(
    first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return the structural similarity around each pixel of two (H, W, 3) pictures, (H, W).

    The pictures are encoded, in [0, 1]; 1 = alike, mean of the channels.

    References:
        Z. Wang et al.: Image quality assessment: from error visibility to structural similarity.
            IEEE TIP 13(4), 2004 (window of 11 pixels with sigma 1.5).
    """

    def mean(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        size = (_SSIM_SIZE, _SSIM_SIZE)
        return np.asarray(cv2.GaussianBlur(values, size, _SSIM_SIGMA), np.float64)

    one, other = mean(first), mean(second)
    variance = mean(first * first) - one * one + mean(second * second) - other * other
    together = mean(first * second) - one * other
    level = (2 * one * other + _SSIM_C[0]) / (one * one + other * other + _SSIM_C[0])
    detail = (2 * together + _SSIM_C[1]) / (variance + _SSIM_C[1])
    return np.asarray((level * detail).mean(axis=2))
