"""A small camera: scene light goes in, what the sensor counted comes out, all in linear light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.psf import disc_psf, motion_psf

__all__ = [
    "BLACK_LEVEL",
    "CAMERA_FROM_SRGB",
    "NEUTRAL",
    "WHITE_LEVEL",
    "add_noise",
    "blur",
    "develop",
    "expose_mosaic",
    "lift_highlights",
    "sharpen",
    "turn",
]

FULL_WELL_E = 40_000.0  # electrons at white, ISO 100: an APS-C or full-frame pixel
READ_NOISE_E = 3.0
BLACK_LEVEL = 512
WHITE_LEVEL = 16_383

# What the sensor answers to a neutral grey in daylight: green is its strongest channel.
NEUTRAL = np.array([0.49, 1.0, 0.63])
# Colour filters overlap, so each channel sees some of its neighbours; rows sum to `NEUTRAL`.
CAMERA_FROM_SRGB = NEUTRAL[:, None] * np.array(
    [[0.76, 0.20, 0.04], [0.11, 0.79, 0.10], [0.03, 0.21, 0.76]]
)

# The optical low-pass filter before a Bayer sensor: without it, single bright pixels of the source
# would come out in the colour of the one filter that they fall on.
_LOW_PASS = np.array([0.16, 0.68, 0.16], np.float32)


def turn(scene: NDArray[np.float32], angle_deg: float) -> NDArray[np.float32]:
    """Return the scene as a hand that tilts the camera a little frames it."""
    height, width = scene.shape[:2]
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, angle_deg, 1.0)
    turned = cv2.warpAffine(
        scene, matrix, (width, height), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.maximum(turned, np.float32(0))


def blur(
    scene: NDArray[np.float32], coc_diameter_px: float, motion_px: float, motion_deg: float
) -> NDArray[np.float32]:
    """Return the light behind a misfocused lens on a camera that moves during the exposure."""
    for psf in (disc_psf(coc_diameter_px), motion_psf(motion_px, motion_deg)):
        blurred = cv2.filter2D(scene, cv2.CV_32F, psf, borderType=cv2.BORDER_REFLECT_101)
        scene = np.asarray(blurred, np.float32)
    return scene


def lift_highlights(scene: NDArray[np.float32], peak: float) -> NDArray[np.float32]:
    """Return the scene with lamps that the source clipped at 1 brought up to `peak`.

    Without it, a darker frame of a bracket would show lamps as flat grey.
    """
    clipped = np.clip((scene.max(axis=2) - 0.85) / 0.15, 0, 1).astype(np.float32)
    lamps = np.asarray(cv2.GaussianBlur(clipped, (0, 0), 1.0), np.float32)[..., None]
    return np.asarray(scene * (1 + np.float32(peak - 1) * lamps**2), np.float32)


def add_noise(
    light: NDArray[np.float32], iso: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return what the pixels count: shot and read noise, saturated at white."""
    white_e = FULL_WELL_E * 100 / iso
    electrons = rng.poisson(np.maximum(light, 0).astype(np.float64) * white_e)
    counted = electrons + rng.normal(0.0, READ_NOISE_E, light.shape)
    return np.minimum(counted / white_e, 1.0).astype(np.float32)


def expose_mosaic(
    light: NDArray[np.float32], iso: int, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Return the raw numbers of an RGGB sensor, 14 bits above a black level."""
    filtered = cv2.sepFilter2D(light, cv2.CV_32F, _LOW_PASS, _LOW_PASS)
    camera = cv2.transform(filtered, CAMERA_FROM_SRGB.astype(np.float32))
    mosaic = np.empty(light.shape[:2], np.float32)
    for y, x, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[y::2, x::2] = camera[y::2, x::2, channel]
    counted = add_noise(mosaic, iso, rng) * (WHITE_LEVEL - BLACK_LEVEL) + BLACK_LEVEL
    return np.clip(np.rint(counted), 0, WHITE_LEVEL).astype(np.uint16)


def develop(mosaic: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return linear sRGB light as the camera's own JPEG engine makes it of a mosaic."""
    # OpenCV names a pattern after the second row's second and third pixel: its BG is RGGB.
    camera = cv2.cvtColor(mosaic, cv2.COLOR_BayerBG2RGB_EA).astype(np.float32)
    camera = (camera - BLACK_LEVEL) / np.float32(WHITE_LEVEL - BLACK_LEVEL)
    # Beyond saturation of a channel there is no colour, only white.
    balanced = np.minimum(camera / NEUTRAL.astype(np.float32), np.float32(1))
    # Fine detail fools any demosaicing into false colour; cameras take the median of it.
    for channel in (0, 2):
        difference = np.ascontiguousarray(balanced[..., channel] - balanced[..., 1])
        balanced[..., channel] = balanced[..., 1] + cv2.medianBlur(difference, 5)
    srgb_from_balanced = np.linalg.inv(CAMERA_FROM_SRGB / NEUTRAL[:, None])
    return np.asarray(cv2.transform(balanced, srgb_from_balanced.astype(np.float32)), np.float32)


def sharpen(encoded: NDArray[np.float32], iso: int) -> NDArray[np.float32]:
    """Return the encoded picture as cameras sharpen theirs, to make up for low pass and mosaic.

    They hold back at high ISO, where sharpening would mostly raise noise.
    """
    amount = 0.9 if iso <= 1600 else 0.35
    gray = cv2.transform(encoded, np.array([[0.299, 0.587, 0.114]], np.float32))
    detail = gray - np.asarray(cv2.GaussianBlur(gray, (0, 0), 0.9), np.float32)
    return np.asarray(encoded + np.float32(amount) * detail[..., None], np.float32)
