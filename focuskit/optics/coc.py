"""The circle of confusion: how wide a thin lens draws a point that it is not focused on.

Always the diameter. With the lens focused at distance s, a point at distance d is drawn as a disc

    coc = f² / (N (s − f)) · |d − s| / d        f² / (N d) for s = ∞,

where f is the focal length and N the f-number (Potmesil and Chakravarty 1981, with their aperture
written as f / N). Behind the plane of focus it grows towards f² / (N (s − f)), the disc of a star;
in front of it without bound. Distances count from the lens. Cameras write the focus distance from
the sensor, which matters in macro work only.

References:
    M. Potmesil, I. Chakravarty: A lens and aperture camera model for synthetic image generation.
    SIGGRAPH 1981.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_range
from focuskit.errors import CameraDataError, RangeError
from focuskit.photo import Exif, Photo

__all__ = [
    "coc_mm",
    "coc_px_of_f_number",
    "distance_from_coc_mm",
    "mm_to_px",
    "px_to_mm",
    "sensor_width_mm",
    "signed_coc_mm",
]

# A number, or an array of any shape: what goes in comes out.
Values = TypeVar("Values", float, NDArray[np.float32], NDArray[np.float64])

_F_NUMBERS = (0.5, 128.0)
_FOCAL_LENGTHS_MM = (0.1, 20_000.0)
_SENSOR_WIDTHS_MM = (1.0, 120.0)
_FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)


def coc_mm(
    focal_length_mm: float, f_number: float, focus_distance_mm: float, distance_mm: Values
) -> Values:
    """Return the diameter of the circle of confusion on the sensor in mm, >= 0.

    Args:
        focal_length_mm: real focal length, 0.1 to 20 000 mm.
        f_number: 0.5 to 128.
        focus_distance_mm: from the lens to the plane of focus, more than the focal length;
            math.inf = focused at infinity.
        distance_mm: from the lens to the point, > 0; a number, or an array of any shape such as a
            depth map; math.inf = infinitely far.

    Returns:
        A float for a number, an array of the same shape and dtype for an array.

    Raises:
        RangeError: an argument is out of range, or a distance is NaN.
    """
    return abs(signed_coc_mm(focal_length_mm, f_number, focus_distance_mm, distance_mm))


def signed_coc_mm(
    focal_length_mm: float, f_number: float, focus_distance_mm: float, distance_mm: Values
) -> Values:
    """Return `coc_mm` with a sign: > 0 behind the plane of focus, < 0 in front of it, 0 on it.

    Its sign is `BlurMap.side`. It grows with the distance everywhere. Arguments, result and errors
    are those of `coc_mm`.
    """
    farthest = _coc_of_infinity(focal_length_mm, f_number, focus_distance_mm)
    distance = np.asarray(distance_mm)
    # Written so that NaN, for which no comparison holds, is refused too.
    if not (distance > 0).all():
        raise RangeError(
            "distance_mm must be > 0 mm, math.inf for infinitely far, and holes of a depth map "
            f"filled; got {_worst(distance)}."
        )
    if math.isinf(focus_distance_mm):
        return -(focal_length_mm**2 / f_number) / distance_mm
    # Not (d - s) / d, which is NaN at infinity.
    return farthest * (1.0 - focus_distance_mm / distance_mm)


def distance_from_coc_mm(
    focal_length_mm: float,
    f_number: float,
    focus_distance_mm: float,
    coc_diameter_mm: Values,
    side: int | NDArray[np.int8],
) -> Values:
    """Return how far away in mm a point is that is drawn this wide: the inverse of `coc_mm`.

    Behind the plane of focus, circles have a largest size, that of infinity: the answer is inf
    there. No distance draws a larger one, so beyond it the answer is NaN, which says that the
    circle or the camera data is wrong (measured circles of far things scatter around the limit; a
    caller who knows that they are far may take NaN as inf). Nothing lies behind a lens focused at
    infinity: any circle but 0 is NaN there. Where the side is unknown the answer is NaN too.

    Args:
        focal_length_mm: as in `coc_mm`.
        f_number: as in `coc_mm`.
        focus_distance_mm: as in `coc_mm`.
        coc_diameter_mm: >= 0, finite; a number, or an array of any shape.
        side: +1 = behind the plane of focus, -1 = in front of it, 0 = unknown; `BlurMap.side` does.

    Returns:
        A float for a number, an array of the same shape and dtype for an array; > 0, inf or NaN.

    Raises:
        RangeError: an argument is out of range.
    """
    farthest = _coc_of_infinity(focal_length_mm, f_number, focus_distance_mm)
    coc = np.asarray(coc_diameter_mm)
    if not (np.isfinite(coc) & (coc >= 0)).all():
        raise RangeError(
            "coc_diameter_mm must be finite and >= 0 mm: it is a diameter, and the side has an "
            f"argument of its own; got {_worst(coc)}."
        )
    odd = np.setdiff1d(side, (-1, 0, 1))
    if odd.size:
        raise RangeError(
            "side must be +1 (behind the plane of focus), -1 (in front) or 0 (unknown), "
            f"got {odd[0]}."
        )
    signed = coc * side
    # distance = scale / left, with left = 0 at infinity and < 0 where there is no such distance.
    if math.isinf(focus_distance_mm):
        scale, left = focal_length_mm**2 / f_number, 0.0 - signed
    else:
        scale, left = focus_distance_mm, 1.0 - signed / farthest
        # The circle of infinity itself may come out a rounding error too large.
        left = np.where(np.abs(left) <= 4 * np.finfo(left.dtype).eps, 0.0, left)
    with np.errstate(divide="ignore", over="ignore"):
        distance: Any = np.where((left < 0) | (np.asarray(side) == 0), math.nan, scale / left)
    return cast(Values, distance if distance.ndim else float(distance))


def sensor_width_mm(exif: Exif, *, aspect: float = 1.5) -> float:
    """Return the width of the sensor along the longer side of the picture, 1 to 120 mm.

    Taken from `Exif.sensor_width_mm`, else from the 35 mm equivalent of the focal length, which
    compares diagonals: at 3:2 the width is 36 mm / crop factor.

    Args:
        exif: of the photo.
        aspect: longer side / shorter side of the sensor, >= 1; of use for the equivalent only.

    Raises:
        CameraDataError: the EXIF tells neither, or a width that no sensor has.
        RangeError: `aspect` is below 1.
    """
    check_range("aspect", aspect, low=1.0)
    width = exif.sensor_width_mm
    if width is None and exif.focal_length_mm and exif.focal_length_35mm:
        crop = exif.focal_length_35mm / exif.focal_length_mm
        width = _FULL_FRAME_DIAGONAL_MM / crop * aspect / math.hypot(aspect, 1.0)
    help_ = (
        "set Exif.sensor_width_mm, such as 36 for full frame, 23.5 for APS-C or 17.3 for Micro "
        "Four Thirds."
    )
    if width is None:
        raise CameraDataError(
            "The width of the sensor is unknown: the EXIF of this photo holds neither the "
            f"resolution of the focal plane nor the 35 mm equivalent of the focal length; {help_}"
        )
    if not _SENSOR_WIDTHS_MM[0] <= width <= _SENSOR_WIDTHS_MM[1]:
        raise CameraDataError(
            f"The EXIF of this photo makes its sensor {width:g} mm wide, which none is; {help_}"
        )
    return width


def mm_to_px(length_mm: Values, photo: Photo) -> Values:
    """Return a length on the sensor in pixels of this photo's own array.

    A preview or a scaled decode shows the whole sensor with fewer pixels, so the same length is
    `Photo.scale` times as many of them; the array's own size says so already.

    Args:
        length_mm: on the sensor; a number or an array; sign, inf and NaN carry through.
        photo: whose longer side spans the sensor's width.

    Raises:
        CameraDataError: the width of the sensor is unknown; see `sensor_width_mm`.
    """
    return length_mm * _px_per_mm(photo)


def px_to_mm(length_px: Values, photo: Photo) -> Values:
    """Return a length in pixels of this photo's array in mm on the sensor: undoes `mm_to_px`.

    Args:
        length_px: a number or an array; sign, inf and NaN carry through.
        photo: whose longer side spans the sensor's width.

    Raises:
        CameraDataError: the width of the sensor is unknown; see `sensor_width_mm`.
    """
    return length_px / _px_per_mm(photo)


def coc_px_of_f_number(
    coc_diameter_px: Values, f_number: float, exif: Exif, *, taken_at: float | None = None
) -> Values:
    """Return how wide circles of confusion would have been at another f-number.

    With lens, focus and scene unchanged they go with 1 / N, wherever they lie.

    Args:
        coc_diameter_px: as the photo has it, a number or an array; its unit and sign carry through.
        f_number: wanted, 0.5 to 128.
        exif: of the photo, for the f-number that it was taken at.
        taken_at: that f-number where the EXIF does not hold it (adapted lenses), 0.5 to 128.

    Returns:
        `coc_diameter_px` × taken_at / f_number.

    Raises:
        RangeError: an f-number that was handed in is out of range.
        CameraDataError: the EXIF holds none, or one that is out of range.
    """
    check_range("f_number", f_number, low=_F_NUMBERS[0], high=_F_NUMBERS[1])
    if taken_at is not None:
        check_range("taken_at", taken_at, low=_F_NUMBERS[0], high=_F_NUMBERS[1])
    else:
        taken_at = exif.f_number
    if taken_at is None or not _F_NUMBERS[0] <= taken_at <= _F_NUMBERS[1]:
        found = "no f-number" if taken_at is None else f"the f-number {taken_at:g}"
        raise CameraDataError(
            f"The EXIF of this photo holds {found}, as with lenses that the camera cannot talk to; "
            "say which one it was taken at, 0.5 to 128."
        )
    return coc_diameter_px * (taken_at / f_number)


def _coc_of_infinity(focal_length_mm: float, f_number: float, focus_distance_mm: float) -> float:
    low, high = _FOCAL_LENGTHS_MM
    check_range("focal_length_mm", focal_length_mm, low=low, high=high, unit="mm")
    check_range("f_number", f_number, low=_F_NUMBERS[0], high=_F_NUMBERS[1])
    if not focus_distance_mm > focal_length_mm:
        raise RangeError(
            f"focus_distance_mm must be more than the focal length of {focal_length_mm:g} mm, got "
            f"{focus_distance_mm:g}; give it in millimetres, math.inf for infinity."
        )
    return focal_length_mm**2 / (f_number * (focus_distance_mm - focal_length_mm))


def _worst(values: NDArray[Any]) -> str:
    if np.isnan(values).any():
        return "NaN"
    lowest, highest = float(values.min()), float(values.max())
    return f"{highest:g}" if math.isinf(highest) and lowest >= 0 else f"{lowest:g}"


def _px_per_mm(photo: Photo) -> float:
    longer, shorter = max(photo.width, photo.height), min(photo.width, photo.height)
    return longer / sensor_width_mm(photo.exif, aspect=longer / shorter)
