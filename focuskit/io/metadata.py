"""What the camera wrote, without decoding the picture."""

from __future__ import annotations

import os

from focuskit.io.exif import parse_exif
from focuskit.io.jpeg_markers import read_markers
from focuskit.io.raw import raw_block
from focuskit.io.read import open_frame
from focuskit.io.source import load
from focuskit.photo import Exif

__all__ = ["read_exif"]

# Cameras write their directories first; a RAW of 60 MB need not be read for its time.
_HEAD_BYTES = 1 << 20


def read_exif(path: str | os.PathLike[str]) -> Exif:
    """Read the EXIF data of a photo.

    Args:
        path: the file.

    Raises:
        PhotoUnreadableError, UnsupportedFormatError, PhotoTooLargeError: see `open_frame`.
    """
    file = load(path, None, head=_HEAD_BYTES)
    if file.format == "raw":
        exif = parse_exif(raw_block(file), str(path))
        if exif.taken_at is not None:
            return exif
    file = load(path, None)
    if file.format == "jpeg":
        info = read_markers(file)
        return parse_exif(info.block, str(path), size=(info.width, info.height))
    if file.format == "raw":
        return parse_exif(raw_block(file), str(path))
    return open_frame(path, min_long_edge=1).exif
