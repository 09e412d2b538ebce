"""Small pictures that show a person what was measured."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb, rgb_to_xyz_d50
from focuskit.errors import OutputError
from focuskit.photo import Photo

__all__ = ["draw_box", "in_srgb", "jpeg", "overlay", "png", "shrunk", "to_display"]

Rgb8 = NDArray[np.uint8]

_OUTLINE = (255, 196, 0)
_BOX = (64, 224, 255)
_LEAST_TRUST = 0.6
_DIM = 0.45


def shrunk(photo: Photo, long_edge: int) -> Photo:
    """Return the photo at most `long_edge` px long, averaged in linear light."""
    factor = long_edge / max(photo.height, photo.width)
    if factor >= 1:
        return photo
    size = (max(1, round(photo.width * factor)), max(1, round(photo.height * factor)))
    rgb = np.asarray(cv2.resize(photo.rgb, size, interpolation=cv2.INTER_AREA), np.float32)
    return replace(photo, rgb=rgb, scale=photo.scale * factor)


def in_srgb(photo: Photo) -> Photo:
    """Return the photo with sRGB's primaries; colours that they do not span are clipped."""
    if photo.primaries == "srgb":
        return photo
    matrix = np.linalg.inv(rgb_to_xyz_d50("srgb")) @ rgb_to_xyz_d50(photo.primaries)
    rgb = np.asarray(cv2.transform(photo.rgb, matrix), np.float32).reshape(photo.rgb.shape)
    return replace(photo, rgb=np.maximum(rgb, np.float32(0), out=rgb), primaries="srgb")


def to_display(photo: Photo) -> Rgb8:
    """Return the photo as (H, W, 3) uint8 along the sRGB curve."""
    return np.rint(encode_srgb(np.minimum(photo.rgb, np.float32(1))) * 255).astype(np.uint8)


def overlay(picture: Rgb8, blur_map: BlurMap) -> Rgb8:
    """Return the picture with what is out of focus dimmed and grey, what is in focus outlined.

    Args:
        picture: (H, W, 3) uint8.
        blur_map: map of the same photo at any size.
    """
    height, width = picture.shape[:2]
    resized = blur_map.resized(height, width)
    # Where nobody can judge by texture, only a sure map counts: a plain wall is not what was
    # focused on, the smooth side of a cup may be.
    trust = np.clip(resized.confidence * 2, _LEAST_TRUST, 1)
    sharp = resized.in_focus_probability * trust
    smooth = cv2.GaussianBlur(sharp, (0, 0), max(height, width) / 300)
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    dimmed = gray * np.array([0.75, 0.85, 1.0], np.float32) * np.float32(_DIM)
    weight = np.clip((smooth - 0.25) / 0.5, 0, 1)[..., None]
    mixed = picture * weight + dimmed * (1 - weight)
    shown = np.ascontiguousarray(np.rint(mixed), np.uint8)
    outlines, _ = cv2.findContours(
        (smooth >= 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
    )
    least = (max(height, width) / 60) ** 2
    large = [outline for outline in outlines if cv2.contourArea(outline) >= least]
    cv2.drawContours(
        shown, large, -1, _OUTLINE, max(1, round(max(height, width) / 500)), cv2.LINE_AA
    )
    return shown


def draw_box(picture: Rgb8, x: float, y: float, width: float, height: float) -> Rgb8:
    """Return the picture with a box drawn, given as shares of its width and height."""
    rows, columns = picture.shape[:2]
    start = (round(x * (columns - 1)), round(y * (rows - 1)))
    end = (round((x + width) * (columns - 1)), round((y + height) * (rows - 1)))
    thickness = max(2, round(max(rows, columns) / 300))
    boxed = picture.copy()
    cv2.rectangle(boxed, start, end, (0, 0, 0), thickness + 2)
    cv2.rectangle(boxed, start, end, _BOX, thickness)
    return boxed


def jpeg(picture: Rgb8, quality: int = 80) -> bytes:
    """Return the picture as a JPEG file."""
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise OutputError("OpenCV could not encode a JPEG; reinstall opencv-python-headless.")
    return bytes(data)


def png(picture: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Return a grey picture as a PNG file of as many bits."""
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise OutputError("OpenCV could not encode a PNG; reinstall opencv-python-headless.")
    return bytes(data)
