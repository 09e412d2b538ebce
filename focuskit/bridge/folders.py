"""Folders that nobody else may look into: the worker's own, and those of calls."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

import platformdirs

import focuskit
from focuskit.errors import BridgeError, InputError

__all__ = [
    "FOLDER_VARIABLE",
    "RESULT_PREFIX",
    "check_call_folder",
    "empty_call_folder",
    "own_folder",
]
__all__ += ["plain_name", "worker_folder"]

FOLDER_VARIABLE = "FOCUSKIT_BRIDGE_FOLDER"

RESULT_PREFIX = "result-"
"""Of every file that the worker writes into a client's folder."""

# Windows has no such bits; a user's own folders are closed to others there.
_HAS_MODES = os.name != "nt"
# What belongs to root outside of a sandbox, seen from within.
_NOBODY = 65534


def worker_folder() -> Path:
    """Return where the worker of this user and focuskit version is found; it need not exist."""
    given = os.environ.get(FOLDER_VARIABLE, "").strip()
    if given:
        return Path(given).expanduser().absolute()
    with warnings.catch_warnings():
        # That a system has no such folder, and the temporary one is taken, is of no interest.
        warnings.simplefilter("ignore")
        folder = platformdirs.user_runtime_dir("focuskit", False)
    return Path(folder) / str(focuskit.__version__)


def own_folder(folder: Path) -> Path:
    """Return the worker's folder, made if it is not there, closed to others.

    Raises:
        BridgeError: it cannot be made, or something else is there that others may look into.
    """
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        why = _open_to_others(folder) or _movable_by_others(folder.parent)
    except OSError as exc:
        raise BridgeError(
            f"The worker's folder {folder} cannot be made ({exc.strerror}): set {FOLDER_VARIABLE} "
            "to a folder of your own on a local disk."
        ) from exc
    if why:
        raise BridgeError(
            f"The worker's folder {folder} {why}: remove it, or set {FOLDER_VARIABLE} to a folder "
            "that belongs to you alone (mode 0700)."
        )
    return folder


def check_call_folder(folder: object) -> Path:
    """Return the folder that a client made for a call.

    Raises:
        InputError: it is no such folder.
    """
    if not isinstance(folder, str) or not os.path.isabs(folder) or "\0" in folder:
        raise InputError(
            f"A call needs the whole path of a folder made for it alone, found {folder!r}."
        )
    path = Path(folder)
    try:
        why = _open_to_others(path)
    except (OSError, ValueError) as exc:
        raise InputError(
            f"The folder {folder} for the pictures of this call cannot be used ({exc}): an editor "
            "in a sandbox must make it where the worker sees it, such as in the home folder."
        ) from exc
    if why:
        raise InputError(
            f"The folder {folder} {why}; a call needs one made for it alone, mode 0700."
        )
    return path


def empty_call_folder(folder: Path, names: Iterable[str]) -> None:
    """Remove a call's files and its folder, of which the client has taken leave.

    Nothing else that may be there is touched, and then the folder stays.

    Args:
        folder: checked before.
        names: of the files that the client wrote.
    """
    try:
        if _open_to_others(folder):
            return
        written = [each for each in os.listdir(folder) if each.startswith(RESULT_PREFIX)]
        for name in {*written, *names}:
            if plain_name(name):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(folder / name)
        folder.rmdir()
    except (OSError, ValueError):
        return


def plain_name(name: object) -> TypeGuard[str]:
    """Whether it is the name of a file in the folder itself."""
    return (
        isinstance(name, str)
        and name not in ("", ".", "..")
        and not any(each in name for each in ("/", "\\", "\0", ":"))
    )


def _open_to_others(folder: Path) -> str:
    """Return why others might look into a folder; empty if they cannot.

    Raises:
        OSError: there is nothing.
    """
    found = os.lstat(folder)
    if stat.S_ISLNK(found.st_mode):
        return "is a link to somewhere else"
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(folder))
    if _HAS_MODES and found.st_uid != os.geteuid():
        return f"belongs to another user ({found.st_uid})"
    if _HAS_MODES and stat.S_IMODE(found.st_mode) & 0o077:
        return f"is open to other users (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def _movable_by_others(folder: Path) -> str:
    """Return why others might put another folder in the place of one below this one."""
    for each in (folder, *folder.parents) if _HAS_MODES else ():
        found = os.stat(each)
        if found.st_uid not in (0, _NOBODY, os.geteuid()):
            return f"lies in {each}, a folder of another user ({found.st_uid})"
        if found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX:
            return f"lies in {each}, which others may change ({stat.S_IMODE(found.st_mode):04o})"
    return ""
