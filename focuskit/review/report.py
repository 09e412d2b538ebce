"""The results of a cull as files: CSV, JSONL and one HTML contact sheet."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import focuskit
from focuskit.batch.culling import Culled
from focuskit.batch.records import flat, to_csv, to_jsonl
from focuskit.errors import OutputError
from focuskit.io import write_atomically

__all__ = ["pictures_folder", "write_results"]

_STEM = "focuskit-cull"
# Up to here the pictures go into the page, which can then be mailed; beyond, it would not open.
_MOST_INLINE = 500
_OWN_PICTURE = re.compile(r"([0-9a-f]{16})-(?:photo|overlay|crop)\.(?:jpg|[0-9a-f]{8}\.(part))")


@dataclass(frozen=True, slots=True)
class _Group:
    """Shots that the page shows together: a set, or everything between two sets."""

    title: str
    kind: str
    records: tuple[dict[str, Any], ...]


def pictures_folder(output: Path) -> Path:
    """Make the folder below an output folder that keeps thumbnails, and return it.

    Raises:
        OutputError: it cannot be made.
    """
    folder = output / f"{_STEM}-pictures"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as exc:
        raise OutputError(
            f"Nothing can be written to {output} ({exc.strerror}); choose another --output."
        ) from exc
    return folder


def write_results(
    output: Path, culled: Culled, records: Sequence[dict[str, Any]], pictures: Path
) -> Path:
    """Write the table, the records and the contact sheet; return the sheet's path.

    Earlier results of the same names are replaced, whole or not at all.

    Args:
        output: folder to write to.
        culled: what came out, for the pictures' names.
        records: one per shot, as `cull_records` gives them.
        pictures: folder of the pictures, as `pictures_folder` gave it.

    Raises:
        OutputError: the folder cannot be written to.
    """
    stems = {judgement.shot.name: judgement.picture for judgement in culled.judgements}
    try:
        page = _page(records, stems, _picture_source(pictures, len(culled.judgements)))
        _clear(pictures, {str(stem) for stem in stems.values()})
    except OSError as exc:
        raise OutputError(
            f"The pictures in {pictures} cannot be used ({exc.strerror}); repeat the command, or "
            "choose another --output."
        ) from exc
    # The largest first: if the disk is full, the earlier run's files are still one set.
    _put(output, "html", page)
    _put(output, "jsonl", to_jsonl(records))
    _put(output, "csv", to_csv([flat(record) for record in records]))
    return output / f"{_STEM}.html"


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


def _page(records: Sequence[dict[str, Any]], stems: dict[str, str | None], source: Any) -> str:
    environment = Environment(
        loader=PackageLoader("focuskit.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shutter"] = _shutter
    environment.filters["clock"] = _clock

    def picture(record: dict[str, Any], kind: str) -> str:
        return str(source(f"{stems[record['shot']]}-{kind}.jpg"))

    failed = [record for record in records if record["verdict"] == "failed"]
    return environment.get_template("contact_sheet.html.j2").render(
        groups=_groups([record for record in records if record["verdict"] != "failed"]),
        failed=failed,
        counts={
            verdict: sum(record["verdict"] == verdict for record in records)
            for verdict in ("keeper", "reject", "cant-tell", "failed")
        },
        picture=picture,
        version=focuskit.__version__,
    )


def _groups(records: Sequence[dict[str, Any]]) -> list[_Group]:
    """Put sets first, in the order of their time and the best frame first, then single shots."""
    sets: dict[tuple[str, int], list[dict[str, Any]]] = {}
    singles: list[dict[str, Any]] = []
    for record in records:
        place = record["set"]
        if place:
            sets.setdefault((place["kind"], place["number"]), []).append(record)
        else:
            singles.append(record)
    groups = [
        _Group(
            f"{kind.capitalize()} of {len(members)}",
            kind,
            tuple(sorted(members, key=lambda record: (record["set"]["rank"], record["shot"]))),
        )
        for (kind, _), members in sorted(sets.items(), key=lambda item: _taken(item[1]))
    ]
    if singles:
        groups.append(_Group("Single shots" if groups else "All shots", "single", tuple(singles)))
    return groups


def _taken(members: Sequence[dict[str, Any]]) -> str:
    return min(str(record["exif"]["taken_at"] or "") for record in members)


def _clock(taken_at: str | None) -> str:
    return taken_at[:19].replace("T", " ") if taken_at else ""


def _shutter(exposure_s: float | None) -> str:
    if not exposure_s:
        return ""
    return f"1/{1 / exposure_s:.0f} s" if exposure_s < 0.4 else f"{exposure_s:g} s"


def _put(output: Path, suffix: str, text: str) -> None:
    # Names of files may hold bytes that are no text.
    data = text.encode("utf-8", "surrogateescape")
    write_atomically(output / f"{_STEM}.{suffix}", lambda: [data], overwrite=True)
