"""Encoded values and linear light: transfer curves, luminance, perceptual grey."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.photo import Photo, Primaries

__all__ = ["encode_srgb", "encoded_gray", "linearise_srgb", "luminance"]

# Second row of each space's RGB -> XYZ matrix (D65; ProPhoto: D50).
_LUMINANCE: dict[Primaries, tuple[float, float, float]] = {
    "srgb": (0.2126, 0.7152, 0.0722),
    "display-p3": (0.2290, 0.6917, 0.0793),
    "adobe-rgb": (0.2974, 0.6273, 0.0753),
    "prophoto": (0.2880, 0.7119, 0.0001),
    "rec2020": (0.2627, 0.6780, 0.0593),
}


def linearise_srgb(encoded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return linear light for sRGB-encoded values, both 1 at white (IEC 61966-2-1)."""
    low = encoded / np.float32(12.92)
    high = np.power((np.maximum(encoded, 0) + np.float32(0.055)) / np.float32(1.055), 2.4)
    return np.where(encoded <= 0.04045, low, high).astype(np.float32, copy=False)


def encode_srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sRGB-encoded values for linear light; values above 1 go on along the curve."""
    high = cv2.pow(np.maximum(linear, np.float32(0.0031308)), 1 / 2.4)
    high = np.asarray(high, np.float32).reshape(linear.shape) * np.float32(1.055)
    return np.where(linear <= 0.0031308, linear * np.float32(12.92), high - np.float32(0.055))


def luminance(rgb: NDArray[np.float32], primaries: Primaries = "srgb") -> NDArray[np.float32]:
    """Return the (H, W) luminance of a linear (H, W, 3) picture."""
    weights = np.array([_LUMINANCE[primaries]], np.float32)
    gray = cv2.transform(np.ascontiguousarray(rgb), weights)
    return np.asarray(gray, np.float32).reshape(rgb.shape[:2])


def encoded_gray(photo: Photo) -> NDArray[np.float32]:
    """Return the photo's luminance along the sRGB curve, (H, W) float32, clipped to [0, 1].

    Detectors measure contrast here: equal steps look about equally strong and shot noise is
    about even over the tones.
    """
    return encode_srgb(np.minimum(luminance(photo.rgb, photo.primaries), np.float32(1)))
