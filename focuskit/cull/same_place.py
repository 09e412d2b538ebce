"""The same place in every frame of a burst: only there do their numbers compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encoded_gray, luminance
from focuskit.cull.measures import Evidence, Measures, Moved
from focuskit.cull.scorers import SCORERS
from focuskit.cull.subject import Region, RegionKind
from focuskit.cull.views import View, match
from focuskit.optics.edges import measure_edges
from focuskit.photo import Photo

__all__ = ["IN_BURST", "Found", "brighter_by", "remeasure", "same_content", "seek", "telling"]

Kinds = tuple[RegionKind, ...]

_OF_THE_BOX = (
    "edge_width",
    "edge_count",
    "detail",
    "motion_probability",
    "motion_ratio",
    "motion_width",
    "motion_angle",
    "motion_length",
)
IN_BURST = (*_OF_THE_BOX, "shared_detail")
"""Names of the numbers that are taken where all frames of a burst show the same thing."""

# Boxes whose content lies so far apart, as a share of their side, hold as good as the same.
_APART, _LIKE = 0.05, 0.8
# A subject moves, and views of 64 px tell the camera's own motion to a pixel only.
_REACH = 0.2
_FAR_COSTS = 0.2
_REGISTERED = 0.5
_BLACK = 1 / 255
# Blur alone changes the mean tone of a whole focal sweep by up to 3 %; a third of a stop is 10 %.
_AS_BRIGHT = 0.035
# The tone of encoded values against the square root that views are kept along.
_ENCODED = 2 / 2.4
# Somebody or something knew what the photo is about; the surest first.
_KNOWN: Kinds = ("given", "AF point", "eyes", "face")
# Where nobody did, one frame's noise may pass for sharpness: then several places are compared.
_MOST_PLACES = 3


@dataclass(frozen=True, slots=True)
class Found:
    """Where a frame shows what was sought.

    Attributes:
        x, y: upper left corner of the box in pixels of the frame.
        likeness: correlation with what was sought, in [-1, 1].
    """

    x: int
    y: int
    likeness: float


def telling(frames: Sequence[tuple[Measures, tuple[float, float]]]) -> list[int]:
    """Return which frames' boxes a burst should be compared in, the most telling first.

    The subject, where one frame knows it; else up to three places that lie apart, those with the
    narrowest edges first: a burst is about what its best frame shows sharply.

    Args:
        frames: for each its numbers, and where its box lies in pixels once drift is taken off.
    """

    def rank(index: int) -> tuple[int, float, tuple[float, float]]:
        measures, at = frames[index]
        kind, width = measures.region.kind, measures["edge_width"]
        trust = _KNOWN.index(kind) if kind in _KNOWN else len(_KNOWN)
        return trust, math.inf if math.isnan(width) else width, at

    order = sorted(range(len(frames)), key=rank)
    if rank(order[0])[0] < len(_KNOWN):
        return order[:1]
    chosen: list[int] = []
    for index in order:
        if all(_lie_apart(frames[index], frames[other]) for other in chosen):
            chosen.append(index)
    return chosen[:_MOST_PLACES]


def _lie_apart(
    one: tuple[Measures, tuple[float, float]], other: tuple[Measures, tuple[float, float]]
) -> bool:
    region = one[0].region
    return (
        abs(one[1][0] - other[1][0]) >= region.width
        or abs(one[1][1] - other[1][1]) >= region.height
    )


def same_content(one: View, other: View) -> bool:
    """Return whether the boxes of two frames show the same thing at the same place in the box."""
    found = match(one, other)
    return found.likeness >= _LIKE and found.drift <= _APART


def seek(box: View, size: tuple[int, int], frame: Photo, near: tuple[float, float]) -> Found:
    """Return where a frame shows what is in a box of another frame.

    Args:
        box: what is sought, tiny.
        size: width and height of that box in pixels of the full frame.
        frame: the whole frame, at about the scale of `box`.
        near: where the box's upper left corner is expected, in shares of the frame; farther away,
            the likeness must be higher.

    Returns:
        The best place, in pixels of the full frame at the scale that `size` has.
    """
    left, top, whole = _around(frame, box, near)
    sought = box.pixels()
    if whole.shape[0] < sought.shape[0] or whole.shape[1] < sought.shape[1]:
        return Found(0, 0, -1.0)
    scores = np.asarray(cv2.matchTemplate(whole, sought, cv2.TM_CCOEFF_NORMED))
    # A plain patch has no correlation with anything.
    scores[~np.isfinite(scores)] = -1.0
    y, x = np.ogrid[0 : scores.shape[0], 0 : scores.shape[1]]
    away_x = (x + left) / frame.width - near[0]
    away_y = ((y + top) / frame.height - near[1]) * (frame.height / frame.width)
    worth = scores - _FAR_COSTS * (away_x**2 + away_y**2) / _REACH**2
    row, column = (int(each) for each in np.unravel_index(int(np.argmax(worth)), worth.shape))
    return Found(
        x=round((left + column + _peak(scores[row], column)) * size[0] / box.width),
        y=round((top + row + _peak(scores[:, column], row)) * size[1] / box.height),
        likeness=float(scores[row, column]),
    )


def _around(
    frame: Photo, box: View, near: tuple[float, float]
) -> tuple[int, int, NDArray[np.float32]]:
    """Return the tones of what lies within reach of a place, and where that begins."""
    reach = round(_REACH * max(frame.width, frame.height))
    x, y = round(near[0] * frame.width), round(near[1] * frame.height)
    left, top = max(0, x - reach), max(0, y - reach)
    cut = frame.rgb[top : max(0, y + reach + box.height), left : max(0, x + reach + box.width)]
    if not cut.size:
        return left, top, np.zeros((0, 0), np.float32)
    light = luminance(np.ascontiguousarray(cut), frame.primaries)
    return left, top, np.sqrt(np.maximum(light, np.float32(0)))


def remeasure(
    measures: Measures, region: Region, crop: Photo, *, moved: Moved | None = None
) -> Measures:
    """Return a shot's numbers with those of its box taken in another one.

    Args:
        measures: of the shot.
        region: the other box.
        crop: what it holds, at 100 %.
        moved: tells motion, as in `gather`.
    """
    noise = measures["noise"]
    edges = measure_edges(encoded_gray(crop), noise_sigma=noise)
    nothing = np.zeros((1, 1), np.float32)
    # Nothing that is measured of a box asks about the rest of the frame.
    evidence = Evidence(
        crop,
        BlurMap(nothing, nothing, nothing),
        crop,
        region,
        noise,
        edges,
        all_edges=edges,
        moved=moved,
    )
    taken = {name: float(SCORERS.get(name).measure(evidence)) for name in _OF_THE_BOX}
    return Measures({**measures.values, **taken}, region)


def brighter_by(first: View, second: View) -> float:
    """Return by what factor the second frame's encoded tones are brighter, where both overlap.

    Contrast grows as the tones do, so that detail compares only at equal exposure. 1 where the
    difference may well come from blur.
    """
    found = match(first, second)
    one, other = first.pixels(), second.pixels()
    if found.likeness >= _REGISTERED and one.shape == other.shape:
        x, y = round(found.x * first.width), round(found.y * first.height)
        height, width = one.shape
        one = one[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
        other = other[max(0, y) : height - max(0, -y), max(0, x) : width - max(0, -x)]
    levels = [max(float(np.mean(each)), _BLACK) for each in (one, other)]
    factor = (levels[1] / levels[0]) ** _ENCODED
    return factor if abs(factor - 1) > _AS_BRIGHT else 1.0


def _peak(scores: NDArray[Any], index: int) -> float:
    """Return by how much the top of a parabola lies off the largest of its samples."""
    if not 0 < index < len(scores) - 1:
        return 0.0
    before, here, after = (float(each) for each in scores[index - 1 : index + 2])
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
