"""`focuskit bench`: what things cost here, as ratios within one run."""

from __future__ import annotations

from typing import Annotated

import typer

from focuskit.cli._options import DetectorOption, Format, FormatOption, WorkersOption
from focuskit.cli._output import print_rows, say

__all__ = ["bench"]

bench = typer.Typer(
    name="bench", no_args_is_help=True, help="Measure speed and memory on this machine."
)


@bench.callback()
def _bench() -> None:
    """Measure speed and memory on this machine."""


@bench.command()
def decode(
    photos: Annotated[int, typer.Option(min=8, help="How many 24 MP photos to cull.")] = 96,
    detector: DetectorOption = "",
    workers: WorkersOption = None,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Compare culling a 24 MP JPEG with decoding it.

    Decoding is `cv2.imdecode` alone, one thread, on as many processes as cull uses; both are given
    as core time per photo, after the workers have started. The contact sheet's pictures are part of
    the cull.
    """
    from focuskit.batch.benchmark import bench_decode
    from focuskit.detect import DEFAULT_DETECTOR, DETECTORS

    name = detector or DEFAULT_DETECTOR
    DETECTORS.get(name)
    say(f"Making a 24 MP JPEG and culling it {photos} times with {name} ...")
    rows = bench_decode(photos, name, workers)
    print_rows(rows, rows, ("what", "value", "unit"), output_format)
