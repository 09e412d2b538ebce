"""Draws a photo as a given circle of confusion would have drawn it.

Sizes of blur are steps in depth. Each pixel belongs to the two steps next to it, in parts that add
up to 1. What belongs to a step is spread with the PSF of its size, colour and coverage alike, and
the steps are laid behind each other, nearest first: coverage of neighbouring steps adds up, for
they may share a slanted surface; other steps are hidden by what is nearer. What a nearer thing
hides from a step is filled in from around it, so that a sharp subject does not bleed into the blur
behind it; and because coverage is spread too, a blurred foreground fades over a sharp background
instead of ending at its outline.

Large blurs are drawn on smaller pictures, and the whole in tiles.

References:
    Y. Sheng et al.: Dr.Bokeh: Differentiable occlusion-aware bokeh rendering. CVPR 2024 (layers,
        hidden parts filled in).
    J. Peng et al.: BokehMe: When neural rendering meets classical rendering. CVPR 2022.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_image, check_map
from focuskit.errors import RangeError, ShapeError
from focuskit.optics.layers import CELL, HIDES_STEPS, Area, Scene, scene_of
from focuskit.optics.levels import (
    IDENTITY_BELOW_COC_PX,
    LARGEST_FULL_COC_PX,
    Lens,
    levels_of,
    margin_px,
    places,
)
from focuskit.optics.outlines import split_outlines
from focuskit.optics.parallel import each_done
from focuskit.optics.planes import Planes, planes_on
from focuskit.optics.psf import Aperture
from focuskit.optics.stack import draw_block, draw_large

__all__ = ["IDENTITY_BELOW_COC_PX", "MOST_COC_PX", "render"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]

MOST_COC_PX = 600.0
"""Larger circles of confusion are refused."""

# Multiples of the cells that hidden parts are filled from. Large blurs are drawn by the tile, on
# smaller pictures, small ones by the block.
_TILE, _TILE_MARGINS = 768, 6
_BLOCK = 256


def render(
    light: Image,
    coc_px: Map,
    aperture: Aperture | None = None,
    *,
    gain: Map | None = None,
    device: str = "cpu",
    tick: Callable[[float], None] | None = None,
) -> Image:
    """Return a photo blurred by a circle of confusion that differs from pixel to pixel.

    Args:
        light: (H, W, 3) float32 linear light, everything in focus or blurred already: what is
            given is added.
        coc_px: (H, W) float32, diameter in pixels: positive behind the plane of focus, negative in
            front of it. Below `IDENTITY_BELOW_COC_PX` nothing changes. The order of depth is the
            order of these values.
        aperture: its shape; None for an open round one.
        gain: (H, W) float32 >= 0, how much brighter each pixel is taken to be; None = 1.
        device: "cpu", "cuda", or "torch" for torch on the CPU.
        tick: told the share that is done, from 0 to 1.

    Returns:
        (H, W, 3) float32 linear light.

    Raises:
        ShapeError: the arrays are not that, or differ in size.
        RangeError: they hold numbers that are not finite, or blur beyond `MOST_COC_PX`.
        DeviceError: the device is absent.
    """
    check_image("light", light)
    if coc_px.shape != light.shape[:2] or coc_px.dtype != np.float32:
        raise ShapeError(
            f"coc_px must be float32 of shape {light.shape[:2]}, "
            f"got {coc_px.dtype} of shape {coc_px.shape}."
        )
    if gain is not None:
        check_map("gain", gain, shape=light.shape[:2], high=math.inf)
    largest = max(float(coc_px.max()), -float(coc_px.min()))
    if not largest <= MOST_COC_PX:
        raise RangeError(
            f"The circle of confusion must stay within {MOST_COC_PX:g} px, found {largest:g} px; "
            "ask for less, or for a larger f-number."
        )
    if largest < IDENTITY_BELOW_COC_PX:
        return light.copy() if gain is None else light * gain[..., None]
    given = _Given(light, coc_px, gain)
    lens = Lens(aperture or Aperture(), levels_of(coc_px))
    planes = planes_on(device)
    result = np.empty_like(light)
    jobs = _jobs(light.shape[:2], margin_px(largest))

    def work(job: _Job) -> None:
        _draw_tile(planes, given, lens, job, result)

    # A GPU has one queue anyway.
    with closing(each_done(work, jobs, most=None if device == "cpu" else 1)) as each:
        for done, _ in enumerate(each, start=1):
            if tick is not None:
                tick(done / len(jobs))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What `render` was given."""

    light: Image
    coc_px: Map
    gain: Map | None

    def bright(self, area: Area) -> Image:
        """Return a part of the light that is drawn."""
        part = self.light[area]
        return part if self.gain is None else part * self.gain[area][..., None]


@dataclass(frozen=True, slots=True)
class _Job:
    """A tile: rows and columns that it draws, and those that it looks at."""

    drawn: Area
    seen: Area


def _jobs(shape: tuple[int, ...], margin: int) -> list[_Job]:
    rows, columns = (
        _spans(slice(0, side), max(_TILE, _TILE_MARGINS * margin), margin, side) for side in shape
    )
    return [_Job((r[0], c[0]), (r[1], c[1])) for r in rows for c in columns]


def _spans(whole: slice, length: int, margin: int, end: int) -> list[tuple[slice, slice]]:
    spans = []
    for start in range(whole.start, whole.stop, length):
        stop = min(whole.stop, start + length)
        spans.append((slice(start, stop), slice(max(0, start - margin), min(end, stop + margin))))
    return spans


def _draw_tile(planes: Planes, given: _Given, lens: Lens, job: _Job, result: Image) -> None:
    coc = given.coc_px[job.seen]
    if _unblurred(coc, given.coc_px[job.drawn]):
        result[job.drawn] = given.bright(job.drawn)
        return
    height, width = coc.shape
    frame = (0, -height % CELL, 0, -width % CELL)
    picture = given.bright(job.seen)
    if any(frame):
        picture = np.asarray(cv2.copyMakeBorder(picture, *frame, cv2.BORDER_REPLICATE), np.float32)
        coc = np.asarray(cv2.copyMakeBorder(coc, *frame, cv2.BORDER_REPLICATE), np.float32)
    place = places(coc, lens)
    outlines = split_outlines(picture, place, HIDES_STEPS)
    flat = np.empty((3, *place.shape), np.float32)
    for channel, plane in enumerate(flat):
        cv2.extractChannel(picture, channel, dst=plane)
    scene = scene_of(planes, flat, place, outlines, lens.levels.size)
    del picture
    _draw(scene, lens, _field(job, result.shape), job, result)
    # OpenCV convolves with large discs by Fourier transforms, which leave traces below 0 in black.
    drawn = result[job.drawn]
    np.maximum(drawn, 0, out=drawn)


def _unblurred(seen: Map, drawn: Map) -> bool:
    """Whether nothing changes: all in focus, and nothing in front of it out of focus."""
    limit = IDENTITY_BELOW_COC_PX
    return float(drawn.max()) < limit and float(seen.min()) > -limit


def _field(job: _Job, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the middle of a tile in half diagonals from the middle of the picture, (x, y)."""
    half = math.hypot(shape[0], shape[1]) / 2
    y, x = ((part.start + part.stop) / 2 for part in job.drawn)
    return (x - shape[1] / 2) / half, (y - shape[0] / 2) / half


def _draw(scene: Scene, lens: Lens, field: tuple[float, float], job: _Job, result: Image) -> None:
    """Draw a tile: large blurs at once, small ones between them block by block."""
    front, back = draw_large(scene, lens, field)
    origin = [part.start for part in job.seen]
    margin = margin_px(LARGEST_FULL_COC_PX)
    sizes = scene.height, scene.width
    rows, columns = (
        _spans(slice(d.start - s.start, d.stop - s.start), _BLOCK, margin, size)
        for d, s, size in zip(job.drawn, job.seen, sizes, strict=True)
    )
    for down, down_seen in rows:
        for across, across_seen in columns:
            target = (
                slice(down.start + origin[0], down.stop + origin[0]),
                slice(across.start + origin[1], across.stop + origin[1]),
            )
            area = _on_grid(down_seen), _on_grid(across_seen)
            block = draw_block(scene.part(area), lens, field, front, back, area)
            y, x = down.start - area[0].start, across.start - area[1].start
            height, width = down.stop - down.start, across.stop - across.start
            cut = scene.planes.given(block[:, y : y + height, x : x + width])
            result[target] = cv2.merge(list(cut)) if height * width > 1 else cut[:, 0, 0]


def _on_grid(side: slice) -> slice:
    return slice(side.start // CELL * CELL, -(-side.stop // CELL) * CELL)
