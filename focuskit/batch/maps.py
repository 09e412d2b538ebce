"""A blur map as files: 16-bit PNGs for programs, an overlay for people, numbers as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import focuskit
from focuskit.batch.library import Shot
from focuskit.batch.naming import NamedShot
from focuskit.batch.outputs import Made, traces
from focuskit.batch.pictures import jpeg, overlay, png, shrunk, to_display
from focuskit.batch.tables import to_json
from focuskit.batch.together import write_together
from focuskit.blurmap import BlurMap
from focuskit.detect import DETECTORS
from focuskit.io import read_photo

__all__ = ["COC_STEPS_PER_PX", "MAPS_VERSION", "MapMaker", "map_names", "map_record"]

MAPS_VERSION = 1
"""Goes up when the same photo and detector give other files."""

# 16 bit hold circles of confusion up to 1023 px at this resolution.
COC_STEPS_PER_PX = 64
_OVERLAY_PX = 1600
_IN_FOCUS = 0.5
_TEXTURED = 0.5
_ENDINGS = {
    "map": "map.png",
    "coc": "coc.png",
    "confidence": "confidence.png",
    "overlay": "overlay.jpg",
    "json": "map.json",
}
_SHOWN = ("map", "coc", "confidence", "overlay")


def map_names(shot: Shot) -> dict[str, str]:
    """Return the files of one shot's map by what they hold."""
    return {kind: f"{shot.name}-{ending}" for kind, ending in _ENDINGS.items()}


@dataclass(frozen=True, slots=True)
class MapMaker:
    """Detects blur on one shot after the other, at full size; picklable.

    Attributes:
        folder: where to write; sub-folders of the library are mirrored below it.
        detector: name in DETECTORS.
        max_megapixels: photos above this are refused; None for the default of `read_photo`.
    """

    folder: Path
    detector: str
    max_megapixels: float | None = None

    def __call__(self, shot: NamedShot, tick: Callable[[float], None] | None = None) -> Made:
        """Write the map of one shot, all of its files or none.

        Raises:
            FocuskitError: the photo cannot be read or the files cannot be written.
        """
        del tick
        photo = read_photo(shot.judged, max_megapixels=self.max_megapixels)
        blur_map = DETECTORS.get(self.detector)(photo)
        names = map_names(shot)
        said = _said(blur_map, self.detector)
        record = map_record(shot, said, self.folder, names)
        shown = overlay(to_display(shrunk(photo, _OVERLAY_PX)), blur_map)
        content = {
            "map": png(_steps(blur_map.in_focus_probability * 65535)),
            "coc": png(_steps(blur_map.coc_diameter_px * COC_STEPS_PER_PX)),
            "confidence": png(np.rint(blur_map.confidence * 255).astype(np.uint8)),
            "overlay": jpeg(shown, quality=88),
            "json": (to_json(record, indent=2) + "\n").encode(),
        }
        files = {self.folder / names[kind]: data for kind, data in content.items()}
        write_together(files, overwrite=shot.replace)
        return Made(traces(self.folder, names), said)


def map_record(
    shot: Shot, said: Mapping[str, Any], folder: Path, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the JSON file of a shot's map holds."""
    places = {kind: str(folder / names[kind]) for kind in _SHOWN}
    return {"schema": 1, "shot": shot.name, "file": str(shot.judged), **said, **places}


def _said(blur_map: BlurMap, detector: str) -> dict[str, Any]:
    textured = blur_map.confidence >= _TEXTURED
    sharp = textured & (blur_map.in_focus_probability >= _IN_FOCUS)
    coc = blur_map.coc_diameter_px[textured]
    return {
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
        "detector": detector,
        "version": focuskit.__version__,
    }


def _steps(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.rint(np.clip(values, 0, 65535)).astype(np.uint16)
