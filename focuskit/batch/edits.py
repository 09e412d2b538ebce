"""One edit of one photo: read it, find its map, run the operation, write what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import focuskit
from focuskit.batch.compare import compare_sheet
from focuskit.batch.extras import EXTRAS
from focuskit.batch.fitting import blurred_where_told
from focuskit.batch.guides import Guides, Told
from focuskit.batch.library import Shot
from focuskit.batch.naming import Naming
from focuskit.batch.pictures import shrunk
from focuskit.batch.together import Content, write_together
from focuskit.blurmap import BlurMap
from focuskit.detect import DEFAULT_DETECTOR, DETECTORS
from focuskit.edit import OPERATIONS, Edited
from focuskit.io import open_frame, read_photo, write_photo
from focuskit.photo import Photo

__all__ = ["PREVIEW_PX", "Edit", "Record", "edit_shot"]

Record = dict[str, Any]
Tick = Callable[[float], None]

PREVIEW_PX = 1600
"""The longer side of the photo that previews are made from, at most."""

_ADD_BLUR = ("bokeh", "magnify")
_SHEET_QUALITY = 90
# Until the operation begins to tell how far it is.
_MAP_SHARE = 0.15
_NOTE_FROM_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Edit:
    """An operation and everything it is to be done with, for any number of photos.

    Attributes:
        operation: name in OPERATIONS.
        naming: where results go and what they are called.
        settings: gives the operation's settings for a photo, in pixels of that photo.
        said: the settings as a person gave them, for records.
        guides: files that say what a detector would guess.
        detector: name in DETECTORS.
        device: where the operation works: "cpu" or "cuda".
        quality: of JPEG, 1 to 100.
        max_megapixels: larger photos are refused; None for the default of `read_photo`.
    """

    operation: str
    naming: Naming
    settings: Callable[[Photo], Mapping[str, Any]] = field(default=lambda _: {})
    said: Mapping[str, Any] = field(default_factory=dict)
    guides: Guides = field(default_factory=Guides)
    detector: str = DEFAULT_DETECTOR
    device: str = "cpu"
    quality: int = 95
    max_megapixels: float | None = None


def edit_shot(edit: Edit, shot: Shot, tick: Tick | None = None) -> Record:
    """Edit one shot and write the results, together or not at all.

    Args:
        edit: what to do.
        shot: of whose files the judged one is edited.
        tick: told the share that is done, in [0, 1].

    Returns:
        What was done, as it goes to stdout.

    Raises:
        FocuskitError: the photo or a file given along cannot be used, the operation refuses, or
            the results cannot be written.
    """
    started = time.perf_counter()
    targets = edit.naming.targets(shot, edit.operation)
    edit.naming.check_free(targets.values())
    photo = _read(shot, edit)
    # What does not fit the photo is said before the work.
    settings = edit.settings(photo)
    protect = edit.guides.protect(photo)
    told = edit.guides.tell(shot, photo, DETECTORS.get(edit.detector))
    blur_map, notes = _ready(edit, photo, told)
    operation = OPERATIONS.get(edit.operation)
    edited = operation(
        photo,
        blur_map,
        protect=protect,
        device=edit.device,
        tick=_later(tick),
        **settings,
    )
    files = _contents(edit, targets, photo, edited, blur_map)
    write_together(files, overwrite=edit.naming.overwrite)
    if edited.changed_share == 0 and "photo" in targets:
        notes = (*notes, "Nothing changed: the result is the photo as it was.")
    return {
        "schema": 1,
        "shot": shot.name,
        "source": str(shot.judged),
        "operation": edit.operation,
        "settings": dict(edit.said),
        "width": photo.width,
        "height": photo.height,
        "scale": round(photo.scale, 4),
        "map": [edit.detector if each == "detector" else each for each in told.sources],
        "changed_share": round(edited.changed_share, 4),
        "notes": [*notes, *edited.notes],
        "file": str(next(iter(targets.values()))),
        "files": [str(path) for path in targets.values()],
        "seconds": round(time.perf_counter() - started, 2),
        "version": focuskit.__version__,
    }


def _read(shot: Shot, edit: Edit) -> Photo:
    if not edit.naming.preview:
        return read_photo(shot.judged, max_megapixels=edit.max_megapixels)
    frame = open_frame(shot.judged, min_long_edge=PREVIEW_PX, max_megapixels=edit.max_megapixels)
    # Not Frame.photo's own shrinking, which averages encoded values.
    return shrunk(frame.photo(), PREVIEW_PX)


def _ready(edit: Edit, photo: Photo, told: Told) -> tuple[BlurMap, tuple[str, ...]]:
    """Return the map as the operation needs it, and what there is to say about it."""
    notes: tuple[str, ...] = ()
    if photo.decoded_from == "preview":
        notes = ("Made from the camera's own preview; the full edit starts from the RAW.",)
    if not (told.painted and edit.operation in _ADD_BLUR):
        return told.blur_map, notes
    raised, share = blurred_where_told(told.blur_map, measured=told.measured)
    if share >= _NOTE_FROM_SHARE:
        notes = (
            *notes,
            f"The map calls {share:.0%} of the picture out of focus where no blur can be seen; a "
            "little blur was assumed there.",
        )
    return raised, notes


def _later(tick: Tick | None) -> Tick | None:
    if tick is None:
        return None
    tick(_MAP_SHARE)
    return lambda share: tick(_MAP_SHARE + (1 - _MAP_SHARE) * share)


def _contents(
    edit: Edit, targets: Mapping[str, Path], photo: Photo, edited: Edited, blur_map: BlurMap
) -> dict[Path, Content]:
    overwrite = edit.naming.overwrite
    files: dict[Path, Content] = {}
    for kind, path in targets.items():
        if kind == "photo":
            bits = edit.naming.bits_of(path, photo)
            files[path] = partial(
                write_photo, edited.photo, overwrite=overwrite, quality=edit.quality, bits=bits
            )
        elif kind == "compare":
            sheet = compare_sheet(photo, edited.photo, blur_map)
            files[path] = partial(write_photo, sheet, overwrite=overwrite, quality=_SHEET_QUALITY)
        else:
            files[path] = EXTRAS[edit.operation][kind](edited)
    return files
