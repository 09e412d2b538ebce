from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
import rawpy
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from focuskit.io import open_frame, read_exif
from focuskit.io.af_points import camera_point
from focuskit.io.exif import parse_exif
from focuskit.io.ifd import first_ifd, read_ifd
from tests.unit.io._make import DATA, needs_data, picture
from tests.unit.io._notes import BYTES, canon, fujifilm, ifd, nikon, olympus, panasonic, sony
from tests.unit.io.test_raw import FakeRaw


@pytest.mark.parametrize(
    ("block", "point"),
    [
        (canon(b"Canon EOS R6", 1500, 1000), (0.75, 0.25)),
        (canon(b"Canon PowerShot G9", 1500, 1000), (0.75, 0.75)),
        (canon(b"Canon EOS R6", -800, 200, lit=0b111), (0.5 - 800 / 6000, 0.45)),
        (sony(1500, 1000), (0.25, 0.25)),
        (nikon("<"), (0.25, 0.25)),
        (nikon(">"), (0.25, 0.25)),
        (nikon("<", version=b"0101", at=0x46), (0.25, 0.25)),
        (nikon("<", version=b"0301", at=0x2A), (0.25, 0.25)),
        (nikon("<", version=b"0300", live=2, at=0x2A), (0.25, 0.25)),
        (nikon("<", version=b"0400", live=0, at=0x3E), (0.25, 0.25)),
        (panasonic(), (0.25, 0.5)),
        (fujifilm(), (0.25, 0.25)),
        (olympus(), (120 / 510, 254 / 510)),
    ],
)
def test_each_maker_tells_in_its_own_way(block: bytes, point: tuple[float, float]) -> None:
    found = camera_point(block)

    assert found is not None
    assert (found.x, found.y) == pytest.approx(point, abs=1e-6)


@pytest.mark.parametrize(
    "block",
    [
        canon(b"Canon EOS R6", 1500, 1000, lit=0),
        canon(b"Canon EOS R6", 4000, 0),
        sony(3000, 2000),  # the centre: what the camera writes where it does not know
        sony(6400, 100),
        nikon("<", live=0),
        nikon("<", version=b"0300", live=1, at=0x2A),
        nikon("<", version=b"0900"),
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
    block = canon(b"Canon EOS R6", 1500, 1000, orientation=orientation)

    assert parse_exif(block, "a.jpg", size=(6000, 4000)).focus_point == pytest.approx(point)


def test_the_af_point_of_a_cropped_picture_is_none() -> None:
    block = canon(b"Canon EOS R6", 1500, 1000)

    assert parse_exif(block, "a.jpg", size=(4000, 4000)).focus_point is None


def _jpeg(block: bytes) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture()).save(stream, "jpeg", exif=b"Exif\0\0" + block)
    return stream.getvalue()


def _raf(block: bytes) -> bytes:
    jpeg = _jpeg(block)
    return (
        b"FUJIFILMCCD-RAW ".ljust(84, b"\0")
        + struct.pack(">II", 160, len(jpeg))
        + (bytes(68) + jpeg + bytes(64))
    )


def _rw2(block: bytes) -> bytes:
    main = {0x010F: (2, b"Panasonic\0"), 0x0110: (2, b"DC-G9\0"), 0x2E: (BYTES, _jpeg(block))}
    return b"IIU\0\x08\0\0\0" + ifd(main, 8)


def _cr3(block: bytes) -> bytes:
    order, main = "<", first_ifd(block)
    exif = main.number(0x8769) or 0
    fields = {tag: (entry.kind, entry.data) for tag, entry in main.fields.items() if tag != 0x8769}
    inner = {
        tag: (entry.kind, entry.data)
        for tag, entry in read_ifd(block, order, exif).fields.items()
        if tag != 0x927C
    }
    notes = {
        tag: (entry.kind, entry.data) for tag, entry in read_ifd(block, order, 400).fields.items()
    }
    boxes = b"".join(
        struct.pack(">I", len(directory) + 16) + name + b"II*\0\x08\0\0\0" + directory
        for name, directory in (
            (b"CMT1", ifd(fields, 8)),
            (b"CMT2", ifd(inner, 8)),
            (b"CMT3", ifd(notes, 8)),
            (b"CMT4", ifd({}, 8)),
        )
    )
    return struct.pack(">I", 24) + b"ftypcrx " + bytes(12) + boxes


@pytest.mark.parametrize(
    ("name", "data", "point"),
    [
        ("a.arw", sony(1500, 1000), (0.25, 0.25)),
        ("a.nef", nikon(">"), (0.25, 0.25)),
        ("a.cr2", canon(b"Canon EOS 6D", 1500, 1000), (0.75, 0.25)),
        ("a.orf", olympus(), (120 / 510, 254 / 510)),
        ("a.raf", _raf(fujifilm()), (0.25, 0.25)),
        ("a.rw2", _rw2(panasonic()), (0.25, 0.5)),
        ("a.cr3", _cr3(canon(b"Canon EOS R6", 1500, 1000)), (0.75, 0.25)),
    ],
)
def test_raw_files_keep_their_notes_each_in_its_own_place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    data: bytes,
    point: tuple[float, float],
) -> None:
    raw = FakeRaw()
    if name in ("a.orf", "a.rw2"):
        raw.sizes.width, raw.sizes.height = 4000, 3000
    monkeypatch.setattr(rawpy, "imread", lambda stream: raw)
    path = tmp_path / name
    path.write_bytes(data)

    assert open_frame(path).exif.focus_point == pytest.approx(point, abs=1e-3)


@given(st.integers(0, 700), st.binary(min_size=1, max_size=24))
def test_damage_never_raises(at: int, damage: bytes) -> None:
    for block in (canon(b"Canon EOS R6", 1500, 1000), nikon(">"), olympus(), fujifilm()):
        found = camera_point(block[:at] + damage + block[at + len(damage) :])
        assert found is None or (0 < found.x < 1 and 0 < found.y < 1)
        camera_point(block[:at])


@needs_data
def test_a_real_camera() -> None:
    exif = read_exif(Path(DATA) / "exif" / "jpg" / "tests" / "42_IndexError.jpg")

    assert exif.camera == "OLYMPUS E-P3"
    assert exif.focus_point == pytest.approx((0.5, 0.494), abs=1e-3)
