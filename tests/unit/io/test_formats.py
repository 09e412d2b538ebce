from __future__ import annotations

import io
import shutil
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from focuskit.color import encode_srgb, linearise_srgb
from focuskit.errors import PhotoUnreadableError, UnsupportedFormatError
from focuskit.io import open_frame, read_photo, read_preview
from tests.unit.io._make import exif_block, picture, save


def encoded(path: Path, white: int = 255) -> np.ndarray:
    return np.rint(encode_srgb(read_photo(path).rgb) * white).astype(int)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_every_orientation_is_applied_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    options = {"webp": {"lossless": True}, "jpg": {"quality": 95, "subsampling": 0}}
    block = exif_block(orientation)
    exif = Image.Exif()
    exif.load(block)
    path = save(tmp_path / f"a.{suffix}", picture(), exif=exif, **options.get(suffix, {}))
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    found = encoded(path)
    assert found.shape == upright.shape
    # Two JPEG decoders may differ by rounding; the lossless formats may not.
    assert np.abs(found - upright).max() <= (1 if suffix == "jpg" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_crop_is_that_part_of_the_photo(tmp_path: Path, orientation: int) -> None:
    path = save(tmp_path / "a.png", picture(), exif=exif_block(orientation))
    frame = open_frame(path)
    whole = frame.photo().rgb
    assert (frame.height, frame.width) == whole.shape[:2]
    part = frame.crop(3, 5, 11, 7)
    assert np.array_equal(part.rgb, whole[5:12, 3:14])
    assert part.rgb.flags.c_contiguous


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "heic", "avif"])
def test_colour_pictures_of_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"é 写真.{suffix}"
    pixels = picture(64, 96)
    if suffix == "heic":
        pillow_heif.from_bytes("RGB", (96, 64), pixels.tobytes()).save(path, quality=95, chroma=444)
    else:
        save(path, pixels, quality=95)
    photo = read_photo(path)
    assert photo.rgb.dtype == np.float32
    assert (photo.bits, photo.scale, photo.decoded_from) == (8, 1.0, "full")
    assert photo.source == path
    assert np.abs(encoded(path) - pixels).max() <= (25 if suffix == "webp" else 12)


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [(suffix, mode) for suffix in ("png", "tif") for mode in ("1", "L", "LA", "P", "RGBA", "I;16")]
    + [("tif", "CMYK"), ("jpg", "L"), ("jpg", "CMYK"), ("webp", "L"), ("webp", "RGBA")],
)
def test_every_mode(tmp_path: Path, suffix: str, mode: str) -> None:
    image = Image.fromarray(picture())
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    path = tmp_path / f"a.{suffix}"
    image.save(path, lossless=True)
    if mode == "I;16":
        wanted = np.repeat((np.asarray(image) // 257)[..., None], 3, axis=2)
    else:
        with Image.open(path) as stored:
            wanted = np.asarray(stored.convert("RGBA" if mode == "RGBA" else "RGB"))[..., :3]
    assert np.abs(encoded(path) - wanted.astype(int)).max() <= 1


@pytest.mark.parametrize(
    "compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]
)
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "CMYK", "RGBA", "1"])
def test_tiff_compressions(tmp_path: Path, compression: str | None, mode: str) -> None:
    if compression == "jpeg" and mode in ("P", "1"):
        mode = "L"  # JPEG holds no palette and no bits
    path = save(
        tmp_path / "a.tif", Image.fromarray(picture()).convert(mode), compression=compression
    )
    with Image.open(path) as stored:
        wanted = np.asarray(stored.convert("RGBA" if mode == "RGBA" else "RGB"))[..., :3]
    assert np.abs(encoded(path) - wanted.astype(int)).max() <= 1


def test_group_4_fax(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", Image.fromarray(picture()).convert("1"), compression="group4")
    assert set(np.unique(encoded(path))) <= {0, 255}


def test_white_is_zero(tmp_path: Path) -> None:
    gray = picture()[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", gray, photometric="miniswhite")
    assert np.array_equal(encoded(tmp_path / "a.tif")[..., 0], 255 - gray.astype(int))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_of_16_bits_keeps_them(
    tmp_path: Path, planar: str, byteorder: str, compression: str | None
) -> None:
    pixels = picture().astype(np.uint16) * 257 + 3
    stored = np.moveaxis(pixels, -1, 0) if planar == "separate" else pixels
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.ascontiguousarray(stored),
        photometric="rgb",
        planarconfig=planar,
        byteorder=byteorder,
        compression=compression,
    )
    assert read_photo(tmp_path / "a.tif").bits == 16
    assert np.array_equal(encoded(tmp_path / "a.tif", 65535), pixels)


def test_lzw_tiff_of_16_bits(tmp_path: Path) -> None:
    pixels = picture().astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "a.tif"), pixels[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    assert np.array_equal(encoded(tmp_path / "a.tif", 65535), pixels)


def test_png_of_16_bits_with_alpha(tmp_path: Path) -> None:
    pixels = picture().astype(np.uint16) * 257 + 5
    alpha = np.full((*pixels.shape[:2], 1), 9, np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), np.concatenate([pixels[..., ::-1], alpha], axis=-1))
    assert read_photo(tmp_path / "a.png").bits == 16
    assert np.array_equal(encoded(tmp_path / "a.png", 65535), pixels)


def test_heic_of_10_bits_has_a_white_white(tmp_path: Path) -> None:
    white = np.full((64, 64, 3), 65535, np.uint16)
    pillow_heif.from_bytes("RGB;16", (64, 64), white.tobytes()).save(tmp_path / "a.heic")
    photo = read_photo(tmp_path / "a.heic")
    assert photo.bits == 16
    assert photo.rgb.max() == pytest.approx(1, abs=0.002)


def test_floating_point_tiff_is_linear_light(tmp_path: Path) -> None:
    values = np.array([[[-0.5, 0.25, 4.0]]], np.float32)
    for dtype in (np.float16, np.float32, np.float64):
        tifffile.imwrite(tmp_path / "a.tif", values.astype(dtype), photometric="rgb")
        photo = read_photo(tmp_path / "a.tif")
        assert photo.bits == 32
        assert photo.rgb.tolist() == [[[0.0, 0.25, 4.0]]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_refused_with_a_count(tmp_path: Path, bad: float) -> None:
    values = np.ones((4, 5, 3), np.float32)
    values[1, 2, :2] = bad
    tifffile.imwrite(tmp_path / "holes.tif", values, photometric="rgb")
    with pytest.raises(PhotoUnreadableError, match=r"holes\.tif.* 2 of its 60 values are NaN"):
        read_photo(tmp_path / "holes.tif")


def test_integer_depths_beyond_16_and_below_8(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((3, 3, 3), 2**31, np.uint32), photometric="rgb")
    assert read_photo(tmp_path / "a.tif").rgb[0, 0, 0] == pytest.approx(
        float(linearise_srgb(np.array([0.5], np.float32))[0]), abs=1e-5
    )
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((3, 3), np.int16))
    with pytest.raises(UnsupportedFormatError, match="int16"):
        read_photo(tmp_path / "b.tif")


def test_lab_tiff(tmp_path: Path) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.fromarray(picture()), srgb, lab, outputMode="LAB")
    path = save(tmp_path / "a.tif", image)
    # The corners of this picture lie where 8-bit L*a*b* is coarse.
    assert np.abs(encoded(path) - picture()).mean() <= 2


@pytest.mark.parametrize(("content", "suffix"), [("png", "jpg"), ("jpeg", "nef"), ("webp", "tif")])
def test_misnamed_files_open_by_content(tmp_path: Path, content: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture()).save(path, content)
    assert read_photo(path).rgb.shape == (24, 40, 3)


def test_a_plain_tiff_with_a_raw_suffix_opens(tmp_path: Path) -> None:
    path = tmp_path / "developed.dng"
    Image.fromarray(picture()).save(path, "TIFF")
    assert np.array_equal(encoded(path), picture())


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (3, 3)])
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_tiny_pictures(tmp_path: Path, shape: tuple[int, int], suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", picture(*shape))
    assert read_photo(path).rgb.shape == (*shape, 3)
    assert open_frame(path).photo(2).rgb.shape[2] == 3


def test_adobe_cmyk_jpeg_goes_through_its_profile(tmp_path: Path) -> None:
    image = Image.fromarray(picture()).convert("CMYK")
    plain = save(tmp_path / "plain.jpg", image, quality=95)
    with Image.open(plain) as stored:
        wanted = np.asarray(stored.convert("RGB")).astype(int)
    assert np.abs(encoded(plain) - wanted).max() <= 1
    odd = save(tmp_path / "odd.jpg", image, quality=95, icc_profile=b"nonsense")
    assert np.abs(encoded(odd) - wanted).max() <= 1


def test_gray_jpeg_with_exif(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", picture()[..., 0], exif=exif_block(6))
    assert read_photo(path).rgb.shape == (40, 24, 3)


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.fromarray(picture()), Image.fromarray(255 - picture())]
    path = tmp_path / "a.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    assert np.array_equal(encoded(path), picture())


def test_previews_tell_which_picture_they_are(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", picture(1200, 1601), exif=exif_block(6))
    for wanted, size, origin in ((1601, 1601, "full"), (800, 801, "scaled"), (300, 401, "scaled")):
        preview = read_preview(path, min_long_edge=wanted)
        assert (preview.height, preview.decoded_from) == (size, origin)
        assert preview.scale == pytest.approx(size / 1601)
        assert preview.exif.camera == "Canon EOS R5"
    assert read_preview(path, min_long_edge=9000).decoded_from == "full"


def test_an_embedded_preview_is_taken_where_large_enough(tmp_path: Path) -> None:
    small, large = io.BytesIO(), io.BytesIO()
    Image.fromarray(picture(300, 400)).save(small, "JPEG")
    Image.fromarray(picture(1200, 1600)).save(large, "JPEG", exif=exif_block(6))
    path = tmp_path / "a.jpg"
    path.write_bytes(_with_mpf(large.getvalue(), small.getvalue()))
    preview = read_preview(path, min_long_edge=400)
    assert (preview.width, preview.height) == (300, 400)
    assert (preview.decoded_from, preview.scale) == ("preview", 0.25)
    assert preview.exif.f_number == 2.8
    assert read_preview(path, min_long_edge=401).decoded_from == "scaled"


def _with_mpf(main: bytes, preview: bytes) -> bytes:
    # CIPA DC-007: APP2 "MPF\0", a TIFF structure with version, count and one entry per picture.
    def structure(offset: int) -> bytes:
        entries = b"".join(
            (kind.to_bytes(4, "little") + size.to_bytes(4, "little") + at.to_bytes(4, "little"))
            + bytes(4)
            for kind, size, at in ((0x030000, len(main), 0), (0x010002, len(preview), offset))
        )
        ifd = b"\x03\0" + b"\x00\xb0\x07\0\x04\0\0\x000100"
        ifd += b"\x01\xb0\x04\0\x01\0\0\0\x02\0\0\0"
        ifd += (
            b"\x02\xb0\x07\0" + (32).to_bytes(4, "little") + (8 + 2 + 36 + 4).to_bytes(4, "little")
        )
        return b"MPF\0II*\0\x08\0\0\0" + ifd + bytes(4) + entries

    size = len(structure(0))
    segment_at = 2
    base = segment_at + 4 + 4
    total = len(main) + 4 + size
    body = structure(total - base)
    return main[:2] + b"\xff\xe2" + (size + 2).to_bytes(2, "big") + body + main[2:] + preview


def test_shrinking_keeps_the_mean_and_the_shape(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", picture(301, 403), exif=exif_block(8))
    frame = open_frame(path)
    photo = frame.photo(100)
    assert max(photo.height, photo.width) == 100
    assert photo.scale == pytest.approx(100 / 403)
    assert photo.rgb.mean() == pytest.approx(frame.photo().rgb.mean(), rel=0.02)
    assert frame.photo(5000).scale == 1.0


def test_a_frame_is_not_changed_by_its_photos(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((4, 4, 3), np.float32), photometric="rgb")
    frame = open_frame(tmp_path / "a.tif")
    assert not np.shares_memory(frame.photo().rgb, frame.samples)


def test_folders_of_any_name_do(tmp_path: Path) -> None:
    folder = tmp_path / "Fotos (ö) #1%"
    folder.mkdir()
    shutil.copy(save(tmp_path / "a.jpg", picture()), folder / "ü.JPG")
    assert read_photo(folder / "ü.JPG").width == 40
