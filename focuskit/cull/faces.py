"""Faces and eyes, as a first guess at what a photo is about.

References:
    W. Wu, H. Peng, S. Yu: YuNet: A tiny millisecond-level face detector. Machine Intelligence
        Research 20, 2023.
    P. Viola, M. Jones: Rapid object detection using a boosted cascade of simple features. CVPR
        2001.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import WeightsError

__all__ = ["Face", "find_faces"]

Gray = NDArray[np.uint8]
Rgb8 = NDArray[np.uint8]

# Long enough for a face of a tenth of the frame, and a tenth of the cost of decoding 24 MP.
_CASCADE_EDGE_PX = 300
_SMALLEST_PX = 28
_SCALE_STEP, _NEIGHBOURS = 1.35, 3
# What the last stage of the cascade gives. Below it a face has to show an eye: labels, carvings and
# foliage that pass for one hardly do.
_SURE_WEIGHT = 56.0
_EYES_SIZE = (120, 72)
_EYES_SHARE = 0.6
_LEAST_SCORE = 0.8
# A cascade keeps the picture that it works on, and a network the size of it: two threads that share
# one crash.
_OF_THREAD = threading.local()


@dataclass(frozen=True, slots=True)
class Face:
    """A face, in shares of the upright picture's width and height.

    Attributes:
        x, y: upper left corner.
        width, height: size.
        eyes: centres of the eyes that were found.
        sure: whether it can be nothing else.
    """

    x: float
    y: float
    width: float
    height: float
    eyes: tuple[tuple[float, float], ...]
    sure: bool


def find_faces(picture: Rgb8, model: Path | None = None) -> list[Face]:
    """Return the faces in a small picture, the largest first.

    Args:
        picture: (H, W, 3) uint8 RGB, upright; 300 to 400 px are enough.
        model: YuNet's ONNX file; None takes the cascades that come with OpenCV.

    Raises:
        WeightsError: OpenCV cannot use the file, or has lost its cascades.
    """
    if min(picture.shape[:2]) < _SMALLEST_PX:
        return []
    faces = _by_network(picture, model) if model is not None else _by_cascade(picture)
    return sorted(faces, key=lambda face: -face.width * face.height)


def _by_network(picture: Rgb8, model: Path) -> list[Face]:
    height, width = picture.shape[:2]
    try:
        network = _network(str(model))
        network.setInputSize((width, height))
        _, rows = network.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    except cv2.error as exc:
        raise WeightsError(
            f"OpenCV cannot find faces with {model} ({exc.err or 'no reason given'}); get it again "
            "with focuskit models get yunet --overwrite."
        ) from exc
    size = np.array([width, height], np.float64)
    faces = []
    for row in [] if rows is None else rows:
        (x, y), (across, down) = row[:2] / size, row[2:4] / size
        eyes = tuple((float(ex), float(ey)) for ex, ey in row[4:8].reshape(2, 2) / size)
        faces.append(Face(float(x), float(y), float(across), float(down), eyes, sure=True))
    return faces


def _network(model: str) -> Any:
    known = vars(_OF_THREAD)
    if model not in known:
        known[model] = cv2.FaceDetectorYN.create(model, "", (320, 320), _LEAST_SCORE)
    return known[model]


def _cascade(name: str) -> cv2.CascadeClassifier:
    known = vars(_OF_THREAD)
    if name not in known:
        path = Path(cv2.data.haarcascades) / f"haarcascade_{name}.xml"  # type: ignore[attr-defined]
        cascade = cv2.CascadeClassifier(str(path)) if path.is_file() else cv2.CascadeClassifier()
        if cascade.empty():
            raise WeightsError(
                f"OpenCV's cascade {path} is missing; install opencv-python-headless again."
            )
        known[name] = cascade
    found: cv2.CascadeClassifier = known[name]
    return found


def _by_cascade(picture: Rgb8) -> list[Face]:
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    ratio = min(1.0, _CASCADE_EDGE_PX / max(gray.shape))
    size = (max(1, round(gray.shape[1] * ratio)), max(1, round(gray.shape[0] * ratio)))
    small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    boxes, _, weights = _cascade("frontalface_alt2").detectMultiScale3(
        small,
        _SCALE_STEP,
        _NEIGHBOURS,
        0,
        (_SMALLEST_PX, _SMALLEST_PX),
        outputRejectLevels=True,
    )
    return [
        _face(small, (int(x), int(y), int(across), int(down)), float(weight))
        for (x, y, across, down), weight in zip(boxes, weights, strict=True)
    ]


def _face(gray: Gray, box: tuple[int, int, int, int], weight: float) -> Face:
    x, y, width, height = box
    rows, columns = gray.shape
    eyes = _eyes(gray[y : y + round(height * _EYES_SHARE), x : x + width])
    placed = tuple(
        ((x + across * width) / columns, (y + down * _EYES_SHARE * height) / rows)
        for across, down in eyes
    )
    sure = weight >= _SURE_WEIGHT or bool(eyes)
    return Face(x / columns, y / rows, width / columns, height / rows, placed, sure)


def _eyes(upper: Gray) -> list[tuple[float, float]]:
    """Return the centres of up to two eyes, in shares of the upper part of a face."""
    large = np.asarray(cv2.resize(upper, _EYES_SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)
    boxes = _cascade("eye_tree_eyeglasses").detectMultiScale(large, 1.1, 4, 0, (20, 20))
    width, height = _EYES_SIZE
    centres = [((x + w / 2) / width, (y + h / 2) / height) for x, y, w, h in boxes]
    # One on each side; nostrils and eyebrows come in pairs too, but not at the height of an eye.
    left = [eye for eye in centres if eye[0] < 0.5 and eye[1] > 0.3]
    right = [eye for eye in centres if eye[0] >= 0.5 and eye[1] > 0.3]
    return left[:1] + right[:1]
