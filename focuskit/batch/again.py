"""A second look at bursts whose frames were judged at different places."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from focuskit.batch.engine import Found, Step
from focuskit.batch.judge import Judge, Judgement
from focuskit.batch.library import Problem, Shot
from focuskit.batch.storing import stored
from focuskit.batch.versions import digest_of, measured_version
from focuskit.cull import Measures
from focuskit.cull.same_place import brighter_by, remeasure, same_content, seek, telling
from focuskit.cull.sets import Burst, find_sets
from focuskit.cull.subject import Region
from focuskit.cull.views import View, match
from focuskit.io import Frame
from focuskit.photo import Photo

__all__ = ["Place", "SecondLook", "Sought", "Taken", "look_again"]

# What is less alike is something else, or too blurred to be found.
_FOUND = 0.5
_MOST_DETAIL_DB = 10.0
_UNSEEN_DB = 3.0

Numbers = tuple[Measures | None, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """What one frame of a burst shows, to be found in another.

    Attributes:
        box: what is there, tiny.
        region: where that frame shows it.
        near: where it is expected in the other, in shares of the frame.
    """

    box: View
    region: Region
    near: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sought:
    """What a second look at a shot is for: places, and the numbers of the first look."""

    places: tuple[Place, ...]
    measures: Measures


@dataclass(frozen=True, slots=True)
class SoughtShot(Shot):
    """A shot that is looked at for something: tasks carry what is sought on their own shots."""

    sought: Sought | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a second look gave: numbers at each place, None where the frame does not show it."""

    numbers: Numbers


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Measures shots where other frames of their burst were judged; picklable.

    Attributes:
        judge: how shots are opened.
    """

    judge: Judge

    def __call__(self, shot: Shot) -> Taken:
        """Return the numbers taken at each place.

        Raises:
            FocuskitError: the file cannot be read any more.
        """
        task = _sought(shot)
        frame, _ = self.judge.open(shot)
        small: dict[int, Photo] = {}
        taken: list[Measures | None] = []
        for place in task.places:
            region = _found(frame, place, small)
            if region is None:
                taken.append(None)
                continue
            crop = frame.crop(region.x, region.y, region.width, region.height)
            taken.append(remeasure(task.measures, region, crop, moved=self.judge.moved))
        return Taken(tuple(taken))


def look_again(
    judgements: Sequence[Judgement],
    judge: Judge,
    go: Callable[[Step[Taken], Sequence[Shot]], Iterator[Found[Taken]]],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Judgement]:
    """Compare the frames of each burst at the same places, and look at them again where need be.

    Places are the boxes of the frames that tell most, carried over to the others by what they
    show. Only frames that were judged elsewhere are decoded again. A frame that cannot be read a
    second time or does not show the places keeps what the first look gave, and says so.

    Args:
        judgements: of a library.
        judge: what judged them.
        go: runs a step over shots, as `run_step` does.
        progress: called with (done, total) shots that are looked at again.

    Returns:
        The judgements in the same order.

    Raises:
        FocuskitError: what `run_step` raises.
    """
    looked = list(judgements)
    bursts = [
        found.members
        for found in find_sets([each.fingerprint for each in judgements])
        if isinstance(found, Burst)
    ]
    tasks: dict[str, Sought] = {}
    numbers: dict[str, Numbers | Problem] = {}
    for members in bursts:
        _share_out([judgements[index] for index in members], tasks, numbers)
    shots = [
        _sought_on(each.shot, tasks[each.shot.name])
        for each in judgements
        if each.shot.name in tasks
    ]
    for done, found in enumerate(go(_step(judge), shots), start=1):
        result = found.result
        numbers[found.shot.name] = result if isinstance(result, Problem) else result.numbers
        if progress is not None:
            progress(done, len(shots))
    for members in bursts:
        frames = [judgements[index] for index in members]
        taken = [numbers.get(frame.shot.name, ()) for frame in frames]
        for index, each in zip(members, _compared(frames, taken), strict=True):
            looked[index] = each
    return looked


def _sought_on(shot: Shot, sought: Sought) -> SoughtShot:
    own = {each.name: getattr(shot, each.name) for each in fields(shot)}
    return SoughtShot(**own, sought=sought)


def _sought(shot: Shot) -> Sought:
    if not isinstance(shot, SoughtShot) or shot.sought is None:
        raise TypeError(f"{shot.name} comes without what is sought on it.")
    return shot.sought


def _step(judge: Judge) -> Step[Taken]:
    measured = measured_version(judge.detector, judge.subject)

    def version(shot: Shot) -> str:
        return f"{measured} {digest_of(stored(_sought(shot)))}"

    return Step("compare", SecondLook(judge), version, Taken, rebound=lambda taken, _: taken)


def _share_out(
    frames: Sequence[Judgement], tasks: dict[str, Sought], numbers: dict[str, Numbers | Problem]
) -> None:
    """Take what can be compared as it is, and say what has to be looked at again."""
    drifts = [_drift(frames[0], frame) for frame in frames]
    regions = [frame.measures.region for frame in frames]
    steady = [
        (region.x - x * frame.width, region.y - y * frame.height)
        for region, frame, (x, y) in zip(regions, frames, drifts, strict=True)
    ]
    chosen = telling([(frame.measures, at) for frame, at in zip(frames, steady, strict=True)])
    for frame, (drift_x, drift_y) in zip(frames, drifts, strict=True):
        if len(chosen) == 1 and same_content(frames[chosen[0]].box, frame.box):
            numbers[frame.shot.name] = (frame.measures,)
            continue
        places = tuple(
            Place(
                frames[index].box,
                regions[index],
                (
                    steady[index][0] / frames[index].width + drift_x,
                    steady[index][1] / frames[index].height + drift_y,
                ),
            )
            for index in chosen
        )
        tasks[frame.shot.name] = Sought(places, frame.measures)


def _drift(first: Judgement, other: Judgement) -> tuple[float, float]:
    one, view = first.fingerprint.view, other.fingerprint.view
    if one is None or view is None:
        return 0.0, 0.0
    found = match(one, view)
    return found.x, found.y


def _found(frame: Frame, place: Place, small: dict[int, Photo]) -> Region | None:
    """Return where a frame shows a place, if it does; `small` keeps it at the sizes searched."""
    region = place.region
    if frame.width < region.width or frame.height < region.height:
        return None
    longest = max(frame.width, frame.height)
    edge = max(1, round(longest * place.box.width / region.width))
    small[edge] = small.get(edge) or frame.photo(edge)
    found = seek(place.box, (region.width, region.height), small[edge], place.near)
    if found.likeness < _FOUND:
        return None
    x = min(max(found.x, 0), frame.width - region.width)
    y = min(max(found.y, 0), frame.height - region.height)
    return replace(region, x=x, y=y)


def _compared(frames: Sequence[Judgement], taken: Sequence[Numbers | Problem]) -> list[Judgement]:
    rows = [
        _details(numbers, _brighter_db(frames[0], frame))
        for frame, numbers in zip(frames, taken, strict=True)
    ]
    seen = np.array([row for row in rows if row] or [[math.nan]])
    # A frame that does not show a place is too blurred there, or the subject has left it.
    unseen = np.min(np.where(np.isnan(seen), _MOST_DETAIL_DB, seen), axis=0) - _UNSEEN_DB
    filled = np.where(np.isnan(seen), unseen, seen)
    # Frames differ most where the focus was lost: that is what widths should be compared at.
    telling_most = int(np.argmax(np.ptp(filled, axis=0)))
    shared = iter(filled.mean(axis=1).tolist())
    return [
        _noted(frame, numbers, telling_most, next(shared) if row else None)
        for frame, numbers, row in zip(frames, taken, rows, strict=True)
    ]


def _details(numbers: Numbers | Problem, brighter_db: float) -> list[float]:
    """Return the detail at each place as if all frames were equally bright; [] if none is seen."""
    if isinstance(numbers, Problem) or not any(numbers):
        return []
    return [each["detail"] - brighter_db if each else math.nan for each in numbers]


def _noted(
    judgement: Judgement, numbers: Numbers | Problem, place: int, shared_detail: float | None
) -> Judgement:
    if isinstance(numbers, Problem):
        text = f"It could not be read again, to compare it with its burst: {numbers.message}"
        return replace(judgement, not_compared=text)
    if shared_detail is None:
        text = "It does not show what the other frames of its burst were compared by."
        return replace(judgement, not_compared=text)
    there = numbers[place] or judgement.measures
    values = {**there.values, "shared_detail": shared_detail}
    return replace(judgement, compared=replace(there, values=values))


def _brighter_db(first: Judgement, other: Judgement) -> float:
    one, view = first.fingerprint.view, other.fingerprint.view
    return 0.0 if one is None or view is None else 20 * math.log10(brighter_by(one, view))
