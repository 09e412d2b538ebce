"""The results of a cull as files: CSV, JSONL and one HTML contact sheet."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import focuskit
from focuskit.batch.records import Flat, flat, problem_record
from focuskit.batch.tables import csv_lines
from focuskit.batch.verdicts import Verdicts
from focuskit.errors import OutputError
from focuskit.io import write_atomically

__all__ = ["pictures_folder", "pictures_place", "write_results"]

_STEM = "focuskit-cull"
# Up to here the pictures go into the page, which can then be mailed; beyond, it would not open.
_MOST_INLINE = 500
_BUFFERED = 500
_TEMPLATE = "contact_sheet.html.j2"
_STAMP = "results.json"
_SUFFIXES = ("html", "jsonl", "csv")
_OWN_PICTURE = re.compile(r"([0-9a-f]{16})-(?:photo|overlay|crop)\.(?:jpg|[0-9a-f]{8}\.(part))")


@dataclass(frozen=True, slots=True)
class _Group:
    """Shots that the page shows together: a set, or everything between two sets."""

    title: str
    kind: str
    records: Iterator[dict[str, Any]]


@dataclass(slots=True)
class _Survey:
    """What has to be known of all records before the first can be written.

    Attributes:
        sets: (rank, name) of the shots in each set.
        taken: when the first shot of each set was taken, as text.
        singles: names of the other shots.
        pictures: stems of the pictures that are shown.
        columns: of the table.
    """

    sets: dict[tuple[str, int], list[tuple[int, str]]]
    taken: dict[tuple[str, int], str]
    singles: list[str]
    pictures: set[str]
    columns: dict[str, None]


def _survey(verdicts: Verdicts) -> _Survey:
    found = _Survey(defaultdict(list), {}, [], set(), {})
    for record in verdicts:
        found.columns |= dict.fromkeys(flat(record))
        if record["verdict"] == "failed":
            continue
        found.pictures.add(str(record["pictures"]))
        place, name = record["set"], record["shot"]
        if not place:
            found.singles.append(name)
            continue
        key = place["kind"], place["number"]
        found.sets[key].append((place["rank"], name))
        at = str(record["exif"]["taken_at"] or "")
        found.taken[key] = min(found.taken.get(key, at), at)
    return found


def pictures_place(output: Path) -> Path:
    """Return where an output folder keeps thumbnails."""
    return output / f"{_STEM}-pictures"


def pictures_folder(output: Path) -> Path:
    """Make the folder below an output folder that keeps thumbnails, and return it.

    Raises:
        OutputError: it cannot be made.
    """
    folder = pictures_place(output)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as exc:
        raise OutputError(
            f"Nothing can be written to {output} ({exc.strerror}); choose another --output."
        ) from exc
    return folder


def write_results(output: Path, verdicts: Verdicts, pictures: Path) -> Path:
    """Write the table, the records and the contact sheet; return the sheet's path.

    Earlier results of the same names are replaced, whole or not at all; if nothing has changed
    since they were written, neither the verdicts nor the files, they are left as they are.

    Args:
        output: folder to write to.
        verdicts: of all shots.
        pictures: folder of the pictures, as `pictures_folder` gave it.

    Raises:
        OutputError: the folder cannot be written to.
    """
    page, stamp = output / f"{_STEM}.html", pictures / _STAMP
    content = _content_digest(verdicts)
    if _read(stamp) == {"content": content, **_file_digests(output)}:
        return page
    found = _survey(verdicts)
    # The largest first: if the disk is full, the earlier run's files are still one set.
    try:
        _put(output, "html", lambda: _page(verdicts, found, pictures))
    except OSError as exc:
        raise OutputError(
            f"The pictures in {pictures} cannot be used ({exc.strerror}); repeat the command, or "
            "choose another --output."
        ) from exc
    _put(output, "jsonl", verdicts.lines)
    _put(output, "csv", lambda: csv_lines(Flat(verdicts), list(found.columns)))
    _clear(pictures, found.pictures)
    written = json.dumps({"content": content, **_file_digests(output)}).encode()
    write_atomically(stamp, lambda: [written], overwrite=True)
    return page


def _content_digest(verdicts: Verdicts) -> str:
    """Return a digest of all that decides what the results look like."""
    digest = hashlib.sha256(focuskit.__version__.encode())
    digest.update((files("focuskit.review") / "templates" / _TEMPLATE).read_bytes())
    for line in verdicts.lines():
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _file_digests(output: Path) -> dict[str, str]:
    found = {}
    for suffix in _SUFFIXES:
        try:
            with (output / f"{_STEM}.{suffix}").open("rb") as file:
                found[suffix] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            found[suffix] = ""
    return found


def _read(stamp: Path) -> Any:
    try:
        return json.loads(stamp.read_bytes())
    except (OSError, ValueError):
        return None


def _picture_source(pictures: Path, count: int) -> Any:
    if count <= _MOST_INLINE:
        return lambda name: _data_uri(pictures / name)
    return lambda name: f"{pictures.name}/{name}"


def _clear(folder: Path, wanted: Collection[str]) -> None:
    """Remove pictures that an earlier run made and this one does not show; nothing else."""
    for path in folder.iterdir():
        own = _OWN_PICTURE.fullmatch(path.name)
        if own and (own[2] == "part" or own[1] not in wanted):
            path.unlink()


def _data_uri(path: Path) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _page(verdicts: Verdicts, found: _Survey, pictures: Path) -> Iterator[str]:
    environment = Environment(
        loader=PackageLoader("focuskit.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shutter"] = _shutter
    environment.filters["clock"] = _clock
    source = _picture_source(pictures, sum(verdicts.counts.values()))

    def picture(record: dict[str, Any], kind: str) -> str:
        return str(source(f"{record['pictures']}-{kind}.jpg"))

    stream = environment.get_template(_TEMPLATE).stream(
        groups=_groups(verdicts, found),
        failed=[problem_record(problem) for problem in verdicts.problems],
        counts=verdicts.counts,
        picture=picture,
        version=focuskit.__version__,
    )
    stream.enable_buffering(_BUFFERED)
    return stream


def _groups(verdicts: Verdicts, found: _Survey) -> Iterator[_Group]:
    """Put sets first, in the order of their time and the best frame first, then single shots."""
    for key in sorted(found.sets, key=lambda key: found.taken[key]):
        names = [name for _, name in sorted(found.sets[key])]
        yield _Group(f"{key[0].capitalize()} of {len(names)}", key[0], _lazily(verdicts, names))
    if found.singles:
        title = "Single shots" if found.sets else "All shots"
        yield _Group(title, "single", _lazily(verdicts, found.singles))


def _lazily(verdicts: Verdicts, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    return (verdicts.of(name) for name in names)


def _clock(taken_at: str | None) -> str:
    return taken_at[:19].replace("T", " ") if taken_at else ""


def _shutter(exposure_s: float | None) -> str:
    if not exposure_s:
        return ""
    return f"1/{1 / exposure_s:.0f} s" if exposure_s < 0.4 else f"{exposure_s:g} s"


def _put(output: Path, suffix: str, lines: Callable[[], Iterable[str]]) -> None:
    # Names of files may hold bytes that are no text.
    def content() -> Iterator[bytes]:
        return (line.encode("utf-8", "surrogateescape") for line in lines())

    write_atomically(output / f"{_STEM}.{suffix}", content, overwrite=True)
