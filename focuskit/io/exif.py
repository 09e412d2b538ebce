"""What the camera wrote: an EXIF block becomes an `Exif`, by exifread on a short leash."""

from __future__ import annotations

import io
import logging
import math
import re
import struct
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import exifread
from exifread.core.exceptions import ExifError

from focuskit.io.af_points import CameraPoint, camera_point, written_size
from focuskit.io.block import orientation_of
from focuskit.photo import Exif

__all__ = ["parse_exif", "with_point"]

_LOG = logging.getLogger(__name__)
# exifread tells about every odd tag through its logger; whoever wants that can add a handler.
logging.getLogger("exifread").addHandler(logging.NullHandler())

# Real blocks need up to two thousand reads and two milliseconds; crafted ones loop for ever.
_MAX_READS = 20_000
_MAX_SECONDS = 1.0
_MAX_BYTES = 16 * 1024 * 1024
_EXIFREAD_FAILS = (
    ExifError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_CORPORATE = re.compile(
    r"\b(corp(oration)?|company|co|ltd|inc|gmbh|imaging|optical|electric|techwin)\b.*",
    re.IGNORECASE,
)
_FULL_FRAME_DIAGONAL_MM = math.hypot(36, 24)
# Distances are 32-bit rationals; 0xFFFFFFFF over anything sensible is "infinity", and no lens
# tells 10 km from it.
_INFINITY_M = 10_000.0


class _LeashError(OSError):
    """Exifread read too often or too long."""


class _Leash(io.BytesIO):
    """A file that exifread may use only so often and so long."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = _MAX_READS
        self._deadline = time.monotonic() + _MAX_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        self._check()
        return super().read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._check()
        return super().seek(offset, whence)

    def _check(self) -> None:
        self._left -= 1
        if self._left < 0 or time.monotonic() > self._deadline:
            raise _LeashError("it sends its reader round in circles")


def parse_exif(
    block: bytes | None, name: str, *, size: tuple[int, int] | None = None, keep: bool = True
) -> Exif:
    """Return what an EXIF block says; fields that are missing, broken or absurd are None.

    Args:
        block: TIFF structure, without "Exif" in front; None or empty gives an empty `Exif`.
        name: the file, for the log.
        size: (width, height) of the stored full picture in pixels, for the sensor width.
        keep: carry the block along in `Exif.block`.

    Returns:
        `focus_distance_m` is math.inf where the camera wrote "infinity".
    """
    if not block:
        return Exif()
    tags: Mapping[str, Any] = {}
    try:
        leash = _Leash(block[:_MAX_BYTES])
        tags = exifread.process_file(leash, details=False, extract_thumbnail=False)
    except _EXIFREAD_FAILS as exc:
        _LOG.warning("%s: its EXIF data is damaged (%s) and left out.", name, exc or type(exc))
    exif = _interpret(tags, block if keep and tags else None, size)
    return _with_focus(exif, tags, camera_point(block), size) if tags else exif


def _interpret(tags: Mapping[str, Any], block: bytes | None, size: tuple[int, int] | None) -> Exif:
    focal_length = _number(tags, "EXIF FocalLength", low=0.1, high=20_000)
    focal_length_35mm = _number(tags, "EXIF FocalLengthIn35mmFilm", low=1, high=20_000)
    distance = _number(tags, "EXIF SubjectDistance", low=1e-4)
    return Exif(
        camera=_camera(tags),
        lens=_text(tags, "EXIF LensModel"),
        focal_length_mm=focal_length,
        focal_length_35mm=focal_length_35mm,
        f_number=_f_number(tags),
        focus_distance_m=math.inf if distance and distance >= _INFINITY_M else distance,
        iso=_iso(tags),
        exposure_s=_exposure(tags),
        exposure_bias_ev=_number(tags, "EXIF ExposureBiasValue", low=-20, high=20),
        sensor_width_mm=_sensor_width(tags, size, focal_length, focal_length_35mm),
        taken_at=_taken_at(tags),
        serial=_text(tags, "EXIF BodySerialNumber") or _text(tags, "Image CameraSerialNumber"),
        block=block,
    )


def _values(tags: Mapping[str, Any], name: str) -> list[Any]:
    values = getattr(tags.get(name), "values", None)
    return list(values) if isinstance(values, list | tuple) else []


def _numbers(tags: Mapping[str, Any], name: str) -> list[float]:
    numbers = []
    for value in _values(tags, name):
        if isinstance(value, tuple):  # exifread hands out floats as struct does
            value = value[0] if value else math.nan
        try:
            number = float(value)
        except (ArithmeticError, TypeError, ValueError):
            number = math.nan
        numbers.append(number)
    return numbers


def _number(
    tags: Mapping[str, Any], name: str, *, low: float = -math.inf, high: float = math.inf
) -> float | None:
    numbers = _numbers(tags, name)
    if not numbers or not math.isfinite(numbers[0]):
        return None
    return numbers[0] if low <= numbers[0] <= high else None


def _text(tags: Mapping[str, Any], name: str) -> str | None:
    value = getattr(tags.get(name), "values", None)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return None
    text = "".join(char for char in value if char.isprintable()).strip()
    return text if text.strip("-. 0") else None


def _camera(tags: Mapping[str, Any]) -> str | None:
    maker, model = _text(tags, "Image Make"), _text(tags, "Image Model")
    if maker is None or model is None:
        return model or maker
    brand = _CORPORATE.sub("", maker).strip(" ,.") or maker
    named = any(word in model.lower() for word in brand.lower().split())
    return model if named else f"{brand} {model}"


def _f_number(tags: Mapping[str, Any]) -> float | None:
    written = _number(tags, "EXIF FNumber", low=0.3, high=300)
    apex = _number(tags, "EXIF ApertureValue", low=-3, high=16)
    if written is None and apex is not None:
        # EXIF 2.32 annex C: aperture value = 2 log2(f-number); 0 is "unknown" for adapted lenses.
        return round(2 ** (apex / 2), 1) if apex else None
    return written


def _exposure(tags: Mapping[str, Any]) -> float | None:
    written = _number(tags, "EXIF ExposureTime", low=1e-7, high=1e6)
    apex = _number(tags, "EXIF ShutterSpeedValue", low=-20, high=24)
    return 2**-apex if written is None and apex is not None else written


def _iso(tags: Mapping[str, Any]) -> int | None:
    # 65535 in the 16-bit tag means "more than fits here": the 32-bit ones say how much.
    for name, high in (
        ("EXIF ISOSpeedRatings", 65534),
        ("EXIF RecommendedExposureIndex", 1e8),
        ("EXIF ISOSpeed", 1e8),
        ("EXIF StandardOutputSensitivity", 1e8),
    ):
        value = _number(tags, name, low=1, high=high)
        if value is not None:
            return round(value)
    return None


def _sensor_width(
    tags: Mapping[str, Any],
    size: tuple[int, int] | None,
    focal_length: float | None,
    focal_length_35mm: float | None,
) -> float | None:
    width, height = size if size else (0, 0)
    width = int(_number(tags, "EXIF ExifImageWidth", low=1) or width)
    height = int(_number(tags, "EXIF ExifImageLength", low=1) or height)
    if width < 1 or height < 1:
        return None
    from_view = None
    if focal_length and focal_length_35mm:
        diagonal = _FULL_FRAME_DIAGONAL_MM * focal_length / focal_length_35mm
        from_view = diagonal * max(width, height) / math.hypot(width, height)
    axis = "X" if width >= height else "Y"
    density = _number(tags, f"EXIF FocalPlane{axis}Resolution", low=1e-6)
    unit = _number(tags, "EXIF FocalPlaneResolutionUnit") or 2.0
    measured = None
    if density and int(unit) in _UNIT_MM:
        measured = max(width, height) / density * _UNIT_MM[int(unit)]
    return _plausible_width(measured, from_view)


def _plausible_width(measured: float | None, from_view: float | None) -> float | None:
    # A resized picture keeps the density of the original; the 35 mm equivalent tells it from that.
    if measured and from_view and not 0.8 <= measured / from_view <= 1.25:
        measured = None
    width = measured or from_view
    return width if width and 1 <= width <= 120 else None


def with_point(exif: Exif, camera: CameraPoint, size: tuple[int, int]) -> Exif:
    """Return the data with an AF point that was read elsewhere.

    Args:
        exif: what the camera wrote; its block tells the picture's size and orientation.
        camera: the AF point.
        size: (width, height) of the full picture in pixels, stored or upright.

    Returns:
        The data unchanged where the picture has been cropped since.
    """
    block = exif.block or b""
    orientation = orientation_of(block)
    point = _placed(camera, size, written_size(block) or size, orientation)
    return exif if point is None else replace(exif, focus_point=point, focus_area=None)


def _with_focus(
    exif: Exif, tags: Mapping[str, Any], camera: CameraPoint | None, size: tuple[int, int] | None
) -> Exif:
    """Return the data with what was focused on; the camera's AF point goes before the subject.

    EXIF 2.32 counts pixels of the picture unturned.
    """
    width = _number(tags, "EXIF ExifImageWidth", low=1)
    height = _number(tags, "EXIF ExifImageLength", low=1)
    if not size or not width or not height or not _whole(size, (width, height)):
        return exif
    orientation = int(_number(tags, "Image Orientation", low=1, high=8) or 1)
    if camera is not None:
        point = _placed(camera, size, (width, height), orientation)
        if point is not None:
            return replace(exif, focus_point=point)
    found = _numbers(tags, "EXIF SubjectArea") or _numbers(tags, "EXIF SubjectLocation")
    if len(found) < 2 or not (0 <= found[0] < width and 0 <= found[1] < height):
        return exif
    area = None
    if len(found) > 2:  # a diameter, or width and height
        area = found[2] / width, found[-1] / height
        area = area[::-1] if orientation >= 5 else area
    point = _turned(found[0] / width, found[1] / height, orientation)
    return replace(exif, focus_point=point, focus_area=area)


def _whole(size: tuple[int, int], written: tuple[float, float]) -> bool:
    """Return whether a picture has the shape that its camera wrote down.

    Containers that turn the picture themselves have its sides the other way round.
    """
    if not min(size):
        return False
    return math.isclose(min(size) / max(size), min(written) / max(written), rel_tol=0.01)


def _placed(
    camera: CameraPoint, size: tuple[int, int], written: tuple[float, float], orientation: int
) -> tuple[float, float] | None:
    if not _whole(size, written):
        return None
    aspect = written[0] / written[1]
    if camera.aspect is not None and not math.isclose(camera.aspect, aspect, rel_tol=0.02):
        return None
    return _turned(camera.x, camera.y, orientation)


def _turned(x: float, y: float, orientation: int) -> tuple[float, float]:
    if orientation in (2, 3, 7, 8):
        x = 1 - x
    if orientation in (3, 4, 6, 7):
        y = 1 - y
    return (y, x) if orientation >= 5 else (x, y)


def _taken_at(tags: Mapping[str, Any]) -> datetime | None:
    for name, fraction, offset in (
        ("EXIF DateTimeOriginal", "EXIF SubSecTimeOriginal", "EXIF OffsetTimeOriginal"),
        ("EXIF DateTimeDigitized", "EXIF SubSecTimeDigitized", "EXIF OffsetTimeDigitized"),
        ("Image DateTime", "EXIF SubSecTime", "EXIF OffsetTime"),
    ):
        taken = _moment(_text(tags, name))
        if taken is not None:
            digits = re.match(r"\d{1,6}", _text_of_digits(tags, fraction))
            micro = int(digits.group().ljust(6, "0")) if digits else 0
            return taken.replace(microsecond=micro, tzinfo=_zone(_text_of_digits(tags, offset)))
    return None


def _text_of_digits(tags: Mapping[str, Any], name: str) -> str:
    # Unlike a lens or a serial number, "00" and "+00:00" mean something here.
    value = getattr(tags.get(name), "values", None)
    return value.strip() if isinstance(value, str) else ""


def _moment(text: str | None) -> datetime | None:
    found = re.match(r"(\d{4})\D(\d\d?)\D(\d\d?)\D+(\d\d?)\D(\d\d?)(?:\D(\d\d?))?", text or "")
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        taken = datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError:
        return None
    return taken if taken.year >= 1826 else None  # nobody took photographs before Niépce


def _zone(text: str) -> timezone | None:
    if text == "Z":
        return UTC
    found = re.fullmatch(r"([+-])(\d\d):(\d\d)", text)
    if found is None:
        return None
    sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    return timezone(offset) if abs(offset) < timedelta(hours=24) else None
