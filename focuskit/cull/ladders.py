"""Exposure brackets: evenly spaced exposures that the pictures show, too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from focuskit.cull.fingerprint import Fingerprint
from focuskit.cull.views import match

__all__ = ["LONGEST_LADDER", "SHORTEST_LADDER", "ladder_length"]

SHORTEST_LADDER, LONGEST_LADDER = 3, 9
# Cameras offer bracket steps from a third of a stop; automatic exposure drifts in such steps too,
# so without a ladder of exposure compensation only larger steps count.
_BIAS_STEP_EV = 0.3
_EXPOSURE_STEP_EV = 0.6
_UNEVEN_EV = 0.34
# Flash reaches only part of the scene, and clipped tones answer less than dark ones.
_SEEN_STEP_EV, _SEEN_UNEVEN = 0.25, 3.5
# Exposure that follows the light leaves the picture as bright as it was.
_FOLLOWED = 0.3
_SAME_FRAMING, _LIKENESS = 0.08, 0.55
_SAME_SETTINGS_EV = 0.05


def ladder_length(run: Sequence[Fingerprint]) -> int:
    """Return how many frames from the start make an evenly spaced ladder of exposures; 1: none.

    What the camera wrote (compensation, else shutter, ISO and f-number) must show in the pictures;
    where the settings are all the same or unknown, the pictures alone may tell, as in a bracket of
    flash.
    """
    if len(run) < SHORTEST_LADDER:
        return 1
    levels = [frame.exposure_ev for frame in run[:LONGEST_LADDER]]
    biases = [frame.exposure_bias_ev for frame in run[:LONGEST_LADDER]]
    seen = [frame.brightness_ev for frame in run[:LONGEST_LADDER]]
    best = 1
    for length in range(SHORTEST_LADDER, len(levels) + 1):
        frames = run[:length]
        bias_step = _steps(biases[:length])[0]
        level_step = _steps(levels[:length])[0]
        # Steps only get smaller with every frame.
        if (
            bias_step < _BIAS_STEP_EV
            and level_step < _EXPOSURE_STEP_EV
            and _steps(seen[:length])[0] < _SEEN_STEP_EV
        ):
            break
        written = (
            _is_ladder(biases[:length], _BIAS_STEP_EV) and _shows(frames, biases[:length])
        ) or (_is_ladder(levels[:length], _EXPOSURE_STEP_EV) and _shows(frames, levels[:length]))
        if written or (length % 2 == 1 and _flash_ladder(frames, levels[:length])):
            best = length
    return best


def _steps(levels: Sequence[float | None]) -> tuple[float, float]:
    """Return the smallest and the largest step between sorted levels; nothing if one is unknown."""
    rungs = sorted(level for level in levels if level is not None)
    if len(rungs) < len(levels):
        return 0.0, 0.0
    steps = [above - below for below, above in pairwise(rungs)]
    return min(steps), max(steps)


def _is_ladder(levels: Sequence[float | None], least_step: float) -> bool:
    smallest, largest = _steps(levels)
    return smallest >= least_step and largest - smallest <= _UNEVEN_EV


def _shows(frames: Sequence[Fingerprint], levels: Sequence[float | None]) -> bool:
    seen = [frame.brightness_ev for frame in frames]
    if None in seen:
        return True
    wanted = np.array(levels, np.float64)
    slope = np.polyfit(wanted, np.array(seen, np.float64), 1)[0]
    return bool(slope >= _FOLLOWED)


def _flash_ladder(frames: Sequence[Fingerprint], levels: Sequence[float | None]) -> bool:
    seen = [frame.brightness_ev for frame in frames]
    known = [level for level in levels if level is not None]
    if known and (len(known) < len(levels) or max(known) - min(known) > _SAME_SETTINGS_EV):
        return False
    smallest, largest = _steps(seen)
    if smallest < _SEEN_STEP_EV or largest > _SEEN_UNEVEN * smallest:
        return False
    return _in_camera_order([value for value in seen if value is not None]) and _one_view(frames)


def _in_camera_order(seen: Sequence[float]) -> bool:
    """Return whether frames come darkest first, brightest first, or the middle one first.

    Light that flickers comes in any order.
    """
    order = np.argsort(np.argsort(seen))
    middle = len(seen) // 2
    return bool(
        (np.diff(order) == 1).all()
        or (np.diff(order) == -1).all()
        or (order[0] == middle and _widening(np.abs(order[1:] - middle)))
        or (order[0] == middle and (np.diff(order[1:]) > 0).all())
    )


def _widening(away: np.ndarray[tuple[int, ...], np.dtype[np.signedinteger]]) -> bool:
    return bool((np.diff(away) >= 0).all())


def _one_view(frames: Sequence[Fingerprint]) -> bool:
    first = frames[0].view
    for frame in frames[1:]:
        if first is None or frame.view is None:
            return False
        found = match(first, frame.view)
        if found.likeness < _LIKENESS or found.drift > _SAME_FRAMING:
            return False
    return True
