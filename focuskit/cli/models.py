"""`focuskit models`: what other people trained and focuskit can use."""

from __future__ import annotations

from typing import Annotated

import typer

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows, progress_bar, say

__all__ = ["models"]

models = typer.Typer(
    name="models", help="List, fetch and find models of others.", no_args_is_help=True
)


def _complete(incomplete: str) -> list[str]:
    from focuskit.batch.models import MODELS

    return [model.name for model in MODELS if model.name.startswith(incomplete)]


NameArgument = Annotated[str, typer.Argument(help="Of the list.", autocompletion=_complete)]


@models.command("list")
def show(output_format: FormatOption = Format.TABLE) -> None:
    """List the models, and which are there."""
    from focuskit.batch.models import MODELS, model_path
    from focuskit.errors import WeightsError

    rows = []
    for model in MODELS:
        try:
            path = model_path(model.name)
            state = "absent" if path is None else "ok"
        except WeightsError:
            state = "damaged"
        rows.append(
            {
                "name": model.name,
                "state": state,
                "kB": round(model.size / 1000),
                "licence": model.licence,
                "what": model.summary,
                "url": model.url,
                "sha256": model.sha256,
            }
        )
    print_rows(rows, rows, ("name", "state", "kB", "licence", "what"), output_format)


@models.command()
def get(
    name: NameArgument,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Fetch it again even if it is there.")
    ] = False,
) -> None:
    """Fetch a model from its makers, check it, and print where it lies."""
    from focuskit.batch.models import get_model, named

    model = named(name)
    with progress_bar(f"Fetching {name}") as advance:

        def on(done: int) -> None:
            if advance is not None:
                advance(done, model.size, 0)

        path = get_model(model, overwrite=overwrite, progress=on)
    say(f"{name}: {model.size / 1000:.0f} kB, licence {model.licence}, SHA-256 as published.")
    typer.echo(str(path))


@models.command()
def path() -> None:
    """Print the folder that models are kept in."""
    from focuskit.batch.models import models_folder

    typer.echo(str(models_folder()))
