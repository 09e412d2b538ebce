"""`focuskit cull`: keepers, rejects, and the ones that only a person can judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from focuskit.cli import _exit
from focuskit.cli._crew_options import CrewOptions
from focuskit.cli._cull_group import CommandOrGroup
from focuskit.cli._groups import grouped
from focuskit.cli._options import (
    DetectorOption,
    Device,
    DeviceOption,
    DryRunOption,
    Format,
    FormatOption,
    MaxMegapixelsOption,
    OutputOption,
    RecipeOption,
    SubjectOption,
    UseOption,
)
from focuskit.cli._output import (
    output_folder,
    print_rows,
    progress_bar,
    report_problems,
    say,
    subject_box,
)
from focuskit.cli._which import Which
from focuskit.cli._xmp import OverwriteRatingsOption, Sidecar, SidecarOption, WriteXmpOption, Xmp
from focuskit.cli.cull_apply import apply, undo
from focuskit.cli.cull_eval import calibrate, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from focuskit.batch.judge import Judgement
    from focuskit.batch.places import Box
    from focuskit.batch.recipe import Recipe
    from focuskit.batch.verdicts import Verdicts

__all__ = ["counted", "cull", "cull_command", "cull_with", "print_verdicts"]

_COLUMNS = (
    "shot",
    "verdict",
    "score",
    "set",
    "rank",
    "region",
    "edge_width",
    "in_focus_share",
    "reason",
)


@grouped
def cull(
    which: Which,
    crew: CrewOptions,
    output: OutputOption = Path("focuskit-cull"),
    recipe: RecipeOption = "cull",
    detector: DetectorOption = "",
    device: DeviceOption = Device.AUTO,
    max_megapixels: MaxMegapixelsOption = None,
    output_format: FormatOption = Format.TABLE,
    write_xmp: WriteXmpOption = False,
    sidecar: SidecarOption = Sidecar.AUTO,
    overwrite_ratings: OverwriteRatingsOption = False,
    subject: SubjectOption = None,
    use: UseOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Sort a library into keepers, rejects and can't-tell, with reasons.

    Writes focuskit-cull.csv, focuskit-cull.jsonl and the contact sheet focuskit-cull.html to the
    output folder, beside a catalog of what is known: a repeat does only what is missing or changed.
    Nothing in the library is changed, but for sidecars with --write-xmp.

    With --format jsonl every shot is printed as soon as it is judged, "final": false, and again at
    the end, "final": true, when its set is known.

    The words below are sub-commands; a folder of such a name is reached as ./NAME.
    """
    from dataclasses import replace

    from focuskit.batch.recipe import load_recipe

    chosen = load_recipe(recipe, do="cull")
    if detector:
        chosen = replace(chosen, detector=detector)
    if use:
        chosen = chosen.for_use(use.value)
    xmp = Xmp(write_xmp, sidecar, overwrite_ratings)
    box = subject_box(subject)
    if dry_run:
        _plan(chosen, which, output, crew, output_format, box)
        return
    cull_with(chosen, which, output, crew, max_megapixels, output_format, xmp, box)


def _plan(
    recipe: Recipe,
    which: Which,
    output: Path,
    options: CrewOptions,
    output_format: Format,
    subject: Box | None,
) -> None:
    """Print which shots a cull would look at, and which it knows."""
    from focuskit.batch.culling import judge_step
    from focuskit.batch.engine import left_to_do
    from focuskit.batch.judge import Judge
    from focuskit.batch.opening import opened
    from focuskit.review.report import pictures_place

    found = which.shots()
    step = judge_step(Judge(recipe.detector, pictures=pictures_place(output), subject=subject))
    with opened(output, write=False) as catalog:
        left = left_to_do(step, found.shots, catalog, retry=options.retry_failed)
    todo = {shot.name for shot in left}
    rows = [
        {"shot": shot.name, "would": "judge" if shot.name in todo else "know"}
        for shot in found.shots
    ]
    print_rows(rows, rows, ("shot", "would"), output_format)
    report_problems(found.problems)
    say(f"Nothing was done; {len(todo)} of {len(rows)} shots would be judged.")


def cull_with(
    recipe: Recipe,
    which: Which,
    output: Path,
    options: CrewOptions,
    max_megapixels: float | None,
    output_format: Format,
    xmp: Xmp | None = None,
    subject: Box | None = None,
) -> None:
    """Cull as a recipe says, write the results and leave with the exit code that fits."""
    from focuskit.batch.catalog import CATALOG_NAME, Catalog
    from focuskit.batch.culling import Way
    from focuskit.batch.judge import Judge
    from focuskit.batch.moments import Moments
    from focuskit.batch.verdicts import cull_into
    from focuskit.review.report import pictures_folder, write_results

    moments = Moments.read(output / CATALOG_NAME)
    found = which.shots(moments)
    if xmp is not None and xmp.write:
        found.check_local("--write-xmp")
    folder = output_folder(output, found.folders)
    pictures = pictures_folder(folder)
    judge = Judge(recipe.detector, max_megapixels, pictures, subject)
    with Catalog.open(folder / CATALOG_NAME) as catalog:
        catalog.remember(moments)
        with progress_bar("Culling") as progress:
            said = _Live(recipe, streamed=output_format is Format.JSONL)
            way = Way(catalog, options.crew(), options.retry_failed, progress, said)
            verdicts = cull_into(catalog, found, judge, recipe, way)
        report = write_results(folder, verdicts, pictures)
        print_verdicts(verdicts, output_format)
        report_problems(verdicts.problems)
        say(f"{counted(verdicts.counts)}. Contact sheet: {report}")
        written = xmp is None or xmp.apply(verdicts, folder)
    if verdicts.problems or not written:
        raise typer.Exit(_exit.SOME_FAILED)


def print_verdicts(verdicts: Verdicts, output_format: Format) -> None:
    """Print the records of a cull on stdout."""
    from focuskit.batch.records import Flat

    if output_format is Format.JSONL:
        final = (record | {"final": True} for record in verdicts)
        print_rows(final, (), _COLUMNS, output_format)
    else:
        print_rows(verdicts, Flat(verdicts), _COLUMNS, output_format)


def counted(counts: Mapping[str, int]) -> str:
    """Return how many shots have each verdict, as a sentence's beginning."""
    labels = (
        ("keeper", "keepers"),
        ("reject", "rejects"),
        ("cant-tell", "can't tell"),
        ("failed", "failed"),
    )
    return ", ".join(f"{counts.get(verdict, 0)} {label}" for verdict, label in labels)


class _Live:
    """Says while a cull runs what can be said of single shots; sets may change it in the end."""

    def __init__(self, recipe: Recipe, *, streamed: bool) -> None:
        self._recipe = recipe
        self._streamed = streamed
        self._keepers = 0

    def __call__(self, judgement: Judgement) -> str:
        """Count a judgement and, if asked to, print its record; return what to show."""
        from focuskit.batch.culling import decide_alone
        from focuskit.batch.records import decision_record, judgement_record
        from focuskit.batch.tables import to_json

        decision = decide_alone(judgement, self._recipe.thresholds)
        self._keepers += decision.verdict == "keeper"
        if self._streamed:
            known = judgement_record(judgement, self._recipe.detector)
            record = known | decision_record(decision) | {"final": False}
            typer.echo(to_json(record))
        return f"{self._keepers} keepers so far"


cull_command = typer.Typer(name="cull", cls=CommandOrGroup)
cull_command.callback()(cull)
cull_command.command("eval")(evaluate)
cull_command.command()(calibrate)
cull_command.command()(apply)
cull_command.command()(undo)
