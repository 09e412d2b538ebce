"""What is in a library: files become shots, a RAW and its JPEG become one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from focuskit.errors import FocuskitError, InputError
from focuskit.io import PHOTO_SUFFIXES, RAW_SUFFIXES, read_exif

__all__ = ["Library", "Problem", "Shot", "find_shots"]

# Of several, the one that costs least to decode is judged.
_PARTNER_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".mpo", ".heic", ".heif", ".hif")
_PARTNER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One press of the button.

    Attributes:
        name: path of the judged file below the library, with forward slashes; unique in a library.
        judged: the file that is looked at: the JPEG of a pair, which costs least to decode.
        files: every file of the shot, the judged one first.
    """

    name: str
    judged: Path
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the library that could not be used, and why."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Library:
    """Shots in the order of their names, and what could not be listed."""

    shots: tuple[Shot, ...]
    problems: tuple[Problem, ...] = ()


def find_shots(paths: Sequence[Path]) -> Library:
    """List the shots in folders (with everything below them) and files.

    Hidden files and folders are left out and symbolic links to folders are not followed. A RAW and
    a JPEG or HEIC beside it with the same stem are one shot, unless their EXIF times are more than
    two seconds apart.

    Args:
        paths: folders and files. Names of shots are relative to the folder, or to the deepest
            folder that holds everything if several paths are given.

    Raises:
        InputError: none of the paths exists; if some do, the others are problems.
    """
    problems: list[Problem] = []
    there = [path for path in paths if _is_there(path, problems)]
    if paths and not there:
        raise InputError(" ".join(problem.message for problem in problems))
    base = _base(there)
    files: dict[Path, None] = {}
    for path in there:
        absolute = Path(os.path.abspath(path))
        found = _walk(absolute, base, problems) if path.is_dir() else [absolute]
        files.update(dict.fromkeys(found))
    shots = sorted(_pair(files, base), key=lambda shot: shot.name)
    return Library(tuple(shots), tuple(problems))


def _is_there(path: Path, problems: list[Problem]) -> bool:
    try:
        # Not `exists`, which calls a link that leads nowhere absent without a word.
        path.lstat()
    except OSError as exc:
        why = (
            "does not exist; check the spelling of the path"
            if isinstance(exc, FileNotFoundError | NotADirectoryError)
            else f"cannot be looked at ({exc.strerror}); check its name and permissions"
        )
        problems.append(Problem(str(path), f"{path} {why}."))
        return False
    return True


def _base(paths: Sequence[Path]) -> Path:
    folders = [os.path.abspath(path if path.is_dir() else path.parent) for path in paths]
    return Path(os.path.commonpath(folders))


def _walk(root: Path, base: Path, problems: list[Problem]) -> list[Path]:
    def unreadable(error: OSError) -> None:
        folder = Path(str(error.filename))
        problems.append(
            Problem(
                folder.relative_to(base).as_posix() + "/",
                f"The folder {folder} cannot be listed ({error.strerror}); check its permissions.",
            )
        )

    found: list[Path] = []
    for folder, subfolders, files in os.walk(root, onerror=unreadable):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found.extend(
            Path(folder, name)
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES
        )
    return found


def _pair(files: Iterable[Path], base: Path) -> list[Shot]:
    by_stem: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for file in files:
        by_stem[file.parent, file.stem.casefold()].append(file)
    shots: list[Shot] = []
    for group in by_stem.values():
        together = _together(group)
        if together:
            shots.append(_shot(together, base))
        shots.extend(_shot([file], base) for file in group if file not in together)
    return shots


def _together(group: Sequence[Path]) -> list[Path]:
    """Return the files of one press of the button among files of one stem, the judged one first."""
    raws = [file for file in group if file.suffix.lower() in RAW_SUFFIXES]
    partners = [file for file in group if file.suffix.lower() in _PARTNER_SUFFIXES]
    if not raws or not partners:
        return []
    partners.sort(key=lambda file: _PARTNER_SUFFIXES.index(file.suffix.lower()))
    judged = partners[0]
    others = [file for file in [*partners[1:], *raws] if _same_moment(file, judged)]
    return [judged, *others] if any(file in raws for file in others) else []


def _same_moment(one: Path, other: Path) -> bool:
    try:
        first, second = read_exif(one).taken_at, read_exif(other).taken_at
    except FocuskitError:
        # Whatever is wrong with the file is told when it is judged.
        return True
    if first is None or second is None:
        return True
    # One of the two may lack the offset from UTC; the camera's clock is what pairs them.
    apart = first.replace(tzinfo=None) - second.replace(tzinfo=None)
    return abs(apart.total_seconds()) <= _PARTNER_SECONDS


def _shot(files: list[Path], base: Path) -> Shot:
    return Shot(files[0].relative_to(base).as_posix(), files[0], tuple(files))
