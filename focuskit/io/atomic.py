"""A file that appears complete or not at all, and replaces nothing unasked."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from focuskit.errors import OutputError, OutputExistsError

__all__ = ["write_atomically"]

_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quotas


def write_atomically(
    path: Path, content: Callable[[], Iterable[bytes | memoryview]], *, overwrite: bool
) -> None:
    """Write a file beside its place, flush it to the disk, and move it there.

    Args:
        path: where it shall be.
        content: makes the parts; called once the place is known to be free.
        overwrite: replace a file that is there.

    Raises:
        OutputExistsError: something is there, or got there meanwhile, and `overwrite` is False.
        OutputError: the folder is missing or not writable, or the disk is full.
    """
    if os.path.isdir(path):
        raise OutputError(f"{path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        what = "is a file" if path.parent.exists() else "does not exist"
        raise OutputError(f"{path} cannot be written: the folder {path.parent} {what}.")
    if not overwrite and os.path.lexists(path):
        raise _exists(path)
    parts = content()
    temporary = path.with_name(f".focuskit-{secrets.token_hex(8)}.part")
    try:
        try:
            _write(temporary, parts)
            _move(temporary, path, overwrite=overwrite)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as exc:
        raise OutputError(f"{path} cannot be written: {_why(exc, path)}") from exc


def _write(temporary: Path, parts: Iterable[bytes | memoryview]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(temporary, flags, 0o666), "wb") as stream:
        for part in parts:
            stream.write(part)
        stream.flush()
        os.fsync(stream.fileno())


def _move(temporary: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, path)
        return
    try:
        # Unlike a rename, a link fails if somebody took the name since we looked.
        os.link(temporary, path)
    except FileExistsError as exc:
        raise _exists(path) from exc
    except OSError:
        # exFAT and many network drives know no links: claim the name, then replace our own claim.
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError as exc:
            raise _exists(path) from exc
        os.replace(temporary, path)


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(
        f"{path} exists already and is left alone; choose another name or ask to overwrite."
    )


def _why(exc: OSError, path: Path) -> str:
    if exc.errno in _DISK_FULL:
        return f"the disk is full. Free some space on the disk of {path.parent} and repeat."
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"the folder {path.parent} is read-only for this user. Choose another folder."
    if exc.errno == errno.ENAMETOOLONG:
        return "its name is too long. Choose a shorter one."
    return f"{exc.strerror or exc}. Check the disk or choose another folder."
