"""What lies at one depth of a picture, and what is nearer, as the renderer spreads it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focuskit.optics.outlines import Outlines
from focuskit.optics.planes import Planes

__all__ = ["CELL", "HIDES_STEPS", "Area", "Scene", "scene_of"]

CELL = 32
"""Parts of a picture begin and end on a grid of so many pixels, so that hidden parts are filled
from the same cells whatever part is drawn."""

HIDES_STEPS = 2
"""What is so many steps nearer hides, what is less belongs to one slanted surface."""

Map = NDArray[np.float32]
Area = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture whose every pixel has a place in depth, in steps: larger is farther.

    Attributes:
        planes: what works on it.
        light: (3, H, W) of its kind, sides multiples of `CELL`.
        place: (1, H, W) of its kind.
        outlines: pixels that hold two surfaces.
        holds: (2 N, H / CELL, W / CELL) whether any pixel of a cell lies on step k, at 2 k, or
            between it and the next one, at 2 k + 1.
    """

    planes: Planes
    light: Any
    place: Any
    outlines: Outlines
    holds: NDArray[np.bool_]

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.holds.shape[1]) * CELL

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.holds.shape[2]) * CELL

    def part(self, area: Area) -> Scene:
        """Return a part that begins and ends on the grid."""
        rows, columns = area
        if (rows, columns) == (slice(0, self.height), slice(0, self.width)):
            return self
        down, across = (slice(each.start // CELL, each.stop // CELL) for each in area)
        return Scene(
            self.planes,
            self.light[:, rows, columns],
            self.place[:, rows, columns],
            self.outlines.within(rows, columns),
            self.holds[:, down, across],
        )

    def steps(self) -> list[int]:
        """Return the steps that any pixel lies on or next to, farthest first."""
        held = np.asarray(self.holds.any((1, 2)))
        present = held[0::2] | held[1::2]
        present[1:] |= held[1:-1:2]
        return [int(step) for step in np.flatnonzero(present)[::-1]]

    def only(self, step: int) -> bool:
        """Whether every pixel lies on a step."""
        return not (self.holds[: 2 * step].any() or self.holds[2 * step + 1 :].any())

    def extent(self, step: int, reach_px: float) -> Area | None:
        """Return what a layer can reach; None where it is empty."""
        present = np.asarray(self._holding(step).any(0))
        margin = math.ceil(reach_px / CELL) * CELL
        sides = []
        for axis, side in ((1, self.height), (0, self.width)):
            cells = np.flatnonzero(present.any(axis))
            if not cells.size:
                return None
            start, stop = int(cells[0]) * CELL, (int(cells[-1]) + 1) * CELL
            sides.append(slice(max(0, start - margin), min(side, stop + margin)))
        return sides[0], sides[1]

    def layer(self, step: int, factor: int, reach: int) -> Any:
        """Return (5, H / factor, W / factor) colour times coverage, and coverage, of a step.

        The last channel is the coverage of it and of what is up to `HIDES_STEPS` before it.

        Pixels between two steps belong to both in part, so that all layers together hold each pixel
        once. What is `HIDES_STEPS` nearer stands in the way, and what it hides is guessed from
        around it, as far as `reach` pixels of the smaller picture.
        """
        planes = self.planes
        hidden = bool(self.holds[: max(0, 2 * (step - HIDES_STEPS))].any())
        stack = planes.blank(5 + hidden, self.height // factor, self.width // factor)
        rows = max(1, planes.strip_px // self.width // CELL) * CELL
        for top in range(0, self.height, rows):
            area = (slice(top, min(top + rows, self.height)), slice(0, self.width))
            part = self.part(area)
            if hidden or part._holding(step).any():
                target = slice(area[0].start // factor, area[0].stop // factor)
                stack[:, target] = planes.shrunk(part.strip(step, hidden), factor)
        if not hidden:
            return stack
        known, share = stack[:5], stack[5:]
        guess = filled(planes, known, share, math.ceil(math.log2(reach + 1)) + 1)
        guess *= 1 - share
        guess += known
        return guess

    def _holding(self, step: int) -> NDArray[np.bool_]:
        """Return which cells hold pixels that a step draws."""
        return self.holds[max(0, 2 * step - 1) : 2 * step + 2]

    def strip(self, step: int, hidden: bool) -> Any:
        """Return the channels of a layer, and what is not hidden if anything is."""
        planes, outlines = self.planes, self.outlines
        limit = step - HIDES_STEPS if hidden else None
        stack = planes.layered(self.light, self.place, step, limit)
        if outlines.rows.size:
            values = _of_outlines(outlines, step)
            index = outlines.rows * self.width + outlines.columns
            planes.put(stack, index, [planes.taken(each) for each in values[: len(stack)]])
        return stack


def scene_of(planes: Planes, light: Map, place: Map, outlines: Outlines, steps: int) -> Scene:
    """Return a scene of planes of light, (3, H, W), and places from 0 to `steps` - 1, (H, W)."""
    height, width = place.shape
    rows, columns = height // CELL, width // CELL
    codes = 2 * steps
    holds = np.empty((codes, rows, columns), np.bool_)
    cells = np.repeat(np.arange(columns) * codes, CELL)
    for row in range(rows):
        strip = place[row * CELL : (row + 1) * CELL]
        each = (np.floor(strip) + np.ceil(strip)).astype(np.intp)
        each += cells
        first, last = np.searchsorted(outlines.rows, (row * CELL, (row + 1) * CELL))
        also = cells[outlines.columns[first:last]]
        counts = np.bincount(each.reshape(-1), minlength=columns * codes)
        for other in (outlines.near_place[first:last], outlines.far_place[first:last]):
            code = (np.floor(other) + np.ceil(other)).astype(np.intp)
            counts += np.bincount(also + code, minlength=columns * codes)
        holds[:, row] = (counts > 0).reshape(columns, codes).T
    return Scene(planes, planes.taken(light), planes.taken(place[None]), outlines, holds)


def _of_outlines(outlines: Outlines, step: int) -> list[Map]:
    """Return what a layer holds of pixels with two surfaces, and what of them is not hidden.

    Of a nearer surface that the layer does not draw at all, the other shows through.
    """
    near, far = (
        np.maximum(1 - np.abs(place - step), 0)
        for place in (outlines.near_place, outlines.far_place)
    )
    near_seen, far_seen = (
        np.clip(place - (step - HIDES_STEPS - 1), 0, 1)
        for place in (outlines.near_place, outlines.far_place)
    )
    before = near * outlines.cover
    behind = far * (1 - near_seen * outlines.cover)
    upto = [np.clip(step + 1 - place, 0, 1) for place in (outlines.near_place, outlines.far_place)]
    whole = upto[0] * near_seen * outlines.cover
    whole += upto[1] * far_seen * (1 - near_seen * outlines.cover)
    colour = outlines.near * before + outlines.far * behind
    return [*colour, before + behind, whole, far_seen]


def filled(planes: Planes, known: Any, weight: Any, depth: int) -> Any:
    """Return values / weights, spread smoothly to where the weight is 0 (push and pull).

    Where there is any weight, neighbours count too: what is wanted is what lies beyond.

    Args:
        planes: what works on them.
        known: (C, H, W) values times weights.
        weight: (1, H, W) in [0, 1].
        depth: how often the picture is halved; from farther away comes the mean of all.

    References:
        S. Gortler et al.: The Lumigraph. SIGGRAPH 1996 (push-pull).
    """
    height, width = known.shape[1:]
    own, trust = (_halved(planes, each) for each in (known, weight))
    # A mean over few known pixels is trusted nearly like one over many.
    grown = planes.clipped(trust * 4, 0.0, 1.0)
    # Times their weight, values / weights are known where they are trusted.
    own *= grown / planes.clipped(trust, 1e-6, math.inf)
    if depth > 1 and max(height, width) > 2:
        rest = filled(planes, own, grown, depth - 1)
    else:
        total = planes.clipped(grown.sum(), 1e-6, math.inf)
        rest = own.sum((1, 2))[:, None, None] / total
    own += rest * (1 - grown)
    return _doubled(planes, own, height, width)


def _halved(planes: Planes, picture: Any) -> Any:
    height, width = picture.shape[1:]
    if height % 2 == width % 2 == 0:
        return planes.shrunk(picture, 2)
    # The same from both ends, which pairs of pixels would not be.
    down, across = (_between(side) / _between(side).sum(axis=0) for side in (height, width))
    return planes.taken(down.T.copy()) @ picture @ planes.taken(across)


def _doubled(planes: Planes, picture: Any, height: int, width: int) -> Any:
    if height % 2 == width % 2 == 0:
        return planes.enlarged(picture, 2)
    return planes.taken(_between(height)) @ picture @ planes.taken(_between(width).T.copy())


@lru_cache(maxsize=256)
def _between(side: int) -> Map:
    """Return the (side, half) weights of linear interpolation from half as many pixels."""
    half = (side + 1) // 2
    at = (np.arange(side) - (0.5 if side % 2 == 0 else 0.0)) / 2
    away = np.abs(np.clip(at, 0, half - 1)[:, None] - np.arange(half))
    return np.asarray(np.maximum(1 - away, 0), np.float32)
