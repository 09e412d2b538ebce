"""Whether all of a file is there: decoders fill what is missing with gray instead of failing."""

from __future__ import annotations

import struct

from focuskit.io.ifd import walk_ifds
from focuskit.io.source import PhotoFile

__all__ = ["check_boxes", "check_raw"]

# Panasonic writes 0xFFFFFFFF for "somewhere else".
_NO_OFFSET = 0xFFFFFF00
_STRIPS, _TILES = (273, 279), (324, 325)


def check_boxes(file: PhotoFile) -> None:
    """Check that the boxes of an ISO container (HEIC, AVIF, CR3) end with the file.

    Raises:
        PhotoUnreadableError: a box reaches beyond it.
    """
    at, total = 0, len(file.data)
    while at + 8 <= total:
        (size,) = struct.unpack_from(">I", file.data, at)
        if size == 1 and at + 16 <= total:
            (size,) = struct.unpack_from(">Q", file.data, at + 8)
        if size == 0:
            return
        at += max(size, 8)
    _check_end(file, at)


def check_raw(file: PhotoFile) -> None:
    """Check that the picture data that a RAW file lists lies within it.

    Raises:
        PhotoUnreadableError: it does not.
    """
    data = file.data
    if data[4:8] == b"ftyp":
        check_boxes(file)
    elif data.startswith(b"FUJIFILMCCD-RAW") and len(data) >= 108:
        pairs = struct.unpack_from(">6I", data, 84)
        _check_end(file, max(pairs[at] + pairs[at + 1] for at in (0, 2, 4)))
    elif data[:4] in (b"II*\0", b"MM\0*"):
        _check_end(file, _pieces_end(data))


def _pieces_end(data: bytes) -> int:
    end = 0
    for ifd in walk_ifds(data):
        for offsets, counts in (_STRIPS, _TILES):
            pairs = zip(ifd.numbers(offsets), ifd.numbers(counts), strict=False)
            ends = (offset + count for offset, count in pairs if offset < _NO_OFFSET)
            end = max(end, max(ends, default=0))
    return end


def _check_end(file: PhotoFile, end: int) -> None:
    if end > len(file.data):
        raise file.unreadable(
            f"it is truncated: {len(file.data)} bytes, and its picture data reaches to {end}"
        )
