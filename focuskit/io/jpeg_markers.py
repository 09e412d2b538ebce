"""The segments of a JPEG: size, EXIF, ICC, embedded previews, and whether the end is there."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from focuskit.io.block import orientation_of
from focuskit.io.ifd import first_ifd, read_header, read_ifd
from focuskit.io.source import PhotoFile

__all__ = ["JpegInfo", "previews", "read_markers"]

_SOI, _SOS, _EOI = 0xD8, 0xDA, 0xD9
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD9)))
# CIPA DC-007: "large thumbnail" of VGA and of full-HD class; every other kind is another picture.
_MPF_PREVIEWS = (0x010001, 0x010002)
_TAIL = 65536


@dataclass(frozen=True, slots=True)
class JpegInfo:
    """What the header of a JPEG says.

    Attributes:
        width: of the stored picture, in pixels.
        height: of the stored picture, in pixels.
        components: 1 gray, 3 colour, 4 CMYK.
        precision: bits per sample.
        block: EXIF, as a TIFF structure; None where there is none.
        icc: the ICC profile, put together; None where there is none.
        mpf: (TIFF structure, its place in the file) of the multi-picture index, or None.
    """

    width: int
    height: int
    components: int
    precision: int
    block: bytes | None
    icc: bytes | None
    mpf: tuple[bytes, int] | None

    @property
    def orientation(self) -> int:
        """EXIF orientation, 1 to 8."""
        return orientation_of(self.block)


def read_markers(file: PhotoFile) -> JpegInfo:
    """Read the segments up to the picture data and check that the picture has its end.

    Raises:
        PhotoUnreadableError: no picture, or it is cut off: libjpeg would fill the rest with gray.
        PhotoTooLargeError: too many pixels.
    """
    data, frame = file.data, None
    block, mpf, chunks, start = None, None, dict[int, bytes](), 0
    for marker, at, end in _segments(data):
        payload = data[at:end] if marker in (0xE1, 0xE2) or marker in _FRAMES else b""
        if marker in _FRAMES and len(payload) >= 6 and frame is None:
            frame = struct.unpack_from(">BHHB", payload)
        elif marker == 0xE1 and payload.startswith(b"Exif\0") and block is None:
            block = payload[6:]
        elif marker == 0xE2 and payload.startswith(b"ICC_PROFILE\0") and len(payload) > 14:
            chunks[payload[12]] = payload[14:]
        elif marker == 0xE2 and payload.startswith(b"MPF\0"):
            mpf = (payload[4:], at + 4)
        elif marker == _SOS:
            start = end
    if frame is None or not start:
        raise file.unreadable("it is a JPEG that ends before its picture begins (truncated)")
    precision, height, width, components = frame
    file.check_size(width, height)
    # Entropy-coded bytes are stuffed, so the two bytes of an end marker occur nowhere but there;
    # the tail of the file is where it usually is.
    tail = max(start, len(data) - _TAIL)
    if data.find(b"\xff\xd9", tail) < 0 and data.find(b"\xff\xd9", start) < 0:
        raise file.unreadable(
            f"it is a truncated JPEG: {len(data)} bytes, and the end of the picture is missing"
        )
    icc = b"".join(chunks[index] for index in sorted(chunks)) or None
    return JpegInfo(width, height, components, precision, block, icc, mpf)


def previews(data: bytes, info: JpegInfo) -> Iterator[bytes]:
    """Yield the smaller JPEGs of the same picture that a JPEG carries, as they lie in the file."""
    if info.mpf is not None:
        yield from _mpf_previews(data, *info.mpf)
    header = read_header(info.block) if info.block else None
    if info.block and header:
        thumbnail = read_ifd(info.block, header[0], first_ifd(info.block).next_ifd)
        start, size = thumbnail.number(0x0201), thumbnail.number(0x0202)
        if start and size:
            yield info.block[start : start + size]


def _mpf_previews(data: bytes, index: bytes, base: int) -> Iterator[bytes]:
    header = read_header(index)
    entries = first_ifd(index).fields.get(0xB002)
    if header is None or entries is None:
        return
    for at in range(0, len(entries.data) - 15, 16):
        kind, size, offset = struct.unpack_from(f"{header[0]}III", entries.data, at)
        if kind & 0xFFFFFF in _MPF_PREVIEWS and offset:
            yield data[base + offset : base + offset + size]


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    # Yields marker, start and end of the payload, up to the first scan.
    at = 2
    while at + 4 <= len(data):
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            return
        marker = data[at + 1]
        if marker in (0xFF, 0x00) or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + size
        if marker == _EOI or size < 2 or end > len(data):
            return
        yield marker, at + 4, end
        if marker == _SOS:
            return
        at = end
