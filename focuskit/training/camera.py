"""What a camera does to light on its way into a JPEG file: noise, mosaic, tone, sharpening."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_image, check_range
from focuskit.color import encode_srgb

__all__ = ["develop"]

Image = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_CLEAN_SHARE = 0.33
_CLEAN_STRENGTH = 0.05
_BAYER = (cv2.COLOR_BayerBG2RGB, cv2.COLOR_BayerGB2RGB, cv2.COLOR_BayerRG2RGB)
_BAYER_EDGES = (cv2.COLOR_BayerBG2RGB_EA, cv2.COLOR_BayerGB2RGB_EA, cv2.COLOR_BayerRG2RGB_EA)
# Which channel each cell of the 2x2 tile sees, for the names above (they go by the second row).
_TILES = (((0, 1), (1, 2)), ((1, 0), (2, 1)), ((2, 1), (1, 0)))
_BLACK_LEVEL, _WHITE_LEVEL = 4096.0, 60000.0
_SUBSAMPLING = (0x411111, 0x211111, 0x221111)


def develop(linear_rgb: Image, rng: np.random.Generator, *, strength: float = 1.0) -> Pixels:
    """Return the picture that a camera would have written of this light.

    The size never changes, and nothing here widens an edge by more than the mosaic does: what is
    known of the blur stays true. About a third of the pictures come out nearly clean.

    Args:
        linear_rgb: (H, W, 3) linear light, white at 1.
        rng: where all chance comes from.
        strength: 0 = encode only, 1 = all that cameras do.

    Returns:
        (H, W, 3) uint8, encoded sRGB.

    Raises:
        ShapeError: not a (H, W, 3) float32 picture.
        RangeError: it is negative or not finite, or `strength` is outside [0, 1].
    """
    check_image("linear_rgb", linear_rgb)
    check_range("strength", strength, low=0.0, high=1.0)
    if strength == 0:
        return _quantised(encode_srgb(np.minimum(linear_rgb, np.float32(1))))
    clean = rng.random() < _CLEAN_SHARE
    exposed = _expose(linear_rgb, rng, strength)
    sensed, noise = _sense(exposed, rng, strength * (_CLEAN_STRENGTH if clean else 1.0))
    encoded = encode_srgb(sensed)
    if clean:
        return _compress(_quantised(encoded), rng, low=90)
    encoded = _tone(encoded, rng, strength)
    encoded = _denoise(encoded, rng, noise)
    encoded = _sharpen(encoded, rng, strength)
    pixels = _compress(_quantised(encoded), rng, low=round(97 - 37 * strength))
    # Pictures are often saved again by whoever passes them on.
    return _compress(pixels, rng, low=75) if rng.random() < 0.2 else pixels


def _expose(linear: Image, rng: np.random.Generator, strength: float) -> Image:
    exposure = math.exp(rng.normal(0, 0.2 * strength))
    balance = np.exp(rng.normal(0, 0.06 * strength, 3))
    gain = (exposure * balance / balance.mean()).astype(np.float32)
    return np.asarray(linear * gain, np.float32)


def _sense(light: Image, rng: np.random.Generator, strength: float) -> tuple[Image, float]:
    """Return what the sensor read, demosaiced, and the noise's deviation at mid-grey."""
    # Electrons per white from a full-frame camera at base ISO down to a phone at dusk.
    shot = 10 ** rng.uniform(-4.6, -2.4) * strength
    read = 10 ** rng.uniform(-4.0, -2.1) * strength
    noise = math.sqrt(shot * 0.18 + read**2)
    # A picture that was scaled down shows no mosaic any more.
    if light.shape[0] < 4 or light.shape[1] < 4 or rng.random() < 0.45:
        return np.asarray(np.clip(_noisy(light, rng, shot, read), 0, 1), np.float32), noise
    layout = int(rng.integers(len(_TILES)))
    raw = np.empty(light.shape[:2], np.float32)
    for row in (0, 1):
        for column in (0, 1):
            channel = _TILES[layout][row][column]
            raw[row::2, column::2] = light[row::2, column::2, channel]
    raw = np.clip(_noisy(raw, rng, shot, read), -0.06, 1)
    counts = (raw * np.float32(_WHITE_LEVEL) + np.float32(_BLACK_LEVEL)).astype(np.uint16)
    codes = _BAYER_EDGES if rng.random() < 0.7 else _BAYER
    rgb = np.asarray(cv2.demosaicing(counts, codes[layout]), np.float32)
    rgb = (rgb - np.float32(_BLACK_LEVEL)) * np.float32(1 / _WHITE_LEVEL)
    return np.asarray(np.clip(rgb, 0, 1), np.float32), noise


def _noisy(light: Image, rng: np.random.Generator, shot: float, read: float) -> Image:
    light = np.minimum(light, np.float32(1.5))
    deviation = np.sqrt(light * np.float32(shot) + np.float32(read**2))
    deviation *= rng.standard_normal(light.shape, dtype=np.float32)
    return np.asarray(light + deviation, np.float32)


def _tone(encoded: Image, rng: np.random.Generator, strength: float) -> Image:
    contrast = np.float32(rng.uniform(-0.3, 0.8) * strength)
    # A cubic that keeps black, middle and white where they are.
    curved = encoded + contrast * encoded * (1 - encoded) * (2 * encoded - 1)
    saturation = np.float32(1 + rng.uniform(-0.25, 0.25) * strength)
    if rng.random() < 0.03 * strength:
        saturation = np.float32(0)
    gray = cv2.transform(curved, np.full((3, 3), 1 / 3, np.float32))
    return np.asarray(gray + saturation * (curved - gray), np.float32)


def _denoise(encoded: Image, rng: np.random.Generator, noise: float) -> Image:
    # Cameras smooth as much as they have to: by the noise, and less at low ISO.
    if rng.random() > (0.6 if noise > 0.01 else 0.2):
        return encoded
    if rng.random() < 0.5:
        # More would be a circle of confusion of its own.
        sigma = rng.uniform(0.25, 0.45)
        return np.asarray(cv2.GaussianBlur(encoded, (3, 3), sigma), np.float32)
    reach = float(min(0.12, 2.5 * noise) * rng.uniform(0.5, 1.2) + 0.005)
    return np.asarray(cv2.bilateralFilter(encoded, 5, reach, 1.5), np.float32)


def _sharpen(encoded: Image, rng: np.random.Generator, strength: float) -> Image:
    if rng.random() < 0.4:
        return encoded
    radius, amount = rng.uniform(0.5, 1.2), rng.uniform(0.0, 1.2) * strength
    soft = cv2.GaussianBlur(encoded, (0, 0), radius)
    return np.asarray(cv2.addWeighted(encoded, 1 + amount, soft, -amount, 0), np.float32)


def _quantised(encoded: Image) -> Pixels:
    return np.asarray(cv2.convertScaleAbs(np.clip(encoded, 0, 1), alpha=255.0), np.uint8)


def _compress(pixels: Pixels, rng: np.random.Generator, *, low: int) -> Pixels:
    quality = int(rng.integers(low, 98))
    sampling = int(rng.choice(_SUBSAMPLING, p=(0.25, 0.25, 0.5)))
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], options)
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))
