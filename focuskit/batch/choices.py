"""What a person chose while reviewing: kept in the catalog, by shot and by content."""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from focuskit.batch.keys import ShotKey
from focuskit.batch.sqlite import name_of, stored_name
from focuskit.errors import RangeError

__all__ = ["CHOICES_TABLES", "LABELS", "PICKS", "Choice", "Identity", "Synced", "choices_by_shot"]
__all__ += ["identity_of", "outcome_of", "sync_shots", "with_choice"]

PICKS = ("keeper", "reject", "unset")
"""What a person may say about keeping a shot; "unset" takes the run's verdict away."""

LABELS = ("red", "yellow", "green", "blue", "purple")
"""Colour labels, in the order of the keys 6 to 9 and on."""

CHOICES_TABLES = """
CREATE TABLE IF NOT EXISTS reviewed (
    id INTEGER PRIMARY KEY AUTOINCREMENT, shot UNIQUE, file, content TEXT NOT NULL,
    taken TEXT NOT NULL, pick TEXT, stars INTEGER, label TEXT
);
CREATE TABLE IF NOT EXISTS journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT NOT NULL, client TEXT NOT NULL,
    at TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT 0, changes TEXT NOT NULL
);
"""
"""Where choices are kept: every shot's lasting number with what was chosen, and how it came so.

`shot` is empty where another photo has the name now; the content still tells whose choice it is.
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person said about a shot; None where nothing was said.

    Attributes:
        pick: one of PICKS.
        stars: 0 to 5.
        label: one of LABELS, or "" for no label.

    Raises:
        RangeError: on construction, if one of them is none of that.
    """

    pick: str | None = None
    stars: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if self.pick is not None and self.pick not in PICKS:
            raise RangeError(f"A pick is one of {', '.join(PICKS)}; found {self.pick!r:.40}.")
        stars = self.stars
        if stars is not None and (type(stars) is not int or not 0 <= stars <= 5):
            raise RangeError(f"Stars are a whole number from 0 to 5; found {stars!r:.40}.")
        if self.label is not None and self.label not in ("", *LABELS):
            raise RangeError(f"A label is one of {', '.join(LABELS)}; found {self.label!r:.40}.")

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return self != Choice()

    def __str__(self) -> str:
        """Say it in words."""
        said = []
        if self.pick is not None:
            said.append({"unset": "no pick"}.get(self.pick, self.pick))
        if self.stars is not None:
            said.append("1 star" if self.stars == 1 else f"{self.stars} stars")
        if self.label is not None:
            said.append(f"{self.label} label" if self.label else "no label")
        return ", ".join(said)

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"pick": self.pick, "stars": self.stars, "label": self.label}


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a shot from others, wherever it goes.

    Attributes:
        shot: its name below the library.
        file: the judged file as it was seen last.
        content: size and digest of that file's ends; "" where it could not be looked at.
        taken: when, as ISO 8601; "" where that is not known.
    """

    shot: str
    file: str
    content: str
    taken: str


@dataclass(frozen=True, slots=True)
class Synced:
    """The lasting numbers of shots.

    Attributes:
        ids: by the shots' names.
        new: numbers given just now, of shots that were never seen; empty if none was before.
    """

    ids: Mapping[str, int]
    new: frozenset[int]


def identity_of(shot: str, key: ShotKey, taken: str | None) -> Identity:
    """Return what tells a shot from others, from its key in the catalog."""
    if not key:
        return Identity(shot, "", "", taken or "")
    return Identity(shot, str(key[0].path), f"{key[0].bytes} {key[0].ends}", taken or "")


def outcome_of(record: Mapping[str, Any]) -> str:
    """Return the verdict that counts: a person's pick, else the run's own.

    Who took a verdict away and gave no other is asked again: "cant-tell".
    """
    pick = (record.get("choice") or {}).get("pick")
    if pick is None:
        return str(record["verdict"])
    return "cant-tell" if pick == "unset" else str(pick)


def with_choice(record: dict[str, Any], choice: Choice | None) -> dict[str, Any]:
    """Return a record with what the person said, if anything, as its field `choice`."""
    if not choice:
        return {name: value for name, value in record.items() if name != "choice"}
    return record | {"choice": choice.as_record()}


def choices_by_shot(connection: sqlite3.Connection) -> dict[str, Choice]:
    """Return what was said about shots, by their names; nothing where a catalog is older."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'reviewed'").fetchone():
        return {}
    rows = connection.execute(
        "SELECT shot, pick, stars, label FROM reviewed WHERE shot IS NOT NULL AND"
        " (pick IS NOT NULL OR stars IS NOT NULL OR label IS NOT NULL)"
    )
    return {name_of(shot): Choice(*said) for shot, *said in rows}


def sync_shots(connection: sqlite3.Connection, shots: Sequence[Identity]) -> Synced:
    """Give every shot its lasting number; a moved or renamed one keeps its own.

    A number goes to the shot of the same name and content; else to one of the same content whose
    file is not where it was; else to one of the same name that was taken at the same moment, an
    edited file. Whatever else has the name now is another photo and starts anew.

    Args:
        connection: to a catalog; the caller makes it one transaction.
        shots: all that the catalog knows now.
    """
    known = [
        (number, None if shot is None else name_of(shot), name_of(file or ""), content, taken)
        for number, shot, file, content, taken in connection.execute(
            "SELECT id, shot, file, content, taken FROM reviewed ORDER BY id"
        )
    ]
    by_name = {row[1]: row for row in known if row[1] is not None}
    ids: dict[str, int] = {}
    left: list[Identity] = []
    changed: list[tuple[int, Identity]] = []
    for shot in shots:
        row = by_name.get(shot.shot)
        if row is not None and row[3] == shot.content and shot.content:
            ids[shot.shot] = row[0]
            if row[2:] != (shot.file, shot.content, shot.taken):
                changed.append((row[0], shot))
        else:
            left.append(shot)
    if left:
        taken_numbers = set(ids.values())
        free = [row for row in known if row[0] not in taken_numbers]
        changed += _moved(left, free, {shot.shot for shot in left}, ids)
    fresh = [shot for shot in left if shot.shot not in ids]
    _write(connection, changed, fresh)
    if fresh:
        found = connection.execute("SELECT id, shot FROM reviewed WHERE shot IS NOT NULL")
        ids = {name_of(shot): number for number, shot in found}
    new = frozenset(ids[shot.shot] for shot in fresh) if known else frozenset()
    return Synced({shot.shot: ids[shot.shot] for shot in shots}, new)


def _moved(
    left: Iterable[Identity],
    free: Sequence[tuple[int, str | None, str, str, str]],
    renamed: set[str],
    ids: dict[str, int],
) -> list[tuple[int, Identity]]:
    """Find the earlier numbers of shots; adds them to `ids` and returns them."""
    by_content = defaultdict(list)
    by_name = {}
    for number, name, file, content, taken in free:
        # A copy of a photo that is still there is another shot.
        if content and (name is None or name in renamed or not os.path.lexists(file)):
            by_content[content].append(number)
        by_name[name] = number, taken
    found: list[tuple[int, Identity]] = []
    rest = []
    for shot in left:
        if shot.content and by_content[shot.content]:
            found.append((by_content[shot.content].pop(0), shot))
        else:
            rest.append(shot)
    used = {number for number, _ in found}
    for shot in rest:
        number, taken = by_name.get(shot.shot, (0, ""))
        same = not shot.content or (taken and taken == shot.taken)
        if number and number not in used and same:
            found.append((number, shot))
    ids |= {shot.shot: number for number, shot in found}
    return found


def _write(
    connection: sqlite3.Connection,
    changed: Sequence[tuple[int, Identity]],
    fresh: Sequence[Identity],
) -> None:
    # Names are freed first: photos may have changed places.
    free = [(stored_name(shot.shot),) for shot in (*(each for _, each in changed), *fresh)]
    connection.executemany("UPDATE reviewed SET shot = NULL WHERE shot = ?", free)
    connection.executemany(
        "UPDATE reviewed SET shot = ?, file = ?, content = ?, taken = ? WHERE id = ?",
        [(*_values(shot), number) for number, shot in changed],
    )
    connection.executemany(
        "INSERT INTO reviewed (shot, file, content, taken) VALUES (?, ?, ?, ?)",
        [_values(shot) for shot in fresh],
    )


def _values(shot: Identity) -> tuple[str | bytes, str | bytes, str, str]:
    return stored_name(shot.shot), stored_name(shot.file), shot.content, shot.taken
