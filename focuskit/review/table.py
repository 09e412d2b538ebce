"""The light table: all shots of a catalog, what a person chose, and how pages ask for them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from focuskit.batch.catalog import Catalog
from focuskit.batch.choices import LABELS, Choice, with_choice
from focuskit.batch.culling import JUDGE
from focuskit.batch.journal import Changed, Journal, Said
from focuskit.batch.library import Problem
from focuskit.batch.records import problem_record
from focuskit.batch.undo import moves_in
from focuskit.batch.verdicts import VERDICTS
from focuskit.errors import InputError
from focuskit.review.details import describe, focus_points
from focuskit.review.index import Entry, Index, read_shots
from focuskit.review.pictures import is_stem
from focuskit.review.query import Query, counted_verdict
from focuskit.review.rendering import Kind, Wanted
from focuskit.review.whereabouts import Whereabouts, look_for

__all__ = ["NoShotError", "Table", "Tile", "stem_of"]

Tile = list[Any]

_STEM_BYTES = 8
_V_CHARS = 8
_NOTHING = Choice()


class NoShotError(InputError):
    """No shot has that number."""


@dataclass(frozen=True, slots=True)
class _State:
    """What is known at a moment; replaced as a whole when the catalog changes."""

    index: Index
    new: frozenset[int]
    places: Mapping[int, Whereabouts]


class Table:
    """Shots and choices of a catalog; its methods may be called from several threads.

    Attributes:
        path: of the catalog.
        name: of the library, for people.
        journal: keeps the choices.
    """

    def __init__(self, path: Path) -> None:
        """Read a catalog.

        Raises:
            InputError, OutputError, BatchError: it cannot be used.
        """
        self.path = path
        self.journal = Journal.open(path)
        self._lock = threading.Lock()
        self._state = self._read({})
        self._choices = self.journal.choices()
        self.name = _library_name(self._state.index.entries, path)

    def close(self) -> None:
        """Close the catalog."""
        self.journal.close()

    def refresh(self) -> bool:
        """Read the catalog anew if another program wrote to it; tell whether anything changed."""
        if not self.journal.changed_elsewhere():
            return False
        before = self._state
        state = self._read(before.places)
        same = [entry.seen for entry in state.index.entries] == [
            entry.seen for entry in before.index.entries
        ]
        with self._lock:
            choices = self.journal.choices()
            changed = not same or choices != self._choices
            self._state, self._choices = state, choices
        return changed

    def look_around(self) -> list[Tile]:
        """Look which files are where they were, and for the others; return tiles that changed."""
        state = self._state
        places = look_for(state.index.entries, moves_in(self.path.absolute().parent))
        with self._lock:
            before = self._state
            self._state = _State(before.index, before.new, places)
        touched = {number for number in {*places, *before.places} if number in before.index}
        return self.tiles(
            number for number in touched if places.get(number) != before.places.get(number)
        )

    def summary(self) -> dict[str, Any]:
        """Return what a page says about the library as a whole."""
        state, choices = self._state, self._choices
        counts = Counter(
            counted_verdict(entry, choices.get(entry.id)) for entry in state.index.entries
        )
        undo, redo = self.journal.ends()
        return {
            "name": self.name,
            "counts": {
                "all": len(state.index),
                **{kind: counts[kind] for kind in ("keeper", "reject", "cant-tell", "failed")},
                "changed": sum(number in state.index for number in choices),
            },
            "facets": state.index.facets,
            "labels": list(LABELS),
            "missing": sum(place.missing for place in state.places.values()),
            "can_write": self.journal.refusal or True,
            "undo": undo,
            "redo": redo,
        }

    def shots(self, query: Query, most: int | None = None) -> dict[str, Any]:
        """Return the tiles that a page shows, in groups.

        Args:
            query: which, and in which order.
            most: after about so many, the groups end; None for all.
        """
        state, choices = self._state, self._choices
        found = query.of(state.index.entries, choices)
        groups: list[dict[str, Any]] = []
        told = 0
        sets = query.order == "set"
        for group, members in groupby(found, key=lambda entry: entry.group if sets else None):
            kind, number = group or (None, None)
            tiles = [self._tile(entry, state, choices) for entry in members]
            if most is not None and told + len(tiles) > most:
                tiles = tiles[: max(1, most - told)]
            groups.append({"kind": kind, "number": number, "shots": tiles})
            told += len(tiles)
            if most is not None and told >= most:
                break
        return {"total": len(found), "groups": groups}

    def tiles(self, numbers: Iterable[int]) -> list[Tile]:
        """Return the tiles of shots, as far as there are such."""
        state, choices = self._state, self._choices
        return [
            self._tile(state.index[number], state, choices)
            for number in numbers
            if number in state.index
        ]

    def entry(self, number: int) -> Entry:
        """Return a shot by its number.

        Raises:
            NoShotError: there is none.
        """
        index = self._state.index
        if number not in index:
            raise NoShotError(f"There is no shot of the number {number}; load the page again.")
        return index[number]

    def details(self, number: int) -> dict[str, Any]:
        """Return everything about a shot, but for its pictures.

        Raises:
            NoShotError: there is none.
        """
        entry, state = self.entry(number), self._state
        with self._open() as catalog:
            record, exif = _stored(entry, catalog), _exif(entry, catalog)
        place = state.places.get(number)
        picture = record.get("picture") or {}
        return {
            "id": number,
            "name": entry.name,
            "digest": stem_of(entry)[:_V_CHARS],
            "files": [Path(file).name for file in record.get("files", ())],
            "width": picture.get("width"),
            "height": picture.get("height"),
            "verdict": entry.seen.verdict,
            "choice": self._choices.get(number, _NOTHING).as_record(),
            **describe(record),
            "focus_points": focus_points(exif, record),
            "set": _set_of(entry, state.index),
            "missing": place.sentence if place and place.missing else None,
            "moved": place.sentence if place and not place.missing else None,
        }

    def record(self, number: int) -> dict[str, Any]:
        """Return the record of a shot as a cull writes it, with the choice and where its files are.

        Raises:
            NoShotError: there is none.
        """
        with self._open() as catalog:
            return self._record(self.entry(number), catalog)

    def records(self, *, changed: bool) -> list[dict[str, Any]]:
        """Return the records of all shots, or only of those that the person chose for."""
        entries, chosen = self._state.index.entries, self._choices
        asked = [entry for entry in entries if not changed or entry.id in chosen]
        with self._open() as catalog:
            return [self._record(entry, catalog) for entry in asked]

    def _record(self, entry: Entry, catalog: Catalog) -> dict[str, Any]:
        record = _stored(entry, catalog)
        place = self._state.places.get(entry.id)
        if place is not None and place.files:
            record |= {
                "files": [str(file) for file, _, _ in place.files],
                "stats": [[size, mtime_ns] for _, size, mtime_ns in place.files],
            }
        return with_choice(record, self._choices.get(entry.id))

    def wanted(self, entry: Entry, kind: Kind) -> Wanted:
        """Return what it takes to make a picture of a shot.

        Raises:
            InputError: its files are missing or on a server.
        """
        place = self._state.places.get(entry.id)
        if place is not None and place.missing:
            raise InputError(place.sentence)
        if place is not None and place.files:
            files = [file for file, _, _ in place.files]
        else:
            files = [Path(file) for file, size, _ in entry.seen.files if size >= 0]
        if not files or "://" in str(files[0]):
            raise InputError(f"{entry.name} is not on this machine; only small pictures are here.")
        record: Mapping[str, Any] = {}
        if kind in ("overlay", "crop"):
            record = self.record(entry.id)
        region = record.get("region")
        box = region and (region["x"], region["y"], region["width"], region["height"])
        return Wanted(kind, entry.name, tuple(files), box, str(record.get("detector", "")))

    def everything(self) -> list[Entry]:
        """Return all shots in the order of time, sets together."""
        return self._state.index.entries

    def neighbours(self, number: int, reach: int) -> list[Entry]:
        """Return the shots around one, the nearest first."""
        index = self._state.index
        return index.neighbours(number, reach) if number in index else []

    def choices(self) -> Mapping[int, Choice]:
        """Return what was said, by number."""
        return self._choices

    def change(self, changes: Mapping[int, Said], what: str, client: str) -> list[Tile]:
        """Save choices and return the tiles of their shots.

        Raises:
            NoShotError: one is of no shot; then none is saved.
            RangeError: a value is none that can be chosen.
            OutputError: they cannot be saved.
        """
        for number in changes:
            self.entry(number)
        with self._lock:
            return self._took(self.journal.change(changes, what, client))

    def undo(self) -> tuple[str, list[Tile]] | None:
        """Take the last change back; return what it was and the tiles; None if there was none.

        Raises:
            OutputError: it cannot be saved.
        """
        with self._lock:
            changed = self.journal.undo()
            return None if changed is None else (changed.what, self._took(changed))

    def redo(self) -> tuple[str, list[Tile]] | None:
        """The same with what was taken back last."""
        with self._lock:
            changed = self.journal.redo()
            return None if changed is None else (changed.what, self._took(changed))

    def _took(self, changed: Changed) -> list[Tile]:
        choices = dict(self._choices)
        for number, choice in changed.choices.items():
            if choice:
                choices[number] = choice
            else:
                choices.pop(number, None)
        self._choices = choices
        return self.tiles(changed.choices)

    def _read(self, places: Mapping[int, Whereabouts]) -> _State:
        seen = read_shots(self.path)
        synced = self.journal.sync([each.identity for each in seen])
        return _State(Index(seen, synced.ids), synced.new, places)

    def _open(self) -> Catalog:
        return Catalog.open(self.path, write=False)

    @staticmethod
    def _tile(entry: Entry, state: _State, choices: Mapping[int, Choice]) -> Tile:
        seen, said = entry.seen, choices.get(entry.id, _NOTHING)
        flags = ["new"] if entry.id in state.new else []
        place = state.places.get(entry.id)
        if place is not None and (place.missing or place.stale):
            flags.append("missing" if place.missing else "stale")
        return [
            entry.id,
            entry.name,
            seen.aspect,
            seen.verdict,
            said.pick,
            said.stars,
            said.label,
            seen.score,
            flags,
            stem_of(entry)[:_V_CHARS],
        ]


def stem_of(entry: Entry) -> str:
    """Return what the pictures of a shot are called; those of no cull by the file's content."""
    seen = entry.seen
    if is_stem(seen.stem):
        return seen.stem
    content = (seen.identity.content or entry.name).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(content, digest_size=_STEM_BYTES).hexdigest()


def _stored(entry: Entry, catalog: Catalog) -> dict[str, Any]:
    """Return the record of a shot, without choices."""
    text = catalog.outcome(entry.name, VERDICTS)
    if text is not None:
        record: dict[str, Any] = json.loads(text)
        return record
    told = catalog.outcome(entry.name, JUDGE)
    message = json.loads(told) if told and entry.seen.verdict == "failed" else "It was forgotten."
    return problem_record(Problem(entry.name, str(message))) | {
        "files": [file for file, _, _ in entry.seen.files],
        "stats": [[size, mtime_ns] for _, size, mtime_ns in entry.seen.files],
    }


def _exif(entry: Entry, catalog: Catalog) -> dict[str, Any]:
    """Return the EXIF values of a shot's judgement, which know more than its record."""
    told = catalog.outcome(entry.name, JUDGE)
    judged = json.loads(told) if told else None
    return judged.get("exif") or {} if isinstance(judged, dict) else {}


def _set_of(entry: Entry, index: Index) -> dict[str, Any] | None:
    if entry.seen.place is None:
        return None
    kind, number, rank, of = entry.seen.place
    best = index.members(entry)[0]
    return {"kind": kind, "number": number, "rank": rank, "of": of, "best_id": best.id}


def _library_name(entries: Sequence[Entry], path: Path) -> str:
    for entry in entries:
        if entry.seen.files and "://" not in entry.seen.files[0][0]:
            below = len(Path(entry.name).parts)
            parents = Path(entry.seen.files[0][0]).parents
            if below <= len(parents):
                return parents[below - 1].name or str(parents[below - 1])
    return path.absolute().parent.name
