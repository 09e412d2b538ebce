"""`focuskit run`: a recipe over a library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focuskit.cli._edit_options import EditCrewOptions
from focuskit.cli._edits import edit_device, print_plan, tell_results
from focuskit.cli._groups import grouped
from focuskit.cli._options import (
    Device,
    DeviceOption,
    DryRunOption,
    Format,
    FormatOption,
    MaxMegapixelsOption,
    OptionalOutputOption,
    OverwriteOption,
    recipes,
)
from focuskit.cli._output import output_folder, print_rows, progress_bar, say
from focuskit.cli._which import Which
from focuskit.errors import InputError

if TYPE_CHECKING:
    from focuskit.batch.steps import Ran
    from focuskit.batch.verdicts import Verdicts
    from focuskit.batch.workflow import Workflow

__all__ = ["run"]

_COLUMNS = ("step", "shot", "verdict", "score", "seconds", "file")
_OUTPUT = Path("focuskit-run")

RecipeArgument = Annotated[
    str,
    typer.Argument(
        help="A recipe's name (see `focuskit names`) or a TOML file.", autocompletion=recipes
    ),
]


@grouped
def run(
    recipe: RecipeArgument,
    which: Which,
    crew: EditCrewOptions,
    output: OptionalOutputOption = None,
    overwrite: OverwriteOption = False,
    device: DeviceOption = Device.AUTO,
    max_megapixels: MaxMegapixelsOption = None,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Run a recipe over a library; `focuskit cull` and `focuskit score` are recipes too.

    A recipe's steps are done one after the other; a repeat does only what is missing or changed.
    Results go to the output folder, which is focuskit-run, or focuskit-cull for a recipe that only
    culls. Results of the same recipe with other numbers are replaced, unless somebody changed them.
    """
    from focuskit.batch.workflow import load_workflow
    from focuskit.cli.cull import cull_with
    from focuskit.cli.score import score_with

    loaded = load_workflow(recipe)
    what = loaded.judging
    if what is None or dry_run:
        _run_steps(
            loaded,
            which,
            output,
            crew,
            overwrite=overwrite,
            dry=dry_run,
            max_megapixels=max_megapixels,
            output_format=output_format,
        )
    elif what.do == "cull":
        folder = output or Path("focuskit-cull")
        cull_with(what, which, folder, crew, max_megapixels, output_format)
    elif output is not None:
        raise InputError(f"The recipe {recipe} scores, which writes no files: leave out --output.")
    else:
        score_with(what, which, crew, max_megapixels, output_format)


def _run_steps(
    workflow: Workflow,
    which: Which,
    output: Path | None,
    crew: EditCrewOptions,
    *,
    overwrite: bool,
    dry: bool,
    max_megapixels: float | None,
    output_format: Format,
) -> None:
    from focuskit.batch.making import Workplace
    from focuskit.batch.opening import opened
    from focuskit.batch.steps import Bench, run_recipe
    from focuskit.cli.cull import counted
    from focuskit.review.report import pictures_folder, write_results

    found = which.shots()
    folder = output_folder(output or _OUTPUT, found.folders, make=not dry)
    with opened(folder, write=not dry) as catalog:
        place = Workplace(
            folder=folder,
            catalog=catalog,
            originals=found.shots,
            crew=crew.crew(),
            overwrite=overwrite,
            own=True,
            retry=crew.retry_failed,
        )
        culls = not dry and any(_is_cull(step.what) for step in workflow.steps)
        pictures = pictures_folder(folder) if culls else None

        def show(verdicts: Verdicts) -> None:
            report = write_results(folder, verdicts, pictures or pictures_folder(folder))
            say(f"{counted(verdicts.counts)}. Contact sheet: {report}")

        bench = Bench(place, progress_bar, pictures, show, edit_device(), max_megapixels, dry)
        ran = run_recipe(workflow, found, bench)
    if dry:
        print_plan(ran.records, output_format)
        return
    print_rows(ran.records, [_flat(record) for record in ran.records], _COLUMNS, output_format)
    _tell(ran)


def _is_cull(what: Any) -> bool:
    return getattr(what, "do", "") == "cull"


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    from focuskit.batch.records import flat
    from focuskit.cli._edits import flat as flat_edit

    if "operation" in record:
        return flat_edit(record)
    if "measures" in record or "verdict" in record:
        return {"step": record["step"], **flat(record)}
    nested = {key: value for key, value in record.items() if not isinstance(value, dict | list)}
    # Of a map the table shows where it is, not where its photo is.
    return nested | {"file": record.get("map", record["file"])}


def _tell(ran: Ran) -> None:
    for step, skipped in ran.skipped.items():
        if skipped:
            say(f"{step}: not done with {skipped} shots, as the recipe says.")
    tell_results(ran.records, ran.problems)
