from __future__ import annotations

import errno
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from focuskit.errors import OutputError, OutputExistsError, RangeError, UnsupportedFormatError
from focuskit.io import open_frame, read_photo, write_photo
from focuskit.io.block import orientation_of
from focuskit.io.ifd import first_ifd
from focuskit.photo import Exif, Photo
from tests.unit.io._make import DATA, exif_block, needs_data, picture, save

SUFFIXES = [".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".heic", ".avif"]


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    (tmp_path / "in").mkdir()
    exif = exif_block(6, ta002=40, ta003=24, ta001=1)
    return read_photo(save(tmp_path / "in" / "a.jpg", picture(), exif=exif, quality=95))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_exif_comes_along_and_orientation_becomes_1(
    tmp_path: Path, photo: Photo, suffix: str
) -> None:
    path = write_photo(photo, tmp_path / f"out{suffix}")
    again = read_photo(path)
    assert again.rgb.shape == photo.rgb.shape
    assert replace(again.exif, block=None) == replace(photo.exif, block=None)
    assert orientation_of(again.exif.block) == 1


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_size_and_colour_space_in_exif_are_the_new_ones(
    tmp_path: Path, photo: Photo, suffix: str
) -> None:
    wide = replace(photo, rgb=photo.rgb[:7, :11].copy(), primaries="display-p3")
    with Image.open(write_photo(wide, tmp_path / f"out{suffix}")) as image:
        details = image.getexif().get_ifd(0x8769)
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    assert (details[0xA002], details[0xA003], details[0xA001]) == (11, 7, 0xFFFF)
    assert "Display P3" in ImageCms.getProfileDescription(profile)


def test_the_old_thumbnail_goes(tmp_path: Path) -> None:
    thumbnail = io.BytesIO()
    Image.fromarray(picture(12, 16)).save(thumbnail, "JPEG")
    entries = [(0x0201, 26 + 30), (0x0202, len(thumbnail.getvalue()))]
    ifd0 = b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + (26).to_bytes(4, "little")
    ifd1 = len(entries).to_bytes(2, "little")
    for tag, value in entries:
        ifd1 += tag.to_bytes(2, "little") + b"\x04\0\x01\0\0\0" + value.to_bytes(4, "little")
    block = b"II*\0\x08\0\0\0" + ifd0 + ifd1 + bytes(4) + thumbnail.getvalue()
    photo = Photo(np.zeros((4, 4, 3), np.float32), exif=Exif(block=block))
    written = read_photo(write_photo(photo, tmp_path / "a.jpg")).exif.block
    assert written is not None
    assert first_ifd(written).next_ifd == 0
    assert len(written) == len(block)
    assert b"\xff\xd8" not in written


@pytest.mark.parametrize(
    ("suffix", "bits", "kept"),
    [
        (".jpg", 16, 8),
        (".png", 8, 8),
        (".png", 16, 16),
        (".png", 32, 16),
        (".tif", 16, 16),
        (".tif", 32, 32),
        (".webp", 16, 8),
        (".heic", 16, 16),
        (".avif", 16, 8),
    ],
)
def test_bit_depth_is_the_photos_where_the_format_holds_it(
    tmp_path: Path, photo: Photo, suffix: str, bits: int, kept: int
) -> None:
    path = write_photo(replace(photo, bits=bits), tmp_path / f"out{suffix}")
    assert read_photo(path).bits == kept


def test_highlights_are_clipped_except_in_floating_point(tmp_path: Path) -> None:
    photo = Photo(np.full((3, 3, 3), 2.5, np.float32))
    assert read_photo(write_photo(photo, tmp_path / "a.png")).rgb.max() == 1
    assert read_photo(write_photo(photo, tmp_path / "a.tif", bits=32)).rgb.max() == 2.5


def test_jpeg_is_written_at_full_colour_resolution(tmp_path: Path, photo: Photo) -> None:
    with Image.open(write_photo(photo, tmp_path / "a.jpg")) as image:
        assert image.layer[0][1:3] == image.layer[1][1:3] == (1, 1)
    small = write_photo(photo, tmp_path / "b.jpg", quality=20).stat().st_size
    assert small < (tmp_path / "a.jpg").stat().st_size


def test_noise_at_the_highest_quality(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).uniform(0, 1, (300, 400, 3)).astype(np.float32)
    assert read_photo(write_photo(Photo(rgb), tmp_path / "a.jpg", quality=100)).width == 400


def test_exif_too_long_for_jpeg_loses_the_maker_note_only(tmp_path: Path, photo: Photo) -> None:
    exif = Image.Exif()
    exif.load(exif_block())
    exif.get_ifd(0x8769)[0x927C] = bytes(70_000)
    long = replace(photo.exif, block=exif.tobytes().removeprefix(b"Exif\0\0"))
    again = read_photo(write_photo(replace(photo, exif=long), tmp_path / "a.jpg"))
    assert again.exif.serial == photo.exif.serial
    assert len(again.exif.block or b"") < 1000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_overwritten_unasked(tmp_path: Path, photo: Photo, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"mine")
    with pytest.raises(OutputExistsError, match=r"out\..* exists already"):
        write_photo(photo, path)
    assert path.read_bytes() == b"mine"
    assert write_photo(photo, path, overwrite=True) == path
    assert read_photo(path).width == 24
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == [path.name]


def test_a_name_taken_meanwhile_is_not_overwritten(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.png"
    flush = os.fsync

    def another_program_is_faster(descriptor: int) -> None:
        path.write_bytes(b"mine")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", another_program_is_faster)
    with pytest.raises(OutputExistsError):
        write_photo(photo, path)
    assert path.read_bytes() == b"mine"
    path.unlink()
    monkeypatch.setattr(os, "link", _fail(errno.EPERM))
    with pytest.raises(OutputExistsError):
        write_photo(photo, path)
    assert path.read_bytes() == b"mine"
    assert len(list(tmp_path.glob(".*"))) == 0


def test_drives_without_hard_links(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _fail(errno.ENOTSUP))
    assert read_photo(write_photo(photo, tmp_path / "a.png")).width == 24


def test_the_original_is_never_overwritten(tmp_path: Path, photo: Photo) -> None:
    assert photo.source is not None
    before = photo.source.read_bytes()
    (tmp_path / "link.jpg").symlink_to(photo.source)
    for path in (photo.source, tmp_path / "link.jpg", tmp_path / "in" / ".." / "in" / "a.jpg"):
        with pytest.raises(OutputError, match="originals are never overwritten"):
            write_photo(photo, path, overwrite=True)
    assert photo.source.read_bytes() == before


@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(os, call, _fail(errno.ENOSPC))
    with pytest.raises(OutputError, match=r"out\.tif cannot be written: the disk is full"):
        write_photo(photo, tmp_path / "out.tif", overwrite=True)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_read_only_folder(tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", _fail(errno.EACCES))
    with pytest.raises(OutputError, match="read-only for this user"):
        write_photo(photo, tmp_path / "out.tif")


def test_folders_that_are_none(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        write_photo(photo, tmp_path / "file" / "out.tif")
    with pytest.raises(OutputError, match="does not exist"):
        write_photo(photo, tmp_path / "nowhere" / "out.tif")
    (tmp_path / "dir.tif").mkdir()
    with pytest.raises(OutputError, match=r"dir\.tif is a folder"):
        write_photo(photo, tmp_path / "dir.tif", overwrite=True)
    with pytest.raises(OutputError):
        write_photo(photo, tmp_path / ("n" * 300 + ".tif"))


@pytest.mark.parametrize("name", ["out", "out.gif", "out.cr3", "out.psd"])
def test_formats_that_are_not_written(tmp_path: Path, photo: Photo, name: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"\.jpg \.jpeg \.png .*\.avif"):
        write_photo(photo, tmp_path / name)


def test_arguments_out_of_range(tmp_path: Path, photo: Photo) -> None:
    with pytest.raises(RangeError, match="quality"):
        write_photo(photo, tmp_path / "a.jpg", quality=0)
    with pytest.raises(RangeError, match=r"bits must be 8 for \.jpg, got 16"):
        write_photo(photo, tmp_path / "a.jpg", bits=16)


def test_a_picture_too_wide_for_the_format(tmp_path: Path) -> None:
    photo = Photo(np.zeros((1, 17_000, 3), np.float32))
    with pytest.raises(OutputError, match=r"17000 × 1 picture.*\.tif"):
        write_photo(photo, tmp_path / "a.webp")
    assert list(tmp_path.iterdir()) == []


def test_a_preview_can_be_written(tmp_path: Path, photo: Photo) -> None:
    assert photo.source is not None
    small = open_frame(photo.source).photo(12)
    assert read_photo(write_photo(small, tmp_path / "a.png")).height == 12


@needs_data
def test_a_raw_becomes_a_tiff_with_its_exif(tmp_path: Path) -> None:
    photo = open_frame(DATA / "raw/colorchart.dng").photo(64)
    again = read_photo(write_photo(photo, tmp_path / "a.tif"))
    assert (again.exif.camera, again.exif.exposure_s) == ("Canon EOS Kiss X4", 1.0)
    assert (again.primaries, again.bits) == ("rec2020", 16)
    assert np.abs(again.rgb - np.minimum(photo.rgb, 1)).max() < 1e-4


def _fail(code: int) -> object:
    def call(*args: object, **named: object) -> None:
        raise OSError(code, os.strerror(code))

    return call
