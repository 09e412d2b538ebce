"""Scenes to judge edits on: things that do not exist, at depths that are known exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import InputError
from focuskit.training.layers import outline, surface, with_lights
from focuskit.training.reference import ROUND, Opening, Surface
from focuskit.training.textures import sharp_textures

__all__ = ["Part", "Scene", "drawn_scene", "read_textures"]

Pixels = NDArray[np.uint8]
Cover = NDArray[np.float32]
Generator = np.random.Generator


class Part(StrEnum):
    """Scenes to choose constants on, and scenes to judge the outcome on; they share nothing."""

    DEVELOPMENT = "development"
    JUDGING = "judging"


_SEEDS = {Part.DEVELOPMENT: 4100, Part.JUDGING: 7300}
_BORDER_PX = 4
# Of the photos by name, the first ones are kept from training (see `sources`).
_UNLEARNED = 10
_OVER = 4
_SHIFT = 4
_TRIES = 40
_IN_FOCUS_SHARES = (0.06, 0.6)
_OPENINGS = (ROUND, ROUND, ROUND, Opening(6, 15), ROUND, ROUND, Opening(5, 70), Opening(8, 5))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a picture is drawn from.

    Attributes:
        name: for tables.
        surfaces: nearest first; one plane is in focus.
        opening: the aperture.
        inner: rows and columns that are judged: what lies beyond the frame shines into the rest,
            and no picture holds it.
    """

    name: str
    surfaces: tuple[Surface, ...]
    opening: Opening
    inner: tuple[slice, slice]


def read_textures(sharp: Path, part: Part) -> list[Pixels]:
    """Return crisp pieces of the photos in a folder: for judging, of those no network learned from.

    Raises:
        InputError: the folder holds no photos to take them from.
    """
    files = sorted(sharp.glob("*.jpg"))
    if len(files) <= _UNLEARNED:
        raise InputError(
            f"{sharp} holds {len(files)} photos (.jpg); more than {_UNLEARNED} are needed to "
            "take textures from: give the folder that holds the folder 'sharp', or none."
        )
    chosen = files[:_UNLEARNED] if part == Part.JUDGING else files[_UNLEARNED:]
    crop = slice(_BORDER_PX, -_BORDER_PX)
    photos: list[tuple[Pixels, None]] = []
    for path in chosen:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise InputError(f"The photo {path} is damaged.")
        photos.append((np.ascontiguousarray(picture[crop, crop], np.uint8), None))
    return sharp_textures(photos, np.random.default_rng(_SEEDS[part]), plain_scale=0.5)


def drawn_scene(
    number: int,
    part: Part,
    textures: Sequence[Pixels],
    *,
    size: tuple[int, int] = (384, 512),
    most_coc_px: float = 40.0,
    least_share: float = 0.25,
    stream: int = 0,
) -> Scene:
    """Return a pile of random shapes, always the same one for the same arguments.

    Args:
        number: from 0; every third has hair on what is in focus, every third grass before it, every
            fourth a slanted ground, every fifth lamps behind.
        part: whose seeds.
        textures: what surfaces are papered with; may be empty.
        size: (H, W) of the part that is judged.
        most_coc_px: no circle of confusion is larger; each scene has a largest one of its own.
        least_share: of `most_coc_px`, which that is at least.
        stream: scenes of another one share nothing with these.
    """
    margin = math.ceil(0.6 * most_coc_px) + 4
    shape = (size[0] + 2 * margin, size[1] + 2 * margin)
    inner = (slice(margin, margin + size[0]), slice(margin, margin + size[1]))
    for attempt in range(_TRIES):
        rng = np.random.default_rng([_SEEDS[part], stream, number, attempt])
        largest = most_coc_px * least_share ** float(rng.random())
        surfaces = _pile(rng, number, shape, textures, largest)
        if _good(surfaces, inner):
            break
    opening = _OPENINGS[number % len(_OPENINGS)]
    return Scene(f"drawn-{number:02d}", tuple(surfaces), opening, inner)


def _good(surfaces: Sequence[Surface], inner: tuple[slice, slice]) -> bool:
    """Whether enough of the frame is in focus, and enough is not."""
    left = np.ones(surfaces[0].cover[inner].shape)
    share = 0.0
    for each in surfaces:
        seen = left * each.cover[inner]
        coc = each.coc_px if isinstance(each.coc_px, float) else each.coc_px[inner]
        share += float((seen * (np.abs(coc) < 1)).mean())
        left = left - seen
    return _IN_FOCUS_SHARES[0] <= share <= _IN_FOCUS_SHARES[1]


def _pile(
    rng: Generator, number: int, shape: tuple[int, int], textures: Sequence[Pixels], largest: float
) -> list[Surface]:
    behind = np.sort(largest * rng.uniform(0.15, 1.0, int(rng.integers(1, 4))))
    before = np.sort(-largest * rng.uniform(0.15, 0.9, int(rng.integers(0, 3))))
    if number % 3 == 1 and not before.size:
        before = np.array([-largest * rng.uniform(0.2, 0.6)])
    piled = [_thing(rng, shape, textures, coc, strokes=number % 3 == 1) for coc in before.tolist()]
    cover = _hairy(rng, shape) if number % 3 == 0 else outline(rng, shape, textures)
    piled.append(_papered(rng, shape, textures, cover, 0.0))
    piled += [_thing(rng, shape, textures, coc) for coc in behind[:-1].tolist()]
    ground: float | NDArray[np.float64] = float(behind[-1])
    if number % 4 == 3:
        # Only as far as nothing that stands on it lies behind it.
        near = float(behind[-2]) if behind.size > 1 else 0.0
        ground = np.linspace(float(behind[-1]), near, shape[0])[:, None] + np.zeros(shape)
    whole = np.ones(shape, np.float32)
    piled.append(_papered(rng, shape, textures, whole, ground, lamps=number % 5 == 4))
    return piled


def _thing(
    rng: Generator,
    shape: tuple[int, int],
    textures: Sequence[Pixels],
    coc_px: float,
    *,
    strokes: bool = False,
) -> Surface:
    cover = _strands(shape, _fans(rng, shape)) if strokes else outline(rng, shape, textures)
    return _papered(rng, shape, textures, cover, coc_px)


def _papered(
    rng: Generator,
    shape: tuple[int, int],
    textures: Sequence[Pixels],
    cover: Cover,
    coc_px: float | NDArray[np.float64],
    *,
    lamps: bool = False,
) -> Surface:
    light = surface(rng, shape, textures)
    # Metered alone: a scene of black surfaces tells edits apart as little as a white one.
    wanted = rng.uniform(0.08, 0.35)
    light = light * np.float32(wanted / max(float(light.mean()), 1e-3))
    light = with_lights(rng, light) if lamps else np.minimum(light, np.float32(1))
    return Surface(light.astype(np.float64), cover.astype(np.float64), coc_px)


def _hairy(rng: Generator, shape: tuple[int, int]) -> Cover:
    """Return a head with hair that stands off it, down to less than a pixel wide."""
    centre = np.array(shape) * rng.uniform(0.35, 0.65, 2)
    radius = rng.uniform(0.14, 0.24) * min(shape)
    paths = []
    for angle in rng.uniform(0, 2 * math.pi, int(rng.integers(80, 200))):
        along = np.linspace(0, rng.uniform(0.3, 1.0) * radius, 12)
        turned = angle + rng.normal(0, 0.3) + rng.normal(0, 0.02) * along
        step = np.stack([np.sin(turned), np.cos(turned)], 1) * (along[1] - along[0])
        start = centre + 0.97 * radius * np.array([math.sin(angle), math.cos(angle)])
        paths.append((start + np.cumsum(step, axis=0), float(rng.uniform(0.5, 2.2))))
    cover = _strands(shape, paths)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    head = np.clip(radius - np.hypot(y - centre[0], x - centre[1]) + 0.5, 0, 1)
    return np.asarray(np.maximum(cover, head), np.float32)


def _fans(rng: Generator, shape: tuple[int, int]) -> list[tuple[NDArray[np.float64], float]]:
    """Return blades of grass that rise from the lower rim."""
    paths = []
    for _ in range(int(rng.integers(8, 30))):
        height = rng.uniform(0.3, 0.9) * shape[0]
        up = np.linspace(0, 1, 16)
        bend = rng.normal(0, 0.25) * up**2 + rng.normal(0, 0.1) * up
        x = (rng.random() + bend) * shape[1]
        paths.append((np.stack([shape[0] - up * height, x], 1), float(rng.uniform(1.5, 9))))
    return paths


def _strands(shape: tuple[int, int], paths: Sequence[tuple[NDArray[np.float64], float]]) -> Cover:
    """Return the share of each pixel that strands of given paths (y, x) and widths cover."""
    fine = np.zeros((shape[0] * _OVER, shape[1] * _OVER), np.uint8)
    for path, width in paths:
        points = np.rint(path[:, ::-1] * _OVER * 2**_SHIFT).astype(np.int32)
        thick = max(1, round(width * _OVER))
        cv2.polylines(fine, [points], False, 255, thick, cv2.LINE_AA, _SHIFT)
    small = cv2.resize(fine, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)
