"""`focuskit bench review`: how fast a light table of a large library is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows, say

__all__ = ["review"]


def review(
    photos: Annotated[
        Path, typer.Option(help="Folder of photos that the library is made of.")
    ] = Path("samples"),
    shots: Annotated[int, typer.Option(min=100, help="How many shots it has, at least.")] = 20_000,
    steps: Annotated[int, typer.Option(min=10, help="How many photos to look at in turn.")] = 2000,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Serve a culled library of 20,000 shots, and walk through it as a browser does.

    The library is PHOTOS, culled once and then multiplied: the same files under further names, with
    times, sets and pictures of their own. All requests go over loopback to `focuskit review` in a
    process of its own; the pictures that fill a screen are in its cache.
    """
    from focuskit.review.bench import bench_review

    rows = bench_review(photos, shots, steps, say)
    print_rows(rows, rows, ("what", "value", "unit"), output_format)
