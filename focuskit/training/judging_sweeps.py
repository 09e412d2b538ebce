"""Refocusing and magnification judged on focal sweeps: frame t edited must look like frame u.

Along a sweep the sensor moves evenly, and a circle of confusion grows evenly with it: a pixel whose
sharpest frame is D has a circle of confusion of `COC_PX_PER_FRAME` |D - t| in frame t.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.photo import Photo
from focuskit.training.judging_cases import (
    Case,
    as_light,
    as_seen,
    densest,
    fitted_brightness,
    part_of,
)
from focuskit.training.judging_scenes import Part
from focuskit.training.sweeps import Sweep, read_sweep, scene_of_sweep

__all__ = ["COC_PX_PER_FRAME", "sweep_cases"]

COC_PX_PER_FRAME = 0.55
"""Growth of the circle of confusion from frame to frame, in pixels of the halved frames.

All-in-focus pictures put together by the depth index and blurred again come nearest to the frames
with .5 to .6 in all five scenes: all were taken with one camera.
"""

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

_BORDER_PX = 10
# Frames are chosen at these shares of what is nearer.
_NEAR, _MIDDLE, _FAR = 0.1, 0.5, 0.9
_LEAST_STEP_PX = 2.5
_LEAST_TEXTURE = 0.02
_IN_PLANE = 1
_LEAST_SHARE = 0.005
# Between these diameters sharp passes into blurred, as where labels are given.
_SHARP_PX, _BLURRED_PX = 1.3, 2.0
_UNTEXTURED_CONFIDENCE = 0.2
_MAGNIFIED_FROM_PX = 2.0
_MOST_FACTOR = 6.0
# Frames between a subject's plane and the two frames that show it out of focus.
_OUT, _FARTHER_OUT = 6, 14
_APART_PX = 9


def sweep_cases(folder: Path, part: Part) -> Iterator[Case]:
    """Yield refocusing between three planes of every sweep of a part, and its magnification.

    Args:
        folder: with SCENE/frameN.jpg and SCENE/depth_index.png.
        part: which scenes.

    Raises:
        InputError: a sweep cannot be read.
    """
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        scene = scene_of_sweep(each.name)
        if part_of(scene) == part:
            truth = _Truth(each.name, scene, read_sweep(each))
            yield from truth.refocused()
            yield from truth.magnified()


class _Truth:
    def __init__(self, name: str, scene: str, sweep: Sweep) -> None:
        self._name, self._scene = name, scene
        self._numbers = sweep.numbers
        self._lights = [as_light(frame) for frame in sweep.frames]
        self._depth = cv2.medianBlur(sweep.depth.astype(np.uint8), 5).astype(np.float32)
        self._judged = np.zeros(self._depth.shape, np.bool_)
        self._judged[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = True
        self._textured = self._texture() >= _LEAST_TEXTURE
        spread = np.quantile(self._depth[self._textured], (_NEAR, _MIDDLE, _FAR))
        self._planes = [self._index(float(depth)) for depth in spread]

    def refocused(self) -> Iterator[Case]:
        for start in self._planes:
            for goal in self._planes:
                step = abs(int(self._numbers[start]) - int(self._numbers[goal]))
                target = self._textured & self._judged
                target &= np.abs(self._depth - self._numbers[goal]) <= _IN_PLANE
                if COC_PX_PER_FRAME * step < _LEAST_STEP_PX or target.mean() < _LEAST_SHARE:
                    continue
                yield self._case("refocus", start, goal, {"point": densest(target)})

    def magnified(self) -> Iterator[Case]:
        """Yield frames edited to look like frames farther away from their subject's plane.

        Only those parts are judged that are farther out in both the same way: what lies beyond
        the second frame's plane gets sharper instead.
        """
        last = len(self._lights) - 1
        near, far = (float(self._numbers[self._planes[end]]) for end in (0, -1))
        ways = [(self._planes[0], 0), (self._planes[-1], last)]
        ways += [
            (self._index(depth + sign * _OUT), self._index(depth + sign * _FARTHER_OUT))
            for depth, sign in ((near, 1), (far, -1))
        ]
        for start, goal in ways:
            here, there = (self._depth - self._numbers[index] for index in (start, goal))
            farther = (np.sign(here) == np.sign(there)) & (np.abs(there) > np.abs(here))
            here, there = (COC_PX_PER_FRAME * np.abs(each) for each in (here, there))
            blurred = self._textured & self._judged & farther & (here >= _MAGNIFIED_FROM_PX)
            step = there[blurred].mean() - here[blurred].mean() if blurred.any() else 0.0
            if step < _LEAST_STEP_PX or blurred.mean() < _LEAST_SHARE:
                continue
            # No one factor fits all depths; this one is right where most of the blur is.
            factor = min(_MOST_FACTOR, float(there[blurred].sum() / here[blurred].sum()))
            judged = cv2.erode(farther.astype(np.uint8), np.ones((_APART_PX, _APART_PX))) > 0
            yield self._case("magnify", start, goal, {"factor": factor}, judged)

    def _case(
        self,
        operation: str,
        start: int,
        goal: int,
        settings: dict[str, object],
        judged: Mask | None = None,
    ) -> Case:
        before = self._lights[start]
        return Case(
            name=f"{self._name} {self._numbers[start]} to {self._numbers[goal]}",
            scene=self._scene,
            operation=operation,
            settings=settings,
            before=Photo(before),
            after=fitted_brightness(self._lights[goal], before, self._judged),
            judged=self._judged if judged is None else self._judged & judged,
            true_map=self._map_of(start),
        )

    def _map_of(self, index: int) -> BlurMap:
        behind = self._depth - self._numbers[index]
        coc_px = COC_PX_PER_FRAME * np.abs(behind)
        in_focus = np.clip((_BLURRED_PX - coc_px) / (_BLURRED_PX - _SHARP_PX), 0, 1)
        confidence = np.where(self._textured, 1.0, _UNTEXTURED_CONFIDENCE)
        return BlurMap(
            in_focus.astype(np.float32),
            coc_px.astype(np.float32),
            confidence.astype(np.float32),
            np.sign(behind).astype(np.int8),
        )

    def _index(self, depth: float) -> int:
        return int(np.abs(self._numbers - depth).argmin())

    def _texture(self) -> Map:
        """Return how much the picture varies around each pixel in the frame that shows it best."""
        nearest = np.abs(self._depth[None] - self._numbers[:, None, None]).argmin(axis=0)
        seen = np.stack([as_seen(light).mean(axis=2) for light in self._lights])
        sharp = np.take_along_axis(seen, nearest[None], axis=0)[0]
        mean, square = (cv2.GaussianBlur(each, (0, 0), 2.0) for each in (sharp, sharp * sharp))
        return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)), np.float32)
