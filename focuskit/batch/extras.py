"""What operations give besides a photo, as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from focuskit.batch.pictures import png

__all__ = ["EXTRAS"]


def _confidence(edited: Any) -> bytes:
    confidence = edited.confidence
    if confidence is None:
        confidence = np.zeros((edited.photo.height, edited.photo.width), np.float32)
    return png(np.rint(confidence * 65535).astype(np.uint16))


def _labels(edited: Any) -> bytes:
    labels = edited.regions.labels
    # More regions than 16 bits count would not be looked at one by one.
    return png(np.minimum(labels, np.iinfo(np.uint16).max).astype(np.uint16))


def _regions(edited: Any) -> bytes:
    regions = edited.regions
    height, width = regions.labels.shape
    said = {
        "schema": 1,
        "width": width,
        "height": height,
        "noise_sigma": round(regions.noise.encoded_sigma, 5),
        "regions": [_region(each, regions.labels.size) for each in regions.kept],
        "left_out": [_region(each, regions.labels.size) for each in regions.left_out],
        "notes": list(edited.notes),
    }
    return json.dumps(said, indent=2, ensure_ascii=False).encode() + b"\n"


def _region(region: Any, pixels: int) -> dict[str, Any]:
    x, y, width, height = region.box
    low, middle, high = region.sigma_px
    gain = region.expected_gain_db
    numbered = {"label": region.label} if region.label else {}
    return numbered | {
        "box": {"x": x, "y": y, "width": width, "height": height},
        "area_px": region.area_px,
        "area_share": round(region.area_px / pixels, 5),
        "sigma_px": round(middle, 3),
        "sigma_interval_px": [round(low, 3), round(high, 3)],
        "psf": {"kind": "disc", "coc_diameter_px": round(region.coc_px, 2)},
        "expected_gain_db": None if gain is None else round(gain, 2),
        "reason": region.reason,
        "sentence": region.sentence,
    }


EXTRAS: Mapping[str, Mapping[str, Callable[[Any], bytes]]] = {
    "deblur": {"regions.png": _labels, "regions.json": _regions},
    "refocus": {"confidence.png": _confidence},
}
"""By operation: endings of files, and what makes them from what the operation returned."""
