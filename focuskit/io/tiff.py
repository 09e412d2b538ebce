"""TIFF of 1 to 32 bits: tifffile, and what it cannot decode alone by OpenCV or Pillow."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin

from focuskit.color import LINEAR_CURVE, Encoding, encoding_of
from focuskit.io.block import rebuild_block, says_adobe_rgb
from focuskit.io.exif import parse_exif
from focuskit.io.frame import Frame
from focuskit.io.icc import needs_lut, parse_profile, to_srgb
from focuskit.io.quiet import native_noise_held, pillow_warnings_held
from focuskit.io.source import PhotoFile

__all__ = ["decode_tiff"]

# tifffile tells about every odd tag through its logger; whoever wants that can add a handler.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_DAMAGED = (
    ArithmeticError,
    AttributeError,
    ImportError,  # of a codec that tifffile loads when it meets it
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_WHITE_IS_ZERO, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 3, 5, 6, 8
_KNOWN = (_WHITE_IS_ZERO, 1, 2, _PALETTE, _CMYK, _YCBCR, _LAB)
_ICC, _ORIENTATION, _SUBFILE = 34675, 274, 254


def decode_tiff(file: PhotoFile, min_long_edge: int | None) -> Frame:
    """Decode the first full-size page of a TIFF.

    Untagged integers are sRGB, untagged floating-point numbers linear light; NaN is refused.

    Args:
        file: TIFF bytes.
        min_long_edge: without effect: TIFF has no cheaper picture.

    Raises:
        PhotoUnreadableError, PhotoTooLargeError, UnsupportedFormatError
    """
    try:
        with tifffile.TiffFile(io.BytesIO(file.data)) as tiff:
            page = _full_page(tiff)
            tags = {code: _tag(page, code) for code in (_ICC, _ORIENTATION)}
            _check(file, page)
            samples, photometric = _samples(file, page)
    except _DAMAGED as exc:
        raise file.unreadable(f"its TIFF structure is damaged ({exc})") from exc
    block = rebuild_block(file.data)
    profile = tags[_ICC] if isinstance(tags[_ICC], bytes) else None
    if profile and profile[16:20] == b"Lab ":
        profile = None  # the samples left L*a*b* already
    encoding, rgb = _to_rgb(file, samples, photometric, profile, block)
    orientation = tags[_ORIENTATION]
    height, width = rgb.shape[:2]
    return Frame(
        samples=rgb,
        orientation=int(orientation) if orientation in range(1, 9) else 1,
        encoding=encoding,
        exif=parse_exif(block, str(file.path), size=(width, height)),
        source=file.path,
        bits={1: 8, 2: 16}.get(rgb.dtype.itemsize, 32),
    )


def _full_page(tiff: Any) -> Any:
    for page in tiff.pages:
        if not (int(_tag(page, _SUBFILE) or 0) & 1):
            return page
    return tiff.pages[0]


def _tag(page: Any, code: int) -> Any:
    tag = page.tags.get(code)
    value = None if tag is None else tag.value
    return int(value) if isinstance(value, int) else value


def _check(file: PhotoFile, page: Any) -> None:
    file.check_size(page.imagewidth, page.imagelength)
    if page.photometric not in _KNOWN:
        raise file.unsupported(f"a TIFF of photometric kind {page.photometric}")
    ends = (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False))
    end = max(ends, default=0)
    if end > len(file.data) or not page.dataoffsets:
        raise file.unreadable(
            f"it is a truncated TIFF: {len(file.data)} bytes, and its picture reaches to {end}"
        )


def _samples(file: PhotoFile, page: Any) -> tuple[NDArray[Any], int]:
    """Return (H, W) or (H, W, S) samples as stored and the photometric kind that they have now."""
    photometric = int(page.photometric)
    if photometric not in (_YCBCR, _LAB):
        try:
            samples = np.asarray(page.asarray())
        except ValueError:
            samples = None  # a codec that tifffile lacks
        if samples is not None and samples.size:
            if page.planarconfig == 2 and samples.ndim == 3:
                samples = np.moveaxis(samples, 0, -1)
            if samples.ndim > 3:
                raise file.unsupported(f"a TIFF page of {samples.ndim} dimensions")
            if photometric == _PALETTE:
                return _through_palette(samples, np.asarray(page.colormap)), 2
            return samples, photometric
    bits = np.max(page.bitspersample)
    return _by_opencv(file, photometric) if bits > 8 else _by_pillow(file)


def _through_palette(indices: NDArray[Any], colormap: NDArray[Any]) -> NDArray[np.uint8]:
    table = colormap.T if colormap.max() < 256 else colormap.T >> 8
    picked = table.astype(np.uint8)[np.minimum(indices, len(table) - 1)]
    return np.asarray(picked, np.uint8)


def _by_opencv(file: PhotoFile, photometric: int) -> tuple[NDArray[Any], int]:
    flags = cv2.IMREAD_UNCHANGED
    try:
        with native_noise_held():
            samples = cv2.imdecode(np.frombuffer(file.data, np.uint8), flags)
    except cv2.error as exc:
        raise file.unreadable(f"its TIFF data is damaged ({exc.err})") from exc
    if samples is None or photometric not in (0, 1, 2):
        raise file.unsupported("a TIFF whose compression or colour kind no decoder here knows")
    if samples.ndim == 3 and samples.shape[2] >= 3:
        samples = samples[..., 2::-1]
    return samples, photometric


def _by_pillow(file: PhotoFile) -> tuple[NDArray[Any], int]:
    with pillow_warnings_held(), native_noise_held():
        try:
            image: Image.Image = TiffImagePlugin.TiffImageFile(io.BytesIO(file.data))
            image.load()
        except (*_DAMAGED, Image.DecompressionBombError) as exc:
            raise file.unreadable(f"its TIFF data is truncated or damaged ({exc})") from exc
    if image.mode == "CMYK":
        return np.asarray(image), _CMYK
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        return np.asarray(converted), 2
    return np.asarray(image.convert("RGB")), 2


def _to_rgb(
    file: PhotoFile,
    samples: NDArray[Any],
    photometric: int,
    profile: bytes | None,
    block: bytes | None,
) -> tuple[Encoding, NDArray[Any]]:
    linear = samples.dtype.kind == "f"
    values = _standard_type(file, samples)
    if photometric == _WHITE_IS_ZERO:
        values = 1 - values if values.dtype == np.float32 else np.invert(values)
    if values.ndim == 2 or values.shape[2] < 3:
        gray = values if values.ndim == 2 else values[..., 0]
        values = np.repeat(gray[..., None], 3, axis=2)
    if photometric == _CMYK:
        return _from_cmyk(file, values, profile)
    values = np.ascontiguousarray(values[..., :3])
    if profile and needs_lut(profile):
        values = _eight_bit(values)
        return Encoding(), to_srgb(Image.fromarray(values), profile, str(file.path))
    if profile:
        return parse_profile(profile, str(file.path)), values
    if linear:
        return encoding_of("srgb", LINEAR_CURVE), values
    return encoding_of("adobe-rgb" if says_adobe_rgb(block) else "srgb"), values


def _from_cmyk(
    file: PhotoFile, values: NDArray[Any], profile: bytes | None
) -> tuple[Encoding, NDArray[Any]]:
    if values.shape[2] < 4:
        raise file.unsupported(f"a TIFF of {values.shape[2]} inks")
    image = Image.fromarray(np.ascontiguousarray(_eight_bit(values)[..., :4]), "CMYK")
    if profile is None:
        return Encoding(), np.asarray(image.convert("RGB"))
    return Encoding(), to_srgb(image, profile, str(file.path))


def _eight_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype == np.float32:
        return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)
    return np.asarray(values >> 8, np.uint8) if values.dtype == np.uint16 else values


def _standard_type(file: PhotoFile, samples: NDArray[Any]) -> NDArray[Any]:
    """Return uint8, uint16 or finite float32 >= 0, white at the largest integer or 1."""
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * np.uint8(255)
    if samples.dtype.kind == "u" and samples.dtype.itemsize <= 2:
        return samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if samples.dtype.kind == "u":
        return (samples / np.iinfo(samples.dtype).max).astype(np.float32)
    if samples.dtype.kind != "f":
        raise file.unsupported(f"a TIFF of {samples.dtype} samples")
    with np.errstate(over="ignore"):
        values = samples.astype(np.float32)
    broken = int(values.size - np.count_nonzero(np.isfinite(values)))
    if broken:
        raise file.unreadable(f"{broken} of its {values.size} values are NaN or infinite")
    return np.maximum(values, np.float32(0))
