"""From examples to batches: other sizes, turns, colours and compression, with the truth kept true.

A picture that is shrunk is less blurred: its circles of confusion shrink with it, and what counts
as in focus is asked again at the new size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.training.example import Example, labels_from_coc

__all__ = ["View", "augment"]

Picture = NDArray[np.uint8]
Map = NDArray[np.float32]

_WHOLE_SHARE = 0.5
_SCALES = (0.5, 1.15)
_GRAY_SHARE = 0.08
_COMPRESSED_SHARE = 0.3
_NOISY_SHARE = 0.2
_SALIENCY_SIZE = 64


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One example as the network sees it; arrays as in Example, of one square size.

    `weight` is doubled in hard regions: where what catches the eye is not what is in focus.
    """

    rgb: Picture
    in_focus: Map
    weight: Map
    coc_diameter_px: Map


def augment(example: Example, rng: np.random.Generator, size: int, *, hard: float = 2.0) -> View:
    """Return a random size×size view of an example.

    Args:
        example: of any size.
        rng: decides everything.
        size: side in pixels.
        hard: weight of hard regions (R-DBD: 2).
    """
    rgb, layers = _framed(example, rng, size)
    if rng.random() < 0.5:
        rgb, layers = rgb[:, ::-1], layers[:, ::-1]
    if rng.random() < 0.15:
        turns = int(rng.integers(1, 4))
        rgb, layers = np.rot90(rgb, turns), np.rot90(layers, turns)
    rgb, layers = np.ascontiguousarray(rgb), np.ascontiguousarray(layers)
    rgb = _recoloured(rgb, rng)
    in_focus, weight, coc = (np.ascontiguousarray(layers[..., i]) for i in range(3))
    if example.source in ("scene", "whole") and np.isfinite(coc).any():
        known = np.isfinite(coc)
        again, decided = labels_from_coc(np.nan_to_num(coc))
        in_focus = np.where(known, again, in_focus)
        weight = np.where(known, np.minimum(decided, weight), weight)
    if hard != 1 and example.source == "cuhk":
        salient = _salient(rgb)
        weight = np.where(salient != (in_focus >= 0.5), np.float32(hard) * weight, weight)
    return View(rgb, in_focus, weight, coc)


def _framed(
    example: Example, rng: np.random.Generator, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Cut a window and bring it to size×size; CoC scales with it."""
    height, width = example.in_focus.shape
    if rng.random() < _WHOLE_SHARE:
        # The whole photo, or nearly, squashed as the protocol of the field does.
        share = rng.uniform(0.75, 1.0)
        rows, columns = round(share * height), round(share * width)
    else:
        scale = np.exp(rng.uniform(*np.log(_SCALES)))
        stretch = np.exp(rng.normal(0, 0.08))
        rows = min(height, round(size / (scale * stretch)))
        columns = min(width, round(size / scale * stretch))
    top = int(rng.integers(0, height - rows + 1))
    left = int(rng.integers(0, width - columns + 1))
    window = (slice(top, top + rows), slice(left, left + columns))
    factor = size / (rows * columns) ** 0.5
    rgb = _resized(example.rgb[window], size)
    layers = np.stack(
        [
            _resized(example.in_focus[window], size),
            _resized(example.weight[window], size),
            # Nearest: between a sharp and a blurred surface there is no half-blurred one.
            cv2.resize(
                example.coc_diameter_px[window] * np.float32(factor),
                (size, size),
                interpolation=cv2.INTER_NEAREST,
            ),
        ],
        axis=-1,
    )
    return rgb, layers


def _resized(picture: NDArray[np.uint8] | Map, size: int) -> NDArray[np.uint8]:
    shrinks = picture.shape[0] * picture.shape[1] > size * size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    if picture.ndim == 2 and not shrinks:
        method = cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size, size), interpolation=method), picture.dtype)


def _recoloured(rgb: Picture, rng: np.random.Generator) -> Picture:
    if rng.random() < 0.8:
        gain = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.04, 3))
        gamma = np.exp(rng.normal(0, 0.15))
        ramp = np.linspace(0, 1, 256)[:, None]
        table = np.clip(255 * (ramp**gamma) * gain, 0, 255).astype(np.uint8)
        rgb = np.asarray(cv2.LUT(rgb, table.reshape(256, 1, 3)), np.uint8)
    if rng.random() < _GRAY_SHARE:
        rgb = np.asarray(cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
    if rng.random() < _NOISY_SHARE:
        noise = rng.standard_normal(rgb.shape, np.float32) * np.float32(rng.uniform(1, 8))
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    if rng.random() < _COMPRESSED_SHARE:
        quality = int(rng.integers(40, 96))
        _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        bgr = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        rgb = np.ascontiguousarray(bgr[..., ::-1])
    return rgb


def _salient(rgb: Picture) -> NDArray[np.bool_]:
    """Spectral residual saliency above twice its mean (Hou and Zhang, CVPR 2007)."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    side = (_SALIENCY_SIZE, _SALIENCY_SIZE)
    small = cv2.resize(gray, side, interpolation=cv2.INTER_AREA)
    spectrum = np.fft.fft2(small.astype(np.float32))
    amplitude = np.log(np.abs(spectrum) + 1e-6).astype(np.float32)
    residual = amplitude - cv2.blur(amplitude, (3, 3))
    back = np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))
    energy = cv2.GaussianBlur((np.abs(back) ** 2).astype(np.float32), (0, 0), 3)
    large = cv2.resize(energy, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large > 2 * large.mean())
