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
    from focuskit.batch.judge import Judgement
    from focuskit.batch.places import Box
    from focuskit.batch.recipe import Recipe

__all__ = ["cull", "cull_command", "cull_with"]

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
    cull_with(chosen, which, output, crew, max_megapixels, output_format, xmp, box)


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
    from focuskit.batch.culling import Way, cull_library
    from focuskit.batch.judge import Judge
    from focuskit.batch.records import cull_records, flat
    from focuskit.batch.sidecars import with_marks
    from focuskit.batch.verdicts import keep_verdicts
    from focuskit.batch.versions import parameters_version
    from focuskit.review.report import pictures_folder, write_results

    found = which.shots()
    if xmp is not None and xmp.write:
        found.check_local("--write-xmp")
    folder = output_folder(output, found.folders)
    pictures = pictures_folder(folder)
    judge = Judge(recipe.detector, max_megapixels, pictures, subject)
    with Catalog.open(folder / CATALOG_NAME) as catalog:
        with progress_bar("Culling") as progress:
            said = _Live(recipe, streamed=output_format is Format.JSONL)
            way = Way(catalog, options.crew(), options.retry_failed, progress, said)
            culled = cull_library(found, judge, thresholds=recipe.thresholds, way=way)
        culled = with_marks(culled)
        records = cull_records(culled, recipe.detector, recipe.thresholds)
        keep_verdicts(catalog, records, "judge", parameters_version(recipe.thresholds))
        report = write_results(folder, culled, records, pictures)
    if output_format is Format.JSONL:
        records = [record | {"final": True} for record in records]
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
    written = xmp is None or xmp.apply(culled, recipe, folder)
    if culled.problems or not written:
        raise typer.Exit(_exit.SOME_FAILED)


class _Live:
    """Says while a cull runs what can be said of single shots; sets may change it in the end."""

    def __init__(self, recipe: Recipe, *, streamed: bool) -> None:
        self._recipe = recipe
        self._streamed = streamed
        self._keepers = 0

    def __call__(self, judgement: Judgement) -> str:
        """Count a judgement and, if asked to, print its record; return what to show."""
        from focuskit.batch.culling import decide_alone
        from focuskit.batch.records import decision_record, judgement_record, to_jsonl

        decision = decide_alone(judgement, self._recipe.thresholds)
        self._keepers += decision.verdict == "keeper"
        if self._streamed:
            known = judgement_record(judgement, self._recipe.detector)
            record = known | decision_record(decision) | {"final": False}
            typer.echo(to_jsonl([record]), nl=False)
        return f"{self._keepers} keepers so far"


cull_command = typer.Typer(name="cull", cls=CommandOrGroup)
cull_command.callback()(cull)
cull_command.command("eval")(evaluate)
cull_command.command()(calibrate)
cull_command.command()(apply)
cull_command.command()(undo)
