"""The shots of a catalog as the light table needs them: small enough to hold a whole library."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focuskit.batch.catalog import Catalog, Row
from focuskit.batch.choices import Identity, identity_of
from focuskit.batch.culling import JUDGE
from focuskit.batch.verdicts import VERDICTS

__all__ = ["Entry", "Index", "Seen", "read_shots"]

_FAILED_ASPECT = 1.5
_LATEST = "~"


@dataclass(frozen=True, slots=True)
class Seen:
    """A shot as the catalog holds it.

    Attributes:
        identity: what tells it from others.
        aspect: width / height of the upright picture.
        verdict: of the run: "keeper", "reject", "cant-tell" or "failed".
        score: 0 to 100, or None.
        confidence: of the verdict in [0, 1], or None.
        codes: of its reasons, the deciding one first.
        camera, lens: as the camera wrote them, or "".
        place: kind and number of its set, its rank in it and how many there are; None outside sets.
        stem: of its pictures, or "".
        files: of the shot, the judged one first: path, size and time in ns (-1, -1 on a server).
    """

    identity: Identity
    aspect: float
    verdict: str
    score: float | None
    confidence: float | None
    codes: tuple[str, ...]
    camera: str
    lens: str
    place: tuple[str, int, int, int] | None
    stem: str
    files: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A shot with its lasting number.

    Attributes:
        id: that number.
        seen: the shot as the catalog holds it.
    """

    id: int
    seen: Seen

    @property
    def name(self) -> str:
        """Name of the shot below the library."""
        return self.seen.identity.shot

    @property
    def group(self) -> tuple[str, int] | None:
        """Kind and number of its set."""
        return self.seen.place and self.seen.place[:2]


class Index:
    """All shots in the order of time, sets together and their best first.

    Attributes:
        entries: in that order.
        facets: how many shots have each reason, camera, lens and date, the most frequent first;
            dates in their own order.
    """

    def __init__(self, seen: Iterable[Seen], ids: Mapping[str, int]) -> None:
        self.entries = _in_order([Entry(ids[each.identity.shot], each) for each in seen])
        self._at = {entry.id: position for position, entry in enumerate(self.entries)}
        self.facets = _facets(self.entries)

    def __len__(self) -> int:
        """How many shots there are."""
        return len(self.entries)

    def __contains__(self, number: int) -> bool:
        """Whether there is a shot of that number."""
        return number in self._at

    def __getitem__(self, number: int) -> Entry:
        """Return the shot of a number; KeyError where there is none."""
        return self.entries[self._at[number]]

    def neighbours(self, number: int, reach: int) -> list[Entry]:
        """Return the shots around one, the nearest first and those after it before the others."""
        at = self._at[number]
        places = [place for step in range(1, reach + 1) for place in (at + step, at - step)]
        return [self.entries[place] for place in places if 0 <= place < len(self.entries)]

    def members(self, entry: Entry) -> list[Entry]:
        """Return all shots of the set of one, the best first."""
        at, found = self._at[entry.id], [entry]
        for step in (-1, 1):
            place = at + step
            while 0 <= place < len(self) and self.entries[place].group == entry.group:
                found.append(self.entries[place])
                place += step
        return sorted(found, key=lambda each: self._at[each.id])


def read_shots(path: Path) -> list[Seen]:
    """Return the shots of a catalog's last cull, those that failed too.

    Raises:
        InputError: it is no catalog, or no cull was kept in it.
        OutputError, BatchError: it cannot be read now.
    """
    with Catalog.open(path, write=False) as catalog:
        found = [_judged(row) for row in catalog.rows(VERDICTS)]
        names = {each.identity.shot for each in found}
        for row in catalog.known(JUDGE):
            if row.state != "done" and row.shot not in names and _there(row):
                found.append(_failed(row))
    return found


def _judged(row: Row) -> Seen:
    record = json.loads(row.outcome)
    exif, picture = record.get("exif") or {}, record.get("picture") or {}
    stats = record.get("stats") or ()
    files = tuple(
        (str(file), *(stat or (-1, -1))) for file, stat in zip(record["files"], stats, strict=False)
    )
    return Seen(
        identity_of(row.shot, row.key, exif.get("taken_at")),
        round(picture["width"] / picture["height"], 3) if picture else _FAILED_ASPECT,
        sys.intern(record["verdict"]),
        record.get("score"),
        record.get("confidence"),
        tuple(sys.intern(each["code"]) for each in record["reasons"]),
        sys.intern(exif.get("camera") or ""),
        sys.intern(exif.get("lens") or ""),
        _place(record.get("set")),
        record.get("pictures") or "",
        files,
    )


def _failed(row: Row) -> Seen:
    files = tuple((str(each.path), each.bytes, each.mtime_ns) for each in row.key)
    identity = identity_of(row.shot, row.key, None)
    codes = (sys.intern("failed"),)
    return Seen(identity, _FAILED_ASPECT, "failed", None, None, codes, "", "", None, "", files)


def _there(row: Row) -> bool:
    return bool(row.key) and row.key[0].path.exists()


def _place(found: Mapping[str, Any] | None) -> tuple[str, int, int, int] | None:
    if not found:
        return None
    return sys.intern(found["kind"]), found["number"], found["rank"], found["size"]


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Sort by time, where a set counts as its first frame; failed shots and those without last."""
    first: dict[tuple[str, int], str] = {}
    for entry in entries:
        if entry.group:
            taken = entry.seen.identity.taken or _LATEST
            first[entry.group] = min(first.get(entry.group, _LATEST), taken)

    def key(entry: Entry) -> tuple[bool, str, tuple[str, int], int, str]:
        seen = entry.seen
        group = entry.group
        taken = first[group] if group else seen.identity.taken or _LATEST
        rank = seen.place[2] if seen.place else 0
        return seen.verdict == "failed", taken, group or ("", 0), rank, entry.name

    return sorted(entries, key=key)


def _facets(entries: Iterable[Entry]) -> dict[str, list[tuple[str, int]]]:
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("reason", "camera", "lens", "date")
    }
    for entry in entries:
        seen = entry.seen
        counts["reason"].update(set(seen.codes))
        counts["camera"][seen.camera] += 1
        counts["lens"][seen.lens] += 1
        counts["date"][seen.identity.taken[:10]] += 1
    facets = {}
    for name, counted in counts.items():
        counted.pop("", None)
        found = counted.most_common()
        facets[name] = sorted(found) if name == "date" else found
    return facets
