"""Whole photos of bursts as files: does culling a folder of them rank the sharpest first?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from focuskit.batch.culling import cull_library
from focuskit.batch.judge import Judge
from focuskit.batch.library import find_shots
from focuskit.training.judging_cull_cases import (
    SEEDS,
    Camera,
    Subject,
    any_exposure_ev,
    metered,
    softened,
    steps_of_blur,
)
from focuskit.training.judging_scenes import Part
from focuskit.training.lens import random_lens

__all__ = ["WholeBurst", "judge_bursts", "whole_bursts"]

Light = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Generator = np.random.Generator

_STEPS_PX = (0.7, 0.4)
_START = datetime(2026, 5, 17, 10, 30)
_FRAME_GAP_S, _BURST_GAP_S = 0.2, 60
_EXIF, _MODEL, _TAKEN, _SUBSECONDS = 0x8769, 0x0110, 0x9003, 0x9291
_ISO, _SHUTTER, _APERTURE = 0x8827, 0x829A, 0x829D
_QUALITY = 96
# How far a camera held by hand moves from frame to frame, and how far a subject does, as shares of
# the frame.
_DRIFT, _STRIDE = 0.012, 0.03
_MARGIN = 0.08
_FRAME_PX, _SUBJECT_PX = (1200, 800), (300, 280)
_SOFT_RIM_PX = 3.0
_GROUND_COC_PX = (8.0, 16.0)


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A photo, (H, W, 3) uint8, encoded sRGB, and what the camera writes about it."""

    pixels: Pixels
    iso: int
    exposure_s: float


@dataclass(frozen=True, slots=True, eq=False)
class WholeBurst:
    """Frames of one scene, of which one is the sharpest at the subject.

    Attributes:
        condition: for tables.
        frames: in the order in which they were taken.
        best: which is the sharpest.
    """

    condition: str
    frames: tuple[Taken, ...]
    best: int


def whole_bursts(subjects: Sequence[Subject], part: Part) -> Iterator[WholeBurst]:
    """Yield bursts of 3 to 8 whole photos from a camera held by hand.

    Half show a scene that is all in one plane, half a subject that moves before a ground out of
    focus. Every other one was taken with everything automatic: ISO 100 to 6400, exposure within a
    third of a stop and white balance differ from frame to frame.

    Args:
        subjects: crisp photos; the ground comes from the next one.
        part: which chance.
    """
    for step_px in _STEPS_PX:
        for number, subject in enumerate(subjects):
            ground = subjects[(number + 1) % len(subjects)]
            rng = np.random.default_rng([SEEDS[part], 6, round(100 * step_px), number])
            yield _scene(subject, step_px, number % 2 == 1, rng)
            yield _portrait(subject, ground, step_px, number % 2 == 1, rng)


def judge_bursts(
    subjects: Sequence[Subject], part: Part, sharpness: dict[str, Callable[[Pixels], float]]
) -> Iterator[tuple[str, str, bool]]:
    """Cull folders of bursts as the command does, and yield condition, method and whether right.

    Right is that the frames were found to be one burst and the sharpest was ranked first.

    Args:
        subjects: crisp photos.
        part: which chance.
        sharpness: of other methods by name, taken of the whole grey photo.
    """
    with tempfile.TemporaryDirectory(prefix="focuskit-bursts-") as folder:
        cases: list[tuple[str, int, list[str]]] = []
        for number, burst in enumerate(whole_bursts(subjects, part)):
            cases.append((burst.condition, burst.best, _written(Path(folder), number, burst)))
            for name, measure in sharpness.items():
                scores = [measure(_gray(frame.pixels)) for frame in burst.frames]
                yield burst.condition, name, int(np.argmax(scores)) == burst.best
        culled = cull_library(find_shots([Path(folder)]), Judge())
    places = {
        judgement.shot.name: decision.place
        for judgement, decision in zip(culled.judgements, culled.decisions, strict=True)
    }
    for condition, best, names in cases:
        place = places.get(names[best])
        whole = place is not None and place.kind == "burst" and place.size == len(names)
        together = {(each.kind, each.number) for name in names if (each := places.get(name))}
        yield (
            condition,
            "focuskit",
            whole and len(together) == 1 and place is not None and place.rank == 1,
        )


def _scene(subject: Subject, step_px: float, automatic: bool, rng: Generator) -> WholeBurst:
    sigmas, best = _sigmas(step_px, rng)
    light, lens = subject.light, random_lens(rng)
    height, width = (round(side * (1 - 2 * _MARGIN)) for side in light.shape[:2])
    walk = _walk(len(sigmas), _DRIFT, rng)
    camera = _Automatic(automatic, rng)
    frames = []
    for sigma, (x, y) in zip(sigmas, walk, strict=True):
        soft = softened(light, sigma, lens)
        left = round((light.shape[1] - width) * (0.5 + x / (2 * _MARGIN)))
        top = round((light.shape[0] - height) * (0.5 + y / (2 * _MARGIN)))
        frames.append(camera.take(soft[top : top + height, left : left + width]))
    return WholeBurst(f"{step_px:g} px, one plane", tuple(frames), best)


def _portrait(
    subject: Subject, ground: Subject, step_px: float, automatic: bool, rng: Generator
) -> WholeBurst:
    sigmas, best = _sigmas(step_px, rng)
    lens = random_lens(rng)
    width, height = _FRAME_PX
    margin_x, margin_y = round(width * _MARGIN), round(height * _MARGIN)
    size = (width + 2 * margin_x, height + 2 * margin_y)
    enlarged = np.asarray(cv2.resize(ground.light, size), np.float32)
    behind = lens.blur(enlarged, float(rng.uniform(*_GROUND_COC_PX)))
    drift = _walk(len(sigmas), _DRIFT, rng)
    stride = _walk(len(sigmas), _STRIDE, rng)
    camera = _Automatic(automatic, rng)
    start = rng.uniform(0.3, 0.7, 2)
    frames = []
    for sigma, (x, y), moved in zip(sigmas, drift, stride, strict=True):
        left, top = round(margin_x + x * width), round(margin_y + y * height)
        frame = behind[top : top + height, left : left + width].copy()
        at = (start + moved - (x, y)) * _FRAME_PX
        _paste(frame, subject, softened(subject.light, sigma, lens), at, sigma)
        frames.append(camera.take(np.maximum(frame, np.float32(0))))
    return WholeBurst(f"{step_px:g} px, moving subject", tuple(frames), best)


def _paste(
    frame: Light, subject: Subject, light: Light, at: NDArray[np.float64], sigma_px: float
) -> None:
    across = min(_SUBJECT_PX[0], light.shape[1])
    down = min(_SUBJECT_PX[1], light.shape[0])
    left = min(subject.x, light.shape[1] - across)
    top = min(subject.y, light.shape[0] - down)
    cut = light[top : top + down, left : left + across]
    mask = np.zeros((down, across), np.float32)
    middle, axes = (across // 2, down // 2), (across // 2 - 12, down // 2 - 12)
    cv2.ellipse(mask, middle, axes, 0, 0, 360, 1.0, cv2.FILLED)
    rim = cv2.GaussianBlur(mask, (0, 0), float(np.hypot(_SOFT_RIM_PX, sigma_px)))[..., None]
    x = int(np.clip(at[0] - across / 2, 0, frame.shape[1] - across))
    y = int(np.clip(at[1] - down / 2, 0, frame.shape[0] - down))
    room = frame[y : y + down, x : x + across]
    room[:] = room + rim * (cut - room)


class _Automatic:
    """A camera that, left to itself, sets every frame anew."""

    def __init__(self, automatic: bool, rng: Generator) -> None:
        self._camera, self._rng = Camera(rng), rng
        self._automatic = automatic
        self._iso = self._camera.any_iso()

    def take(self, light: Light) -> Taken:
        exposure_ev = 0.0
        if self._automatic:
            self._iso, exposure_ev = self._camera.any_iso(), any_exposure_ev(self._rng)
            light = metered(light, exposure_ev, self._rng)
        # The shutter makes up for the ISO.
        exposure_s = 2**exposure_ev / self._iso
        return Taken(self._camera.take(light, self._iso), round(self._iso), exposure_s)


def _sigmas(step_px: float, rng: Generator) -> tuple[list[float], int]:
    sigmas = steps_of_blur(step_px, rng)
    order = rng.permutation(len(sigmas))
    return [float(sigma) for sigma in sigmas[order]], int(np.argmin(order))


def _walk(count: int, share: float, rng: Generator) -> NDArray[np.float64]:
    steps = rng.normal(0, share, (count, 2)).cumsum(axis=0)
    return np.asarray(np.clip(steps, -_MARGIN, _MARGIN), np.float64)


def _written(folder: Path, number: int, burst: WholeBurst) -> list[str]:
    names = []
    for index, frame in enumerate(burst.frames):
        at = _START + timedelta(seconds=number * _BURST_GAP_S + index * _FRAME_GAP_S)
        exif = Image.Exif()
        exif[_MODEL] = "Rendered"
        written = exif.get_ifd(_EXIF)
        written[_TAKEN] = at.strftime("%Y:%m:%d %H:%M:%S")
        written[_SUBSECONDS] = f"{at.microsecond // 1000:03d}"
        written[_ISO], written[_SHUTTER], written[_APERTURE] = frame.iso, frame.exposure_s, 4.0
        names.append(f"IMG_{number:04d}_{index}.jpg")
        Image.fromarray(frame.pixels).save(folder / names[-1], quality=_QUALITY, exif=exif)
    return names


def _gray(frame: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
