"""How much noise a picture holds, from the picture alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["QUANTISATION_SIGMA", "measure_noise"]

QUANTISATION_SIGMA = 1 / 255 / 12**0.5
"""Standard deviation of rounding to 8 bits: no photo that came from a JPEG is known any better."""

_BLOCK = 16
_SMALLEST_SIDE = 3
_FLATTEST = 0.1
# The mean |response| of the flattest tenth of noise-only blocks of 256 pixels lies this far below
# that of all blocks; measured on white noise.
_SELECTION_BIAS = 0.89


def measure_noise(gray: NDArray[np.float32]) -> float:
    """Return the standard deviation of the noise of an encoded grey picture.

    Immerkaer's operator ignores steps and ramps; to keep texture out of the answer too, only the
    flattest tenth of the blocks speaks. Clipped blocks, which hide their noise, do not. A picture
    that is texture everywhere still reads too high: the answer is an upper bound.

    Args:
        gray: (H, W) float32 in [0, 1], encoded.

    Returns:
        Sigma on the same scale, >= `QUANTISATION_SIGMA`.

    References:
        J. Immerkaer: Fast noise variance estimation. CVIU 64(2), 1996 (Eq. 4, mean of |response|).
    """
    noise = _immerkaer(gray)
    height, width = (side // 2 for side in gray.shape)
    if min(height, width) < _SMALLEST_SIDE:
        return max(noise, QUANTISATION_SIGMA)
    # White noise halves with the picture. Noise that demosaicing or in-camera denoising has made
    # coarse hides from the operator at full size, but not at half.
    half = cv2.resize(
        gray[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
    )
    return max(noise, _immerkaer(np.asarray(half, np.float32)), QUANTISATION_SIGMA)


def _immerkaer(gray: NDArray[np.float32]) -> float:
    if min(gray.shape) < _SMALLEST_SIDE:
        return 0.0
    second = np.array([1, -2, 1], np.float32)
    response = np.asarray(cv2.sepFilter2D(gray, cv2.CV_32F, second, second), np.float32)
    np.abs(response, out=response)
    # The border repeats pixels and would look calmer than it is.
    mean, level = _block_means(response[1:-1, 1:-1]), _block_means(gray[1:-1, 1:-1])
    usable = mean[(level > 0.02) & (level < 0.98)]
    if usable.size == 0:
        return 0.0
    flattest = float(np.quantile(usable, _FLATTEST))
    bias = _SELECTION_BIAS if usable.size >= 10 else 1.0
    # Eq. 4: the operator's weights have norm 6, and the mean of |N(0, 1)| is sqrt(2 / pi).
    return flattest * float(np.sqrt(np.pi / 2)) / 6 / bias


def _block_means(values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = (side // _BLOCK for side in values.shape)
    if rows == 0 or columns == 0:
        return np.full((1, 1), values.mean(), np.float32)
    whole = values[: rows * _BLOCK, : columns * _BLOCK]
    means = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32).reshape(rows, columns)
