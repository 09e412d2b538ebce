"""Pictures for the screen, made from a photo by a worker: upright, in sRGB, as JPEG."""

from __future__ import annotations

import secrets
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from focuskit.batch.judge import Judge
from focuskit.batch.library import Shot
from focuskit.batch.pictures import Rgb8, draw_box, in_srgb, jpeg, overlay, shrunk, to_display
from focuskit.color import Encoding
from focuskit.detect import DETECTORS, detect_at
from focuskit.errors import InputError
from focuskit.io import Frame, open_frame
from focuskit.io.frame import orient
from focuskit.photo import Photo

__all__ = ["PHOTO_EDGE_PX", "THUMB_EDGE_PX", "Kind", "Wanted", "prepare_worker", "render"]

Kind = Literal["thumb", "photo", "overlay", "crop", "full"]

PHOTO_EDGE_PX = 1600
"""Longer side of a photo that fills a screen."""

THUMB_EDGE_PX = 375
"""Longer side of what a cull caches of every photo."""

_CROP_PX = 640
_WORKING_EDGE_PX = 1500
_STRIP_ROWS = 512
_QUALITY, _FULL_QUALITY = 86, 92


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture to make; picklable.

    Attributes:
        kind: which.
        shot: the name, for messages.
        files: of the shot, the judged one first; the first that can be read is taken.
        box: judged at 100 %, as x, y, width, height in pixels of the decoded picture; None if none.
        detector: what judged it.
    """

    kind: Kind
    shot: str
    files: tuple[Path, ...]
    box: tuple[int, int, int, int] | None
    detector: str


def prepare_worker() -> None:
    """Leave Ctrl-C to the server, and other cores to other workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def render(wanted: Wanted, target: Path) -> None:
    """Make a picture and put it in its place, whole.

    Raises:
        FocuskitError: no file of the shot can be read, or its map cannot be made.
        OSError: the picture cannot be written.
    """
    quality = _FULL_QUALITY if wanted.kind in ("full", "crop") else _QUALITY
    data = jpeg(_picture(wanted), quality)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _picture(wanted: Wanted) -> Rgb8:
    if wanted.kind in ("thumb", "photo"):
        edge = THUMB_EDGE_PX if wanted.kind == "thumb" else PHOTO_EDGE_PX
        return _shown(_open(wanted, edge).photo(edge))
    # As it was judged: its box counts in pixels of that picture.
    frame, _ = Judge(wanted.detector).open(Shot(wanted.shot, wanted.files[0], wanted.files))
    if wanted.kind == "full":
        return _whole(frame)
    if wanted.kind == "crop":
        return _crop(frame, wanted.box)
    return _overlay(frame, wanted)


def _open(wanted: Wanted, edge: int) -> Frame:
    troubles = []
    for file in wanted.files:
        try:
            return open_frame(file, min_long_edge=edge)
        except InputError as exc:
            troubles.append(str(exc))
    raise InputError(" ".join(troubles))


def _shown(photo: Photo) -> Rgb8:
    return to_display(in_srgb(photo))


def _whole(frame: Frame) -> Rgb8:
    if frame.samples.dtype == np.uint8 and frame.encoding == Encoding():
        upright = orient(frame.samples, frame.orientation)
        return np.ascontiguousarray(upright if frame.order == "rgb" else upright[..., ::-1])
    shown = np.empty((frame.height, frame.width, 3), np.uint8)
    # In linear light every sample takes four bytes, and several times that on the way.
    for top in range(0, frame.height, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, frame.height - top)
        shown[top : top + rows] = _shown(frame.crop(0, top, frame.width, rows))
    return shown


def _crop(frame: Frame, box: tuple[int, int, int, int] | None) -> Rgb8:
    x, y, width, height = box or (0, 0, frame.width, frame.height)
    across, down = min(_CROP_PX, frame.width), min(_CROP_PX, frame.height)
    left = min(max(0, round(x + width / 2 - across / 2)), frame.width - across)
    top = min(max(0, round(y + height / 2 - down / 2)), frame.height - down)
    return _shown(frame.crop(left, top, across, down))


def _overlay(frame: Frame, wanted: Wanted) -> Rgb8:
    working = frame.photo(_WORKING_EDGE_PX)
    small = shrunk(working, THUMB_EDGE_PX)
    blur_map = detect_at(DETECTORS.get(wanted.detector), working, small.height, small.width)
    shown = overlay(_shown(frame.photo(PHOTO_EDGE_PX)), blur_map)
    if wanted.box is None:
        return shown
    x, y, width, height = wanted.box
    shares = x / frame.width, y / frame.height, width / frame.width, height / frame.height
    return draw_box(shown, *shares)
