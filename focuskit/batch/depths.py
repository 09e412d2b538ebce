"""Depth pictures: which side of the plane of focus things lie on, and how far from it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from focuskit.batch.fitting import LEAST_BLUR_DIAGONALS, map_of_coc
from focuskit.blurmap import BlurMap
from focuskit.errors import CameraDataError, InputError, RangeError
from focuskit.io import Depth
from focuskit.optics.coc import mm_to_px, signed_coc_mm
from focuskit.photo import Photo

__all__ = ["map_by_lens", "placed_by_depth"]

Map = NDArray[np.float32]

_SPOT_SHARE = 0.005
_TRUSTED, _IN_FOCUS = 0.5, 0.6
# Shares of the largest distance from the plane: in focus up to the first, not from the second on.
_SHARP_TO, _BLURRED_FROM = 0.04, 0.12
_FAR = 0.95
_SAMPLES = 1_000_000
_MOST_OF, _SHARP_THROUGHOUT = (0.05, 0.95), 0.6
# Distances in millimetres or metres; EXIF's focus distance, which is coarse, tells which.
_UNITS_MM = (1.0, 1000.0)
_NEARLY = 1.5
_NEAR = 0.01


def map_by_lens(photo: Photo, depth: Depth, spot: tuple[float, float] | None) -> BlurMap | None:
    """Return the map that the thin lens gives, where everything that it takes is known.

    That is: distances, and the photo's focal length, f-number, focus distance and sensor width.
    Distances may be in millimetres or in metres: the plane of focus lies among them in one of the
    two. What is in focus follows from the circle of confusion, as with --coc.

    Args:
        photo: with its EXIF.
        depth: of the photo's size.
        spot: (x, y) of what is in focus: its distance is nearer the truth than EXIF's, which
            lenses round; None for EXIF's.

    Returns:
        A trusted map with sides; None where something is not known or does not fit together.
    """
    exif, distance = photo.exif, depth.values
    if depth.of_steps or not (exif.focal_length_mm and exif.f_number and exif.focus_distance_m):
        return None
    focused_mm = exif.focus_distance_m * 1000
    unit = _unit_mm(distance, focused_mm, exif.focal_length_mm)
    if unit is None:
        return None
    if spot is not None:
        focused_mm = _at(distance, spot) * unit
    try:
        on_sensor = signed_coc_mm(
            exif.focal_length_mm, exif.f_number, focused_mm, distance * np.float32(unit)
        )
        signed = np.asarray(mm_to_px(on_sensor, photo), np.float32)
    except (CameraDataError, RangeError):
        return None
    return replace(map_of_coc(np.abs(signed)), side=np.sign(signed).astype(np.int8))


def _unit_mm(distance: Map, focused_mm: float, focal_length_mm: float) -> float | None:
    """Return how many millimetres a step of 1 is; None where the plane lies in no such scene."""
    if not distance.min() > 0:
        return None
    nearest, farthest = float(np.quantile(_sampled(distance), _NEAR)), float(distance.max())
    for unit in _UNITS_MM:
        # No lens draws what lies within its focal length.
        reaches = nearest * unit / _NEARLY <= focused_mm <= farthest * unit * _NEARLY
        if nearest * unit > focal_length_mm and (reaches or math.isinf(focused_mm)):
            return unit
    return None


def placed_by_depth(
    blur_map: BlurMap,
    depth: Depth,
    spot: tuple[float, float] | None,
    *,
    camera: tuple[float, float] | None = None,
    name: str,
) -> BlurMap:
    """Return a map whose blur and sides come from a depth picture.

    A thin lens draws a point at distance d behind a plane at s as a circle of K (1 - s / d) pixels.
    Distances are that; the steps of 8 and 16 bits have no zero that means anything, and are taken
    as even steps of blur, which is how phones save them. The scale K is fitted to the blur that is
    there; where a photo shows none, the farthest depth counts as a thousandth of the diagonal, for
    `bokeh` to go on from.

    Args:
        blur_map: estimated, of the same photo.
        depth: of the photo's size.
        spot: (x, y) of what is in focus; None for what the map says to be.
        camera: (x, y) that the camera focused on, for photos that are sharp throughout.
        name: of the file, for messages.

    Raises:
        InputError: nothing says where the plane of focus lies, or the depth is the same everywhere.
        RangeError: distances that are not above 0.
    """
    values = depth.values
    if not depth.of_steps and not values.min() > 0:
        raise RangeError(
            f"The depth {name} holds distances down to {float(values.min()):g}: floating-point "
            "depths must lie above 0, holes filled; 8 and 16 bits may begin at 0."
        )
    plane = _at(values, spot) if spot is not None else _plane(blur_map, depth, camera)
    off = values - np.float32(plane) if depth.of_steps else 1 - np.float32(plane) / values
    far = float(np.quantile(np.abs(_sampled(off)), _FAR))
    if far <= 0:
        raise InputError(
            f"The depth {name} is the same nearly everywhere, so that it tells no side: give one "
            "that belongs to this photo, or leave it out (--no-embedded-depth where it lies inside "
            "the photo)."
        )
    off = np.clip(off / np.float32(far), -4, 4)
    size = np.abs(off)
    probability = np.clip((_BLURRED_FROM - size) / (_BLURRED_FROM - _SHARP_TO), 0, 1)
    return replace(
        blur_map,
        in_focus_probability=probability.astype(np.float32),
        coc_diameter_px=size * np.float32(_scale(blur_map, size)),
        confidence=np.ones_like(size),
        side=np.sign(off).astype(np.int8),
    )


def _plane(blur_map: BlurMap, depth: Depth, camera: tuple[float, float] | None) -> float:
    """Return the depth of what the map calls in focus, or of where the camera says it focused."""
    values = _sampled(depth.values)
    probability, trust = _sampled(blur_map.in_focus_probability), _sampled(blur_map.confidence)
    sharp = (probability >= _IN_FOCUS) & (trust >= _TRUSTED)
    if sharp.any():
        steps = values if depth.of_steps else -1 / values
        low, high = np.quantile(steps[sharp], _MOST_OF)
        lowest, highest = np.quantile(steps, _MOST_OF)
        # What is in focus at all distances shows no plane.
        if high - low <= _SHARP_THROUGHOUT * (highest - lowest) or highest == lowest:
            return float(np.median(values[sharp]))
    if camera is not None:
        return _at(depth.values, camera)
    found = (
        "The photo is sharp at nearly all distances"
        if sharp.any()
        else ("Nothing in the photo is surely in focus")
    )
    raise InputError(
        f"{found}, so that the depth has no plane to count from: give --focus X,Y, a point that is "
        "in focus or shall be."
    )


def _sampled(values: Map) -> Map:
    """Return rows and columns of a large map that are enough for its quantiles."""
    step = max(1, math.isqrt(values.size // _SAMPLES))
    return values[::step, ::step]


def _at(depth: Map, spot: tuple[float, float]) -> float:
    x, y = (int(each) for each in spot)
    reach = max(1, round(_SPOT_SHARE * math.hypot(*depth.shape)))
    # A median, so that a click beside an outline does not land between two things.
    window = depth[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    return float(np.median(window))


def _scale(blur_map: BlurMap, size: Map) -> float:
    """Return the circle of confusion where the distance from the plane counts as 1."""
    least = LEAST_BLUR_DIAGONALS * math.hypot(*size.shape)
    trusted = (blur_map.confidence >= _TRUSTED) & (size >= _BLURRED_FROM)
    if not trusted.any():
        return least
    ratio = blur_map.coc_diameter_px[trusted] / size[trusted]
    return max(least, float(np.median(ratio[:: max(1, ratio.size // 100_000)])))
