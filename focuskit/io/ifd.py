"""The directory structure of TIFF, which EXIF blocks and most RAW files share.

Classic TIFF only. Reading never trusts a count or an offset: what points outside the data is left
out, loops end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

__all__ = [
    "Field",
    "Ifd",
    "Order",
    "first_ifd",
    "read_header",
    "read_ifd",
    "serialise",
    "walk_ifds",
]

Order = Literal["<", ">"]

TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SWAP_SIZES = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}
# 42 is TIFF; the others are Panasonic's RW2 and Olympus' ORF, which differ in nothing else.
_MAGICS = (42, 0x55, 0x4F52, 0x5352)
_SUB_IFDS = 330
_MAX_IFDS = 64


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a directory.

    Attributes:
        kind: TIFF type, 1 to 13.
        data: the values as little-endian bytes.
        at: where its 12-byte entry lies in the data it was read from.
    """

    kind: int
    data: bytes
    at: int = -1

    @property
    def count(self) -> int:
        """Number of values."""
        return len(self.data) // TYPE_SIZES[self.kind]

    @property
    def numbers(self) -> list[int]:
        """The values of an unsigned integer type; empty for any other."""
        code = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I"}.get(self.kind)
        return [] if code is None else list(struct.unpack(f"<{self.count}{code}", self.data))


@dataclass(frozen=True, slots=True)
class Ifd:
    """One directory: its fields by tag, and where the next one begins (0: none)."""

    fields: Mapping[int, Field] = field(default_factory=dict)
    next_ifd: int = 0
    next_at: int = -1

    def __contains__(self, tag: int) -> bool:
        return tag in self.fields

    def numbers(self, tag: int) -> list[int]:
        """Return the integers under `tag`; empty where there are none."""
        entry = self.fields.get(tag)
        return [] if entry is None else entry.numbers

    def number(self, tag: int) -> int | None:
        """Return the first integer under `tag`, or None."""
        values = self.numbers(tag)
        return values[0] if values else None


def read_header(data: bytes) -> tuple[Order, int] | None:
    """Return byte order and offset of the first directory, or None if this is no classic TIFF."""
    if len(data) < 8 or data[:2] not in (b"II", b"MM"):
        return None
    order: Order = "<" if data[:2] == b"II" else ">"
    magic, offset = struct.unpack_from(f"{order}HI", data, 2)
    return (order, offset) if magic in _MAGICS else None


def read_ifd(data: bytes, order: Order, offset: int) -> Ifd:
    """Return the directory at `offset`, without entries that are damaged."""
    if offset < 8 or offset + 2 > len(data):
        return Ifd()
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    fields: dict[int, Field] = {}
    # Entries may point to the same bytes: what they claim together is no more than the file has.
    left = len(data)
    for at in range(offset + 2, min(offset + 2 + 12 * count, len(data) - 11), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", data, at)
        size = TYPE_SIZES.get(kind, 0) * number
        start = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, at + 8)[0]
        if 0 < size <= min(left, len(data) - start) and tag not in fields:
            left -= size
            fields[tag] = Field(kind, _little(data[start : start + size], kind, order), at)
    next_at = offset + 2 + 12 * count
    if next_at + 4 > len(data):
        return Ifd(fields)
    return Ifd(fields, struct.unpack_from(f"{order}I", data, next_at)[0], next_at)


def first_ifd(data: bytes) -> Ifd:
    """Return the first directory; an empty one where there is none."""
    header = read_header(data)
    return Ifd() if header is None else read_ifd(data, *header)


def walk_ifds(data: bytes) -> Iterator[Ifd]:
    """Yield every directory of the main chain and, behind each, its sub-directories."""
    header = read_header(data)
    if header is None:
        return
    order, offset = header
    todo, seen = [offset], {0}
    while todo and len(seen) <= _MAX_IFDS:
        offset = todo.pop(0)
        if offset in seen:
            continue
        seen.add(offset)
        ifd = read_ifd(data, order, offset)
        yield ifd
        todo = [*ifd.numbers(_SUB_IFDS)[:_MAX_IFDS], *todo, ifd.next_ifd]


def serialise(main: Mapping[int, Field], subs: Mapping[int, Mapping[int, Field]]) -> bytes:
    """Return a little-endian TIFF structure.

    Args:
        main: fields of the first directory.
        subs: further directories, each under the tag in `main` that shall point to it
            (0x8769 EXIF, 0x8825 GPS); empty ones are left out.
    """
    kept = {tag: ifd for tag, ifd in subs.items() if ifd}
    fields = {tag: entry for tag, entry in main.items() if tag not in subs}
    fields |= {tag: Field(4, bytes(4)) for tag in kept}
    offset = 8 + len(_ifd_bytes(fields, 8))
    parts = []
    for tag, ifd in kept.items():
        fields[tag] = Field(4, struct.pack("<I", offset))
        parts.append(_ifd_bytes(ifd, offset))
        offset += len(parts[-1])
    return b"".join([b"II*\0\x08\0\0\0", _ifd_bytes(fields, 8), *parts])


def _ifd_bytes(fields: Mapping[int, Field], offset: int) -> bytes:
    values_at = offset + 2 + 12 * len(fields) + 4
    entries, values = [], b""
    for tag, entry in sorted(fields.items()):
        inline = entry.data.ljust(4, b"\0")
        if len(entry.data) > 4:
            inline = struct.pack("<I", values_at + len(values))
            values += entry.data + bytes(len(entry.data) % 2)
        entries.append(struct.pack("<HHI", tag, entry.kind, entry.count) + inline)
    return struct.pack("<H", len(fields)) + b"".join(entries) + bytes(4) + values


def _little(data: bytes, kind: int, order: Order) -> bytes:
    size = _SWAP_SIZES.get(kind, 1)
    if order == "<" or size == 1:
        return data
    return np.frombuffer(data, f">u{size}").astype(f"<u{size}").tobytes()
