"""PNG, WebP, HEIC and AVIF: containers with pixels, a profile and an EXIF block."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image

from focuskit.color import (
    BT2020_CURVE,
    HLG_CURVE,
    LINEAR_CURVE,
    PQ_CURVE,
    SRGB_CURVE,
    Curve,
    Encoding,
    encoding_of,
    encoding_of_xyz,
    gamma_curve,
    rgb_to_xyz,
)
from focuskit.io.block import orientation_of, says_adobe_rgb
from focuskit.io.complete import check_boxes
from focuskit.io.exif import parse_exif
from focuskit.io.frame import Frame
from focuskit.io.icc import needs_lut, parse_profile, to_srgb
from focuskit.io.quiet import native_noise_held, pillow_warnings_held
from focuskit.io.source import PhotoFile
from focuskit.photo import Primaries

__all__ = ["decode_avif", "decode_heif", "decode_png", "decode_webp"]

_LOG = logging.getLogger(__name__)
_DAMAGED = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError)
_MAX_PROFILE = 16 * 1024 * 1024
# ITU-T H.273, tables 2 and 3.
_CICP_PRIMARIES: dict[int, Primaries] = {1: "srgb", 9: "rec2020", 12: "display-p3"}
_CICP_CURVES: dict[int, Curve] = {
    1: BT2020_CURVE,
    4: gamma_curve(2.2),
    5: gamma_curve(2.8),
    6: BT2020_CURVE,
    8: LINEAR_CURVE,
    13: SRGB_CURVE,
    14: BT2020_CURVE,
    15: BT2020_CURVE,
    16: PQ_CURVE,
    18: HLG_CURVE,
}


def decode_png(file: PhotoFile, min_long_edge: int | None) -> Frame:
    """Decode a PNG of 1 to 16 bits; alpha is ignored. `min_long_edge` is without effect.

    Raises:
        PhotoUnreadableError, PhotoTooLargeError
    """
    chunks: dict[bytes, bytes] = {}
    for name, data in _png_chunks(file.data):
        chunks.setdefault(name, data)
    if len(chunks.get(b"IHDR", b"")) < 13:
        raise file.unreadable("it is a PNG without a header")
    file.check_size(*struct.unpack_from(">II", chunks[b"IHDR"]))
    if b"IEND" not in chunks:
        raise file.unreadable(
            f"it is a truncated PNG: {len(file.data)} bytes, and its end is missing"
        )
    samples = _by_opencv(file, "PNG")
    profile = _png_profile(file, chunks)
    block = chunks.get(b"eXIf")
    default = _png_encoding(chunks)
    return _frame(file, samples, "bgr", profile, block, default, orientation_of(block))


def decode_webp(file: PhotoFile, min_long_edge: int | None) -> Frame:
    """Decode a WebP, of an animation the first frame; `min_long_edge` is without effect.

    Raises:
        PhotoUnreadableError, PhotoTooLargeError
    """
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(file.data):
        name, size = struct.unpack_from("<4sI", file.data, at)
        if at + 8 + size > len(file.data):
            raise file.unreadable(
                f"it is a truncated WebP: {len(file.data)} bytes, and a part reaches to "
                f"{at + 8 + size}"
            )
        chunks.setdefault(name, file.data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    width, height = _webp_size(chunks)
    file.check_size(width, height)
    block = chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0") or None
    samples = _by_opencv(file, "WebP")
    profile = chunks.get(b"ICCP")
    return _frame(file, samples, "bgr", profile, block, None, orientation_of(block))


def decode_heif(file: PhotoFile, min_long_edge: int | None) -> Frame:
    """Decode a HEIC of 8 to 12 bits; `min_long_edge` is without effect.

    The container's own rotation holds; the EXIF orientation only repeats it.

    Raises:
        PhotoUnreadableError, PhotoTooLargeError
    """
    check_boxes(file)
    try:
        image = pillow_heif.open_heif(file.data, convert_hdr_to_8bit=False)
        file.check_size(*image.size)
        samples, info = np.asarray(image), image.info
    except (*_DAMAGED, ValueError, EOFError) as exc:
        raise file.unreadable(f"its HEIC data is truncated or damaged ({exc})".strip()) from exc
    if samples.dtype != np.uint8:
        # libheif shifts 10 or 12 bits up; repeating them below makes white 65535 again.
        samples = samples | (samples >> np.uint16(info.get("bit_depth", 16)))
    nclx = info.get("nclx_profile") or {}
    codes = (nclx.get("color_primaries"), nclx.get("transfer_characteristics"))
    default = _cicp_encoding(*codes) if nclx else None
    block = (info.get("exif") or b"").removeprefix(b"Exif\0\0") or None
    return _frame(file, samples, "rgb", info.get("icc_profile"), block, default, 1)


def decode_avif(file: PhotoFile, min_long_edge: int | None) -> Frame:
    """Decode an AVIF to 8 bits; `min_long_edge` is without effect.

    Raises:
        PhotoUnreadableError, PhotoTooLargeError
    """
    check_boxes(file)
    try:
        with pillow_warnings_held():
            image = AvifImagePlugin.AvifImageFile(io.BytesIO(file.data))
        file.check_size(*image.size)
        image.load()
    except (*_DAMAGED, ValueError) as exc:
        raise file.unreadable(f"its AVIF data is truncated or damaged ({exc})") from exc
    block = image.info.get("exif", b"").removeprefix(b"Exif\0\0") or None
    # Pillow gives the picture as stored and folds the container's rotation into the EXIF tag.
    samples = np.asarray(image.convert("RGB"))
    profile = image.info.get("icc_profile")
    return _frame(file, samples, "rgb", profile, block, _nclx(file.data), orientation_of(block))


def _frame(
    file: PhotoFile,
    samples: NDArray[Any],
    order: str,
    profile: bytes | None,
    block: bytes | None,
    default: Encoding | None,
    orientation: int,
) -> Frame:
    if samples.ndim == 2:
        samples = np.repeat(samples[..., None], 3, axis=2)
    samples = samples[..., :3]
    if profile and needs_lut(profile):
        samples = samples if samples.dtype == np.uint8 else (samples >> 8).astype(np.uint8)
        rgb = samples[..., ::-1] if order == "bgr" else samples
        image = Image.fromarray(np.ascontiguousarray(rgb))
        samples, order, encoding = to_srgb(image, profile, str(file.path)), "rgb", Encoding()
    elif profile:
        encoding = parse_profile(profile, str(file.path))
    else:
        adobe = default is None and says_adobe_rgb(block)
        encoding = encoding_of("adobe-rgb") if adobe else (default or Encoding())
    height, width = samples.shape[:2]
    return Frame(
        samples=samples,
        order="bgr" if order == "bgr" else "rgb",
        orientation=orientation,
        encoding=encoding,
        exif=parse_exif(block, str(file.path), size=(width, height)),
        source=file.path,
        bits=8 if samples.dtype == np.uint8 else 16,
    )


def _by_opencv(file: PhotoFile, kind: str) -> NDArray[Any]:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        with native_noise_held():
            samples = cv2.imdecode(np.frombuffer(file.data, np.uint8), flags)
    except cv2.error as exc:
        raise file.unreadable(f"its {kind} data is damaged ({exc.err})") from exc
    if samples is None:
        raise file.unreadable(f"its {kind} data is truncated or damaged")
    return samples


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + size > len(data):
            return
        # Picture data is left where it is: it may be large, and the decoder reads it itself.
        yield name, b"" if name == b"IDAT" else data[at + 8 : at + 8 + size]
        at += 12 + size


def _png_profile(file: PhotoFile, chunks: dict[bytes, bytes]) -> bytes | None:
    if b"cICP" in chunks or b"iCCP" not in chunks:
        return None  # PNG 3, 4.3: cICP goes before iCCP
    packed = chunks[b"iCCP"].partition(b"\0")[2][1:]
    try:
        return zlib.decompressobj().decompress(packed, _MAX_PROFILE)
    except zlib.error as exc:
        _LOG.warning("%s: its ICC profile is damaged (%s); read as sRGB.", file.path, exc)
        return None


def _png_encoding(chunks: dict[bytes, bytes]) -> Encoding | None:
    if len(chunks.get(b"cICP", b"")) == 4:
        return _cicp_encoding(chunks[b"cICP"][0], chunks[b"cICP"][1])
    if b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != 4:
        return None
    (gamma,) = struct.unpack(">I", chunks[b"gAMA"])
    # 1/2.2 is how writers have said "sRGB" since before there was an sRGB chunk.
    curve = SRGB_CURVE
    if gamma and abs(gamma - 45455) > 10:
        curve = gamma_curve(100_000 / gamma)
    if len(chunks.get(b"cHRM", b"")) != 32:
        return encoding_of("srgb", curve)
    white, *colors = ((x / 1e5, y / 1e5) for x, y in struct.iter_unpack(">II", chunks[b"cHRM"]))
    if any(y <= 0 for _, y in (white, *colors)):
        return encoding_of("srgb", curve)
    return encoding_of_xyz(rgb_to_xyz((*colors, white)), (curve, curve, curve))


def _cicp_encoding(primaries: Any, transfer: Any) -> Encoding:
    curve = _CICP_CURVES.get(int(transfer or 0), SRGB_CURVE)
    return encoding_of(_CICP_PRIMARIES.get(int(primaries or 0), "srgb"), curve)


def _nclx(data: bytes) -> Encoding | None:
    # Pillow does not hand out the colour box of AVIF; the first one belongs to the main picture.
    at = data.find(b"colrnclx", 0, 65536)
    if at < 0 or at + 12 > len(data):
        return None
    return _cicp_encoding(*struct.unpack_from(">HH", data, at + 8))


def _webp_size(chunks: dict[bytes, bytes]) -> tuple[int, int]:
    if len(chunks.get(b"VP8X", b"")) >= 10:
        canvas = chunks[b"VP8X"]
        width, height = (int.from_bytes(canvas[at : at + 3], "little") for at in (4, 7))
        return width + 1, height + 1
    if len(chunks.get(b"VP8L", b"")) >= 5:
        (bits,) = struct.unpack_from("<I", chunks[b"VP8L"], 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(chunks.get(b"VP8 ", b"")) >= 10:
        width, height = struct.unpack_from("<HH", chunks[b"VP8 "], 6)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0
