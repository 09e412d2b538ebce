"""Names for things that can be added from outside: detectors, operations, scorers.

A row is the string "module:attr", so listing names imports nothing. Built-in rows and rows from
other packages' entry points go through the same `add`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar, cast

from focuskit.errors import DuplicateNameError, RegistryError, UnknownNameError

__all__ = ["Registry", "Row"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One name of a registry: where its object lives and one line about it.

    Attributes:
        name: what users type.
        target: "module:attr".
        summary: one line for listings.
        paper: who published it and when; empty where nobody did.
    """

    name: str
    target: str
    summary: str
    paper: str = ""


class Registry(Generic[T]):
    """A lazy table from a name to an object.

    Args:
        kind: what a row is, for messages ("detector").
        group: entry-point group through which other packages add rows ("focuskit.detectors").
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._rows: dict[str, Row] = {}
        self._entry_points_read = False

    def add(self, name: str, target: str, summary: str, *, paper: str = "") -> None:
        """Add a row.

        Args:
            name: what users type.
            target: "module:attr"; imported when the row is first used.
            summary: one line for listings.
            paper: who published it and when; empty where nobody did.

        Raises:
            DuplicateNameError: the name is taken.
            RegistryError: the target is not of the form "module:attr".
        """
        module, separator, attr = target.partition(":")
        if not (module and separator and attr):
            raise RegistryError(
                f"The {self.kind} {name!r} points to {target!r}; write it as 'module:attr'."
            )
        if name in self._rows:
            raise DuplicateNameError(
                f"The {self.kind} name {name!r} is taken by {self._rows[name].target}; "
                f"{target} needs another one."
            )
        self._rows[name] = Row(name, target, summary, paper)

    def get(self, name: str) -> T:
        """Return the object behind `name`, importing it now.

        Raises:
            UnknownNameError: no such row; the message names the nearest ones.
            RegistryError: the row's module cannot be imported or lacks the attribute.
        """
        self._read_entry_points()
        row = self._rows.get(name)
        if row is None:
            near = difflib.get_close_matches(name, self._rows, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "there is no name like it."
            raise UnknownNameError(
                f"There is no {self.kind} called {name!r}; {hint} "
                f"Available: {', '.join(sorted(self._rows))}."
            )
        module, _, attr = row.target.partition(":")
        try:
            return cast(T, getattr(import_module(module), attr))
        except (ImportError, AttributeError) as exc:
            raise RegistryError(
                f"The {self.kind} {name!r} ({row.target}) could not be loaded: {exc}."
            ) from exc

    def __iter__(self) -> Iterator[Row]:
        self._read_entry_points()
        return iter(sorted(self._rows.values(), key=lambda row: row.name))

    def __contains__(self, name: object) -> bool:
        self._read_entry_points()
        return name in self._rows

    def __len__(self) -> int:
        self._read_entry_points()
        return len(self._rows)

    def _read_entry_points(self) -> None:
        if self._entry_points_read:
            return
        self._entry_points_read = True
        for point in entry_points(group=self.group):
            owner = point.dist.name if point.dist else "another package"
            self.add(point.name, point.value, f"from {owner}")
