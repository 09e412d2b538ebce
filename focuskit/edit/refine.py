"""The blur of a region, corrected by what deblurring with it would do.

A detector's circle of confusion may be half as large again as the true one, and deblurring by that
rings. Restored with a blur larger than the true one and blurred again, light does not become the
photo: among several sizes the one just before that begins is the best guess.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.deconvolve import HARDEST_COC_PX, LEAST_COC_PX, misfit
from focuskit.optics.light_noise import LightNoise

__all__ = ["best_scale"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SCALES = (0.5, 0.6, 0.7, 0.85, 1.0, 1.2)
_PATCH_PX = 80
_PATCHES = 3
_LEAST_OWN = 0.5
# Of detectors' sizes, in the logarithm; and what an error of one such deviation costs, in that of
# the misfit.
_PRIOR_SIGMA, _PRIOR_WEIGHT = 0.35, 0.12


def best_scale(light: Image, coc_px: Map, own: Mask, noise: LightNoise) -> float:
    """Return what to multiply the circles of confusion of a region by.

    Args:
        light: (H, W, 3) float32 linear light.
        coc_px: (H, W) float32, diameters in pixels.
        own: (H, W), which pixels are the region's.
        noise: of the light.

    Returns:
        0.5 to 1.2; 1 where the region is too small to tell.
    """
    scores = np.zeros(len(_SCALES))
    for box in _patches(light, own):
        scores += _scores(np.ascontiguousarray(light[box]), coc_px[box], noise)
    return _SCALES[int(scores.argmax())] if scores.any() else 1.0


def _scores(light: Image, coc_px: Map, noise: LightNoise) -> NDArray[np.float64]:
    scores = np.full(len(_SCALES), -np.inf)
    for index, scale in enumerate(_SCALES):
        scaled = coc_px * np.float32(scale)
        if LEAST_COC_PX <= float(np.median(scaled)) < HARDEST_COC_PX:
            prior = _PRIOR_WEIGHT * (math.log(scale) / _PRIOR_SIGMA) ** 2
            off = max(misfit(light, scaled, noise=noise), 1e-3)
            # As large as possible, as long as the misfit grows by less than the size does.
            scores[index] = math.log(scale) - math.log(off) - prior
    return scores if np.isfinite(scores).any() else np.zeros(len(_SCALES))


def _patches(light: Image, own: Mask) -> list[tuple[slice, slice]]:
    """Return boxes that are mostly the region's, those with the most texture first."""
    height, width = own.shape
    rows, columns = min(_PATCH_PX, height), min(_PATCH_PX, width)
    gray = np.sqrt(light.mean(axis=2))
    texture = np.abs(cv2.Laplacian(np.asarray(gray, np.float32), cv2.CV_32F)) * own
    found = []
    for top in range(0, height - rows + 1, max(1, rows // 2)):
        for left in range(0, width - columns + 1, max(1, columns // 2)):
            box = (slice(top, top + rows), slice(left, left + columns))
            if own[box].mean() >= _LEAST_OWN:
                found.append((float(texture[box].mean()), top, left, box))
    found.sort(key=lambda each: -each[0])
    chosen: list[tuple[float, int, int, tuple[slice, slice]]] = []
    for each in found:
        apart = all(
            abs(each[1] - other[1]) >= rows or abs(each[2] - other[2]) >= columns
            for other in chosen
        )
        if apart:
            chosen.append(each)
    return [each[3] for each in chosen[:_PATCHES]]
