"""A photo file on its way to a decoder: its bytes, its format by content, its size limit."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from focuskit.errors import (
    PhotoTooLargeError,
    PhotoUnreadableError,
    RangeError,
    UnsupportedFormatError,
)
from focuskit.io.ifd import first_ifd, read_header, walk_ifds

__all__ = [
    "DEFAULT_MAX_MEGAPIXELS",
    "PHOTO_SUFFIXES",
    "RAW_SUFFIXES",
    "Format",
    "PhotoFile",
    "default_max_megapixels",
    "load",
]

Format = Literal["jpeg", "png", "webp", "tiff", "heif", "avif", "raw"]

DEFAULT_MAX_MEGAPIXELS = 250.0
RAW_SUFFIXES = frozenset(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .k25 .kdc .mef .mos .mrw .nef .nrw "
    ".orf .pef .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f".split()
)
PHOTO_SUFFIXES = RAW_SUFFIXES | frozenset(
    ".jpg .jpeg .jpe .mpo .png .tif .tiff .webp .heic .heif .hif .avif".split()
)

_LIMIT_VARIABLE = "FOCUSKIT_MAX_MEGAPIXELS"
_MOST_BYTES = 4 << 30
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"mif2")
)
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_RAW_MAGICS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
_CFA, _LINEAR_RAW = 32803, 34892


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file read into memory, its format known.

    Attributes:
        path: where it came from.
        data: all of it.
        format: by content; the suffix decides only what content cannot.
        max_megapixels: larger pictures are refused before they are decoded.
    """

    path: Path
    data: bytes
    format: Format
    max_megapixels: float

    def unreadable(self, why: str) -> PhotoUnreadableError:
        """Return (not raise) the error for this file.

        Args:
            why: what is wrong and what was found, a clause without full stop.
        """
        return PhotoUnreadableError(
            f"{self.path} cannot be read: {why}. Restore the file from the card or a backup, "
            "or leave it out."
        )

    def unsupported(self, why: str) -> UnsupportedFormatError:
        """Return (not raise) the error for a file that is whole but of an unknown kind."""
        return UnsupportedFormatError(
            f"{self.path} is of a kind that focuskit cannot decode: {why}. "
            "Convert it to 8- or 16-bit TIFF, PNG or JPEG first."
        )

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture of no pixels or of too many.

        Raises:
            PhotoUnreadableError: a side is 0.
            PhotoTooLargeError: there are more pixels than the limit allows.
        """
        if width <= 0 or height <= 0:
            raise self.unreadable(f"its header says {width} × {height} pixels")
        megapixels = width * height / 1e6
        if megapixels > self.max_megapixels:
            raise PhotoTooLargeError(
                f"{self.path} has {width} × {height} = {megapixels:.3g} megapixels, the limit is "
                f"{self.max_megapixels:g}. If the file is trusted, raise the limit with "
                f"--max-megapixels or the variable {_LIMIT_VARIABLE}."
            )
        # Pillow has a limit of its own, which must not stand below the one that people set here.
        if Image.MAX_IMAGE_PIXELS is not None:
            Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, width * height)


def load(
    path: str | os.PathLike[str], max_megapixels: float | None, *, head: int | None = None
) -> PhotoFile:
    """Read a file and tell its format.

    Args:
        path: any file; only its content and, for TIFF-like ones, its suffix say what it is.
        max_megapixels: None takes FOCUSKIT_MAX_MEGAPIXELS or DEFAULT_MAX_MEGAPIXELS.
        head: read no more than so many bytes from its beginning; None reads all.

    Raises:
        PhotoUnreadableError: missing, empty, a folder, or not permitted.
        UnsupportedFormatError: not a photo.
        RangeError: the limit is not a number above 0.
    """
    limit = default_max_megapixels() if max_megapixels is None else max_megapixels
    if not limit > 0:
        raise RangeError(f"max_megapixels must be > 0, got {limit:g}.")
    place = Path(path)
    data = _read(place, head)
    kind = _sniff(data, place.suffix.lower())
    if kind is None:
        raise UnsupportedFormatError(
            f"{place} is not a photo that focuskit knows: it begins with {data[:8]!r}. Known are "
            "JPEG, PNG, TIFF, WebP, HEIC, AVIF and camera RAW."
        )
    return PhotoFile(place, data, kind, limit)


def default_max_megapixels() -> float:
    """Return the limit that holds where none is given: FOCUSKIT_MAX_MEGAPIXELS, else 250.

    Raises:
        RangeError: the variable is not a number above 0.
    """
    text = os.environ.get(_LIMIT_VARIABLE, "").strip()
    if not text:
        return DEFAULT_MAX_MEGAPIXELS
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not limit > 0:
        raise RangeError(
            f"The variable {_LIMIT_VARIABLE} must be a number of megapixels above 0, got {text!r}."
        )
    return limit


def _read(path: Path, head: int | None) -> bytes:
    try:
        _check_file(path)
        with path.open("rb") as file:
            data = file.read(-1 if head is None else head)
    except FileNotFoundError as exc:
        raise PhotoUnreadableError(f"{path} does not exist; check its name and folder.") from exc
    except PermissionError as exc:
        raise PhotoUnreadableError(
            f"{path} may not be read by this user; change its permissions."
        ) from exc
    except MemoryError as exc:
        raise PhotoUnreadableError(
            f"{path} does not fit into memory; close other programs or use fewer --workers."
        ) from exc
    except (OSError, ValueError) as exc:
        raise PhotoUnreadableError(
            f"{path} cannot be read from its disk: {exc}. Check the disk or the connection."
        ) from exc
    if not data:
        raise PhotoUnreadableError(
            f"{path} is empty (0 bytes). Restore it from the card or a backup, or leave it out."
        )
    return data


def _check_file(path: Path) -> None:
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise PhotoUnreadableError(f"{path} is a folder, not a photo; name the files in it.")
    if not stat.S_ISREG(found.st_mode):
        # Reading a pipe or a device may never end.
        raise PhotoUnreadableError(f"{path} is no regular file; leave it out.")
    if found.st_size > _MOST_BYTES:
        raise PhotoUnreadableError(
            f"{path} has {found.st_size / 1e9:.1f} GB, more than any photo; leave it out."
        )


def _sniff(data: bytes, suffix: str) -> Format | None:
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return _sniff_boxes(data)
    if data.startswith(_RAW_MAGICS) or data[6:14] == b"HEAPCCDR":
        return "raw"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "raw" if _is_raw_tiff(data, suffix) else "tiff"
    return "raw" if suffix in RAW_SUFFIXES and len(data) > 4096 else None


def _sniff_boxes(data: bytes) -> Format | None:
    end = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    if b"crx " in brands:
        return "raw"
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heif" if brands & _HEIF_BRANDS else None


def _is_raw_tiff(data: bytes, suffix: str) -> bool:
    if suffix in RAW_SUFFIXES or data[8:10] == b"CR":
        return True
    if read_header(data) is None:
        return False
    if 0xC612 in first_ifd(data):  # DNGVersion
        return True
    kinds = (ifd.number(262) for ifd in walk_ifds(data))
    return any(kind in (_CFA, _LINEAR_RAW) for kind in kinds)
