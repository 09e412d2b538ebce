"""Draws a photo as a given circle of confusion would have drawn it.

What is far is drawn first, and what is nearer over it. Each step takes one size of blur: what lies
at or before its depth is spread with the PSF of that depth, colour and coverage alike, and laid
over what is there. Later, nearer steps redraw what is nearer, with their own blur. What a nearer
thing hides from a step is filled in from around it, so that a sharp subject does not bleed into
the blur behind it; and because coverage is spread too, a blurred foreground fades over a sharp
background instead of ending at its outline.

Large blurs are drawn on smaller pictures, and the whole in tiles.

References:
    Y. Sheng et al.: Dr.Bokeh: Differentiable occlusion-aware bokeh rendering. CVPR 2024 (layers,
        hidden parts filled in).
    J. Peng et al.: BokehMe: When neural rendering meets classical rendering. CVPR 2022.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_image
from focuskit.errors import RangeError, ShapeError
from focuskit.optics.outlines import Split, split_outlines
from focuskit.optics.planes import Planes, next_power_of_two_below, planes_on
from focuskit.optics.psf import Aperture

__all__ = ["IDENTITY_BELOW_COC_PX", "MOST_COC_PX", "render"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]

IDENTITY_BELOW_COC_PX = 1.0
"""Less blur than this leaves a pixel as it is."""

MOST_COC_PX = 600.0
"""Larger circles of confusion are refused."""

_TILE = 768
# Tiles begin on this grid, so that the cells that hidden parts are filled from are the same in all.
_GRID = 32
_FILL_MARGIN_PX = 16
# Neighbouring sizes of blur; pixels between two of them are mixed from both.
_RATIO = 1.25
# A disc of this many pixels of a smaller picture is as good as one of the full picture.
_LEAST_DISC = 9.0
_MOST_SHRINK = 8
# What is this many steps nearer hides, what is less belongs to one slanted surface.
_HIDES_STEPS = 2.0
# Polygons reach further than the disc of their area, cat's eyes not.
_REACH = 0.62


def render(
    light: Image,
    coc_px: Map,
    aperture: Aperture | None = None,
    *,
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
    largest = float(np.abs(coc_px).max())
    if not largest <= MOST_COC_PX:
        raise RangeError(
            f"The circle of confusion must stay within {MOST_COC_PX:g} px, found {largest:g} px; "
            "ask for less, or for a larger f-number."
        )
    if largest < IDENTITY_BELOW_COC_PX:
        return light.copy()
    shape = aperture or Aperture()
    planes = planes_on(device)
    margin = _GRID * math.ceil((_REACH * largest + _FILL_MARGIN_PX) / _GRID)
    levels = _levels(coc_px)
    result = np.empty_like(light)
    jobs = _jobs(light.shape[:2], margin)

    def work(job: _Job) -> None:
        _draw_tile(planes, light, coc_px, levels, shape, job, result)

    # OpenCV lets go of the interpreter; a GPU has one queue anyway.
    workers = (os.cpu_count() or 1) if device == "cpu" else 1
    with ThreadPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(work, jobs), start=1):
            if tick is not None:
                tick(done / len(jobs))
    return result


@dataclass(frozen=True, slots=True)
class _Job:
    """A tile: rows and columns that it draws, and those that it looks at."""

    drawn: tuple[slice, slice]
    seen: tuple[slice, slice]


def _jobs(shape: tuple[int, ...], margin: int) -> list[_Job]:
    rows, columns = (_spans(side, margin) for side in shape)
    return [_Job((r[0], c[0]), (r[1], c[1])) for r in rows for c in columns]


def _spans(length: int, margin: int) -> list[tuple[slice, slice]]:
    spans = []
    for start in range(0, length, _TILE):
        stop = min(length, start + _TILE)
        spans.append(
            (slice(start, stop), slice(max(0, start - margin), min(length, stop + margin)))
        )
    return spans


def _draw_tile(
    planes: Planes,
    light: Image,
    coc_px: Map,
    levels: NDArray[np.float64],
    aperture: Aperture,
    job: _Job,
    result: Image,
) -> None:
    coc = np.ascontiguousarray(coc_px[job.seen])
    drawn = tuple(
        slice(d.start - s.start, d.stop - s.start) for d, s in zip(job.drawn, job.seen, strict=True)
    )
    if float(np.abs(coc).max()) < IDENTITY_BELOW_COC_PX:
        result[job.drawn] = light[job.drawn]
        return
    height, width = coc.shape
    down, right = -height % _GRID, -width % _GRID
    frame = (0, down, 0, right, cv2.BORDER_REPLICATE)
    picture = cv2.copyMakeBorder(np.ascontiguousarray(light[job.seen]), *frame)
    coc = np.asarray(cv2.copyMakeBorder(coc, *frame), np.float32)
    field = _field(job, light.shape)
    place = np.asarray(_place(coc, levels), np.float32)
    split = split_outlines(np.asarray(picture, np.float32), place, _HIDES_STEPS)
    out = _drawn(planes, split, levels, aperture, field)
    result[job.drawn] = planes.given(out)[drawn]


def _field(job: _Job, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the middle of a tile in half diagonals from the middle of the picture, (x, y)."""
    half = math.hypot(shape[0], shape[1]) / 2
    y, x = ((part.start + part.stop) / 2 for part in job.drawn)
    return (x - shape[1] / 2) / half, (y - shape[0] / 2) / half


def _levels(coc: Map) -> NDArray[np.float64]:
    """Return the signed sizes of blur to draw, nearest first; 0 is among them."""
    sides = [np.zeros(1)]
    for sign, most in ((-1.0, float(-coc.min())), (1.0, float(coc.max()))):
        if most < IDENTITY_BELOW_COC_PX:
            continue
        count = max(1, math.ceil(math.log(most / IDENTITY_BELOW_COC_PX) / math.log(_RATIO)))
        sides.append(sign * np.geomspace(IDENTITY_BELOW_COC_PX, most, count + 1))
    return np.unique(np.concatenate(sides))


def _place(coc: Map, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where each pixel lies among the levels; blur adds up by its squared diameter."""
    squares = np.sign(levels) * levels**2
    return np.interp(np.sign(coc) * coc.astype(np.float64) ** 2, squares, np.arange(levels.size))


def _drawn(
    planes: Planes,
    split: Split,
    levels: NDArray[np.float64],
    aperture: Aperture,
    field: tuple[float, float],
) -> Any:
    place = np.concatenate([split.near_place, split.far_place], axis=2)
    counts = np.histogram(place, bins=np.arange(levels.size + 1) - 0.5)[0]
    low, high = float(place.min()), float(place.max())
    steps = [
        step
        for step in range(levels.size - 1, -1, -1)
        if low - 1 < step < high + 1 and _present(counts, place, step)
    ]
    taken = _Surfaces(
        *(
            planes.taken(each)
            for each in (split.near, split.far, split.cover, split.near_place, split.far_place)
        )
    )
    out: Any = None
    for step in steps:
        psf_px = abs(float(levels[step]))
        factor = min(_MOST_SHRINK, next_power_of_two_below(psf_px / _LEAST_DISC))
        layer = _layer(planes, taken, step, low, factor, last=out is None)
        psf = _psf(aperture, math.copysign(_at_size(psf_px, factor), levels[step]), field)
        layer = planes.enlarged(planes.convolved(layer, psf), factor)
        colour, cover = layer[..., :3], layer[..., 3:]
        out = (
            colour / planes.clipped(cover, 1e-6, math.inf)
            if out is None
            else (out * (1 - cover) + colour)
        )
    return planes.clipped(out, 0.0, math.inf)


def _present(counts: NDArray[np.int64], place: Map, step: int) -> bool:
    """Whether any pixel is mixed from this step."""
    near = counts[max(0, step - 1) : step + 2].sum()
    return bool(near) and bool((np.abs(place - np.float32(step)) < 1).any())


class _Surfaces(NamedTuple):
    """A `Split` in the form of the planes that work on it."""

    near: Any
    far: Any
    cover: Any
    near_place: Any
    far_place: Any


def _layer(
    planes: Planes, surfaces: _Surfaces, step: int, low: float, factor: int, *, last: bool
) -> Any:
    """Return colour times coverage, and coverage, of what a step spreads.

    Args:
        planes: what works on them.
        surfaces: the two at each pixel, their places among the levels.
        step: the level.
        low: the nearest place there is.
        factor: how much smaller the layer is made.
        last: whether nothing is behind it, so that it covers everything.
    """
    hidden_below = step - _HIDES_STEPS
    # At or before this step; and not so far before it that it stands in the way.
    near, far = (
        place * 0 + 1 if last else planes.clipped(step + 1 - place, 0.0, 1.0)
        for place in (surfaces.near_place, surfaces.far_place)
    )
    near_seen, far_seen = (
        planes.clipped(place - hidden_below + 1, 0.0, 1.0)
        for place in (surfaces.near_place, surfaces.far_place)
    )
    before = near * near_seen * surfaces.cover
    # Of a nearer surface that this step does not draw at all, the other shows through.
    behind = far * far_seen * (1 - near_seen * surfaces.cover)
    stack = [surfaces.near * before + surfaces.far * behind, before + behind]
    if low >= hidden_below:
        return planes.shrunk(planes.joined(stack), factor)
    # What hides something is not looked through; what it hides is guessed.
    stack = planes.shrunk(planes.joined([*stack, far_seen]), factor)
    known, weight = stack[..., :4], stack[..., 4:]
    return known + _filled(planes, known, weight) * (1 - weight)


def _filled(planes: Planes, known: Any, weight: Any) -> Any:
    """Return values / weights, spread smoothly to where the weight is 0 (push and pull).

    References:
        S. Gortler et al.: The Lumigraph. SIGGRAPH 1996 (push-pull).
    """
    height, width = known.shape[:2]
    if height % 2 or width % 2 or min(height, width) <= 2:
        total = planes.clipped(weight.sum(), 1e-6, math.inf)
        mean = known.reshape(-1, known.shape[2]).sum(0) / total
        return known * 0 + mean
    coarse = _filled(planes, *_saturated(planes, planes.shrunk(known, 2), planes.shrunk(weight, 2)))
    coarse = planes.enlarged(coarse, 2)
    own = planes.clipped(weight, 0.0, 1.0)
    return known / planes.clipped(weight, 1e-6, math.inf) * own + coarse * (1 - own)


def _saturated(planes: Planes, known: Any, weight: Any) -> tuple[Any, Any]:
    """Trust a mean over few known pixels nearly like one over many."""
    grown = planes.clipped(weight * 4, 0.0, 1.0)
    return known * (grown / planes.clipped(weight, 1e-6, math.inf)), grown


def _psf(aperture: Aperture, coc_px: float, field: tuple[float, float]) -> Map:
    """Return the PSF of a signed size; before the plane of focus light has not crossed yet."""
    if coc_px >= 0:
        return aperture.psf(coc_px, field)
    return replace(aperture, ring=-aperture.ring).psf(-coc_px, field)[::-1, ::-1]


def _at_size(coc_px: float, factor: int) -> float:
    """Return the disc that gives `coc_px` together with shrinking and enlarging by `factor`."""
    if factor == 1:
        return coc_px
    # Variances along an axis: disc c^2 / 16, means (f^2 - 1) / 12, interpolation f^2 / 6.
    taken = 16 * ((factor**2 - 1) / 12 + factor**2 / 6)
    return math.sqrt(max(coc_px**2 - taken, 0.0)) / factor
