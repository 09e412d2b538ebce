"""A blur map as files: 16-bit PNGs for programs, an overlay for people, numbers as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import focuskit
from focuskit.batch.library import Shot
from focuskit.batch.pictures import jpeg, overlay, png, shrunk, to_display
from focuskit.batch.records import to_json
from focuskit.batch.together import write_together
from focuskit.blurmap import BlurMap
from focuskit.detect import DETECTORS
from focuskit.errors import OutputExistsError
from focuskit.io import read_photo

__all__ = ["COC_STEPS_PER_PX", "write_map"]

# 16 bit hold circles of confusion up to 1023 px at this resolution.
COC_STEPS_PER_PX = 64
_OVERLAY_PX = 1600
_IN_FOCUS = 0.5
_TEXTURED = 0.5


def write_map(
    shot: Shot, folder: Path, detector: str, max_megapixels: float | None, *, overwrite: bool
) -> dict[str, Any]:
    """Detect blur on a shot at full size and write the map beside nothing but its own kind.

    Args:
        shot: what to look at.
        folder: where to write; sub-folders of the library are mirrored below it.
        detector: name in DETECTORS.
        max_megapixels: photos above this are refused; None for the default of `read_photo`.
        overwrite: replace files that are there.

    Returns:
        What the JSON file holds.

    Raises:
        FocuskitError: the photo cannot be read or the files cannot be written.
    """
    targets = {
        kind: folder / f"{shot.name}-{ending}"
        for kind, ending in (
            ("map", "map.png"),
            ("coc", "coc.png"),
            ("confidence", "confidence.png"),
            ("overlay", "overlay.jpg"),
            ("json", "map.json"),
        )
    }
    stamp = _stamp(shot, detector)
    # Known before the work, not after it.
    there = [path for path in targets.values() if path.exists()]
    if there and not overwrite:
        done = _done_before(targets["json"], stamp) if len(there) == len(targets) else None
        if done is None:
            raise OutputExistsError(f"{there[0]} exists already; add --overwrite to replace it.")
        return done
    photo = read_photo(shot.judged, max_megapixels=max_megapixels)
    blur_map = DETECTORS.get(detector)(photo)
    record = _record(shot, blur_map, targets) | stamp
    shown = overlay(to_display(shrunk(photo, _OVERLAY_PX)), blur_map)
    content = {
        "map": png(_steps(blur_map.in_focus_probability * 65535)),
        "coc": png(_steps(blur_map.coc_diameter_px * COC_STEPS_PER_PX)),
        "confidence": png(np.rint(blur_map.confidence * 255).astype(np.uint8)),
        "overlay": jpeg(shown, quality=88),
        "json": (to_json(record, indent=2) + "\n").encode(),
    }
    write_together({targets[kind]: data for kind, data in content.items()}, overwrite=overwrite)
    return record


def _stamp(shot: Shot, detector: str) -> dict[str, Any]:
    """What a map depends on: the same stamp means that there is nothing to do."""
    try:
        found = shot.judged.stat()
    except OSError:
        # Reading the photo will tell what is wrong with it.
        return {}
    return {
        "file_bytes": found.st_size,
        "file_mtime_ns": found.st_mtime_ns,
        "detector": detector,
        "version": focuskit.__version__,
    }


def _done_before(path: Path, stamp: dict[str, Any]) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(record, dict) and all(record.get(key) == stamp[key] for key in stamp)
    return record if known and stamp else None


def _record(shot: Shot, blur_map: BlurMap, targets: dict[str, Path]) -> dict[str, Any]:
    textured = blur_map.confidence >= _TEXTURED
    sharp = textured & (blur_map.in_focus_probability >= _IN_FOCUS)
    coc = blur_map.coc_diameter_px[textured]
    return {
        "schema": 1,
        "shot": shot.name,
        "file": str(shot.judged),
        "width": blur_map.width,
        "height": blur_map.height,
        "in_focus_share": round(float(sharp.sum() / max(1, textured.sum())), 4),
        "texture_share": round(float(textured.mean()), 4),
        "coc_diameter_px": {
            "unit": "px of the full photo",
            "median": round(float(np.median(coc)), 2) if coc.size else None,
            "p90": round(float(np.percentile(coc, 90)), 2) if coc.size else None,
            "png_steps_per_px": COC_STEPS_PER_PX,
        },
        "map": str(targets["map"]),
        "coc": str(targets["coc"]),
        "confidence": str(targets["confidence"]),
        "overlay": str(targets["overlay"]),
    }


def _steps(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.rint(np.clip(values, 0, 65535)).astype(np.uint16)
