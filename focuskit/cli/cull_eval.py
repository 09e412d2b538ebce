"""`focuskit cull eval` and `focuskit cull calibrate`: verdicts against a person's own picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focuskit.cli import _exit
from focuskit.cli._eval_tables import (
    ROW_COLUMNS,
    agreement_as_json,
    print_agreement,
    print_fitted,
)
from focuskit.cli._groups import grouped
from focuskit.cli._options import (
    Device,
    DeviceOption,
    Format,
    FormatOption,
    MaxMegapixelsOption,
    OverwriteOption,
    RecipeOption,
    WorkersOption,
)
from focuskit.cli._output import print_rows, progress_bar, report_problems, say, shots_or_exit

if TYPE_CHECKING:
    from focuskit.batch.agreement import Agreement
    from focuskit.batch.picks import Pick
    from focuskit.batch.recipe import Recipe

__all__ = ["calibrate", "evaluate"]

_RECIPE = "cull"

PicksArgument = Annotated[
    Path,
    typer.Argument(
        help="What you picked: the output folder of a cull that you reviewed, decisions that the "
        "review or a report saved (.json), a CSV (file, and pick or rating), a folder with "
        "keepers/ and rejects/, or a folder of photos that carry ratings, inside or in sidecars."
    ),
]


@dataclass(frozen=True)
class Compared:
    """What is compared with the picks, and how these are to be understood."""

    library: Annotated[
        list[Path] | None,
        typer.Option("--library", "-l", help="Cull these; default: PICKS, if it is a folder."),
    ] = None
    results: Annotated[
        Path | None,
        typer.Option("--results", help="Or: what an earlier cull wrote, focuskit-cull.jsonl."),
    ] = None
    recipe: RecipeOption = ""
    keep_from: Annotated[
        int,
        typer.Option(
            "--keep-from",
            min=1,
            max=5,
            help="This many stars and more are a keeper, fewer a reject; none say nothing.",
        ),
    ] = 1
    keep_label: Annotated[
        list[str] | None, typer.Option("--keep-label", help="A colour label that means keep.")
    ] = None
    reject_label: Annotated[
        list[str] | None, typer.Option("--reject-label", help="A colour label that means reject.")
    ] = None
    workers: WorkersOption = None
    device: DeviceOption = Device.AUTO
    max_megapixels: MaxMegapixelsOption = None


@grouped
def evaluate(
    picks: PicksArgument, compared: Compared, output_format: FormatOption = Format.TABLE
) -> None:
    """Compare verdicts with your own picks: precision, recall, confusion, the worst mistakes.

    CSV and JSONL carry every shot that you picked; what disagrees comes first. --recipe with
    --results decides anew, by the recipe's lines, from what was measured then.
    """
    from focuskit.batch.agreement import compare
    from focuskit.batch.recipe import load_recipe
    from focuskit.batch.redecide import redecided

    recipe = load_recipe(compared.recipe or _RECIPE, do="cull")
    records, said, troubles = _together(picks, compared, recipe)
    if compared.recipe and _results(picks, compared) is not None:
        records = redecided(records, recipe)
    found = compare(records, said)
    if output_format is Format.TABLE:
        print_agreement(found)
    elif output_format is Format.JSON:
        from focuskit.batch.tables import to_json

        typer.echo(to_json(agreement_as_json(found, troubles), indent=2))
    else:
        print_rows(found.rows, found.rows, ROW_COLUMNS, output_format)
    _tell(found, troubles)
    if troubles or found.failed:
        raise typer.Exit(_exit.SOME_FAILED)


@grouped
def calibrate(
    picks: PicksArgument,
    compared: Compared,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the fitted recipe goes, such as my.toml.")
    ],
    overwrite: OverwriteOption = False,
    lost_cost: Annotated[
        float,
        typer.Option(
            "--lost-cost",
            min=0.1,
            max=1000,
            help="How many kept rejects a rejected keeper is as bad as.",
        ),
    ] = 5.0,
    unsure_cost: Annotated[
        float,
        typer.Option(
            "--unsure-cost",
            min=0,
            max=1000,
            help="The same for a photo that a person must look at.",
        ),
    ] = 0.3,
) -> None:
    """Fit the lines that verdicts are drawn by to your own picks, and save them as a recipe.

    What fitting gains is measured on picks that were held out, whole days or sets at a time. If it
    gains nothing, nothing is saved.
    """
    from focuskit.batch.calibrate import Costs, recipe_text
    from focuskit.batch.calibrate import calibrate as fit
    from focuskit.batch.recipe import load_recipe
    from focuskit.errors import InputError, OutputExistsError
    from focuskit.io import write_atomically

    if output.exists() and not overwrite:
        raise OutputExistsError(f"{output} exists already; choose another name or --overwrite.")
    start = load_recipe(compared.recipe or _RECIPE, do="cull")
    records, said, troubles = _together(picks, compared, start)
    costs = Costs(lost=lost_cost, unsure=unsure_cost)
    with progress_bar("Fitting") as bar:
        fitted = fit(
            records,
            said,
            start=start.thresholds,
            costs=costs,
            progress=None if bar is None else lambda done, total: bar(done, total, 0),
        )
    print_fitted(fitted)
    for trouble in troubles:
        say(trouble)
    if not fitted.moved or fitted.after.cost >= fitted.before.cost:
        raise InputError(
            "The fitted lines are no better on picks that were held out, so nothing was saved: "
            f"go on with --recipe {compared.recipe or _RECIPE}, or pick more photos."
        )
    detector = next((str(each["detector"]) for each in records if each.get("detector")), "")
    text = recipe_text(fitted, detector or start.detector, len(said))
    write_atomically(output, lambda: [text.encode()], overwrite=overwrite)
    say(f"Saved. Use it: focuskit cull LIBRARY --recipe {output}")
    if troubles:
        raise typer.Exit(_exit.SOME_FAILED)


def _together(
    path: Path, compared: Compared, recipe: Recipe
) -> tuple[list[dict[str, Any]], dict[str, Pick], list[str]]:
    """Return the records, the picks by shot, and what could not be used."""
    from focuskit.batch.agreement import match_picks
    from focuskit.batch.picks import PickRules, read_picks
    from focuskit.batch.results import read_results

    rules = PickRules(
        compared.keep_from,
        frozenset(label.casefold() for label in compared.keep_label or ()),
        frozenset(label.casefold() for label in compared.reject_label or ()),
    )
    if compared.results is not None and compared.library:
        raise typer.BadParameter("give one of them.", param_hint="--library / --results")
    results = _results(path, compared)
    if results is None and not compared.library and path.is_file():
        raise typer.BadParameter(
            f"{path} does not hold the photos; say where they are, or what a cull of them wrote.",
            param_hint="--library / --results",
        )
    read = read_picks(path, rules)
    if not read.picks:
        for trouble in read.troubles:
            say(trouble)
        say(f"Nothing was picked or rejected in {path} ({read.silent} entries say nothing).")
        raise typer.Exit(_exit.NOTHING_MATCHED)
    if results is not None:
        records = read_results(results)
    else:
        records = _cull(compared.library or [path], compared, recipe)
    matched = match_picks(read.picks, records)
    return records, dict(matched.picks), [*read.troubles, *matched.troubles]


def _results(picks: Path, compared: Compared) -> Path | None:
    """Return where an earlier cull's results lie: as told, or beside the review of them."""
    from focuskit.batch.picks import is_reviewed

    if compared.results is None and not compared.library and is_reviewed(picks):
        return picks if picks.is_dir() else picks.parent
    return compared.results


def _cull(library: list[Path], compared: Compared, recipe: Recipe) -> list[dict[str, Any]]:
    from focuskit.batch.crew import Crew
    from focuskit.batch.culling import Way, cull_library
    from focuskit.batch.judge import Judge
    from focuskit.batch.records import cull_records

    found = shots_or_exit(library)
    judge = Judge(recipe.detector, compared.max_megapixels)
    with progress_bar("Culling") as progress:
        way = Way(crew=Crew(compared.workers), progress=progress)
        culled = cull_library(found, judge, thresholds=recipe.thresholds, way=way)
    report_problems(culled.problems)
    return cull_records(culled, recipe.detector, recipe.thresholds)


def _tell(found: Agreement, troubles: Sequence[str]) -> None:
    for trouble in troubles:
        say(trouble)
    failed = f", {found.failed} with a pick could not be read" if found.failed else ""
    say(f"{len(found.rows)} shots compared, {found.without_pick} had no pick{failed}.")
