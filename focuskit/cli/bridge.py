"""`focuskit bridge`: the worker that editors talk to."""

from __future__ import annotations

from typing import Annotated

import typer

from focuskit.cli._output import say

__all__ = ["bridge"]


def bridge(
    idle_minutes: Annotated[
        float,
        typer.Option("--idle-minutes", min=0.01, help="End when nobody has called for so long."),
    ] = 15.0,
    where: Annotated[
        bool,
        typer.Option("--where", help="Only print the folder that the worker is found by, and end."),
    ] = False,
) -> None:
    """Work for editors such as GIMP, which start this by themselves.

    There is one worker per user; a second one ends at once. docs/bridge.md has the protocol.
    """
    from focuskit.bridge.folders import worker_folder
    from focuskit.bridge.server import serve

    folder = worker_folder()
    if where:
        typer.echo(str(folder))
        return
    if not serve(folder, idle_minutes * 60):
        say(f"A worker is there already, in {folder}.")
