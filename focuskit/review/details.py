"""Everything that is known of one shot, in words and numbers that people read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from focuskit.cull import SCORERS
from focuskit.cull.codes import CODES
from focuskit.cull.measures import ScoreInfo
from focuskit.cull.score import SCORES

__all__ = ["describe", "focus_points", "judged_box"]

_AF_SHARE = 0.04
_AF_REGION = "AF point"
_VERDICTS = {
    "keeper": "Kept",
    "reject": "Rejected",
    "cant-tell": "Left to you",
    "failed": "Not judged",
}
_NAMES = {
    "score": "Score",
    "sharpness_score": "Sharpness",
    "placement_score": "Focus on the subject",
    "motion_score": "Stillness",
    "noise_score": "Cleanness",
    "exposure_score": "Exposure",
}


def describe(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record says, for people.

    Args:
        record: of a cull, that of a failed shot too.

    Returns:
        `reasons`, `words`, `numbers`, `exif`, `region` and `judged_at` of the details of a shot.
    """
    region = judged_box(record)
    return {
        "reasons": [{"code": each["code"], "text": each["text"]} for each in record["reasons"]],
        "words": _words(record),
        "numbers": _numbers(record),
        "exif": _exif(record.get("exif") or {}),
        "region": region,
        "judged_at": region
        and {
            "x": round(region["x"] + region["width"] / 2, 5),
            "y": round(region["y"] + region["height"] / 2, 5),
        },
    }


def judged_box(record: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the judged box in shares of the upright picture's width and height."""
    region, picture = record.get("region"), record.get("picture")
    if not region or not picture:
        return None
    width, height = picture["width"], picture["height"]
    box = {
        "x": region["x"] / width,
        "y": region["y"] / height,
        "width": region["width"] / width,
        "height": region["height"] / height,
    }
    return {name: round(value, 5) for name, value in box.items()}


def focus_points(
    exif: Mapping[str, Any], record: Mapping[str, Any]
) -> list[dict[str, float | bool | None]]:
    """Return where the camera focused, in shares of the upright picture.

    Args:
        exif: of the judgement, with `focus_point` and `focus_area`.
        record: of the cull; where the AF point is what was judged, it tells whether that is sharp.
    """
    point = exif.get("focus_point")
    if not point:
        return []
    across, down = exif.get("focus_area") or (_AF_SHARE, _AF_SHARE)
    sharp = None
    if (record.get("region") or {}).get("kind") == _AF_REGION:
        effects = [CODES[each["code"]].effect for each in record["reasons"]]
        # Softer than another frame of the burst is another question.
        told = {each["code"] for each in record["reasons"]}
        sharp = "softer-in-burst" in told or effects[:1] == ["keeper"]
    return [
        {
            "x": round(point[0] - across / 2, 5),
            "y": round(point[1] - down / 2, 5),
            "width": round(across, 5),
            "height": round(down, 5),
            "in_focus": sharp,
        }
    ]


def _words(record: Mapping[str, Any]) -> str:
    said = " ".join(each["text"] for each in record["reasons"])
    verdict = _VERDICTS[record["verdict"]]
    sure = record.get("confidence")
    if sure is None or record["verdict"] in ("failed", "cant-tell"):
        how = ""
    elif sure < 0.15:
        how = ", a close call"
    elif sure < 0.5:
        how = ", fairly sure"
    else:
        how = ", sure"
    where = (record.get("region") or {}).get("kind")
    looked = f" Judged at 100 % on: {where}." if where else ""
    return f"{verdict}{how}. {said}{looked}"


@cache
def _infos() -> Mapping[str, ScoreInfo]:
    infos = [*SCORES, *(SCORERS.get(row.name).info for row in SCORERS)]
    return {info.name: info for info in infos}


def _numbers(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    values: dict[str, float | None] = {"score": record.get("score")}
    values |= record.get("scores") or {}
    values |= record.get("measures") or {}
    return [
        _number(_infos()[name], value)
        for name, value in values.items()
        if value is not None and name in _infos()
    ]


def _number(info: ScoreInfo, value: float) -> dict[str, Any]:
    name = _NAMES.get(info.name, info.name.replace("_", " ").capitalize())
    return {
        "name": name,
        "text": _with_unit(value, info),
        "value": value,
        "unit": info.unit,
        "help": info.meaning,
    }


def _with_unit(value: float, info: ScoreInfo) -> str:
    if info.unit == "points":
        return f"{value:.0f} of 100"
    if info.unit.startswith("share"):
        return f"{value:.1%}".replace("%", " %")
    if info.unit == "degrees":
        return f"{value:.0f}°"
    return f"{value:.4g} {info.unit}".strip()


def _exif(exif: Mapping[str, Any]) -> dict[str, str]:
    texts = {
        "camera": exif.get("camera"),
        "lens": exif.get("lens"),
        "focal length": _formatted("{:g} mm", exif.get("focal_length_mm")),
        "aperture": _formatted("f/{:g}", exif.get("f_number")),
        "shutter": _shutter(exif.get("exposure_s")),
        "ISO": _formatted("ISO {:g}", exif.get("iso")),
        "taken": (exif.get("taken_at") or "")[:19].replace("T", " "),
    }
    return {name: text for name, text in texts.items() if text}


def _formatted(how: str, value: float | None) -> str:
    return "" if value is None else how.format(value)


def _shutter(exposure_s: float | None) -> str:
    if not exposure_s or not math.isfinite(exposure_s):
        return ""
    return f"1/{1 / exposure_s:.0f} s" if exposure_s < 0.4 else f"{exposure_s:g} s"
