"""samples/index.toml: what each photo is made of, and what a photographer says of it."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from samplemaker.shots import Shot
from samplemaker.sources import SOURCES

__all__ = ["INDEX", "index_text", "problems"]

INDEX = "index.toml"

_HEADER = """\
# The sample photos: written by scripts/make_samples.py, checked by its --check. Do not edit.
#
# They are made from photographs that scikit-image and scikit-learn ship; each [[source]] names its
# author and terms. Camera data (make, lens, times) are invented. Blur is drawn in linear light,
# before noise and encoding.
#
# truth: "keeper", "reject" or "cant-tell". set: empty for a single shot. coc_diameter_px: diameter
# of the circle of confusion that was drawn over the whole picture; 0 where none was drawn, so the
# picture is as sharp as its source.
"""


def index_text(shots: tuple[Shot, ...], photos: Mapping[str, bytes]) -> str:
    """Return the index of `photos`, which maps file names to contents."""
    used = {shot.source for shot in shots}
    sources = [_source(name) for name in SOURCES if name in used]
    return "\n".join([_HEADER, *sources, *(_photo(shot, photos[shot.file]) for shot in shots)])


def problems(folder: Path) -> list[str]:
    """Return what differs between the folder and its index, one sentence each."""
    index = tomllib.loads((folder / INDEX).read_text(encoding="utf-8"))
    wanted = {photo["file"]: photo["sha256"] for photo in index["photo"]}
    found = {path.name for path in folder.iterdir() if path.name != INDEX}
    lines = [f"{name} is in the index, but not in the folder." for name in wanted.keys() - found]
    lines += [f"{name} is in the folder, but not in the index." for name in found - wanted.keys()]
    lines += [
        f"{name} is not the file that the index describes."
        for name in wanted.keys() & found
        if _sha256((folder / name).read_bytes()) != wanted[name]
    ]
    return sorted(lines)


def _source(name: str) -> str:
    source = SOURCES[name]
    return _table(
        "source",
        {
            "name": name,
            "title": source.title,
            "author": source.author,
            "licence": source.licence,
            "terms": source.terms,
            "origin": source.origin,
            "shipped_in": "/".join(source.shipped_in),
        },
    )


def _photo(shot: Shot, content: bytes) -> str:
    source = SOURCES[shot.source]
    return _table(
        "photo",
        {
            "file": shot.file,
            "source": shot.source,
            "author": source.author,
            "licence": source.licence,
            "origin": source.origin,
            "done": _done(shot),
            "truth": shot.truth,
            "reason": shot.reason,
            "set": shot.group,
            "taken_at": shot.taken_at.isoformat(timespec="milliseconds"),
            "orientation": shot.orientation,
            "coc_diameter_px": shot.took.coc_diameter_px,
            "motion_px": shot.took.motion_px,
            "motion_deg": shot.took.motion_deg,
            "sha256": _sha256(content),
        },
    )


def _done(shot: Shot) -> str:
    if shot.how == "untouched":
        return "EXIF added; the pixels are the source's, not compressed again"
    took, (x, y, width, height) = shot.took, shot.crop
    steps = [f"crop {width}×{height} at ({x}, {y})"]
    if took.highlight_peak > 1:
        steps.insert(0, f"clipped lamps raised to {took.highlight_peak:g} times white")
    if took.turn_deg:
        steps.append(f"turned by {took.turn_deg:g}°")
    if took.coc_diameter_px:
        steps.append(f"disc PSF of {took.coc_diameter_px:g} px diameter")
    if took.motion_px:
        steps.append(f"motion PSF of {took.motion_px:g} px at {took.motion_deg:g}°")
    if took.ev:
        steps.append(f"exposed {took.ev:+g} EV")
    if shot.orientation != 1:
        steps.append(f"stored as orientation {shot.orientation}")
    if shot.how == "mosaic":
        steps.append("optical low-pass filter, RGGB mosaic")
    steps.append(f"noise of ISO {shot.settings.iso}")
    if shot.how == "mosaic" and not shot.file.endswith(".dng"):
        steps.append("demosaiced and sharpened as cameras do")
    return ", ".join(steps)


def _table(name: str, fields: Mapping[str, str | int | float]) -> str:
    # A JSON string or number is a TOML one too.
    rows = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join([f"[[{name}]]", *rows, ""])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
