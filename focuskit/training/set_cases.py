"""Kinds of sets as photographers take them, each drawn at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from focuskit.training.set_makers import SetMaker
from focuskit.training.set_pictures import (
    blurred,
    depths,
    exposed,
    focused,
    paste,
    resized,
    window,
)

__all__ = ["CASES", "NEED_TIMES", "evenly"]

Generator = np.random.Generator


def _burst(maker: SetMaker) -> None:
    """A subject crosses the frame, and some frames are soft."""
    rng, count = maker.rng, int(maker.rng.integers(3, 9))
    frames = maker.shaken(count, 0.01)
    subject = resized(maker.photos(), (70, 70))
    x, step = rng.uniform(0, 40), rng.uniform(4, 20)
    for index, frame in enumerate(frames):
        paste(frame, subject, round(x + index * step), 50)
        if rng.random() < 0.3:
            frames[index] = blurred(frame, rng.uniform(0.8, 3))
    maker.add("burst", "burst", frames, evenly(count, rng.choice([0.1, 0.2, 0.4, 1.0])))


def _tripod_burst(maker: SetMaker) -> None:
    """Focus is lost towards the end, or the light changes a little."""
    count = int(maker.rng.integers(3, 8))
    frames = maker.shaken(count, 0.0)
    if maker.rng.random() < 0.5:
        lost = maker.rng.uniform(0.3, 1.0)
        for index in range(count // 2, count):
            sigma = lost * (index - count // 2 + 1)
            frames[index] = blurred(frames[index], sigma)
    gains = maker.rng.uniform(0.95, 1.05, count)
    frames = [frame * np.float32(gain) for frame, gain in zip(frames, gains, strict=True)]
    maker.add("burst", "burst, tripod", frames, evenly(count, maker.rng.choice([0.2, 0.5, 1.5])))


def _panned_burst(maker: SetMaker) -> None:
    rng, count = maker.rng, int(maker.rng.integers(4, 9))
    scene, step = maker.photos(), rng.uniform(0.03, 0.12)
    subject = resized(maker.photos(), (90, 70))
    frames = [window(scene, 0.45, step * index, 0.5) for index in range(count)]
    for frame in frames:
        paste(frame, subject, 75 + int(rng.integers(-8, 9)), 45 + int(rng.integers(-5, 6)))
    maker.add("burst", "burst, panned", frames, evenly(count, rng.choice([0.05, 0.1, 0.14])))


def _bracket(maker: SetMaker) -> None:
    rng, count = maker.rng, int(maker.rng.choice([3, 5, 7]))
    step = float(rng.choice([0.67, 1.0, 2.0] if count == 3 else [0.67, 1.0]))
    stops = _ladder(rng, count) * step
    frames = exposed(maker.shaken(count, 0.004), stops, 0.6)
    biased = rng.random() < 0.5
    maker.add(
        "bracket",
        f"bracket of {count}" + (" with bias" if biased else ""),
        frames,
        evenly(count, 0.4),
        exposure_s=[float(2**stop / 100) for stop in stops],
        exposure_bias_ev=[float(round(stop, 2)) if biased else None for stop in stops],
    )


def _flash_bracket(maker: SetMaker) -> None:
    rng = maker.rng
    stops = _ladder(rng, 3) * float(rng.choice([0.67, 1.0]))
    frames = exposed(maker.shaken(3, 0.004), stops, 0.5, ambient=0.2)
    maker.add("bracket", "bracket of flash", frames, evenly(3, 1.2))


def _stack(maker: SetMaker) -> None:
    rng, count = maker.rng, int(maker.rng.integers(4, 12))
    scene = window(maker.photos(), 0.8, 0.5, 0.5)
    depth = depths(rng, scene.shape[:2])
    reach = rng.uniform(4, 12)
    order = np.linspace(0, 1, count) if rng.random() < 0.5 else np.linspace(1, 0, count)
    frames = [focused(scene, depth, plane, reach) for plane in order]
    by_hand = rng.random() < 0.4
    if by_hand:
        wander = rng.normal(0, 0.006, (count, 2)).cumsum(axis=0) + 0.5
        frames = [window(frame, 0.85, *at) for frame, at in zip(frames, wander, strict=True)]
    gap = 3.0 if by_hand else float(rng.choice([0.1, 0.5, 1.0]))
    told = rng.random() < 0.5
    maker.add(
        "focus stack",
        "focus stack, rendered" + (" with distances" if told else ""),
        frames,
        evenly(count, gap),
        focus_distance_m=[float(0.4 + 0.5 * plane) if told else None for plane in order],
    )


def _middle_first_stack(maker: SetMaker) -> None:
    """Focus in the middle, then before and behind it."""
    rng, count = maker.rng, int(maker.rng.choice([3, 5, 7]))
    scene = window(maker.photos(), 0.8, 0.5, 0.5)
    depth, reach = depths(rng, scene.shape[:2]), rng.uniform(6, 12)
    rising = np.linspace(0, 1, count)
    middle_first = sorted(rising, key=lambda plane: (round(abs(plane - 0.5), 6), plane))
    one_side_first = [*rising[count // 2 :: -1], *rising[count // 2 + 1 :]]
    planes = middle_first if rng.random() < 0.5 else one_side_first
    frames = [focused(scene, depth, plane, reach) for plane in planes]
    case = "focus stack, rendered, middle first"
    maker.add("focus stack", case, frames, evenly(count, float(rng.choice([0.2, 0.5, 1.0]))))


def _two_stacks(maker: SetMaker) -> None:
    """One framing, and the focus starts over without a pause."""
    rng, count = maker.rng, int(maker.rng.integers(5, 10))
    scene = window(maker.photos(), 0.8, 0.5, 0.5)
    depth, reach = depths(rng, scene.shape[:2]), rng.uniform(6, 12)
    planes = np.linspace(0, 1, count)[:: 1 if rng.random() < 0.5 else -1]
    gap, case = float(rng.choice([0.2, 0.5, 1.0])), "focus stacks, two in one go"
    for part in range(2):
        frames = [focused(scene, depth, plane, reach) for plane in planes]
        maker.add("focus stack", case, frames, evenly(count, gap), after_s=part * gap or None)


def _panorama(maker: SetMaker) -> None:
    rng, overlap = maker.rng, maker.rng.uniform(0.2, 0.6)
    scene = maker.photos()
    size = 0.42
    step = (1 - overlap) * size / (1 - size)
    count = min(int(1 / step) + 1, 7)
    if count < 3:
        step, count = 0.49, 3
    starts = np.arange(count) * step
    turn = -1 if rng.random() < 0.5 else 1
    frames = [window(scene, size, at, 0.5 + rng.normal(0, 0.02)) for at in starts[::turn]]
    gains = rng.uniform(0.85, 1.15, count)
    frames = [frame * np.float32(gain) for frame, gain in zip(frames, gains, strict=True)]
    maker.add("panorama", "panorama", frames, evenly(count, rng.uniform(1.0, 4.0)))


def _singles(maker: SetMaker) -> None:
    frames = [window(maker.photos(), 0.7, 0.5, 0.5) for _ in range(5)]
    maker.add("single", "single", frames, evenly(5, float(maker.rng.choice([1.0, 2.0, 4.0]))))


def _ladder(rng: Generator, count: int) -> NDArray[np.float64]:
    half = count // 2
    rising = np.arange(-half, half + 1, dtype=np.float64)
    middle_first = np.array(sorted(rising, key=lambda stop: (abs(stop), stop)))
    return [rising, middle_first, rising[::-1]][int(rng.integers(3))]


def evenly(count: int, gap_s: float) -> list[float]:
    """Return times of frames that follow each other evenly, in seconds."""
    return [float(index * gap_s) for index in range(count)]


CASES: tuple[Callable[[SetMaker], None], ...] = (
    _burst,
    _tripod_burst,
    _panned_burst,
    _bracket,
    _flash_bracket,
    _stack,
    _middle_first_stack,
    _two_stacks,
    _panorama,
    _singles,
)
# Without a time a panned burst may be a panorama.
NEED_TIMES = (_panned_burst,)
"""Cases that nobody could tell without times."""
