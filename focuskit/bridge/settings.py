"""The parameters of each operation: what they may be, and what a call's mean."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial
from typing import Any, get_args, get_type_hints

from focuskit.batch.checked import Where, check_keys
from focuskit.batch.edits import Settings
from focuskit.batch.parameters import parameters_of, settings_of
from focuskit.detect import DEFAULT_DETECTOR, DETECTORS, is_ready
from focuskit.edit import OPERATIONS
from focuskit.errors import FocuskitError, InputError, WeightsError

__all__ = ["CHECK", "FOCUS_MAP", "describe", "detector_of", "operation_names", "read_settings"]

FOCUS_MAP, CHECK = "focus-map", "check"
"""What is looked at only; the other operations are those of OPERATIONS."""

Described = dict[str, dict[str, Any]]

# The command's names where the operation's own differ.
_CALLED = {"rotation_deg": "rotation"}
_OWN = {called: own for own, called in _CALLED.items()}
# A function restores unless told otherwise; the command finds regions unless told otherwise.
_COMMANDS_DEFAULT = {("deblur", "apply"): False}
_PLACES = {2: "point", 4: "box"}
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string"}
_FAR = 1e9
_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_LEAST = re.compile(rf">= ({_NUMBER})")
_MOST = re.compile(rf"<= ({_NUMBER})")


def operation_names() -> tuple[str, ...]:
    """Return what the worker can be asked for."""
    return (FOCUS_MAP, *(row.name for row in OPERATIONS), CHECK)


def detector_of(parameters: Mapping[str, Any]) -> str:
    """Return the detector that a call's parameters name, or the one that ships.

    Raises:
        InputError: it is no text.
        UnknownNameError: there is no such detector.
    """
    name = parameters.get("detector", DEFAULT_DETECTOR)
    if not isinstance(name, str):
        raise InputError(f"detector must be the name of a detector, found {name!r}.")
    DETECTORS.get(name)
    return name


def read_settings(operation: str, parameters: Mapping[str, Any]) -> Settings:
    """Return the settings of an operation in OPERATIONS from a call's parameters.

    Raises:
        InputError: one is unknown, of the wrong type or out of range, or two say the same thing.
    """
    known = {_CALLED.get(key, key) for key in parameters_of(operation)}
    where = Where(operation)
    check_keys(parameters, [*sorted(known), "detector"], where, "parameter")
    table = {_OWN.get(key, key): _as_text(key, value) for key, value in parameters.items()}
    for (name, key), value in _COMMANDS_DEFAULT.items():
        if name == operation:
            table.setdefault(key, value)
    return settings_of(operation, table, where)


def _as_text(key: str, value: Any) -> Any:
    """Return places as recipes write them."""
    if not isinstance(value, list):
        return value
    if key not in _PLACES.values() or not all(_is_number(each) for each in value):
        raise InputError(f"{key} cannot be {value!r}.")
    return ",".join(repr(each) for each in value)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


@cache
def describe() -> dict[str, dict[str, Described]]:
    """Return what every operation can be told, as clients show it in a dialog.

    Names, types, defaults, limits and words come from the operations themselves: their signatures,
    what they refuse, and their docstrings.
    """
    detector = {"detector": _detector()}
    box = _parameter("box", "box of which to tell it; the whole picture without one", None)
    described: dict[str, Described] = {FOCUS_MAP: detector, CHECK: {"box": box} | detector}
    for row in OPERATIONS:
        described[row.name] = _described(row.name) | detector
    return {name: {"parameters": described[name]} for name in operation_names()}


def _detector() -> dict[str, Any]:
    choices = [row.name for row in DETECTORS if _ready(row.name)]
    text = "what finds out where the picture is in focus"
    return _parameter("string", text, DEFAULT_DETECTOR) | {"choices": choices}


def _ready(name: str) -> bool:
    try:
        return is_ready(name)
    except WeightsError:
        return False


def _described(operation: str) -> Described:
    function = OPERATIONS.get(operation)
    signature, hints = inspect.signature(function), get_type_hints(function)
    words = _words(function)
    found: Described = {}
    wanted = set(parameters_of(operation))
    for name, hint in hints.items():
        kind = _kind(hint)
        if is_dataclass(kind) and isinstance(kind, type):
            # Not photo and map: these are given, and are no parameters.
            if wanted >= {each.name for each in fields(kind)}:
                inner = _of_dataclass(kind)
                found |= {_CALLED.get(key, key): each for key, each in inner.items()}
        elif name in wanted:
            default = signature.parameters[name].default
            default = _COMMANDS_DEFAULT.get((operation, name), default)
            found[name] = _parameter(_type(kind), words.get(name, ""), default)
            if kind in (int, float):
                found[name] |= _limits(_refusal(operation, name))
    return found


def _of_dataclass(kind: Any) -> Described:
    hints, words = get_type_hints(kind), _words(kind)
    found: Described = {}
    for each in fields(kind):
        found[each.name] = _parameter(
            _type(hints[each.name]), words.get(each.name, ""), each.default
        )
        if hints[each.name] is int:
            found[each.name]["choices"] = _taken(kind, each.name)
        elif hints[each.name] is float:
            found[each.name] |= _limits(_says(partial(kind, **{each.name: _FAR})))
    return found


def _taken(kind: Callable[..., Any], name: str) -> list[int]:
    """Return the whole numbers that a field may be."""
    return [each for each in range(100) if not _says(partial(kind, **{name: each}))]


def _refusal(operation: str, name: str) -> str:
    """Return what an operation says to a number that no parameter may be."""
    fits = {"bokeh": {"strength": 5.0}, "refocus": {"coc_px": 2.0}}.get(operation, {})
    others = {} if name in ("f_number", "strength", "coc_px") else fits
    return _says(partial(settings_of, operation, {**others, name: _FAR}, Where(operation)))


def _says(make: Callable[[], Any]) -> str:
    try:
        make()
    except FocuskitError as exc:
        return str(exc)
    return ""


def _limits(refusal: str) -> dict[str, float]:
    """Return the limits that the sentence of `focuskit.check.check_range` names."""
    least, most = _LEAST.search(refusal), _MOST.search(refusal)
    found = {"least": least, "most": most}
    return {name: float(each[1]) for name, each in found.items() if each is not None}


def _parameter(kind: str, text: str, default: Any) -> dict[str, Any]:
    given = None if default is inspect.Parameter.empty else default
    unknown = {"least": None, "most": None, "choices": None}
    return {"type": kind, "default": given, **unknown, "text": text}


def _kind(hint: Any) -> Any:
    inner = [each for each in get_args(hint) if each is not type(None)]
    return inner[0] if len(inner) == 1 else hint


def _type(kind: Any) -> str:
    return _KINDS.get(kind) or _PLACES.get(len(get_args(kind)), "string")


def _words(documented: Any) -> dict[str, str]:
    """Return the first sentence that a docstring says of each argument or attribute."""
    text = inspect.getdoc(documented) or ""
    section = re.search(r"^(?:Args|Attributes):\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    entries = re.split(r"^    (?=\w+:)", section[1] if section else "", flags=re.MULTILINE)
    pairs = (each.partition(":") for each in entries if each.strip())
    return {name: " ".join(words.split()).partition(". ")[0] for name, _, words in pairs}
