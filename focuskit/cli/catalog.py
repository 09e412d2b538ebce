"""`focuskit catalog`: what earlier runs found out, and whether it still holds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from focuskit.cli import _exit
from focuskit.cli._options import Format, FormatOption, OverwriteOption
from focuskit.cli._output import print_rows, say

__all__ = ["catalog"]

catalog = typer.Typer(
    name="catalog",
    help="Look into the catalog that runs keep in their output folder, export it, clean it up.",
    no_args_is_help=True,
)


class Form(StrEnum):
    """What a catalog is exported as."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


PlaceArgument = Annotated[
    Path, typer.Argument(help="Output folder of a run, or its focuskit.catalog.")
]


@catalog.command()
def info(
    place: PlaceArgument = Path("focuskit-cull"), output_format: FormatOption = Format.TABLE
) -> None:
    """Show how many shots each step has done, failed, or will try again."""
    from focuskit.batch.catalog import Catalog
    from focuskit.batch.keeping import catalog_path

    path = catalog_path(place)
    with Catalog.open(path, write=False) as opened:
        rows = [
            {"step": step, "version": version, "state": state, "shots": count}
            for step, version, state, count in opened.counts()
        ]
    print_rows(rows, rows, ("step", "state", "shots", "version"), output_format)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


@catalog.command()
def export(
    place: PlaceArgument = Path("focuskit-cull"),
    form: Annotated[Form, typer.Option("--format", "-f", help="Parquet needs pyarrow.")] = Form.CSV,
    step: Annotated[
        str | None, typer.Option(help="Of this step only; default: the last of the run.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: stdout.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write the rows of a step as CSV, JSON lines or Parquet."""
    from focuskit.batch.catalog import Catalog
    from focuskit.batch.exporting import exported
    from focuskit.batch.keeping import catalog_path
    from focuskit.errors import InputError
    from focuskit.io import write_atomically

    path = catalog_path(place)
    with Catalog.open(path, write=False) as opened:
        steps = list(dict.fromkeys(found for found, *_ in opened.counts()))
        chosen = step or _last(steps)
        if chosen not in steps:
            raise InputError(
                f"{path} has no step {step!r}; it has {', '.join(steps) or 'no rows at all'}."
            )
        parts = exported(opened.rows(chosen), form.value)
        if output is not None:
            write_atomically(output, lambda: list(parts), overwrite=overwrite)
            say(f"Written to {output}")
            return
        binary = typer.get_binary_stream("stdout")
        for part in parts:
            binary.write(part)
        binary.flush()


def _last(steps: list[str]) -> str | None:
    # What people look for is the verdict; the measures that led to it are a step of their own.
    return "cull" if "cull" in steps else steps[-1] if steps else None


@catalog.command()
def gc(
    place: PlaceArgument = Path("focuskit-cull"),
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without, only say what would go.")
    ] = False,
) -> None:
    """Forget shots whose files are gone, and give their room back to the disk."""
    from focuskit.batch.catalog import Catalog
    from focuskit.batch.keeping import catalog_path, gone_rows

    with Catalog.open(catalog_path(place), write=yes) as opened:
        gone = gone_rows(opened)
        if yes and gone:
            opened.forget(gone)
            opened.compact()
    for shot in dict.fromkeys(shot for shot, _ in gone):
        typer.echo(shot)
    done = "forgotten" if yes else "to forget; add --yes"
    say(f"{len(gone)} rows {done}." if gone else "Every row's files are there.")


@catalog.command()
def verify(
    place: PlaceArgument = Path("focuskit-cull"), output_format: FormatOption = Format.TABLE
) -> None:
    """Check the catalog itself, and read every photo's ends again: is it what was looked at?"""
    from focuskit.batch.catalog import Catalog
    from focuskit.batch.keeping import catalog_path, check_rows
    from focuskit.errors import InputError

    path = catalog_path(place)
    with Catalog.open(path, write=False) as opened:
        damage = opened.damage()
        if damage:
            raise InputError(
                f"The catalog {path} is damaged ({damage[0]}); move it away and repeat the run."
            )
        checked = list(check_rows(opened))
    other = [each for each in checked if each.state != "as it was"]
    rows = [
        {
            "shot": each.shot,
            "step": each.step,
            "state": each.state,
            "files": "; ".join(map(str, each.files)),
        }
        for each in other
    ]
    print_rows(rows, rows, ("shot", "step", "state", "files"), output_format)
    say(f"{len(checked)} rows checked, {len(other)} of files that changed or are missing.")
    if other:
        raise typer.Exit(_exit.SOME_FAILED)
