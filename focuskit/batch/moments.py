"""When photos were taken, remembered by their files' size and time: reading it costs more."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Self

from focuskit.errors import FocuskitError, InputError
from focuskit.io import read_exif
from focuskit.io.moment import quick_taken_at

__all__ = ["MOMENTS_TABLE", "Moments", "parse_since"]

MOMENTS_TABLE = """
CREATE TABLE IF NOT EXISTS moments (
    file BLOB PRIMARY KEY, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, taken TEXT NOT NULL
) WITHOUT ROWID
"""
"""Where `Moments` are kept; taken is ISO 8601, or empty where the file does not tell."""

_AGO = re.compile(r"(\d+)\s*(hour|day|week)s?(\s+ago)?", re.IGNORECASE)

_Known = tuple[int, int, str]


@dataclass(slots=True)
class Moments:
    """Times of capture by file.

    Attributes:
        known: by path as bytes: size, time of change in ns, and what `read_exif` says.
        fresh: the same, of files that had to be read.
    """

    known: dict[bytes, _Known] = field(default_factory=dict)
    fresh: dict[bytes, _Known] = field(default_factory=dict)

    @classmethod
    def load(cls, connection: sqlite3.Connection) -> Self:
        """Return what an SQLite file with `MOMENTS_TABLE` holds."""
        rows = connection.execute("SELECT file, bytes, mtime_ns, taken FROM moments")
        return cls({file: (size, mtime_ns, taken) for file, size, mtime_ns, taken in rows})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what an SQLite file holds; nothing where there is none, or it is something else.

        What is wrong with it is for those to say who write to it.
        """
        if not path.is_file():
            return cls()
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True)) as connection:
                return cls.load(connection)
        except sqlite3.Error:
            return cls()

    def save(self, connection: sqlite3.Connection) -> None:
        """Add what was read since; the caller commits."""
        connection.executemany(
            "INSERT OR REPLACE INTO moments (file, bytes, mtime_ns, taken) VALUES (?, ?, ?, ?)",
            [(file, *known) for file, known in self.fresh.items()],
        )
        self.known |= self.fresh
        self.fresh = {}

    def taken_at(self, path: str | Path, *, thorough: bool = True) -> datetime | None:
        """Return when a photo was taken by its EXIF data, or None where that is not known.

        Args:
            path: the file; None is what is known of one that cannot be read.
            thorough: read on where the beginning of the file does not tell.
        """
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        # A pipe would keep its reader waiting.
        if not stat.S_ISREG(found.st_mode):
            return None
        file = os.fsencode(path)
        known = self.known.get(file) or self.fresh.get(file)
        if known is not None and known[:2] == (found.st_size, found.st_mtime_ns):
            return datetime.fromisoformat(known[2]) if known[2] else None
        taken = quick_taken_at(path)
        if taken is None and thorough:
            taken = _read(path)
        if taken is not None or thorough:
            told = taken.isoformat() if taken else ""
            self.fresh[file] = (found.st_size, found.st_mtime_ns, told)
        return taken


def parse_since(text: str, now: datetime) -> datetime:
    """Return the moment that a person means.

    Args:
        text: a date, a date and a time in ISO 8601, "today", "yesterday", or so many hours, days or
            weeks before now: "3 days", "2 weeks ago".
        now: by the clock on the wall, without a time zone.

    Returns:
        By the clock on the wall, as cameras write it.

    Raises:
        InputError: it says none of that.
    """
    words = " ".join(text.lower().split())
    midnight = datetime.combine(now.date(), time())
    if words in ("today", "yesterday"):
        return midnight - timedelta(days=words == "yesterday")
    ago = _AGO.fullmatch(words)
    try:
        if ago is not None:
            return now - timedelta(**{f"{ago[2]}s": int(ago[1])})
        moment = datetime.fromisoformat(text.strip())
    except (OverflowError, ValueError) as exc:
        raise InputError(
            f"{text!r} is no moment; write a date such as 2026-11-01, with a time as in "
            '2026-11-01T18:00, "yesterday", or "3 days".'
        ) from exc
    return moment.astimezone().replace(tzinfo=None) if moment.tzinfo else moment


def _read(path: str | Path) -> datetime | None:
    try:
        return read_exif(path).taken_at
    except FocuskitError:
        # Whatever is wrong with the file is told when it is judged.
        return None
