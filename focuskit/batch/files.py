"""Moving and copying files so that none is ever overwritten, and none lost half-way."""

from __future__ import annotations

import errno
import filecmp
import hashlib
import os
import re
import shutil
from collections import defaultdict
from pathlib import Path

from focuskit.errors import OutputError, OutputExistsError

__all__ = ["Folders", "copy_file", "link_file", "move_file", "same_content", "write_file"]

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
_BLOCK = 1 << 20
_VERSION = re.compile(r"_\d\d$")


class Folders:
    """What lies in folders, each listed once."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[str, list[str]]] = {}

    def names_beside(self, photo: Path) -> list[str]:
        """Return what may belong to a photo: names that begin as its own; none without a listing.

        Of ten thousand names in a folder a photo's sidecars are sought among a few.
        """
        folder = photo.parent
        if folder not in self._names:
            self._names[folder] = defaultdict(list)
            try:
                found = os.listdir(folder)
            except OSError:
                found = []
            for name in found:
                self._names[folder][_begin(name)].append(name)
        return self._names[folder].get(_begin(photo.name), [])


def _begin(name: str) -> str:
    # darktable calls a further version of IMG.CR2 IMG_01.CR2.xmp.
    return _VERSION.sub("", name.split(".", 1)[0].casefold())


def move_file(source: Path, target: Path, part: str) -> None:
    """Move a file, to another disk too; the source goes last.

    Args:
        source: a file.
        target: where nothing is yet.
        part: name for the unfinished copy in the target's folder.

    Raises:
        OutputExistsError: something is there.
        OutputError: a copy on another disk reads back otherwise.
        OSError: the system does not allow it; then the source is where it was.
    """
    try:
        # Unlike a rename, a link fails if the name is taken.
        os.link(source, target, follow_symlinks=False)
    except FileExistsError as exc:
        raise _exists(target) from exc
    except OSError as exc:
        if exc.errno in _NO_LINKS:
            _rename(source, target)
            return
        if exc.errno != errno.EXDEV:
            raise
        copy_file(source, target, part)
    try:
        os.unlink(source)
    except OSError:
        os.unlink(target)
        raise


def copy_file(source: Path, target: Path, part: str) -> None:
    """Copy a file with its times and permissions, and read it back from the disk.

    Raises:
        OutputExistsError, OutputError, OSError: as `move_file`.
    """
    unfinished = target.with_name(part)
    try:
        with source.open("rb") as reading, unfinished.open("xb") as writing:
            shutil.copyfileobj(reading, writing, _BLOCK)
            writing.flush()
            os.fsync(writing.fileno())
        shutil.copystat(source, unfinished)
        if _digest(source) != _digest(unfinished):
            raise OutputError(f"{target} did not read back as it was written; check that disk.")
        _put(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    _settle(target.parent)


def link_file(source: Path, target: Path, *, symbolic: bool) -> None:
    """Make another name for a file.

    Raises:
        OutputExistsError: something is there.
        OSError: the system does not allow it.
    """
    try:
        if symbolic:
            os.symlink(source, target)
        else:
            os.link(source, target)
    except FileExistsError as exc:
        raise _exists(target) from exc


def write_file(
    path: Path,
    data: bytes,
    part: str,
    *,
    mode: int | None = None,
    mtime_ns: int | None = None,
    replace: bool,
) -> None:
    """Write a file beside its place and put it there whole.

    Args:
        path: where it shall be.
        data: its content.
        part: name for it while it is unfinished.
        mode: its permissions; None for the usual ones.
        mtime_ns: its time; None for now.
        replace: a file that is there; else nothing may be there.

    Raises:
        OutputExistsError: something is there and `replace` is False.
        OSError: the system does not allow it.
    """
    unfinished = path.with_name(part)
    try:
        with unfinished.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(unfinished, mode)
        if mtime_ns is not None:
            os.utime(unfinished, ns=(mtime_ns, mtime_ns))
        if replace:
            os.replace(unfinished, path)
        else:
            _put(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def same_content(one: Path, other: Path) -> bool:
    """Whether two names lead to the same bytes."""
    if not (one.is_file() and other.is_file()):
        return False
    return os.path.samefile(one, other) or filecmp.cmp(one, other, shallow=False)


def _put(unfinished: Path, target: Path) -> None:
    try:
        os.link(unfinished, target)
    except FileExistsError as exc:
        raise _exists(target) from exc
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        _rename(unfinished, target)


def _rename(source: Path, target: Path) -> None:
    # Drives without links: claim the name, then replace our own claim.
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError as exc:
        raise _exists(target) from exc
    try:
        os.replace(source, target)
    except OSError:
        os.unlink(target)
        raise


def _exists(target: Path) -> OutputExistsError:
    return OutputExistsError(f"{target} exists already and is left alone.")


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _settle(folder: Path) -> None:
    """Have the names in a folder on the disk before anything relies on them."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
