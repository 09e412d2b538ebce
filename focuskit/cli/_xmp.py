"""Options of `focuskit cull` that write sidecars, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focuskit.cli._output import report_problems, say
from focuskit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from focuskit.batch.records import Record

__all__ = ["OverwriteRatingsOption", "Sidecar", "SidecarOption", "WriteXmpOption", "Xmp"]


class Sidecar(StrEnum):
    """How sidecars are called."""

    AUTO = "auto"
    ADOBE = "adobe"
    DARKTABLE = "darktable"
    BOTH = "both"


WriteXmpOption = Annotated[
    bool,
    typer.Option(
        "--write-xmp",
        help="Merge verdicts into the XMP sidecars beside the photos: label, rating, keywords, "
        "digiKam's and focuskit's own; `focuskit cull undo` puts them back.",
    ),
]
SidecarOption = Annotated[
    Sidecar,
    typer.Option(
        "--sidecar",
        help="adobe: IMG.xmp; darktable: IMG.CR2.xmp, digiKam's too; both; auto: those that "
        "exist, else adobe for RAW and darktable for other photos.",
    ),
]
OverwriteRatingsOption = Annotated[
    bool,
    typer.Option(
        "--overwrite-ratings", help="Put ours in place of your ratings, picks and labels."
    ),
]


@dataclass(frozen=True, slots=True)
class Xmp:
    """Whether sidecars are written, and how."""

    write: bool = False
    naming: Sidecar = Sidecar.AUTO
    overwrite_ratings: bool = False

    def __post_init__(self) -> None:
        if not self.write and (self.overwrite_ratings or self.naming is not Sidecar.AUTO):
            raise InputError(
                "--sidecar and --overwrite-ratings say how --write-xmp writes; add it."
            )

    def apply(self, records: Iterable[Record], output: Path) -> bool:
        """Write sidecars if asked to, and tell; return whether all went well."""
        if not self.write:
            return True
        from focuskit.batch.sidecars import write_sidecars
        from focuskit.io.sidecar_names import SidecarNaming

        written = write_sidecars(
            records,
            output,
            naming=SidecarNaming(self.naming.value),
            overwrite_ratings=self.overwrite_ratings,
        )
        report_problems(written.problems)
        say(
            f"Sidecars: {written.made} new, {written.changed} changed, {written.same} as they "
            f"were, {len(written.problems)} refused."
        )
        if written.for_adobe and self.naming is Sidecar.AUTO:
            say(
                f"Of RAW files, {written.for_adobe} new: called IMG.xmp, as Adobe's programs read "
                "them. darktable and digiKam want IMG.CR2.xmp: --sidecar both writes both."
            )
        if written.manifest:
            say(f"To put them back: focuskit cull undo {written.manifest}")
        return not written.problems
