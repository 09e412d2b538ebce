"""What a report needs of each record of a cull, and no more of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from focuskit.batch.choices import outcome_of
from focuskit.batch.decision_file import library_folder, library_name

__all__ = ["LIMIT_SCORE", "Entry", "Survey", "Take", "survey", "text_of"]

_STEM = re.compile(r"[0-9a-f]{16}")
# An EXIF block may hold a novel, and a file may be called anything.
_MOST_CHARACTERS = 120
_MOST_WORDS = 1000
_VERDICTS = ("keeper", "reject", "cant-tell", "failed")
LIMIT_SCORE = 50.0
"""Score from which on edges are narrower than the limit."""


@dataclass(frozen=True, slots=True)
class Take:
    """How a shot was taken; what EXIF does not say is None or empty.

    Attributes:
        at: the camera's own clock, without a time zone.
        camera, lens: as the camera calls them.
        focal_length_mm, f_number, exposure_s, iso: above 0.
    """

    at: datetime | None
    camera: str
    lens: str
    focal_length_mm: float | None
    f_number: float | None
    exposure_s: float | None
    iso: float | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One shot.

    Attributes:
        number: counts all shots, in the order of the records.
        shot: its name.
        verdict: "keeper", "reject", "cant-tell" or "failed".
        yours: whether a person gave it, and not the cull.
        score, sharpness: 0 to 100; None where nothing could be measured.
        confidence: 0 to 1; 0 is right at the line.
        codes: of its reasons, the deciding one first.
        words: its reasons as sentences.
        pictures: stem of its pictures; empty for none.
        group: kind and number of its set; None for a single shot.
        rank: in its burst, from 1; 0 for none.
        take: how it was taken.
        portrait: whether it is higher than wide.
        focus: middle of the in-focus area as shares (x, y) of the frame; None for none.
        box: x, y, width and height of the judged box as shares of the frame; None if unknown.
        region: how the box was found.
        reduced: what was judged instead of the full picture; empty for nothing else.
    """

    number: int
    shot: str
    verdict: str
    yours: bool
    score: float | None
    sharpness: float | None
    confidence: float
    codes: tuple[str, ...]
    words: str
    pictures: str
    group: tuple[str, int] | None
    rank: int
    take: Take
    portrait: bool
    focus: tuple[float, float] | None
    box: tuple[float, float, float, float] | None
    region: str
    reduced: str


@dataclass(frozen=True, slots=True)
class Survey:
    """All shots of a cull.

    Attributes:
        library: what their folder is called; empty if it is not known.
        entries: in the order of the records.
    """

    library: str
    entries: tuple[Entry, ...]

    @property
    def judged(self) -> list[Entry]:
        """Those that could be read."""
        return [entry for entry in self.entries if entry.verdict != "failed"]


def survey(records: Iterable[Mapping[str, Any]]) -> Survey:
    """Go through records once.

    Args:
        records: of a cull, any version; what a number should be and is not counts as unknown.
    """
    folders: set[str] = set()
    entries = []
    for number, record in enumerate(records):
        folder = library_folder(record)
        folders.add(folder)
        entries.append(_entry(number, record, folder))
    return Survey(library_name(folders), tuple(entries))


def text_of(value: object, most: int = _MOST_CHARACTERS) -> str:
    """Return untrusted text as one line that any file can hold, cut after `most` characters."""
    text = str(value or "")[: most + 1]
    if len(text) > most:
        text = text[:most] + "…"
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _entry(number: int, record: Mapping[str, Any], folder: str) -> Entry:
    exif, picture = _part(record, "exif"), _part(record, "picture")
    region, place = _part(record, "region"), _part(record, "set")
    measures, stem = _part(record, "measures"), str(record.get("pictures") or "")
    width, height = _number(picture.get("width")), _number(picture.get("height"))
    reasons = [each for each in record.get("reasons") or () if isinstance(each, Mapping)]
    failed = record["verdict"] == "failed"
    verdict = "failed" if failed else outcome_of(record)
    shot, rank = str(record["shot"]), place.get("rank")
    return Entry(
        number=number,
        shot=shot,
        verdict=verdict if verdict in _VERDICTS else "cant-tell",
        yours=not failed and bool(_part(record, "choice").get("pick")),
        score=_number(record.get("score")),
        sharpness=_number(_part(record, "scores").get("sharpness_score")),
        confidence=_number(record.get("confidence")) or 0.0,
        codes=tuple(str(each.get("code")) for each in reasons),
        words=text_of(_without_folders(_said(reasons), shot, folder), _MOST_WORDS),
        pictures=stem if _STEM.fullmatch(stem) else "",
        group=(str(place.get("kind")), int(_number(place.get("number")) or 0)) if place else None,
        rank=rank if isinstance(rank, int) else 0,
        take=_take(exif),
        portrait=bool(width and height and height > width),
        focus=_shares((measures.get("focus_x"), measures.get("focus_y")), 1, 1),
        box=_box(region, width, height),
        region=text_of(region.get("kind")),
        reduced=_reduced(picture),
    )


def _take(exif: Mapping[str, Any]) -> Take:
    return Take(
        at=_moment(exif.get("taken_at")),
        camera=text_of(exif.get("camera")),
        lens=text_of(exif.get("lens")),
        focal_length_mm=_positive(exif.get("focal_length_mm")),
        f_number=_positive(exif.get("f_number")),
        exposure_s=_positive(exif.get("exposure_s")),
        iso=_positive(exif.get("iso")),
    )


def _said(reasons: Iterable[Mapping[str, Any]]) -> str:
    return " ".join(str(each.get("text") or "") for each in reasons)


def _reduced(picture: Mapping[str, Any]) -> str:
    scale = _number(picture.get("scale"))
    return text_of(picture.get("decoded_from")) if scale is not None and scale < 1 else ""


def _part(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = record.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _moment(value: object) -> datetime | None:
    try:
        # Cameras know their own clock; what zone it was set to, few say.
        return datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        return None


def _shares(
    point: tuple[object, object], width: float | None, height: float | None
) -> tuple[float, float] | None:
    x, y = _number(point[0]), _number(point[1])
    if x is None or y is None or not width or not height:
        return None
    return min(max(x / width, 0.0), 1.0), min(max(y / height, 0.0), 1.0)


def _box(
    region: Mapping[str, Any], width: float | None, height: float | None
) -> tuple[float, float, float, float] | None:
    corner = _shares((region.get("x"), region.get("y")), width, height)
    size = _shares((region.get("width"), region.get("height")), width, height)
    return (*corner, *size) if corner and size else None


def _without_folders(words: str, shot: str, folder: str) -> str:
    """Take the way to the library out of a sentence: a report is made to be handed on."""
    if folder:
        words = words.replace(f"{folder}/", "")
    # A shot that failed has no files that would tell where it lies.
    found = re.match(rf"(?:[A-Za-z]:)?[/\\].*?[/\\](?={re.escape(shot)})", words, re.DOTALL)
    return words[found.end() :] if found else words
