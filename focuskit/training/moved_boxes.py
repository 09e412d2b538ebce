"""Boxes at 100 % that moved, are out of focus, or sharp, rendered from crisp textures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encoding_of, linearise
from focuskit.optics.psf import motion_psf
from focuskit.training.camera import develop
from focuskit.training.judging_cull_cases import Camera
from focuskit.training.lens import path_psf, random_lens

__all__ = ["BOX_KINDS", "MOVED_KINDS", "render_box"]

Pixels = NDArray[np.uint8]
Image = NDArray[np.float32]
Generator = np.random.Generator

_SRGB = encoding_of("srgb")
_PATH_PX, _LONG_PATH_PX, _COC_PX = (3.0, 20.0), (16.0, 36.0), (2.5, 20.0)
# What a box that counts as in focus may have of its own.
_OWN_COC_PX = 1.2
# Misfocus of what moved too, as a share of the path: with more, neither is the reason.
_BESIDE = 0.5
# Straying from the line, as a share of the path's length.
_STRAY = (0.08, 0.25)
_POINTS = 200
_STRETCH = (1.8, 4.0)
_STRIPE_PX = (1.5, 14.0)
_STRIPES_SHARE, _MOST_TEXTURE = 0.5, 0.5
_FINE = 3
# Cameras treat the border as they may; it is cut off.
_MARGIN_PX = 8
_CAMERA_SHARE, _MOST_DEVELOPED = 0.6, 0.7
_SQUEEZED_SHARE, _QUALITY = 0.4, (60, 96)


def render_box(kind: str, textures: Sequence[Pixels], side: int, rng: Generator) -> Image:
    """Return a box as a camera wrote it.

    Args:
        kind: name in BOX_KINDS.
        textures: (h, w, 3) uint8 crisp pieces of photos, encoded sRGB.
        side: of the box in pixels.
        rng: where all chance comes from.

    Returns:
        (side, side) float32 encoded luma in [0, 1].
    """
    texture = textures[int(rng.integers(len(textures)))]
    light = _SURFACES.get(kind, _cut)(texture, side + 2 * _MARGIN_PX, rng)
    light = np.maximum(_BLURS[kind](light, rng), np.float32(0))
    box = _taken(light, rng)[_MARGIN_PX:-_MARGIN_PX, _MARGIN_PX:-_MARGIN_PX]
    gray = cv2.cvtColor(_squeezed(box, rng), cv2.COLOR_RGB2GRAY)
    return gray.astype(np.float32) / np.float32(255)


def _between(span: tuple[float, float], rng: Generator) -> float:
    """Return a length, as many of them small as large."""
    return float(np.exp(rng.uniform(*np.log(span))))


def _sharp(light: Image, rng: Generator) -> Image:
    return random_lens(rng).blur(light, float(rng.uniform(0, _OWN_COC_PX)))


def _misfocused(light: Image, rng: Generator) -> Image:
    return random_lens(rng).blur(light, _between(_COC_PX, rng))


def _straight(light: Image, rng: Generator) -> Image:
    psf = motion_psf(_between(_PATH_PX, rng), float(rng.uniform(0, 180)))
    return _sharp(_smeared(light, psf), rng)


def _shaken(light: Image, rng: Generator) -> Image:
    return _sharp(_smeared(light, path_psf(*_bent(_between(_PATH_PX, rng), rng))), rng)


def _long(light: Image, rng: Generator) -> Image:
    """Blur by a long exposure: a line with a wobble across it."""
    length = _between(_LONG_PATH_PX, rng)
    along = np.linspace(-0.5, 0.5, _POINTS)
    cycles, phase = rng.uniform(0.5, 2.5), rng.uniform(0, 2 * math.pi)
    stray = rng.uniform(*_STRAY) / 2 * np.sin(2 * math.pi * cycles * along + phase)
    turn = np.exp(1j * rng.uniform(0, 2 * math.pi))
    path = length * (along + 1j * stray) * turn
    return _sharp(_smeared(light, path_psf(path.real, path.imag)), rng)


def _both(light: Image, rng: Generator) -> Image:
    length = _between((5.0, _PATH_PX[1]), rng)
    psf = path_psf(*_bent(length, rng))
    coc_px = float(rng.uniform(_OWN_COC_PX, _BESIDE * length))
    return random_lens(rng).blur(_smeared(light, psf), coc_px)


def _bent(length: float, rng: Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the path of a hand that shakes: nearly straight or bent, at uneven speed."""
    time = np.linspace(0, 1, _POINTS)
    angle = rng.uniform(0, 2 * math.pi) + rng.normal(0, 0.6) * (time - 0.5)
    angle += rng.normal(0, 0.3) * np.sin(2 * math.pi * time)
    wave = np.sin(2 * math.pi * (time * rng.uniform(0.5, 1.5) + rng.random()))
    speed = 1 + rng.uniform(0, 0.8) * wave
    x, y = np.cumsum(np.cos(angle) * speed), np.cumsum(np.sin(angle) * speed)
    scale = length / float(np.hypot(np.diff(x), np.diff(y)).sum())
    return x * scale, y * scale


def _smeared(light: Image, psf: Image) -> Image:
    return np.asarray(cv2.filter2D(light, -1, psf, borderType=cv2.BORDER_REFLECT), np.float32)


def _cut(texture: Pixels, side: int, rng: Generator) -> Image:
    """Return side×side of linear light of a texture, turned at random, mirrored where it ends."""
    turned = np.rot90(texture, int(rng.integers(4)))
    turned = turned[:, ::-1] if rng.random() < 0.5 else turned
    top, left = (int(rng.integers(max(0, full - side) + 1)) for full in turned.shape[:2])
    piece = np.ascontiguousarray(turned[top : top + side, left : left + side])
    down, right = side - piece.shape[0], side - piece.shape[1]
    up, before = int(rng.integers(down + 1)), int(rng.integers(right + 1))
    framed = cv2.copyMakeBorder(piece, up, down - up, before, right - before, cv2.BORDER_REFLECT)
    return linearise(np.asarray(framed, np.uint8), _SRGB)


def _one_way(texture: Pixels, side: int, rng: Generator) -> Image:
    """Return what runs along one direction: stripes, or a texture drawn out."""
    light = _cut(texture, side, rng)
    if rng.random() < _STRIPES_SHARE:
        share = float(rng.uniform(0, _MOST_TEXTURE))
        stripes = _stripes(side, rng)[..., None]
        return np.asarray((1 - share) * stripes + share * light, np.float32)
    # Drawn out along one side, then turned: the corners come from beyond the border.
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(0, 180)), 1.0)
    turn[:, :2] = turn[:, :2] @ np.diag([rng.uniform(*_STRETCH), 1.0])
    turn[:, 2] = side / 2 - turn[:, :2] @ np.full(2, side / 2)
    drawn = cv2.warpAffine(
        light, turn, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.maximum(np.asarray(drawn, np.float32), np.float32(0))


def _stripes(side: int, rng: Generator) -> Image:
    """Return stripes of two tones, alike or each of a width of its own, at any angle."""
    pitch = _between(_STRIPE_PX, rng)
    uneven = rng.choice([0.0, 0.15, 0.6])
    widths = pitch * np.exp(rng.normal(0, uneven, math.ceil(8 * side / pitch)))
    edges = np.cumsum(widths)
    angle, fine = rng.uniform(0, math.pi), _FINE * side
    at = (np.arange(fine) + 0.5) / _FINE - side / 2
    across = at[None, :] * math.cos(angle) + at[:, None] * math.sin(angle) + edges[-1] / 2
    dark, bright = np.sort(rng.uniform(0.02, 0.9, 2))
    tones = np.where(np.arange(len(widths)) % 2, dark, bright)
    tones = tones * np.exp(rng.normal(0, 0.1 * (uneven > 0), len(widths)))
    drawn = tones[np.searchsorted(edges, across).clip(0, len(widths) - 1)].astype(np.float32)
    return np.asarray(cv2.resize(drawn, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _plain(texture: Pixels, side: int, rng: Generator) -> Image:
    """Return a surface without texture, lit from one side, in a colour of the texture."""
    colour = linearise(np.ascontiguousarray(texture[:1, :1]), _SRGB)
    slope = np.linspace(1, rng.uniform(0.3, 1), side, dtype=np.float32)[:, None, None]
    lit = np.rot90(np.broadcast_to(colour * slope, (side, side, 3)), int(rng.integers(4)))
    return np.ascontiguousarray(lit)


def _taken(light: Image, rng: Generator) -> Pixels:
    if rng.random() < _CAMERA_SHARE:
        camera = Camera(rng)
        return camera.take(light, camera.any_iso())
    return develop(light, rng, strength=float(rng.uniform(0, _MOST_DEVELOPED)))


def _squeezed(box: Pixels, rng: Generator) -> Pixels:
    if rng.random() >= _SQUEEZED_SHARE:
        return box
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*_QUALITY))]
    _, data = cv2.imencode(".jpg", box, quality)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


BOX_KINDS: Mapping[str, float] = MappingProxyType(
    {
        "straight": 0.2,
        "shaken": 0.13,
        "long": 0.07,
        "moved_and_misfocused": 0.07,
        "misfocused": 0.24,
        "sharp": 0.11,
        "one_way_sharp": 0.08,
        "one_way_misfocused": 0.08,
        "plain": 0.02,
    }
)
"""Kinds of boxes and how often they are drawn; together 1."""

MOVED_KINDS = frozenset({"straight", "shaken", "long", "moved_and_misfocused"})
"""Those that moved."""

_SURFACES: Mapping[str, Callable[[Pixels, int, Generator], Image]] = {
    "one_way_sharp": _one_way,
    "one_way_misfocused": _one_way,
    "plain": _plain,
}
_BLURS: Mapping[str, Callable[[Image, Generator], Image]] = {
    "straight": _straight,
    "shaken": _shaken,
    "long": _long,
    "moved_and_misfocused": _both,
    "misfocused": _misfocused,
    "sharp": _sharp,
    "one_way_sharp": _sharp,
    "one_way_misfocused": _misfocused,
    "plain": _sharp,
}
