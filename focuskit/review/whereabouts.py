"""Where the files of shots are now: as they were, changed, moved elsewhere, or gone."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from focuskit.batch.keys import key_of
from focuskit.batch.shots import Shot, stands_in
from focuskit.review.index import Entry

__all__ = ["Whereabouts", "look_for"]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a shot's files are, if not where and as they were.

    Attributes:
        missing: the judged file is gone and was found nowhere.
        stale: its content was changed since the cull.
        sentence: says so to people.
        files: where the shot was found again: path, size and time in ns; () if it was not.
    """

    missing: bool
    stale: bool
    sentence: str
    files: tuple[tuple[Path, int, int], ...] = ()


def look_for(entries: Sequence[Entry], moved: Mapping[Path, Path]) -> dict[int, Whereabouts]:
    """Return the shots whose judged file is gone or changed, by number.

    What is gone is looked for below the library by its content: files of the same size are read at
    their ends, as a cull does.

    Args:
        entries: all shots.
        moved: where focuskit itself moved files to, by where they were.
    """
    found: dict[int, Whereabouts] = {}
    gone: list[Entry] = []
    for entry in entries:
        if not entry.seen.files:
            continue
        name, size, mtime_ns = entry.seen.files[0]
        path = Path(name)
        if size < 0 or "://" in name or stands_in(path):
            continue
        try:
            told = path.stat()
        except OSError:
            place = _moved_by_us(entry, moved)
            if place is None:
                gone.append(entry)
            else:
                found[entry.id] = place
            continue
        if (told.st_size, told.st_mtime_ns) != (size, mtime_ns):
            text = f"{path.name} was changed since the cull; cull again to judge it anew."
            found[entry.id] = Whereabouts(missing=False, stale=True, sentence=text)
    return found | _found_again(gone, entries)


def _moved_by_us(entry: Entry, moved: Mapping[Path, Path]) -> Whereabouts | None:
    files = []
    for name, size, mtime_ns in entry.seen.files:
        path = Path(name)
        # What was moved twice is followed to its end.
        for _ in range(len(moved)):
            if path not in moved:
                break
            path = moved[path]
        files.append((path, size, mtime_ns))
    first = Path(entry.seen.files[0][0])
    if files[0][0] == first or not files[0][0].is_file():
        return None
    text = f"focuskit moved {first.name} to {files[0][0]}; `focuskit cull undo` puts it back."
    return Whereabouts(missing=False, stale=False, sentence=text, files=tuple(files))


def _found_again(gone: Sequence[Entry], entries: Sequence[Entry]) -> dict[int, Whereabouts]:
    if not gone:
        return {}
    known = {file for entry in entries for file, *_ in entry.seen.files}
    wanted = {entry.seen.files[0][1] for entry in gone}
    by_size: dict[int, list[Path]] = defaultdict(list)
    for root in sorted({root for entry in gone if (root := _root(entry)) is not None}):
        for path, size in _files(root, wanted):
            if str(path) not in known:
                by_size[size].append(path)
    contents: dict[Path, str] = {}
    return {entry.id: _one(entry, by_size, contents) for entry in gone}


def _one(entry: Entry, by_size: Mapping[int, list[Path]], contents: dict[Path, str]) -> Whereabouts:
    first = Path(entry.seen.files[0][0])
    for path in by_size.get(entry.seen.files[0][1], ()):
        if path not in contents:
            key = key_of(Shot(path.name, path, (path,)))
            contents[path] = f"{key[0].bytes} {key[0].ends}" if key else ""
        if contents[path] and contents[path] == entry.seen.identity.content:
            files = _beside(entry, path)
            text = f"{first.name} was moved to {path}; cull again to have it in its new place."
            return Whereabouts(missing=False, stale=False, sentence=text, files=files)
    text = (
        f"{first} is gone: it was moved out of the library, renamed and changed, or deleted. What "
        "you chose is kept for when it comes back."
    )
    return Whereabouts(missing=True, stale=False, sentence=text)


def _beside(entry: Entry, path: Path) -> tuple[tuple[Path, int, int], ...]:
    """Return the files of a shot where its judged file is now; partners go by their suffix."""
    files = [path]
    for name, size, _ in entry.seen.files[1:]:
        partner = path.with_suffix(Path(name).suffix)
        if partner.is_file() and partner.stat().st_size == size:
            files.append(partner)
    told = [(file, file.stat()) for file in files]
    return tuple((file, each.st_size, each.st_mtime_ns) for file, each in told)


def _root(entry: Entry) -> Path | None:
    """Return the folder of the library that a shot's name is told from, if it is there."""
    parents = Path(entry.seen.files[0][0]).parents
    below = len(Path(entry.name).parts)
    root = parents[below - 1] if below <= len(parents) else None
    return root if root is not None and root.is_dir() else None


def _files(root: Path, sizes: set[int]) -> Iterator[tuple[Path, int]]:
    for place, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            path = Path(place, name)
            try:
                size = path.stat().st_size
            except OSError:
                continue
            if size in sizes:
                yield path, size
