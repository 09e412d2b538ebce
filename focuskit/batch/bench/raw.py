"""What a RAW's embedded preview saves against demosaicing it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.bench.decoding import linked, time_job
from focuskit.batch.judge import Judge
from focuskit.batch.library import Shot
from focuskit.errors import FocuskitError, InputError
from focuskit.io import RAW_SUFFIXES, Frame, open_frame
from focuskit.io.ifd import Field, serialise

__all__ = ["bench_raw", "camera_raw", "with_previews"]

_BLACK, _WHITE = 512, 16383
_BYTE, _ASCII, _SHORT, _LONG, _SRATIONAL = 1, 2, 3, 4, 10
_SUB_IFD, _D65 = 0x014A, 21
# XYZ to linear sRGB, in ten thousandths: a camera whose sensor sees as a screen shows.
_MATRIX = (32406, -15372, -4986, -9689, 18758, 415, 557, -2040, 10570)
_COLOURS = {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 2}


@dataclass(frozen=True, slots=True)
class _Demosaicing(Judge):
    """Judges RAW files as if they had no preview."""

    def open(self, shot: Shot) -> tuple[Frame, tuple[str, ...]]:
        """Open a RAW at full size."""
        return open_frame(shot.judged, max_megapixels=self.max_megapixels), ()


def bench_raw(
    jpeg: bytes, raws: Sequence[Path], folder: Path, *, detector: str, photos: int, workers: int
) -> list[dict[str, Any]]:
    """Cull RAWs through their previews and through demosaicing.

    Args:
        jpeg: picture of the RAW that is made where there are no others.
        raws: files with previews that are large enough; none for one that is made.
        folder: for libraries.
        detector: name in DETECTORS.
        photos: how many RAWs to cull.
        workers: worker processes.

    Returns:
        Rows of what, value and unit.
    """
    if raws:
        shots = tuple(
            Shot(f"{number:05d}{file.suffix}", file, (file,))
            for number, file in enumerate(islice(cycle(raws), photos))
        )
        kind = f"{len(raws)} RAWs of {raws[0].parent.name}"
    else:
        shots = linked(folder / "raw", camera_raw(jpeg), photos, ".dng")
        kind = "24 MP DNG, uncompressed"
    preview = time_job(Judge(detector), shots, workers).core_s
    demosaic = time_job(_Demosaicing(detector), shots, workers).core_s
    return [
        {
            "what": f"cull through preview ({kind})",
            "value": preview * 1000,
            "unit": "ms/photo/core",
        },
        {"what": "cull through demosaic", "value": demosaic * 1000, "unit": "ms/photo/core"},
        {"what": "RAW: preview / demosaic", "value": preview / demosaic, "unit": ""},
    ]


def with_previews(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the RAWs below a folder that culling judges by their previews, and why not others.

    Raises:
        InputError: there is none.
    """
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in RAW_SUFFIXES)
    usable: list[Path] = []
    others: list[str] = []
    for file in files:
        try:
            frame, _ = Judge().open(Shot(file.name, file, (file,)))
        except FocuskitError as exc:
            others.append(str(exc))
            continue
        if frame.decoded_from == "preview":
            usable.append(file)
        else:
            others.append(f"{file} has no preview that is large enough to judge.")
    if not usable:
        raise InputError(
            f"{folder} holds no RAW with a large preview ({len(files)} RAWs were found); leave out "
            "--raw to use one that is made."
        )
    return usable, others


def camera_raw(jpeg: bytes) -> bytes:
    """Return a DNG whose preview is a JPEG and whose mosaic of 16 bits shows the same."""
    rgb = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))[..., ::-1]
    mosaic = _mosaic(rgb).tobytes()
    height, width = rgb.shape[:2]

    def directories(at: int) -> bytes:
        preview = {
            **_picture(width, height, bits=(8, 8, 8), compression=7, photometric=6),
            **_strip(at, len(jpeg)),
            0x00FE: _longs(1),
            0x010F: Field(_ASCII, b"focuskit\0"),
            0x0110: Field(_ASCII, b"benchmark\0"),
            0xC612: Field(_BYTE, bytes((1, 4, 0, 0))),
            0xC614: Field(_ASCII, b"focuskit benchmark\0"),
            0xC621: Field(_SRATIONAL, struct.pack("<18i", *_ratios(_MATRIX))),
            0xC65A: _shorts(_D65),
        }
        raw = {
            **_picture(width, height, bits=(16,), compression=1, photometric=32803),
            **_strip(at + len(jpeg), len(mosaic)),
            0x00FE: _longs(0),
            0x828D: _shorts(2, 2),
            0x828E: Field(_BYTE, bytes((0, 1, 1, 2))),
            0xC61A: _shorts(_BLACK),
            0xC61D: _shorts(_WHITE),
        }
        return serialise(preview, {_SUB_IFD: raw})

    # Directories are as long whatever they point to.
    return directories(len(directories(0))) + jpeg + mosaic


def _mosaic(rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
    linear = (np.linspace(0, 1, 256) ** 2.2 * (_WHITE - _BLACK) + _BLACK).astype(np.uint16)
    mosaic = np.empty(rgb.shape[:2], np.uint16)
    for (y, x), channel in _COLOURS.items():
        mosaic[y::2, x::2] = linear[rgb[y::2, x::2, channel]]
    return mosaic


def _picture(
    width: int, height: int, *, bits: Sequence[int], compression: int, photometric: int
) -> dict[int, Field]:
    return {
        0x0100: _longs(width),
        0x0101: _longs(height),
        0x0102: _shorts(*bits),
        0x0103: _shorts(compression),
        0x0106: _shorts(photometric),
        0x0115: _shorts(len(bits)),
        0x0116: _longs(height),
    }


def _strip(at: int, size: int) -> dict[int, Field]:
    return {0x0111: _longs(at), 0x0117: _longs(size)}


def _longs(*values: int) -> Field:
    return Field(_LONG, struct.pack(f"<{len(values)}I", *values))


def _shorts(*values: int) -> Field:
    return Field(_SHORT, struct.pack(f"<{len(values)}H", *values))


def _ratios(ten_thousandths: Sequence[int]) -> list[int]:
    return [each for value in ten_thousandths for each in (value, 10000)]
