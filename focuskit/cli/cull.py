"""`focuskit cull`: keepers, rejects, and the ones that only a person can judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from focuskit.cli import _exit
from focuskit.cli._options import (
    DetectorOption,
    Device,
    DeviceOption,
    Format,
    FormatOption,
    LibraryArgument,
    MaxMegapixelsOption,
    OutputOption,
    WorkersOption,
)
from focuskit.cli._output import (
    output_folder,
    print_rows,
    progress_bar,
    report_problems,
    say,
    shots_or_exit,
)

if TYPE_CHECKING:
    from focuskit.batch.recipe import Recipe

__all__ = ["cull", "cull_with"]

_COLUMNS = ("shot", "verdict", "score", "set", "rank", "edge_width", "in_focus_share", "reason")


def cull(
    library: LibraryArgument,
    output: OutputOption = Path("focuskit-cull"),
    detector: DetectorOption = "",
    workers: WorkersOption = None,
    device: DeviceOption = Device.AUTO,
    max_megapixels: MaxMegapixelsOption = None,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Sort a library into keepers, rejects and can't-tell, with reasons.

    Writes focuskit-cull.csv, focuskit-cull.jsonl and the contact sheet focuskit-cull.html to the
    output folder. Nothing in the library is changed.
    """
    from dataclasses import replace

    from focuskit.batch.recipe import load_recipe

    recipe = load_recipe("cull")
    if detector:
        recipe = replace(recipe, detector=detector)
    cull_with(recipe, library, output, workers, max_megapixels, output_format)


def cull_with(
    recipe: Recipe,
    library: list[Path],
    output: Path,
    workers: int | None,
    max_megapixels: float | None,
    output_format: Format,
) -> None:
    """Cull as a recipe says, write the results and leave with the exit code that fits."""
    from focuskit.batch.culling import cull_library
    from focuskit.batch.judge import Judge
    from focuskit.batch.records import cull_records, flat
    from focuskit.detect import open_detector
    from focuskit.review.report import pictures_folder, write_results

    open_detector(recipe.detector)
    found = shots_or_exit(library)
    folder = output_folder(output, library)
    with pictures_folder(folder) as pictures:
        judge = Judge(recipe.detector, max_megapixels, pictures)
        with progress_bar("Culling") as progress:
            culled = cull_library(
                found, judge, thresholds=recipe.thresholds, workers=workers, progress=progress
            )
        records = cull_records(culled, recipe.detector)
        report = write_results(folder, culled, records, pictures)
    print_rows(records, [flat(record) for record in records], _COLUMNS, output_format)
    report_problems(culled.problems)
    counts = [
        f"{sum(record['verdict'] == verdict for record in records)} {label}"
        for verdict, label in (
            ("keeper", "keepers"),
            ("reject", "rejects"),
            ("cant-tell", "can't tell"),
            ("failed", "failed"),
        )
    ]
    say(f"{', '.join(counts)}. Contact sheet: {report}")
    if culled.problems:
        raise typer.Exit(_exit.SOME_FAILED)
