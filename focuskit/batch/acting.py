"""Acting on a cull: keepers and rejects go to folders of their own, and can come back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from focuskit.batch.choices import outcome_of
from focuskit.batch.files import Folders, copy_file, link_file, move_file
from focuskit.batch.library import Problem
from focuskit.batch.manifest import Manifest, Step, part_name
from focuskit.batch.remote_listing import is_url
from focuskit.batch.undo import carry_out
from focuskit.errors import FocuskitError, InputError, OutputError
from focuskit.io.sidecar_names import shared_sidecar, sidecars_of

__all__ = ["Action", "Plan", "Transfer", "act", "plan_actions"]


class Action(StrEnum):
    """What is done with a file; a step of a manifest has the same name."""

    MOVE = "move"
    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class Transfer:
    """What happens to one shot: every file of it, and its sidecars, or nothing.

    Attributes:
        shot: its name.
        verdict: "keeper" or "reject".
        files: where from and where to.
    """

    shot: str
    verdict: str
    files: tuple[tuple[Path, Path], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done.

    Attributes:
        action: with each file.
        transfers: by shot, in the order of their names.
        problems: shots that are left where they are, and why.
        there: how many shots are where they belong already.
        left: how many shots nobody asked to act on: can't tell, failed.
    """

    action: Action
    transfers: tuple[Transfer, ...]
    problems: tuple[Problem, ...]
    there: int
    left: int


def plan_actions(
    records: Sequence[Mapping[str, Any]], folders: Mapping[str, Path], action: Action
) -> Plan:
    """Say what would go where; looks at the disk and changes nothing.

    Sub-folders of the library are mirrored, so that equal names do not clash.

    Args:
        records: of a cull; a person's pick in them counts more than the verdict.
        folders: where shots of a verdict go.
        action: what to do with each file.
    """
    listed = Folders()
    transfers, problems, there, left = [], [], 0, 0
    for record in sorted(records, key=lambda each: str(each["shot"])):
        verdict = outcome_of(record)
        folder = folders.get(verdict)
        if folder is None:
            left += 1
            continue
        name = str(record["shot"])
        try:
            files = _files_of(record, Path(os.path.abspath(folder)), action, listed)
        except FocuskitError as exc:
            problems.append(Problem(name, str(exc)))
            continue
        if files:
            transfers.append(Transfer(name, verdict, tuple(files)))
        else:
            there += 1
    return Plan(action, tuple(transfers), tuple(problems), there, left)


def act(
    plan: Plan, output: Path, progress: Callable[[float, int, int], None] | None = None
) -> tuple[int, list[Problem], Path | None]:
    """Do what a plan says; nothing is overwritten and nothing deleted.

    Every step is written down before it is done. If a file of a shot cannot be moved, the files of
    that shot that were go back, and the other shots are done.

    Args:
        plan: what to do.
        output: folder for the manifest.
        progress: called after every shot.

    Returns:
        How many shots were acted on, problems, and the manifest (None if nothing was done).

    Raises:
        OutputError: the manifest cannot be written; what was done before can be undone.
    """
    manifest = Manifest(output, f"apply --{plan.action}")
    problems: list[Problem] = []
    try:
        for number, transfer in enumerate(plan.transfers, start=1):
            trouble = _transfer(transfer, plan.action, manifest)
            if trouble and manifest.broken:
                raise OutputError(trouble)
            if trouble:
                problems.append(Problem(transfer.shot, trouble))
            if progress is not None:
                progress(number, len(plan.transfers), len(problems))
    finally:
        manifest.close()
    return len(plan.transfers) - len(problems), problems, manifest.path


def _files_of(
    record: Mapping[str, Any], folder: Path, action: Action, listed: Folders
) -> list[tuple[Path, Path]]:
    name, files = str(record["shot"]), [Path(file) for file in record.get("files", ())]
    stats = record.get("stats", ())
    if any(is_url(str(file)) for file in record.get("files", ())):
        raise InputError(
            f"{record['files'][0]} is on a server, where nothing is moved, copied or linked; copy "
            "the folder here and cull that."
        )
    below = PurePosixPath(name).parent
    if not files or below.is_absolute() or ".." in below.parts:
        raise InputError(f"The results on {name} are damaged; cull again.")
    if len(stats) != len(files) or any(file.parent != files[0].parent for file in files):
        raise InputError(
            f"The results on {name} come from another version of focuskit; cull again."
        )
    for file, known in zip(files, stats, strict=True):
        _check_unchanged(file, known, action)
    target, names = folder.joinpath(*below.parts), listed.names_beside(files[0])
    shared = shared_sidecar(files, names)
    if shared is not None and action is Action.MOVE:
        raise OutputError(
            f"{files[0]} stays where it is: {shared.name} beside it may be its own or that of "
            "another photo of this name. Rename one of them, or use --copy or --link."
        )
    pairs = []
    for path in [*files, *sidecars_of(files, names)]:
        goal = target / path.name
        if goal == path:
            continue
        if os.path.lexists(goal):
            raise OutputError(
                f"{path} stays where it is: {goal} exists already. Choose an empty folder."
            )
        if path.is_symlink() and action is Action.MOVE:
            raise OutputError(
                f"{path} is a symbolic link, which may lead nowhere elsewhere, and stays where it "
                "is; use --copy or --link."
            )
        pairs.append((path, goal))
    return pairs


def _check_unchanged(file: Path, known: Sequence[int] | None, action: Action) -> None:
    try:
        found = file.stat()
    except OSError as exc:
        raise InputError(
            f"{file} is gone since the cull ({exc.strerror}), so its shot is left; cull again."
        ) from exc
    if known is None or [found.st_size, found.st_mtime_ns] != list(known):
        raise InputError(
            f"{file} was changed since the cull, so its shot is left where it is; cull again."
        )


def _transfer(transfer: Transfer, action: Action, manifest: Manifest) -> str | None:
    """Do everything for one shot or nothing; return what went wrong."""
    steps: list[Step] = [
        {
            "step": action.value,
            "source": str(source),
            "target": str(target),
            "part": part_name(),
        }
        for source, target in transfer.files
    ]
    try:
        for folder in dict.fromkeys(target.parent for _, target in transfer.files):
            _make_folders(folder, manifest)
    except (OSError, OutputError) as exc:
        return _stays(steps[0], exc)
    stopped = carry_out(steps, _do, manifest)
    if stopped is None:
        return None
    return _stays(stopped.step, stopped.error) + stopped.left


def _stays(step: Step, exc: OSError | FocuskitError) -> str:
    why = exc.strerror if isinstance(exc, OSError) else str(exc)
    return (
        f"{step['source']} could not be put into its folder ({why}), so its shot stays where it is."
    )


def _make_folders(folder: Path, manifest: Manifest) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        manifest.add({"step": "mkdir", "path": str(each)})
        each.mkdir(exist_ok=True)


def _do(step: Step) -> None:
    source, target, action = Path(step["source"]), Path(step["target"]), step["step"]
    if action == Action.MOVE:
        move_file(source, target, step["part"])
    elif action == Action.COPY:
        copy_file(source, target, step["part"])
    else:
        link_file(source, target, symbolic=action == Action.SYMLINK)
