from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
import rawpy
import tifffile
from PIL import Image

from focuskit.errors import (
    FocuskitError,
    PhotoTooLargeError,
    PhotoUnreadableError,
    RangeError,
    UnsupportedFormatError,
)
from focuskit.io import open_frame, read_photo, read_preview
from focuskit.photo import Photo
from tests.unit.io._make import DATA, exif_block, needs_data, picture, real_files, save


@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", real_files("exif", "raw"), ids=lambda path: path.name)
def test_real_files_open_or_say_why(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for read in (read_photo, read_preview):
        assert _opens_or_says_why(read, path)
    assert capfd.readouterr() == ("", "")


@needs_data
@pytest.mark.timeout(60)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
@pytest.mark.parametrize(
    "name", ["Blackmagic.dng", "colorchart.dng", "RAW_KODAK_DC50_é.KDC", "Nikon_uncompressed.nef"]
)
def test_truncated_raw(
    tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = _cut(DATA / "raw" / name, tmp_path, share)
    for read in (read_photo, read_preview):
        with pytest.raises(PhotoUnreadableError, match=name):
            read(path)
    assert capfd.readouterr() == ("", "")


@needs_data
@pytest.mark.parametrize("share", [0.001, 0.3, 0.66, 0.999])
def test_truncated_heic_of_a_phone(tmp_path: Path, share: float) -> None:
    path = _cut(DATA / "exif/heic/IMG_5195.HEIC", tmp_path, share)
    with pytest.raises((PhotoUnreadableError, UnsupportedFormatError), match="IMG_5195"):
        read_photo(path)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9, 0.995])
@pytest.mark.parametrize(
    "suffix", ["jpg", "prog.jpg", "png", "tif", "lzw.tif", "webp", "heic", "avif"]
)
def test_truncated_files(
    tmp_path: Path, suffix: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    whole = tmp_path / f"whole.{suffix}"
    if suffix == "heic":
        pillow_heif.from_bytes("RGB", (300, 200), pixels.tobytes()).save(whole, quality=90)
    else:
        extra = {"prog.jpg": {"progressive": True}, "lzw.tif": {"compression": "tiff_lzw"}}
        save(whole, pixels, **extra.get(suffix, {}))
    assert read_photo(whole).width == 300
    (tmp_path / "cut").mkdir()
    path = _cut(whole, tmp_path / "cut", share)
    with pytest.raises(PhotoUnreadableError, match="whole"):
        read_photo(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "lzw.tif", "webp", "heic", "avif"])
def test_damage_anywhere_is_an_error_or_a_picture(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (40, 60, 3), np.uint8)
    path = tmp_path / f"a.{suffix}"
    if suffix == "heic":
        pillow_heif.from_bytes("RGB", (60, 40), pixels.tobytes()).save(path, quality=50)
    else:
        options = {"lzw.tif": {"compression": "tiff_lzw"}, "avif": {}}
        save(path, pixels, **options.get(suffix, {"exif": exif_block()}))
    whole = path.read_bytes()
    for _ in range(60):
        broken = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 900), 4):
            broken[at] = rng.integers(256)
        path.write_bytes(bytes(broken))
        assert _opens_or_says_why(partial(read_photo, max_megapixels=1), path)
    assert capfd.readouterr() == ("", "")


def test_bit_rot_in_a_jpeg_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / "a.jpg", picture(300, 400), quality=95)
    rotten = bytearray(path.read_bytes())
    rotten[-2000:-1500] = bytes(500)
    path.write_bytes(bytes(rotten))
    read_photo(path)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PhotoUnreadableError, match=r"gone\.jpg does not exist"):
        read_photo(tmp_path / "gone.jpg")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "none.jpg").touch()
    with pytest.raises(PhotoUnreadableError, match=r"none\.jpg is empty \(0 bytes\)"):
        read_photo(tmp_path / "none.jpg")


def test_a_folder_named_like_a_photo(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(PhotoUnreadableError, match=r"a\.jpg is a folder"):
        read_photo(tmp_path / "a.jpg")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.jpg", picture())

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PhotoUnreadableError, match=r"a\.jpg may not be read"):
        read_photo(path)


def test_a_broken_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.jpg", picture())

    def fail(self: Path, mode: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(PhotoUnreadableError, match="Input/output error"):
        read_photo(path)


def test_an_impossible_name() -> None:
    with pytest.raises(PhotoUnreadableError):
        read_photo("a\0b.jpg")


@pytest.mark.parametrize("name", ["text.jpg", "text.nef", "text.tif"])
def test_a_text_file_called_a_photo(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("no photo at all\n" * 3)
    with pytest.raises(UnsupportedFormatError, match=name):
        read_photo(tmp_path / name)


def test_a_long_text_file_called_raw(tmp_path: Path) -> None:
    (tmp_path / "text.nef").write_text("no photo at all\n" * 3000)
    with pytest.raises(UnsupportedFormatError, match=r"text\.nef.*LibRaw"):
        read_photo(tmp_path / "text.nef")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif", "heic"])
def test_too_many_megapixels_names_size_limit_and_remedy(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    pixels = picture(1000, 2000)
    if suffix == "heic":
        pillow_heif.from_bytes("RGB", (2000, 1000), pixels.tobytes()).save(path, quality=10)
    else:
        save(path, pixels)
    wanted = r"a\..* has 2000 × 1000 = 2 megapixels, the limit is 1\.5\..*--max-megapixels"
    with pytest.raises(PhotoTooLargeError, match=wanted):
        open_frame(path, max_megapixels=1.5)


@needs_data
def test_too_large_a_raw() -> None:
    with pytest.raises(PhotoTooLargeError, match=r"Blackmagic\.dng has 4128 × 2176"):
        read_preview(DATA / "raw/Blackmagic.dng", max_megapixels=5)


def test_the_limit_is_checked_before_decoding(tmp_path: Path) -> None:
    # A header that claims 30000 × 30000 pixels over no data: decoding would need 2.7 GB.
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", 0)
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(PhotoTooLargeError, match="900 megapixels"):
        read_photo(tmp_path / "bomb.png")


def test_the_limit_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.png", picture(100, 100))
    monkeypatch.setenv("FOCUSKIT_MAX_MEGAPIXELS", "0.001")
    with pytest.raises(PhotoTooLargeError, match=r"0\.001"):
        read_photo(path)
    assert read_photo(path, max_megapixels=1).width == 100
    monkeypatch.setenv("FOCUSKIT_MAX_MEGAPIXELS", "many")
    with pytest.raises(RangeError, match=r"FOCUSKIT_MAX_MEGAPIXELS must be a number.*'many'"):
        read_photo(path)


def test_pillow_keeps_its_own_limit(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    read_photo(save(tmp_path / "a.jpg", Image.fromarray(picture()).convert("CMYK")))
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_nonsensical_limits(tmp_path: Path, value: float) -> None:
    path = save(tmp_path / "a.jpg", picture())
    with pytest.raises(RangeError):
        read_photo(path, max_megapixels=value)
    with pytest.raises(RangeError):
        read_preview(path, min_long_edge=value)


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 41, 5), (38, 0, 5, 5), (0, 0, 0, 5)])
def test_crops_outside_of_the_picture(tmp_path: Path, box: tuple[int, int, int, int]) -> None:
    frame = open_frame(save(tmp_path / "a.png", picture()))
    with pytest.raises(RangeError, match=r"lie within 40 × 24"):
        frame.crop(*box)


def test_a_shrunk_photo_has_at_least_a_pixel(tmp_path: Path) -> None:
    frame = open_frame(save(tmp_path / "a.png", picture()))
    assert frame.photo(1).rgb.shape == (1, 1, 3)
    with pytest.raises(RangeError, match="long_edge"):
        frame.photo(0)


def test_unknown_kinds_of_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.complex64))
    with pytest.raises(UnsupportedFormatError, match="complex64"):
        read_photo(tmp_path / "a.tif")


def test_an_error_of_opencv_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.jpg", picture())

    def fail(*args: object) -> None:
        raise cv2.error("out of memory")

    monkeypatch.setattr(cv2, "imdecode", fail)
    with pytest.raises(PhotoUnreadableError, match=r"a\.jpg"):
        read_photo(path)


def test_an_error_of_libraw_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.nef"
    path.write_bytes(b"II*\0" + bytes(6000))

    def fail(*args: object) -> None:
        raise rawpy.LibRawUnsufficientMemoryError(b"Unsufficient memory")

    monkeypatch.setattr(rawpy, "imread", fail)
    with pytest.raises(PhotoUnreadableError, match="Unsufficient memory"):
        read_photo(path)


def _opens_or_says_why(read: Callable[[Path], Photo], path: Path) -> bool:
    try:
        return bool(np.isfinite(read(path).rgb).all())
    except FocuskitError as exc:
        return path.name in str(exc)


def _cut(source: Path, folder: Path, share: float) -> Path:
    data = source.read_bytes()
    path = folder / source.name
    path.write_bytes(data[: max(int(len(data) * share), 1)])
    return path
