"""Focus stacks: the framing stays, the sharp area wanders."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from focuskit.cull.aligned import Grid, aligned
from focuskit.cull.fingerprint import Fingerprint

__all__ = ["LONGEST_STACK", "SHORTEST_STACK", "find_stacks"]

SHORTEST_STACK, LONGEST_STACK = 3, 300
# Detail that grows or goes by less may be noise, shake or a subject that breathes.
_CLEAR_STOPS = 0.3
# A field whose tone changes shows something else, rather than the same less sharp.
_STEADY_TONE, _STEADY_SHARE, _STEADY_IF_TOLD = 0.07, 0.7, 0.9
# Focus that follows something, or hunts, stays closer or turns back.
_DISTANCE_RATIO = 1.1
# Rises and falls again at most this share of its range besides the one peak.
_ROUGHNESS = 0.5
_LEAST_SHARE = 0.05
_LEAST_FIELDS = 6
_TEXTURED_STOPS, _ALMOST_BEST = 3.0, 0.9
# One jump of focus within a burst that missed is not a stack.
_JUMP_SHARE, _JUMP_FRAMES = 0.85, 5
# Of a long stack, so many frames tell as much as all.
_MOST_COMPARED = 40
# A flat subject that the focus passes: so many of its fields rise and fall by so much.
_PASSED_STOPS, _PASSED_SHARE, _PASSED_FRAMES = 0.8, 0.3, 5
_LONGEST_MIDDLE_FIRST, _UNEVEN = 9, 2.5
# Focus that starts over jumps, compared with its steps, to about where it was.
_RESTART_JUMP, _RESTART_NEAR = 2.0, 0.5
_PERIODIC = 0.5
# Whoever focuses through a scene leaves the exposure alone; clouds and lamps change it by little.
_EXPOSURE_STEP_EV = 1.0

Fields = NDArray[np.bool_]
Order = NDArray[np.int_]


def find_stacks(frames: Sequence[Fingerprint]) -> list[tuple[int, int]]:
    """Return where stacks begin among frames of one framing, and how many frames each has.

    A camera focuses from one end to the other, or in the middle first (0, -, +), and may start
    over.
    """
    if len(frames) < SHORTEST_STACK:
        return []
    both = aligned(frames)
    if both is None:
        return []
    detail, tones = both
    if _is_stack(frames, detail, tones):
        return [(0, len(frames))]
    for cuts in _restarts(frames, detail):
        parts = list(pairwise([0, *cuts, len(frames)]))
        if all(
            last - first > SHORTEST_STACK
            and _is_stack(frames[first:last], detail[first:last], tones[first:last])
            for first, last in parts
        ):
            return [(first, last - first) for first, last in parts]
    return []


def _is_stack(frames: Sequence[Fingerprint], detail: Grid, tones: Grid) -> bool:
    """Return whether frames of one framing are focused one behind the other, in some order.

    While parts of the picture get sharper and sharper, others must get softer and softer: what
    shakes or misses its focus gets softer everywhere. Or all of it gets gradually sharper and then
    softer: a flat subject that the focus passes.
    """
    if len(frames) > LONGEST_STACK or _exposed_anew(frames):
        return False
    best = detail.max(axis=0)
    almost_best = np.partition(best, int(_ALMOST_BEST * best.size), axis=None)
    textured = best >= almost_best[int(_ALMOST_BEST * best.size)] - _TEXTURED_STOPS
    steady = tones.max(axis=0) - tones.min(axis=0) <= _STEADY_TONE
    steady_share = float(steady[textured].mean())
    if steady_share < _STEADY_SHARE:
        return False
    orders = [np.arange(len(frames)), *_middle_first(len(frames))]
    if steady_share >= _STEADY_IF_TOLD and any(_focused_further(frames, each) for each in orders):
        return True
    needed = max(_LEAST_FIELDS, _LEAST_SHARE * float(textured.sum()))
    if _passes(detail, textured & steady, needed):
        return True
    # What changes between two frames does so in every order.
    if _wandering(detail, textured & steady, needed) is None:
        return False
    return _sweeps(detail, textured & steady, needed) or any(
        _is_even(detail[order]) and _sweeps(detail[order], textured & steady, needed)
        for order in orders[1:]
    )


def _exposed_anew(frames: Sequence[Fingerprint]) -> bool:
    """Return whether the exposure time changes much from a frame to the next.

    Where everything is automatic, ISO and with it the grain, which passes for detail, change too.
    """
    times = [frame.exposure_s for frame in frames]
    return any(
        before and after and abs(math.log2(after / before)) > _EXPOSURE_STEP_EV
        for before, after in pairwise(times)
    )


def _is_even(detail: Grid) -> bool:
    """Return whether every frame differs from the next about as much: focus that hunts does not."""
    changes = np.abs(np.diff(detail, axis=0)).mean(axis=(1, 2))
    return bool(changes.max() <= _UNEVEN * changes.min())


def _middle_first(count: int) -> list[Order]:
    """Return how frames are to be put in order if the middle one came first.

    Either side by side (0 - + -- ++), or one side after the other (0 - -- + ++).
    """
    if count % 2 == 0 or count > _LONGEST_MIDDLE_FIRST:
        return []
    side_by_side = [*range(count - 2, 0, -2), 0, *range(2, count, 2)]
    one_side_first = [*range(count // 2, 0, -1), 0, *range(count // 2 + 1, count)]
    orders = [side_by_side, one_side_first] if count > SHORTEST_STACK else [side_by_side]
    return [np.array(order) for order in orders]


def _restarts(frames: Sequence[Fingerprint], detail: Grid) -> Iterator[list[int]]:
    """Yield where the focus may have started over: by distance, by period, by a jump back."""
    far = [frame.focus_distance_m or math.nan for frame in frames]
    known = np.array([distance if math.isfinite(distance) else math.nan for distance in far])
    steps = np.diff(known)
    if np.isfinite(steps).all() and (steps != 0).all():
        turned = np.flatnonzero(np.sign(steps) != np.sign(steps[0])) + 1
        yield turned.tolist()
        return
    count = len(frames)
    if not 2 * (SHORTEST_STACK + 1) <= count <= 2 * LONGEST_STACK:
        return
    # One that does not start over differs from itself later as much as at any other time.
    differing = [
        float(np.abs(detail[later:] - detail[:-later]).mean()) for later in range(1, count)
    ]
    periods = range(SHORTEST_STACK + 1, count - SHORTEST_STACK)
    period = min(periods, key=lambda later: differing[later - 1])
    if differing[period - 1] <= _PERIODIC * float(np.mean(differing)):
        yield list(range(period, count, period))
    changes = np.abs(np.diff(detail, axis=0)).mean(axis=(1, 2))
    back = np.abs(detail[1:] - detail[0]).mean(axis=(1, 2)) <= _RESTART_NEAR * changes
    jumps = np.flatnonzero((changes >= _RESTART_JUMP * np.median(changes)) & back) + 1
    if len(jumps):
        yield jumps.tolist()


def _sweeps(detail: Grid, fields: Fields, needed: float) -> bool:
    """Return whether enough fields get sharper, and enough softer, in the order of the frames."""
    wandering = _wandering(detail, fields & _single_peak(detail), needed)
    if wandering is None:
        return False
    return len(detail) < _JUMP_FRAMES or not _jumps(detail[:, wandering])


def _focused_further(frames: Sequence[Fingerprint], order: Order) -> bool:
    """Return whether the camera wrote that it focused further, or nearer, with every frame."""
    distances = [frames[index].focus_distance_m for index in order]
    known = [distance for distance in distances if distance]
    if len(known) < len(frames) or max(known) < _DISTANCE_RATIO * min(known):
        return False
    farther = [after > before for before, after in pairwise(known)]
    nearer = [after < before for before, after in pairwise(known)]
    return all(farther) or all(nearer)


def _wandering(detail: Grid, told: Fields, needed: float) -> Fields | None:
    """Return the fields that got sharper or softer between two frames, if enough did either.

    A stack may begin before its subject or end behind it: then hardly anything is sharp in its
    first or last frame, and the two alone would not tell.
    """
    every = np.unique(np.linspace(0, len(detail) - 1, min(len(detail), _MOST_COMPARED)).round())
    curves = detail[every.astype(int)][:, told]
    change = curves[None] - curves[:, None]
    fewer = np.minimum((change >= _CLEAR_STOPS).sum(axis=2), (change <= -_CLEAR_STOPS).sum(axis=2))
    first, last = np.unravel_index(int(fewer.argmax()), fewer.shape)
    if fewer[first, last] < needed:
        return None
    fields = told.copy()
    fields[told] = np.abs(change[first, last]) >= _CLEAR_STOPS
    return fields


def _passes(detail: Grid, fields: Fields, needed: float) -> bool:
    """Return whether most fields get gradually sharper, then softer."""
    if len(detail) < _PASSED_FRAMES:
        return False
    best = detail.max(axis=0)
    risen = np.minimum(best - detail[0], best - detail[-1]) >= _PASSED_STOPS
    if (fields & risen).sum() < needed:
        return False
    told = fields & _single_peak(detail)
    if (told & risen).sum() < max(needed, _PASSED_SHARE * float(told.sum())):
        return False
    return not _jumps(detail[:, told & risen])


def _single_peak(detail: Grid) -> Fields:
    """Return which fields go up and down by little besides one rise and one fall."""
    travelled = np.abs(np.diff(detail, axis=0)).sum(axis=0)
    best = detail.max(axis=0)
    roughness = travelled - (best - detail[0]) - (best - detail[-1])
    return np.asarray(roughness <= _ROUGHNESS * (best - detail.min(axis=0)))


def _jumps(curves: Grid) -> bool:
    swing = curves.max(axis=0) - curves.min(axis=0)
    largest = np.abs(np.diff(curves, axis=0)).max(axis=0)
    return bool(np.median(largest / swing) > _JUMP_SHARE)
