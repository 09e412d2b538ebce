"""Files on servers, through fsspec: looked up and fetched."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from focuskit.batch.shots import RemoteFile
from focuskit.errors import (
    BatchError,
    FocuskitError,
    InputError,
    OutputError,
    PhotoUnreadableError,
)

__all__ = ["described", "fetch", "fetch_ends", "no_driver", "open_url", "said"]

# How drivers call the time of a file's last change, and marks of its content.
_TIMES = (
    *("mtime", "LastModified", "last_modified", "Last-Modified", "modified", "modify"),
    *("updated", "last_write_time", "date_time", "created"),
)
_MARKS = ("ETag", "etag", "md5", "Content-MD5", "checksum", "CRC")
_MARK_BYTES = 7
_FTP_TIME = "%Y%m%d%H%M%S"
_FTP_DIGITS = 14
# Where the package to install has another name than what it brings.
_PACKAGES = {"smbclient": "smbprotocol", "git": "GitPython"}


def fetch(file: RemoteFile, to: Path) -> None:
    """Copy a file from its server, with its time.

    Raises:
        PhotoUnreadableError: it is not there any more.
        BatchError: the server cannot be reached, or sent something else; another try may help.
        OutputError: there is no room here.
    """
    with _fetching(file):
        files, path = open_url(file.url)
        files.get_file(path, str(to))
        found = to.stat()
    if file.bytes not in (-1, found.st_size):
        raise BatchError(
            f"{file.url} had {file.bytes} bytes when it was listed, and {found.st_size} came: it "
            "was changed or cut off meanwhile; repeat the command."
        )
    if file.mtime_ns > 0:
        os.utime(to, ns=(file.mtime_ns, file.mtime_ns))


def fetch_ends(file: RemoteFile, end_bytes: int) -> tuple[RemoteFile, bytes]:
    """Look a file up anew and read its beginning and its end.

    Args:
        file: as it was listed.
        end_bytes: how much of each; they do not overlap.

    Returns:
        The file as it is now, and the bytes of both ends, one after the other.

    Raises:
        OSError: the server cannot be reached, or the file is not there any more.
    """
    try:
        with _fetching(file):
            files, path = open_url(file.url)
            files.invalidate_cache()
            now = described(files.info(path), file.url)
            size = now.bytes if now.bytes >= 0 else end_bytes
            ends = files.cat_file(path, start=0, end=min(size, end_bytes)) if size else b""
            if size > end_bytes:
                ends += files.cat_file(path, start=max(end_bytes, size - end_bytes), end=size)
    except FocuskitError as exc:
        raise OSError(str(exc)) from exc
    return now, bytes(ends)


def open_url(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it."""
    from fsspec.core import url_to_fs

    files, path = url_to_fs(url)
    return files, path


def described(info: Mapping[str, Any], url: str) -> RemoteFile:
    """Return a file by what its driver says about it."""
    size = info.get("size")
    return RemoteFile(url, -1 if size is None else int(size), _mtime_ns(info))


def _mtime_ns(info: Mapping[str, Any]) -> int:
    for key in _TIMES:
        moment = _moment(info.get(key))
        if moment is not None:
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return round(aware.timestamp() * 1e9)
    for key in _MARKS:
        if info.get(key):
            mark = hashlib.blake2b(str(info[key]).encode(), digest_size=_MARK_BYTES)
            return -1 - int.from_bytes(mark.digest(), "big")
    return 0


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    with suppress(ArithmeticError, OSError, TypeError, ValueError):
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, tuple):
            return datetime(*value)
        if isinstance(value, str) and value[:_FTP_DIGITS].isdigit():
            return datetime.strptime(value[:_FTP_DIGITS], _FTP_TIME)
        if isinstance(value, str):
            with suppress(ValueError):
                return datetime.fromisoformat(value)
            return parsedate_to_datetime(value)
    return None


@contextmanager
def _fetching(file: RemoteFile) -> Iterator[None]:
    try:
        yield
    except ImportError as exc:
        raise no_driver(file.url, exc) from exc
    except Exception as exc:  # drivers raise errors of the libraries that they are built on
        if isinstance(exc, FileNotFoundError) or _is_gone(file):
            raise PhotoUnreadableError(
                f"{file.url} was there when the library was listed, and is gone; repeat the "
                "command."
            ) from exc
        if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"There is no room here to fetch {file.url} ({exc.strerror}); free some space, or "
                "set TMPDIR to another disk."
            ) from exc
        raise BatchError(
            f"{file.url} cannot be fetched ({said(exc)}); check the connection and repeat."
        ) from exc


def _is_gone(file: RemoteFile) -> bool:
    try:
        files, path = open_url(file.url)
        files.invalidate_cache()
        files.info(path)
    except FileNotFoundError:
        return True
    except Exception:  # noqa: BLE001 - what is wrong with the server is being told already
        return False
    return False


def no_driver(url: str, exc: ImportError) -> InputError:
    """Return (not raise) the error for a URL whose driver cannot be imported."""
    missing = exc.__cause__.name if isinstance(exc.__cause__, ImportError) else exc.name
    package = _PACKAGES.get(missing or "", missing)
    protocol = url.partition("://")[0]
    return InputError(
        f"{url} needs a driver for {protocol} that is not installed; `pip install {package}` "
        "brings it, into the environment of focuskit and of every worker."
    )


def said(exc: Exception) -> str:
    """Return what an error of a driver says, on one line."""
    return " ".join(str(exc).split()) or type(exc).__name__
