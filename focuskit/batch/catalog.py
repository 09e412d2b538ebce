"""The catalog: what is known of every shot, in one SQLite file that a killed run leaves whole."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from filelock import FileLock, Timeout

from focuskit.batch.choices import (
    CHOICES_TABLES,
    Choice,
    Identity,
    choices_by_shot,
    sync_shots,
)
from focuskit.batch.keys import FileKey, ShotKey
from focuskit.batch.moments import MOMENTS_TABLE, Moments
from focuskit.batch.sqlite import BUSY_S, at_once, name_of, stored_name, told
from focuskit.errors import BatchError, InputError, OutputError

__all__ = ["CATALOG_NAME", "CATALOG_VERSION", "Catalog", "Row", "State"]

CATALOG_NAME = "focuskit.catalog"
"""Name of the catalog in an output folder."""

CATALOG_VERSION = 2
"""Goes up with the tables: older catalogs get what they lack when they are opened to write, newer
ones are refused. 2: choices of a person."""

State = Literal["done", "failed", "again"]
"""Failed: the file is to blame, another try gives the same. Again: another try may do better."""

_TABLES = """
CREATE TABLE IF NOT EXISTS outcomes (
    shot NOT NULL, step TEXT NOT NULL, version TEXT NOT NULL, state TEXT NOT NULL,
    key TEXT NOT NULL, outcome TEXT NOT NULL, PRIMARY KEY (shot, step)
);
CREATE INDEX IF NOT EXISTS known ON outcomes (step, shot, version, state, key);
"""
_TABLES += f"{MOMENTS_TABLE};{CHOICES_TABLES}"


@dataclass(frozen=True, slots=True)
class Row:
    """What one step found out about one shot.

    Attributes:
        shot: its name below the library.
        step: of the recipe.
        version: of the model and all parameters that the outcome depends on.
        state: how it went.
        key: the files that were looked at.
        outcome: as JSON; of a failure, what was wrong.
    """

    shot: str
    step: str
    version: str
    state: State
    key: ShotKey
    outcome: str = ""


class Catalog:
    """Rows of a library, one per shot and step; one run at a time writes to it.

    Use it as a context manager. `Catalog.open` makes it, `Catalog.in_memory` keeps nothing.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path | None, lock: FileLock | None
    ) -> None:
        self._connection = connection
        self._lock = lock
        self.path = path

    @classmethod
    def open(cls, path: Path, *, write: bool = True) -> Self:
        """Open a catalog; with `write`, make it if need be and keep other runs from writing.

        Raises:
            InputError: it does not exist (without `write`), or is no catalog.
            BatchError: another run is writing to it.
            OutputError: it cannot be written to.
        """
        if not write and not path.is_file():
            raise InputError(
                f"There is no catalog at {path}; give the output folder of a run, or its "
                f"{CATALOG_NAME}."
            )
        lock = _locked(path) if write else None
        try:
            with told(path):
                return cls(_connected(path, write=write), path, lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    @classmethod
    def in_memory(cls) -> Self:
        """Return a catalog that is gone with the process."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.executescript(_TABLES)
        return cls(connection, None, None)

    def __enter__(self) -> Self:
        """Return the catalog itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it and let other runs write."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def put(self, rows: Iterable[Row]) -> None:
        """Write rows, all or none; earlier ones of the same shot and step are replaced.

        Raises:
            OutputError: there is no room or no permission.
        """
        values = [
            (
                stored_name(each.shot),
                each.step,
                each.version,
                each.state,
                _json(each.key),
                each.outcome,
            )
            for each in rows
        ]
        with told(self.path), at_once(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO outcomes (shot, step, version, state, key, outcome)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )

    def remember(self, moments: Moments) -> None:
        """Keep when photos were taken for the next listing."""
        if moments.fresh:
            with told(self.path), at_once(self._connection):
                moments.save(self._connection)

    def choices(self) -> dict[str, Choice]:
        """Return what a person chose in the review, by the names of the shots."""
        with told(self.path):
            return choices_by_shot(self._connection)

    def follow(self, shots: Sequence[Identity]) -> None:
        """Let choices go along with shots that were moved or renamed."""
        with told(self.path), at_once(self._connection):
            sync_shots(self._connection, shots)

    def known(self, step: str) -> Iterator[Row]:
        """Yield the rows of a step in the order of their shots, without outcomes."""
        with told(self.path):
            for shot, version, state, key in self._connection.execute(
                "SELECT shot, version, state, key FROM outcomes WHERE step = ? ORDER BY shot",
                (step,),
            ):
                yield Row(name_of(shot), step, version, state, _key(key))

    def names(self, step: str) -> set[str]:
        """Return the names of the shots that have a row of a step."""
        with told(self.path):
            found = self._connection.execute("SELECT shot FROM outcomes WHERE step = ?", (step,))
            return {name_of(shot) for (shot,) in found}

    def outcome(self, shot: str, step: str) -> str | None:
        """Return what is stored of a shot and step, as JSON, or None."""
        with told(self.path):
            found = self._connection.execute(
                "SELECT outcome FROM outcomes WHERE shot = ? AND step = ?",
                (stored_name(shot), step),
            ).fetchone()
        return None if found is None else str(found[0])

    def row(self, shot: str, step: str) -> Row | None:
        """Return the whole row of a shot and step, or None."""
        with told(self.path):
            found = self._connection.execute(
                "SELECT version, state, key, outcome FROM outcomes WHERE shot = ? AND step = ?",
                (stored_name(shot), step),
            ).fetchone()
        if found is None:
            return None
        version, state, key, outcome = found
        return Row(shot, step, version, state, _key(key), outcome)

    def rows(self, step: str | None = None) -> Iterator[Row]:
        """Yield whole rows, of one step or all, in the order of shots and steps."""
        where, values = ("WHERE step = ?", (step,)) if step else ("", ())
        with told(self.path):
            for shot, of, version, state, key, outcome in self._connection.execute(
                "SELECT shot, step, version, state, key, outcome FROM outcomes"
                f" {where} ORDER BY shot, step",
                values,
            ):
                yield Row(name_of(shot), of, version, state, _key(key), outcome)

    def counts(self) -> list[tuple[str, str, str, int]]:
        """Return (step, version, state, rows) of everything that is there."""
        with told(self.path):
            return self._connection.execute(
                "SELECT step, version, state, COUNT(*) FROM outcomes"
                " GROUP BY step, version, state ORDER BY step, version, state"
            ).fetchall()

    def forget(self, gone: Iterable[tuple[str, str]]) -> None:
        """Remove rows by shot and step, all or none."""
        with told(self.path), at_once(self._connection):
            self._connection.executemany(
                "DELETE FROM outcomes WHERE shot = ? AND step = ?",
                [(stored_name(shot), step) for shot, step in gone],
            )

    def compact(self) -> None:
        """Give the room of removed rows back to the disk."""
        with told(self.path):
            self._connection.execute("VACUUM")

    def damage(self) -> list[str]:
        """Return what SQLite finds wrong with the file; nothing is well."""
        with told(self.path):
            found = self._connection.execute("PRAGMA integrity_check").fetchall()
        return [str(line[0]) for line in found if line[0] != "ok"]


def _connected(path: Path, *, write: bool) -> sqlite3.Connection:
    if not write:
        # Opened to write even so: who only reads leaves the journal's files behind.
        mode = "rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "ro"
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
        connection.execute("PRAGMA query_only = ON")
        if not connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            # A run was ended before it had written a single row.
            connection.close()
            connection = sqlite3.connect(":memory:", isolation_level=None)
            connection.executescript(_TABLES)
    else:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > CATALOG_VERSION:
        connection.close()
        raise InputError(
            f"The catalog {path} is of a newer focuskit (version {found}, this one knows "
            f"{CATALOG_VERSION}); update focuskit, or choose another --output."
        )
    if write:
        # Readers see a whole catalog while a run writes, and a killed run leaves one.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA user_version = {CATALOG_VERSION}")
    return connection


def _locked(path: Path) -> FileLock:
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise BatchError(
            f"Another run is writing to {path}; wait until it has ended, or choose another "
            "--output."
        ) from exc
    except OSError as exc:
        raise OutputError(
            f"The catalog {path} cannot be written to ({exc.strerror or exc}); choose another "
            "--output."
        ) from exc
    return lock


def _json(key: ShotKey) -> str:
    files = [(str(each.path), each.bytes, each.mtime_ns, each.ends) for each in key]
    return json.dumps(files, separators=(",", ":"))


def _key(text: str) -> ShotKey:
    return tuple(FileKey(Path(path), *rest) for path, *rest in json.loads(text))
