"""Pictures to judge culling on: what is sharper than what is known, because it was rendered so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import linearise_srgb
from focuskit.cull.views import View, view_of
from focuskit.errors import InputError
from focuskit.optics.edges import COC_PER_SIGMA
from focuskit.optics.psf import motion_psf
from focuskit.photo import Photo
from focuskit.training.camera import develop
from focuskit.training.judging_cases import part_of
from focuskit.training.judging_scenes import Part
from focuskit.training.lens import Lens, random_lens
from focuskit.training.sweeps import scene_of_sweep

__all__ = ["SEEDS", "Camera", "Ranked", "Single", "Subject", "any_exposure_ev", "bursts"]
__all__ += [
    "ladders",
    "metered",
    "misfocus",
    "moved",
    "read_sharp",
    "softened",
    "steps_of_blur",
    "sweeps",
]

Pixels = NDArray[np.uint8]
Image = NDArray[np.float32]
Generator = np.random.Generator

OWN_SIGMA_PX = 0.6
"""Blur that the photos are taken to have of their own; what is drawn adds to it."""

SEEDS = {Part.DEVELOPMENT: 5100, Part.JUDGING: 8300}
_BORDER_PX = 4
_BOX_PX, _MARGIN_PX = 224, 12
_MOST_SHIFT_PX = 4
_LADDER_SIGMAS_PX = tuple(float(each) for each in np.geomspace(0.7, 6.0, 9))
_MOST_NOISE = 12 / 255
_ISOS = (100, 6400)
# A full-frame camera at ISO 100: 60 000 electrons per white, and what reading adds.
_SHOT, _READ = 1 / 60000, 4e-4
_MOST_EV, _MOST_TINT = 1 / 3, 0.05
_SWEEP_BOX_PX, _SWEEP_BORDER_PX = 112, 16
_BOXES_PER_SWEEP, _BOX_TRIES = 24, 1500
_MOST_DEPTH_SPAN, _LEAST_GRADIENT, _MOST_CLIPPED = 2.0, 0.02, 0.01
_NEAR_ENOUGH = 2


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A crisp photo and the box of it that is judged."""

    name: str
    light: Image
    x: int
    y: int


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Crops of one subject of which is known how they rank.

    Attributes:
        condition: for tables.
        crops: (H, W, 3) uint8, encoded sRGB.
        best: which of them may come first.
        in_order: they stand sharpest first, and the whole order counts.
        views: the whole pictures that they were cut from, tiny.
    """

    condition: str
    crops: tuple[Pixels, ...]
    best: frozenset[int]
    in_order: bool = False
    views: tuple[View, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Single:
    """A crop at 100 % and what is wrong with it: "sharp", "defocus" or "motion".

    Attributes:
        condition: for tables.
        crop: (H, W, 3) uint8, encoded sRGB.
        truth: one of the three.
        coc_px: diameter of the circle of confusion, or length of the path.
    """

    condition: str
    crop: Pixels
    truth: str
    coc_px: float = 0.0


def read_sharp(data: Path, part: Part, most: int | None = None) -> list[Subject]:
    """Return the photos of a part, which share no photo, each with its most textured box.

    Args:
        data: folder with sharp/*.jpg and rgbd/*_color.png.
        part: which half.
        most: read so many at most; None for all.

    Raises:
        InputError: there are none.
    """
    files = sorted((data / "sharp").glob("*.jpg"))
    # What the shipped networks never saw comes first.
    half = len(files) // 2
    chosen = files[:half] if part is Part.JUDGING else files[half:]
    colours = sorted((data / "rgbd").glob("*_color.png"))
    chosen += colours[:1] if part is Part.JUDGING else colours[1:]
    if not chosen:
        raise InputError(
            f"{data} holds no photos to judge culling on: sharp/*.jpg was expected in it."
        )
    return [_subject(file) for file in chosen[:most]]


def bursts(
    subjects: Sequence[Subject],
    part: Part,
    *,
    step_px: float,
    rounds: int = 2,
    uneven: bool = False,
) -> Iterator[Ranked]:
    """Yield bursts of 3 to 8 frames whose σ at the subject differ by `step_px` and more.

    Frames are shifted against each other by some pixels, and every one has noise of its own. Every
    other burst was taken at one ISO, the rest with automatic ISO: each frame has another one; with
    `uneven`, exposure and white balance are automatic, too.
    """
    for number, subject in enumerate(list(subjects) * rounds):
        rng = np.random.default_rng([SEEDS[part], 1, round(100 * step_px), number])
        sigmas = steps_of_blur(step_px, rng)
        automatic = number % 2 == 1
        camera, lens = Camera(rng), random_lens(rng)
        iso = _iso(rng)
        order = rng.permutation(len(sigmas))
        crops, views = [], []
        for sigma in sigmas[order]:
            iso = _iso(rng) if automatic else iso
            light = softened(subject.light, float(sigma), lens)
            if automatic and uneven:
                light = metered(light, any_exposure_ev(rng), rng)
            picture = camera.take(light, iso)
            crops.append(_cut(picture, subject, rng))
            views.append(_view(picture))
        best = frozenset({int(np.argmin(order))})
        own = "ISO, exposure, white balance" if uneven else "ISO"
        kind = f"{own} of its own on every frame" if automatic else "one ISO"
        yield Ranked(f"{step_px:g} px, {kind}", tuple(crops), best, views=tuple(views))


def steps_of_blur(step_px: float, rng: Generator) -> NDArray[np.float64]:
    """Return σ in pixels of 3 to 8 frames, rising by `step_px` to `step_px` + 0.2."""
    count = int(rng.integers(3, 9))
    sigmas = rng.uniform(OWN_SIGMA_PX, 2.0) + step_px * np.arange(count)
    sigmas[1:] += np.cumsum(rng.uniform(0, 0.2, count - 1))
    return np.asarray(sigmas, np.float64)


def any_exposure_ev(rng: Generator) -> float:
    """Return by how many stops automatic exposure may have it brighter, -1/3 to 1/3."""
    return float(rng.uniform(-_MOST_EV, _MOST_EV))


def metered(light: Image, exposure_ev: float, rng: Generator) -> Image:
    """Return a frame exposed like that, with up to 5 % of tint from automatic white balance."""
    tint = 1 + rng.uniform(-_MOST_TINT, _MOST_TINT, 3)
    return np.asarray(light * (2**exposure_ev * tint / tint.mean()).astype(np.float32))


def ladders(subjects: Sequence[Subject], part: Part) -> Iterator[Ranked]:
    """Yield each photo at nine strengths of blur: as it is, re-compressed, and with noise."""
    for number, subject in enumerate(subjects):
        rng = np.random.default_rng([SEEDS[part], 2, number])
        lens = random_lens(rng)
        rungs = [_encoded(softened(subject.light, each, lens)) for each in _LADDER_SIGMAS_PX]
        clean = tuple(_cut(rung, subject, None) for rung in rungs)
        squeezed = tuple(_compressed(rung, int(rng.integers(60, 96))) for rung in clean)
        level = rng.uniform(0, _MOST_NOISE)
        noisy = tuple(_grainy(rung, level, rng) for rung in clean)
        own = tuple(_grainy(rung, rng.uniform(0, _MOST_NOISE), rng) for rung in clean)
        for condition, crops in (
            ("as it is", clean),
            ("re-compressed, quality 60-95 at random", squeezed),
            ("with noise", noisy),
            ("with noise of its own on every rung", own),
        ):
            yield Ranked(condition, crops, frozenset({0}), in_order=True)


def misfocus(subjects: Sequence[Subject], part: Part, *, rounds: int = 4) -> Iterator[Single]:
    """Yield each photo sharp and out of focus, taken by different cameras at ISO 100 to 6400."""
    for number, subject in enumerate(list(subjects) * rounds):
        rng = np.random.default_rng([SEEDS[part], 3, number])
        for truth in ("sharp", "defocus"):
            coc = 0.0 if truth == "sharp" else float(np.exp(rng.uniform(np.log(4), np.log(16))))
            light = np.maximum(random_lens(rng).blur(subject.light, coc), np.float32(0))
            crop = _cut(Camera(rng).take(light, _iso(rng)), subject, rng)
            yield Single("CoC 4-16 px at 24 MP", crop, truth, coc)


def moved(subjects: Sequence[Subject], part: Part, *, rounds: int = 2) -> Iterator[Single]:
    """Yield each photo blurred by motion and by misfocus, 4 to 16 px."""
    for number, subject in enumerate(list(subjects) * rounds):
        rng = np.random.default_rng([SEEDS[part], 4, number])
        for truth in ("motion", "defocus"):
            size = float(rng.uniform(4, 16))
            if truth == "motion":
                psf = motion_psf(size, float(rng.uniform(0, 180)))
                light = np.asarray(cv2.filter2D(subject.light, -1, psf), np.float32)
            else:
                light = random_lens(rng).blur(subject.light, size)
            picture = Camera(rng).take(np.maximum(light, np.float32(0)), _iso(rng))
            yield Single("4-16 px", _cut(picture, subject, rng), truth, size)


def sweeps(folder: Path, part: Part) -> Iterator[Ranked]:
    """Yield textured boxes of real focal sweeps, as they are and with noise on every frame."""
    found = [each for each in sorted(folder.iterdir()) if each.is_dir()] if folder.is_dir() else []
    if not found:
        raise InputError(f"There is no sweep SCENE/frameN.jpg in {folder}.")
    for number, scene in enumerate(found):
        if part_of(scene_of_sweep(scene.name)) is part:
            yield from _sweep(scene, np.random.default_rng([SEEDS[part], 5, number]))


def _sweep(scene: Path, rng: Generator) -> Iterator[Ranked]:
    numbered = sorted(
        (int(found[1]), file)
        for file in scene.iterdir()
        if (found := re.fullmatch(r"frame(\d+)\.(?:jpg|png)", file.name))
    )
    numbers = np.array([number for number, _ in numbered])
    frames = [_read(file) for _, file in numbered]
    views = tuple(_view(frame) for frame in frames)
    depth = cv2.imread(str(scene / "depth_index.png"), cv2.IMREAD_GRAYSCALE)
    if depth is None or not frames:
        raise InputError(f"{scene} is no sweep: depth_index.png or its frames are missing.")
    boxes = 0
    for _ in range(_BOX_TRIES):
        x, y = (
            int(rng.integers(_SWEEP_BORDER_PX, side - _SWEEP_BOX_PX - _SWEEP_BORDER_PX))
            for side in (depth.shape[1], depth.shape[0])
        )
        box = (slice(y, y + _SWEEP_BOX_PX), slice(x, x + _SWEEP_BOX_PX))
        low, median, high = np.quantile(depth[box], (0.1, 0.5, 0.9))
        sharpest = frames[int(np.abs(numbers - median).argmin())][box]
        if high - low > _MOST_DEPTH_SPAN or not _textured(sharpest):
            continue
        best = frozenset(np.flatnonzero(np.abs(numbers - median) <= _NEAR_ENOUGH).tolist())
        clean = tuple(np.ascontiguousarray(frame[box]) for frame in frames)
        yield Ranked("as taken", clean, best, views=views)
        noisy = tuple(_grainy(crop, rng.uniform(0, _MOST_NOISE), rng) for crop in clean)
        yield Ranked("noise of its own on every frame", noisy, best, views=views)
        boxes += 1
        if boxes == _BOXES_PER_SWEEP:
            return


def _textured(crop: Pixels) -> bool:
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
    smooth = cv2.GaussianBlur(gray, (0, 0), 1.0)
    x, y = (cv2.Sobel(smooth, cv2.CV_32F, dx, dy, scale=1 / 8) for dx, dy in ((1, 0), (0, 1)))
    gradient = float(np.sqrt(np.mean(x * x + y * y)))
    return gradient >= _LEAST_GRADIENT and float((gray > 0.97).mean()) <= _MOST_CLIPPED


class Camera:
    """One camera with its settings: what it does to every frame, but for the noise.

    Args:
        rng: where all chance comes from.
    """

    def __init__(self, rng: Generator) -> None:
        self._settings = int(rng.integers(1 << 31))
        self._rng = rng

    def any_iso(self) -> float:
        """Return an ISO from 100 to 6400."""
        return _iso(self._rng)

    def take(self, light: Image, iso: float) -> Pixels:
        """Return linear light as the camera writes it, (H, W, 3) uint8, encoded sRGB."""
        gain = iso / 100
        deviation = np.sqrt(np.maximum(light, 0) * np.float32(_SHOT * gain) + (_READ * gain) ** 2)
        grain = self._rng.standard_normal(light.shape, dtype=np.float32)
        seen = np.maximum(light + deviation.astype(np.float32) * grain, np.float32(0))
        return develop(seen, _Frozen(self._settings, self._rng), strength=0.3)


class _Frozen(np.random.Generator):
    """Chance that is drawn alike for every frame, but for noise, which never repeats."""

    def __init__(self, seed: int, noise: Generator) -> None:
        super().__init__(np.random.PCG64(seed))
        self._noise = noise

    def standard_normal(self, *given: Any, **named: Any) -> Any:
        return self._noise.standard_normal(*given, **named)


def _iso(rng: Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(_ISOS))))


def softened(light: Image, sigma_px: float, lens: Lens) -> Image:
    """Return a crisp photo out of focus, so that its blur is `sigma_px` in all."""
    added = np.sqrt(max(sigma_px**2 - OWN_SIGMA_PX**2, 0.0))
    return np.maximum(lens.blur(light, COC_PER_SIGMA * float(added)), np.float32(0))


def _view(picture: Pixels) -> View:
    small = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return view_of(Photo(linearise_srgb(small.astype(np.float32) / np.float32(255))))


def _encoded(light: Image) -> Pixels:
    return develop(light, np.random.default_rng(0), strength=0.0)


def _cut(picture: Pixels, subject: Subject, rng: Generator | None) -> Pixels:
    shift_x, shift_y = (0, 0) if rng is None else rng.integers(-_MOST_SHIFT_PX, 5, 2).tolist()
    x, y = subject.x + shift_x, subject.y + shift_y
    return np.ascontiguousarray(picture[y : y + _BOX_PX, x : x + _BOX_PX])


def _compressed(crop: Pixels, quality: int) -> Pixels:
    _, data = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def _grainy(crop: Pixels, sigma: float, rng: Generator) -> Pixels:
    grain = rng.standard_normal(crop.shape[:2], dtype=np.float32)[..., None]
    noisy = crop.astype(np.float32) + np.float32(255 * sigma) * grain
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _read(file: Path) -> Pixels:
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise InputError(f"The photo {file} is missing or damaged.")
    return np.asarray(picture, np.uint8)


def _subject(file: Path) -> Subject:
    # Scans end in a dark line, which is sharp in every photo.
    rgb = _read(file)[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX]
    if max(rgb.shape[:2]) > 2 * (_BOX_PX + 2 * _MARGIN_PX):
        size = (rgb.shape[1] // 2, rgb.shape[0] // 2)
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    gray = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    x, y = (cv2.Sobel(gray, cv2.CV_32F, dx, dy) for dx, dy in ((1, 0), (0, 1)))
    energy = cv2.boxFilter(x * x + y * y, -1, (_BOX_PX, _BOX_PX), anchor=(0, 0))
    inner = energy[
        _MARGIN_PX : gray.shape[0] - _BOX_PX - _MARGIN_PX,
        _MARGIN_PX : gray.shape[1] - _BOX_PX - _MARGIN_PX,
    ]
    top, left = np.unravel_index(int(np.argmax(inner)), inner.shape)
    light = linearise_srgb(rgb.astype(np.float32) / np.float32(255))
    return Subject(file.stem, light, int(left) + _MARGIN_PX, int(top) + _MARGIN_PX)
