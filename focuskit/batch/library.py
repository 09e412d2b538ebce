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

_PARTNER_SUFFIXES = frozenset({".jpg", ".jpeg", ".heic", ".heif"})
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
        InputError: a path does not exist.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist; check the spelling of the path.")
    base = _base(paths)
    problems: list[Problem] = []
    files: dict[Path, None] = {}
    for path in paths:
        absolute = Path(os.path.abspath(path))
        found = _walk(absolute, base, problems) if path.is_dir() else [absolute]
        files.update(dict.fromkeys(found))
    shots = sorted(_pair(files, base), key=lambda shot: shot.name)
    return Library(tuple(shots), tuple(problems))


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
        raws = [file for file in group if file.suffix.lower() in RAW_SUFFIXES]
        partners = [file for file in group if file.suffix.lower() in _PARTNER_SUFFIXES]
        if len(raws) == 1 and len(partners) == 1 and _same_moment(raws[0], partners[0]):
            shots.append(_shot([partners[0], raws[0]], base))
            group = [file for file in group if file not in (raws[0], partners[0])]
        shots.extend(_shot([file], base) for file in group)
    return shots


def _same_moment(raw: Path, partner: Path) -> bool:
    try:
        first, second = read_exif(raw).taken_at, read_exif(partner).taken_at
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
