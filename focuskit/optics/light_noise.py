"""Noise in linear light: as strong as the tone lets it be."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_range
from focuskit.color import encode_srgb
from focuskit.optics.noise import QUANTISATION_SIGMA, measure_noise

__all__ = ["LightNoise", "encoding_slope", "measure_light_noise"]

Image = NDArray[np.float32]

_KNEE = 0.0031308


@dataclass(frozen=True, slots=True)
class LightNoise:
    """Noise that is even over the encoded tones, as shot noise about is.

    Attributes:
        encoded_sigma: standard deviation in one channel of the sRGB-encoded picture, white at 1;
            at least that of rounding to 8 bits.

    Raises:
        RangeError: on construction, if it is negative or not finite.
    """

    encoded_sigma: float

    def __post_init__(self) -> None:
        check_range("encoded_sigma", self.encoded_sigma, low=0.0)
        object.__setattr__(self, "encoded_sigma", max(self.encoded_sigma, QUANTISATION_SIGMA))

    def sigma(self, light: Image) -> Image:
        """Return the standard deviation at each value of linear light, in linear light."""
        return np.asarray(np.float32(self.encoded_sigma) * encoding_slope(light), np.float32)


def encoding_slope(light: Image) -> Image:
    """Return how much linear light one unit of the sRGB encoding is, at each value >= 0."""
    level = np.maximum(light, np.float32(_KNEE))
    slope = cv2.pow(level, 1.4 / 2.4).reshape(level.shape) * np.float32(2.4 / 1.055)
    return np.asarray(slope, np.float32)


def measure_light_noise(light: Image) -> LightNoise:
    """Return the noise of a picture, measured on its encoded channels.

    Args:
        light: (H, W, 3) linear light, white at 1.
    """
    encoded = encode_srgb(np.minimum(light, np.float32(1)))
    found = [measure_noise(np.ascontiguousarray(encoded[..., index])) for index in range(3)]
    return LightNoise(float(np.median(found)))
