"""Where the camera focused, from the notes that makers leave in EXIF.

Only the one entry that is needed is read, within bounds: reading a maker's notes in full costs more
than the rest of the EXIF data.

References:
    P. Harvey: ExifTool's tables of maker notes (Canon 0x12 and 0x26, Nikon 0xB7, Sony 0x2027,
        Olympus 0x2020/0x0304, Panasonic 0x4D, Fujifilm 0x1023).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from focuskit.io.ifd import Ifd, Order, first_ifd, read_header, read_ifd

__all__ = ["CameraPoint", "camera_point"]

_EXIF_IFD, _MAKER_NOTE, _MAKE = 0x8769, 0x927C, 0x010F


@dataclass(frozen=True, slots=True)
class CameraPoint:
    """A point that the camera focused on, on the picture as stored.

    Attributes:
        x, y: in shares of width and height.
        aspect: width / height of the picture that the camera meant; None where it gives shares.
    """

    x: float
    y: float
    aspect: float | None = None


@dataclass(frozen=True, slots=True)
class _Notes:
    """A maker's notes: their directory, and what its offsets count in."""

    ifd: Ifd
    data: bytes
    order: Order
    model: str


def camera_point(block: bytes) -> CameraPoint | None:
    """Return the AF point in a maker's notes; None where there is none that can be believed.

    Args:
        block: EXIF data as a TIFF structure.
    """
    header = read_header(block)
    if header is None:
        return None
    order, main = header[0], first_ifd(block)
    exif_at = main.number(_EXIF_IFD)
    note = read_ifd(block, order, exif_at).fields.get(_MAKER_NOTE) if exif_at else None
    if note is None or note.at < 0 or len(note.data) < 20:
        return None
    at = struct.unpack_from(f"{order}I", block, note.at + 8)[0]
    make, model = _text(main, _MAKE).lower(), _text(main, 0x0110)
    found = _read(block, note.data, at, order, make, model)
    if found is None or not (0 < found.x < 1 and 0 < found.y < 1):
        return None
    return found


def _text(ifd: Ifd, tag: int) -> str:
    entry = ifd.fields.get(tag)
    return "" if entry is None else entry.data.split(b"\0")[0].decode("latin-1").strip()


def _read(
    block: bytes, note: bytes, at: int, order: Order, make: str, model: str
) -> CameraPoint | None:
    if make.startswith("canon"):
        return _canon(_Notes(read_ifd(block, order, at), block, order, model))
    if note.startswith(b"SONY "):
        return _sony(read_ifd(block, order, at + 12))
    if make.startswith("sony"):
        return _sony(read_ifd(block, order, at))
    if note.startswith(b"Panasonic\0"):
        return _panasonic(read_ifd(block, order, at + 12))
    if note.startswith(b"Nikon\0\x02"):
        return _nikon(note[10:])
    if note.startswith(b"FUJIFILM"):
        (start,) = struct.unpack_from("<I", note, 8)
        return _fujifilm(read_ifd(note, "<", start), read_ifd(block, order, _exif_at(block)))
    for name, start in ((b"OLYMPUS\0", 12), (b"OM SYSTEM\0", 16)):
        if note.startswith(name):
            inner: Order = ">" if note[start - 4 : start - 2] == b"MM" else "<"
            return _olympus(note, inner, start)
    return None


def _exif_at(block: bytes) -> int:
    return first_ifd(block).number(_EXIF_IFD) or 0


def _signed(value: int) -> int:
    return value - 65536 if value >= 32768 else value


def _canon(notes: _Notes) -> CameraPoint | None:
    """Areas count from the middle; y points up on EOS and down on PowerShot cameras."""
    values = notes.ifd.numbers(0x26)
    if len(values) > 8:
        count, (width, height), places = values[2], values[6:8], values[8:]
        places = places[2 * count :]
    else:
        values = notes.ifd.numbers(0x12)
        if len(values) <= 8:
            return None
        count, (width, height), places = values[0], values[4:6], values[8:]
    words = (count + 15) // 16
    if not count or len(places) < 2 * count + words or not width or not height:
        return None
    # Old PowerShots write every other value as 0, of which nothing can be made.
    if not 0.5 <= width / height <= 2.5:
        return None
    lit = [i for i in range(count) if places[2 * count + i // 16] >> (i % 16) & 1]
    if not lit:
        return None
    x = sum(_signed(places[i]) for i in lit) / len(lit)
    y = sum(_signed(places[count + i]) for i in lit) / len(lit)
    down = "powershot" in notes.model.lower() or "ixus" in notes.model.lower()
    return CameraPoint(0.5 + x / width, 0.5 + (y if down else -y) / height, width / height)


def _sony(ifd: Ifd) -> CameraPoint | None:
    values = ifd.numbers(0x2027)
    if len(values) != 4 or not values[0] or not values[1]:
        return None
    width, height, x, y = values
    # The centre is what the camera writes where it does not know.
    if (x, y) == (width // 2, height // 2):
        return None
    return CameraPoint(x / width, y / height, width / height)


def _panasonic(ifd: Ifd) -> CameraPoint | None:
    entry = ifd.fields.get(0x4D)
    if entry is None or entry.kind != 5 or entry.count != 2:
        return None
    x, x_over, y, y_over = struct.unpack("<4I", entry.data)
    return CameraPoint(x / x_over, y / y_over) if x_over and y_over else None


def _nikon(inner: bytes) -> CameraPoint | None:
    """Read contrast-detection AF; phase detection only names points by numbers of each camera."""
    header = read_header(inner)
    entry = first_ifd(inner).fields.get(0xB7) if header else None
    if header is None or entry is None or len(entry.data) < 30:
        return None
    if entry.data[:4] != b"0100" or entry.data[4] == 0:
        return None
    width, height, x, y = struct.unpack_from(f"{header[0]}4H", entry.data, 16)
    return CameraPoint(x / width, y / height, width / height) if width and height else None


def _fujifilm(ifd: Ifd, exif: Ifd) -> CameraPoint | None:
    values = ifd.numbers(0x1023)
    width, height = exif.number(0xA002), exif.number(0xA003)
    if len(values) != 2 or not width or not height:
        return None
    return CameraPoint(values[0] / width, values[1] / height, width / height)


def _olympus(note: bytes, order: Order, start: int) -> CameraPoint | None:
    """Boxes of four bytes, left, top, right, bottom, each from 0 to 255; the first one counts."""
    settings_at = read_ifd(note, order, start).number(0x2020)
    areas = read_ifd(note, order, settings_at).numbers(0x0304) if settings_at else []
    first = next((area for area in areas if area), None)
    if first is None:
        return None
    left, top, right, bottom = first.to_bytes(4, "big")
    if not (left < right and top < bottom):
        return None
    return CameraPoint((left + right) / 510, (top + bottom) / 510)
