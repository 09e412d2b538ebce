"""XMP sidecars: what people said about a photo, and what focuskit adds to it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from focuskit.errors import SidecarConflictError
from focuskit.io.ifd import first_ifd
from focuskit.io.source import PHOTO_SUFFIXES, RAW_SUFFIXES
from focuskit.io.xmp import MOST_BYTES, Packet

__all__ = [
    "Marks",
    "Note",
    "SidecarNaming",
    "merged_sidecar",
    "read_embedded_marks",
    "read_sidecar",
    "read_sidecar_marks",
    "sidecars_of",
    "sidecars_to_write",
]

_HEAD_BYTES = 1 << 20
_RATING, _RATING_TAG = "xmp:Rating", 0x4746
# What editors write where nobody said anything.
_UNSET = {_RATING: "0", "digiKam:PickLabel": "0", "digiKam:ColorLabel": "0"}
_PICKED = {"1": "rejected", "3": "accepted"}
# Programs compare the English text; digiKam and darktable count colours, each in its own way.
_COLOURS = {"keeper": ("Green", "4", "2"), "reject": ("Red", "1", "0")}
_COLOURS["cant-tell"] = ("Yellow", "3", "1")
_STARS = {"keeper": "1", "reject": "-1"}
_PICKS = {"keeper": "3", "reject": "1", "cant-tell": "2"}
_DUPLICATE = re.compile(r"_\d\d$")
_COMPANIONS = (".xmp", ".pp3", ".dop")


class SidecarNaming(StrEnum):
    """How sidecars are called: IMG.xmp (Adobe), IMG.CR2.xmp (darktable, digiKam), or both."""

    AUTO = "auto"
    ADOBE = "adobe"
    DARKTABLE = "darktable"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Marks:
    """What people said about a photo, in the camera or in an editor.

    Attributes:
        rating: 1 to 5 stars, -1 for rejected, None for unrated.
        label: colour label as written, or None.
        pick: "accepted" or "rejected" as in digiKam, or None.
        source: the file that says so.
    """

    rating: int | None = None
    label: str | None = None
    pick: str | None = None
    source: Path | None = None

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return self.rating is not None or self.label is not None or self.pick is not None

    @property
    def judged(self) -> bool:
        """Whether somebody rated, picked or rejected it; a colour may mean anything."""
        return self.rating is not None or self.pick is not None

    def __str__(self) -> str:
        """Say it in words."""
        said = []
        if self.rating is not None:
            said.append("rejected" if self.rating < 0 else f"{self.rating} of 5 stars")
        if self.pick is not None:
            said.append(f"pick: {self.pick}")
        if self.label is not None:
            said.append(f"label {self.label}")
        return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Note:
    """What focuskit writes about a photo.

    Attributes:
        verdict: "keeper", "reject" or "cant-tell".
        codes: of the reasons, the deciding one first.
        numbers: further properties of the focuskit namespace by name, as text.
    """

    verdict: str
    codes: tuple[str, ...]
    numbers: Mapping[str, str]


def read_sidecar(path: Path) -> bytes:
    """Return a sidecar's content.

    Raises:
        SidecarConflictError: it is no regular file, too large, or cannot be read.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no regular file"
            raise SidecarConflictError(f"{path} is left as it is: it is {kind}.")
        if found.st_size > MOST_BYTES:
            raise SidecarConflictError(
                f"{path} is left as it is: it has {found.st_size / 1e6:.0f} MB, more than any "
                "sidecar. Move it away and repeat."
            )
        return path.read_bytes()
    except OSError as exc:
        raise SidecarConflictError(
            f"{path} cannot be read ({exc.strerror}); check its permissions and repeat."
        ) from exc


def read_sidecar_marks(path: Path) -> Marks:
    """Return what people said in a sidecar; what focuskit wrote there itself does not count.

    Raises:
        SidecarConflictError: it cannot be read or is no XMP.
    """
    return _marks(Packet(read_sidecar(path), str(path)), path)


def read_embedded_marks(photo: Path) -> Marks:
    """Return what camera or editor said inside a photo, in its XMP packet or its EXIF rating.

    Looks at the first megabyte. Damaged data says nothing.
    """
    try:
        with photo.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return Marks()
    start = head.find(b"<x:xmpmeta")
    end = head.find(b"</x:xmpmeta>", start)
    if 0 <= start < end:
        try:
            marks = _marks(Packet(head[start : end + 12], str(photo)), photo)
        except SidecarConflictError:
            marks = Marks()
        if marks:
            return marks
    at = head.find(b"Exif\0\0", 0, 1 << 16)
    stars = first_ifd(head[at + 6 :] if at >= 0 else head).number(_RATING_TAG)
    return Marks(rating=stars, source=photo) if stars and 1 <= stars <= 5 else Marks()


def merged_sidecar(
    before: bytes | None,
    note: Note,
    name: str,
    *,
    marks: Marks | None = None,
    overwrite_ratings: bool = False,
    darktable: bool = False,
    raw_suffix: str = "",
) -> bytes:
    """Return a sidecar with a note put in; the same bytes if that changes nothing.

    Args:
        before: the sidecar as it is; None for a new one.
        note: what to say.
        name: what to call the sidecar in messages.
        marks: what people said about the photo anywhere: rated photos get no other rating, label
            or pick.
        overwrite_ratings: put ours in place of theirs.
        darktable: also write colour labels as darktable counts them.
        raw_suffix: of the RAW that a new sidecar called IMG.xmp belongs to, without its dot.

    Raises:
        SidecarConflictError: it is no XMP that can be merged into.
    """
    packet = Packet(before, name)
    as_it_was = packet.to_bytes()
    ours = _ours(packet)
    said = marks or Marks()
    wanted = _wanted(note, said, darktable, overwrite_ratings)
    written = {}
    for key, value in wanted.items():
        there = _stored(packet, key)
        theirs = there not in (None, "", _UNSET.get(key), ours.get(key))
        if theirs and not overwrite_ratings:
            continue
        if value is not None:
            written[key] = value
        if value is not None or there == ours.get(key, ""):
            _store(packet, key, value)
    if before is None and raw_suffix:
        packet.put("photoshop:SidecarForExtension", raw_suffix.upper())
    words = [note.verdict, *note.codes]
    _replace(packet, "dc:subject", "focuskit/", words)
    _replace(packet, "lr:hierarchicalSubject", "focuskit|", words)
    facts = {"Verdict": note.verdict, **note.numbers}
    for key, value in facts.items():
        packet.put(f"focuskit:{key}", value)
    packet.put("focuskit:Written", "; ".join(f"{k}={v}" for k, v in written.items()) or None)
    packet.put_items("focuskit:Reasons", list(note.codes), "Seq")
    if before is not None and packet.to_bytes() == as_it_was:
        return before
    packet.put("xmp:MetadataDate", datetime.now().astimezone().isoformat(timespec="seconds"))
    return packet.to_bytes()


def sidecars_of(files: Sequence[Path], names: Sequence[str]) -> list[Path]:
    """Return the files that belong to the photos of one shot and travel with them.

    Args:
        files: the photos, all in one folder.
        names: everything in that folder.

    Returns:
        IMG.xmp if no other photo could own it, IMG.CR2.xmp and the like of RawTherapee and DxO,
        and darktable's IMG_01.CR2.xmp of further versions.
    """
    folder = files[0].parent
    photos = {name.casefold() for name in names if Path(name).suffix.lower() in PHOTO_SUFFIXES}
    own = {file.name.casefold() for file in files}
    full = {name + suffix for name in own for suffix in _COMPANIONS}
    if _owns_stem(files, names):
        full |= {Path(name).stem + ".xmp" for name in own}
    found = []
    for name in names:
        low = name.casefold()
        stem, suffix = os.path.splitext(low.removesuffix(".xmp"))
        version = low.endswith(".xmp") and _DUPLICATE.search(stem) and stem[:-3] + suffix in own
        if low in full or (version and stem + suffix not in photos):
            found.append(folder / name)
    return sorted(found)


def sidecars_to_write(
    files: Sequence[Path], names: Sequence[str], naming: SidecarNaming
) -> list[Path]:
    """Return where a note about one shot goes.

    Args:
        files: the photos of the shot, all in one folder.
        names: everything in that folder.
        naming: AUTO takes the kinds that exist, else Adobe's.
    """
    there = {name.casefold(): name for name in names}
    raws = [file for file in files if file.suffix.lower() in RAW_SUFFIXES]
    full = [file.with_name(file.name + ".xmp") for file in files]
    short = [(raws or list(files))[0].with_suffix(".xmp")]
    if not _owns_stem(files, names):
        # IMG.xmp would be taken for the other photo's.
        short = full
    kinds = {
        SidecarNaming.ADOBE: short,
        SidecarNaming.DARKTABLE: full,
        SidecarNaming.BOTH: [*short, *full],
    }
    chosen = kinds.get(naming)
    if chosen is None:
        chosen = [
            path
            for kind in (short, full)
            if any(path.name.casefold() in there for path in kind)
            for path in kind
        ]
    spelled = [path.with_name(there.get(path.name.casefold(), path.name)) for path in chosen]
    return list(dict.fromkeys(spelled or short))


def _owns_stem(files: Sequence[Path], names: Sequence[str]) -> bool:
    """Whether IMG.xmp is this shot's: of several photos of one name, a RAW's before others'."""
    stem = files[0].stem.casefold()
    own = {file.name for file in files}
    others = [
        Path(name).suffix.lower()
        for name in names
        if name not in own
        and Path(name).stem.casefold() == stem
        and Path(name).suffix.lower() in PHOTO_SUFFIXES
    ]
    if any(file.suffix.lower() in RAW_SUFFIXES for file in files):
        return not any(suffix in RAW_SUFFIXES for suffix in others)
    return not others


def _marks(packet: Packet, source: Path) -> Marks:
    ours = _ours(packet)

    def theirs(key: str) -> str | None:
        value = packet.value(key)
        return None if value == ours.get(key) else value

    try:
        stars = round(float(theirs(_RATING) or 0))
    except (ValueError, OverflowError):
        stars = 0
    marks = Marks(
        rating=None if not stars else max(-1, min(5, stars)),
        label=theirs("xmp:Label") or None,
        pick=_PICKED.get(theirs("digiKam:PickLabel") or ""),
    )
    return Marks(marks.rating, marks.label, marks.pick, source) if marks else marks


def _ours(packet: Packet) -> dict[str, str]:
    """Return what focuskit wrote here the last time, by property."""
    pairs = (pair.partition("=") for pair in (packet.value("focuskit:Written") or "").split("; "))
    return {key: value for key, _, value in pairs if key}


def _wanted(note: Note, said: Marks, darktable: bool, overwrite: bool) -> dict[str, str | None]:
    colour, digikam, counted = _COLOURS[note.verdict]
    free = overwrite or not said.judged
    coloured = free and (overwrite or said.label is None)
    wanted: dict[str, str | None] = {
        _RATING: _STARS.get(note.verdict) if free else None,
        "digiKam:PickLabel": _PICKS[note.verdict] if free else None,
        "xmp:Label": colour if coloured else None,
        "digiKam:ColorLabel": digikam if coloured else None,
    }
    if darktable:
        wanted["darktable:colorlabels"] = counted if coloured else None
    return wanted


def _stored(packet: Packet, key: str) -> str | None:
    if key == "darktable:colorlabels":
        return ",".join(packet.items(key)) or None
    return packet.value(key)


def _store(packet: Packet, key: str, value: str | None) -> None:
    if key == "darktable:colorlabels":
        packet.put_items(key, [] if value is None else [value], "Seq")
    else:
        packet.put(key, value)


def _replace(packet: Packet, key: str, prefix: str, words: Sequence[str]) -> None:
    kept = [item for item in packet.items(key) if not item.startswith(prefix)]
    packet.put_items(key, [*kept, *(prefix + word for word in dict.fromkeys(words))])
