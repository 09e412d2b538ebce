"""Which shots belong together, told apart before anything is rejected.

Frames of a burst compete. Those of an exposure bracket, a focus stack or a panorama do not: each
holds a part of one picture.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from focuskit.cull.fingerprint import Fingerprint, fingerprint
from focuskit.cull.ladders import LONGEST_LADDER, SHORTEST_LADDER, ladder_length
from focuskit.cull.links import PRESS_S, Link, burst_length, link, panorama_length, still_length
from focuskit.cull.runs import counted_runs, gap_s, timed_runs
from focuskit.cull.stacks import find_stacks

__all__ = ["Bracket", "Burst", "Fingerprint", "FocusStack", "Panorama", "ShotSet"]
__all__ += ["find_duplicates", "find_sets", "fingerprint", "parts_of"]


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


class FocusStack(ShotSet):
    """One framing, focused one behind the other: every frame is needed."""

    kind = "focus stack"


class Panorama(ShotSet):
    """One scene in overlapping parts: every frame is needed."""

    kind = "panorama"


def find_duplicates(shots: Sequence[Fingerprint]) -> dict[int, int]:
    """Return for every copy which shot it is a copy of: one with a camera's name, if there is one.

    Copies have the same pixels, time and settings; frames that are merely black do not.
    """
    seen: dict[tuple[object, ...], int] = {}
    copies: dict[int, int] = {}
    for index in sorted(range(len(shots)), key=lambda i: _originals_first(shots[i], i)):
        shot = shots[index]
        if not shot.digest:
            continue
        key = (shot.digest, shot.clock_s, shot.camera, shot.exposure_ev)
        original = seen.setdefault(key, index)
        if original != index and (shot.taken_at is not None or _same_count(shots[original], shot)):
            copies[index] = original
    return copies


def _originals_first(shot: Fingerprint, index: int) -> tuple[bool, str, int]:
    return shot.number is None, shot.name, index


def find_sets(shots: Sequence[Fingerprint]) -> list[ShotSet]:
    """Group shots by camera, time, exposure, focus and framing; copies are left out.

    Shots without a time are put in the order of the numbers in their names, folder by folder, and
    grouped by what they show alone.

    Returns:
        Sets of two and more, in the order of their first shot's time.
    """
    copies = find_duplicates(shots)
    left = [index for index in range(len(shots)) if index not in copies]
    sets: list[ShotSet] = []
    for run in (*timed_runs(shots, left), *counted_runs(shots, left)):
        sets.extend(_split(shots, run))
    return sorted(sets, key=lambda found: (shots[found.members[0]].clock_s, found.members))


def parts_of(shots: Sequence[Fingerprint], at_least: int = 4000) -> list[list[int]]:
    """Return shots in parts none of which shares a set, or a picture and its copy, with another.

    What `find_sets` finds in the parts is what it finds in the whole. Views are not needed.

    Args:
        shots: of a library.
        at_least: a part ends when it has so many.
    """
    copies = find_duplicates(shots)
    left = [index for index in range(len(shots)) if index not in copies]
    runs = [*timed_runs(shots, left), *counted_runs(shots, left)]
    in_runs = {index for run in runs for index in run}
    runs += [[index] for index in left if index not in in_runs]
    runs.sort(key=lambda run: (shots[run[0]].clock_s, run))
    of_original: dict[int, list[int]] = defaultdict(list)
    for copy, original in copies.items():
        of_original[original].append(copy)
    parts: list[list[int]] = []
    for run in runs:
        if not parts or len(parts[-1]) >= at_least:
            parts.append([])
        parts[-1].extend(index for each in run for index in (each, *of_original[each]))
    return parts


def _same_count(one: Fingerprint, other: Fingerprint) -> bool:
    return one.number is not None and one.number == other.number


def _split(shots: Sequence[Fingerprint], run: list[int]) -> Iterator[ShotSet]:
    """Take brackets out of a run, then tell apart what lies between them."""
    frames = [shots[index] for index in run]
    # Not ">": frames without a time have a gap that is no number.
    pressed = [not gap_s(before, after) > PRESS_S for before, after in pairwise(frames)]
    between: list[int] = []
    start = end = 0
    while start < len(run):
        end = max(end, start + 1)
        while end < min(len(run), start + LONGEST_LADDER) and pressed[end - 1]:
            end += 1
        length = ladder_length(frames[start:end])
        if length >= SHORTEST_LADDER:
            yield from _parts(shots, between)
            yield Bracket(tuple(run[start : start + length]))
            between, start = [], start + length
        else:
            between.append(run[start])
            start += 1
    yield from _parts(shots, between)


def _parts(shots: Sequence[Fingerprint], run: list[int]) -> Iterator[ShotSet]:
    """Tell apart panoramas, focus stacks and bursts in a run without brackets."""
    frames = [shots[index] for index in run]
    links = [link(before, after) for before, after in pairwise(frames)]
    stacks = _stacks(frames, links)
    begins = sorted(stacks)
    start = 0
    while start < len(run):
        kind, length = _next_set(frames, links, start, stacks.get(start, 1))
        # Nothing runs into a stack.
        following = bisect_right(begins, start)
        if following < len(begins):
            length = min(length, begins[following] - start)
        if length > 1:
            yield kind(tuple(run[start : start + length]))
        start += length


def _stacks(frames: Sequence[Fingerprint], links: Sequence[Link]) -> dict[int, int]:
    """Return where stacks begin in a run, and how many frames each has."""
    found: dict[int, int] = {}
    start = 0
    while start < len(frames):
        end = start + still_length(links, start)
        found |= {start + first: length for first, length in find_stacks(frames[start:end])}
        start = end
    return found


def _next_set(
    frames: Sequence[Fingerprint], links: Sequence[Link], start: int, stacked: int
) -> tuple[type[ShotSet], int]:
    panorama = panorama_length(frames, links, start)
    if panorama > 1:
        return Panorama, panorama
    if stacked > 1:
        return FocusStack, stacked
    return Burst, burst_length(frames, links, start)
