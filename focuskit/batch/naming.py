"""Where the results of an edit go: never onto an original, never onto each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from focuskit.batch.extras import EXTRAS
from focuskit.batch.library import Shot
from focuskit.errors import OutputError, OutputExistsError, RangeError
from focuskit.photo import Photo

__all__ = ["KINDS", "Naming"]

KINDS = {"tif": (8, 16, 32), "png": (8, 16), "jpg": (8,)}
"""Suffixes that results can have, and the bits per sample that each holds."""

_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".mpo")
# Steps of 8 bits show as bands in smooth blur once somebody edits further.
_LEAST_BITS = 16


@dataclass(frozen=True)
class Naming:
    """Places for the results of one run.

    Attributes:
        folder: sub-folders of the library are mirrored below it.
        shots: all of the run: none of their files may be replaced, and where two share a stem their
            results carry the whole name.
        kind: "tif", "png" or "jpg"; None for what suits each photo.
        bits: per sample; None for what suits the kind.
        photo: whether the edited photo is written.
        compare: whether a sheet of before and after is written.
        preview: whether small versions are made, which have names of their own.
        overwrite: whether earlier results may be replaced.

    Raises:
        RangeError: on construction, if the kind does not hold so many bits.
    """

    folder: Path
    shots: Sequence[Shot]
    kind: str | None = None
    bits: int | None = None
    photo: bool = True
    compare: bool = False
    preview: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.kind and self.bits and self.bits not in KINDS[self.kind]:
            allowed = " or ".join(map(str, KINDS[self.kind]))
            raise RangeError(
                f"{self.kind} holds {allowed} bits per sample, got {self.bits}: choose another "
                "number or another format."
            )

    def targets(self, shot: Shot, operation: str) -> dict[str, Path]:
        """Return the files of one shot by what they hold: "photo", extras, "compare"."""
        name = f"{self._stem(shot)}-{operation}{'-preview' if self.preview else ''}"
        endings: dict[str, str] = {}
        if self.photo:
            endings["photo"] = f".{self._kind_for(shot)}"
        endings |= {ending: f"-{ending}" for ending in EXTRAS.get(operation, {})}
        if self.compare:
            endings["compare"] = "-compare.jpg"
        return {what: self.folder / f"{name}{ending}" for what, ending in endings.items()}

    def check_free(self, targets: Iterable[Path]) -> None:
        """Say before the work that a result cannot be written.

        Raises:
            OutputExistsError: something is there, and it may not be replaced.
            OutputError: it is an original.
        """
        for path in targets:
            if not path.exists():
                continue
            if not self.overwrite:
                raise OutputExistsError(
                    f"{path} exists already; add --overwrite to replace it, or choose another "
                    "--output."
                )
            if any(_same_file(path, each) for shot in self.shots for each in shot.files):
                raise OutputError(
                    f"{path} is one of the photos to edit, and originals are never replaced; "
                    "choose another --output."
                )

    def bits_of(self, path: Path, photo: Photo) -> int:
        """Return the bits per sample to write a photo with."""
        held = KINDS[path.suffix.removeprefix(".")]
        return self.bits or min(max(held), max(_LEAST_BITS, photo.bits))

    def _kind_for(self, shot: Shot) -> str:
        if self.kind:
            return self.kind
        small = self.preview or shot.judged.suffix.lower() in _JPEG_SUFFIXES
        return "jpg" if small and self.bits in (None, 8) else "tif"

    def _stem(self, shot: Shot) -> str:
        stem = _without_suffix(shot)
        return shot.name if self._stems[stem.casefold()] > 1 else stem

    @cached_property
    def _stems(self) -> Counter[str]:
        return Counter(_without_suffix(shot).casefold() for shot in self.shots)


def _without_suffix(shot: Shot) -> str:
    return str(PurePosixPath(shot.name).with_suffix(""))


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
