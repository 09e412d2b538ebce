"""Real pictures with measured disparity, cut into slices that the reference can draw.

Every slice holds the pixels of one small range of disparity, and goes on behind whatever stands
before it: a hidden pixel belongs to the slice of the nearest pixel that is not before the slice,
and has that pixel's colour. What really is there nobody photographed, so beside outlines these
truths are guesses, if careful ones; the drawn scenes are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encoding_of, linearise
from focuskit.errors import InputError
from focuskit.training.judging_scenes import Part, Scene
from focuskit.training.reference import ROUND, Surface

__all__ = ["depth_scenes", "motorcycle", "sliced"]

Map = NDArray[np.float64]
Pixels = NDArray[np.uint8]

# Circles of confusion within a slice differ by less than this.
_SLICE_PX = 0.75
_LONGEST_PX = 700
_MOTORCYCLE = "motorcycle"
# (name, share of pixels that is farther than the plane of focus, largest circle in pixels)
_SCENES: dict[Part, tuple[tuple[str, float, float], ...]] = {
    Part.DEVELOPMENT: (("book", 0.75, 24.0), ("dolls", 0.85, 20.0)),
    Part.JUDGING: (("cones", 0.8, 18.0), ("art", 0.7, 26.0), (_MOTORCYCLE, 0.75, 24.0)),
}


def depth_scenes(data: Path | None, part: Part) -> Iterator[tuple[str, Callable[[], Scene | None]]]:
    """Name the scenes of a part and how each is made; None where its pictures are missing.

    Args:
        data: the folder that holds "rgbd"; None = only what scikit-image brings, if that is there.
        part: of the scenes.
    """
    for name, farther, most in _SCENES[part]:

        def make(name: str = name, farther: float = farther, most: float = most) -> Scene | None:
            found = _read(data, name)
            return None if found is None else sliced(name, *found, farther, most)

        yield name, make


def motorcycle(farther: float, most_coc_px: float) -> Scene | None:
    """Return the motorcycle as `sliced` makes it; None where scikit-image did not bring it."""
    found = _read(None, _MOTORCYCLE)
    return None if found is None else sliced(_MOTORCYCLE, *found, farther, most_coc_px)


def sliced(name: str, encoded: Pixels, disparity: Map, farther: float, most_coc_px: float) -> Scene:
    """Return a picture with disparity as a scene of slices, round aperture.

    A thin lens draws disparity d as a circle of K (focused disparity - d) pixels.

    Args:
        name: of the scene.
        encoded: (H, W, 3) encoded sRGB.
        disparity: (H, W), larger = nearer, without holes.
        farther: share of the pixels that lie behind the plane of focus.
        most_coc_px: the largest circle of confusion, which gives K.
    """
    focused = float(np.quantile(disparity, farther))
    off = focused - disparity
    coc = off * (most_coc_px / float(np.abs(off).max()))
    margin = math.ceil(0.6 * most_coc_px) + 4
    frame = (margin, margin, margin, margin, cv2.BORDER_REFLECT_101)
    light = cv2.copyMakeBorder(linearise(encoded, encoding_of("srgb")), *frame)
    coc = np.asarray(cv2.copyMakeBorder(coc, *frame), np.float64)
    height, width = encoded.shape[:2]
    inner = (slice(margin, margin + height), slice(margin, margin + width))
    return Scene(name, tuple(_slices(light.astype(np.float64), coc)), ROUND, inner)


def _slices(light: NDArray[np.float64], coc: Map) -> Iterator[Surface]:
    number = np.rint(coc / _SLICE_PX).astype(np.int64)
    for each in np.unique(number):
        # What is not before this slice: each hidden pixel asks for the nearest of these.
        open_ = number >= each
        own = number == each
        if open_.all():
            yield Surface(light, own.astype(np.float64), float(each) * _SLICE_PX)
            continue
        y, x = _nearest(open_)
        cover = own[y, x].astype(np.float64)
        yield Surface(light[y, x], cover, float(each) * _SLICE_PX)


def _nearest(open_: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column of the nearest True pixel for every pixel."""
    _, labels = cv2.distanceTransformWithLabels(
        (~open_).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(open_)
    place = np.zeros(int(labels.max()) + 1, np.int64)
    place[labels[rows, columns]] = np.arange(rows.size)
    index = place[labels]
    return rows[index], columns[index]


def _read(data: Path | None, name: str) -> tuple[Pixels, Map] | None:
    if name == _MOTORCYCLE:
        found = _read_motorcycle()
    elif data is None or not (data / "rgbd").is_dir():
        return None
    elif name == "cones":
        found = _read_cones(data / "rgbd" / "cones")
    else:
        found = tuple(
            _picture(data / "rgbd" / f"{name}_{kind}.png", flag)
            for kind, flag in (("color", cv2.IMREAD_COLOR_RGB), ("disparity", cv2.IMREAD_UNCHANGED))
        )
    if found is None:
        return None
    encoded, disparity = found
    return _fitted(np.asarray(encoded, np.uint8), _filled(np.asarray(disparity, np.float64)))


def _read_cones(folder: Path) -> tuple[Any, Any]:
    import tifffile

    names = ("left_rgb.tif", "Cones_LEFT_GT.tif")
    try:
        encoded, disparity = (tifffile.imread(folder / name) for name in names)
    except (OSError, ValueError) as exc:
        raise InputError(f"{folder} lacks {' or '.join(names)}, or it is damaged: {exc}.") from exc
    return np.rint(encoded).clip(0, 255), np.where(disparity > 0, disparity, np.nan)


def _read_motorcycle() -> tuple[Any, Any] | None:
    try:
        data: Any = import_module("skimage.data")
    except ImportError:
        return None
    try:
        left, _, disparity = data.stereo_motorcycle()
    except OSError:  # fetched from the net where the package did not bring it
        return None
    return left, np.where(np.isfinite(disparity), disparity, np.nan)


def _picture(path: Path, flag: int) -> Any:
    picture = cv2.imread(str(path), flag)
    if picture is None:
        raise InputError(f"The picture {path} is missing or damaged.")
    return picture


def _filled(disparity: Map) -> Map:
    """Give unknown pixels, hidden from one eye mostly, their farther neighbour in the row."""
    known = np.isfinite(disparity)
    if known.all():
        return disparity
    columns = np.arange(disparity.shape[1])
    result = disparity.copy()
    for row, here in zip(result, known, strict=True):
        at = np.flatnonzero(here)
        if not at.size:
            row[:] = np.nan
            continue
        left = row[at[np.clip(np.searchsorted(at, columns, "right") - 1, 0, at.size - 1)]]
        right = row[at[np.clip(np.searchsorted(at, columns, "left"), 0, at.size - 1)]]
        row[:] = np.where(here, row, np.minimum(left, right))
    return np.where(np.isfinite(result), result, float(np.nanmin(result)))


def _fitted(encoded: Pixels, disparity: Map) -> tuple[Pixels, Map]:
    """Shrink by whole numbers; a disparity is that of one pixel, since means lie in the air."""
    step = max(1, math.ceil(max(encoded.shape[:2]) / _LONGEST_PX))
    height, width = (side // step * step for side in encoded.shape[:2])
    small = cv2.resize(
        encoded[:height, :width], (width // step, height // step), interpolation=cv2.INTER_AREA
    )
    return np.asarray(small, np.uint8), disparity[
        step // 2 : height : step, step // 2 : width : step
    ]
