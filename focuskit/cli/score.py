"""`focuskit score`: the numbers behind a verdict."""

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
    MaxMegapixelsOption,
    PhotosArgument,
    WorkersOption,
)
from focuskit.cli._output import print_rows, progress_bar, report_problems, shots_or_exit

if TYPE_CHECKING:
    from focuskit.batch.recipe import Recipe

__all__ = ["score", "score_with"]


def score(
    photos: PhotosArgument,
    detector: DetectorOption = "",
    workers: WorkersOption = None,
    device: DeviceOption = Device.AUTO,
    max_megapixels: MaxMegapixelsOption = None,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Print what was measured on every shot; decides nothing, writes nothing."""
    from dataclasses import replace

    from focuskit.batch.recipe import load_recipe

    recipe = load_recipe("score")
    if detector:
        recipe = replace(recipe, detector=detector)
    score_with(recipe, photos, workers, max_megapixels, output_format)


def score_with(
    recipe: Recipe,
    photos: list[Path],
    workers: int | None,
    max_megapixels: float | None,
    output_format: Format,
) -> None:
    """Measure as a recipe says, print, and leave with the exit code that fits."""
    from focuskit.batch.culling import judge_library
    from focuskit.batch.judge import Judge
    from focuskit.batch.records import flat, judgement_record, problem_record
    from focuskit.cull import SCORERS
    from focuskit.detect import open_detector

    open_detector(recipe.detector)
    found = shots_or_exit(photos)
    judge = Judge(recipe.detector, max_megapixels)
    with progress_bar("Scoring") as progress:
        judgements, problems = judge_library(found, judge, workers=workers, progress=progress)
    records = [judgement_record(judgement, recipe.detector) for judgement in judgements]
    records += [problem_record(problem) for problem in problems]
    columns = ["shot", *(row.name for row in SCORERS), "region"]
    print_rows(records, [flat(record) for record in records], columns, output_format)
    report_problems(problems)
    if problems:
        raise typer.Exit(_exit.SOME_FAILED)
