"""`focuskit cull`: keepers, rejects, and the ones that only a person can judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from focuskit.cli import _exit
from focuskit.cli._cull_group import CommandOrGroup
from focuskit.cli._options import (
    DetectorOption,
    Device,
    DeviceOption,
    Format,
    FormatOption,
    LibraryArgument,
    MaxMegapixelsOption,
    OutputOption,
    RecipeOption,
    SubjectOption,
    UseOption,
    WorkersOption,
)
from focuskit.cli._output import (
    output_folder,
    print_rows,
    progress_bar,
    report_problems,
    say,
    shots_or_exit,
    subject_box,
)
from focuskit.cli._xmp import OverwriteRatingsOption, Sidecar, SidecarOption, WriteXmpOption, Xmp
from focuskit.cli.cull_apply import apply, undo
from focuskit.cli.cull_eval import calibrate, evaluate

if TYPE_CHECKING:
    from focuskit.batch.places import Box
    from focuskit.batch.recipe import Recipe

__all__ = ["cull", "cull_command", "cull_with"]

_COLUMNS = ("shot", "verdict", "score", "set", "rank", "edge_width", "in_focus_share", "reason")


def cull(
    library: LibraryArgument,
    output: OutputOption = Path("focuskit-cull"),
    recipe: RecipeOption = "cull",
    detector: DetectorOption = "",
    workers: WorkersOption = None,
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
    output folder. Nothing in the library is changed, but for sidecars with --write-xmp.

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
    cull_with(chosen, library, output, workers, max_megapixels, output_format, xmp, box)


def cull_with(
    recipe: Recipe,
    library: list[Path],
    output: Path,
    workers: int | None,
    max_megapixels: float | None,
    output_format: Format,
    xmp: Xmp | None = None,
    subject: Box | None = None,
) -> None:
    """Cull as a recipe says, write the results and leave with the exit code that fits."""
    from focuskit.batch.culling import cull_library
    from focuskit.batch.judge import Judge
    from focuskit.batch.records import cull_records, flat
    from focuskit.batch.sidecars import with_marks
    from focuskit.detect import open_detector
    from focuskit.review.report import pictures_folder, write_results

    open_detector(recipe.detector)
    found = shots_or_exit(library)
    folder = output_folder(output, library)
    with pictures_folder(folder) as pictures:
        judge = Judge(recipe.detector, max_megapixels, pictures, subject)
        with progress_bar("Culling") as progress:
            culled = cull_library(
                found, judge, thresholds=recipe.thresholds, workers=workers, progress=progress
            )
        culled = with_marks(culled)
        records = cull_records(culled, recipe.detector, recipe.thresholds)
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
    written = xmp is None or xmp.apply(culled, recipe, folder)
    if culled.problems or not written:
        raise typer.Exit(_exit.SOME_FAILED)


cull_command = typer.Typer(name="cull", cls=CommandOrGroup)
cull_command.callback()(cull)
cull_command.command("eval")(evaluate)
cull_command.command()(calibrate)
cull_command.command()(apply)
cull_command.command()(undo)
