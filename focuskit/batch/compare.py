"""Before and after on one sheet, with crops at 100 % where an edit shows whether it is good."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.pictures import shrunk
from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb
from focuskit.photo import Exif, Photo

__all__ = ["Crop", "choose_crops", "compare_sheet"]

Map = NDArray[np.float32]
Image = NDArray[np.float32]

_WHOLE_PX, _CROP_PX, _GAP_PX, _LABEL_PX = 900, 292, 16, 30
_LEAST_CROP_PX = 64
_CROPS = 3
# Windows are compared on a grid of this many steps per window.
_STEPS = 16
_APART = 0.75
_STRIP = 256
_PAPER, _INK = 0.02, (0.7, 0.7, 0.7)
_FRAME = (1.0, 0.55, 0.0)


@dataclass(frozen=True, slots=True)
class Crop:
    """A window in pixels of the photo: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int


def compare_sheet(before: Photo, after: Photo, blur_map: BlurMap) -> Photo:
    """Return both photos side by side, below them three pairs of crops at 100 %.

    Args:
        before: the original.
        after: of the same size.
        blur_map: of the original; the outline of what is in focus is worth a look.

    Returns:
        A photo of its own, in the original's primaries and without EXIF.
    """
    crops = choose_crops(before, after, blur_map)
    wholes = [_framed(photo, crops) for photo in (before, after)]
    pairs = [
        _beside([_cut(photo, crop) for photo in (before, after)], _GAP_PX // 4) for crop in crops
    ]
    top = _beside(
        [_labelled(whole, text) for whole, text in zip(wholes, ("before", "after"), strict=True)],
        _GAP_PX,
    )
    titles = [f"{number}: before | after, 100 %" for number in range(1, len(pairs) + 1)]
    below = _beside(
        [_labelled(pair, text) for pair, text in zip(pairs, titles, strict=True)], _GAP_PX
    )
    sheet = _bordered(_stacked(top, below))
    return Photo(sheet, exif=Exif(), primaries=before.primaries)


def choose_crops(before: Photo, after: Photo, blur_map: BlurMap) -> list[Crop]:
    """Return up to three windows: the largest change, then the most change along the outline.

    Args:
        before: the original.
        after: of the same size.
        blur_map: of the original, at the same size.
    """
    # Of a small photo, crops are halves: three of them shall show different things.
    side = min(_CROP_PX, max(_LEAST_CROP_PX, min(before.width, before.height) // 2))
    width, height = min(side, before.width), min(side, before.height)
    factor = max(1, min(width, height) // _STEPS)
    change = _reduced(_change(before, after), factor)
    outline = _reduced(_outline(blur_map), factor)
    window = (max(1, width // factor), max(1, height // factor))
    scores = [_means(change, window)]
    scores += [_means(change * (outline > 0) + 1e-3 * outline, window)] * (_CROPS - 1)
    crops: list[Crop] = []
    for score in scores:
        for other in crops:
            _rule_out(score, other, factor, window)
        y, x = np.unravel_index(int(np.argmax(score)), score.shape)
        if score[y, x] < 0:
            break
        left = min(int(x) * factor, before.width - width)
        top = min(int(y) * factor, before.height - height)
        crops.append(Crop(left, top, width, height))
    return crops


def _change(before: Photo, after: Photo) -> Map:
    """Return how much each pixel changed to the eye, by strips: whole pictures cost gigabytes."""
    made = np.empty((before.height, before.width), np.float32)
    for top in range(0, before.height, _STRIP):
        rows = slice(top, top + _STRIP)
        seen = [encode_srgb(np.minimum(photo.rgb[rows], 1)) for photo in (before, after)]
        made[rows] = np.abs(seen[1] - seen[0]).mean(axis=2)
    return made


def _outline(blur_map: BlurMap) -> Map:
    sharp = (blur_map.in_focus_probability >= 0.5).astype(np.uint8)
    edge = cv2.morphologyEx(sharp, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return np.asarray(edge, np.float32).reshape(sharp.shape)


def _reduced(values: Map, factor: int) -> Map:
    size = (max(1, values.shape[1] // factor), max(1, values.shape[0] // factor))
    made = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return np.asarray(made, np.float32).reshape(size[1], size[0])


def _means(values: Map, window: tuple[int, int]) -> Map:
    """Return the mean over every window that lies within, at its top left corner."""
    made = cv2.blur(values, window, anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
    made = np.asarray(made, np.float32).reshape(values.shape)
    return made[: values.shape[0] - window[1] + 1, : values.shape[1] - window[0] + 1].copy()


def _rule_out(score: Map, crop: Crop, factor: int, window: tuple[int, int]) -> None:
    across, down = max(1, round(_APART * window[0])), max(1, round(_APART * window[1]))
    x, y = crop.x // factor, crop.y // factor
    score[max(0, y - down + 1) : y + down, max(0, x - across + 1) : x + across] = -1


def _framed(photo: Photo, crops: list[Crop]) -> Image:
    small = shrunk(photo, _WHOLE_PX)
    picture = np.minimum(small.rgb, 1)
    factor = small.width / photo.width
    for number, crop in enumerate(crops, start=1):
        start = (round(crop.x * factor), round(crop.y * factor))
        end = (round((crop.x + crop.width) * factor), round((crop.y + crop.height) * factor))
        cv2.rectangle(picture, start, end, _FRAME, 2)
        place = (start[0] + 6, start[1] + 22)
        cv2.putText(picture, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, _FRAME, 2)
    return picture


def _cut(photo: Photo, crop: Crop) -> Image:
    rows = slice(crop.y, crop.y + crop.height)
    return np.minimum(photo.rgb[rows, crop.x : crop.x + crop.width], 1)


def _labelled(picture: Image, text: str) -> Image:
    band = _paper(_LABEL_PX, picture.shape[1])
    place = (0, _LABEL_PX - 10)
    cv2.putText(band, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return np.concatenate([band, picture])


def _beside(pictures: list[Image], gap: int) -> Image:
    height = max(picture.shape[0] for picture in pictures)
    parts: list[Image] = []
    for picture in pictures:
        fill = _paper(height - picture.shape[0], picture.shape[1])
        parts += [np.concatenate([picture, fill]), _paper(height, gap)]
    return np.concatenate(parts[:-1], axis=1)


def _stacked(top: Image, below: Image) -> Image:
    width = max(top.shape[1], below.shape[1])
    parts = [
        np.concatenate([each, _paper(each.shape[0], width - each.shape[1])], axis=1)
        for each in (top, below)
    ]
    return np.concatenate([parts[0], _paper(_GAP_PX // 2, width), parts[1]])


def _bordered(sheet: Image) -> Image:
    rim = _GAP_PX
    made = _paper(sheet.shape[0] + 2 * rim, sheet.shape[1] + 2 * rim)
    made[rim:-rim, rim:-rim] = sheet
    return made


def _paper(height: int, width: int) -> Image:
    return np.full((height, width, 3), _PAPER, np.float32)
