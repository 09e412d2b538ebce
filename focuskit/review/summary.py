"""The report: one HTML file about a whole cull, to look at and to hand on."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import focuskit
from focuskit.batch.catalog import CATALOG_NAME
from focuskit.batch.choices import with_choice
from focuskit.batch.decision_file import decision_document
from focuskit.batch.decisions import choices_beside
from focuskit.batch.results import iterate_results
from focuskit.io import write_atomically
from focuskit.review.report import pictures_place
from focuskit.review.summary_bars import VERDICT_WORDS, draw_reasons, draw_verdicts
from focuskit.review.summary_counts import (
    gear,
    heat_by_f_number,
    heat_by_shutter,
    of_sets,
    reason_bars,
    shutter_text,
    tally,
)
from focuskit.review.summary_entries import Entry, Survey, survey, text_of
from focuskit.review.summary_frame import draw_frame, landing
from focuskit.review.summary_picks import PAGE_BYTES, Shown, shown_shots
from focuskit.review.summary_pictures import Pictures
from focuskit.review.summary_time import MOST_NAMED, draw_scores, sessions, span_text

__all__ = ["REPORT_NAME", "Report", "Written", "write_report"]

REPORT_NAME = "focuskit-report.html"
"""What a report is called where nobody says otherwise."""

_MOST_FAILED = 200
_MOST_GEAR = 25
_MOST_SESSIONS = 60
_WIDE_PX, _NARROW_PX = 1180.0, 400.0
_PHOTO_PX, _THUMBNAIL_PX = 900, 240
_SMALL_PX, _SMALL_BYTES = 360, 16_000
_TILE_CHARACTERS = 1100
_BUFFERED = 200


@dataclass(frozen=True, slots=True)
class Report:
    """What a report shall be like.

    Attributes:
        title: its heading; empty for the name of the library.
        best: how many of the best are shown, and of the worst.
        most_bytes: what the file may weigh; pictures are made lighter and fewer for that.
    """

    title: str = ""
    best: int = 24
    most_bytes: int = 8_000_000


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        shots: how many shots it is about.
        unpictured: how many of those shown have no picture.
    """

    shots: int
    unpictured: int


def write_report(
    results: Path, file: Path, asked: Report | None = None, *, overwrite: bool = False
) -> Written:
    """Write a report on a cull; photos are not read, only what the cull kept of them.

    Decisions made in the review since count instead of verdicts.

    Args:
        results: folder that a cull wrote to, or its records.
        file: the page.
        asked: what it shall be like.
        overwrite: replace a file that is there.

    Raises:
        InputError: there are no results, or the catalog beside them cannot be read.
        BatchError: the same.
        OutputError, OutputExistsError: the page cannot be written.
    """
    folder = results if results.is_dir() else results.parent
    found = survey(_records(results, folder))
    pictures = Pictures(pictures_place(folder))
    if found.entries:
        write_atomically(
            file, lambda: _page(found, pictures, asked or Report()), overwrite=overwrite
        )
    return Written(len(found.entries), len(pictures.missing))


def _records(results: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield records with what the catalog beside them says was chosen; without one, as they are."""
    records = iterate_results(results)
    if not (folder / CATALOG_NAME).is_file():
        return records
    choices = choices_beside(folder)
    return (with_choice(record, choices.get(record["shot"])) for record in records)


def _page(found: Survey, pictures: Pictures, asked: Report) -> Iterator[bytes]:
    environment = Environment(
        loader=PackageLoader("focuskit.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": text_of,
        "shutter": shutter_text,
        "percent": _percent,
        "verdict": lambda verdict: "can’t tell" if verdict == "cant-tell" else verdict,
        "plural": _plural,
    }
    css, script = (_source(environment, f"report.{kind}.j2") for kind in ("css", "js"))
    shown = shown_shots(found.judged, asked.best, asked.most_bytes)
    stream = environment.get_template("report.html.j2").stream(
        **_plots(found),
        **_numbers(found, asked),
        shown=shown,
        photo=lambda entry: pictures.photo(entry.pictures, _PHOTO_PX, shown.photo_bytes),
        crop=lambda entry: pictures.crop(entry.pictures, shown.crop_bytes),
        small=lambda entry: pictures.photo(entry.pictures, _SMALL_PX, _SMALL_BYTES),
        thumbnail=_Thumbnails(pictures, asked.most_bytes, shown.listed),
        css=Markup(css),
        script=Markup(script),
        policy=_policy(css, script),
        data=_data(found, shown),
        version=focuskit.__version__,
    )
    stream.enable_buffering(_BUFFERED)
    return (part.encode("utf-8", "replace") for part in stream)


class _Thumbnails:
    """Gives each thumbnail an equal part of what the page may still weigh."""

    def __init__(self, pictures: Pictures, most_bytes: int, count: int) -> None:
        self._pictures = pictures
        self._room = most_bytes - PAGE_BYTES - count * _TILE_CHARACTERS
        self._left = count

    def __call__(self, entry: Entry) -> str | None:
        share = (self._room - self._pictures.spent) / max(self._left, 1)
        self._left -= 1
        return self._pictures.photo(entry.pictures, _THUMBNAIL_PX, int(share * 0.75))


def _source(environment: Environment, name: str) -> str:
    # As it stands: what is between its tags has to be what the policy has the digest of.
    return (environment.loader or PackageLoader("focuskit.review")).get_source(environment, name)[0]


def _policy(css: str, script: str) -> str:
    """Return a Content-Security-Policy that lets this style and this script work, and no other."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(css)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _data(found: Survey, shown: Shown) -> Markup:
    """Return what the script has to know, as JSON that no file name can break out of."""
    shots = {str(entry.number): entry.shot for entry in shown.entries}
    known = hashlib.sha256()
    for entry in found.entries:
        known.update(f"{entry.shot}\0{entry.verdict}\0".encode("utf-8", "surrogateescape"))
    data = {
        "document": decision_document(found.library, ()),
        "report": known.hexdigest()[:16],
        "shots": shots,
    }
    text = json.dumps(data)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _numbers(found: Survey, asked: Report) -> dict[str, Any]:
    judged = found.judged
    sets = of_sets(judged)
    bursts = [members for (kind, _), members in sets.items() if kind == "burst"]
    kept = [sum(entry.verdict == "keeper" for entry in members) for members in bursts]
    times = [entry.take.at for entry in found.entries if entry.take.at is not None]
    failed = [entry for entry in found.entries if entry.verdict == "failed"]
    gears = gear(judged)
    return {
        "title": asked.title or found.library or "A cull",
        "counts": tally(found.entries),
        "span": span_text(min(times), max(times)) if times else "",
        "yours": sum(entry.yours for entry in found.entries),
        "failed": failed[:_MOST_FAILED],
        "failed_more": max(len(failed) - _MOST_FAILED, 0),
        "gear": gears[:_MOST_GEAR],
        "gear_more": max(len(gears) - _MOST_GEAR, 0),
        "bursts": len(bursts),
        "burst_frames": sum(map(len, bursts)),
        "burst_kept": sum(kept),
        "other_sets": sorted(Counter(kind for kind, _ in sets if kind != "burst").items()),
    }


def _plots(found: Survey) -> dict[str, Any]:
    judged = found.judged
    counts, bars = tally(found.entries), reason_bars(judged)
    landings = [each for portrait in (False, True) if (each := landing(judged, portrait=portrait))]
    return {
        "verdicts_plot": draw_verdicts(counts, "verdicts"),
        "time_plots": [
            drawn
            for key, width in (("time-wide", _WIDE_PX), ("time-narrow", _NARROW_PX))
            if (drawn := draw_scores(judged, key, width))
        ],
        "sessions": [
            (span_text(part.start, part.end), tally(part.entries))
            for part in sessions(judged, _MOST_SESSIONS)
        ],
        "thinned": len(judged) > MOST_NAMED,
        "timeless": sum(entry.take.at is None for entry in judged),
        "heats": [
            (words, heat)
            for words, heat in (
                ("f-number", heat_by_f_number(judged)),
                ("shutter", heat_by_shutter(judged)),
            )
            if heat
        ],
        "landings": [(each, draw_frame(each, f"frame-{at}")) for at, each in enumerate(landings)],
        "bars": bars,
        "bars_plot": draw_reasons(bars, "reasons") if bars else "",
        "verdict_words": VERDICT_WORDS,
    }


def _percent(share: float) -> str:
    return f"{math.floor(share * 100 + 0.5)} %"


def _plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
