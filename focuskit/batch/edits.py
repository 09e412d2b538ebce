"""One edit of one photo: read it, find its map, run the operation, write what came out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from focuskit.batch.compare import compare_sheet
from focuskit.batch.extras import EXTRAS
from focuskit.batch.guides import Guides
from focuskit.batch.naming import NamedShot, Naming
from focuskit.batch.outputs import Made, traces
from focuskit.batch.pictures import shrunk
from focuskit.batch.places import Box, Spot
from focuskit.batch.ready import edge_detector, hardly_changed, ready_map
from focuskit.batch.together import Content, write_together
from focuskit.blurmap import BlurMap
from focuskit.color import encoded_gray
from focuskit.detect import DEFAULT_DETECTOR
from focuskit.edit import OPERATIONS, Edited
from focuskit.io import open_frame, read_photo, write_photo
from focuskit.optics.blind import smallest_resolvable_coc_px
from focuskit.photo import Photo

__all__ = ["EDITS_VERSION", "PREVIEW_PX", "Edit", "Settings"]

Tick = Callable[[float], None]

EDITS_VERSION = 1
"""Goes up when the same photo, map and settings give another result."""

PREVIEW_PX = 1024
"""The longer side of the photo that previews are made from, at most."""

_SHEET_QUALITY = 90
# What there is to show only if something changed.
_PICTURES = ("photo", "compare")
# Until the operation begins to tell how far it is.
_MAP_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Settings:
    """An operation's settings for any number of photos; picklable.

    Attributes:
        values: by name, as the operation takes them, but places as people name them, and lengths
            (`..._px`) in pixels of the full photo.
    """

    values: Mapping[str, Any] = field(default_factory=dict)

    def on(self, photo: Photo) -> dict[str, Any]:
        """Return them in pixels of this photo's own array.

        Raises:
            RangeError: a place lies outside the photo.
        """
        return {name: _on(name, value, photo) for name, value in self.values.items()}


def _on(name: str, value: Any, photo: Photo) -> Any:
    if isinstance(value, Spot | Box):
        return value.on(photo)
    return value * photo.scale if name.endswith("_px") else value


@dataclass(frozen=True, slots=True)
class Edit:
    """An operation and everything it is to be done with, for one photo after the other; picklable.

    Attributes:
        operation: name in OPERATIONS.
        folder: where results go; sub-folders of the library are mirrored below it.
        naming: what they are called.
        settings: of the operation.
        guides: files that say what a detector would guess.
        detector: name in DETECTORS.
        device: where the operation works: "cpu" or "cuda".
        quality: of JPEG, 1 to 100.
        max_megapixels: larger photos are refused; None for the default of `read_photo`.
    """

    operation: str
    folder: Path
    naming: Naming = field(default_factory=Naming)
    settings: Settings = field(default_factory=Settings)
    guides: Guides = field(default_factory=Guides)
    detector: str = DEFAULT_DETECTOR
    device: str = "cpu"
    quality: int = 95
    max_megapixels: float | None = None

    def __call__(self, shot: NamedShot, tick: Tick | None = None) -> Made:
        """Edit one shot and write the results, together or not at all.

        Args:
            shot: of whose files the judged one is edited.
            tick: told the share that is done, in [0, 1].

        Raises:
            FocuskitError: the photo or a file given along cannot be used, the operation refuses, or
                the results cannot be written.
        """
        started = time.perf_counter()
        names = self.naming.names(shot, self.operation)
        photo = _read(shot, self)
        # What does not fit the photo is said before the work.
        settings = self.settings.on(photo)
        protect = self.guides.protect(photo)
        told = self.guides.tell(shot, photo, edge_detector(self.detector))
        blur_map, notes = ready_map(self.operation, photo, told)
        edited = OPERATIONS.get(self.operation)(
            photo, blur_map, protect=protect, device=self.device, tick=_later(tick), **settings
        )
        if "photo" in names:
            notes = (*notes, *hardly_changed(self.operation, edited.changed_share))
        if self.operation == "deblur" and edited.changed_share == 0:
            names = {kind: name for kind, name in names.items() if kind not in _PICTURES}
        files = _contents(self, names, photo, edited, blur_map, shot.replace)
        write_together(
            {self.folder / names[kind]: content for kind, content in files.items()},
            overwrite=shot.replace,
        )
        said = {
            "width": photo.width,
            "height": photo.height,
            "scale": round(photo.scale, 4),
            "map": [self.detector if each == "detector" else each for each in told.sources],
            "smallest_coc_px": _smallest(photo),
            "changed_share": round(edited.changed_share, 4),
            "notes": [*notes, *edited.notes],
            "seconds": round(time.perf_counter() - started, 2),
        }
        return Made(traces(self.folder, names), said)


def _read(shot: NamedShot, edit: Edit) -> Photo:
    if not edit.naming.preview:
        return read_photo(shot.judged, max_megapixels=edit.max_megapixels)
    frame = open_frame(shot.judged, min_long_edge=PREVIEW_PX, max_megapixels=edit.max_megapixels)
    # Not Frame.photo's own shrinking, which averages encoded values.
    return shrunk(frame.photo(), PREVIEW_PX)


def _smallest(photo: Photo) -> float | None:
    """Return the smallest circle of confusion that the photo can show, where that is known."""
    smallest = smallest_resolvable_coc_px(encoded_gray(photo))
    return round(smallest, 2) if math.isfinite(smallest) else None


def _later(tick: Tick | None) -> Tick | None:
    if tick is None:
        return None
    tick(_MAP_SHARE)
    return lambda share: tick(_MAP_SHARE + (1 - _MAP_SHARE) * share)


def _contents(
    edit: Edit,
    names: Mapping[str, str],
    photo: Photo,
    edited: Edited,
    blur_map: BlurMap,
    overwrite: bool,
) -> dict[str, Content]:
    files: dict[str, Content] = {}
    for kind, name in names.items():
        if kind == "photo":
            bits = edit.naming.bits_of(name.rpartition(".")[2], photo)
            files[kind] = partial(
                write_photo, edited.photo, overwrite=overwrite, quality=edit.quality, bits=bits
            )
        elif kind == "compare":
            sheet = compare_sheet(photo, edited.photo, blur_map)
            files[kind] = partial(write_photo, sheet, overwrite=overwrite, quality=_SHEET_QUALITY)
        else:
            files[kind] = EXTRAS[edit.operation][kind](edited)
    return files
