"""Where the camera focused, from the notes that makers leave in EXIF.

Only the one entry that is needed is read, within bounds: reading a maker's notes in full costs more
than the rest of the EXIF data.

References:
    P. Harvey: ExifTool's tables of maker notes (Canon 0x12, 0x26 and 0x3C, Nikon 0xB7, Sony
        0x2027, Olympus 0x2020/0x0304, Panasonic 0x4D, Fujifilm 0x1023).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from focuskit.io.ifd import Ifd, Order, first_ifd, read_header, read_ifd

__all__ = ["CameraPoint", "CanonAreas", "camera_point", "canon_point", "in_frame"]
__all__ += ["written_size"]

_EXIF_IFD, _MAKER_NOTE, _MAKE = 0x8769, 0x927C, 0x010F
# Version, what its fifth byte says where the sensor focused (None: always), and where width,
# height, x and y begin.
_NIKON_LAYOUTS: tuple[tuple[bytes, int | None, int], ...] = (
    (b"0100", 1, 0x10),
    (b"0101", 1, 0x46),
    (b"0301", 1, 0x2A),
    (b"03", 2, 0x2A),
    (b"0400", None, 0x3E),
)


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
    return in_frame(_read(block, note.data, at, order, make, model))


def canon_point(notes: bytes, model: str) -> CameraPoint | None:
    """Return the AF point in Canon's notes where they are a TIFF structure of their own (CR3).

    Args:
        notes: that structure.
        model: of the camera.
    """
    return in_frame(_canon(first_ifd(notes), model))


def in_frame(point: CameraPoint | None) -> CameraPoint | None:
    """Return a point if it lies within its picture, else None."""
    inside = point is not None and 0 < point.x < 1 and 0 < point.y < 1
    return point if inside else None


def _text(ifd: Ifd, tag: int) -> str:
    entry = ifd.fields.get(tag)
    return "" if entry is None else entry.data.split(b"\0")[0].decode("latin-1").strip()


def _read(
    block: bytes, note: bytes, at: int, order: Order, make: str, model: str
) -> CameraPoint | None:
    if make.startswith("canon"):
        return _canon(read_ifd(block, order, at), model)
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


def _canon(ifd: Ifd, model: str) -> CameraPoint | None:
    """Read one of three layouts, of which the oldest begins without its size and its mode."""
    for tag in (0x26, 0x3C):
        values = ifd.numbers(tag)
        if len(values) > 8:
            head = values[2:8]
            return _canon_areas(head, values[8 + 2 * head[0] :], model)
    values = ifd.numbers(0x12)
    return _canon_areas(values[:6], values[8:], model) if len(values) > 8 else None


def _canon_areas(head: list[int], places: list[int], model: str) -> CameraPoint | None:
    count, valid, *sides = head
    bits = places[2 * count : 2 * count + (count + 15) // 16]
    areas = CanonAreas(
        x=tuple(_signed(value) for value in places[:count]),
        y=tuple(_signed(value) for value in places[count : 2 * count]),
        lit=tuple(bits),
        valid=valid,
        size=(sides[2], sides[3]),
        picture=(sides[0], sides[1]),
        model=model,
    )
    return areas.point()


@dataclass(frozen=True, slots=True)
class CanonAreas:
    """What Canon cameras write about their AF areas.

    Attributes:
        x, y: of each area, from the middle; y points up on EOS and down on PowerShot cameras.
        lit: which areas are in focus, sixteen to a number.
        valid: how many of the areas are; 0 where it was not written.
        size: (width, height) of the picture in the units of `x` and `y`, which on old PowerShots
            are not the same across as down.
        picture: (width, height) of the picture in pixels.
        model: of the camera.
    """

    x: tuple[int, ...]
    y: tuple[int, ...]
    lit: tuple[int, ...]
    valid: int
    size: tuple[int, int]
    picture: tuple[int, int]
    model: str

    def point(self) -> CameraPoint | None:
        """Return the area in focus that is nearest to the middle of all that are."""
        count, (width, height) = len(self.x), self.size
        if not count or len(self.y) != count or len(self.lit) < (count + 15) // 16:
            return None
        known = min(count, self.valid) if self.valid else count
        lit = [i for i in range(known) if self.lit[i // 16] >> (i % 16) & 1]
        aspect = self._aspect()
        if not lit or aspect is None:
            return None
        down = "powershot" in self.model.lower() or "ixus" in self.model.lower()
        shares = [
            (0.5 + self.x[i] / width, 0.5 + (self.y[i] if down else -self.y[i]) / height)
            for i in lit
        ]
        # Between two faces in focus lies the background.
        middle = [sum(axis) / len(lit) for axis in zip(*shares, strict=True)]
        x, y = min(shares, key=lambda share: round(math.dist(share, middle), 6))
        return CameraPoint(x, y, aspect)

    def _aspect(self) -> float | None:
        for width, height in (self.size, self.picture):
            if width <= 0 or height <= 0:
                return None
            if 0.4 <= width / height <= 2.5:
                return width / height
        return None


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
    """Read AF on the sensor; phase detection only names points by numbers of each camera."""
    header = read_header(inner)
    entry = first_ifd(inner).fields.get(0xB7) if header else None
    if header is None or entry is None or len(entry.data) < 6:
        return None
    version, detects = entry.data[:4], entry.data[4]
    layouts = (
        start
        for known, mode, start in _NIKON_LAYOUTS
        if version.startswith(known) and mode in (None, detects)
    )
    at = next(layouts, None)
    if at is None or len(entry.data) < at + 8:
        return None
    width, height, x, y = struct.unpack_from(f"{header[0]}4H", entry.data, at)
    return CameraPoint(x / width, y / height, width / height) if width and height else None


def _fujifilm(ifd: Ifd, exif: Ifd) -> CameraPoint | None:
    values, size = ifd.numbers(0x1023), _size(exif)
    if len(values) != 2 or size is None:
        return None
    return CameraPoint(values[0] / size[0], values[1] / size[1], size[0] / size[1])


def written_size(block: bytes) -> tuple[int, int] | None:
    """Return (width, height) in pixels of the picture as EXIF data gives it, or None."""
    header = read_header(block)
    return None if header is None else _size(read_ifd(block, header[0], _exif_at(block)))


def _size(exif: Ifd) -> tuple[int, int] | None:
    width, height = exif.number(0xA002), exif.number(0xA003)
    return (width, height) if width and height else None


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
