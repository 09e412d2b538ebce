"""`focuskit bench cull`: culling where the truth is known."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows, progress_bar
from focuskit.cli.bench_edits import Set
from focuskit.training.cull_lines import Line

__all__ = ["cull"]


def cull(
    data: Annotated[
        Path,
        typer.Argument(
            help="Folder that holds sharp, rgbd, focal-sweeps, focus-stacks and cuhk-dbd."
        ),
    ],
    what: Annotated[
        list[Line] | None, typer.Option(help="What to judge, as often as needed; default: all.")
    ] = None,
    part: Annotated[
        Set | None,
        typer.Option(
            "--set", help="Which photos: choose constants on 'development'; default: both, apart."
        ),
    ] = None,
    photos: Annotated[
        int | None, typer.Option(min=1, help="Use so many photos of a part at most.")
    ] = None,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Judge culling on rendered bursts and misfocus, real focal sweeps, and real photos.

    bursts: the sharpest of 3 to 8 frames comes first. rejects: misfocus is rejected, and nothing
    else. shallow: photos with a sharp subject and a blurred background are not rejected. sweeps:
    the frame ranked first for a textured box is within two frames of the box's depth index.
    motion: told from misfocus. ladder: nine strengths of blur are put in order. sets: every shot
    is put into exactly the right burst, bracket, focus stack or panorama, or left single.
    """
    from focuskit.training.judging_cull import judge_cull
    from focuskit.training.judging_scenes import Part

    chosen = tuple(dict.fromkeys(what)) if what else tuple(Line)
    rows: list[dict[str, Any]] = []
    for each in (part,) if part else tuple(Set):
        with progress_bar(f"Judging on the {each.value} part") as advance:
            found = judge_cull(data, Part(each.value), lines=chosen, most=photos, advance=advance)
        rows += found
    if output_format is not Format.TABLE:
        print_rows(rows, rows, (), output_format)
        return
    ordered = sorted(rows, key=lambda row: (list(Line).index(row["line"]), row["part"]))
    for number, (_, table) in enumerate(groupby(ordered, key=lambda row: row["line"])):
        if number:
            typer.echo()
        shown = list(table)
        columns = list(dict.fromkeys(key for row in shown for key in row))
        print_rows(shown, shown, columns, output_format)
