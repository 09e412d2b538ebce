"""Detectors: each turns a Photo into the BlurMap that belongs to it."""

from __future__ import annotations

from collections.abc import Callable

from focuskit.blurmap import BlurMap
from focuskit.photo import Photo
from focuskit.registry import Registry

__all__ = ["DEFAULT_DETECTOR", "DETECTORS", "Detector"]

Detector = Callable[[Photo], BlurMap]
"""Takes a photo of any size and returns a map of exactly that size."""

DEFAULT_DETECTOR = "lbp"

DETECTORS: Registry[Detector] = Registry("detector", "focuskit.detectors")
DETECTORS.add("lbp", "focuskit.detect.lbp:detect_lbp", "local binary patterns, three scales")
DETECTORS.add("reblur", "focuskit.detect.reblur:detect_reblur", "edge width by re-blurring")
