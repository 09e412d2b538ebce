"""`focuskit bench bridge`: what editors wait for besides the work itself."""

from __future__ import annotations

from typing import Annotated

import typer

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows, say

__all__ = ["bridge"]

_COLUMNS = (
    "operation",
    "what",
    "total_s",
    "client_files_s",
    "read_s",
    "work_s",
    "write_s",
    "outside_share",
)


def bridge(
    strength: Annotated[
        float, typer.Option(min=0.1, max=9, help="Of the background blur in the first call.")
    ] = 2.0,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Time bokeh over the bridge on a picture of 24 MP and on its preview, and refocus on that.

    A worker is started for it, and a client in this process sends 8-bit RGB: a preview of 640 px,
    as in the plug-in's dialogs, twice to each, the whole picture twice, each time with other
    settings, and another picture.
    client_files_s is writing and reading the client's files, read_s and write_s are files and
    conversion in the worker, work_s is the operation with finding what is in focus; outside_share
    is all but work_s.
    """
    from focuskit.bridge.bench import bench_bridge

    rows = bench_bridge(strength, lambda what: say(f"{what} ..."))
    print_rows(rows, rows, _COLUMNS, output_format)
