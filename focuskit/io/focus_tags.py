"""The AF point that ExifTool's tags tell, which it names as its documentation does.

References:
    P. Harvey: ExifTool, https://exiftool.org/TagNames: AFInfo2 of Canon and Nikon, Sony, FujiFilm,
        Panasonic, Olympus CameraSettings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from focuskit.io.af_points import CameraPoint, CanonAreas

__all__ = ["FOCUS_TAGS", "point_of_tags"]

FOCUS_TAGS = (
    "Model CanonImageWidth CanonImageHeight AFImageWidth AFImageHeight AFAreaXPositions "
    "AFAreaYPositions AFPointsInFocus ValidAFPoints AFAreaXPosition AFAreaYPosition FocusLocation "
    "FocusPixel ExifImageWidth ExifImageHeight AFPointPosition AFPointSelected"
).split()


def point_of_tags(tags: Mapping[str, Any]) -> CameraPoint | None:
    """Return the AF point that ExifTool's tags tell, as numbers (-n); None where they tell none.

    Args:
        tags: by name without group. What is missing or no number is passed over.
    """
    values = {name: _numbers(tags.get(name)) for name in FOCUS_TAGS if name != "Model"}
    size = _pair(values["AFImageWidth"], values["AFImageHeight"])
    if values["AFAreaXPositions"]:
        return _canon(values, size, str(tags.get("Model", "")))
    if values["AFAreaXPosition"] and values["AFAreaYPosition"] and size:
        return _on((values["AFAreaXPosition"][0], values["AFAreaYPosition"][0]), size)
    if len(values["FocusLocation"]) == 4:
        width, height, *place = values["FocusLocation"]
        # The centre is what the camera writes where it does not know.
        unknown = place == [width // 2, height // 2]
        return None if unknown else _on((place[0], place[1]), (width, height))
    written = _pair(values["ExifImageWidth"], values["ExifImageHeight"])
    if len(values["FocusPixel"]) == 2 and written:
        return _on((values["FocusPixel"][0], values["FocusPixel"][1]), written)
    return _by_shares(values["AFPointPosition"], values["AFPointSelected"])


def _by_shares(position: list[float], selected: list[float]) -> CameraPoint | None:
    if len(position) == 2:  # Panasonic
        return CameraPoint(position[0], position[1])
    if len(selected) == 4:  # Olympus: two corners
        return CameraPoint((selected[0] + selected[2]) / 2, (selected[1] + selected[3]) / 2)
    return None


def _canon(
    values: Mapping[str, list[float]], size: tuple[float, float] | None, model: str
) -> CameraPoint | None:
    if size is None:
        return None
    picture = _pair(values["CanonImageWidth"], values["CanonImageHeight"]) or (0, 0)
    valid = values["ValidAFPoints"] or [0]
    areas = CanonAreas(
        x=tuple(int(value) for value in values["AFAreaXPositions"]),
        y=tuple(int(value) for value in values["AFAreaYPositions"]),
        lit=tuple(int(value) & 0xFFFF for value in values["AFPointsInFocus"]),
        valid=int(valid[0]),
        size=(int(size[0]), int(size[1])),
        picture=(int(picture[0]), int(picture[1])),
        model=model,
    )
    return areas.point()


def _on(place: tuple[float, float], size: tuple[float, float]) -> CameraPoint | None:
    if min(size) <= 0:
        return None
    return CameraPoint(place[0] / size[0], place[1] / size[1], size[0] / size[1])


def _pair(width: list[float], height: list[float]) -> tuple[float, float] | None:
    known = width and height and width[0] > 0 and height[0] > 0
    return (width[0], height[0]) if known else None


def _numbers(value: object) -> list[float]:
    """Return the numbers of a tag; none where one of them is no number."""
    words = str(value).split() if isinstance(value, int | float | str) else []
    if len(words) > 1000 or not all(re.fullmatch(r"-?\d{1,9}(\.\d*)?", word) for word in words):
        return []
    return [float(word) for word in words]
