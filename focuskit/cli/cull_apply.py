"""`focuskit cull apply` and `focuskit cull undo`: act on verdicts, and take it back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focuskit.cli import _exit
from focuskit.cli._options import DryRunOption, Format, FormatOption
from focuskit.cli._output import print_rows, progress_bar, report_problems, say
from focuskit.errors import InputError

if TYPE_CHECKING:
    from focuskit.batch.acting import Action
    from focuskit.batch.decision_file import Decided

__all__ = ["apply", "undo"]


class Link(StrEnum):
    """Kinds of links."""

    HARD = "hard"
    SYM = "sym"


def apply(
    results: Annotated[
        Path, typer.Argument(help="Folder that `focuskit cull` wrote to, or its .jsonl.")
    ],
    keepers: Annotated[
        Path | None, typer.Option("--keepers", help="Folder for keepers; default: they stay.")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="Folder for rejects; default: they stay.")
    ] = None,
    move: Annotated[bool, typer.Option("--move", help="Move them; the default.")] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Copy them.")] = False,
    link: Annotated[
        Link | None, typer.Option("--link", help="Link to them: hard or symbolic.")
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(
            "--decisions",
            help="Decisions of yours, as the report and the review page save them (.json); they "
            "count instead of the verdicts.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only the plan.")] = False,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Move, copy or link keepers and rejects, RAW, JPEG and sidecars of a shot together.

    Prints its plan, and stops there unless --yes. Nothing is overwritten, nothing deleted, and
    sub-folders are kept. Shots that nobody can tell, and those changed since the cull, stay. What
    you picked in `focuskit review` counts more than the verdict, and --decisions more than both.
    `focuskit cull undo` puts everything back.
    """
    from focuskit.batch.acting import act, plan_actions
    from focuskit.batch.decisions import with_choices
    from focuskit.batch.results import read_results

    if yes and dry_run:
        raise InputError("--yes and --dry-run exclude each other; choose one.")
    action = _action(move, copy, link)
    folders = {"keeper": keepers, "reject": rejects}
    asked = {verdict: folder for verdict, folder in folders.items() if folder is not None}
    if not asked:
        raise InputError("Say where to: --keepers FOLDER, --rejects FOLDER, or both.")
    if len({os.path.abspath(folder) for folder in asked.values()}) < len(asked):
        raise InputError("--keepers and --rejects name the same folder; choose two.")
    output = results if results.is_dir() else results.parent
    records = with_choices(read_results(results), output)
    if not records:
        say(f"{results} holds no shots.")
        raise typer.Exit(_exit.NOTHING_MATCHED)
    decided = _decided(records, decisions)
    picked = {each["shot"] for each in records if (each.get("choice") or {}).get("pick")}
    yours = decided.shots | picked
    plan = plan_actions(decided.records, asked, action)
    rows = [
        {
            "shot": each.shot,
            "verdict": each.verdict,
            "by": "you" if each.shot in yours else "focuskit",
            "file": str(source),
            "target": str(target),
        }
        for each in plan.transfers
        for source, target in each.files
    ]
    columns = ("verdict", *(["by"] if yours else []), "file", "target")
    print_rows(rows, rows, columns, output_format)
    problems = [*decided.problems, *plan.problems]
    rest = f"{plan.there} there already, {plan.left} not asked for"
    if not yes:
        report_problems(problems)
        say(
            f"Plan: {action} {len(plan.transfers)} shots ({len(rows)} files); {rest}, "
            f"{len(problems)} left. Nothing is changed yet: repeat with --yes."
        )
    else:
        with progress_bar("Acting") as progress:
            done, failed, manifest = act(plan, output, progress)
        problems += failed
        report_problems(problems)
        say(f"Done with {done} shots ({action}); {rest}, {len(problems)} left.")
        if manifest:
            say(f"To put them back: focuskit cull undo {manifest}")
    if problems:
        raise typer.Exit(_exit.SOME_FAILED)


def undo(
    manifest: Annotated[
        Path,
        typer.Argument(
            help="focuskit-undo-*.jsonl, or the folder of results: then its latest one."
        ),
    ],
) -> None:
    """Put back what `focuskit cull apply` or `focuskit cull --write-xmp` did, the latest first.

    Byte for byte and with its times; what somebody changed since is named and left. Can be
    repeated, also after it was interrupted.
    """
    from focuskit.batch.undo import latest_manifest
    from focuskit.batch.undo import undo as undo_manifest

    chosen = latest_manifest(manifest)
    done, problems = undo_manifest(chosen)
    report_problems(problems)
    say(f"{done} files put back, {len(problems)} left as they are ({chosen}).")
    if problems:
        raise typer.Exit(_exit.SOME_FAILED)


def _decided(records: Sequence[Mapping[str, Any]], file: Path | None) -> Decided:
    """Return records with the decisions in a file in place of their verdicts."""
    from focuskit.batch.decision_file import (
        apply_decision_file,
        library_folder,
        library_name,
        read_decision_file,
    )

    if file is None:
        return apply_decision_file(records, ())
    found = read_decision_file(file)
    library = library_name(map(library_folder, records))
    if found.library and library and found.library != library:
        say(
            f"These decisions are about {found.library}, and the results about {library}: look "
            "well at the plan."
        )
    decided = apply_decision_file(records, found.choices)
    say(f"Decisions: {len(decided.shots)} of {len(found.choices)} used ({file}).")
    return decided


def _action(move: bool, copy: bool, link: Link | None) -> Action:
    from focuskit.batch.acting import Action

    if move + copy + (link is not None) > 1:
        raise InputError("--move, --copy and --link exclude each other; choose one.")
    if link is not None:
        return Action.HARDLINK if link is Link.HARD else Action.SYMLINK
    return Action.COPY if copy else Action.MOVE
