"""Where the plane of focus lies when it misses the subject.

One photograph's blur looks the same on either side of that plane. What tells the sides is the
camera's focus distance against the size of a face, or the layout: what stands lower in the frame is
usually nearer, what surrounds a head is usually behind it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from focuskit.blurmap import BlurMap
from focuskit.cull.aim import Subject
from focuskit.cull.subject import Region
from focuskit.photo import Exif

__all__ = ["Beside", "Side", "tell_side"]

Side = Literal["front", "back"]

_FACE_M = 0.16
# Faces differ by a quarter, focus distances are as coarse: only more than both is a difference.
_CLEARLY = 1.6
_SHARP = 0.5
_MOSTLY = 0.8


@dataclass(frozen=True, slots=True)
class Beside:
    """What is sharp instead of the subject.

    Attributes:
        region: the box that was measured.
        edge_width_px: width of its edges at 100 %.
        side: where that lies, seen from the subject: before it, behind it, or None if unknown.
        hint: what tells the side; empty if nothing does.
    """

    region: Region
    edge_width_px: float
    side: Side | None = None
    hint: str = ""


def tell_side(
    subject: Subject, blur_map: BlurMap, exif: Exif, aspect: float
) -> tuple[Side | None, str]:
    """Return on which side of the subject the plane of focus lies, and what tells it.

    Args:
        subject: what should have been sharp.
        blur_map: map of the whole frame.
        exif: for the focus distance and the size of the view.
        aspect: width / height of the upright picture.
    """
    found = _by_distance(subject, exif, aspect)
    return found if found[0] is not None else _by_layout(subject, blur_map)


def _by_distance(subject: Subject, exif: Exif, aspect: float) -> tuple[Side | None, str]:
    focus_m, focal_mm, sensor_mm = exif.focus_distance_m, exif.focal_length_mm, exif.sensor_width_mm
    if not (subject.face_width and focus_m and focal_mm and sensor_mm):
        return None, ""
    width_mm = subject.face_width * (sensor_mm if aspect >= 1 else sensor_mm * aspect)
    face_m = _FACE_M * focal_mm / width_mm
    if not math.isfinite(face_m) or face_m <= 0:
        return None, ""
    if focus_m > face_m * _CLEARLY:
        side: Side = "back"
    elif focus_m < face_m / _CLEARLY:
        side = "front"
    else:
        return None, ""
    at = "infinity" if math.isinf(focus_m) else f"{focus_m:.1f} m"
    return side, f"the lens was set to {at}, the face is about {face_m:.1f} m away"


def _by_layout(subject: Subject, blur_map: BlurMap) -> tuple[Side | None, str]:
    left, top, right, bottom = subject.bounds
    height, width = blur_map.in_focus_probability.shape
    sharp = np.where(blur_map.in_focus_probability >= _SHARP, blur_map.confidence, 0.0)
    sharp[
        round(top * height) : round(bottom * height), round(left * width) : round(right * width)
    ] = 0
    total = float(sharp.sum())
    if total <= 0:
        return None, ""
    if subject.face_width is not None:
        # A body continues below its face: only what is sharp to its sides and above tells.
        return _around_a_face(sharp, bottom, total)
    below = float(sharp[round(bottom * height) :].sum()) / total
    above = float(sharp[: round(top * height)].sum()) / total
    if below >= _MOSTLY:
        return "front", "what is sharp lies below it in the frame, as nearer ground does"
    if above >= _MOSTLY:
        return "back", "what is sharp lies above it in the frame, as farther ground does"
    return None, ""


def _around_a_face(sharp: np.ndarray, bottom: float, total: float) -> tuple[Side | None, str]:
    height = sharp.shape[0]
    around = float(sharp[: round(bottom * height)].sum())
    # In even surroundings the rows above the chin would hold this much.
    if around / total >= min(_MOSTLY, bottom * _MOSTLY):
        return "back", "what is sharp surrounds the face, as a background does"
    if around / total <= 0.1:
        return "front", "what is sharp lies below the face"
    return None, ""
