"""One encoder per format: samples, ICC profile and EXIF block become bytes."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from focuskit.color import encoding_of
from focuskit.errors import OutputError
from focuskit.io.block import EXIF_IFD, GPS_IFD, block_fields, rebuild_block
from focuskit.io.icc import build_profile
from focuskit.io.ifd import Field, serialise
from focuskit.io.samples import encode_samples
from focuskit.photo import Photo

__all__ = [
    "Job",
    "encode_avif",
    "encode_heif",
    "encode_jpeg",
    "encode_png",
    "encode_tiff",
    "encode_webp",
]

_LOG = logging.getLogger(__name__)
_MAX_JPEG_EXIF = 65533 - 6
_PNG_SIGNATURE_AND_HEADER = 8 + 25
_TIFF_LIMIT = 2**32 - 1
_ENCODER_FAILS = (OSError, ValueError, RuntimeError, MemoryError, OverflowError, cv2.error)

Parts = list[bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Job:
    """What an encoder needs.

    Attributes:
        photo: the pixels.
        path: where they go, for messages.
        block: EXIF, true for the written picture; None without.
        quality: 1 to 100.
        bits: per sample: 8, 16, or 32 for linear floating point.
    """

    photo: Photo
    path: Path
    block: bytes | None
    quality: int
    bits: int

    @property
    def profile(self) -> bytes:
        """The ICC profile of the samples."""
        return build_profile(self.photo.primaries, linear=self.bits == 32)

    def samples(self) -> NDArray[Any]:
        """Return (H, W, 3) RGB samples: encoded uint8 or uint16, or linear float32."""
        if self.bits == 32:
            return self.photo.rgb
        encoding = encoding_of(self.photo.primaries)
        return encode_samples(self.photo.rgb, encoding, "u8" if self.bits == 8 else "u16")

    def failed(self, exc: Exception) -> OutputError:
        """Return (not raise) the error for a picture that the encoder refuses."""
        size = f"{self.photo.width} × {self.photo.height}"
        return OutputError(
            f"{self.path} cannot be written: the encoder refuses this {size} picture ({exc}). "
            "Choose another format, such as .tif."
        )


def encode_jpeg(job: Job) -> Parts:
    """Return a baseline JPEG with colour at full resolution (4:4:4)."""
    block = job.block
    if block and len(block) > _MAX_JPEG_EXIF:
        _LOG.warning("%s: the EXIF data is too long for JPEG; the maker note stays out.", job.path)
        block = rebuild_block(block)
    return _by_pillow(job, "JPEG", block, quality=job.quality, subsampling="4:4:4")


def encode_webp(job: Job) -> Parts:
    """Return a lossy WebP; the format knows no more than 4:2:0 and 16383 pixels a side."""
    return _by_pillow(job, "WEBP", job.block, quality=job.quality, method=4)


def encode_avif(job: Job) -> Parts:
    """Return an 8-bit AVIF with colour at full resolution."""
    return _by_pillow(job, "AVIF", job.block, quality=job.quality, subsampling="4:4:4")


def encode_heif(job: Job) -> Parts:
    """Return a HEIC of 8 or 10 bits with colour at full resolution."""
    samples, buffer = job.samples(), io.BytesIO()
    mode = "RGB" if job.bits == 8 else "RGB;16"
    try:
        image = pillow_heif.from_bytes(mode, (job.photo.width, job.photo.height), samples.tobytes())
        block = b"Exif\0\0" + job.block if job.block else None
        image.save(buffer, quality=job.quality, chroma=444, icc_profile=job.profile, exif=block)
    except _ENCODER_FAILS as exc:
        raise job.failed(exc) from exc
    return [buffer.getbuffer()]


def encode_png(job: Job) -> Parts:
    """Return a PNG of 8 or 16 bits with iCCP and eXIf."""
    bgr = cv2.cvtColor(job.samples(), cv2.COLOR_RGB2BGR)
    try:
        done, encoded = cv2.imencode(".png", bgr)
    except _ENCODER_FAILS as exc:
        raise job.failed(exc) from exc
    if not done:
        raise job.failed(ValueError("no reason given"))
    plain = memoryview(encoded.tobytes())
    extra = [_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(job.profile))]
    if job.block:
        extra.append(_chunk(b"eXIf", job.block))
    split = _PNG_SIGNATURE_AND_HEADER
    return [plain[:split], *extra, plain[split:]]


def encode_tiff(job: Job) -> Parts:
    """Return an uncompressed TIFF of 8, 16 or 32 bits with ICC and EXIF directories."""
    samples = np.ascontiguousarray(job.samples())
    pixels = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    fields = block_fields(job.block) if job.block else {0: {}, EXIF_IFD: {}, GPS_IFD: {}}
    # The offset of the pixels stands in a directory whose length it does not change.
    start = len(_tiff_head(job, fields, 0, pixels.nbytes))
    if start + pixels.nbytes > _TIFF_LIMIT:
        raise job.failed(ValueError("TIFF ends at 4 GiB"))
    return [_tiff_head(job, fields, start, pixels.nbytes), pixels.data.cast("B")]


def _tiff_head(job: Job, fields: dict[int, dict[int, Field]], start: int, size: int) -> bytes:
    main = fields[0] | {
        254: _longs(0),
        256: _longs(job.photo.width),
        257: _longs(job.photo.height),
        258: _shorts(job.bits, job.bits, job.bits),
        259: _shorts(1),
        262: _shorts(2),
        273: _longs(start),
        274: _shorts(1),
        277: _shorts(3),
        278: _longs(job.photo.height),
        279: _longs(size),
        282: Field(5, struct.pack("<II", 300, 1)),
        283: Field(5, struct.pack("<II", 300, 1)),
        284: _shorts(1),
        296: _shorts(2),
        339: _shorts(*[3 if job.bits == 32 else 1] * 3),
        34675: Field(7, job.profile),
    }
    head = serialise(main, {tag: fields[tag] for tag in (EXIF_IFD, GPS_IFD)})
    return head + bytes(-len(head) % 16)


def _longs(*values: int) -> Field:
    return Field(4, struct.pack(f"<{len(values)}I", *values))


def _shorts(*values: int) -> Field:
    return Field(3, struct.pack(f"<{len(values)}H", *values))


def _chunk(name: bytes, data: bytes) -> bytes:
    body = name + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def _by_pillow(job: Job, kind: str, block: bytes | None, **options: Any) -> Parts:
    buffer = io.BytesIO()
    exif = {"exif": b"Exif\0\0" + block} if block else {}
    try:
        image = Image.fromarray(job.samples())
        image.save(buffer, kind, icc_profile=job.profile, **exif, **options)
    except _ENCODER_FAILS as exc:
        raise job.failed(exc) from exc
    return [buffer.getbuffer()]
