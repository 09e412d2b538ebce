"""What a photo was meant to show sharp, as far as that can be known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.cull.faces import Face
from focuskit.cull.subject import Region, RegionKind
from focuskit.photo import Exif

__all__ = ["Subject", "by_camera", "by_faces", "regions_on"]

# Cameras write half the frame where they only mean that they metered all of it.
_LARGEST_AREA = 0.35
_AF_SHARE = 0.04
# So near the centre, the AF point may be the one that every camera starts with, focused with before
# the frame was composed.
_CENTRAL = 0.03
_PROMINENT_FACE = 0.12
_MOST_FACES = 3
_SMALLEST_BOX_PX = 64
_WHOLE_FACE = 1.5


@dataclass(frozen=True, slots=True)
class Subject:
    """A part of the upright picture, as boxes in shares of its width and height.

    Attributes:
        kind: how it was found.
        boxes: (x0, y0, x1, y1) each; the subject is as sharp as the sharpest of them.
        sure: whether a photo with this out of focus and something else in focus is a mistake.
        face_width: of the largest face, in shares of the picture's width; None without one.
    """

    kind: RegionKind
    boxes: tuple[tuple[float, float, float, float], ...]
    sure: bool
    face_width: float | None = None

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The box around all its boxes."""
        left, top, right, bottom = zip(*self.boxes, strict=True)
        return min(left), min(top), max(right), max(bottom)


def by_camera(exif: Exif) -> Subject | None:
    """Return what the camera focused on, or None where it did not say."""
    if exif.focus_point is None:
        return None
    if exif.focus_area is not None and max(exif.focus_area) > _LARGEST_AREA:
        return None
    x, y = exif.focus_point
    sure = max(abs(x - 0.5), abs(y - 0.5)) > _CENTRAL
    across, down = exif.focus_area or (_AF_SHARE, _AF_SHARE)
    return Subject(
        "AF point", (_clipped(x, y, max(across, _AF_SHARE), max(down, _AF_SHARE)),), sure
    )


def by_faces(faces: list[Face], aspect: float) -> Subject | None:
    """Return the most prominent faces, or their eyes; None where there are none.

    Args:
        faces: the largest first.
        aspect: width / height of the picture.
    """
    known = [face for face in faces if face.sure][:_MOST_FACES]
    if not known:
        return None
    # A smaller face than half the largest one stands in the background.
    known = [face for face in known if face.width >= known[0].width / 2]
    shorter = known[0].width * max(aspect, 1.0)
    sure = shorter >= _PROMINENT_FACE
    boxes: list[tuple[float, float, float, float]] = []
    for face in known:
        boxes += [_clipped(x, y, face.width / 3, face.height / 3) for x, y in face.eyes]
        # Lids and pupils may hold few edges that can be measured; brows, hair and lips hold more.
        middle = face.x + face.width / 2, face.y + face.height / 2
        boxes.append(_clipped(*middle, face.width, face.height))
    found: RegionKind = "eyes" if any(face.eyes for face in known) else "face"
    return Subject(found, tuple(boxes), sure, known[0].width)


def regions_on(
    subject: Subject,
    *,
    frame_width: int,
    frame_height: int,
    size_px: int,
    detail: NDArray[np.float32],
    count: int = 3,
) -> list[Region]:
    """Return boxes on a subject that are judged at 100 %.

    Args:
        subject: what the photo is about.
        frame_width: width of the full frame in pixels.
        frame_height: height of the full frame in pixels.
        size_px: largest side of a box in pixels of the full frame.
        detail: (H, W) float32 >= 0 of the whole frame at any size, how much fine detail there is:
            of a large subject, the parts with most of it are judged.
        count: most boxes to return.
    """
    regions: list[Region] = []
    # Around an AF point lies what it focused on; a face ends where it ends.
    least = size_px // 2 if subject.kind == "AF point" else _SMALLEST_BOX_PX
    for box in subject.boxes:
        left, right = _span(box[0], box[2], frame_width, least)
        top, bottom = _span(box[1], box[3], frame_height, least)
        width, height = right - left, bottom - top
        if max(width, height) <= _WHOLE_FACE * size_px:
            regions.append(Region(left, top, width, height, subject.kind))
            continue
        rest = max(1, count - len(subject.boxes) + 1)
        regions += _most_detailed(
            Region(left, top, width, height, subject.kind),
            (frame_width, frame_height),
            min(size_px, width, height),
            detail,
            rest,
        )
    return regions[: max(count, len(subject.boxes))]


def _clipped(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return (
        min(max(x - width / 2, 0.0), 1.0),
        min(max(y - height / 2, 0.0), 1.0),
        min(max(x + width / 2, 0.0), 1.0),
        min(max(y + height / 2, 0.0), 1.0),
    )


def _span(low: float, high: float, size: int, least: int) -> tuple[int, int]:
    """Return the same span in pixels, grown to what can be measured where it is smaller."""
    start, end = round(low * size), round(high * size)
    least = min(max(least, 1), size)
    if end - start < least:
        start = min(max(0, (start + end - least) // 2), size - least)
        end = start + least
    return start, end


def _most_detailed(
    whole: Region, frame: tuple[int, int], side: int, detail: NDArray[np.float32], count: int
) -> list[Region]:
    to_x, to_y = detail.shape[1] / frame[0], detail.shape[0] / frame[1]
    x0, y0 = int(whole.x * to_x), int(whole.y * to_y)
    x1 = max(x0 + 1, int((whole.x + whole.width) * to_x))
    y1 = max(y0 + 1, int((whole.y + whole.height) * to_y))
    inside = np.ascontiguousarray(detail[y0:y1, x0:x1])
    window = max(1, round(side * to_x)), max(1, round(side * to_y))
    fine = np.asarray(
        cv2.boxFilter(inside, -1, window, borderType=cv2.BORDER_CONSTANT), np.float32
    ).reshape(inside.shape)
    regions: list[Region] = []
    for _ in range(count):
        row, column = np.unravel_index(int(np.argmax(fine)), fine.shape)
        if regions and fine[row, column] <= 0:
            break
        x = round((x0 + int(column) + 0.5) / to_x - side / 2)
        y = round((y0 + int(row) + 0.5) / to_y - side / 2)
        x = min(max(x, whole.x), whole.x + whole.width - side)
        y = min(max(y, whole.y), whole.y + whole.height - side)
        regions.append(Region(x, y, side, side, whole.kind))
        half_x, half_y = max(1, window[0] // 2), max(1, window[1] // 2)
        fine[max(0, row - half_y) : row + half_y, max(0, column - half_x) : column + half_x] = 0
    return regions
