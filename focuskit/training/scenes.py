"""Rendered scenes: layers at known depths through a known lens, so that every CoC is exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focuskit.errors import RangeError, ShapeError
from focuskit.training.camera import develop
from focuskit.training.example import (
    BLURRED_ABOVE_COC_PX,
    SHARP_BELOW_COC_PX,
    Example,
    labels_from_coc,
)
from focuskit.training.layers import outline, surface, with_lights
from focuskit.training.lens import Lens, random_lens
from focuskit.training.textures import sharp_textures

__all__ = ["Layer", "SceneMaker", "render", "sharp_textures"]

Image = NDArray[np.float32]
Generator = np.random.Generator

_LEAST_COC_PX, _LARGEST_COC_PX = 2.0, 40.0
# From this share on, light of another CoC leaves a pixel without one answer.
_MIXED_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One surface of a scene, as sharp as a pinhole would show it.

    Attributes:
        light: (H, W, 3) linear light.
        cover: (H, W) share of each pixel that it covers; None = all.
        coc_diameter_px: its circle of confusion, one number or (H, W) where it is slanted.
    """

    light: Image
    cover: Image | None
    coc_diameter_px: float | Image

    def seen_through(self, lens: Lens) -> tuple[Image, Image | None]:
        """Return its light times its cover, and its cover, both blurred alike."""
        if self.cover is None:
            return np.maximum(self._blurred(lens, self.light), np.float32(0)), None
        both = np.dstack([self.light * self.cover[..., None], self.cover])
        seen = np.zeros_like(both)
        # Twice the reach, or the mirror that the filter sets at the border would show the layer.
        box = _box(self.cover, 2 * lens.reach(float(np.max(self.coc_diameter_px))))
        if box is not None:
            seen[box] = self._blurred(lens, np.ascontiguousarray(both[box]), box)
        # The Fourier transform inside filter2D leaves -1e-8 where there was no light.
        np.maximum(seen, np.float32(0), out=seen)
        return seen[..., :3], np.minimum(seen[..., 3], np.float32(1))

    def _blurred(self, lens: Lens, image: Image, box: tuple[slice, slice] | None = None) -> Image:
        if isinstance(self.coc_diameter_px, np.ndarray):
            coc = self.coc_diameter_px if box is None else self.coc_diameter_px[box]
            return lens.blur_varying(image, coc)
        return lens.blur(image, self.coc_diameter_px)


class SceneMaker:
    """Makes photographs of things that do not exist, with the truth about their focus.

    Args:
        textures: sharp pictures to paper the layers with, (H, W, 3) uint8 encoded sRGB
            (`sharp_textures` makes them); without any, scenes are of plain and drawn surfaces.

    Raises:
        ShapeError: a texture is not such a picture.
    """

    def __init__(self, textures: Sequence[NDArray[np.uint8]]) -> None:
        for texture in textures:
            if texture.ndim != 3 or texture.shape[2] != 3 or texture.dtype != np.uint8:
                raise ShapeError(
                    f"A texture must be (H, W, 3) uint8, got {texture.dtype} {texture.shape}."
                )
            if texture.size == 0:
                raise ShapeError(f"A texture must hold at least one pixel, got {texture.shape}.")
        self._textures = tuple(textures)

    def make(self, rng: Generator, *, size: tuple[int, int] = (384, 384)) -> Example:
        """Return a scene of `size` (H, W) pixels; the same `rng` state gives the same bytes.

        Raises:
            RangeError: the size is below 16 pixels.
        """
        if min(size) < 16:
            raise RangeError(f"size must be at least 16×16 pixels, got {size[0]}×{size[1]}.")
        lens = random_lens(rng)
        cocs = _signed_cocs(rng)
        # Light from outside the frame falls into it too.
        margin = lens.reach(float(np.abs(cocs).max())) + 2
        shape = (size[0] + 2 * margin, size[1] + 2 * margin)
        layers = self._layers(rng, shape, cocs)
        light, shares = render(layers, lens)
        inner = (slice(margin, margin + size[0]), slice(margin, margin + size[1]))
        coc, in_focus, weight = _labels(layers, [share[inner] for share in shares], inner)
        pixels = develop(_exposed(rng, light[inner]), rng)
        name = f"scene-{int(rng.integers(2**40)):010x}"
        return Example(pixels, in_focus, weight, coc, "scene", name)

    def _layers(
        self, rng: Generator, shape: tuple[int, int], cocs: NDArray[np.float64]
    ) -> list[Layer]:
        layers: list[Layer] = []
        for index, signed in enumerate(cocs.tolist()):
            coc: float | Image = abs(signed)
            if rng.random() < (0.12 if index else 0.4):
                coc = _slanted(rng, shape, signed, _other_end(rng, cocs[index:]))
            if index == 0:
                layers.append(Layer(self._surface(rng, shape), None, coc))
            else:
                layers.append(self._object(rng, shape, coc))
        return layers

    def _object(self, rng: Generator, shape: tuple[int, int], coc: float | Image) -> Layer:
        cover = outline(rng, shape, self._textures)
        light = np.zeros((*shape, 3), np.float32)
        box = _box(cover)
        if box is not None:
            # Papered no farther than it reaches: small textures then need no mirroring.
            part = light[box]
            part[:] = self._surface(rng, (part.shape[0], part.shape[1]))
        return Layer(light, cover, coc)

    def _surface(self, rng: Generator, shape: tuple[int, int]) -> Image:
        light = surface(rng, shape, self._textures)
        return with_lights(rng, light) if rng.random() < 0.35 else light


def render(layers: Sequence[Layer], lens: Lens) -> tuple[Image, list[Image]]:
    """Lay blurred layers over each other, the farthest first.

    Returns:
        The linear light, and how much of each pixel's light is each layer's.
    """
    height, width = layers[0].light.shape[:2]
    light = np.zeros((height, width, 3), np.float32)
    shares: list[Image] = []
    for layer in layers:
        seen, cover = layer.seen_through(lens)
        if cover is None:
            light, shares = seen, [np.zeros_like(share) for share in shares]
            shares.append(np.ones((height, width), np.float32))
            continue
        left = 1 - cover
        light = seen + left[..., None] * light
        shares = [share * left for share in shares]
        shares.append(cover)
    return light, shares


def _signed_cocs(rng: Generator) -> NDArray[np.float64]:
    """Draw the layers' CoCs, from the farthest (negative) to the nearest (positive).

    A thin lens makes CoC = strength |1 / d - 1 / d_focus|: with its sign it rises steadily towards
    the camera, and nothing else ties the layers to each other.
    """
    count = int(rng.integers(2, 7))
    kind = rng.random()
    if kind < 0.1:
        return np.sort(rng.uniform(-0.95, 0.95, count))
    sides = np.where(rng.random(count) < 0.6, -1.0, 1.0)
    if kind < 0.25:
        least = math.exp(rng.uniform(math.log(2.0), math.log(12.0)))
        return np.sort(sides * _log_uniform(rng, least, _LARGEST_COC_PX, count))
    if kind < 0.5:
        return np.sort(rng.uniform(-6, 6, count))
    largest = math.exp(rng.uniform(math.log(5.0), math.log(_LARGEST_COC_PX)))
    cocs = sides * _log_uniform(rng, _LEAST_COC_PX, largest, count)
    cocs[int(rng.integers(count))] = rng.uniform(-0.95, 0.95)
    return np.sort(cocs)


def _log_uniform(rng: Generator, low: float, high: float, count: int) -> NDArray[np.float64]:
    return np.exp(rng.uniform(math.log(low), math.log(high), count))


def _other_end(rng: Generator, cocs: NDArray[np.float64]) -> float:
    """Return the signed CoC that a plane starting at `cocs[0]` ends with."""
    far, near = float(cocs[0]), float(cocs[int(rng.integers(len(cocs)))])
    least = float(np.abs(cocs).min())
    if least >= _LEAST_COC_PX and far * near < 0:
        # Nothing is to be in focus here, so the plane stops short of it.
        return math.copysign(least, far)
    return near


def _box(cover: Image, more: int = 0) -> tuple[slice, slice] | None:
    rows, columns = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
    if not rows.size:
        return None
    top, left = max(0, int(rows[0]) - more), max(0, int(columns[0]) - more)
    return slice(top, int(rows[-1]) + more + 1), slice(left, int(columns[-1]) + more + 1)


def _slanted(rng: Generator, shape: tuple[int, int], far: float, near: float) -> Image:
    """Return the CoC of a plane that leads from `far` to `near`, both signed.

    1 / depth of a plane is linear in the picture, and so is its signed CoC.
    """
    # Floors come nearer towards the bottom; now and then it is a wall or a ceiling.
    tilt = rng.normal(0, 0.25) if rng.random() < 0.7 else rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    height = x * np.float32(math.sin(tilt)) + y * np.float32(math.cos(tilt))
    height -= height.min()
    height /= height.max()
    return np.asarray(np.abs(np.float32(far) + height * np.float32(near - far)), np.float32)


def _exposed(rng: Generator, light: Image) -> Image:
    """Meter the scene as cameras do, by what is not clipped."""
    level = float(np.minimum(light, 1).mean())
    wanted = rng.uniform(0.1, 0.32)
    return light * np.float32(min(4.0, max(0.25, wanted / max(level, 1e-3))))


def _labels(
    layers: Sequence[Layer], shares: Sequence[Image], inner: tuple[slice, slice]
) -> tuple[Image, Image, Image]:
    """Return CoC, in-focus answer and its weight, from whose light each pixel holds."""
    shape = shares[0].shape
    share = np.stack(shares)
    cocs = np.stack(
        [
            layer.coc_diameter_px[inner]
            if isinstance(layer.coc_diameter_px, np.ndarray)
            else np.full(shape, layer.coc_diameter_px, np.float32)
            for layer in layers
        ]
    )
    coc = np.take_along_axis(cocs, share.argmax(axis=0)[None], axis=0)[0]
    in_focus, weight = labels_from_coc(coc)
    sharp = np.where(cocs <= SHARP_BELOW_COC_PX, share, 0).sum(axis=0)
    blurred = np.where(cocs >= BLURRED_ABOVE_COC_PX, share, 0).sum(axis=0)
    weight[np.minimum(sharp, blurred) > _MIXED_SHARE] = 0
    coc[_other_light(cocs, coc, share) > _MIXED_SHARE] = np.nan
    return coc, in_focus, weight


def _other_light(cocs: Image, coc: Image, share: Image) -> Image:
    """Return how much of each pixel's light is of a clearly different CoC than `coc`."""
    first, second = np.maximum(cocs, 1), np.maximum(coc, 1)
    apart = np.abs(first - second) > 0.5 + 0.25 * np.maximum(first, second)
    return np.asarray(np.where(apart, share, 0).sum(axis=0), np.float32)
