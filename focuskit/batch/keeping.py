"""Looking after a catalog: is it whole, do the files still hold what it knows, what can go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.batch.keys import FileKey, key_of
from focuskit.batch.shots import Shot, stands_in

__all__ = ["Checked", "catalog_path", "check_rows", "gone_rows"]

State = Literal["as it was", "changed", "missing"]


@dataclass(frozen=True, slots=True)
class Checked:
    """How a row's files are, compared with when they were looked at."""

    shot: str
    step: str
    state: State
    files: tuple[Path, ...]


def catalog_path(place: Path) -> Path:
    """Return the catalog that a person means: an output folder, or the file itself."""
    return place / CATALOG_NAME if place.is_dir() else place


def check_rows(catalog: Catalog) -> Iterator[Checked]:
    """Read the ends of every file again and compare; what is on servers is passed over."""
    for step in dict.fromkeys(step for step, *_ in catalog.counts()):
        for row in catalog.known(step):
            files = tuple(each.path for each in row.key)
            if files and stands_in(files[0]):
                continue
            yield Checked(row.shot, step, _state(row.key, row.shot, files), files)


def gone_rows(catalog: Catalog) -> list[tuple[str, str]]:
    """Return (shot, step) of rows none of whose files is there any more; servers are not asked."""
    return [
        (row.shot, step)
        for step in dict.fromkeys(step for step, *_ in catalog.counts())
        for row in catalog.known(step)
        if not any(each.path.exists() or stands_in(each.path) for each in row.key)
    ]


def _state(key: tuple[FileKey, ...], shot: str, files: tuple[Path, ...]) -> State:
    if not files or not all(file.exists() for file in files):
        return "missing"
    now = key_of(Shot(shot, files[0], files))
    same = [(each.bytes, each.ends) for each in now] == [(each.bytes, each.ends) for each in key]
    return "as it was" if same else "changed"
