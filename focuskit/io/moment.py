"""When a photo was taken, from the first bytes of its file."""

from __future__ import annotations

import os
from datetime import datetime

from focuskit.io.block import EXIF_IFD
from focuskit.io.exif import parse_exif
from focuskit.io.ifd import first_ifd, read_header, read_ifd, serialise

__all__ = ["quick_taken_at"]

_HEAD_BYTES = 64 * 1024
# EXIF 2.32: times, their fractions and their offsets from UTC; of the main directory its time.
_TIMES = (0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292)
_MAIN_TIME = 0x0132
_STARTS = (b"Exif\0\0II*\0", b"Exif\0\0MM\0*")
_START_BYTES = 6


def quick_taken_at(path: str | os.PathLike[str]) -> datetime | None:
    """Return when a photo was taken, or None where its first 64 KiB do not tell.

    JPEGs and RAWs built like TIFF tell it there; of other formats `read_exif` knows more.

    Args:
        path: a regular file; what is wrong with it is for those to say who decode it.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            block = _block(file.read(_HEAD_BYTES))
    except OSError:
        return None
    header = read_header(block)
    if header is None:
        return None
    main = first_ifd(block)
    place = main.number(EXIF_IFD)
    exif = read_ifd(block, header[0], place).fields if place else {}
    if place and not exif:
        # The main directory alone may only know when the file was last written.
        return None
    times = {tag: exif[tag] for tag in _TIMES if tag in exif}
    kept = {_MAIN_TIME: main.fields[_MAIN_TIME]} if _MAIN_TIME in main else {}
    return parse_exif(serialise(kept, {EXIF_IFD: times}), str(path), keep=False).taken_at


def _block(head: bytes) -> bytes:
    if read_header(head) is not None:
        return head
    for start in _STARTS:
        at = head.find(start)
        if at >= 0:
            return head[at + _START_BYTES :]
    return b""
