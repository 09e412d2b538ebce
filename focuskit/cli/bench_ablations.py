"""`focuskit bench ablations`: what the papers claim of their parts, tried anew at small size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focuskit.cli._options import Device, Format, FormatOption, OverwriteOption
from focuskit.cli._output import check_free, print_rows, say, write_file

__all__ = ["ablations"]

_COLUMNS = (
    "system",
    "claim",
    "variant",
    "f_max",
    "mae",
    "f_max_difference",
    "f_max_difference_low",
    "f_max_difference_high",
    "mae_difference",
    "paper_f_difference",
    "holds",
)


def _complete(incomplete: str) -> list[str]:
    from focuskit.training.claims import CLAIMS

    names = dict.fromkeys(claim.system for claim in CLAIMS)
    return [name for name in names if name.startswith(incomplete)]


def ablations(
    data: Annotated[
        Path,
        typer.Argument(help="Folder with cuhk-dbd, multifocus, focal-sweeps, sharp and init."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the runs; a repeat goes on there.")
    ],
    system: Annotated[
        list[str] | None,
        typer.Option(help="Whose, as often as needed; default: all.", autocompletion=_complete),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of every training.")] = 600,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            min=0, help="Train every variant with it, as often as needed; default: 0 alone."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change all recipes: NAME=VALUE, as often as needed."),
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for rendered examples; default: OUTPUT/examples."),
    ] = None,
    device: Annotated[
        Device, typer.Option(help="auto takes a CUDA GPU if there is one.")
    ] = Device.AUTO,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 500,
    overwrite: OverwriteOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Train the published systems with and without each of their parts, and compare.

    All trainings of a system have the same steps, seeds and data. OUTPUT gets a folder
    SYSTEM/VARIANT/seed-N for each, as `focuskit train` makes it; what is done there is not done
    again. Differences are of the variant from the whole system, with 95 % bootstrap intervals over
    the held-back photos (and the seeds, if there are several): a claim holds if the whole interval
    of F_max says so.
    """
    from focuskit.training.ablations import ablations_markdown, claims_of, run_ablations
    from focuskit.training.train import find_device

    claims = claims_of(system or [])
    place = find_device(device.value)
    check_free(markdown, overwrite=overwrite)
    seeds = list(dict.fromkeys(seed or [0]))
    settings = tuple(set_ or ())
    rows = run_ablations(
        claims,
        data=data,
        output=output,
        cache=cache or output / "examples",
        steps=steps,
        seeds=seeds,
        device=place,
        every=every,
        say=say,
        settings=settings,
    )
    if markdown is not None:
        text = ablations_markdown(rows, steps=steps, seeds=len(seeds), settings=settings)
        write_file(markdown, text.encode(), overwrite=overwrite)
    records = [row.as_record() for row in rows]
    print_rows(records, records, _COLUMNS, output_format)
