"""EXIF blocks as bytes: cut out of a TIFF or RAW file, and made true for the file we write."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from focuskit.io.ifd import Field, Ifd, first_ifd, read_header, read_ifd, serialise

__all__ = [
    "EXIF_IFD",
    "GPS_IFD",
    "block_fields",
    "orientation_of",
    "patch_block",
    "rebuild_block",
    "says_adobe_rgb",
]

_ORIENTATION = 0x0112
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
# What tells about the shot and its author; layout, colour and thumbnails belong to the old file.
_KEPT = frozenset(
    (0x010E, 0x010F, 0x0110, 0x0112, 0x0131, 0x0132, 0x013B, 0x4746, 0x4749, 0x8298, 0xC62F)
)
# A maker note points to places of the old file; the interoperability directory goes with it.
_INTEROPERABILITY = 0xA005
_DROPPED = frozenset((0x927C, _INTEROPERABILITY))
_MAX_VALUE = 20_000
_WIDTH, _HEIGHT, _COLOR_SPACE = 0xA002, 0xA003, 0xA001


def orientation_of(block: bytes | None) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none or an impossible one."""
    if not block:
        return 1
    value = first_ifd(block).number(_ORIENTATION) or 1
    return value if 1 <= value <= 8 else 1


def says_adobe_rgb(block: bytes | None) -> bool:
    """Return whether EXIF names Adobe RGB, for files without a profile.

    DCF 2.0 says so by interoperability "R03", Exif 2.2 cameras by colour space 2.
    """
    header = read_header(block) if block else None
    if not block or header is None:
        return False
    exif = _sub(block, first_ifd(block), EXIF_IFD)
    place = exif.number(_INTEROPERABILITY)
    index = read_ifd(block, header[0], place).fields.get(1) if place else None
    return exif.number(_COLOR_SPACE) == 2 or (index is not None and index.data[:3] == b"R03")


def block_fields(*blocks: bytes) -> dict[int, dict[int, Field]]:
    """Return the fields worth keeping of one block, or of one whose directories lie apart (CR3).

    Args:
        blocks: TIFF structures: the whole one, or main, EXIF and GPS directory in this order.

    Returns:
        Under 0, EXIF_IFD and GPS_IFD the fields of that directory, little-endian.
    """
    main = first_ifd(blocks[0])
    exif = first_ifd(blocks[1]) if len(blocks) > 1 else _sub(blocks[0], main, EXIF_IFD)
    gps = first_ifd(blocks[2]) if len(blocks) > 2 else _sub(blocks[0], main, GPS_IFD)
    return {
        0: {tag: entry for tag, entry in _small(main.fields) if tag in _KEPT},
        EXIF_IFD: {tag: entry for tag, entry in _small(exif.fields) if tag not in _DROPPED},
        GPS_IFD: dict(_small(gps.fields)),
    }


def rebuild_block(*blocks: bytes) -> bytes | None:
    """Return a compact EXIF block of what `block_fields` keeps; None if that is nothing."""
    fields = block_fields(*blocks)
    if not any(fields.values()):
        return None
    return serialise(fields[0], {tag: fields[tag] for tag in (EXIF_IFD, GPS_IFD)})


def patch_block(block: bytes, width: int, height: int, *, srgb: bool) -> bytes:
    """Return the block with the tags that writing made untrue set right, in place.

    The picture is upright now, of this size, in this colour space; the thumbnail shows the old
    picture and is unlinked and blanked. Nothing moves, so maker notes stay readable.

    Args:
        block: a TIFF structure.
        width: of the written picture, in pixels.
        height: of the written picture, in pixels.
        srgb: whether it is written in sRGB.
    """
    header = read_header(block)
    if header is None:
        return block
    order, _ = header
    patched = bytearray(block)
    main = first_ifd(block)
    exif = _sub(block, main, EXIF_IFD)
    _set(patched, order, main.fields.get(_ORIENTATION), 1)
    _set(patched, order, exif.fields.get(_WIDTH), width)
    _set(patched, order, exif.fields.get(_HEIGHT), height)
    _set(patched, order, exif.fields.get(_COLOR_SPACE), 1 if srgb else 0xFFFF)
    if main.next_ifd:
        thumbnail = read_ifd(block, order, main.next_ifd)
        start, size = thumbnail.number(0x0201) or 0, thumbnail.number(0x0202) or 0
        if 8 < start < start + size <= len(block) and block[start : start + 2] == b"\xff\xd8":
            patched[start : start + size] = bytes(size)
        patched[main.next_at : main.next_at + 4] = bytes(4)
    return bytes(patched)


def _sub(block: bytes, main: Ifd, tag: int) -> Ifd:
    header, offset = read_header(block), main.number(tag)
    return Ifd() if header is None or not offset else read_ifd(block, header[0], offset)


def _small(fields: Mapping[int, Field]) -> list[tuple[int, Field]]:
    return [(tag, entry) for tag, entry in fields.items() if len(entry.data) <= _MAX_VALUE]


def _set(patched: bytearray, order: str, entry: Field | None, value: int) -> None:
    if entry is not None and entry.count == 1 and entry.kind in (3, 4):
        code = "H" if entry.kind == 3 and value <= 0xFFFF else "I"
        if code == "I" and entry.kind == 3:
            return
        struct.pack_into(f"{order}{code}", patched, entry.at + 8, value)
