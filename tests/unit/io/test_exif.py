from __future__ import annotations

import logging
import math
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import exifread
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from focuskit.io import read_photo
from focuskit.io.block import patch_block, rebuild_block, says_adobe_rgb
from focuskit.io.exif import parse_exif
from focuskit.io.ifd import Field, first_ifd, read_ifd, serialise, walk_ifds
from focuskit.photo import Exif
from tests.unit.io._make import DATA, exif_block, needs_data, picture, save


def exif_of(maker: str = "Canon", model: str = "Canon EOS R5", **details: object) -> Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = maker, model
    sub = exif.get_ifd(0x8769)
    for tag, value in details.items():
        sub[int(tag.removeprefix("t"), 16)] = value
    return parse_exif(exif.tobytes().removeprefix(b"Exif\0\0"), "a.jpg", size=(6000, 4000))


def test_everything_the_camera_wrote() -> None:
    exif = parse_exif(exif_block().removeprefix(b"Exif\0\0"), "a.jpg", size=(6000, 4000))
    assert (exif.camera, exif.lens, exif.serial) == ("Canon EOS R5", "RF 85mm F1.2", "012345")
    assert (exif.f_number, exif.focal_length_mm, exif.iso) == (2.8, 85, 400)
    assert exif.exposure_s == pytest.approx(0.004)
    zone = timezone(timedelta(hours=2))
    assert exif.taken_at == datetime(2026, 5, 17, 10, 30, 0, 123000, tzinfo=zone)


@pytest.mark.parametrize(
    ("maker", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D850", "NIKON D850"),
        ("SONY", "ILCE-7M3", "SONY ILCE-7M3"),
        ("OLYMPUS IMAGING CORP.", "E-M10", "OLYMPUS E-M10"),
        ("EASTMAN KODAK COMPANY", "KODAK DC240", "KODAK DC240"),
        ("KONICA MINOLTA", "DiMAGE Z3", "KONICA MINOLTA DiMAGE Z3"),
        ("  ", "X100V", "X100V"),
    ],
)
def test_the_maker_is_not_named_twice(maker: str, model: str, camera: str) -> None:
    assert exif_of(maker, model).camera == camera


def test_absurd_values_are_none() -> None:
    exif = exif_of(
        t829d=IFDRational(0, 1),
        t920a=IFDRational(50, 0),
        t829a=IFDRational(0, 0),
        ta405=0,
        t8827=0,
        t9206=IFDRational(0, 1),
        t9003="0000:00:00 00:00:00",
        t9204=IFDRational(9999, 1),
        ta431="   ",
    )
    assert exif == Exif(camera="Canon EOS R5", block=exif.block)


@pytest.mark.parametrize(
    ("value", "metres"), [((0xFFFFFFFF, 1), math.inf), ((0xFFFFFFFF, 10), math.inf), ((7, 2), 3.5)]
)
def test_infinity_is_infinite(value: tuple[int, int], metres: float) -> None:
    assert exif_of(t9206=IFDRational(*value)).focus_distance_m == metres


def test_sensor_width_from_density_or_from_the_view() -> None:
    density = {"ta20e": IFDRational(6000, 36), "ta210": 4}
    assert exif_of(**density).sensor_width_mm == pytest.approx(36)
    view = {"t920a": 35.0, "ta405": 52}
    apsc = 43.27 * 35 / 52 * 3 / math.hypot(3, 2)
    assert exif_of(**view).sensor_width_mm == pytest.approx(apsc, rel=1e-3)
    # A resized copy keeps the density of the original.
    assert exif_of(**density, **view, ta002=1500, ta003=1000).sensor_width_mm == pytest.approx(
        apsc, rel=1e-3
    )
    assert exif_of().sensor_width_mm is None


def test_apex_values_stand_in() -> None:
    exif = exif_of(t9202=IFDRational(5, 1), t9201=IFDRational(7, 1))
    assert (exif.f_number, exif.exposure_s) == (5.7, 1 / 128)


def test_iso_above_65535() -> None:
    assert exif_of(t8827=65535, t8832=102400).iso == 102400


@pytest.mark.parametrize(
    ("text", "offset", "taken"),
    [
        ("2026:05:17 10:30:61", "", datetime(2026, 5, 17, 10, 30, 59)),
        ("2026-05-17T10:30", "", datetime(2026, 5, 17, 10, 30)),
        ("2026:13:17 10:30:00", "", None),
        ("2026:05:17 10:30:00", "+99:00", datetime(2026, 5, 17, 10, 30)),
        ("2026:05:17 10:30:00", "Z", datetime(2026, 5, 17, 10, 30, tzinfo=UTC)),
        ("    :  :     :  :  ", "", None),
    ],
)
def test_dates(text: str, offset: str, taken: datetime | None) -> None:
    assert exif_of(t9003=text, t9011=offset).taken_at == taken


@pytest.mark.parametrize(
    "exc", [ValueError("x"), IndexError("x"), RecursionError(), TypeError(), ZeroDivisionError()]
)
def test_whatever_exifread_throws_is_no_exif(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, exc: Exception
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise exc

    monkeypatch.setattr(exifread, "process_file", fail)
    with caplog.at_level(logging.WARNING):
        assert parse_exif(b"II*\0\x08\0\0\0", "broken.jpg") == Exif()
    assert "broken.jpg: its EXIF data is damaged" in caplog.text


def test_an_endless_reader_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def loop(stream: object, **named: object) -> None:
        while True:
            stream.seek(0)  # type: ignore[attr-defined]
            stream.read(2)  # type: ignore[attr-defined]

    monkeypatch.setattr(exifread, "process_file", loop)
    started = time.monotonic()
    assert parse_exif(b"II*\0\x08\0\0\0", "loop.jpg") == Exif()
    assert time.monotonic() - started < 5


def test_a_photo_with_broken_exif_still_opens(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", picture(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    photo = read_photo(path)
    assert photo.width == 40
    assert photo.exif.camera is None


def test_directories_that_point_at_themselves_end() -> None:
    loop = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x4a\x01\x04\0\x01\0\0\0\x08\0\0\0" + b"\x08\0\0\0"
    assert len(list(walk_ifds(loop))) == 1


def test_entries_outside_of_the_data_are_left_out() -> None:
    entry = b"\x0f\x01\x02\0\xff\xff\xff\xff\x08\0\0\0"
    assert first_ifd(b"II*\0\x08\0\0\0\x01\0" + entry + bytes(4)).fields == {}
    assert read_ifd(b"II*\0", "<", 400).fields == {}


@needs_data
def test_a_rebuilt_block_says_the_same() -> None:
    photo = read_photo(DATA / "exif/jpg/tests/87_OSError.jpg")
    assert photo.exif.block is not None
    rebuilt = rebuild_block(photo.exif.block)
    assert rebuilt is not None
    again = parse_exif(rebuilt, "again")
    for name in ("camera", "lens", "f_number", "taken_at", "iso", "exposure_s", "serial"):
        assert getattr(again, name) == getattr(photo.exif, name)


def test_big_endian_blocks_are_rebuilt_and_patched() -> None:
    exif = Image.Exif()
    exif.endian = ">"
    exif[0x0112], exif[0x010F] = 8, "Maker"
    exif.get_ifd(0x8769)[0x829D] = IFDRational(28, 10)
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    assert block.startswith(b"MM")
    patched = patch_block(block, 10, 10, srgb=True)
    assert len(patched) == len(block)
    rebuilt = rebuild_block(patched)
    assert rebuilt is not None
    assert rebuilt.startswith(b"II")
    assert first_ifd(rebuilt).number(0x0112) == 1
    assert parse_exif(rebuilt, "a").f_number == 2.8


def test_adobe_rgb_by_exif_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", picture(), exif=exif_block(ta001=2))
    assert read_photo(path).primaries == "adobe-rgb"
    interoperability = serialise({1: Field(2, b"R03\0")}, {})[8:]
    exif_ifd = {0xA005: Field(4, (0).to_bytes(4, "little"))}
    block = bytearray(serialise({}, {0x8769: exif_ifd}))
    at = bytes(block).index(b"\x05\xa0\x04\0") + 8
    block[at : at + 4] = len(block).to_bytes(4, "little")
    assert says_adobe_rgb(bytes(block) + interoperability)
    assert not says_adobe_rgb(b"nonsense")


@pytest.mark.parametrize(
    ("orientation", "point"),
    [
        (1, (0.25, 0.1)),
        (2, (0.75, 0.1)),
        (3, (0.75, 0.9)),
        (4, (0.25, 0.9)),
        (5, (0.1, 0.25)),
        (6, (0.9, 0.25)),
        (7, (0.9, 0.75)),
        (8, (0.1, 0.75)),
    ],
)
def test_the_focus_point_turns_with_the_picture(
    orientation: int, point: tuple[float, float]
) -> None:
    block = exif_block(orientation, t9214=(1500, 400, 300, 200), ta002=6000, ta003=4000)

    for size in ((6000, 4000), (4000, 6000), (1500, 1000)):
        exif = parse_exif(block.removeprefix(b"Exif\0\0"), "a.jpg", size=size)
        assert exif.focus_point == pytest.approx(point)


def test_a_focus_point_of_another_picture_is_none() -> None:
    sides = {"ta002": 6000, "ta003": 4000}
    outside = exif_of(t9214=(6400, 400), **sides)
    cropped = exif_block(1, t9214=(1500, 400), ta002=6000, ta003=3000)
    assert exif_of(t9214=(1500, 400), **sides).focus_point is not None
    assert exif_of(t9214=(1500, 400)).focus_point is None
    assert outside.focus_point is None
    assert parse_exif(cropped[6:], "a.jpg", size=(6000, 4000)).focus_point is None
