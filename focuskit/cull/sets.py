"""Which shots belong together: bursts, whose frames compete, and brackets, whose frames do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np

from focuskit.color import luminance
from focuskit.photo import Exif, Photo

__all__ = ["Bracket", "Burst", "Fingerprint", "ShotSet", "find_sets", "fingerprint"]

# Frames of one press of the button follow each other within this time.
_GAP_S = 2.0
# A 64-bit difference hash changes by a handful of bits under blur or a small shift of the camera.
_SAME_SCENE_BITS = 14
# Cameras offer bracket steps from a third of a stop; automatic exposure drifts in such steps too,
# so without a ladder of exposure compensation only larger steps count.
_BIAS_STEP_EV = 0.3
_EXPOSURE_STEP_EV = 0.6
_UNEVEN_EV = 0.34
_SHORTEST_LADDER, _LONGEST_LADDER = 3, 9


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What grouping needs to know of a shot, without its pixels.

    Attributes:
        hash_bits: 64-bit difference hash of the picture.
        taken_at: camera time or None.
        camera: serial number, else model, else None: frames of two cameras never group.
        exposure_ev: brightness that the settings let through (log2 of t·ISO/(100·N²)), or None.
        exposure_bias_ev: what the camera says that it deviated by, or None.
    """

    hash_bits: int
    taken_at: datetime | None
    camera: str | None
    exposure_ev: float | None
    exposure_bias_ev: float | None


@dataclass(frozen=True, slots=True)
class ShotSet:
    """Shots that belong together, as indices in the order of their time."""

    members: tuple[int, ...]
    kind = "set"


class Burst(ShotSet):
    """One scene several times in quick succession: frames compete."""

    kind = "burst"


class Bracket(ShotSet):
    """One scene on a ladder of exposures: every frame is needed."""

    kind = "bracket"


def fingerprint(photo: Photo) -> Fingerprint:
    """Return what `find_sets` needs to know of a photo."""
    exif = photo.exif
    tiny = cv2.resize(photo.rgb, (9, 8), interpolation=cv2.INTER_AREA)
    gray = luminance(np.asarray(tiny, np.float32), photo.primaries)
    bits = np.packbits(gray[:, 1:] > gray[:, :-1])
    return Fingerprint(
        hash_bits=int.from_bytes(bits.tobytes(), "big"),
        taken_at=exif.taken_at,
        camera=exif.serial or exif.camera,
        exposure_ev=_exposure_ev(exif),
        exposure_bias_ev=exif.exposure_bias_ev,
    )


def find_sets(shots: Sequence[Fingerprint]) -> list[ShotSet]:
    """Group shots by camera, time, exposure and likeness.

    Shots without a time stay alone. Brackets are looked for first: the settings tell them, since
    likeness cannot (a step of two stops changes a hash as much as another scene does).

    Returns:
        Sets of two and more, in the order of their first shot's time.
    """
    dated = [index for index, shot in enumerate(shots) if shot.taken_at is not None]
    dated.sort(key=lambda index: (shots[index].camera or "", _clock(shots[index]), index))
    sets: list[ShotSet] = []
    for run in _runs(shots, dated):
        sets.extend(_split(shots, run))
    return sorted(sets, key=lambda found: (_clock(shots[found.members[0]]), found.members))


def _clock(shot: Fingerprint) -> float:
    if shot.taken_at is None:
        return math.inf
    # Frames of one camera may differ in whether an offset from UTC was written.
    return (shot.taken_at.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()


def _runs(shots: Sequence[Fingerprint], order: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for index in order:
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and shots[last].camera == shots[index].camera
            and _clock(shots[index]) - _clock(shots[last]) <= _GAP_S
        ):
            runs[-1].append(index)
        else:
            runs.append([index])
    return [run for run in runs if len(run) > 1]


def _split(shots: Sequence[Fingerprint], run: list[int]) -> list[ShotSet]:
    sets: list[ShotSet] = []
    rest = list(run)
    while rest:
        ladder = _ladder_length(shots, rest)
        if ladder >= _SHORTEST_LADDER:
            sets.append(Bracket(tuple(rest[:ladder])))
            rest = rest[ladder:]
            continue
        alike = _alike_length(shots, rest)
        if alike > 1:
            sets.append(Burst(tuple(rest[:alike])))
        rest = rest[alike:]
    return sets


def _alike_length(shots: Sequence[Fingerprint], run: Sequence[int]) -> int:
    """Return how many frames from the start show one scene, stopping where a ladder begins."""
    length = 1
    while length < len(run):
        here, before = shots[run[length]], shots[run[length - 1]]
        distance = (here.hash_bits ^ before.hash_bits).bit_count()
        drift = (here.hash_bits ^ shots[run[0]].hash_bits).bit_count()
        if distance > _SAME_SCENE_BITS or drift > 2 * _SAME_SCENE_BITS:
            break
        if _ladder_length(shots, run[length:]) >= _SHORTEST_LADDER:
            break
        length += 1
    return length


def _ladder_length(shots: Sequence[Fingerprint], run: Sequence[int]) -> int:
    """Return how many frames from the start make an evenly spaced ladder of exposures."""
    best = 1
    for length in range(_SHORTEST_LADDER, min(len(run), _LONGEST_LADDER) + 1):
        frames = [shots[index] for index in run[:length]]
        by_bias = _is_ladder([frame.exposure_bias_ev for frame in frames], _BIAS_STEP_EV)
        by_settings = _is_ladder([frame.exposure_ev for frame in frames], _EXPOSURE_STEP_EV)
        if by_bias or by_settings:
            best = length
    return best


def _is_ladder(levels: Sequence[float | None], least_step: float) -> bool:
    rungs = sorted(level for level in levels if level is not None)
    if len(rungs) < len(levels):
        return False
    steps = np.diff(rungs)
    return bool(steps.min() >= least_step and steps.max() - steps.min() <= _UNEVEN_EV)


def _exposure_ev(exif: Exif) -> float | None:
    if not (exif.exposure_s and exif.f_number and exif.iso):
        return None
    return math.log2(exif.exposure_s * exif.iso / 100 / exif.f_number**2)
