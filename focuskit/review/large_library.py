"""A large library that was culled, made of a few photos without culling each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

from focuskit.batch.catalog import CATALOG_NAME, Catalog, Row
from focuskit.batch.culling import JUDGE, Way
from focuskit.batch.judge import Judge
from focuskit.batch.keys import FileKey
from focuskit.batch.library import find_shots
from focuskit.batch.recipe import load_recipe
from focuskit.batch.verdicts import VERDICTS, cull_into
from focuskit.errors import InputError
from focuskit.review.pictures import Store
from focuskit.review.rendering import Wanted, render
from focuskit.review.report import pictures_folder

__all__ = ["Multiplied", "multiply"]

_KINDS = ("photo", "overlay", "crop")
_FIRST = datetime(2026, 1, 1, 8)
_APART = timedelta(minutes=40)
_GAP = timedelta(seconds=30)
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Multiplied:
    """A library under many names.

    Attributes:
        output: folder of its catalog and pictures.
        shots: how many there are.
        photos: of how many different ones.
    """

    output: Path
    shots: int
    photos: int


@dataclass(frozen=True, slots=True)
class _Original:
    """A shot that was really culled: its rows, record, and the stem of its pictures."""

    judged: Row
    judgement: dict[str, Any]
    record: dict[str, Any]


def multiply(source: Path, folder: Path, count: int, large: str) -> Multiplied:
    """Cull the photos of a folder, and make `count` shots of them in the same sets.

    Photos and pictures are further names of the same files; every copy has a time, a content and
    pictures of its own for all that the catalog says. The pictures that fill a screen are made
    beforehand, as if the whole library had been looked through once.

    Args:
        source: folder of photos.
        folder: where `library` and `out` go.
        count: at least so many shots.
        large: name of the folder below that of the pictures, for those that fill a screen.

    Raises:
        InputError: there are no photos that can be culled.
    """
    output, library = folder / "out", folder / "library"
    output.mkdir(parents=True)
    pictures = pictures_folder(output)
    originals = _culled(source, pictures)
    store = Store(pictures / large)
    store.folder.mkdir()
    for each in originals:
        files = tuple(map(Path, each.record["files"]))
        wanted = Wanted("photo", each.judged.shot, files, None, each.record["detector"])
        render(wanted, store.folder / f"{each.record['pictures']}-photo.jpg")
    rounds = -(-count // len(originals))
    with Catalog.open(output / CATALOG_NAME) as catalog:
        rows: list[Row] = []
        for number in range(rounds):
            rows += _copies(originals, number, library, pictures, store.folder)
            if len(rows) >= _AT_ONCE:
                catalog.put(rows)
                rows = []
        catalog.put(rows)
    return Multiplied(output, rounds * len(originals), len(originals))


def _culled(source: Path, pictures: Path) -> list[_Original]:
    recipe = load_recipe("cull")
    found = find_shots([source])
    with Catalog.in_memory() as catalog:
        judge = Judge(recipe.detector, pictures=pictures)
        records = list(cull_into(catalog, found, judge, recipe, Way(catalog)))
        done = [record for record in records if record["verdict"] != "failed"]
        rows = {row.shot: row for row in catalog.rows(JUDGE)}
    if not done:
        raise InputError(f"{source} holds no photos that can be culled; name others: --photos.")
    return [
        _Original(rows[each["shot"]], json.loads(rows[each["shot"]].outcome), each) for each in done
    ]


def _copies(
    originals: Sequence[_Original], number: int, library: Path, pictures: Path, large: Path
) -> Iterator[Row]:
    """Yield the rows of one more copy of all shots; their files and pictures are made."""
    folder = library / f"{number:05d}"
    folder.mkdir(parents=True)
    for place, each in enumerate(originals):
        old = str(each.record["pictures"])
        stem = blake2b(f"{number} {old}".encode(), digest_size=8).hexdigest()
        files = []
        for name in each.record["files"]:
            target = folder / Path(name).name
            target.hardlink_to(name)
            files.append(target)
        for kind in _KINDS:
            (pictures / f"{stem}-{kind}.jpg").hardlink_to(pictures / f"{old}-{kind}.jpg")
        (large / f"{stem}-photo.jpg").hardlink_to(large / f"{old}-photo.jpg")
        taken = (_FIRST + number * _APART + place * _GAP).isoformat()
        key = tuple(
            FileKey(file, told.bytes, told.mtime_ns, f"{stem}{told.ends[16:]}")
            for file, told in zip(files, each.judged.key, strict=True)
        )
        shot = f"{folder.name}/{files[0].name}"
        record = each.record | {
            "shot": shot,
            "files": [str(file) for file in files],
            "pictures": stem,
            "set": _further(each.record["set"], number, len(originals)),
            "exif": each.record["exif"] | {"taken_at": taken},
        }
        judgement = each.judgement | {"picture": stem}
        yield Row(shot, JUDGE, each.judged.version, "done", key, json.dumps(judgement))
        yield Row(shot, VERDICTS, "bench", "done", key, json.dumps(record))


def _further(place: dict[str, Any] | None, number: int, step: int) -> dict[str, Any] | None:
    return place and place | {"number": place["number"] + number * step}
