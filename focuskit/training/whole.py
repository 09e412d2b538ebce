"""Whole frames of which everything is known: all misfocused, all shaken, all sharp, all empty."""

from __future__ import annotations

import math
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encoding_of, linearise
from focuskit.errors import RangeError, ShapeError
from focuskit.training.camera import develop
from focuskit.training.example import Example
from focuskit.training.lens import path_psf, random_lens

__all__ = ["WholeKind", "whole_frame"]

WholeKind = Literal["misfocused", "motion", "sharp", "textureless"]

Image = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_LEAST_COC_PX, _LARGEST_COC_PX = 2.2, 16.0
# Below this share of the full range most misfocused photos lie: those that pass for sharp when
# they are looked at small.
_SLIGHT_COC_PX, _SLIGHT_SHARE = 6.0, 0.65
_OWN_COC_PX = 0.8
_EMPTY_WEIGHT = 0.3
_SRGB = encoding_of("srgb")


def whole_frame(
    rgb: Pixels,
    rng: np.random.Generator,
    *,
    kind: WholeKind,
    sharp_mask: Mask | None = None,
    scene: str = "",
) -> Example:
    """Return a frame whose in-focus answer is the same everywhere.

    Args:
        rgb: (H, W, 3) uint8 encoded sRGB: a photo that is sharp, at least in part. Of "textureless"
            only its size and its colours are used.
        rng: where all chance comes from.
        kind: "misfocused" and "motion" blur the whole frame in linear light; "sharp" shrinks a
            photo that is sharp everywhere until it is crisp; "textureless" is a wall, a sky or a
            dark frame, of which nobody can tell. All but the last may come back smaller: by half
            at most.
        sharp_mask: (H, W), True where the photo was sharp; None = everywhere.
        scene: what the example must not be split from.

    Raises:
        ShapeError: not a uint8 picture, or the mask is of another size.
        RangeError: `kind` is none of these.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
        raise ShapeError(f"rgb must be (H, W, 3) uint8, got {rgb.dtype} of shape {rgb.shape}.")
    if sharp_mask is not None and sharp_mask.shape != rgb.shape[:2]:
        raise ShapeError(f"sharp_mask must be {rgb.shape[:2]}, got {sharp_mask.shape}.")
    if kind == "textureless":
        return _textureless(rgb, rng, scene)
    if kind not in get_args(WholeKind):
        raise RangeError(f"kind must be one of {', '.join(get_args(WholeKind))}, got {kind!r}.")
    light = linearise(rgb, _SRGB)
    if kind == "sharp":
        return _sharp(light, rng, scene)
    if rng.random() < 0.5:
        # Else the size of things would tell a blurred frame from a sharp one.
        light, sharp_mask = _shrunk(light, sharp_mask, rng)
    light = _with_highlights(light, rng)
    if kind == "motion":
        return _motion(light, rng, scene)
    return _misfocused(light, rng, sharp_mask, scene)


def _misfocused(
    light: Image, rng: np.random.Generator, sharp_mask: Mask | None, scene: str
) -> Example:
    slight = rng.random() < _SLIGHT_SHARE
    low = _LEAST_COC_PX if slight else _SLIGHT_COC_PX
    high = _SLIGHT_COC_PX if slight else _LARGEST_COC_PX
    coc_px = math.exp(rng.uniform(math.log(low), math.log(high)))
    lens = random_lens(rng)
    coc = np.full(light.shape[:2], coc_px, np.float32)
    if rng.random() < 0.3:
        coc *= 1 + _tilt(light.shape[:2], rng)
        seen = lens.blur_varying(light, coc)
    else:
        seen = lens.blur(light, coc_px)
    coc = np.hypot(coc, np.float32(_OWN_COC_PX))
    if sharp_mask is not None:
        coc[~sharp_mask] = np.nan
    return _example(develop(_positive(seen), rng), 0.0, 1.0, coc, scene)


def _motion(light: Image, rng: np.random.Generator, scene: str) -> Example:
    length_px = math.exp(rng.uniform(math.log(6), math.log(40)))
    # Turning by up to a right angle on the way; a hand rarely moves in a straight line.
    turn = rng.normal(0, 0.5) if rng.random() < 0.6 else 0.0
    along = np.linspace(-0.5, 0.5, math.ceil(16 * length_px))
    heading = rng.uniform(0, 2 * math.pi) + turn * along
    step = length_px / along.size
    psf = path_psf(np.cumsum(np.cos(heading)) * step, np.cumsum(np.sin(heading)) * step)
    seen = np.asarray(cv2.filter2D(light, -1, psf, borderType=cv2.BORDER_REFLECT_101), np.float32)
    return _example(develop(_positive(seen), rng), 0.0, 1.0, math.nan, scene)


def _sharp(light: Image, rng: np.random.Generator, scene: str) -> Example:
    light, _ = _shrunk(light, None, rng)
    return _example(develop(light, rng), 1.0, 1.0, 0.0, scene)


def _textureless(rgb: Pixels, rng: np.random.Generator, scene: str) -> Example:
    height, width = rgb.shape[:2]
    colour = linearise(rgb, _SRGB).reshape(-1, 3)[rng.integers(height * width, size=2)]
    rows, columns = (2, 2) if rng.random() < 0.6 else rng.integers(2, 5, 2)
    share = rng.random((rows, columns), dtype=np.float32)
    share = np.asarray(cv2.resize(share, (width, height), interpolation=cv2.INTER_CUBIC))
    light = colour[0] + share[..., None] * (colour[1] - colour[0]) * np.float32(rng.random())
    if rng.random() < 0.25:
        light = light * np.float32(10 ** rng.uniform(-1.6, -0.5))
    light = np.ascontiguousarray(_positive(light), np.float32)
    return _example(develop(light, rng), 0.0, _EMPTY_WEIGHT, math.nan, scene)


def _tilt(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return a plane that rises from 0 to 1 across the frame in a random direction."""
    angle = rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    plane = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle))
    plane -= plane.min()
    return np.asarray(plane / max(float(plane.max()), 1e-6), np.float32)


def _shrunk(light: Image, mask: Mask | None, rng: np.random.Generator) -> tuple[Image, Mask | None]:
    scale = rng.uniform(0.5, 0.8)
    size = (max(1, round(light.shape[1] * scale)), max(1, round(light.shape[0] * scale)))
    small = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
    if mask is None:
        return small, None
    return small, cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.9


def _with_highlights(light: Image, rng: np.random.Generator) -> Image:
    """Give clipped pixels back some of the light that the file could not hold."""
    clipped = light.min(axis=2, keepdims=True) > 0.95
    return np.where(clipped, light * np.float32(10 ** rng.uniform(0, 0.9)), light)


def _positive(light: Image) -> Image:
    # The Fourier transform inside filter2D leaves -1e-8 where there was no light.
    return np.maximum(light, np.float32(0))


def _example(
    pixels: Pixels, in_focus: float, weight: float, coc: float | Image, scene: str
) -> Example:
    shape = pixels.shape[:2]
    return Example(
        rgb=pixels,
        in_focus=np.full(shape, in_focus, np.float32),
        weight=np.full(shape, weight, np.float32),
        coc_diameter_px=np.array(np.broadcast_to(coc, shape), np.float32),
        source="whole",
        scene=scene,
    )
