"""What is in a library: files become shots, a RAW and its JPEG become one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from focuskit.batch.listing import Listed, list_local
from focuskit.batch.moments import Moments
from focuskit.batch.remote_listing import is_url, list_remote
from focuskit.batch.shots import Library, Problem, RemoteFile, Shot
from focuskit.errors import InputError
from focuskit.io import RAW_SUFFIXES

__all__ = ["Library", "Problem", "Shot", "find_shots"]

# Of several, the one that costs least to decode is judged.
_PARTNER_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".mpo", ".heic", ".heif", ".hif")
_PARTNER_SECONDS = 2.0
_S_NS = 1_000_000_000

_File = tuple[str, str]
_Files = Mapping[_File, RemoteFile | None]


def find_shots(
    places: Sequence[str | Path],
    listed: Sequence[str] = (),
    *,
    since: datetime | None = None,
    limit: int | None = None,
    moments: Moments | None = None,
) -> Library:
    """List the shots in folders (with everything below them), files, patterns and on servers.

    Hidden files and folders are left out and symbolic links to folders are not followed. A RAW and
    a JPEG or HEIC beside it with the same stem are one shot, unless their EXIF times are more than
    two seconds apart; on servers, where that would mean to fetch them, they always are.

    Args:
        places: folders, files, patterns such as `2026-*/**/*.jpg` and URLs that fsspec knows. Names
            of shots are relative to the folder (of a pattern: to the part without wildcards), or
            to the deepest folder that holds everything if several are given.
        listed: further files and folders, never patterns; none of them has to exist.
        since: leave out what was taken before, by the clock on the wall: by EXIF where the file's
            beginning tells it, else by the time of the file's last change.
        limit: no more than the first so many, in the order of names.
        moments: remembers times of capture from one listing to the next.

    Raises:
        InputError: none of the places exists; if some do, the others are problems.
    """
    moments = moments or Moments()
    found, problems = _list_all(places, listed)
    base = os.path.commonpath({each.base for each in found}) if found else os.sep
    files: dict[_File, RemoteFile | None] = {}
    for each in found:
        files.update(each.files)
        problems += [Problem(_below(path, base), text) for path, text in each.troubles]
    shots = sorted(_pair(files, base, moments), key=lambda shot: shot.name)
    kept = [shot for shot in shots if since is None or _is_since(shot, since, moments)]
    return Library(
        shots=tuple(kept[:limit]),
        # Patterns come by a folder more than once.
        problems=tuple(dict.fromkeys(problems)),
        folders=tuple(Path(folder) for each in found for folder in each.folders),
        older=len(shots) - len(kept),
    )


def _list_all(
    places: Sequence[str | Path], listed: Sequence[str]
) -> tuple[list[Listed], list[Problem]]:
    found: dict[str, Listed] = {}
    problems: list[Problem] = []
    for index, text in enumerate([*map(str, places), *listed]):
        try:
            if is_url(text):
                found[text] = list_remote(text)
            else:
                found[text] = list_local(text, pattern=index < len(places))
        except InputError as exc:
            problems.append(Problem(text, str(exc)))
    if problems and not found and not listed:
        raise InputError(" ".join(problem.message for problem in problems))
    # Where nothing is found at all, that is said of everything at once.
    if any(each.files for each in found.values()):
        idle = [text for text, each in found.items() if each.pattern and not each.files]
        problems += [Problem(text, f"No photo matches {text}.") for text in idle]
    return list(found.values()), problems


def _pair(files: _Files, base: str, moments: Moments) -> list[Shot]:
    by_stem: dict[_File, list[_File]] = defaultdict(list)
    for folder, name in files:
        by_stem[folder, os.path.splitext(name)[0].casefold()].append((folder, name))
    shots: list[Shot] = []
    for group in by_stem.values():
        together, apart = _together(group, files, moments) if len(group) > 1 else ([], [])
        if together:
            shots.append(_shot(together, apart, files, base))
        rest = [file for file in group if file not in together]
        for file in rest:
            others = [each for each in (*together, *apart) if each != file] if file in apart else []
            shots.append(_shot([file], others, files, base))
    return shots


def _together(
    group: Sequence[_File], files: _Files, moments: Moments
) -> tuple[list[_File], list[_File]]:
    """Tell which files of one stem are of one press of the button.

    Returns:
        Those that are, the judged one first, or none; and those that only have the name of others.
    """
    raws = [file for file in group if _suffix(file) in RAW_SUFFIXES]
    partners = [file for file in group if _suffix(file) in _PARTNER_SUFFIXES]
    if not raws or not partners:
        return [], []
    partners.sort(key=lambda file: _PARTNER_SUFFIXES.index(_suffix(file)))
    judged, others = partners[0], [*partners[1:], *raws]
    taken = None if files[judged] else moments.taken_at(os.path.join(*judged))
    same = [
        file
        for file in others
        if files[file] or _same_moment(taken, moments.taken_at(os.path.join(*file)))
    ]
    apart = [file for file in others if file not in same]
    if any(file in raws for file in same):
        return [judged, *same], apart
    return [], [judged, *apart]


def _suffix(file: _File) -> str:
    return os.path.splitext(file[1])[1].lower()


def _same_moment(first: datetime | None, second: datetime | None) -> bool:
    if first is None or second is None:
        return True
    # One of the two may lack the offset from UTC; the camera's clock is what pairs them.
    apart = first.replace(tzinfo=None) - second.replace(tzinfo=None)
    return abs(apart.total_seconds()) <= _PARTNER_SECONDS


def _shot(together: Sequence[_File], apart: Iterable[_File], files: _Files, base: str) -> Shot:
    paths = tuple(Path(*file) for file in together)
    remote = tuple(each for each in map(files.__getitem__, together) if each is not None)
    return Shot(
        _below(os.path.join(*together[0]), base),
        paths[0],
        paths,
        tuple(Path(*file) for file in apart),
        remote,
    )


def _below(path: str, base: str) -> str:
    name = path[len(base) :] if path.startswith(base) else path
    return name.lstrip(os.sep).replace(os.sep, "/") or "./"


def _is_since(shot: Shot, since: datetime, moments: Moments) -> bool:
    """Tell whether a shot is young enough; what nothing is known of is not left out."""
    if shot.remote:
        changed_ns = shot.remote[0].mtime_ns
        return changed_ns <= 0 or datetime.fromtimestamp(changed_ns / _S_NS) >= since
    taken = moments.taken_at(shot.judged, thorough=False)
    if taken is not None:
        return taken.replace(tzinfo=None) >= since
    try:
        return datetime.fromtimestamp(shot.judged.stat().st_mtime) >= since
    except OSError:
        return True
