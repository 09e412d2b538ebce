"""All detectors at work on the same six photos, as one picture beside the truth.

Three are a photograph with measured disparity (scikit-image's motorcycle), drawn as a lens would
with the plane of focus near, in the middle and far; three are scenes papered with pieces of sharp
photos. No photo that anything was trained or judged on may be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encode_srgb, encoding_of, linearise
from focuskit.detect import DETECTORS
from focuskit.photo import Photo
from focuskit.training.judging_depths import motorcycle
from focuskit.training.reference import draw_defocused, draw_sharp
from focuskit.training.scenes import SceneMaker
from focuskit.training.systems_table import SIDE

__all__ = ["draw_systems"]

Map = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Advance = Callable[[int, int, int], None]

_COUNT = 6
# Shares of the motorcycle's pixels that lie behind the plane of focus.
_FARTHER = (0.95, 0.65, 0.1)
_MOST_COC_PX = 30.0
# Circles of confusion in the drawn motorcycle, in its pixels: in focus up to one, out from the
# other on.
_SHARP_PX, _BLURRED_PX = 3.0, 6.0
# Chosen by eye among the first thirty: each has large parts in focus and out of it.
_SCENES = (5, 19, 2, 15, 21, 28)
_CELL_PX, _LABEL_PX, _GAP_PX = 150, 190, 4
_UNDECIDED = 0.5


def draw_systems(
    names: Sequence[str], textures: Sequence[Pixels], advance: Advance | None = None
) -> Pixels:
    """Draw six photos, their truth, and the maps of all detectors below each other.

    Args:
        names: of DETECTORS.
        textures: what the scenes are papered with, (H, W, 3) uint8 encoded sRGB.
        advance: told after each photo: done, all, failed.

    Returns:
        (H, W, 3) uint8 RGB; maps are white where in focus, the truth gray where undecided.
    """
    columns = []
    for done, (shown, truth) in enumerate(islice(_photos(textures), _COUNT), 1):
        photo = Photo(linearise(shown, encoding_of("srgb")))
        maps = [truth, *(DETECTORS.get(name)(photo).in_focus_probability for name in names)]
        grays = [cv2.cvtColor(_levels(each), cv2.COLOR_GRAY2RGB) for each in maps]
        columns.append(np.concatenate([_cell(np.asarray(x)) for x in (shown, *grays)]))
        if advance is not None:
            advance(done, _COUNT, 0)
    labels = [_label(text) for text in ("photo", "truth", *names)]
    return np.concatenate([np.concatenate(labels), *columns], axis=1)


def _photos(textures: Sequence[Pixels]) -> Iterator[tuple[Pixels, Map]]:
    for farther in _FARTHER:
        scene = motorcycle(farther, _MOST_COC_PX)
        if scene is None:
            break
        light = draw_defocused(scene.surfaces, scene.opening)[scene.inner]
        _, coc = draw_sharp(scene.surfaces)
        small = cv2.resize(light.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        off = (np.abs(coc[scene.inner]) - _SHARP_PX) / (_BLURRED_PX - _SHARP_PX)
        truth = np.where(off <= 0, 1, np.where(off >= 1, 0, _UNDECIDED)).astype(np.float32)
        truth = np.asarray(cv2.resize(truth, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
        yield _levels(encode_srgb(np.clip(small, 0, 1).astype(np.float32))), truth
    maker = SceneMaker(textures)
    for seed in _SCENES:
        example = maker.make(np.random.default_rng([1, seed]), size=(SIDE, SIDE))
        yield (
            example.rgb,
            np.where(example.weight > 0, example.in_focus, np.float32(_UNDECIDED)),
        )


def _levels(share: Map) -> Pixels:
    return np.rint(share * 255).astype(np.uint8)


def _cell(picture: Pixels) -> Pixels:
    side = _CELL_PX - _GAP_PX
    cell = np.full((_CELL_PX, _CELL_PX, 3), 255, np.uint8)
    cell[:side, :side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return cell


def _label(text: str) -> Pixels:
    label = np.full((_CELL_PX, _LABEL_PX, 3), 255, np.uint8)
    place = (4, _CELL_PX // 2)
    cv2.putText(label, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (30, 30, 30), 1, cv2.LINE_AA)
    return label
