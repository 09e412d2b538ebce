"""EXIF data with makers' notes, for the tests of AF points."""

from __future__ import annotations

import struct

SHORT, LONG, RATIONAL, BYTES, SIGNED_RATIONAL = 3, 4, 5, 7, 10


def ifd(entries: dict[int, tuple[int, bytes]], at: int, order: str = "<") -> bytes:
    """Return a directory that lies at `at`, values behind it."""
    sizes = {SHORT: 2, LONG: 4, RATIONAL: 8, BYTES: 1, 2: 1, SIGNED_RATIONAL: 8}
    values_at = at + 2 + 12 * len(entries) + 4
    rows, values = b"", b""
    for tag, (kind, data) in sorted(entries.items()):
        inline = data.ljust(4, b"\0")
        if len(data) > 4:
            inline = struct.pack(f"{order}I", values_at + len(values))
            values += data + bytes(len(data) % 2)
        rows += struct.pack(f"{order}HHI", tag, kind, len(data) // sizes[kind]) + inline
    return struct.pack(f"{order}H", len(entries)) + rows + bytes(4) + values


def shorts(*values: int) -> tuple[int, bytes]:
    return SHORT, struct.pack(f"<{len(values)}H", *(value & 0xFFFF for value in values))


def block(
    make: bytes, model: bytes, note: bytes, *, orientation: int = 1, size: tuple[int, int]
) -> bytes:
    """Return EXIF data whose maker note lies at 400, where offsets from the start can point."""
    width, height = size
    main = {
        0x010F: (2, make.ljust(6, b"\0")),
        0x0110: (2, model.ljust(6, b"\0")),
        0x0112: shorts(orientation),
        0x8769: (LONG, struct.pack("<I", 200)),
    }
    head = (b"II*\0\x08\0\0\0" + ifd(main, 8)).ljust(200, b"\0")
    rows = [
        (0x927C, BYTES, len(note), 400),
        (0xA002, LONG, 1, width),
        (0xA003, LONG, 1, height),
    ]
    exif = struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *row) for row in rows) + bytes(4)
    return (head + exif).ljust(400, b"\0") + note


def canon(
    model: bytes,
    x: int,
    y: int,
    *,
    lit: int = 0b010,
    orientation: int = 1,
    size: tuple[int, int] = (6000, 4000),
) -> bytes:
    sides = (60, 60, 60), (40, 40, 40)
    places = (-900, x, 900), (300, y, -300)
    areas = (2, 3, 3, *size, *size, *sides[0], *sides[1], *places[0], *places[1])
    info = (*areas, lit, 0, 0)
    note = ifd({0x26: shorts(2 + 2 * len(info), *info)}, 400)
    return block(b"Canon", model, note, orientation=orientation, size=size)


def nikon(order: str, *, live: int = 1, version: bytes = b"0100", at: int = 16) -> bytes:
    info = (version + bytes([live])).ljust(at, b"\0")
    info += struct.pack(f"{order}7H", 6000, 4000, 1500, 1000, 300, 200, 1)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    inner = mark + struct.pack(f"{order}I", 8) + ifd({0xB7: (BYTES, info)}, 8, order)
    return block(
        b"NIKON CORPORATION", b"NIKON D90", b"Nikon\0\x02\x10\0\0" + inner, size=(6000, 4000)
    )


def sony(x: int, y: int) -> bytes:
    note = b"SONY DSC \0\0\0" + ifd({0x2027: shorts(6000, 4000, x, y)}, 412)
    return block(b"SONY", b"ILCE-7M3", note, size=(6000, 4000))


def panasonic() -> bytes:
    place = RATIONAL, struct.pack("<4I", 256, 1024, 512, 1024)
    note = b"Panasonic\0\0\0" + ifd({0x4D: place}, 412)
    return block(b"Panasonic", b"DC-G9", note, size=(4000, 3000))


def fujifilm() -> bytes:
    note = b"FUJIFILM" + struct.pack("<I", 12) + ifd({0x1023: shorts(1500, 1000)}, 12)
    return block(b"FUJIFILM", b"X-T3", note, size=(6000, 4000))


def olympus() -> bytes:
    areas = LONG, struct.pack("<3I", 0, 0x36794285, 0)
    selected = SIGNED_RATIONAL, struct.pack("<10i", 0, 0, 1, 4, 1, 2, 1, 4, 1, 2)
    outer = ifd({0x2020: (LONG, struct.pack("<I", 64))}, 12)
    settings = ifd({0x0304: areas, 0x0305: selected}, 64)
    note = (b"OLYMPUS\0II\x03\0" + outer).ljust(64, b"\0") + settings
    return block(b"OLYMPUS IMAGING CORP.", b"E-M1", note, size=(4000, 3000))
