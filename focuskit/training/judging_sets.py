"""Libraries of which it is known what belongs together: is everything put into the right set?"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from focuskit.cull.sets import find_sets
from focuskit.training.judging_scenes import Part
from focuskit.training.set_cases import CASES, NEED_TIMES, evenly
from focuskit.training.set_makers import SetLibrary, SetMaker
from focuskit.training.set_pictures import photos, real_stacks

__all__ = ["judge_sets", "set_library"]

# How often every case is drawn, and how many photos that takes each time.
_ROUNDS, _PHOTOS_A_ROUND = 20, 16

_SEEDS = {Part.DEVELOPMENT: 5100, Part.JUDGING: 8300}


def judge_sets(part: Part, data: Path, *, most: int | None = None) -> dict[str, list[bool]]:
    """Return for all shots, and for every case, whether each was put into exactly the right set.

    Args:
        part: photos and seeds to choose constants on, or others to judge the outcome on.
        data: folder with cuhk-dbd, sharp, focal-sweeps and focus-stacks; of the last two what is
            there is used.
        most: draw from about so many photos, but at least every case once; None for all.

    Raises:
        InputError: there are no photos.
    """
    rounds = _ROUNDS if most is None else max(1, min(_ROUNDS, most // _PHOTOS_A_ROUND))
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
        hit = given.get(index, alone) == (kind, frozenset(wanted[library.truth[index]]))
        right["all"].append(hit)
        right[case].append(hit)
    return dict(right)


def set_library(part: Part, data: Path, *, rounds: int) -> SetLibrary:
    """Draw a library of two cameras in turn, one of which has no clock for a while.

    Raises:
        InputError: there are no photos.
    """
    rng = np.random.default_rng(_SEEDS[part])
    drawn = photos(part, data, _SEEDS[part] + 1)
    maker = SetMaker(rng, drawn)
    for number in range(rounds):
        for case in CASES:
            maker.camera = "AB"[int(rng.integers(2))]
            maker.clocked = number % 3 != 2 or case in NEED_TIMES
            case(maker)
    for frames in real_stacks(part, data):
        maker.clocked = True
        maker.add("focus stack", "focus stack, real", frames, evenly(len(frames), 0.6))
    return maker.library
