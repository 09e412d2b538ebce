"""What numbers came from: networks by their checksum, parameters by a digest of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache
from typing import Any

from focuskit.cull.decide import Thresholds
from focuskit.cull.score import SCORE_VERSION
from focuskit.detect import DETECTORS
from focuskit.detect.motion import MOTION_NAME
from focuskit.detect.weights import chosen_weights

__all__ = ["MEASURES_VERSION", "digest_of", "measured_version", "model_version"]
__all__ += ["networks_of", "parameters_version"]

MEASURES_VERSION = 3
"""Goes up when the same photo and map give other measures."""

_DIGITS = 12


def networks_of(detector: str) -> tuple[str, ...]:
    """Return the names of the networks that a detector runs; culling with one without runs none.

    Raises:
        UnknownNameError: there is no such detector.
    """
    return tuple(getattr(DETECTORS.get(detector), "networks", ()))


@cache
def model_version(detector: str) -> str:
    """Return a detector's name with each of its networks and the start of their SHA-256.

    Raises:
        UnknownNameError: there is no such detector.
        WeightsError: its weights are missing or damaged.
    """
    marks = [f"{name}@{_checksum(name)}" for name in networks_of(detector)]
    return ":".join([detector, "+".join(marks)]) if marks else detector


def parameters_version(thresholds: Thresholds | None = None) -> str:
    """Return a digest of everything but the photo and the map that a verdict depends on."""
    parameters = {
        "thresholds": asdict(thresholds or Thresholds()),
        "score": SCORE_VERSION,
        "measures": MEASURES_VERSION,
    }
    return digest_of(json.dumps(parameters, sort_keys=True))


def measured_version(detector: str, subject: Any = None) -> str:
    """Return the version of what is measured on a photo, before any line is drawn.

    Args:
        detector: name in DETECTORS.
        subject: a person's box, or None.

    Raises:
        UnknownNameError: there is no such detector.
        WeightsError: its weights are missing or damaged.
    """
    about = "" if subject is None else f" {subject!r}"
    motion = f" {MOTION_NAME}@{_checksum(MOTION_NAME)}" if networks_of(detector) else ""
    return f"{model_version(detector)}{motion} {MEASURES_VERSION}{about}"


def digest_of(text: str) -> str:
    """Return a short digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _checksum(name: str) -> str:
    return chosen_weights(name).checksum[:_DIGITS]
