"""XMP sidecars: what focuskit adds to what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from focuskit.io.marks import Marks, written_by_us
from focuskit.io.xmp import Packet

__all__ = ["Note", "merged_sidecar"]

_RATING, _COUNTED = "xmp:Rating", "darktable:colorlabels"
# What editors write where nobody said anything.
_UNSET = {_RATING: "0", "digiKam:PickLabel": "0", "digiKam:ColorLabel": "0"}
# Programs compare the English text; digiKam and darktable count colours, each in its own way.
_COLOURS = {"keeper": ("Green", "4", "2"), "reject": ("Red", "1", "0")}
_COLOURS["cant-tell"] = ("Yellow", "3", "1")
_STARS = {"keeper": "1", "reject": "-1"}
_PICKS = {"keeper": "3", "reject": "1", "cant-tell": "2"}
_WORD = "focuskit"
# What a person chose: XMP's label, digiKam's colour, darktable's.
_LABELS = {"red": ("Red", "1", "0"), "yellow": ("Yellow", "3", "1"), "green": ("Green", "4", "2")}
_LABELS |= {"blue": ("Blue", "5", "3"), "purple": ("Purple", "6", "4")}
_NO_LABEL = (None, None, None)


@dataclass(frozen=True, slots=True)
class Note:
    """What focuskit writes about a photo.

    Attributes:
        verdict: "keeper", "reject" or "cant-tell".
        codes: of the reasons, the deciding one first.
        numbers: further properties of the focuskit namespace by name, as text; an empty one takes
            an earlier one away.
        pick: what a person chose in the review: "keeper", "reject" or "unset"; None for nothing.
        stars: the same: 0 to 5, or None.
        label: the same: a colour in lower case, "" for none, or None.
    """

    verdict: str
    codes: tuple[str, ...]
    numbers: Mapping[str, str]
    pick: str | None = None
    stars: int | None = None
    label: str | None = None


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
    ours = written_by_us(packet)
    said = marks or Marks()
    wanted = _wanted(note, said, darktable, overwrite_ratings)
    chosen = _chosen(note, packet.text(_RATING), darktable)
    written = {}
    for key, value in chosen.items():
        # A person said so: it is theirs, and not recorded as ours.
        _store(packet, key, value)
    for key, value in wanted.items():
        if key in chosen:
            continue
        there = packet.text(key)
        theirs = there not in (None, "", _UNSET.get(key), ours.get(key))
        if theirs and not overwrite_ratings:
            continue
        if value is not None:
            written[key] = value
        if value is not None or there == ours.get(key, ""):
            _store(packet, key, value)
    if before is None and raw_suffix:
        packet.put("photoshop:SidecarForExtension", raw_suffix.upper())
    _put_keywords(packet, [note.verdict, *note.codes])
    facts = {"Verdict": note.verdict, **note.numbers}
    for key, value in facts.items():
        packet.put(f"focuskit:{key}", value or None)
    packet.put("focuskit:Written", "; ".join(f"{k}={v}" for k, v in written.items()) or None)
    packet.put_items("focuskit:Reasons", list(note.codes), "Seq")
    if before is not None and packet.to_bytes() == as_it_was:
        return before
    packet.put("xmp:MetadataDate", datetime.now().astimezone().isoformat(timespec="seconds"))
    return packet.to_bytes()


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
        wanted[_COUNTED] = counted if coloured else None
    return wanted


def _chosen(note: Note, rating: str | None, darktable: bool) -> dict[str, str | None]:
    """Return what a person chose in the review, which takes the place of whatever is there."""
    chosen: dict[str, str | None] = {}
    if note.stars:
        chosen[_RATING] = str(note.stars)
    elif note.pick == "reject":
        chosen[_RATING] = _STARS["reject"]
    elif note.stars == 0 or (note.pick is not None and rating == _STARS["reject"]):
        chosen[_RATING] = None
    if note.pick is not None:
        chosen["digiKam:PickLabel"] = _PICKS[note.pick] if note.pick in _STARS else None
    if note.label is not None:
        colour, digikam, counted = _LABELS.get(note.label, _NO_LABEL)
        chosen |= {"xmp:Label": colour, "digiKam:ColorLabel": digikam}
        if darktable:
            chosen[_COUNTED] = counted
    return chosen


def _store(packet: Packet, key: str, value: str | None) -> None:
    if key == _COUNTED:
        packet.put_items(key, [] if value is None else [value], "Seq")
    else:
        packet.put(key, value)


def _put_keywords(packet: Packet, words: Sequence[str]) -> None:
    stale = _split_words(packet)
    for key, prefix in (("dc:subject", f"{_WORD}/"), ("lr:hierarchicalSubject", f"{_WORD}|")):
        kept = [
            item
            for item in packet.items(key)
            if not item.startswith(prefix) and not (key == "dc:subject" and item in stale)
        ]
        packet.put_items(key, [*kept, *(prefix + word for word in dict.fromkeys(words))])


def _split_words(packet: Packet) -> set[str]:
    """Return keywords that another program made of our earlier ones.

    darktable writes each level of a hierarchy as a keyword of its own: of focuskit|reject remain
    "focuskit" and "reject". Words that stand in a hierarchy of somebody else's are theirs.
    """
    if _WORD not in packet.items("dc:subject"):
        return set()
    earlier = {_WORD, packet.value("focuskit:Verdict"), *packet.items("focuskit:Reasons")}
    others = [
        item for item in packet.items("lr:hierarchicalSubject") if item.split("|")[0] != _WORD
    ]
    theirs = {level for item in others for level in item.split("|")}
    return {word for word in earlier if word is not None and word not in theirs}
