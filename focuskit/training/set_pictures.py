"""Pictures that sets are made of: photos, parts of them, and what happens to frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import linearise_srgb
from focuskit.errors import InputError
from focuskit.training.judging_scenes import Part

__all__ = ["FRAME", "Light", "blurred", "depths", "exposed", "focused", "paste"]
__all__ += ["photos", "real_stacks", "resized", "window"]

Light = NDArray[np.float32]
Generator = np.random.Generator

FRAME = (240, 160)
"""Width and height of a frame in pixels."""

_WIDE = (640, 427)
_FOLDERS = ("cuhk-dbd/photos", "sharp")
_SWEEPS = {
    Part.DEVELOPMENT: ("averyWatch7", "averyWatch10", "math", "exp10"),
    Part.JUDGING: ("avery3", "flowerLady", "joe2", "joeBar6"),
}


def photos(part: Part, data: Path, seed: int) -> Callable[[], Light]:
    """Return what gives one photo after the other; none comes twice."""
    files = sorted(file for folder in _FOLDERS for file in (data / folder).glob("*.jpg"))
    own = files[0::2] if part is Part.DEVELOPMENT else files[1::2]
    if not own:
        raise InputError(f"There are no photos (.jpg) in {' or '.join(_FOLDERS)} below {data}.")
    rng = np.random.default_rng(seed)
    queue: Iterator[int] = iter(())

    def photo() -> Light:
        nonlocal queue
        index = next(queue, None)
        if index is None:
            queue = iter(rng.permutation(len(own)).tolist())
            index = next(queue)
        return _read(own[index], _WIDE)

    return photo


def _read(file: Path, size: tuple[int, int]) -> Light:
    encoded = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
    if encoded is None:
        raise InputError(f"The photo {file} is damaged.")
    if encoded.shape[0] > encoded.shape[1]:
        encoded = np.ascontiguousarray(np.rot90(encoded))
    small = cv2.resize(np.asarray(encoded, np.uint8), size, interpolation=cv2.INTER_AREA)
    return np.asarray(linearise_srgb(small.astype(np.float32) / np.float32(255)), np.float32)


def real_stacks(part: Part, data: Path) -> Iterator[list[Light]]:
    """Yield the frames of every real focus stack of a part that is there, nearest first."""
    for name in _SWEEPS[part]:
        files = sorted(
            (data / "focal-sweeps" / name).glob("frame*.jpg"),
            key=lambda file: int(file.stem.removeprefix("frame")),
        )
        if files:
            yield [_read(file, (860, 679)) for file in files]
    pcb = sorted((data / "focus-stacks" / "pcb").glob("pcb_*.jpg"))
    if pcb and part is Part.JUDGING:
        yield [_read(file, (1500, 1125)) for file in pcb]


def window(scene: Light, size: float, x: float, y: float) -> Light:
    """Cut out a share of the scene, its place given in shares of the room that is left."""
    height, width = (round(side * size) for side in scene.shape[:2])
    left = (scene.shape[1] - width) * float(np.clip(x, 0, 1)) + width / 2 - 0.5
    top = (scene.shape[0] - height) * float(np.clip(y, 0, 1)) + height / 2 - 0.5
    cut = cv2.getRectSubPix(scene, (width, height), (left, top))
    return resized(np.asarray(cut, np.float32), FRAME)


def resized(light: Light, size: tuple[int, int]) -> Light:
    """Return a picture of another size (width, height) in pixels."""
    return np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)


def blurred(light: Light, sigma_px: float) -> Light:
    """Return a picture blurred evenly."""
    return np.asarray(cv2.GaussianBlur(light, (0, 0), float(sigma_px)), np.float32)


def paste(frame: Light, subject: Light, x: int, y: int) -> None:
    """Put an ellipse of the subject into the frame, its corner at (x, y) px."""
    room = frame[y : y + subject.shape[0], x : x + subject.shape[1]]
    mask = np.zeros(subject.shape[:2], np.uint8)
    cv2.ellipse(mask, (35, 35), (30, 32), 0, 0, 360, 255, cv2.FILLED)
    inside = mask[: room.shape[0], : room.shape[1]] > 0
    room[inside] = subject[: room.shape[0], : room.shape[1]][inside]


def exposed(
    frames: Sequence[Light], stops: NDArray[np.float64], base: float, ambient: float = 0.0
) -> list[Light]:
    """Return frames exposed by so many stops around `base`; `ambient` light stays as it is."""
    return [
        np.minimum(frame * np.float32(base * (ambient + (1 - ambient) * 2**stop)), np.float32(1))
        for frame, stop in zip(frames, stops, strict=True)
    ]


def depths(rng: Generator, shape: tuple[int, ...]) -> Light:
    """Return depth from 0 to 1: a slope, with something on it that stands nearer."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    depth = (slope - slope.min()) / np.ptp(slope)
    bump = np.exp(-(((x / shape[1] - 0.5) / 0.2) ** 2 + ((y / shape[0] - 0.5) / 0.2) ** 2))
    return np.asarray(np.clip(depth - 0.4 * bump, 0, 1), np.float32)


def focused(scene: Light, depth: Light, plane: float, reach_px: float) -> Light:
    """Return the scene focused at a depth, between pictures evenly blurred."""
    coc = np.abs(depth - np.float32(plane)) * np.float32(reach_px)
    sigmas = np.linspace(0, reach_px / 4, 9)
    level = np.clip(coc / np.float32(4) / np.float32(sigmas[1]), 0, 7.999)
    levels = np.stack([scene, *(blurred(scene, sigma) for sigma in sigmas[1:])])
    low = np.floor(level).astype(int)
    rows, columns = np.indices(depth.shape)
    part = (level - low)[..., None]
    return np.asarray(
        levels[low, rows, columns] * (1 - part) + levels[low + 1, rows, columns] * part,
        np.float32,
    )
