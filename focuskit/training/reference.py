"""A slow renderer in float64 to judge the fast one by; it shares no code with `focuskit.optics`.

A scene is a pile of surfaces, each known whole, also where another hides it. Every surface is
scattered for itself, light times cover and cover alike, each point as the picture of the aperture
that its circle of confusion has; then they are laid over each other, the nearest first. Where a
blurred surface half covers another, both are seen, and what was hidden comes into view.

What this leaves out: rays that pass a blurred edge see a part of the aperture only, so that a disc
behind it would be cut. Laying blurred surfaces over each other takes the two for independent.

References:
    M. Potmesil, I. Chakravarty: A lens and aperture camera model for synthetic image generation.
        SIGGRAPH 1981 (scattering).
    T. Porter, T. Duff: Compositing digital images. SIGGRAPH 1984 (over).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from focuskit.errors import RangeError, ShapeError

__all__ = ["ROUND", "Opening", "Surface", "draw_defocused", "draw_sharp", "point_image"]

Array = NDArray[np.float64]

_SAMPLES = 16
# Circles of confusion within a slanted surface are drawn in steps of this many pixels.
_STEP_PX = 0.125
_LEAST_SHARE = 1e-9


class Opening(NamedTuple):
    """The aperture: round, or a polygon with straight edges and the area of the round one.

    Attributes:
        corners: 0 = round, else 3 and more.
        rotation_deg: direction of the first corner, counter-clockwise from +x as seen.
    """

    corners: int = 0
    rotation_deg: float = 0.0


ROUND = Opening()


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """One surface of a scene, as a pinhole would show it if nothing stood before it.

    Attributes:
        light: (H, W, 3) linear light, known wherever `cover` is above 0.
        cover: (H, W) share of each pixel that it covers, in [0, 1].
        coc_px: signed diameter of its circle of confusion in pixels, > 0 behind the plane of
            focus; one number, or (H, W), known everywhere, of a surface that is slanted.
    """

    light: Array
    cover: Array
    coc_px: float | Array

    def __post_init__(self) -> None:
        shape = self.cover.shape
        if self.light.shape != (*shape, 3) or np.shape(self.coc_px) not in ((), shape):
            raise ShapeError(
                f"A surface of {shape} needs light of {(*shape, 3)} and one circle of confusion or "
                f"{shape} of them, got {self.light.shape} and {np.shape(self.coc_px)}."
            )


def draw_sharp(surfaces: Sequence[Surface]) -> tuple[Array, Array]:
    """Return what a pinhole sees: (H, W, 3) light and (H, W) signed circle of confusion.

    A pixel on an outline holds light of several surfaces; its circle of confusion is that of the
    one that fills most of it.

    Args:
        surfaces: nearest first; the last covers the whole frame.
    """
    shape = surfaces[0].cover.shape
    light, coc = np.zeros((*shape, 3)), np.zeros(shape)
    left, most = np.ones(shape), np.zeros(shape)
    for surface in surfaces:
        share = left * surface.cover
        light += share[..., None] * surface.light
        coc = np.where(share > most, surface.coc_px, coc)
        most = np.maximum(most, share)
        left = left - share
    return light, coc


def draw_defocused(
    surfaces: Sequence[Surface], opening: Opening = ROUND, *, factor: float = 1.0
) -> Array:
    """Return what a lens sees, (H, W, 3) linear light.

    Args:
        surfaces: nearest first; the last covers the whole frame. What lies beyond the frame is
            taken to look like what is near its rim: half a circle of confusion there is a guess.
        opening: the aperture.
        factor: all circles of confusion are so much larger.

    Raises:
        RangeError: the opening is no polygon, or a circle of confusion is not finite.
    """
    light = np.zeros_like(surfaces[0].light)
    left = np.ones(surfaces[0].cover.shape)
    for surface in surfaces:
        coc = np.multiply(surface.coc_px, factor)
        stack = np.dstack([surface.light * surface.cover[..., None], surface.cover])
        ones = np.ones_like(surface.cover)[..., None]
        seen = _scattered(np.dstack([stack, ones]), coc, opening)
        # Where circles grow along a surface, and at the rim, not all points get the same light.
        seen = seen[..., :4] / np.maximum(seen[..., 4:], _LEAST_SHARE)
        light += left[..., None] * seen[..., :3]
        left = left * (1 - np.clip(seen[..., 3], 0, 1))
    return light


@lru_cache(maxsize=1024)
def point_image(coc_px: float, opening: Opening = ROUND) -> Array:
    """Return how a point is drawn: (K, K) float64, K odd, sum 1; K = 1 below one pixel.

    In front of the plane of focus (< 0) the aperture is seen upside down.

    Raises:
        RangeError: the opening has one or two corners, or the diameter is not finite.
    """
    if not math.isfinite(coc_px) or opening.corners in (1, 2) or opening.corners < 0:
        raise RangeError(
            f"A point is drawn with a finite diameter and 0 or at least 3 corners, got {coc_px:g} "
            f"px and {opening.corners}."
        )
    if abs(coc_px) < 1:
        return np.ones((1, 1))
    radius = abs(coc_px) / 2
    if opening.corners:
        angle = math.pi / opening.corners
        # Of the circle around a polygon with the area of the disc.
        radius *= math.sqrt(angle / (math.sin(angle) * math.cos(angle)))
    reach = math.ceil(radius - 0.5)
    size = 2 * reach + 1
    at = (np.arange(size * _SAMPLES) + 0.5) / _SAMPLES - size / 2
    inside = _inside(at[None, :], -at[:, None], radius, opening)
    cells = inside.reshape(size, _SAMPLES, size, _SAMPLES).sum(axis=(1, 3)).astype(np.float64)
    cells /= cells.sum()
    if coc_px < 0:
        cells = cells[::-1, ::-1].copy()
    cells.flags.writeable = False
    return np.asarray(cells)


def _inside(x: Array, y: Array, radius: float, opening: Opening) -> NDArray[np.bool_]:
    if not opening.corners:
        return np.asarray(x * x + y * y <= radius * radius)
    inside = np.ones((y.size, x.size), np.bool_)
    half = math.pi / opening.corners
    for corner in range(opening.corners):
        # Through the middle between two corners.
        angle = math.radians(opening.rotation_deg) + (2 * corner + 1) * half
        inside &= x * math.cos(angle) + y * math.sin(angle) <= radius * math.cos(half)
    return inside


def _scattered(values: Array, coc_px: float | Array, opening: Opening) -> Array:
    """Return (H, W, C) values, each spread over the picture of the aperture."""
    if np.ndim(coc_px) == 0:
        return _convolved(values, point_image(float(coc_px), opening))
    steps = np.rint(np.asarray(coc_px) / _STEP_PX).astype(np.int64)
    pictures = {int(step): point_image(step * _STEP_PX, opening) for step in np.unique(steps)}
    reach = max(picture.shape[0] // 2 for picture in pictures.values())
    height, width, channels = values.shape
    out = np.zeros((height + 2 * reach, width + 2 * reach, channels))
    for y in range(height):
        for x in range(width):
            picture = pictures[int(steps[y, x])]
            off = reach - picture.shape[0] // 2
            rows = slice(y + off, y + off + picture.shape[0])
            columns = slice(x + off, x + off + picture.shape[0])
            out[rows, columns] += picture[..., None] * values[y, x]
    return out[reach : reach + height, reach : reach + width]


def _convolved(values: Array, picture: Array) -> Array:
    if picture.size == 1:
        return values
    reach = picture.shape[0] // 2
    # Nothing lies beyond the frame: what that takes away, the caller's division gives back.
    size = tuple(_even(side + 2 * reach) for side in values.shape[:2])
    spectrum = np.fft.rfft2(values, size, axes=(0, 1))
    spectrum *= np.fft.rfft2(picture, size)[..., None]
    whole = np.fft.irfft2(spectrum, size, axes=(0, 1))
    inner = whole[reach : reach + values.shape[0], reach : reach + values.shape[1]]
    return np.maximum(inner, 0)


def _even(length: int) -> int:
    """Return the next length that a Fourier transform is quick at."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and length % 2 == 0:
            return length
        length += 1
