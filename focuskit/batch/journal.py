"""Choices as they are made: saved at once, taken back and done again, restarts or not."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from focuskit.batch.catalog import CATALOG_VERSION
from focuskit.batch.choices import CHOICES_TABLES, Choice, Identity, Synced, sync_shots
from focuskit.batch.sqlite import BUSY_S, at_once, told
from focuskit.errors import InputError, OutputError

__all__ = ["Changed", "Journal", "Said"]

Said = Mapping[str, Any]
"""What a change says about one shot: some of pick, stars and label."""

# Beyond that, nobody remembers what it was.
_MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change came to.

    Attributes:
        what: it was, in a person's words.
        choices: by the numbers of the shots that were touched, as they are now.
    """

    what: str
    choices: Mapping[int, Choice]


class Journal:
    """The choices in a catalog, and how they came about.

    A run may write to the same catalog meanwhile: SQLite lets one wait for the other. May be used
    from several threads; `close` it at the end.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, refusal: str) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._seen = self._data_version()
        self.path = path
        self.refusal = refusal

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the choices of a catalog; an older catalog gets the tables that it lacks.

        Where nothing can be written, `refusal` says why, and choices can only be read.

        Raises:
            InputError: there is no catalog, it is damaged, or of a newer focuskit.
            BatchError: another program keeps it locked.
        """
        if not path.is_file():
            raise InputError(f"There is no catalog at {path}; `focuskit cull LIBRARY` makes one.")
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        # Without its journal's files, which nobody can make here, only a file that never changes
        # can be read.
        how = "rw" if writable else "ro" if _journalled(path) else "ro&immutable=1"
        uri = f"{path.absolute().as_uri()}?mode={how}"
        refusal = "" if writable else f"{path} is read-only, so nothing that you choose is kept."
        with told(path):
            connection = sqlite3.connect(
                uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                _prepare(connection, path, writable=writable)
            except BaseException:
                connection.close()
                raise
            return cls(connection, path, refusal)

    def close(self) -> None:
        """Close the catalog."""
        with self._lock:
            self._connection.close()

    def sync(self, shots: Sequence[Identity]) -> Synced:
        """Return the lasting numbers of shots; see `sync_shots`.

        Where nothing can be written, they last as long as this journal.

        Raises:
            OutputError: nothing can be written any more.
        """
        if not self.refusal:
            with self._writing() as connection:
                return sync_shots(connection, shots)
        with self._lock, told(self.path):
            rows = self._connection.execute("SELECT * FROM reviewed").fetchall()
        with closing(sqlite3.connect(":memory:")) as passing:
            passing.executescript(CHOICES_TABLES)
            passing.executemany("INSERT INTO reviewed VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            return sync_shots(passing, shots)

    def choices(self) -> dict[int, Choice]:
        """Return what was said about shots, by their numbers."""
        with self._lock, told(self.path):
            rows = self._connection.execute(
                "SELECT id, pick, stars, label FROM reviewed"
                " WHERE pick IS NOT NULL OR stars IS NOT NULL OR label IS NOT NULL"
            ).fetchall()
        return {number: Choice(*said) for number, *said in rows}

    def change(self, changes: Mapping[int, Said], what: str, client: str) -> Changed:
        """Save choices: all of them or none.

        Args:
            changes: by the shots' numbers; what is not named stays.
            what: happened, in a person's words.
            client: who did it.

        Raises:
            RangeError: a value is none that can be chosen.
            InputError: there is no such shot.
            OutputError: nothing can be written.
        """
        with self._writing() as connection:
            steps: list[list[Any]] = []
            for number, said in changes.items():
                before = _choice(connection, number)
                after = replace(before, **said)
                if after != before:
                    _put(connection, number, after)
                    steps.append([number, *_values(before), *_values(after)])
            if steps:
                connection.execute("DELETE FROM journal WHERE undone = 1")
                now = datetime.now().astimezone().isoformat(timespec="seconds")
                connection.execute(
                    "INSERT INTO journal (what, client, at, changes) VALUES (?, ?, ?, ?)",
                    (what, client, now, json.dumps(steps, separators=(",", ":"))),
                )
                connection.execute(
                    "DELETE FROM journal WHERE number <= (SELECT MAX(number) FROM journal) - ?",
                    (_MOST_STEPS,),
                )
            return Changed(what, {number: _choice(connection, number) for number in changes})

    def undo(self) -> Changed | None:
        """Take the last change back, whoever made it; None if there is none.

        Raises:
            OutputError: nothing can be written.
        """
        return self._go("SELECT MAX(number) FROM journal WHERE undone = 0", back=True)

    def redo(self) -> Changed | None:
        """Do again what was taken back last; None if there is nothing.

        Raises:
            OutputError: nothing can be written.
        """
        return self._go("SELECT MIN(number) FROM journal WHERE undone = 1", back=False)

    def ends(self) -> tuple[str | None, str | None]:
        """Return what would be taken back, and what done again, in a person's words."""
        with self._lock, told(self.path):
            undo, redo = (
                self._connection.execute(f"SELECT what FROM journal {which} LIMIT 1").fetchone()
                for which in (
                    "WHERE undone = 0 ORDER BY number DESC",
                    "WHERE undone = 1 ORDER BY number",
                )
            )
        return undo and str(undo[0]), redo and str(redo[0])

    def changed_elsewhere(self) -> bool:
        """Tell whether another program has written to the catalog since this was asked last."""
        with self._lock, told(self.path):
            now = self._data_version()
            before, self._seen = self._seen, now
        return now != before

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _go(self, which: str, *, back: bool) -> Changed | None:
        with self._writing() as connection:
            number = connection.execute(which).fetchone()[0]
            if number is None:
                return None
            what, changes = connection.execute(
                "SELECT what, changes FROM journal WHERE number = ?", (number,)
            ).fetchone()
            choices = {}
            for shot, *both in json.loads(changes):
                choices[shot] = Choice(*(both[:3] if back else both[3:]))
                _put(connection, shot, choices[shot])
            connection.execute(
                "UPDATE journal SET undone = ? WHERE number = ?", (int(back), number)
            )
            return Changed(str(what), choices)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        if self.refusal:
            raise OutputError(self.refusal)
        with self._lock, told(self.path), at_once(self._connection):
            yield self._connection


def _journalled(path: Path) -> bool:
    return path.with_name(f"{path.name}-wal").exists()


def _prepare(connection: sqlite3.Connection, path: Path, *, writable: bool) -> None:
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > CATALOG_VERSION:
        raise InputError(
            f"The catalog {path} is of a newer focuskit (version {found}, this one knows "
            f"{CATALOG_VERSION}); update focuskit."
        )
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'outcomes'").fetchone()
    if there is None:
        raise InputError(f"The catalog {path} is empty; `focuskit cull LIBRARY` fills it.")
    if writable:
        connection.execute("PRAGMA journal_mode = WAL")
        # What was chosen shall outlast a power cut, not only a killed program.
        connection.execute("PRAGMA synchronous = FULL")
        if found < CATALOG_VERSION:
            with at_once(connection):
                for statement in CHOICES_TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {CATALOG_VERSION}")
    elif found < CATALOG_VERSION:
        raise InputError(
            f"The catalog {path} is of an older focuskit and read-only; make it writable, or copy "
            "the output folder and review the copy."
        )


def _choice(connection: sqlite3.Connection, number: int) -> Choice:
    found = connection.execute(
        "SELECT pick, stars, label FROM reviewed WHERE id = ?", (number,)
    ).fetchone()
    if found is None:
        raise InputError(f"The catalog knows no shot of the number {number}; load the page again.")
    return Choice(*found)


def _put(connection: sqlite3.Connection, number: int, choice: Choice) -> None:
    connection.execute(
        "UPDATE reviewed SET pick = ?, stars = ?, label = ? WHERE id = ?",
        (*_values(choice), number),
    )


def _values(choice: Choice) -> tuple[str | None, int | None, str | None]:
    return choice.pick, choice.stars, choice.label
