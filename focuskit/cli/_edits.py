"""One edit over all photos: what is checked before, done, printed, and told by the exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from focuskit.cli import _exit
from focuskit.cli._edit_options import EditCrewOptions, Shared, parsed
from focuskit.cli._options import Device, Format
from focuskit.cli._output import (
    output_folder,
    print_rows,
    progress_bar,
    report_problems,
    say,
)

if TYPE_CHECKING:
    from focuskit.batch.edits import Settings
    from focuskit.batch.guides import Guides
    from focuskit.batch.library import Problem
    from focuskit.batch.making import Record

__all__ = ["edit_device", "flat", "print_plan", "run_edits", "tell_results"]

_COLUMNS = ("shot", "operation", "changed_share", "seconds", "file")
_PLAN_COLUMNS = ("step", "shot", "would", "files")


def run_edits(
    operation: str,
    shared: Shared,
    crew: EditCrewOptions,
    settings: Settings,
    said: Mapping[str, Any],
    *,
    photo: bool = True,
) -> None:
    """Edit all photos, print what was done, and leave with the exit code that fits.

    Args:
        operation: name in OPERATIONS.
        shared: the options.
        crew: who works.
        settings: of the operation.
        said: the settings as they were given, for records.
        photo: whether the edited photo is written.
    """
    from focuskit.batch.edits import Edit
    from focuskit.batch.making import Workplace, edit_step, make, plan
    from focuskit.batch.naming import Naming, named
    from focuskit.batch.opening import opened
    from focuskit.detect import DEFAULT_DETECTOR

    guides = _guides(shared)
    detector = shared.detector or DEFAULT_DETECTOR
    _check_detector(detector, needed=shared.map_file is None and shared.coc_file is None)
    naming = Naming(
        kind=shared.file_kind,
        bits=None if shared.bits is None else int(shared.bits),
        photo=photo,
        compare=shared.compare,
        preview=shared.preview,
    )
    found = shared.shots()
    _check_one_photo(guides, len(found.shots))
    folder = output_folder(shared.output, found.folders, make=not shared.dry_run)
    edit = Edit(
        operation=operation,
        folder=folder,
        naming=naming,
        settings=settings,
        guides=guides,
        detector=detector,
        device=edit_device(),
        quality=shared.quality,
        max_megapixels=shared.max_megapixels,
    )
    step = edit_step(edit, said, folder)
    shots = named(found.shots)
    with opened(folder, write=not shared.dry_run) as catalog:
        place = Workplace(
            folder=folder,
            catalog=catalog,
            originals=found.shots,
            crew=crew.crew(),
            overwrite=shared.overwrite,
            retry=crew.retry_failed,
        )
        if shared.dry_run:
            print_plan(plan(step, shots, place), shared.output_format)
            return
        with progress_bar(operation.capitalize()) as progress:
            records, problems = make(step, shots, place, progress=progress)
    print_rows(records, [flat(record) for record in records], _COLUMNS, shared.output_format)
    tell_results(records, [*found.problems, *problems])


def edit_device() -> str:
    """Return where edits work."""
    return "cuda" if os.environ.get("FOCUSKIT_DEVICE") == Device.CUDA else "cpu"


def print_plan(rows: Sequence[Record], how: Format) -> None:
    """Print what a run would do."""
    flat_rows = [row | {"files": "; ".join(row["files"])} for row in rows]
    print_rows(rows, flat_rows, _PLAN_COLUMNS, how)
    todo = sum(row["would"].startswith("make") for row in rows)
    say(f"Nothing was done; {todo} results would be made.")


def tell_results(records: Sequence[Record], problems: Sequence[Problem]) -> None:
    """Say what there is to say about results; leave with code 3 if some shots failed."""
    for record in records:
        for note in record.get("notes", ()):
            say(f"{record['shot']}: {note}")
    report_problems(problems)
    if problems:
        raise typer.Exit(_exit.SOME_FAILED)


def _guides(shared: Shared) -> Guides:
    from focuskit.batch.guides import Guides
    from focuskit.batch.places import Spot

    focus = None
    if shared.focus is not None:
        text = shared.focus
        focus = parsed(lambda: Spot.parse(text), "--focus")
    return Guides(
        map=shared.map_file,
        coc=shared.coc_file,
        depth=shared.depth_file,
        embedded=shared.embedded_depth,
        focus=focus,
        mask=shared.mask_file,
        max_megapixels=shared.max_megapixels,
    )


def _check_detector(name: str, *, needed: bool) -> None:
    from focuskit.detect import DETECTORS, open_detector

    if needed:
        open_detector(name)
    elif name not in DETECTORS:
        DETECTORS.get(name)


def _check_one_photo(guides: Guides, photos: int) -> None:
    from focuskit.errors import InputError

    files = guides.of_one_photo
    if files and photos > 1:
        raise InputError(
            f"{files[0]} belongs to one photo, and {photos} were given: edit one at a time, or "
            "give a folder of maps with --map."
        )


def flat(record: Record) -> Record:
    """Return a record with one level of keys, as a table needs it."""
    settings = "; ".join(f"{name}={value}" for name, value in record["settings"].items())
    return record | {
        "settings": settings,
        "notes": " ".join(record["notes"]),
        "map": "; ".join(record["map"]),
        "files": "; ".join(record["files"]),
    }
