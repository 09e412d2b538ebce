"""Opening photos: one door for every format."""

from __future__ import annotations

import os
from collections.abc import Callable

from focuskit.check import check_range
from focuskit.io.containers import decode_avif, decode_heif, decode_png, decode_webp
from focuskit.io.frame import Frame
from focuskit.io.jpeg import decode_jpeg
from focuskit.io.raw import decode_raw
from focuskit.io.source import Format, PhotoFile, load
from focuskit.io.tiff import decode_tiff
from focuskit.photo import Photo

__all__ = ["open_frame", "read_photo", "read_preview"]

_DECODERS: dict[Format, Callable[[PhotoFile, int | None], Frame]] = {
    "avif": decode_avif,
    "heif": decode_heif,
    "jpeg": decode_jpeg,
    "png": decode_png,
    "raw": decode_raw,
    "tiff": decode_tiff,
    "webp": decode_webp,
}


def open_frame(
    path: str | os.PathLike[str],
    *,
    min_long_edge: int | None = None,
    max_megapixels: float | None = None,
) -> Frame:
    """Decode a photo once; previews and crops come from the result without decoding again.

    Args:
        path: the file. Its content says what it is; the suffix only tells RAW from other TIFF.
        min_long_edge: the cheapest picture in the file whose longer side has at least so many
            pixels will do (an embedded preview, a scaled decode, a half-size demosaic); None
            asks for the full picture. A smaller file gives its full picture.
        max_megapixels: larger pictures are refused before decoding; None takes the variable
            FOCUSKIT_MAX_MEGAPIXELS, else DEFAULT_MAX_MEGAPIXELS.

    Raises:
        PhotoUnreadableError: missing, empty, truncated, damaged or not permitted.
        UnsupportedFormatError: not a photo that any decoder here knows.
        PhotoTooLargeError: more pixels than the limit.
        RangeError: an argument is below 1.
    """
    if min_long_edge is not None:
        check_range("min_long_edge", min_long_edge, low=1, unit="px")
    file = load(path, max_megapixels)
    return _DECODERS[file.format](file, min_long_edge)


def read_photo(path: str | os.PathLike[str], *, max_megapixels: float | None = None) -> Photo:
    """Read a photo in full, upright, in linear light.

    Alpha is ignored. Floating-point TIFF keeps values above 1; below 0 they become 0. RAW is
    demosaiced with the camera's white balance into Rec. 2020.

    Args:
        path: the file.
        max_megapixels: see `open_frame`.

    Raises:
        PhotoUnreadableError, UnsupportedFormatError, PhotoTooLargeError: see `open_frame`.
    """
    return open_frame(path, max_megapixels=max_megapixels).photo()


def read_preview(
    path: str | os.PathLike[str],
    *,
    min_long_edge: int = 1600,
    max_megapixels: float | None = None,
) -> Photo:
    """Read the cheapest picture of a photo that is large enough; nothing is resized.

    Args:
        path: the file.
        min_long_edge: longer side in pixels, at least; a smaller file gives its full picture.
        max_megapixels: see `open_frame`.

    Returns:
        A photo whose `decoded_from` and `scale` tell which picture it is.

    Raises:
        PhotoUnreadableError, UnsupportedFormatError, PhotoTooLargeError, RangeError: see
            `open_frame`.
    """
    return open_frame(path, min_long_edge=min_long_edge, max_megapixels=max_megapixels).photo()
