"""Libraries of which it is known what belongs together: is everything put into the right set?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import linearise_srgb
from focuskit.cull.sets import Fingerprint, find_sets, fingerprint
from focuskit.errors import InputError
from focuskit.photo import Exif, Photo
from focuskit.training.judging_scenes import Part

__all__ = ["SetLibrary", "judge_sets", "set_library"]

Light = NDArray[np.float32]
Generator = np.random.Generator
Row = dict[str, Any]

_START = datetime(2026, 5, 17, 10, 30)
_SEEDS = {Part.DEVELOPMENT: 5100, Part.JUDGING: 8300}
_SWEEPS = {
    Part.DEVELOPMENT: ("averyWatch7", "averyWatch10", "math", "exp10"),
    Part.JUDGING: ("avery3", "flowerLady", "joe2", "joeBar6"),
}
_FRAME = (240, 160)
_WIDE = (640, 427)
_FOLDERS = ("cuhk-dbd/photos", "sharp")
_ROUNDS = 6
_NOISE = 0.004


@dataclass
class SetLibrary:
    """Shots of generated sets.

    Attributes:
        shots: what grouping knows of each.
        kinds: what each is one of: a kind of set, or "single".
        cases: what each is one of, more closely: for tables.
        truth: the number of the set that each belongs to.
    """

    shots: list[Fingerprint] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    truth: list[int] = field(default_factory=list)


def judge_sets(part: Part, data: Path, *, rounds: int = _ROUNDS) -> list[Row]:
    """Return for every kind of set how many of its shots were put into exactly the right set.

    Args:
        part: photos and seeds to choose constants on, or others to judge the outcome on.
        data: folder with cuhk-dbd, sharp, focal-sweeps and focus-stacks; of the last two what is
            there is used.
        rounds: how often every case is drawn.

    Raises:
        InputError: there are no photos.
    """
    library = set_library(part, data, rounds=rounds)
    given: dict[int, tuple[str, frozenset[int]]] = {}
    for found in find_sets(library.shots):
        given |= dict.fromkeys(found.members, (found.kind, frozenset(found.members)))
    wanted: dict[int, set[int]] = defaultdict(set)
    for index, number in enumerate(library.truth):
        wanted[number].add(index)
    right: dict[str, list[bool]] = defaultdict(list)
    for index, (kind, case) in enumerate(zip(library.kinds, library.cases, strict=True)):
        alone = ("single", frozenset({index}))
        expected = (kind, frozenset(wanted[library.truth[index]]))
        right[case].append(given.get(index, alone) == expected)
        right["all"].append(right[case][-1])
    return [
        {"part": str(part), "case": case, "shots": len(each), "right": sum(each) / len(each)}
        for case, each in right.items()
    ]


def set_library(part: Part, data: Path, *, rounds: int = _ROUNDS) -> SetLibrary:
    """Draw a library of two cameras in turn, one of which has no clock for a while.

    Raises:
        InputError: there are no photos.
    """
    rng = np.random.default_rng(_SEEDS[part])
    photos = _photos(part, data)
    maker = _Maker(rng, photos)
    for number in range(rounds):
        for case in _CASES:
            maker.camera = "AB"[int(rng.integers(2))]
            maker.clocked = number % 3 != 2 or case in _NEED_TIMES
            case(maker)
    for frames in _real_stacks(part, data):
        maker.clocked = True
        maker.add("focus stack", "focus stack, real", frames, _even(len(frames), 0.6))
    return maker.library


@dataclass
class _Maker:
    rng: Generator
    photos: Callable[[], Light]
    camera: str = "A"
    clocked: bool = True
    library: SetLibrary = field(default_factory=SetLibrary)
    clock_s: dict[str, float] = field(default_factory=lambda: {"A": 0.0, "B": 0.7})
    count: dict[str, int] = field(default_factory=lambda: {"A": 9950, "B": 120})
    sets: int = 0

    def add(
        self,
        kind: str,
        case: str,
        frames: Sequence[Light],
        times: Sequence[float],
        **exif: Sequence[float | None],
    ) -> None:
        """Add frames taken at `times`; each keyword holds a value of `Exif` per frame."""
        whole_seconds = self.rng.random() < 0.3 and min(np.diff(times), default=1) >= 1
        pause = self.rng.uniform(2.5, 30) if kind == "burst" else self.rng.uniform(11, 60)
        self.clock_s[self.camera] += pause
        # Without times, only a gap in the count or other content parts two sets.
        self.count[self.camera] += 1 if self.clocked else 2
        start = self.clock_s[self.camera]
        for index, (light, at) in enumerate(zip(frames, times, strict=True)):
            moment = start + at
            taken = _START + timedelta(seconds=int(moment) if whole_seconds else round(moment, 2))
            number = self.count[self.camera] % 10_000
            self.count[self.camera] += 1
            values: dict[str, Any] = {name: each[index] for name, each in exif.items()}
            values.setdefault("exposure_s", 1 / 250)
            values.setdefault("iso", 200)
            values.setdefault("f_number", 4.0)
            written = Exif(serial=self.camera, taken_at=taken if self.clocked else None, **values)
            noisy = light + self.rng.normal(0, _NOISE, light.shape).astype(np.float32)
            photo = Photo(np.clip(noisy, 0, 1).astype(np.float32), written)
            shot = fingerprint(photo, name=f"{self.camera}/IMG_{number:04}.JPG")
            self.library.shots.append(shot)
            self.library.kinds.append(kind)
            self.library.cases.append(case)
            self.library.truth.append(self.sets if kind != "single" else -len(self.library.shots))
        self.sets += 1
        self.clock_s[self.camera] += times[-1]

    def shaken(self, count: int, share: float) -> list[Light]:
        """Return frames of one scene, from a camera held by hand."""
        scene = self.photos()
        at = self.rng.uniform(0.2, 0.8, 2)
        offsets = self.rng.normal(0, share, (count, 2)).cumsum(axis=0)
        return [_window(scene, 0.7, *(at + offset)) for offset in offsets]


def _burst(maker: _Maker) -> None:
    """A subject crosses the frame, and some frames are soft."""
    rng, count = maker.rng, int(maker.rng.integers(3, 9))
    frames = maker.shaken(count, 0.01)
    subject = _resized(maker.photos(), (70, 70))
    x, step = rng.uniform(0, 40), rng.uniform(4, 20)
    for index, frame in enumerate(frames):
        _paste(frame, subject, round(x + index * step), 50)
        if rng.random() < 0.3:
            frames[index] = _blurred(frame, rng.uniform(0.8, 3))
    maker.add("burst", "burst", frames, _even(count, rng.choice([0.1, 0.2, 0.4, 1.0])))


def _tripod_burst(maker: _Maker) -> None:
    """Focus is lost towards the end, or the light changes a little."""
    count = int(maker.rng.integers(3, 8))
    frames = maker.shaken(count, 0.0)
    if maker.rng.random() < 0.5:
        lost = maker.rng.uniform(0.3, 1.0)
        for index in range(count // 2, count):
            sigma = lost * (index - count // 2 + 1)
            frames[index] = _blurred(frames[index], sigma)
    gains = maker.rng.uniform(0.95, 1.05, count)
    frames = [frame * np.float32(gain) for frame, gain in zip(frames, gains, strict=True)]
    maker.add("burst", "burst, tripod", frames, _even(count, maker.rng.choice([0.2, 0.5, 1.5])))


def _panned_burst(maker: _Maker) -> None:
    rng, count = maker.rng, int(maker.rng.integers(4, 9))
    scene, step = maker.photos(), rng.uniform(0.03, 0.12)
    subject = _resized(maker.photos(), (90, 70))
    frames = [_window(scene, 0.45, step * index, 0.5) for index in range(count)]
    for frame in frames:
        _paste(frame, subject, 75 + int(rng.integers(-8, 9)), 45 + int(rng.integers(-5, 6)))
    maker.add("burst", "burst, panned", frames, _even(count, rng.choice([0.05, 0.1, 0.14])))


def _bracket(maker: _Maker) -> None:
    rng, count = maker.rng, int(maker.rng.choice([3, 5, 7]))
    step = float(rng.choice([0.67, 1.0, 2.0] if count == 3 else [0.67, 1.0]))
    stops = _ladder(rng, count) * step
    frames = _exposed(maker.shaken(count, 0.004), stops, 0.6)
    biased = rng.random() < 0.5
    maker.add(
        "bracket",
        f"bracket of {count}" + (" with bias" if biased else ""),
        frames,
        _even(count, 0.4),
        exposure_s=[float(2**stop / 100) for stop in stops],
        exposure_bias_ev=[float(round(stop, 2)) if biased else None for stop in stops],
    )


def _flash_bracket(maker: _Maker) -> None:
    rng = maker.rng
    stops = _ladder(rng, 3) * float(rng.choice([0.67, 1.0]))
    frames = _exposed(maker.shaken(3, 0.004), stops, 0.5, ambient=0.2)
    maker.add("bracket", "bracket of flash", frames, _even(3, 1.2))


def _stack(maker: _Maker) -> None:
    rng, count = maker.rng, int(maker.rng.integers(4, 12))
    scene = _window(maker.photos(), 0.8, 0.5, 0.5)
    depth = _depth(rng, scene.shape[:2])
    reach = rng.uniform(4, 12)
    order = np.linspace(0, 1, count) if rng.random() < 0.5 else np.linspace(1, 0, count)
    frames = [_focused(scene, depth, plane, reach) for plane in order]
    by_hand = rng.random() < 0.4
    if by_hand:
        wander = rng.normal(0, 0.006, (count, 2)).cumsum(axis=0) + 0.5
        frames = [_window(frame, 0.85, *at) for frame, at in zip(frames, wander, strict=True)]
    gap = 3.0 if by_hand else float(rng.choice([0.1, 0.5, 1.0]))
    told = rng.random() < 0.5
    maker.add(
        "focus stack",
        "focus stack, rendered" + (" with distances" if told else ""),
        frames,
        _even(count, gap),
        focus_distance_m=[float(0.4 + 0.5 * plane) if told else None for plane in order],
    )


def _panorama(maker: _Maker) -> None:
    rng, overlap = maker.rng, maker.rng.uniform(0.2, 0.6)
    scene = maker.photos()
    size = 0.42
    step = (1 - overlap) * size / (1 - size)
    count = min(int(1 / step) + 1, 7)
    if count < 3:
        step, count = 0.49, 3
    starts = np.arange(count) * step
    turn = -1 if rng.random() < 0.5 else 1
    frames = [_window(scene, size, at, 0.5 + rng.normal(0, 0.02)) for at in starts[::turn]]
    gains = rng.uniform(0.85, 1.15, count)
    frames = [frame * np.float32(gain) for frame, gain in zip(frames, gains, strict=True)]
    maker.add("panorama", "panorama", frames, _even(count, rng.uniform(1.0, 4.0)))


def _singles(maker: _Maker) -> None:
    frames = [_window(maker.photos(), 0.7, 0.5, 0.5) for _ in range(5)]
    maker.add("single", "single", frames, _even(5, float(maker.rng.choice([1.0, 2.0, 4.0]))))


_CASES: tuple[Callable[[_Maker], None], ...] = (
    _burst,
    _tripod_burst,
    _panned_burst,
    _bracket,
    _flash_bracket,
    _stack,
    _panorama,
    _singles,
)
# Without a time nobody can tell a panned burst from a panorama.
_NEED_TIMES = (_panned_burst,)


def _photos(part: Part, data: Path) -> Callable[[], Light]:
    """Return what gives one photo after the other; none comes twice."""
    files = sorted(file for folder in _FOLDERS for file in (data / folder).glob("*.jpg"))
    own = files[0::2] if part is Part.DEVELOPMENT else files[1::2]
    if not own:
        raise InputError(f"There are no photos (.jpg) in {' or '.join(_FOLDERS)} below {data}.")
    rng = np.random.default_rng(_SEEDS[part] + 1)
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


def _real_stacks(part: Part, data: Path) -> Iterator[list[Light]]:
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


def _even(count: int, gap_s: float) -> list[float]:
    return [float(index * gap_s) for index in range(count)]


def _window(scene: Light, size: float, x: float, y: float) -> Light:
    """Cut out a share of the scene, its place given in shares of the room that is left."""
    height, width = (round(side * size) for side in scene.shape[:2])
    left = (scene.shape[1] - width) * float(np.clip(x, 0, 1)) + width / 2 - 0.5
    top = (scene.shape[0] - height) * float(np.clip(y, 0, 1)) + height / 2 - 0.5
    cut = cv2.getRectSubPix(scene, (width, height), (left, top))
    return _resized(np.asarray(cut, np.float32), _FRAME)


def _resized(light: Light, size: tuple[int, int]) -> Light:
    return np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)


def _blurred(light: Light, sigma_px: float) -> Light:
    return np.asarray(cv2.GaussianBlur(light, (0, 0), float(sigma_px)), np.float32)


def _paste(frame: Light, subject: Light, x: int, y: int) -> None:
    room = frame[y : y + subject.shape[0], x : x + subject.shape[1]]
    mask = np.zeros(subject.shape[:2], np.uint8)
    cv2.ellipse(mask, (35, 35), (30, 32), 0, 0, 360, 255, cv2.FILLED)
    inside = mask[: room.shape[0], : room.shape[1]] > 0
    room[inside] = subject[: room.shape[0], : room.shape[1]][inside]


def _ladder(rng: Generator, count: int) -> NDArray[np.float64]:
    half = count // 2
    rising = np.arange(-half, half + 1, dtype=np.float64)
    middle_first = np.array(sorted(rising, key=lambda stop: (abs(stop), stop)))
    return [rising, middle_first, rising[::-1]][int(rng.integers(3))]


def _exposed(
    frames: Sequence[Light], stops: NDArray[np.float64], base: float, ambient: float = 0.0
) -> list[Light]:
    return [
        np.minimum(frame * np.float32(base * (ambient + (1 - ambient) * 2**stop)), np.float32(1))
        for frame, stop in zip(frames, stops, strict=True)
    ]


def _depth(rng: Generator, shape: tuple[int, ...]) -> Light:
    """Return depth from 0 to 1: a slope, with something on it that stands nearer."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    depth = (slope - slope.min()) / np.ptp(slope)
    bump = np.exp(-(((x / shape[1] - 0.5) / 0.2) ** 2 + ((y / shape[0] - 0.5) / 0.2) ** 2))
    return np.asarray(np.clip(depth - 0.4 * bump, 0, 1), np.float32)


def _focused(scene: Light, depth: Light, plane: float, reach_px: float) -> Light:
    """Return the scene focused at a depth, between pictures evenly blurred."""
    coc = np.abs(depth - np.float32(plane)) * np.float32(reach_px)
    sigmas = np.linspace(0, reach_px / 4, 9)
    level = np.clip(coc / np.float32(4) / np.float32(sigmas[1]), 0, 7.999)
    blurred = np.stack([scene, *(_blurred(scene, sigma) for sigma in sigmas[1:])])
    low = np.floor(level).astype(int)
    rows, columns = np.indices(depth.shape)
    part = (level - low)[..., None]
    return np.asarray(
        blurred[low, rows, columns] * (1 - part) + blurred[low + 1, rows, columns] * part,
        np.float32,
    )
