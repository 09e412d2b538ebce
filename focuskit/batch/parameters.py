"""What an operation can be told, read from its own signature, and checked before it is used."""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from focuskit.batch.checked import Where, switch, text
from focuskit.batch.edits import Settings
from focuskit.batch.places import Box, Spot
from focuskit.blurmap import BlurMap
from focuskit.edit import OPERATIONS
from focuskit.errors import FocuskitError, InputError, RangeError
from focuskit.photo import Exif, Photo

__all__ = ["parameters_of", "settings_of"]

# What the run gives, not the person.
_GIVEN = {"photo", "blur_map", "protect", "device", "tick"}
# Ways to say one thing, and one of them that fits the photo that settings are tried out on.
_ONE_OF = {"bokeh": ("f_number", "strength"), "refocus": ("point", "box", "coc_px")}
_FITS: Mapping[str, Mapping[str, float]] = {"bokeh": {"strength": 5.0}, "refocus": {"coc_px": 2.0}}
# By how many numbers the operation takes.
_PLACES: Mapping[int, Callable[[str], Any]] = {2: Spot.parse, 4: Box.parse}
_TRIAL_PX = 64


def parameters_of(operation: str) -> tuple[str, ...]:
    """Return the names of what an operation can be told; fields of an aperture stand alone."""
    return tuple(_kinds(operation))


def settings_of(operation: str, table: Mapping[str, Any], where: Where) -> Settings:
    """Return an operation's settings from a recipe's table, whose other keys are left alone.

    Raises:
        InputError: a value is of the wrong type or out of range, or two say the same thing.
    """
    kinds = _kinds(operation)
    given = {
        key: _checked(key, value, kinds[key].kind, where)
        for key, value in table.items()
        if key in kinds
    }
    ways = _ONE_OF.get(operation, ())
    said = [key for key in ways if key in given]
    if ways and len(said) != 1:
        found = f"found {' and '.join(said)}" if said else "none is there"
        raise InputError(f"{where}: give exactly one of {', '.join(ways)}; {found}.")
    values = _defaults(operation) | {key: given[key] for key in given if not kinds[key].group}
    for group in {kind.group for kind in kinds.values() if kind.group}:
        chosen = {key: value for key, value in given.items() if kinds[key].group == group}
        values[group] = _built(kinds, group, chosen, where)
    _try_out(operation, values, where)
    return Settings(values)


def _defaults(operation: str) -> dict[str, Any]:
    """Return what a recipe leaves out as the signature says it, so that records are complete."""
    parameters = inspect.signature(OPERATIONS.get(operation)).parameters
    return {
        name: each.default
        for name, each in parameters.items()
        if name not in _GIVEN and each.default not in (None, inspect.Parameter.empty)
    }


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a parameter takes, and the dataclass that it is a field of, if it is one."""

    kind: Any
    group: str = ""
    make: Callable[..., Any] | None = None


def _kinds(operation: str) -> dict[str, _Kind]:
    function = OPERATIONS.get(operation)
    hints = get_type_hints(function)
    found: dict[str, _Kind] = {}
    for name in inspect.signature(function).parameters:
        kind = _without_none(hints.get(name))
        if name in _GIVEN:
            continue
        if is_dataclass(kind) and isinstance(kind, type):
            inner = get_type_hints(kind)
            found |= {each.name: _Kind(inner[each.name], name, kind) for each in fields(kind)}
        else:
            found[name] = _Kind(kind)
    return found


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        (first, *rest) = [each for each in get_args(kind) if each is not type(None)]
        return kind if rest else first
    return kind


def _checked(key: str, value: Any, kind: Any, where: Where) -> Any:
    if kind is bool:
        return switch({key: value}, key, False, where)
    if kind in (int, float):
        number = isinstance(value, int if kind is int else int | float)
        if isinstance(value, bool) or not number or not math.isfinite(value):
            wanted = "a whole number" if kind is int else "a number"
            raise RangeError(f"{where}: {key} must be {wanted}, found {value!r}.")
        return kind(value)
    if kind is str:
        return text({key: value}, key, "", where)
    parse = _PLACES.get(len(get_args(kind))) if get_origin(kind) is tuple else None
    if parse is not None:
        try:
            return parse(text({key: value}, key, "", where))
        except InputError as exc:
            raise type(exc)(f"{where}: {key}: {exc}") from exc
    raise InputError(f"{where}: {key} cannot be set in a recipe, for it is no number or text.")


def _built(kinds: Mapping[str, _Kind], group: str, chosen: Mapping[str, Any], where: Where) -> Any:
    make = next(kind.make for kind in kinds.values() if kind.group == group)
    try:
        return make(**chosen) if make is not None else None
    except RangeError as exc:
        # Its messages begin with the name of the class, which no recipe holds.
        raise RangeError(f"{where}: {str(exc).partition('.')[2]}") from exc


def _try_out(operation: str, values: Mapping[str, Any], where: Where) -> None:
    """Let the operation itself say which numbers are out of range, on a photo made for it."""
    ways = _ONE_OF.get(operation, ())
    others = {name: value for name, value in values.items() if name not in ways}
    # The way that was chosen may not fit that photo; the other numbers are looked at all the same.
    for tried in (values, {**_FITS.get(operation, {}), **others}):
        if any(isinstance(value, Spot | Box) for value in tried.values()):
            continue
        try:
            OPERATIONS.get(operation)(_trial_photo(), _trial_map(), **tried)
        except RangeError as exc:
            # What else it says is about the photo, and the next one may be another.
            if str(exc).partition(" ")[0] in values:
                raise RangeError(f"{where}: {exc}") from exc
        except FocuskitError:
            continue


def _trial_photo() -> Photo:
    light = np.random.default_rng(0).random((_TRIAL_PX, _TRIAL_PX, 3), np.float32)
    return Photo(light, exif=Exif(f_number=22.0))


def _trial_map() -> BlurMap:
    coc_px = np.zeros((_TRIAL_PX, _TRIAL_PX), np.float32)
    coc_px[:, _TRIAL_PX // 2 :] = 2
    return BlurMap((coc_px == 0).astype(np.float32), coc_px, np.ones_like(coc_px))
