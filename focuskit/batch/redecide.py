"""Deciding anew from what a cull measured, without looking at the photos again."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from focuskit.batch.recipe import Recipe
from focuskit.batch.records import Record, decision_record
from focuskit.batch.versions import parameters_version
from focuskit.cull.beside import Beside
from focuskit.cull.decide import Decision, Place, Thresholds, decide, decide_sets
from focuskit.cull.measures import Measures
from focuskit.cull.sets import Bracket, Burst, FocusStack, Panorama, ShotSet
from focuskit.cull.subject import Region
from focuskit.errors import InputError
from focuskit.photo import DecodedFrom

__all__ = ["Measured", "decide_again", "measured", "redecided"]

_SETS: Mapping[str, type[ShotSet]] = {
    each.kind: each for each in (Bracket, Burst, FocusStack, Panorama)
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a verdict on a shot rests on, thresholds apart.

    Attributes:
        measures: of the shot by itself.
        in_burst: the same at the place that its burst was compared by.
        diagonal_px: of the full frame.
        decoded_from: which picture in the file was measured.
        place: where it stands in its set, if it has one.
    """

    measures: Measures
    in_burst: Measures
    diagonal_px: float
    decoded_from: DecodedFrom
    place: Place | None


def measured(record: Mapping[str, Any]) -> Measured:
    """Read back what a cull measured on a shot.

    Raises:
        InputError: the record comes from another version.
    """
    try:
        picture, compared = record["picture"], record.get("compared") or {}
        there = {**record, **compared}
        there["measures"] = record["measures"] | compared.get("measures", {})
        return Measured(
            _measures(record),
            _measures(there),
            math.hypot(picture["width"], picture["height"]),
            _decoded_from(picture.get("decoded_from", "full")),
            Place(**record["set"]) if record.get("set") else None,
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise InputError(
            f"The results of {record.get('shot')} lack what this version measures; cull the "
            "library again."
        ) from exc


def decide_again(shots: Sequence[Measured], thresholds: Thresholds | None = None) -> list[Decision]:
    """Decide about shots alone, then within the sets that they were in."""
    alone = [
        decide(shot.measures, shot.diagonal_px, thresholds, decoded_from=shot.decoded_from)
        for shot in shots
    ]
    members: dict[tuple[str, int], list[int]] = defaultdict(list)
    first: dict[tuple[str, int, int], int] = {}
    copies = {}
    for index, shot in enumerate(shots):
        if shot.place is None:
            continue
        place = (shot.place.kind, shot.place.number)
        # Only copies of one picture share a rank.
        original = first.setdefault((*place, shot.place.rank), index) if shot.place.rank else index
        if original != index:
            copies[index] = original
        else:
            members[place].append(index)
    sets = [_SETS.get(kind, Bracket)(tuple(those)) for (kind, _), those in members.items()]
    decided = decide_sets(alone, [shot.in_burst for shot in shots], sets, thresholds)
    for copy, original in copies.items():
        decided[copy] = decided[original]
    return decided


def redecided(records: Sequence[Record], recipe: Recipe) -> list[Record]:
    """Return the records of a cull with the verdicts that a recipe gives them.

    Args:
        records: of a cull; those of failed shots stay as they are.
        recipe: its lines count, and its detector must be the one that measured.

    Raises:
        InputError: another detector measured, or another version.
    """
    done = [record for record in records if record.get("measures")]
    other = next((each for each in done if each.get("detector") != recipe.detector), None)
    if other is not None:
        raise InputError(
            f"The results were measured with {other.get('detector')}, and the recipe asks for "
            f"{recipe.detector}: cull the library anew (--library instead of --results)."
        )
    decisions = decide_again([measured(record) for record in done], recipe.thresholds)
    parameters = {"parameters": parameters_version(recipe.thresholds)}
    anew = {
        str(record["shot"]): record
        | decision_record(decision)
        | {"set": record.get("set")}
        | parameters
        for record, decision in zip(done, decisions, strict=True)
    }
    return [anew.get(str(record["shot"]), record) for record in records]


def _measures(record: Mapping[str, Any]) -> Measures:
    values = {
        name: math.nan if value is None else float(value)
        for name, value in record["measures"].items()
    }
    # What no verdict does without, and earlier versions did not measure.
    values["motion_probability"]
    return Measures(values, Region(**record["region"]), _beside(record.get("beside")))


def _beside(found: Mapping[str, Any] | None) -> Beside | None:
    if not found:
        return None
    region = Region(**found["region"])
    return Beside(region, float(found["edge_width"]), found["side"], found["hint"])


def _decoded_from(found: str) -> DecodedFrom:
    kinds: tuple[DecodedFrom, ...] = get_args(DecodedFrom)
    return kinds[kinds.index(found)]
