"""`focuskit score`: the numbers behind a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from focuskit.cli import _exit
from focuskit.cli._crew_options import CrewOptions
from focuskit.cli._groups import grouped
from focuskit.cli._options import (
    DetectorOption,
    Device,
    DeviceOption,
    Format,
    FormatOption,
    MaxMegapixelsOption,
    SubjectOption,
)
from focuskit.cli._output import (
    print_rows,
    progress_bar,
    report_problems,
    subject_box,
)
from focuskit.cli._which import Which

if TYPE_CHECKING:
    from focuskit.batch.places import Box
    from focuskit.batch.recipe import Recipe

__all__ = ["score", "score_with"]


def _explain(asked: bool) -> None:
    if not asked:
        return
    from focuskit.cull import SCORERS
    from focuskit.cull.score import SCORES

    infos = [*SCORES, *(SCORERS.get(row.name).info for row in SCORERS)]
    rows = [info.facts() for info in infos]
    print_rows(rows, rows, ("name", "unit", "low", "high", "better", "meaning"), Format.TABLE)
    raise typer.Exit


ExplainOption = Annotated[
    bool,
    typer.Option(
        "--explain", callback=_explain, is_eager=True, help="Say what each number means, and stop."
    ),
]


@grouped
def score(
    which: Which,
    crew: CrewOptions,
    explain: ExplainOption = False,
    detector: DetectorOption = "",
    device: DeviceOption = Device.AUTO,
    max_megapixels: MaxMegapixelsOption = None,
    output_format: FormatOption = Format.TABLE,
    subject: SubjectOption = None,
) -> None:
    """Print scores and what was measured on every shot; decides nothing, writes nothing."""
    from dataclasses import replace

    from focuskit.batch.recipe import load_recipe

    recipe = load_recipe("score")
    if detector:
        recipe = replace(recipe, detector=detector)
    box = subject_box(subject)
    score_with(recipe, which, crew, max_megapixels, output_format, box)


def score_with(
    recipe: Recipe,
    which: Which,
    options: CrewOptions,
    max_megapixels: float | None,
    output_format: Format,
    subject: Box | None = None,
) -> None:
    """Measure as a recipe says, print, and leave with the exit code that fits."""
    from focuskit.batch.culling import Way, decide_all, judge_library
    from focuskit.batch.judge import Judge
    from focuskit.batch.records import flat, problem_record, score_record
    from focuskit.cull import SCORERS
    from focuskit.cull.score import SCORES

    found = which.shots()
    judge = Judge(recipe.detector, max_megapixels, subject=subject)
    with progress_bar("Scoring") as progress:
        way = Way(crew=options.crew(), progress=progress)
        judgements, problems = judge_library(found, judge, way)
    decisions = decide_all(judgements, recipe.thresholds)
    records = [
        score_record(judgement, decision, recipe.detector, recipe.thresholds)
        for judgement, decision in zip(judgements, decisions, strict=True)
    ]
    records += [problem_record(problem) for problem in problems]
    columns = ["shot", *(info.name for info in SCORES), *(row.name for row in SCORERS), "region"]
    print_rows(records, [flat(record) for record in records], columns, output_format)
    report_problems(problems)
    if problems:
        raise typer.Exit(_exit.SOME_FAILED)
