"""Which shots belong together, told apart before anything is rejected.

Frames of a burst compete. Those of an exposure bracket, a focus stack or a panorama do not: each
holds a part of one picture.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from focuskit.cull.fingerprint import Fingerprint, fingerprint
from focuskit.cull.ladders import LONGEST_LADDER, SHORTEST_LADDER, ladder_length
from focuskit.cull.stacks import LONGEST_STACK, SHORTEST_STACK, is_stack
from focuskit.cull.views import Match, match

__all__ = ["Bracket", "Burst", "Fingerprint", "FocusStack", "Panorama", "ShotSet"]
__all__ += ["find_duplicates", "find_sets", "fingerprint"]

# Frames of one press of the button follow each other within this time; whoever turns the camera
# or the focusing ring between frames takes longer.
_PRESS_S, _PAUSE_S = 2.0, 10.0
# Nobody frames anew so fast: the camera is following something.
_FAST_S = 0.45
# A camera that another one is interleaved with (same model, no serial) counts elsewhere.
_NUMBERS_APART, _COUNTER = 30, 10_000
_SAME_SCENE, _SAME_SCENE_FAST = 0.5, 0.2
_SAME_FRAMING, _REFRAMED = 0.06, 0.3
# Panoramas: how far the frame moves, and how alike the overlap must be.
_LEAST_TURN, _MOST_TURN, _OVERLAP_ALIKE = 0.13, 0.86, 0.6
_SHORTEST_PANORAMA = 3


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
    """Return for every copy of an earlier shot which one it is a copy of.

    Copies have the same pixels, time and settings; frames that are merely black do not.
    """
    seen: dict[tuple[object, ...], int] = {}
    copies: dict[int, int] = {}
    for index, shot in enumerate(shots):
        if not shot.digest:
            continue
        key = (shot.digest, shot.clock_s, shot.camera, shot.exposure_ev)
        original = seen.setdefault(key, index)
        if original != index and (shot.taken_at is not None or _same_count(shots[original], shot)):
            copies[index] = original
    return copies


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
    for run in (*_timed_runs(shots, left), *_counted_runs(shots, left)):
        sets.extend(_split(shots, run))
    return sorted(sets, key=lambda found: (shots[found.members[0]].clock_s, found.members))


def _timed_runs(shots: Sequence[Fingerprint], left: Sequence[int]) -> list[list[int]]:
    """Return shots of one camera that follow each other without a long pause.

    Of two cameras of one model, or one whose clock was set back, times interleave and numbers do
    not.
    """
    dated = [index for index in left if shots[index].taken_at is not None]
    dated.sort(key=lambda i: (shots[i].camera or "", shots[i].clock_s, shots[i].number or 0, i))
    runs: list[list[int]] = []
    open_runs: list[list[int]] = []
    for index in dated:
        shot = shots[index]
        open_runs = [
            run
            for run in open_runs
            if shots[run[-1]].camera == shot.camera and _gap(shots[run[-1]], shot) <= _PAUSE_S
        ]
        fits = [run for run in open_runs if _counts_on(shots[run[-1]], shot)]
        if fits:
            min(fits, key=lambda run: _count_distance(shots[run[-1]], shot)).append(index)
            continue
        open_runs.append([index])
        runs.append(open_runs[-1])
    return [run for run in runs if len(run) > 1]


def _counted_runs(shots: Sequence[Fingerprint], left: Sequence[int]) -> list[list[int]]:
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index in left:
        shot = shots[index]
        if shot.taken_at is None and shot.number is not None:
            groups[shot.camera or "", shot.folder].append(index)
    runs: list[list[int]] = []
    for group in groups.values():
        group.sort(key=lambda i: (shots[i].number or 0, i))
        runs.append([group[0]])
        for before, index in pairwise(group):
            if (shots[index].number or 0) - (shots[before].number or 0) != 1:
                runs.append([])
            runs[-1].append(index)
    return [run for run in runs if len(run) > 1]


def _gap(before: Fingerprint, after: Fingerprint) -> float:
    """Return the pause between frames in seconds; NaN without times.

    The clock tells when a frame began, and a long exposure is often followed by a dark one.
    """
    if before.taken_at is None or after.taken_at is None:
        return math.nan
    return after.clock_s - before.clock_s - 2 * (before.exposure_s or 0.0)


def _count_distance(before: Fingerprint, after: Fingerprint) -> float:
    if before.number is None or after.number is None:
        return _NUMBERS_APART
    ahead = (after.number - before.number) % _COUNTER
    distance = min(ahead, _COUNTER - ahead)
    return distance + (0.5 if before.folder != after.folder else 0.0)


def _counts_on(before: Fingerprint, after: Fingerprint) -> bool:
    return 0.5 < _count_distance(before, after) <= _NUMBERS_APART


def _same_count(one: Fingerprint, other: Fingerprint) -> bool:
    return one.number is not None and one.number == other.number


def _split(shots: Sequence[Fingerprint], run: list[int]) -> Iterator[ShotSet]:
    """Take brackets out of a run, then tell apart what lies between them."""
    between: list[int] = []
    start = 0
    while start < len(run):
        length = ladder_length(_pressed(shots, run[start : start + LONGEST_LADDER]))
        if length >= SHORTEST_LADDER:
            yield from _parts(shots, between)
            yield Bracket(tuple(run[start : start + length]))
            between, start = [], start + length
        else:
            between.append(run[start])
            start += 1
    yield from _parts(shots, between)


def _pressed(shots: Sequence[Fingerprint], run: Sequence[int]) -> list[Fingerprint]:
    frames = [shots[run[0]]]
    for index in run[1:]:
        # Not "<=": frames without a time have a gap that is no number.
        if _gap(frames[-1], shots[index]) > _PRESS_S:
            break
        frames.append(shots[index])
    return frames


@dataclass(frozen=True, slots=True)
class _Link:
    """How a frame follows the one before it.

    Attributes:
        gap_s: pause; NaN without times.
        found: how it lies beside it; None where the pictures are not known.
    """

    gap_s: float
    found: Match | None

    @property
    def turned(self) -> bool:
        return (
            self.found is not None
            and _LEAST_TURN <= self.found.drift <= _MOST_TURN
            and self.found.likeness >= _OVERLAP_ALIKE
        )

    @property
    def still(self) -> bool:
        return (
            self.found is not None
            and self.found.drift <= _SAME_FRAMING
            and self.found.likeness >= _SAME_SCENE
        )

    @property
    def alike(self) -> bool:
        """Whether both may be frames of one burst."""
        if self.found is None or self.gap_s > _PRESS_S:
            return False
        if 0 <= self.gap_s < _FAST_S:
            return self.found.likeness >= _SAME_SCENE_FAST
        return self.found.likeness >= _SAME_SCENE and self.found.drift <= _REFRAMED


def _parts(shots: Sequence[Fingerprint], run: list[int]) -> Iterator[ShotSet]:
    if len(run) < 2:
        return
    links = [_link(shots[before], shots[after]) for before, after in pairwise(run)]
    start = 0
    while start < len(run):
        for length, kind in (
            (_panorama_length(shots, run[start:], links[start:]), Panorama),
            (_stack_length(shots, run[start:], links[start:]), FocusStack),
            (_burst_length(shots, run[start:], links[start:]), Burst),
        ):
            if length > 1:
                yield kind(tuple(run[start : start + length]))
                start += length
                break
        else:
            start += 1


def _link(before: Fingerprint, after: Fingerprint) -> _Link:
    known = before.view is not None and after.view is not None
    found = match(before.view, after.view) if before.view and after.view and known else None
    return _Link(_gap(before, after), found)


def _panorama_length(
    shots: Sequence[Fingerprint], run: Sequence[int], links: Sequence[_Link]
) -> int:
    """Return how many frames from the start each show another part of one view."""
    places = [(0.0, 0.0)]
    for link in links:
        if link.found is None or not link.turned:
            break
        here = (places[-1][0] + link.found.x, places[-1][1] + link.found.y)
        # Back where the camera was before: it looks around, or follows something.
        if any(max(abs(here[0] - x), abs(here[1] - y)) < _LEAST_TURN for x, y in places):
            break
        places.append(here)
    length = len(places)
    if length < _SHORTEST_PANORAMA:
        return 1
    taken = shots[run[length - 1]].clock_s - shots[run[0]].clock_s
    return 1 if taken / (length - 1) < _FAST_S else length


def _stack_length(shots: Sequence[Fingerprint], run: Sequence[int], links: Sequence[_Link]) -> int:
    length = 1
    for link in links:
        if not link.still:
            break
        length += 1
    if not SHORTEST_STACK <= length <= LONGEST_STACK:
        return 1
    return length if is_stack([shots[index] for index in run[:length]]) else 1


def _burst_length(shots: Sequence[Fingerprint], run: Sequence[int], links: Sequence[_Link]) -> int:
    length = 1
    for link in links:
        if not link.alike or _parted(shots[run[0]], shots[run[length]], link):
            break
        length += 1
    return length


def _parted(first: Fingerprint, here: Fingerprint, link: _Link) -> bool:
    """Return whether a burst that is not fast has slowly become one of something else."""
    if 0 <= link.gap_s < _FAST_S or first.view is None or here.view is None:
        return False
    return match(first.view, here.view).likeness < _SAME_SCENE_FAST
