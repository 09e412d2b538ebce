"""`focuskit train`: make the weights that ship, or better ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from focuskit.cli._options import Device
from focuskit.cli._output import say

__all__ = ["train"]


class Configuration(StrEnum):
    """The sizes that the published systems come in."""

    SMALL = "small"
    FULL = "full"


def train(
    name: Annotated[str, typer.Argument(help="Recipe; what it makes has the same name.")],
    data: Annotated[
        Path,
        typer.Argument(help="Folder with cuhk-dbd, multifocus, focal-sweeps, sharp and init."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of this run; a repeat goes on there.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change the recipe: NAME=VALUE, as often as needed."),
    ] = None,
    size: Annotated[
        Configuration | None,
        typer.Option(help="full is the paper's network, small one with fewer channels."),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="Weights (.safetensors) of the network that a student learns from."),
    ] = None,
    backbone: Annotated[
        Path | None,
        typer.Option("--weights", help="File with ImageNet weights to start the backbone from."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Start from these .safetensors."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for rendered examples; default: OUTPUT/examples."),
    ] = None,
    device: Annotated[
        Device, typer.Option(help="auto takes a CUDA GPU if there is one.")
    ] = Device.AUTO,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 500,
) -> None:
    """Train one of the networks; seeded, logged, and resumed by repeating the command.

    OUTPUT gets checkpoint.pt, log.jsonl, and at the end weights/ with the files that ship and the
    figures on the photos that were held back. On a CPU, the environment
    MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 saves much of the time.
    """
    from focuskit.training.recipes import recipe_named
    from focuskit.training.train import train_recipe

    recipe = recipe_named(name).changed(settings or [])
    if size is not None:
        recipe = recipe.with_option("--size", "configuration", size.value)
    if teacher is not None:
        recipe = recipe.with_option("--teacher", "teacher", str(teacher))
    train_recipe(
        recipe,
        data=data,
        output=output,
        cache=cache or output / "examples",
        start=start,
        backbone=backbone,
        device=device.value,
        every=every,
        say=say,
    )
