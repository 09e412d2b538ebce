"""`focuskit report`: a cull as one page to look at and to mail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focuskit.cli import _exit
from focuskit.cli._options import OverwriteOption
from focuskit.cli._output import check_free, say

__all__ = ["report"]

_MEGABYTE = 1_000_000


def report(
    culled: Annotated[
        Path, typer.Argument(help="Folder that `focuskit cull` wrote to, or its .jsonl.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The page; default: focuskit-report.html beside the results."
        ),
    ] = None,
    title: Annotated[
        str, typer.Option("--title", help="Heading; default: name of the library's folder.")
    ] = "",
    best: Annotated[
        int,
        typer.Option(
            "--best", min=0, max=200, help="Show so many of the best and of the worst, at most."
        ),
    ] = 24,
    most_megabytes: Annotated[
        float,
        typer.Option(
            "--max-megabytes", min=2, max=100, help="What a mail may weigh; pictures yield to it."
        ),
    ] = 8,
    overwrite: OverwriteOption = False,
) -> None:
    """Make one HTML file of a cull: plots, the best, the worst, and all that is close.

    It needs no other file and no server. Decisions made on it are saved as JSON, which
    `focuskit cull apply --decisions` reads. Photos are not read: pictures and numbers are those
    that the cull kept.
    """
    from focuskit.review.summary import REPORT_NAME, Report, write_report

    folder = culled if culled.is_dir() else culled.parent
    page = output or folder / REPORT_NAME
    check_free(page, overwrite=overwrite)
    asked = Report(title, best, int(most_megabytes * _MEGABYTE))
    written = write_report(culled, page, asked, overwrite=overwrite)
    if not written.shots:
        say(f"{culled} holds no shots.")
        raise typer.Exit(_exit.NOTHING_MATCHED)
    if written.unpictured:
        say(
            f"{written.unpictured} of the shots shown have no picture beside {culled}; cull again "
            "into the same folder for them."
        )
    size = page.stat().st_size / _MEGABYTE
    shots = "1 shot" if written.shots == 1 else f"{written.shots} shots"
    say(f"Wrote {page}: {shots}, {size:.1f} MB.")
