"""What tells whether a file is still the one that was looked at."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from focuskit.batch.remote import fetch_ends
from focuskit.batch.shots import RemoteFile, Shot

__all__ = ["FileKey", "ShotKey", "key_of", "same_files", "stats_of"]

_END_BYTES = 64 * 1024
_DIGEST_BYTES = 12


@dataclass(frozen=True, slots=True)
class FileKey:
    """A file's content, as far as a run over ten thousand of them can afford to know it.

    Attributes:
        path: where it lies.
        bytes: its size.
        mtime_ns: when it was changed last.
        ends: digest of its first and last 64 KiB, where headers and most damage are.
    """

    path: Path
    bytes: int
    mtime_ns: int
    ends: str


ShotKey = tuple[FileKey, ...]
"""Keys of all files of a shot, the judged one first; empty where a file cannot be looked at."""


def key_of(shot: Shot) -> ShotKey:
    """Return the key of a shot; () where one of its files cannot be read.

    What is wrong with that file is for those to say who decode it.
    """
    try:
        here = shot.files[len(shot.remote) :]
        return (*map(_remote_key, shot.files, shot.remote), *map(_file_key, here))
    except OSError:
        return ()


def stats_of(shot: Shot) -> tuple[tuple[int, int], ...]:
    """Return size and time of all files of a shot; () where one cannot be looked at."""
    try:
        found = [file.stat() for file in shot.files[len(shot.remote) :]]
    except OSError:
        return ()
    there = ((each.bytes, each.mtime_ns) for each in shot.remote)
    return (*there, *((each.st_size, each.st_mtime_ns) for each in found))


def same_files(key: ShotKey, shot: Shot) -> bool:
    """Tell whether the files of a shot are the ones of a key, by place, size and time."""
    stats = tuple((each.bytes, each.mtime_ns) for each in key)
    return bool(key) and tuple(each.path for each in key) == shot.files and stats_of(shot) == stats


def _file_key(path: Path) -> FileKey:
    # A pipe would keep its reader waiting.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no regular file")
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        digest = hashlib.blake2b(file.read(_END_BYTES), digest_size=_DIGEST_BYTES)
        if found.st_size > _END_BYTES:
            file.seek(max(_END_BYTES, found.st_size - _END_BYTES))
            digest.update(file.read(_END_BYTES))
    return FileKey(path, found.st_size, found.st_mtime_ns, digest.hexdigest())


def _remote_key(path: Path, remote: RemoteFile) -> FileKey:
    now, ends = fetch_ends(remote, _END_BYTES)
    digest = hashlib.blake2b(ends, digest_size=_DIGEST_BYTES)
    return FileKey(path, now.bytes, now.mtime_ns, digest.hexdigest())
