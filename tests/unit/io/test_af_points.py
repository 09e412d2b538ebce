from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.io import read_exif
from focuskit.io.af_points import camera_point
from focuskit.io.exif import parse_exif
from tests.unit.io._make import DATA, needs_data

SHORT, LONG, RATIONAL, BYTES = 3, 4, 5, 7


def _ifd(entries: dict[int, tuple[int, bytes]], at: int, order: str = "<") -> bytes:
    """Return a directory that lies at `at`, values behind it."""
    sizes = {SHORT: 2, LONG: 4, RATIONAL: 8, BYTES: 1, 2: 1}
    values_at = at + 2 + 12 * len(entries) + 4
    rows, values = b"", b""
    for tag, (kind, data) in sorted(entries.items()):
        inline = data.ljust(4, b"\0")
        if len(data) > 4:
            inline = struct.pack(f"{order}I", values_at + len(values))
            values += data + bytes(len(data) % 2)
        rows += struct.pack(f"{order}HHI", tag, kind, len(data) // sizes[kind]) + inline
    return struct.pack(f"{order}H", len(entries)) + rows + bytes(4) + values


def _shorts(*values: int) -> tuple[int, bytes]:
    return SHORT, struct.pack(f"<{len(values)}H", *(value & 0xFFFF for value in values))


def _block(
    make: bytes, model: bytes, note: bytes, *, orientation: int = 1, size: tuple[int, int]
) -> bytes:
    """Return EXIF data whose maker note lies at 400, where offsets from the start can point."""
    width, height = size
    main = {
        0x010F: (2, make.ljust(6, b"\0")),
        0x0110: (2, model.ljust(6, b"\0")),
        0x0112: _shorts(orientation),
        0x8769: (LONG, struct.pack("<I", 200)),
    }
    head = (b"II*\0\x08\0\0\0" + _ifd(main, 8)).ljust(200, b"\0")
    rows = [
        (0x927C, BYTES, len(note), 400),
        (0xA002, LONG, 1, width),
        (0xA003, LONG, 1, height),
    ]
    exif = struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *row) for row in rows) + bytes(4)
    return (head + exif).ljust(400, b"\0") + note


def _canon(model: bytes, x: int, y: int, *, lit: int = 0b010, **more: int) -> bytes:
    sides = (60, 60, 60), (40, 40, 40)
    places = (-900, x, 900), (300, y, -300)
    info = (0, 2, 3, 3, 6000, 4000, 6000, 4000, *sides[0], *sides[1], *places[0], *places[1], lit)
    note = _ifd({0x26: _shorts(*info, 0, 0)}, 400)
    return _block(b"Canon", model, note, size=(6000, 4000), **more)


def _nikon(order: str, *, live: int = 1) -> bytes:
    info = b"0100" + bytes([live]) + bytes(11)
    info += struct.pack(f"{order}7H", 6000, 4000, 1500, 1000, 300, 200, 1)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    inner = mark + struct.pack(f"{order}I", 8) + _ifd({0xB7: (BYTES, info)}, 8, order)
    return _block(
        b"NIKON CORPORATION", b"NIKON D90", b"Nikon\0\x02\x10\0\0" + inner, size=(6000, 4000)
    )


def _sony(x: int, y: int) -> bytes:
    note = b"SONY DSC \0\0\0" + _ifd({0x2027: _shorts(6000, 4000, x, y)}, 412)
    return _block(b"SONY", b"ILCE-7M3", note, size=(6000, 4000))


def _panasonic() -> bytes:
    place = RATIONAL, struct.pack("<4I", 256, 1024, 512, 1024)
    note = b"Panasonic\0\0\0" + _ifd({0x4D: place}, 412)
    return _block(b"Panasonic", b"DC-G9", note, size=(4000, 3000))


def _fujifilm() -> bytes:
    note = b"FUJIFILM" + struct.pack("<I", 12) + _ifd({0x1023: _shorts(1500, 1000)}, 12)
    return _block(b"FUJIFILM", b"X-T3", note, size=(6000, 4000))


def _olympus() -> bytes:
    areas = LONG, struct.pack("<3I", 0, 0x36794285, 0)
    outer = _ifd({0x2020: (LONG, struct.pack("<I", 64))}, 12)
    note = (b"OLYMPUS\0II\x03\0" + outer).ljust(64, b"\0") + _ifd({0x0304: areas}, 64)
    return _block(b"OLYMPUS", b"E-M1", note, size=(4000, 3000))


@pytest.mark.parametrize(
    ("block", "point"),
    [
        (_canon(b"Canon EOS R6", 1500, 1000), (0.75, 0.25)),
        (_canon(b"Canon PowerShot G9", 1500, 1000), (0.75, 0.75)),
        (_canon(b"Canon EOS R6", 0, 0, lit=0b101), (0.5, 0.5)),
        (_sony(1500, 1000), (0.25, 0.25)),
        (_nikon("<"), (0.25, 0.25)),
        (_nikon(">"), (0.25, 0.25)),
        (_panasonic(), (0.25, 0.5)),
        (_fujifilm(), (0.25, 0.25)),
        (_olympus(), (120 / 510, 254 / 510)),
    ],
)
def test_each_maker_tells_in_its_own_way(block: bytes, point: tuple[float, float]) -> None:
    found = camera_point(block)

    assert found is not None
    assert (found.x, found.y) == pytest.approx(point, abs=1e-6)


@pytest.mark.parametrize(
    "block",
    [
        _canon(b"Canon EOS R6", 1500, 1000, lit=0),
        _canon(b"Canon EOS R6", 4000, 0),
        _sony(3000, 2000),  # the centre: what the camera writes where it does not know
        _sony(6400, 100),
        _nikon("<", live=0),
        b"",
        b"II*\0",
    ],
)
def test_what_cannot_be_believed_is_none(block: bytes) -> None:
    assert camera_point(block) is None


@pytest.mark.parametrize(
    ("orientation", "point"), [(1, (0.75, 0.25)), (3, (0.25, 0.75)), (6, (0.75, 0.75))]
)
def test_the_af_point_turns_with_the_picture(orientation: int, point: tuple[float, float]) -> None:
    block = _canon(b"Canon EOS R6", 1500, 1000, orientation=orientation)

    assert parse_exif(block, "a.jpg", size=(6000, 4000)).focus_point == pytest.approx(point)


def test_the_af_point_of_a_cropped_picture_is_none() -> None:
    block = _canon(b"Canon EOS R6", 1500, 1000)

    assert parse_exif(block, "a.jpg", size=(4000, 4000)).focus_point is None


@given(st.integers(0, 700), st.binary(min_size=1, max_size=24))
def test_damage_never_raises(at: int, damage: bytes) -> None:
    for block in (_canon(b"Canon EOS R6", 1500, 1000), _nikon(">"), _olympus(), _fujifilm()):
        found = camera_point(block[:at] + damage + block[at + len(damage) :])
        assert found is None or (0 < found.x < 1 and 0 < found.y < 1)
        camera_point(block[:at])


@needs_data
def test_a_real_camera() -> None:
    exif = read_exif(Path(DATA) / "exif" / "jpg" / "tests" / "42_IndexError.jpg")

    assert exif.camera == "OLYMPUS E-P3"
    assert exif.focus_point == pytest.approx((0.5, 0.494), abs=1e-3)
