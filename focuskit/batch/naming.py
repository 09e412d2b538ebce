"""What the results of an edit are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import PurePosixPath

from focuskit.batch.extras import EXTRAS
from focuskit.batch.library import Shot
from focuskit.errors import RangeError
from focuskit.photo import Photo

__all__ = ["KINDS", "NamedShot", "Naming", "named"]

KINDS = {"tif": (8, 16, 32), "png": (8, 16), "jpg": (8,)}
"""Suffixes that results can have, and the bits per sample that each holds."""

_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".mpo")
# Steps of 8 bits show as bands in smooth blur once somebody edits further.
_LEAST_BITS = 16


@dataclass(frozen=True, slots=True)
class NamedShot(Shot):
    """A shot with what the rest of its library has to say about its results.

    Attributes:
        stem: what names of results begin with; no other shot of the library has it.
        replace: whether earlier results may be replaced.
    """

    stem: str = ""
    replace: bool = False


def named(shots: Sequence[Shot]) -> tuple[NamedShot, ...]:
    """Give every shot a stem of its own: its name without suffix, or with it where it is taken."""
    stems = {shot.name: str(PurePosixPath(shot.name).with_suffix("")) for shot in shots}
    taken = True
    while taken:
        counts = Counter(stem.casefold() for stem in stems.values())
        taken = False
        for name, stem in stems.items():
            if stem != name and counts[stem.casefold()] > 1:
                # The whole name may be another's stem, which then has to give way too.
                stems[name], taken = name, True
    return tuple(_named(shot, stems[shot.name]) for shot in shots)


def _named(shot: Shot, stem: str) -> NamedShot:
    known = {each.name: getattr(shot, each.name) for each in fields(Shot)}
    return NamedShot(**known, stem=stem)


@dataclass(frozen=True, slots=True)
class Naming:
    """Names for the results of one run, below its output folder.

    Attributes:
        kind: "tif", "png" or "jpg"; None for what suits each photo.
        bits: per sample; None for what suits the kind.
        photo: whether the edited photo is written.
        compare: whether a sheet of before and after is written.
        preview: whether small versions are made, which have names of their own.
        label: what names of results say about the edit; empty for the operation's name.

    Raises:
        RangeError: on construction, if the kind does not hold so many bits.
    """

    kind: str | None = None
    bits: int | None = None
    photo: bool = True
    compare: bool = False
    preview: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        if self.kind and self.bits and self.bits not in KINDS[self.kind]:
            allowed = " or ".join(map(str, KINDS[self.kind]))
            raise RangeError(
                f"{self.kind} holds {allowed} bits per sample, got {self.bits}: choose another "
                "number or another format."
            )

    def step(self, operation: str) -> str:
        """Return what the run is called in the catalog and in names of results."""
        return f"{self.label or operation}{'-preview' if self.preview else ''}"

    def names(self, shot: NamedShot, operation: str) -> dict[str, str]:
        """Return the files of one shot by what they hold: "photo", extras, "compare"."""
        endings: dict[str, str] = {}
        if self.photo:
            endings["photo"] = f".{self._kind_for(shot)}"
        endings |= {ending: f"-{ending}" for ending in EXTRAS.get(operation, {})}
        if self.compare:
            endings["compare"] = "-compare.jpg"
        start = f"{shot.stem}-{self.step(operation)}"
        return {what: f"{start}{ending}" for what, ending in endings.items()}

    def bits_of(self, kind: str, photo: Photo) -> int:
        """Return the bits per sample to write a photo with."""
        return self.bits or min(max(KINDS[kind]), max(_LEAST_BITS, photo.bits))

    def _kind_for(self, shot: Shot) -> str:
        if self.kind:
            return self.kind
        small = self.preview or shot.judged.suffix.lower() in _JPEG_SUFFIXES
        return "jpg" if small and self.bits in (None, 8) else "tif"
