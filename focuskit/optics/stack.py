"""Layers of a picture laid behind each other, nearest first."""

from __future__ import annotations

import math
from typing import Any

from focuskit.optics.layers import HIDES_STEPS, Area, Scene
from focuskit.optics.levels import Lens, margin_px

__all__ = ["Stack", "draw_block", "draw_large"]

# A surface counts as whole as far as it covers more than 1 - 1 / this; and what there must be of it
# at least to be stretched over gaps.
_DENSE, _GAP = 4.0, 0.25
# OpenCV multiplies spectra for larger PSFs, which leaves traces where there is nothing.
_SUMMED_UP_TO = 11
_CRUMB = 1e-5


class Stack:
    """Layers behind each other, nearest first, on a picture made smaller by a factor.

    Coverage adds up between neighbouring steps, which may share a surface, and multiplies between
    others, of which the nearer stands before the farther.

    Attributes:
        light: (4, H, W) colour times coverage, and coverage, of what is shown.
        cover: (1, H, W) of everything; slanted surfaces may come to a little more than 1.
        first: the nearest step that is shown.
    """

    def __init__(self, scene: Scene, lens: Lens, field: tuple[float, float], factor: int) -> None:
        self._scene, self._lens, self._field, self._factor = scene, lens, field, factor
        sides = scene.height // factor, scene.width // factor
        self.light = scene.planes.blank(4, *sides)
        self.cover = scene.planes.blank(1, *sides)
        self.first = -1
        self._covers: list[tuple[int, Any]] = []

    def first_beside(self, step: int) -> int:
        """Return the nearest step whose coverage a step behind the plane of focus adds to."""
        return max(self._lens.focus + 1, step - HIDES_STEPS)

    def add(self, step: int, *, shown: bool = True) -> None:
        """Add the next farther step, or only say that it is there."""
        scene, planes, lens = self._scene, self._scene.planes, self._lens
        if shown and self.first < 0:
            self.first = step
        area = scene.extent(step, margin_px(lens.size_px(step)))
        if area is None:
            return
        own = max(lens.factor(step), self._factor)
        psf = lens.psf(step, self._field, own)
        layer = planes.convolved(scene.part(area).layer(step, own, psf.shape[0] // 2), psf)
        if psf.shape[0] > _SUMMED_UP_TO:
            layer = planes.without_crumbs(layer, _CRUMB)
        layer = planes.enlarged(layer, own // self._factor)
        rows, columns = (slice(e.start // self._factor, e.stop // self._factor) for e in area)
        before = self._before(step)
        free: Any = 1.0
        if before is not None:
            free = planes.clipped(1 - before[:, rows, columns], 0.0, 1.0)
        cover = self.cover[:, rows, columns] + layer[3:4] * free
        # Between sizes of blur within one surface there may be gaps, but nothing shows through.
        dense = planes.clipped(layer[4:] * _DENSE - (_DENSE - 1), 0.0, 1.0)
        wanted = 1 - free * (1 - dense)
        short = planes.clipped(wanted / planes.clipped(cover, _GAP, math.inf), 1.0, 1 / _GAP)
        light = self.light[:, rows, columns]
        if shown:
            light += layer[:4] * free
        light *= short
        self.cover = self.cover + 0
        self.cover[:, rows, columns] = cover * short
        self._covers.append((step, self.cover))

    def cut(self, area: Area, part: Scene) -> Stack:
        """Return a part at full size, to go on with."""
        made = Stack(part, self._lens, self._field, 1)
        rows, columns = (slice(e.start // self._factor, e.stop // self._factor) for e in area)

        def large(picture: Any) -> Any:
            return part.planes.enlarged(picture[:, rows, columns], self._factor)

        made.light, made.cover, made.first = large(self.light), large(self.cover), self.first
        made._covers = [(step, large(cover)) for step, cover in self._covers[-HIDES_STEPS - 1 :]]
        return made

    def _before(self, step: int) -> Any:
        """Return the coverage of what stands before a step."""
        limit = step - HIDES_STEPS - 1
        # What is in focus hides at once, so that no blur creeps into it.
        if step > self._lens.focus:
            limit = max(limit, self._lens.focus)
        return next((cover for at, cover in reversed(self._covers) if at <= limit), None)


def draw_large(
    scene: Scene, lens: Lens, field: tuple[float, float]
) -> tuple[Stack | None, Stack | None]:
    """Return the large blurs of a tile, drawn on smaller pictures: in front of focus, and behind.

    Args:
        scene: the tile.
        lens: what draws it.
        field: its place in the picture, as `Aperture.psf` takes it.
    """
    large = [step for step in scene.steps()[::-1] if lens.factor(step) > 1]
    front = [step for step in large if step < lens.focus]
    return (
        _stacked(scene, lens, field, front),
        _stacked(scene, lens, field, large[len(front) :]),
    )


def _stacked(
    scene: Scene, lens: Lens, field: tuple[float, float], steps: list[int]
) -> Stack | None:
    if not steps:
        return None
    stack = Stack(scene, lens, field, min(lens.factor(step) for step in steps))
    for step in scene.steps()[::-1]:
        if stack.first_beside(steps[0]) <= step < steps[0] and steps[0] > lens.focus:
            stack.add(step, shown=False)
    for step in steps:
        stack.add(step)
    return stack


def draw_block(
    part: Scene,
    lens: Lens,
    field: tuple[float, float],
    front: Stack | None,
    back: Stack | None,
    area: Area,
) -> Any:
    """Return (3, H, W) light of a part, in which small blurs lie between the large ones.

    Args:
        part: of the tile that `front` and `back` were drawn from.
        lens: what draws it.
        field: as `draw_large` takes it.
        front: large blurs before the plane of focus.
        back: large blurs behind it.
        area: which part of the tile it is.
    """
    planes = part.planes
    if front is None and part.only(lens.focus):
        return part.light
    stack = Stack(part, lens, field, 1) if front is None else front.cut(area, part)
    steps = [step for step in part.steps()[::-1] if lens.factor(step) == 1]
    if back is None:
        for step in steps:
            stack.add(step)
    else:
        first = back.first_beside(back.first)
        for step in steps:
            if step < first:
                stack.add(step)
        # What may share a surface with the large blurs has had its say among them.
        before = planes.clipped(1 - stack.cover, 0.0, 1.0)
        for step in steps:
            if step >= first:
                stack.add(step)
        stack.light += before * back.cut(area, part).light
    return stack.light[:3] / planes.clipped(stack.light[3:], 1e-6, math.inf)
