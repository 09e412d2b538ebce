"""What operations give besides a photo, as files."""

from __future__ import annotations

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


EXTRAS: Mapping[str, Mapping[str, Callable[[Any], bytes]]] = {
    "refocus": {"confidence.png": _confidence},
}
"""By operation: endings of files, and what makes them from what the operation returned."""
