"""One edit over all photos: what is checked before, done, printed, and told by the exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import typer

from focuskit.cli import _exit
from focuskit.cli._edit_options import Shared, parsed
from focuskit.cli._options import Device
from focuskit.cli._output import (
    output_folder,
    print_rows,
    progress_bar,
    report_problems,
    say,
    shots_or_exit,
)

if TYPE_CHECKING:
    from focuskit.batch.edits import Edit, Record
    from focuskit.batch.guides import Guides
    from focuskit.batch.library import Library, Problem
    from focuskit.photo import Photo

__all__ = ["run_edits"]

_COLUMNS = ("shot", "operation", "changed_share", "seconds", "file")


def run_edits(
    operation: str,
    shared: Shared,
    settings: Callable[[Photo], Mapping[str, Any]],
    said: Mapping[str, Any],
    *,
    photo: bool = True,
) -> None:
    """Edit all photos, print what was done, and leave with the exit code that fits.

    Args:
        operation: name in OPERATIONS.
        shared: the options.
        settings: gives the operation's settings for a photo, in pixels of that photo.
        said: the settings as they were given, for records.
        photo: whether the edited photo is written.
    """
    from focuskit.batch.edits import Edit
    from focuskit.batch.naming import Naming
    from focuskit.detect import DEFAULT_DETECTOR

    guides = _guides(shared)
    detector = shared.detector or DEFAULT_DETECTOR
    _check_detector(detector, needed=shared.map_file is None and shared.coc_file is None)
    found = shots_or_exit(shared.photos)
    _check_one_photo(guides, len(found.shots))
    naming = Naming(
        folder=output_folder(shared.output, shared.photos),
        shots=found.shots,
        kind=shared.file_kind,
        bits=None if shared.bits is None else int(shared.bits),
        photo=photo,
        compare=shared.compare,
        preview=shared.preview,
        overwrite=shared.overwrite,
    )
    edit = Edit(
        operation=operation,
        naming=naming,
        settings=settings,
        said=said,
        guides=guides,
        detector=detector,
        device="cuda" if os.environ.get("FOCUSKIT_DEVICE") == Device.CUDA else "cpu",
        quality=shared.quality,
        max_megapixels=shared.max_megapixels,
    )
    records, problems = _edit_all(edit, found)
    print_rows(records, [_flat(record) for record in records], _COLUMNS, shared.output_format)
    for record in records:
        for note in record["notes"]:
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


def _edit_all(edit: Edit, found: Library) -> tuple[list[Record], list[Problem]]:
    from focuskit.batch.edits import edit_shot
    from focuskit.batch.library import Problem
    from focuskit.errors import FocuskitError

    records: list[Record] = []
    problems = list(found.problems)
    with progress_bar(edit.operation.capitalize()) as advance:
        for index, shot in enumerate(found.shots):

            def tick(share: float, before: int = index) -> None:
                if advance is not None:
                    advance(before + share, len(found.shots), len(problems))

            try:
                records.append(edit_shot(edit, shot, tick))
            except FocuskitError as exc:
                problems.append(Problem(shot.name, str(exc)))
            tick(1.0)
    return records, problems


def _flat(record: Record) -> Record:
    settings = "; ".join(f"{name}={value}" for name, value in record["settings"].items())
    return record | {
        "settings": settings,
        "notes": " ".join(record["notes"]),
        "map": "; ".join(record["map"]),
        "files": "; ".join(record["files"]),
    }
