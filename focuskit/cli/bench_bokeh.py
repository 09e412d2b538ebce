"""`focuskit bench bokeh`: what bokeh costs here, against GEGL's lens blur."""

from __future__ import annotations

from typing import Annotated

import typer

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows, progress_bar, say

__all__ = ["bokeh"]


def bokeh(
    megapixels: Annotated[
        float, typer.Option(min=0.1, max=200, help="Of the photo that is made for it.")
    ] = 24.0,
    coc: Annotated[
        float, typer.Option(min=4, max=600, help="Diameter of the largest disc in pixels.")
    ] = 120.0,
    repeats: Annotated[int, typer.Option(min=1, help="How often each is timed.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Threads for GEGL and OpenMP.")] = 2,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Time bokeh with given circles of confusion, and its preview, as whole commands.

    Each runs in a fresh process from JPEG to JPEG, by turns with GEGL's lens-blur of the same
    picture with the same discs (where the program gegl is installed) and with cv2.imdecode. Where
    the machine is busy, the minima tell more than the medians.
    """
    from shutil import which

    from focuskit.batch.bench.bokeh import bench_bokeh

    say(f"Making a photo of {megapixels:g} MP, with discs up to {coc:g} px, {repeats} times ...")
    if which("gegl") is None:
        say("There is no gegl to compare with; Debian and Ubuntu have it in the package gegl.")
    with progress_bar("Timing") as advance:
        rows = bench_bokeh(megapixels, coc, repeats=repeats, threads=threads, advance=advance)
    print_rows(rows, rows, ("what", "value", "unit"), output_format)
