"""What rendered scenes are made of: surfaces in linear light and the outlines they are cut to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encoding_of, linearise, linearise_srgb

__all__ = ["outline", "smooth_field", "surface", "with_lights"]

Image = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Generator = np.random.Generator

_SRGB = encoding_of("srgb")
# Everything is drawn at twice the size and in 1/16 px: a sensor integrates over its pixels.
_OVER = 2
_SHIFT = 4
_PATCHED_FROM_PX = 240


def smooth_field(rng: Generator, shape: tuple[int, int], cells: int) -> Image:
    """Return smooth noise about 0 to 1 that changes `cells` times along the longer side."""
    longer = max(shape)
    rows, columns = (max(2, round(cells * side / longer) + 1) for side in shape)
    coarse = rng.random((rows, columns), dtype=np.float32)
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.float32)


def surface(rng: Generator, shape: tuple[int, int], textures: Sequence[Pixels]) -> Image:
    """Return (H, W, 3) linear light, perfectly sharp: a texture, dead leaves, or hardly anything.

    Args:
        rng: where all chance comes from.
        shape: (H, W).
        textures: sharp pictures to cut from, uint8 encoded sRGB; may be empty.
    """
    kind = rng.random()
    if kind < 0.58 and textures:
        light = _textured(rng, shape, textures)
    elif kind < 0.8:
        light = _leaves(rng, shape, textures)
    else:
        light = _plain(rng, shape)
    if rng.random() < 0.5:
        light *= (0.6 + 0.8 * smooth_field(rng, shape, int(rng.integers(1, 4))))[..., None]
    return np.maximum(light, np.float32(0), out=light)


def outline(rng: Generator, shape: tuple[int, int], textures: Sequence[Pixels]) -> Image:
    """Return the (H, W) share of each pixel that a random object covers, with crisp edges."""
    fine = (shape[0] * _OVER, shape[1] * _OVER)
    kind = rng.random()
    if kind < 0.3:
        mask = _blob(rng, fine)
    elif kind < 0.55:
        mask = _figures(rng, fine)
    elif kind < 0.75:
        mask = _strokes(rng, fine)
    elif kind < 0.88 and textures:
        mask = _silhouette(rng, fine, textures)
    else:
        mask = _half(rng, fine)
    if rng.random() < 0.25:
        holes = _figures(rng, fine) if rng.random() < 0.5 else _blob(rng, fine, cells=14)
        mask = np.where(holes > 127, np.uint8(0), mask)
    small = cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def with_lights(rng: Generator, light: Image) -> Image:
    """Return the picture with some of its brightest spots, or lamps, far above white."""
    gain = np.float32(10 ** rng.uniform(0.3, 1.3))
    if rng.random() < 0.5:
        level = light.mean(axis=2)
        bound = np.float32(np.quantile(level[::4, ::4], rng.uniform(0.97, 0.999)))
        boost = 1 + (gain - 1) * np.clip((level - bound) / np.float32(bound * 0.1 + 1e-4), 0, 1)
        return np.asarray(light * boost[..., None], np.float32)
    lamps = np.zeros((light.shape[0] * _OVER, light.shape[1] * _OVER, 3), np.uint8)
    for _ in range(int(rng.integers(3, 30))):
        colour = rng.uniform(90, 255) * rng.uniform(0.5, 1, 3)
        _disc(lamps, rng.random(2), 10 ** rng.uniform(0.1, 0.7), colour.tolist())
    small = cv2.resize(lamps, (light.shape[1], light.shape[0]), interpolation=cv2.INTER_AREA)
    return light + np.asarray(small, np.float32) * (gain / 255)


def _textured(rng: Generator, shape: tuple[int, int], textures: Sequence[Pixels]) -> Image:
    light = _cut(rng, shape, textures)
    # Few textures fill a frame; patches of others break up the pattern that mirroring makes.
    patches = int(rng.integers(1, 5)) if max(shape) > _PATCHED_FROM_PX else 0
    for _ in range(patches):
        _patch(rng, light, textures)
    gain = np.exp(rng.normal(0, 0.35) + rng.normal(0, 0.12, 3))
    if rng.random() < 0.15:
        light = light[..., rng.permutation(3)]
    return np.asarray(light * gain.astype(np.float32), np.float32)


def _patch(rng: Generator, light: Image, textures: Sequence[Pixels]) -> None:
    """Lay a piece of another texture onto `light`, in place."""
    height, width = (math.ceil(side * rng.uniform(0.3, 0.7)) for side in light.shape[:2])
    top = int(rng.integers(light.shape[0] - height + 1))
    left = int(rng.integers(light.shape[1] - width + 1))
    part = light[top : top + height, left : left + width]
    mask = np.zeros((height * _OVER, width * _OVER), np.uint8)
    _figure(rng, mask, np.array([0.5, 0.5]), min(mask.shape) * 0.5, [255])
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    share = np.asarray(small, np.float32)[..., None] / np.float32(255)
    part += share * (_cut(rng, (height, width), textures) - part)


def _cut(rng: Generator, shape: tuple[int, int], textures: Sequence[Pixels]) -> Image:
    """Cut a piece out of a texture, never enlarged, mirrored where the texture ends."""
    texture = _chosen(rng, shape, textures)
    if rng.random() < 0.15:
        texture = texture.transpose(1, 0, 2)
    light = linearise(texture, _SRGB)
    # Shrunk only as far as it still fills the layer: mirror lines are no part of photographs.
    fill = max(shape[0] / light.shape[0], shape[1] / light.shape[1])
    scale = rng.uniform(max(0.5, min(1.0, fill)), 1.0)
    if scale < 0.97:
        size = (max(1, round(light.shape[1] * scale)), max(1, round(light.shape[0] * scale)))
        light = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
    rows = _mirrored(rng, light.shape[0], shape[0])
    columns = _mirrored(rng, light.shape[1], shape[1])
    return np.asarray(light[rows[:, None], columns[None, :]], np.float32)


def _chosen(rng: Generator, shape: tuple[int, int], textures: Sequence[Pixels]) -> Pixels:
    sizes = np.array([texture.shape[:2] for texture in textures], np.float64)
    filled = np.clip((sizes / shape).min(axis=1), 0.05, 1.0) ** 3
    return textures[int(rng.choice(len(textures), p=filled / filled.sum()))]


def _mirrored(rng: Generator, length: int, wanted: int) -> NDArray[np.int64]:
    if length >= wanted:
        # No mirror line through the picture where there is enough of it.
        index = np.arange(wanted) + int(rng.integers(length - wanted + 1))
    else:
        index = (np.arange(wanted) + int(rng.integers(2 * length))) % (2 * length)
        index = np.where(index < length, index, 2 * length - 1 - index)
    return index[::-1] if rng.random() < 0.5 else index


def _leaves(rng: Generator, shape: tuple[int, int], textures: Sequence[Pixels]) -> Image:
    fine = (shape[0] * _OVER, shape[1] * _OVER)
    base = np.clip(rng.uniform(40, 180) + rng.normal(0, 25, 3), 10, 240)
    spread = rng.uniform(10, 60)
    colours = np.empty((*fine, 3), np.uint8)
    colours[:] = base.astype(np.uint8)
    finish = np.zeros(fine, np.uint8)
    least = rng.uniform(2, 8)
    largest = max(2 * least, rng.uniform(0.06, 0.3) * max(fine))
    # Radii with density r^-3: the picture then looks alike at every scale, as photographs do.
    count = int(rng.integers(60, 400))
    radii = 1 / np.sqrt(rng.uniform(largest**-2.0, least**-2.0, count))
    for radius in np.sort(radii)[::-1] if rng.random() < 0.5 else radii:
        centre = rng.random(2)
        colour = np.clip(base + rng.normal(0, spread) + rng.normal(0, spread / 3, 3), 5, 250)
        state = rng.integers(2**31)
        kind = int(rng.integers(0, 3))
        _figure(np.random.default_rng(state), colours, centre, float(radius), colour.tolist())
        _figure(np.random.default_rng(state), finish, centre, float(radius), [kind * 127])
    size = (shape[1], shape[0])
    small = np.asarray(cv2.resize(colours, size, interpolation=cv2.INTER_AREA), np.uint8)
    kinds = np.asarray(cv2.resize(finish, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(linearise(small, _SRGB) * _finish(rng, kinds, textures), np.float32)


def _finish(rng: Generator, kinds: Pixels, textures: Sequence[Pixels]) -> Image:
    """Return the (H, W, 1) factor that makes leaves flat (0), shaded (127) or textured (254)."""
    shape = kinds.shape[:2]
    shaded = 0.5 + smooth_field(rng, shape, 8)
    if textures:
        grain = _cut(rng, shape, textures).mean(axis=2)
    else:
        grain = rng.random(shape, dtype=np.float32)
    grain = grain / np.float32(max(float(grain.mean()), 1e-3))
    factor = np.where(kinds > 190, np.minimum(grain, 2), np.where(kinds > 64, shaded, 1))
    return np.asarray(factor, np.float32)[..., None]


def _plain(rng: Generator, shape: tuple[int, int]) -> Image:
    """Return a wall, a sky, skin: next to nothing to judge focus by."""
    encoded = rng.uniform(0.1, 0.9, (2, 1)) + rng.normal(0, 0.1, (2, 3))
    first, second = linearise_srgb(encoded.clip(0.02, 1).astype(np.float32))
    share = smooth_field(rng, shape, int(rng.integers(1, 4)))[..., None]
    light = first + share * (second - first) * np.float32(rng.random() ** 2)
    if rng.random() < 0.6:
        grain = rng.standard_normal(shape, dtype=np.float32) * np.float32(0.03 * rng.random())
        light = light * (1 + grain[..., None])
    return np.asarray(light, np.float32)


def _blob(rng: Generator, shape: tuple[int, int], cells: int | None = None) -> Pixels:
    field = smooth_field(rng, shape, int(rng.integers(2, 9)) if cells is None else cells)
    if rng.random() < 0.4:
        field = field + 0.3 * smooth_field(rng, shape, 24)
    bound = np.quantile(field[::8, ::8], rng.uniform(0.4, 0.85))
    return np.asarray((field > bound).astype(np.uint8) * np.uint8(255))


def _silhouette(rng: Generator, shape: tuple[int, int], textures: Sequence[Pixels]) -> Pixels:
    """Return the outline of the bright or dark parts of a photo: twigs, roofs, animals."""
    texture = _chosen(rng, shape, textures)
    zoom = rng.uniform(0.4, 0.9) * min(texture.shape[0] / shape[0], texture.shape[1] / shape[1])
    piece = (max(2, round(shape[0] * zoom)), max(2, round(shape[1] * zoom)))
    level = _cut(rng, piece, (texture,)).mean(axis=2)
    level = cv2.GaussianBlur(level, (0, 0), rng.uniform(1.0, 3.0))
    # Enlarged before it is cut in two, so its rim stays crisp.
    level = cv2.resize(level, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    bound = np.quantile(level[::8, ::8], rng.uniform(0.3, 0.7))
    inside = (level > bound) if rng.random() < 0.5 else (level < bound)
    return np.asarray(inside.astype(np.uint8) * np.uint8(255))


def _half(rng: Generator, shape: tuple[int, int]) -> Pixels:
    """Return one side of a wavy line: the horizon of a table, a wall, a shoulder."""
    angle = rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    plane = (x / shape[1] - 0.5) * math.cos(angle) + (y / shape[0] - 0.5) * math.sin(angle)
    if rng.random() < 0.6:
        waves = smooth_field(rng, shape, int(rng.integers(2, 10))) - 0.5
        plane = plane + waves * np.float32(rng.uniform(0.02, 0.3))
    return np.asarray((plane > rng.uniform(-0.05, 0.3)).astype(np.uint8) * np.uint8(255))


def _figures(rng: Generator, shape: tuple[int, int]) -> Pixels:
    mask = np.zeros(shape, np.uint8)
    many = rng.random() < 0.4
    for _ in range(int(rng.integers(6, 30)) if many else int(rng.integers(1, 4))):
        radius = rng.uniform(0.01, 0.08) if many else rng.uniform(0.1, 0.35)
        _figure(rng, mask, rng.random(2), radius * max(shape), [255])
    return mask


def _strokes(rng: Generator, shape: tuple[int, int]) -> Pixels:
    """Return hair, grass, wires or bars."""
    mask = np.zeros(shape, np.uint8)
    fine = rng.random() < 0.5
    heading, fan = rng.uniform(0, 2 * math.pi), rng.uniform(0.05, 0.8)
    for _ in range(int(rng.integers(15, 90)) if fine else int(rng.integers(2, 10))):
        width = rng.uniform(1, 5) if fine else rng.uniform(6, 40)
        along = np.linspace(-0.5, 0.5, 24) * rng.uniform(0.3, 1.6) * max(shape)
        angle = heading + rng.normal(0, fan) + rng.normal(0, 0.8) * along / max(shape)
        step = along[1] - along[0]
        start = rng.random(2) * (shape[1], shape[0]) - step * 12 * np.array(
            [math.cos(heading), math.sin(heading)]
        )
        path = start + np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1), axis=0) * step
        points = np.rint(path * 2**_SHIFT).astype(np.int32)
        cv2.polylines(mask, [points], False, 255, max(1, round(width)), cv2.LINE_AA, _SHIFT)
    return mask


def _figure(
    rng: Generator, canvas: Pixels, centre: NDArray[np.float64], radius: float, colour: list[float]
) -> None:
    """Draw a disc, an ellipse or a polygon; `centre` is relative to the canvas."""
    kind = rng.random()
    if kind < 0.35:
        _disc(canvas, centre, radius, colour)
        return
    if kind < 0.65:
        count, ratio = 40, rng.uniform(0.2, 0.9)
        angles, radii = np.linspace(0, 2 * math.pi, count, endpoint=False), np.full(count, radius)
    else:
        count, ratio = int(rng.integers(3, 9)), 1.0
        angles = np.sort(rng.uniform(0, 2 * math.pi, count))
        radii = radius * rng.uniform(0.5, 1.2, count)
    turn = rng.uniform(0, 2 * math.pi)
    x, y = radii * np.cos(angles), radii * np.sin(angles) * ratio
    c, s = math.cos(turn), math.sin(turn)
    points = np.stack([x * c - y * s, x * s + y * c], 1) + centre * (
        canvas.shape[1],
        canvas.shape[0],
    )
    fixed = np.rint(points * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], colour, cv2.LINE_AA, _SHIFT)


def _disc(canvas: Pixels, centre: NDArray[np.float64], radius: float, colour: list[float]) -> None:
    x, y = np.rint(centre * (canvas.shape[1], canvas.shape[0]) * 2**_SHIFT).astype(int).tolist()
    cv2.circle(canvas, (x, y), round(radius * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)
