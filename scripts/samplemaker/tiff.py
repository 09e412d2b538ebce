"""A writer of TIFF structures: EXIF blocks, 16-bit TIFF and DNG are all made of them.

tifffile writes no EXIF directory and Pillow no 16-bit colour, so the few lines that both formats
need stand here; every byte is decided here, so that the samples come out the same everywhere.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

__all__ = ["Ifd", "Value", "tiff_bytes"]

Value = str | bytes | float | Fraction | Sequence[int] | Sequence[float] | Sequence[Fraction]

_EXIF_IFD, _SUB_IFDS, _STRIP_OFFSETS, _STRIP_BYTE_COUNTS = 0x8769, 0x014A, 0x0111, 0x0117
_LONG = 4


@dataclass(slots=True)
class Ifd:
    """One directory of a TIFF.

    Attributes:
        entries: tag -> (type, value); types as TIFF 6.0 numbers them.
        strip: the pixels, as stored; offset and length are filled in.
        exif: the EXIF directory that hangs off this one.
        sub: the sub-directory (a DNG's raw picture).
    """

    entries: dict[int, tuple[int, Value]] = field(default_factory=dict)
    strip: bytes | None = None
    exif: Ifd | None = None
    sub: Ifd | None = None


def tiff_bytes(first: Ifd) -> bytes:
    """Return a little-endian TIFF whose first directory is `first`."""
    out = bytearray(struct.pack("<2sHI", b"II", 42, 0))
    struct.pack_into("<I", out, 4, _append_ifd(out, first))
    return bytes(out)


def _append_ifd(out: bytearray, ifd: Ifd) -> int:
    entries = dict(ifd.entries)
    # What a directory points to goes before it, so that every offset is known when written.
    for tag, child in ((_EXIF_IFD, ifd.exif), (_SUB_IFDS, ifd.sub)):
        if child is not None:
            entries[tag] = (_LONG, _append_ifd(out, child))
    if ifd.strip is not None:
        entries[_STRIP_OFFSETS] = (_LONG, _append(out, ifd.strip))
        entries[_STRIP_BYTE_COUNTS] = (_LONG, len(ifd.strip))
    rows = bytearray(struct.pack("<H", len(entries)))
    for tag in sorted(entries):
        kind, value = entries[tag]
        count, data = _encoded(kind, value)
        cell = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", _append(out, data))
        rows += struct.pack("<HHI", tag, kind, count) + cell
    return _append(out, bytes(rows) + struct.pack("<I", 0))


def _append(out: bytearray, data: bytes) -> int:
    if len(out) % 2:
        out += b"\0"
    offset = len(out)
    out += data
    return offset


def _encoded(kind: int, value: Value) -> tuple[int, bytes]:
    if isinstance(value, str):
        data = value.encode("ascii") + b"\0"
        return len(data), data
    if isinstance(value, bytes):
        return len(value), value
    values = value if isinstance(value, Sequence) else [value]
    return len(values), b"".join(_PACKERS[kind](one) for one in values)


def _rational(layout: str) -> Callable[[float | Fraction], bytes]:
    def pack(value: float | Fraction) -> bytes:
        ratio = Fraction(value).limit_denominator(1_000_000)
        return struct.pack(layout, ratio.numerator, ratio.denominator)

    return pack


_PACKERS: dict[int, Callable[..., bytes]] = {
    1: lambda value: struct.pack("<B", value),
    3: lambda value: struct.pack("<H", value),
    4: lambda value: struct.pack("<I", value),
    5: _rational("<II"),
    10: _rational("<ii"),
}
