"""The photograph as everything inside focuskit sees it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_image, check_range
from focuskit.errors import RangeError

__all__ = ["DecodedFrom", "Exif", "Photo", "Primaries"]

Primaries = Literal["srgb", "display-p3", "adobe-rgb", "prophoto", "rec2020"]
DecodedFrom = Literal["full", "scaled", "preview", "half-size"]


@dataclass(frozen=True, slots=True)
class Exif:
    """What the camera wrote down about a shot. Anything it did not write is None.

    Attributes:
        camera: maker and model, without the maker twice.
        lens: lens model.
        focal_length_mm: real focal length.
        focal_length_35mm: focal length of the same view on 36×24 mm.
        f_number: focal length / entrance pupil.
        focus_distance_m: distance of the focal plane.
        focus_point: (x, y) that the camera focused on, in shares of the upright picture's width and
            height; None too where the picture has been cropped since.
        focus_area: (width, height) around that point, in the same shares, where it was written.
        iso: sensitivity.
        exposure_s: exposure time.
        exposure_bias_ev: deviation from metered exposure.
        sensor_width_mm: width of the sensor along the longer side of the stored picture.
        taken_at: original date and time with sub-seconds; naive (camera clock) unless the camera
            wrote its offset.
        serial: body serial number.
        block: the EXIF data itself as a TIFF structure, carried along to be written again.
    """

    camera: str | None = None
    lens: str | None = None
    focal_length_mm: float | None = None
    focal_length_35mm: float | None = None
    f_number: float | None = None
    focus_distance_m: float | None = None
    focus_point: tuple[float, float] | None = None
    focus_area: tuple[float, float] | None = None
    iso: int | None = None
    exposure_s: float | None = None
    exposure_bias_ev: float | None = None
    sensor_width_mm: float | None = None
    taken_at: datetime | None = None
    serial: str | None = None
    block: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photograph in linear light, upright.

    Attributes:
        rgb: (H, W, 3) float32, linear light, >= 0; 1 is the encoding's white, highlights may
            exceed it. EXIF orientation is already applied. Read-only.
        exif: what the camera wrote.
        primaries: colour space of `rgb`.
        source: the file that it came from.
        scale: size of this array / size of the full sensor picture, in (0, 1].
        decoded_from: which picture in the file was decoded: the "full" one, a "scaled" (DCT) decode
            of it, the embedded "preview" (sharpened in camera), or a "half-size" demosaic.
        bits: bits per sample of the source: 8, 16, or 32 for floating point.

    Raises:
        ShapeError, RangeError: on construction, if `rgb` or `scale` is none of that.
    """

    rgb: NDArray[np.float32]
    exif: Exif = field(default_factory=Exif)
    primaries: Primaries = "srgb"
    source: Path | None = None
    scale: float = 1.0
    decoded_from: DecodedFrom = "full"
    bits: int = 8

    def __post_init__(self) -> None:
        rgb = check_image("Photo.rgb", self.rgb).view()
        rgb.flags.writeable = False
        object.__setattr__(self, "rgb", rgb)
        check_range("Photo.scale", self.scale, low=1e-6, high=1.0)
        if self.primaries not in get_args(Primaries):
            raise RangeError(
                f"Photo.primaries must be one of {', '.join(get_args(Primaries))}, "
                f"got {self.primaries!r}."
            )

    @property
    def height(self) -> int:
        """Height in pixels of this array."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels of this array."""
        return int(self.rgb.shape[1])

    def with_rgb(self, rgb: NDArray[np.float32]) -> Photo:
        """Return the same shot with other pixels of the same size; EXIF comes along."""
        return replace(self, rgb=rgb)
