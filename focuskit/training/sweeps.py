"""Focal sweeps: many photos of one scene, each focused a little further away.

For every pixel the authors of a sweep tell which frame shows it sharpest; the frames themselves
are asked too. A frame is in focus where both say that it is close to the sharpest one, blurred
where both say that it is far away; how close and how far is measured from how fast each sweep loses
detail. Where texture is missing, highlights are clipped or depth jumps, nothing is said.

The frames are halved: at full size their sharpest edges are as soft as a circle of confusion of two
or three pixels, which would teach that soft is sharp.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import FocuskitError, InputError, ShapeError
from focuskit.optics.edges import gradient_energies
from focuskit.optics.noise import measure_noise
from focuskit.training.example import Example
from focuskit.training.pairs import MIN_FINE_RATIO, develop, gray_of, settle

__all__ = [
    "EXCLUDED_SWEEPS",
    "MAX_FRAMES_PER_SWEEP",
    "Sweep",
    "read_sweep",
    "read_sweeps",
    "scene_of_sweep",
]

_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())

EXCLUDED_SWEEPS: dict[str, str] = {}
"""Sweeps whose truth was looked at and found wrong, with the reason."""

MAX_FRAMES_PER_SWEEP = 8
"""Neighbouring frames are near-duplicates: so many, evenly spread, are returned."""

# Wrist-watches before the same house, and the same mug in two cafés: no split may part them.
_SCENES = {
    "averyWatch7": "avery",
    "averyWatch10": "avery",
    "math": "avery",
    "joe2": "mug",
    "joeBar6": "mug",
}
_MIN_FRAMES = 3
_WINDOW = 3.0
_MIN_GRADIENT = 0.015
_CLIPPED = np.float32(0.9)
# Share of its best |gradient|^2 that a pixel keeps while nobody would call it blurred.
_STILL_SHARP = np.float32(0.7)
_SHARE_BLURRED = 0.8
# The median error of the given numbers is one to two frames.
_AGREED = 2
_JUMP_PX = 13
_BORDER_PX = 8

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


def read_sweeps(path: Path) -> list[Example]:
    """Read up to `MAX_FRAMES_PER_SWEEP` frames of every usable sweep under `path`.

    The layout is SCENE/frameN.jpg with SCENE/depth_index.png, which holds for each pixel the
    1-based number N of its sharpest frame. Sweeps that cannot be used are left out; the log says
    which and why.

    Raises:
        InputError: `path` is not a folder, or holds no usable sweep.
    """
    if not path.is_dir():
        raise InputError(
            f"{path} is not a folder: expected SCENE/frameN.jpg and SCENE/depth_index.png in it."
        )
    examples: list[Example] = []
    for folder in sorted(each for each in path.iterdir() if each.is_dir()):
        try:
            if folder.name in EXCLUDED_SWEEPS:
                raise InputError(EXCLUDED_SWEEPS[folder.name])
            examples += _examples(read_sweep(folder), scene_of_sweep(folder.name))
        except FocuskitError as exc:
            _LOG.warning("The sweep %s is left out: %s", folder.name, exc)
    if not examples:
        raise InputError(f"There is no usable sweep SCENE/frameN.jpg in {path}.")
    return examples


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """The frames of a scene, halved, near to far.

    Attributes:
        numbers: (N,) of the frames; gaps are allowed.
        frames: N pictures (H, W, 3) uint8.
        depth: (H, W) number of the sharpest frame, as the authors found it.
    """

    numbers: NDArray[np.int32]
    frames: list[NDArray[np.uint8]]
    depth: NDArray[np.int32]


def scene_of_sweep(name: str) -> str:
    """Return what the sweep in a folder of this name must not be split from."""
    return _SCENES.get(name, name)


def read_sweep(folder: Path) -> Sweep:
    """Read all frames of one sweep.

    Raises:
        InputError: there are too few of them.
        PhotoUnreadableError, ShapeError: a file is damaged or of another size.
    """
    files = sorted((int(found[1]), file) for file in folder.iterdir() if (found := _frame(file)))
    if len(files) < _MIN_FRAMES:
        raise InputError(f"{len(files)} frames found; at least {_MIN_FRAMES} are needed.")
    depth = _read_depth(folder / "depth_index.png")
    frames = []
    for _, file in files:
        frame = develop(file)
        if frame.shape[:2] != depth.shape:
            raise ShapeError(
                f"{file.name} is {frame.shape[1]}×{frame.shape[0]} pixels, "
                f"depth_index.png {depth.shape[1]}×{depth.shape[0]}."
            )
        frames.append(_halved(frame, cv2.INTER_AREA))
    numbers = np.array([number for number, _ in files], np.int32)
    # The mean of a near and a far frame's number would be a frame that shows neither.
    return Sweep(numbers, frames, _halved(depth, cv2.INTER_NEAREST).astype(np.int32))


def _frame(file: Path) -> re.Match[str] | None:
    return re.fullmatch(r"frame(\d+)\.(?:jpe?g|png)", file.name, re.ASCII | re.IGNORECASE)


def _halved(picture: NDArray[np.uint8], interpolation: int) -> NDArray[np.uint8]:
    size = (picture.shape[1] // 2, picture.shape[0] // 2)
    if min(size) <= 2 * _BORDER_PX:
        raise ShapeError(f"{picture.shape[1]}×{picture.shape[0]} pixels are too few.")
    even = picture[: 2 * size[1], : 2 * size[0]]
    return np.asarray(cv2.resize(even, size, interpolation=interpolation), np.uint8)


def _read_depth(path: Path) -> NDArray[np.uint8]:
    # The same reader as for frames: a grey file comes back as three equal channels.
    return np.ascontiguousarray(develop(path)[:, :, 0])


class _Sharpness:
    """How sharp every pixel of every frame is, compared with its sharpest frame."""

    def __init__(self, sweep: Sweep) -> None:
        grays = [gray_of(frame) for frame in sweep.frames]
        noise = min(measure_noise(gray) for gray in grays)
        energies = [gradient_energies(gray, noise) for gray in grays]
        before = np.stack([_pooled(each) for each, _ in energies])
        best = np.maximum(before.max(axis=0), np.float32(1e-12))
        after = np.stack([_pooled(each) for _, each in energies])
        self.peak = sweep.numbers[before.argmax(axis=0)]
        self.flat: Mask = best < np.float32(_MIN_GRADIENT**2)
        self.sharp: Mask = (before >= _STILL_SHARP * best) & (before > MIN_FINE_RATIO * after)
        # Less detail than the sharpest frame would keep under a Gaussian of one pixel.
        self.blurred: Mask = before < after.max(axis=0)
        self.kept: Map = before / best
        self.clipped: Mask = np.max([_pooled(gray) for gray in grays], axis=0) > _CLIPPED


def _examples(sweep: Sweep, scene: str) -> list[Example]:
    sharpness = _Sharpness(sweep)
    inside = _inside(sweep.depth.shape)
    usable = ~sharpness.flat & ~sharpness.clipped & inside
    agreed = usable & (np.abs(sweep.depth - sharpness.peak) <= _AGREED)
    near, far = _reach(sweep, sharpness, agreed)
    _LOG.info("%s: in focus up to %d frames away, blurred from %d.", scene, near, far)
    usable &= ~_jumps(sweep.depth, far)
    count = min(MAX_FRAMES_PER_SWEEP, len(sweep.frames))
    chosen = np.linspace(0, len(sweep.frames) - 1, count).round().astype(int)
    examples = []
    for index in chosen.tolist():
        away = _away(sweep, sharpness, index)
        sharp = usable & sharpness.sharp[index] & (away.max(axis=0) <= near)
        blurred = usable & sharpness.blurred[index] & (away.min(axis=0) >= far)
        in_focus, weight = settle(sharp, blurred, sharpness.flat & ~sharpness.clipped)
        in_focus, weight = in_focus * inside, weight * inside
        unknown = np.full(inside.shape, np.nan, np.float32)
        examples.append(Example(sweep.frames[index], in_focus, weight, unknown, "sweep", scene))
    return examples


def _away(sweep: Sweep, sharpness: _Sharpness, index: int) -> NDArray[np.int32]:
    """How many frames away from the sharpest one, (2, H, W): as given and as measured."""
    away = np.abs(np.stack([sweep.depth, sharpness.peak]) - sweep.numbers[index])
    return np.asarray(away, np.int32)


def _reach(sweep: Sweep, sharpness: _Sharpness, usable: Mask) -> tuple[int, int]:
    """Up to how many frames away half the pixels stay sharp, and from where on most are blurred."""
    away = np.abs(sweep.depth[None] - sweep.numbers[:, None, None])
    last = int(sweep.numbers[-1] - sweep.numbers[0])
    near, far = 0, last + 1
    for distance in range(last, -1, -1):
        there = (away == distance) & usable
        if not there.any():
            continue
        if sharpness.blurred[there].mean() < _SHARE_BLURRED:
            break
        far = distance
    for distance in range(far):
        there = (away == distance) & usable
        if there.any() and float(np.median(sharpness.kept[there])) < _STILL_SHARP:
            break
        near = distance
    return near, far


def _jumps(depth: NDArray[np.int32], far: int) -> Mask:
    """True around steps of depth: what is blurred there spills over what is sharp."""
    numbers = depth.astype(np.float32)
    kernel = np.ones((_JUMP_PX, _JUMP_PX), np.uint8)
    return np.asarray(cv2.dilate(numbers, kernel) - cv2.erode(numbers, kernel) >= far, np.bool_)


def _inside(shape: tuple[int, ...]) -> Mask:
    inside = np.zeros(shape, np.bool_)
    inside[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = True
    return inside


def _pooled(values: Map) -> Map:
    pooled = cv2.GaussianBlur(values, (0, 0), _WINDOW, borderType=cv2.BORDER_REFLECT)
    return np.asarray(pooled, np.float32)
