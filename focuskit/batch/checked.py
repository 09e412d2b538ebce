"""Tables of recipes, checked: what is wrong is said with file, step and key."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from focuskit.errors import InputError, RangeError

__all__ = ["Where", "check_keys", "switch", "text", "whole"]


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a recipe, for messages: its file, and the step where there is one."""

    file: str
    step: str = ""

    def __str__(self) -> str:
        return f"{self.file}, {self.step}" if self.step else self.file


def check_keys(table: Mapping[str, Any], known: Collection[str], where: Where, what: str) -> None:
    """Refuse keys that nobody knows, with the one that was probably meant.

    Raises:
        InputError: there is one.
    """
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            raise InputError(f"{where}: there is no {what} {key!r}; {hint}")


def text(table: Mapping[str, Any], key: str, default: str, where: Where) -> str:
    """Return a key's text.

    Raises:
        InputError: it is something else.
    """
    value = table.get(key, default)
    if not isinstance(value, str):
        raise InputError(f"{where}: {key} must be text in quotes, found {value!r}.")
    return value


def switch(table: Mapping[str, Any], key: str, default: bool, where: Where) -> bool:
    """Return a key's true or false.

    Raises:
        InputError: it is something else.
    """
    value = table.get(key, default)
    if not isinstance(value, bool):
        raise InputError(f"{where}: {key} must be true or false, found {value!r}.")
    return value


def whole(
    table: Mapping[str, Any], key: str, default: Any, where: Where, *, low: int, high: int
) -> Any:
    """Return a key's whole number, or the default.

    Raises:
        RangeError: it is none, or outside the range.
    """
    value = table.get(key, default)
    if key in table and (
        isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high
    ):
        raise RangeError(
            f"{where}: {key} must be a whole number from {low} to {high}, found {value!r}."
        )
    return value
