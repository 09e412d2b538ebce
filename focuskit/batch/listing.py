"""Files that a path, a pattern or a list of paths on this machine leads to."""

from __future__ import annotations

import fnmatch
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from focuskit.batch.shots import RemoteFile
from focuskit.errors import InputError
from focuskit.io import PHOTO_SUFFIXES

__all__ = ["Listed", "is_photo", "list_local", "read_paths"]

_MAGIC = re.compile(r"[*?\[]")
_UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class Listed:
    """What one argument leads to.

    Attributes:
        base: folder that the names of its shots are relative to, absolute.
        files: (folder, name) of each photo, in order; those of servers with what is known of them.
        folders: those that were listed with everything below.
        troubles: (folder or file, what is wrong) of what could not be listed.
        pattern: whether it was one.
    """

    base: str
    files: dict[tuple[str, str], RemoteFile | None] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    pattern: bool = False


def is_photo(name: str) -> bool:
    """Return whether a file of that name is taken from a folder: a photo that is not hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES


def list_local(text: str, *, pattern: bool = True) -> Listed:
    """List a file, a folder with everything below, or what a pattern matches.

    Hidden files and folders are left out unless they are named, and symbolic links to folders are
    not followed unless they are named. Names that exist are never read as patterns.

    Args:
        text: path or pattern, in which `**` stands for any folders.
        pattern: whether it may be one.

    Raises:
        InputError: nothing of that name exists, and it is no pattern.
    """
    path = os.path.abspath(text)
    try:
        # Not `exists`, which calls a link that leads nowhere absent without a word.
        os.lstat(path)
    except (OSError, ValueError) as exc:
        if pattern and _MAGIC.search(text):
            return _list_pattern(path)
        raise InputError(f"{text} {_why_absent(exc)}.") from exc
    if os.path.isdir(path):
        listed = Listed(path)
        _walk(path, listed)
        return listed
    folder, name = os.path.split(path)
    return Listed(folder, {(folder, name): None})


def read_paths(file: str) -> list[str]:
    """Return the paths in a list: one per line, or with a NUL after each; empty ones are left out.

    Args:
        file: path of the list, or "-" for standard input.

    Raises:
        InputError: it cannot be read.
    """
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as exc:
        raise InputError(
            f"The list {file} cannot be read ({exc.strerror}); check the path after --files-from."
        ) from exc
    if data.startswith(_UTF16_MARKS):
        # As PowerShell writes it.
        data = data.decode("utf-16", "replace").encode()
    data = data.removeprefix(_UTF8_MARK)
    lines = data.split(b"\0" if b"\0" in data else b"\n")
    if all(line.endswith(b"\r") for line in lines if line):
        lines = [line.removesuffix(b"\r") for line in lines]
    return [os.fsdecode(line) for line in lines if line]


def _why_absent(exc: OSError | ValueError) -> str:
    if isinstance(exc, FileNotFoundError | NotADirectoryError):
        return "does not exist; check the spelling of the path"
    why = exc.strerror if isinstance(exc, OSError) else exc
    return f"cannot be looked at ({why}); check its name and permissions"


def _walk(root: str, listed: Listed) -> None:
    """Add everything below a folder."""
    listed.folders.append(root)

    def unreadable(error: OSError) -> None:
        _tell(error, listed)

    for folder, subfolders, names in os.walk(root, onerror=unreadable):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        listed.files.update({(folder, name): None for name in sorted(names) if is_photo(name)})


def _tell(error: OSError, listed: Listed) -> None:
    folder = os.fspath(error.filename)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        text = f"The folder {folder} was gone when it was to be listed; repeat the command."
    else:
        text = f"The folder {folder} cannot be listed ({error.strerror}); check its permissions."
    listed.troubles.append((folder + "/", text))


def _list_pattern(path: str) -> Listed:
    parts = path.split(os.sep)
    first = next(index for index, part in enumerate(parts) if _MAGIC.search(part))
    base = os.sep.join(parts[:first]) or os.sep
    listed = Listed(base, pattern=True)
    for found in _expanded(base, parts[first:], listed):
        if os.path.isdir(found):
            _walk(found, listed)
        elif is_photo(os.path.basename(found)):
            listed.files[os.path.dirname(found), os.path.basename(found)] = None
    return listed


def _expanded(folder: str, parts: list[str], listed: Listed) -> Iterator[str]:
    """Yield what the parts of a pattern match below a folder."""
    if not parts:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        if not rest:
            yield folder
            return
        # Results below it would be found by the next run.
        listed.folders.append(folder)
        for each in _folders_below(folder, listed):
            yield from _expanded(each, rest, listed)
        return
    if not _MAGIC.search(part):
        there = os.path.join(folder, part)
        if os.path.lexists(there):
            yield from _expanded(there, rest, listed)
        return
    hidden = part.startswith(".")
    for entry in _entries(folder, listed):
        if fnmatch.fnmatch(entry.name, part) and (hidden or not entry.name.startswith(".")):
            if not rest:
                yield entry.path
            elif entry.is_dir():
                yield from _expanded(entry.path, rest, listed)


def _folders_below(folder: str, listed: Listed) -> Iterator[str]:
    yield folder
    for entry in _entries(folder, listed):
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _folders_below(entry.path, listed)


def _entries(folder: str, listed: Listed) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except NotADirectoryError:
        return []
    except OSError as exc:
        _tell(exc, listed)
        return []
