"""From a shot to the bytes of its file."""

from __future__ import annotations

import io
import zlib
from fractions import Fraction
from pathlib import PurePath

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms

from focuskit.color import encode_srgb
from samplemaker import camera
from samplemaker.exif import exif_block, exif_ifd, first_ifd_entries
from samplemaker.shots import Shot
from samplemaker.sources import read_bytes, read_linear
from samplemaker.tiff import Ifd, Value, tiff_bytes

__all__ = ["photo_bytes"]

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED, _SRATIONAL = 1, 2, 3, 4, 5, 7, 10

# XYZ (D65) -> linear sRGB, IEC 61966-2-1.
_SRGB_FROM_XYZ = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.969266, 1.8760108, 0.041556],
     [0.0556434, -0.2040259, 1.0572252]]
)  # fmt: skip


def photo_bytes(shot: Shot) -> bytes:
    """Return the file that the camera wrote for `shot`; the same bytes every time."""
    if shot.how == "untouched":
        return _with_exif(read_bytes(shot.source), shot)
    light = _light(shot)
    suffix = PurePath(shot.file).suffix.lower()
    # A RAW+JPEG pair is one exposure: its two files share every grain of noise.
    rng = np.random.default_rng(zlib.crc32(PurePath(shot.file).stem.encode()))
    if shot.how == "mosaic":
        mosaic = camera.expose_mosaic(light, shot.settings.iso, rng)
        encoded = encode_srgb(camera.develop(mosaic))
        encoded = camera.sharpen(encoded, shot.settings.iso)
        return _dng(mosaic, encoded, shot) if suffix == ".dng" else _jpeg(encoded, shot)
    counted = camera.add_noise(_stored(light, shot.orientation), shot.settings.iso, rng)
    write = {".jpg": _jpeg, ".tif": _tiff, ".heic": _heic}[suffix]
    return write(encode_srgb(counted), shot)


def _light(shot: Shot) -> NDArray[np.float32]:
    """Return the light on the sensor: every blur is drawn here, before noise and encoding."""
    scene, took = read_linear(shot.source), shot.took
    if took.highlight_peak > 1:
        scene = camera.lift_highlights(scene, took.highlight_peak)
    if took.turn_deg:
        scene = camera.turn(scene, took.turn_deg)
    scene = camera.blur(scene, took.coc_diameter_px, took.motion_px, took.motion_deg)
    x, y, width, height = shot.crop
    return np.ascontiguousarray(scene[y : y + height, x : x + width]) * np.float32(2**took.ev)


def _stored(upright: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Return the picture as a camera held that way stores it: the inverse of what the tag asks."""
    transposed = upright.transpose(1, 0, 2)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: transposed,
        6: transposed[::-1],
        7: transposed[::-1, ::-1],
        8: transposed[:, ::-1],
    }[orientation]
    return np.ascontiguousarray(stored)


def _levels(encoded: NDArray[np.float32], white: int) -> NDArray[np.float32]:
    return np.asarray(np.rint(np.clip(encoded, 0, 1) * white), np.float32)


def _jpeg(encoded: NDArray[np.float32], shot: Shot, quality: int = 93) -> bytes:
    rgb = _levels(encoded, 255).astype(np.uint8)
    block = exif_block(shot, rgb.shape[1], rgb.shape[0])
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality, subsampling="4:2:2", exif=block)
    return out.getvalue()


def _heic(encoded: NDArray[np.float32], shot: Shot) -> bytes:
    rgb = _levels(encoded, 255).astype(np.uint8)
    block = exif_block(shot, rgb.shape[1], rgb.shape[0])
    out = io.BytesIO()
    heif = pillow_heif.from_pillow(Image.fromarray(rgb))
    heif.save(out, quality=75, exif=block)
    return out.getvalue()


def _with_exif(jpeg: bytes, shot: Shot) -> bytes:
    """Return the JPEG with an EXIF segment, its compressed pixels as they were."""
    width, height = shot.crop[2:]
    block = exif_block(shot, width, height)
    segment = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    return jpeg[:2] + segment + jpeg[2:]


def _tiff(encoded: NDArray[np.float32], shot: Shot) -> bytes:
    rgb = _levels(encoded, 65_535).astype("<u2")
    height, width = rgb.shape[:2]
    entries = {
        **first_ifd_entries(shot),
        **_picture(width, height, bits=16, samples=3, compression=1, photometric=2),
        0x8773: (_UNDEFINED, _srgb_profile()),
    }
    return tiff_bytes(Ifd(entries, strip=rgb.tobytes(), exif=exif_ifd(shot, width, height)))


def _picture(
    width: int, height: int, *, bits: int, samples: int, compression: int, photometric: int
) -> dict[int, tuple[int, Value]]:
    return {
        0x0100: (_LONG, width),
        0x0101: (_LONG, height),
        0x0102: (_SHORT, [bits] * samples),
        0x0103: (_SHORT, compression),
        0x0106: (_SHORT, photometric),
        0x0115: (_SHORT, samples),
        0x0116: (_LONG, height),
        0x011C: (_SHORT, 1),
    }


def _srgb_profile() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # The header carries the moment of creation; fixed, so that the file is the same every time.
    profile[24:36] = b"".join(part.to_bytes(2, "big") for part in (2024, 1, 1, 0, 0, 0))
    return bytes(profile)


def _dng(mosaic: NDArray[np.uint16], encoded: NDArray[np.float32], shot: Shot) -> bytes:
    height, width = mosaic.shape
    rgb = _levels(encoded, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=85, subsampling="4:2:0")
    color_matrix = (camera.CAMERA_FROM_SRGB @ _SRGB_FROM_XYZ).ravel()
    preview = {
        **first_ifd_entries(shot),
        **_picture(width, height, bits=8, samples=3, compression=7, photometric=6),
        0x00FE: (_LONG, 1),
        0x0212: (_SHORT, [2, 2]),
        0xC612: (_BYTE, [1, 4, 0, 0]),
        0xC613: (_BYTE, [1, 1, 0, 0]),
        0xC614: (_ASCII, shot.body.model),
        0xC621: (_SRATIONAL, [Fraction(round(value * 10_000), 10_000) for value in color_matrix]),
        0xC628: (_RATIONAL, [Fraction(str(value)) for value in camera.NEUTRAL]),
        0xC62F: (_ASCII, shot.body.serial),
        0xC65A: (_SHORT, 21),  # D65
    }
    raw = {
        **_picture(width, height, bits=16, samples=1, compression=1, photometric=32_803),
        0x00FE: (_LONG, 0),
        0x828D: (_SHORT, [2, 2]),
        0x828E: (_BYTE, [0, 1, 1, 2]),
        0xC616: (_BYTE, [0, 1, 2]),
        0xC617: (_SHORT, 1),
        0xC61A: (_SHORT, camera.BLACK_LEVEL),
        0xC61D: (_SHORT, camera.WHITE_LEVEL),
        0xC61F: (_LONG, [0, 0]),
        0xC620: (_LONG, [width, height]),
        0xC68D: (_LONG, [0, 0, height, width]),
    }
    first = Ifd(preview, strip=out.getvalue(), exif=exif_ifd(shot, width, height))
    first.sub = Ifd(raw, strip=mosaic.astype("<u2").tobytes())
    return tiff_bytes(first)
