"""Writing photos: linear light becomes samples, a profile and EXIF in the format of the suffix."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from focuskit.check import check_range
from focuskit.errors import OutputError, RangeError, UnsupportedFormatError
from focuskit.io.atomic import write_atomically
from focuskit.io.block import patch_block
from focuskit.io.encoders import (
    Job,
    encode_avif,
    encode_heif,
    encode_jpeg,
    encode_png,
    encode_tiff,
    encode_webp,
)
from focuskit.photo import Photo

__all__ = ["write_photo"]

_Encoder = Callable[[Job], list[bytes | memoryview]]
# Suffix -> encoder and the bits per sample that the format holds.
_FORMATS: dict[str, tuple[_Encoder, tuple[int, ...]]] = {
    ".jpg": (encode_jpeg, (8,)),
    ".jpeg": (encode_jpeg, (8,)),
    ".png": (encode_png, (8, 16)),
    ".tif": (encode_tiff, (8, 16, 32)),
    ".tiff": (encode_tiff, (8, 16, 32)),
    ".webp": (encode_webp, (8,)),
    ".heic": (encode_heif, (8, 16)),
    ".avif": (encode_avif, (8,)),
}


def write_photo(
    photo: Photo,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    quality: int = 95,
    bits: int | None = None,
) -> Path:
    """Write a photo in the format of the suffix, with its colour profile and EXIF.

    The file appears complete or not at all. Values above 1 are clipped, except in 32-bit TIFF,
    which keeps linear light as it is. EXIF comes along with the orientation set to 1 and without
    the old thumbnail; TIFF leaves the maker note out, which would point into the old file.

    Args:
        photo: what to write.
        path: .jpg .jpeg .png .tif .tiff .webp .heic .avif
        overwrite: replace a file that is there; never the photo's own source.
        quality: of the lossy formats, 1 to 100; JPEG, HEIC and AVIF keep colour at full resolution.
        bits: per sample: 8, 16 or 32 (floating point); None takes the photo's own, or the most
            that the format holds. HEIC stores 16 as 10.

    Returns:
        The path.

    Raises:
        UnsupportedFormatError: the suffix is none of these.
        OutputExistsError: something is there and `overwrite` is False.
        OutputError: the folder is missing or not writable, the disk is full, the picture is too
            large for the format, or `path` is the photo's own source.
        RangeError: `quality` or `bits` is out of range for the format.
    """
    target = Path(path)
    found = _FORMATS.get(target.suffix.lower())
    if found is None:
        raise UnsupportedFormatError(
            f"{target} cannot be written: focuskit writes {' '.join(_FORMATS)}, "
            f"got {target.suffix or 'no suffix'!r}."
        )
    encode, allowed = found
    check_range("quality", quality, low=1, high=100)
    if bits is not None and bits not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise RangeError(f"bits must be {wanted} for {target.suffix}, got {bits}.")
    if photo.source is not None and _same_file(photo.source, target):
        raise OutputError(
            f"{target} is the original of this photo, and originals are never overwritten; "
            "choose another name or folder."
        )
    depth = bits or max((b for b in allowed if b <= photo.bits), default=allowed[0])
    block = photo.exif.block
    if block:
        srgb = photo.primaries == "srgb"
        block = patch_block(block, photo.width, photo.height, srgb=srgb)
    write_atomically(
        target, lambda: encode(Job(photo, target, block, quality, depth)), overwrite=overwrite
    )
    return target


def _same_file(source: Path, target: Path) -> bool:
    try:
        return source.samefile(target)
    except OSError:
        return source.absolute() == target.absolute()
