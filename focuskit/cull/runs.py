"""Shots in the order of their camera's clock or counter, parted where it paused."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from focuskit.cull.fingerprint import Fingerprint

__all__ = ["counted_runs", "gap_s", "timed_runs"]

# Whoever turns the camera or the focusing ring between frames takes no longer.
_PAUSE_S = 10.0
# A camera that another one is interleaved with (same model, no serial) counts elsewhere.
_NUMBERS_APART, _COUNTER = 30, 10_000
_LAST_NUMBER, _FIRST_NUMBERS = 9999, (0, 1)
# 100CANON, 101CANON...: a camera fills one folder after the other.
_DCF_FOLDER = re.compile(r"(.*?)([1-9]\d\d)([a-z0-9_]{5})", re.ASCII | re.IGNORECASE)


def gap_s(before: Fingerprint, after: Fingerprint) -> float:
    """Return the pause between frames in seconds; NaN without times.

    The clock tells when a frame began, and a long exposure is often followed by a dark one.
    """
    if before.taken_at is None or after.taken_at is None:
        return math.nan
    return after.clock_s - before.clock_s - 2 * (before.exposure_s or 0.0)


@dataclass(slots=True)
class _Run:
    """A run that may go on, and what is asked of its last shot again and again."""

    members: list[int]
    camera: str
    ends_s: float
    number: int | None
    folder: str


def timed_runs(shots: Sequence[Fingerprint], chosen: Sequence[int]) -> list[list[int]]:
    """Return shots of one camera that follow each other without a long pause.

    Of two cameras of one model, or one whose clock was set back, times interleave and numbers do
    not.

    Args:
        shots: all of them.
        chosen: indices of those to put in order; shots without a time are passed over.

    Returns:
        Runs of two and more, as indices.
    """
    numbers = {index: shots[index].number for index in chosen}
    clocks = {index: shots[index].clock_s for index in chosen}
    dated = [index for index in chosen if shots[index].taken_at is not None]
    dated.sort(key=lambda i: (shots[i].camera or "", clocks[i], numbers[i] or 0, shots[i].name, i))
    runs: list[_Run] = []
    going: list[_Run] = []
    for index in dated:
        shot, at_s, number = shots[index], clocks[index], numbers[index]
        camera, folder = shot.camera or "", shot.folder
        going = [run for run in going if run.camera == camera and at_s - run.ends_s <= _PAUSE_S]
        distances = [_count_distance(run, number, folder) for run in going]
        nearest = min(distances, default=math.inf)
        if 0.5 < nearest <= _NUMBERS_APART:
            run = going[distances.index(nearest)]
            run.members.append(index)
        else:
            run = _Run([index], camera, 0.0, None, "")
            going.append(run)
            runs.append(run)
        run.ends_s, run.number, run.folder = at_s + 2 * (shot.exposure_s or 0.0), number, folder
    return [run.members for run in runs if len(run.members) > 1]


def _count_distance(run: _Run, number: int | None, folder: str) -> float:
    """Return how far a number lies from the last one of a run; infinite for the same number."""
    if run.number is None or number is None:
        return _NUMBERS_APART
    ahead = (number - run.number) % _COUNTER
    distance = min(ahead, _COUNTER - ahead) + (0.5 if run.folder != folder else 0.0)
    return distance if distance > 0.5 else math.inf


def counted_runs(shots: Sequence[Fingerprint], chosen: Sequence[int]) -> list[list[int]]:
    """Return shots without a time whose numbers follow each other.

    After 9999 comes 0001 (or 0000), in the same folder or the next one of the camera.

    Args:
        shots: all of them.
        chosen: indices of those to put in order; shots with a time are passed over.

    Returns:
        Runs of two and more, as indices.
    """
    groups: dict[tuple[str, str, str], list[tuple[int, str, int]]] = defaultdict(list)
    for index in chosen:
        shot = shots[index]
        number = shot.number
        if shot.taken_at is None and number is not None:
            groups[shot.camera or "", shot.folder, shot.series].append((number, shot.name, index))
    ending: dict[tuple[str, str, str], list[int]] = {}
    starting: dict[tuple[str, str, str], list[int]] = {}
    runs: list[list[int]] = []
    for key, group in groups.items():
        group.sort()
        own = [[group[0][2]]]
        for (before, _, _), (number, _, index) in pairwise(group):
            if number - before != 1:
                own.append([])
            own[-1].append(index)
        if group[-1][0] == _LAST_NUMBER:
            ending[key] = own[-1]
        if group[0][0] in _FIRST_NUMBERS:
            starting[key] = own[0]
        runs += own
    for key, run in ending.items():
        _go_on(run, key, starting)
    return [run for run in runs if len(run) > 1]


def _go_on(
    run: list[int],
    key: tuple[str, str, str],
    starting: dict[tuple[str, str, str], list[int]],
) -> None:
    """Add to a run that ends with the last number the one that starts anew."""
    camera, folder, series = key
    for next_folder in (folder, _next_folder(folder)):
        after = starting.get((camera, next_folder, series))
        if after is not None and after is not run:
            run.extend(after)
            after.clear()
            return


def _next_folder(folder: str) -> str:
    parent, slash, own = folder.rpartition("/")
    found = _DCF_FOLDER.fullmatch(own)
    if found is None:
        return folder
    return f"{parent}{slash}{found[1]}{int(found[2]) + 1}{found[3]}"
