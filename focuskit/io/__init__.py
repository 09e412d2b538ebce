"""Photos in and out: every file format becomes a `Photo` in linear light, and back."""

from __future__ import annotations

import logging

from focuskit.io.atomic import write_atomically
from focuskit.io.depth import Depth, read_embedded_depth
from focuskit.io.frame import Frame
from focuskit.io.gray import read_gray
from focuskit.io.metadata import read_exif
from focuskit.io.read import open_frame, read_photo, read_preview
from focuskit.io.source import (
    DEFAULT_MAX_MEGAPIXELS,
    PHOTO_SUFFIXES,
    RAW_SUFFIXES,
    default_max_megapixels,
)
from focuskit.io.write import write_photo

__all__ = [
    "DEFAULT_MAX_MEGAPIXELS",
    "PHOTO_SUFFIXES",
    "RAW_SUFFIXES",
    "Depth",
    "Frame",
    "default_max_megapixels",
    "open_frame",
    "read_embedded_depth",
    "read_exif",
    "read_gray",
    "read_photo",
    "read_preview",
    "write_atomically",
    "write_photo",
]

# Warnings about odd files go to whoever configured logging, not to a stranger's terminal.
logging.getLogger("focuskit.io").addHandler(logging.NullHandler())
