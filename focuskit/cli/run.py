"""`focuskit run`: a recipe over a library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focuskit.cli._options import (
    Device,
    DeviceOption,
    Format,
    FormatOption,
    LibraryArgument,
    MaxMegapixelsOption,
    OptionalOutputOption,
    WorkersOption,
    recipes,
)
from focuskit.errors import InputError

__all__ = ["run"]


RecipeArgument = Annotated[
    str,
    typer.Argument(
        help="A recipe's name (see `focuskit names`) or a TOML file.", autocompletion=recipes
    ),
]


def run(
    recipe: RecipeArgument,
    library: LibraryArgument,
    output: OptionalOutputOption = None,
    workers: WorkersOption = None,
    device: DeviceOption = Device.AUTO,
    max_megapixels: MaxMegapixelsOption = None,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Run a recipe over a library; `focuskit cull` and `focuskit score` are recipes too."""
    from focuskit.batch.recipe import load_recipe
    from focuskit.cli.cull import cull_with
    from focuskit.cli.score import score_with

    loaded = load_recipe(recipe)
    if loaded.do == "cull":
        folder = output or Path("focuskit-cull")
        cull_with(loaded, library, folder, workers, max_megapixels, output_format)
    elif output is not None:
        raise InputError(f"The recipe {recipe} scores, which writes no files: leave out --output.")
    else:
        score_with(loaded, library, workers, max_megapixels, output_format)
