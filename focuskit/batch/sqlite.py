"""What every table of the catalog needs: names that are no text, transactions, sentences."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from focuskit.errors import BatchError, InputError, OutputError

__all__ = ["BUSY_S", "at_once", "name_of", "stored_name", "told"]

BUSY_S = 30.0
"""How long a writer waits for another one."""

_NO_ROOM = ("full", "disk I/O error", "readonly")


@contextmanager
def at_once(connection: sqlite3.Connection) -> Iterator[None]:
    """Do everything or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk makes SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path | None) -> Iterator[None]:
    """Turn what SQLite says about a catalog into a sentence.

    Raises:
        OutputError: there is no room or no permission.
        BatchError: another program keeps it locked.
        InputError: it is no catalog.
    """
    try:
        yield
    except sqlite3.DatabaseError as exc:
        said = str(exc)
        if any(word in said for word in _NO_ROOM) or "unable to open" in said:
            raise OutputError(
                f"The catalog {path} cannot be written ({said}); free some space or choose "
                "another --output, and repeat the command: it goes on where it stopped."
            ) from exc
        if "locked" in said:
            raise BatchError(
                f"Another program keeps the catalog {path} locked; close it and repeat the command."
            ) from exc
        raise InputError(
            f"{path} is no catalog of focuskit, or a damaged one ({said}); move it away or choose "
            "another --output."
        ) from exc


def stored_name(name: str) -> str | bytes:
    """Return a name as SQLite can hold it: text, or bytes where it is no valid text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name


def name_of(stored: str | bytes) -> str:
    """Return the name that `stored_name` made storable."""
    return os.fsdecode(stored) if isinstance(stored, bytes) else stored
