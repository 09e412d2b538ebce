"""JPEG: decoded by OpenCV, the cheapest picture first; CMYK and oddities by Pillow."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from focuskit.color import Encoding, encoding_of
from focuskit.errors import InputError
from focuskit.io.block import says_adobe_rgb
from focuskit.io.exif import parse_exif
from focuskit.io.frame import Frame
from focuskit.io.icc import needs_lut, parse_profile, to_srgb
from focuskit.io.jpeg_markers import JpegInfo, previews, read_markers
from focuskit.io.quiet import native_noise_held, pillow_warnings_held
from focuskit.io.source import PhotoFile

__all__ = ["decode_embedded", "decode_jpeg"]

_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)
# A preview of another shape is letterboxed or another picture.
_SAME_ASPECT = 0.02


def decode_jpeg(file: PhotoFile, min_long_edge: int | None) -> Frame:
    """Decode a JPEG, or the cheapest picture in it whose long edge is at least `min_long_edge`.

    Args:
        file: JPEG bytes.
        min_long_edge: in pixels; None asks for the full picture.

    Raises:
        PhotoUnreadableError, PhotoTooLargeError, UnsupportedFormatError
    """
    info = read_markers(file)
    exif = parse_exif(info.block, str(file.path), size=(info.width, info.height))
    longest = max(info.width, info.height)
    if min_long_edge is not None and min_long_edge < longest:
        embedded = _decode_preview(file, info, min_long_edge)
        if embedded is not None:
            return replace(embedded, exif=exif)
    factor, flag = 1, cv2.IMREAD_COLOR
    for step, reduced in _REDUCED:
        if min_long_edge is not None and longest // step >= min_long_edge and factor == 1:
            factor, flag = step, reduced
    samples, order = _decode(file, info, flag)
    encoding, samples, order = _to_rgb(file, info, samples, order)
    return Frame(
        samples=samples,
        order="bgr" if order == "bgr" else "rgb",
        orientation=info.orientation,
        encoding=encoding,
        exif=exif,
        source=file.path,
        scale=min(max(samples.shape[:2]) / longest, 1.0),
        decoded_from="full" if max(samples.shape[:2]) == longest else "scaled",
    )


def decode_embedded(data: bytes, outer: PhotoFile) -> tuple[Frame, JpegInfo]:
    """Decode a JPEG that lies within another file.

    Raises:
        PhotoUnreadableError, PhotoTooLargeError, UnsupportedFormatError
    """
    inner = replace(outer, data=data, format="jpeg")
    info = read_markers(inner)
    return decode_jpeg(inner, None), info


def _decode_preview(file: PhotoFile, info: JpegInfo, min_long_edge: int) -> Frame | None:
    longest = max(info.width, info.height)
    for data in previews(file.data, info):
        if data[:2] != b"\xff\xd8":
            continue
        inner = replace(file, data=data)
        try:
            header = read_markers(inner)
            edge = max(header.width, header.height)
            same = abs(header.width / header.height / (info.width / info.height) - 1)
            if not min_long_edge <= edge < longest or same > _SAME_ASPECT:
                continue
            frame = decode_jpeg(inner, None)
        except InputError:
            continue  # a broken preview leaves the picture itself
        # Neither orientation nor profile is always repeated in the preview: the outer one holds.
        encoding = frame.encoding if header.icc or not info.icc else _encoding(file, info)
        return replace(
            frame,
            encoding=encoding,
            orientation=info.orientation,
            scale=edge / longest,
            decoded_from="preview",
        )
    return None


def _decode(file: PhotoFile, info: JpegInfo, flag: int) -> tuple[NDArray[Any], str]:
    if info.components in (1, 3) and info.precision == 8:
        raw = np.frombuffer(file.data, np.uint8)
        try:
            with native_noise_held():
                samples = cv2.imdecode(raw, flag | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error as exc:
            raise file.unreadable(f"its JPEG data is damaged ({exc.err})") from exc
        if samples is not None:
            return samples, "bgr"
    try:
        with pillow_warnings_held():
            image = JpegImagePlugin.JpegImageFile(io.BytesIO(file.data))
        image.load()
    except (OSError, SyntaxError, ValueError, KeyError, IndexError) as exc:
        if info.precision != 8:
            raise file.unsupported(f"a JPEG of {info.precision} bits per sample") from exc
        raise file.unreadable(f"its JPEG data is damaged ({exc})") from exc
    return np.asarray(image), image.mode


def _to_rgb(
    file: PhotoFile, info: JpegInfo, samples: NDArray[Any], order: str
) -> tuple[Encoding, NDArray[Any], str]:
    if order == "CMYK" or (info.icc and needs_lut(info.icc)):
        if order == "bgr":
            samples = cv2.cvtColor(samples, cv2.COLOR_BGR2RGB)
        image = Image.fromarray(samples, "CMYK") if order == "CMYK" else Image.fromarray(samples)
        if info.icc is None:
            # Without a profile nobody knows the inks; this is the guess that viewers show.
            return Encoding(), np.asarray(image.convert("RGB")), "rgb"
        return Encoding(), to_srgb(image, info.icc, str(file.path)), "rgb"
    if samples.ndim == 2:
        samples = cv2.cvtColor(samples, cv2.COLOR_GRAY2RGB)
    return _encoding(file, info), samples, order


def _encoding(file: PhotoFile, info: JpegInfo) -> Encoding:
    if info.icc:
        return parse_profile(info.icc, str(file.path))
    return encoding_of("adobe-rgb" if says_adobe_rgb(info.block) else "srgb")
