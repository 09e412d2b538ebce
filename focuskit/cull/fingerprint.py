"""What grouping needs to know of a shot: three kilobytes that travel in place of its pixels."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import luminance
from focuskit.cull.views import View, view_of
from focuskit.photo import Exif, Photo

__all__ = ["Fingerprint", "fingerprint"]

_DETAIL_LONG_EDGE, _DETAIL_ROWS = 24, 250
_DETAIL_STEPS_PER_STOP = 12
_FAINTEST = 2.0**-18
_SECOND = np.array([[1, -2, 1]], np.float32)
_BLACK = 1e-5
# IMG_0042, DSC01234, _MG_9999, P1010042, 100_0042: the names that cameras give.
_CAMERA_NAME = re.compile(r"([a-z_]{1,8}|\d{3}_|[a-z]+-)(\d{1,8})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What grouping needs to know of a shot, without its pixels.

    Attributes:
        taken_at: camera time or None.
        camera: serial number, else model, else None: frames of two cameras never group.
        exposure_ev: brightness that the settings let through (log2 of t·ISO/(100·N²)), or None.
        exposure_bias_ev: what the camera says that it deviated by, or None.
        exposure_s: how long the shutter was open, or None.
        focus_distance_m: of the focal plane, or None.
        name: path below the library; its number orders shots without a time.
        view: the picture, tiny; None if it is not known.
        detail: how much fine detail each field of a coarse grid holds, in twelfths of a stop.
        brightness_ev: mean luminance of the picture in stops, 0 for white; None if not known.
        digest: of the picture; equal only for copies.
    """

    taken_at: datetime | None
    camera: str | None
    exposure_ev: float | None = None
    exposure_bias_ev: float | None = None
    exposure_s: float | None = None
    focus_distance_m: float | None = None
    name: str = ""
    view: View | None = None
    detail: View | None = None
    brightness_ev: float | None = None
    digest: bytes = b""

    @property
    def clock_s(self) -> float:
        """Seconds on the camera's clock; infinite without a time."""
        if self.taken_at is None:
            return math.inf
        # Frames of one camera may differ in whether an offset from UTC was written.
        return (self.taken_at.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()

    @property
    def folder(self) -> str:
        """Folder below the library."""
        return self.name.rpartition("/")[0]

    @property
    def number(self) -> int | None:
        """The camera's count in the file's name, or None where the name is not a camera's."""
        found = _CAMERA_NAME.fullmatch(self._stem)
        return int(found[2]) if found else None

    @property
    def series(self) -> str:
        """What stands before the number in the file's name, in lower case."""
        found = _CAMERA_NAME.fullmatch(self._stem)
        return found[1].lower() if found else ""

    @property
    def _stem(self) -> str:
        return self.name.rpartition("/")[2].partition(".")[0]


def fingerprint(photo: Photo, *, fine: Photo | None = None, name: str = "") -> Fingerprint:
    """Return what `find_sets` needs to know of a photo.

    Args:
        photo: the whole frame, small.
        fine: the same at a size that still shows whether it is in focus; None for `photo`.
        name: path of the shot below its library.
    """
    exif = photo.exif
    mean = float(np.mean(luminance(photo.rgb, photo.primaries)))
    return Fingerprint(
        taken_at=exif.taken_at,
        camera=exif.serial or exif.camera,
        exposure_ev=_exposure_ev(exif),
        exposure_bias_ev=exif.exposure_bias_ev,
        exposure_s=exif.exposure_s,
        focus_distance_m=exif.focus_distance_m,
        name=name,
        view=view_of(photo),
        detail=_detail(fine or photo),
        brightness_ev=math.log2(max(mean, _BLACK)),
        digest=hashlib.blake2b(photo.rgb.tobytes(), digest_size=12).digest(),
    )


def _detail(photo: Photo) -> View:
    # One channel of some rows is enough to see where the lens was focused.
    green = np.ascontiguousarray(photo.rgb[:: max(1, photo.height // _DETAIL_ROWS), :, 1])
    second = cv2.filter2D(green, cv2.CV_32F, _SECOND, borderType=cv2.BORDER_REFLECT)
    factor = _DETAIL_LONG_EDGE / max(photo.width, photo.height)
    size = (max(1, round(photo.width * factor)), max(1, round(photo.height * factor)))
    energy = cv2.resize(np.abs(second, out=second), size, interpolation=cv2.INTER_AREA)
    stops = np.log2(np.maximum(np.asarray(energy), _FAINTEST) / _FAINTEST)
    levels: NDArray[np.uint8] = np.rint(np.clip(stops * _DETAIL_STEPS_PER_STOP, 0, 255)).astype(
        np.uint8
    )
    return View(size[0], size[1], levels.tobytes())


def _exposure_ev(exif: Exif) -> float | None:
    if not (exif.exposure_s and exif.f_number and exif.iso):
        return None
    return math.log2(exif.exposure_s * exif.iso / 100 / exif.f_number**2)
