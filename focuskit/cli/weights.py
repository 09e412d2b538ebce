"""`focuskit weights`: trained networks as files to keep, hand on and look at."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from focuskit.cli._options import Format, FormatOption, OverwriteOption
from focuskit.cli._output import output_folder, print_rows, say

__all__ = ["weights"]

weights = typer.Typer(
    name="weights",
    help="Write trained weights with checksum and card, and look into files.",
    no_args_is_help=True,
)


def _complete(incomplete: str) -> list[str]:
    from focuskit.detect.weights import weight_names

    return [name for name in weight_names() if name.startswith(incomplete)]


@weights.command()
def export(
    name: Annotated[str, typer.Argument(help="Of the weights.", autocompletion=_complete)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder that `focuskit train` wrote; default: what ships.", show_default=False
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write weights in all their forms, their checksums (NAME.sha256) and a card (NAME.md)."""
    from focuskit.detect.cards import weights_to_files
    from focuskit.detect.weights import find_weights
    from focuskit.errors import OutputExistsError
    from focuskit.io import write_atomically

    folder = None if run is None else run / "weights"
    files = weights_to_files(find_weights(name, folder))
    target = output_folder(output, [] if run is None else [run])
    there = [each for each in files if (target / each).exists()]
    if there and not overwrite:
        raise OutputExistsError(
            f"{target} holds {', '.join(there)} already; add --overwrite to replace them, or "
            "choose another --output."
        )
    for each, data in files.items():
        write_atomically(target / each, partial(_parts, data), overwrite=overwrite)
        typer.echo(str(target / each))
    say(f"{name}: {sum(map(len, files.values())) / 1e6:.1f} MB in {len(files)} files.")


@weights.command()
def info(
    file: Annotated[Path, typer.Argument(help="A .safetensors file.", readable=False)],
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Print what a file of weights says of itself, its size and its checksum."""
    from focuskit.detect.weights import read_weights

    found = read_weights(file, file.stem)
    facts = dict(found.facts)
    record = {
        "kind": facts.pop("kind", None),
        "version": facts.pop("version", None),
        "parameters": found.parameters,
        "bytes": file.stat().st_size,
        "sha256": found.checksum,
        **facts,
    }
    rows = [{"what": key, "value": value} for key, value in _lines(record)]
    print_rows([record], rows, ("what", "value"), output_format)
    if record["kind"] is None:
        say(f"{file} does not say what it is: focuskit did not write it.")


def _lines(record: dict[str, object]) -> list[tuple[str, object]]:
    """Return one level of keys: tables within become several lines."""
    lines: list[tuple[str, object]] = []
    for key, value in record.items():
        if isinstance(value, dict):
            lines += [(f"{key}.{inner}", str(each)) for inner, each in value.items()]
        else:
            lines.append((key, value if value is None else str(value)))
    return lines


def _parts(data: bytes) -> list[bytes]:
    return [data]
