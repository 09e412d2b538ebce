"""Camera RAW through LibRaw: the embedded preview, a half-size or a full demosaic."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray

from focuskit.color import LINEAR_CURVE, Encoding, encoding_of
from focuskit.errors import FocuskitError, InputError
from focuskit.io.af_points import CameraPoint, camera_point, canon_point
from focuskit.io.block import rebuild_block
from focuskit.io.complete import check_raw
from focuskit.io.exif import parse_exif, with_point
from focuskit.io.frame import Frame
from focuskit.io.ifd import first_ifd, read_header
from focuskit.io.jpeg import decode_embedded
from focuskit.io.jpeg_markers import read_markers
from focuskit.io.quiet import native_noise_held
from focuskit.io.source import PhotoFile
from focuskit.io.tiff import decode_tiff
from focuskit.photo import Primaries

__all__ = ["decode_raw", "raw_block"]

# LibRaw's flip code -> EXIF orientation.
_ORIENTATION_OF_FLIP = {0: 1, 3: 3, 5: 8, 6: 6}
_FUJIFILM = b"FUJIFILMCCD-RAW"
_MODEL, _PANASONIC_JPEG = 0x0110, 0x2E
_UNSUPPORTED = (rawpy.LibRawFileUnsupportedError, rawpy.LibRawNotImplementedError)
_SPACE: tuple[rawpy.ColorSpace, Primaries] = (
    (rawpy.ColorSpace.Rec2020, "rec2020")
    if hasattr(rawpy.ColorSpace, "Rec2020")
    else (rawpy.ColorSpace.ProPhoto, "prophoto")
)


def decode_raw(file: PhotoFile, min_long_edge: int | None) -> Frame:
    """Decode a RAW, or the cheapest picture in it whose long edge is at least `min_long_edge`.

    Raises:
        PhotoUnreadableError, PhotoTooLargeError, UnsupportedFormatError
    """
    check_raw(file)
    exif_of_file = raw_block(file)
    try:
        with native_noise_held(), rawpy.imread(io.BytesIO(file.data)) as raw:
            return _decode(file, raw, min_long_edge, exif_of_file)
    except _UNSUPPORTED as exc:
        return _decode_as_tiff(file, min_long_edge, exc)
    except rawpy.LibRawError as exc:
        raise file.unreadable(f"its RAW data is truncated or damaged ({_reason(exc)})") from exc
    except (MemoryError, ValueError, OSError) as exc:
        raise file.unreadable(f"LibRaw gave up on it ({exc})") from exc


def raw_block(file: PhotoFile) -> bytes | None:
    """Return a compact EXIF block of what a RAW file says about the shot, or None."""
    data = file.data
    if data.startswith(_FUJIFILM):
        block = _block_of_jpeg(file, _fujifilm_jpeg(data))
        return rebuild_block(block) if block else None
    if data[4:8] == b"ftyp":
        parts = [_box(data, name) for name in (b"CMT1", b"CMT2", b"CMT4")]
        return rebuild_block(*parts) if parts[0] else None
    return rebuild_block(data) if read_header(data) else None


def _camera_point(file: PhotoFile, block: bytes | None) -> CameraPoint | None:
    """Return the AF point in the maker's notes, which lie in the file and not in its block."""
    data = file.data
    if data.startswith(_FUJIFILM):
        return camera_point(_block_of_jpeg(file, _fujifilm_jpeg(data)) or b"")
    if data[4:8] == b"ftyp":
        model = first_ifd(block or b"").fields.get(_MODEL)
        return canon_point(_box(data, b"CMT3"), model.data.decode("latin-1") if model else "")
    if data.startswith(b"IIU\0"):  # Panasonic
        jpeg = first_ifd(data).fields.get(_PANASONIC_JPEG)
        return camera_point(_block_of_jpeg(file, jpeg.data) or b"") if jpeg else None
    return camera_point(data)


def _fujifilm_jpeg(data: bytes) -> bytes:
    start, size = (int.from_bytes(data[at : at + 4], "big") for at in (84, 88))
    return data[start : start + size]


def _block_of_jpeg(file: PhotoFile, jpeg: bytes) -> bytes | None:
    try:
        return read_markers(replace(file, data=jpeg)).block
    except InputError:
        return None


def _decode(
    file: PhotoFile, raw: rawpy.RawPy, min_long_edge: int | None, block: bytes | None
) -> Frame:
    sizes = raw.sizes
    file.check_size(sizes.width, sizes.height)
    longest = max(sizes.width, sizes.height)
    orientation = _ORIENTATION_OF_FLIP.get(sizes.flip, 1)
    size = (sizes.width, sizes.height)
    exif = parse_exif(block, str(file.path), size=size)
    camera = _camera_point(file, block)
    exif = exif if camera is None else with_point(exif, camera, size)
    if min_long_edge is not None and min_long_edge < longest:
        preview = _preview(file, raw, min_long_edge, orientation)
        if preview is not None:
            return replace(preview, exif=exif)
    half = min_long_edge is not None and longest // 2 >= min_long_edge
    developed = raw.raw_type == rawpy.RawType.Stack and raw.white_level <= 255
    samples = _undo_scaling(raw) if developed else _demosaic(raw, half_size=half)
    edge = max(samples.shape[:2])
    return Frame(
        samples=samples,
        orientation=orientation,
        encoding=Encoding() if developed else encoding_of(_SPACE[1], LINEAR_CURVE),
        exif=exif,
        source=file.path,
        scale=min(edge / longest, 1.0) if half else 1.0,
        decoded_from="half-size" if half and edge < longest else "full",
        bits=16,
    )


def _demosaic(raw: rawpy.RawPy, *, half_size: bool) -> NDArray[np.uint16]:
    # Without automatic brightness and maximum two frames of a burst stay comparable.
    samples = raw.postprocess(
        use_camera_wb=True,
        no_auto_bright=True,
        adjust_maximum_thr=0.0,
        output_bps=16,
        gamma=(1, 1),
        half_size=half_size,
        output_color=_SPACE[0],
        user_flip=0,
    )
    if samples.ndim == 2 or samples.shape[2] == 1:
        samples = np.repeat(samples.reshape(*samples.shape[:2], 1), 3, axis=2)
    return np.asarray(samples[..., :3], np.uint16)


def _undo_scaling(raw: rawpy.RawPy) -> NDArray[np.uint16]:
    """Return the samples of a RAW that holds developed 8-bit RGB, as film scanners write it."""
    samples = raw.postprocess(
        user_wb=[1.0, 1.0, 1.0, 1.0],
        no_auto_bright=True,
        adjust_maximum_thr=0.0,
        output_bps=16,
        gamma=(1, 1),
        output_color=rawpy.ColorSpace.raw,
        user_sat=65535,
        user_flip=0,
    )
    return np.asarray(samples[..., :3], np.uint16)


def _preview(
    file: PhotoFile, raw: rawpy.RawPy, min_long_edge: int, orientation: int
) -> Frame | None:
    try:
        thumb = raw.extract_thumb()
    except rawpy.LibRawError:
        return None  # none, or of a kind that LibRaw cannot hand out: demosaic instead
    own = 0
    if thumb.format == rawpy.ThumbFormat.JPEG:
        try:
            info = read_markers(replace(file, data=bytes(thumb.data)))
            if max(info.width, info.height) < min_long_edge:
                return None
            frame, info = decode_embedded(bytes(thumb.data), file)
        except InputError:
            return None
        own = info.orientation if info.block else 0
    else:
        pixels = np.asarray(thumb.data)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or max(pixels.shape) < min_long_edge:
            return None
        frame = Frame(samples=pixels, encoding=Encoding(), source=file.path)
    sizes = raw.sizes
    height, width = frame.samples.shape[:2]
    return replace(
        frame,
        orientation=_preview_orientation(
            (width, height), own, (sizes.width, sizes.height), orientation
        ),
        scale=min(max(height, width) / max(sizes.width, sizes.height), 1.0),
        decoded_from="preview",
    )


def _preview_orientation(
    preview: tuple[int, int], own: int, full: tuple[int, int], orientation: int
) -> int:
    """Return the orientation of an embedded preview; some cameras store it upright already.

    Args:
        preview: its stored (width, height).
        own: orientation in its own EXIF; 0 where it has none.
        full: stored (width, height) of the RAW picture.
        orientation: of the RAW picture.
    """
    upright_is_tall = (full[0] < full[1]) != (orientation >= 5)
    if full[0] == full[1] or preview[0] == preview[1]:
        return own or orientation
    preview_is_tall = preview[0] < preview[1]
    for candidate in (own, orientation):
        if candidate and (preview_is_tall != (candidate >= 5)) == upright_is_tall:
            return candidate
    return 1


def _decode_as_tiff(file: PhotoFile, min_long_edge: int | None, exc: Exception) -> Frame:
    header = read_header(file.data)
    if header is not None and not first_ifd(file.data).fields:
        raise file.unreadable(
            f"it is a truncated RAW: its directory should lie at byte {header[1]} of "
            f"{len(file.data)}"
        ) from exc
    # A developed TIFF may carry a RAW suffix, or a camera newer than this LibRaw wrote it.
    if 0xC612 not in first_ifd(file.data) and file.data[:4] in (b"II*\0", b"MM\0*"):
        try:
            return decode_tiff(replace(file, format="tiff"), min_long_edge)
        except FocuskitError:
            pass
    raise file.unsupported(
        f"LibRaw {'.'.join(map(str, rawpy.libraw_version))} does not know it ({_reason(exc)}); "
        "a newer rawpy may"
    ) from exc


def _box(data: bytes, name: bytes) -> bytes:
    # CR3 keeps its directories within the first kilobytes, in boxes of these names.
    at = data.find(name, 0, 65536)
    if at < 4:
        return b""
    size = int.from_bytes(data[at - 4 : at], "big")
    return data[at + 4 : at - 4 + size]


def _reason(exc: Exception) -> str:
    first: Any = exc.args[0] if exc.args else exc
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
