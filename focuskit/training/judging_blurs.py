"""Scenes to judge deblurring on: surfaces out of focus by a known amount, and the same in focus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb, linearise_srgb
from focuskit.photo import Photo
from focuskit.training.layers import outline, surface
from focuskit.training.lens import Lens, random_lens
from focuskit.training.scenes import Layer, render

__all__ = ["BlurredScene", "blurred_scene"]

Pixels = NDArray[np.uint8]
Image = NDArray[np.float32]
Map = NDArray[np.float32]
Labels = NDArray[np.int32]
Generator = np.random.Generator

_MOST_COC_PX = 30.0
_SIGMAS = (0.0008, 0.025)
_LEAST_AREA_PX = 1500
_SHARP_TO_PX, _BLURRED_FROM_PX = 1.0, 3.0
_SAMPLING = (0x411111, 0x211111, 0x221111)


@dataclass(frozen=True, slots=True, eq=False)
class BlurredScene:
    """A photo and what it would be without defocus and noise.

    Attributes:
        name: for tables.
        photo: as a camera wrote it.
        truth: (H, W, 3) linear light, all in focus.
        noiseless: (H, W, 3) linear light, out of focus but without what the camera added.
        true_map: of the photo.
        surfaces: (H, W), 1, 2, ...: connected visible parts of one surface; 0 = too small to judge.
    """

    name: str
    photo: Photo
    truth: Image
    noiseless: Image
    true_map: BlurMap
    surfaces: Labels


def blurred_scene(
    number: int,
    seed: int,
    textures: Sequence[Pixels],
    *,
    size: tuple[int, int] = (320, 416),
) -> BlurredScene:
    """Return a scene, always the same one for the same arguments.

    Args:
        number: from 0. In turn: focus missed by a little everywhere; a subject in focus before a
            ground that is nearly so; the same before one that is far from it; anything.
        seed: scenes of different seeds share nothing.
        textures: what surfaces are papered with, (h, w, 3) uint8 encoded sRGB; may be empty.
        size: (H, W).
    """
    rng = np.random.default_rng([seed, number])
    lens = random_lens(rng)
    cocs = _cocs(rng, number % 4)
    margin = lens.reach(max(cocs)) + 2
    shape = (size[0] + 2 * margin, size[1] + 2 * margin)
    inner = (slice(margin, -margin), slice(margin, -margin))
    layers = [
        Layer(
            surface(rng, shape, textures),
            None if index == 0 else outline(rng, shape, textures),
            _tilted(rng, shape, coc),
        )
        for index, coc in enumerate(cocs)
    ]
    sharp, covers = render([Layer(each.light, each.cover, 0.0) for each in layers], Lens())
    seen, shares = render(layers, lens)
    exposure = np.float32(rng.uniform(0.12, 0.3) / max(float(seen.mean()), 1e-3))
    truth, noiseless = (np.minimum(each[inner] * exposure, 1) for each in (sharp, seen))
    which, alone = (
        np.argmax([share[inner] for share in each], axis=0) for each in (shares, covers)
    )
    coc = _coc_of(layers, which, inner)
    photo = Photo(_taken(rng, noiseless))
    name = f"blurred-{number:02d}"
    return BlurredScene(name, photo, truth, noiseless, _map_of(coc), _surfaces(which, alone))


def _cocs(rng: Generator, kind: int) -> list[float]:
    """Return the circles of confusion of the surfaces, farthest first."""
    count = int(rng.integers(2, 5))
    if kind == 0:
        return list(np.exp(rng.uniform(math.log(1.5), math.log(9), count)).tolist())
    if kind == 3:
        return list(np.exp(rng.uniform(math.log(0.6), math.log(_MOST_COC_PX), count)).tolist())
    low, high = (2.0, 7.0) if kind == 1 else (12.0, _MOST_COC_PX)
    cocs = np.exp(rng.uniform(math.log(low), math.log(high), count))
    cocs[-1] = rng.uniform(0, 0.9)
    return list(cocs.tolist())


def _tilted(rng: Generator, shape: tuple[int, int], coc_px: float) -> float | Map:
    if coc_px < 1 or rng.random() < 0.6:
        return coc_px
    ends = coc_px * np.exp(rng.uniform(-0.4, 0.4, 2))
    ramp = np.linspace(ends[0], ends[1], shape[0], dtype=np.float32)[:, None]
    return np.asarray(np.repeat(ramp, shape[1], axis=1), np.float32)


def _coc_of(layers: Sequence[Layer], which: NDArray[np.intp], inner: tuple[slice, slice]) -> Map:
    coc = np.zeros(which.shape, np.float32)
    for index, layer in enumerate(layers):
        own = layer.coc_diameter_px
        values = own[inner] if isinstance(own, np.ndarray) else np.float32(own)
        coc = np.where(which == index, values, coc)
    return np.asarray(coc, np.float32)


def _map_of(coc_px: Map) -> BlurMap:
    left = (_BLURRED_FROM_PX - coc_px) / (_BLURRED_FROM_PX - _SHARP_TO_PX)
    probability = np.asarray(np.clip(left, 0, 1), np.float32)
    return BlurMap(probability, coc_px, np.ones_like(coc_px))


def _surfaces(which: NDArray[np.intp], alone: NDArray[np.intp]) -> Labels:
    """Return parts of what is seen, `which`, except where sharpness would show something else."""
    found = np.zeros(which.shape, np.int32)
    count = 0
    for index in range(int(which.max()) + 1):
        mask = ((which == index) & (alone == index)).astype(np.uint8)
        parts, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        for part in range(1, parts):
            if stats[part, cv2.CC_STAT_AREA] >= _LEAST_AREA_PX:
                count += 1
                found[labels == part] = count
    return found


def _taken(rng: Generator, light: Image) -> Image:
    """Return the light with noise, 8 bits, and mostly what JPEG leaves of it."""
    sigma = math.exp(rng.uniform(math.log(_SIGMAS[0]), math.log(_SIGMAS[1])))
    encoded = encode_srgb(light)
    encoded += np.float32(sigma) * rng.standard_normal(light.shape, dtype=np.float32)
    pixels = np.rint(np.clip(encoded, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.6:
        sampling = int(rng.choice(_SAMPLING))
        options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(85, 99))]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        _, data = cv2.imencode(".jpg", pixels[..., ::-1], options)
        pixels = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))
    return linearise_srgb(pixels.astype(np.float32) / np.float32(255))
