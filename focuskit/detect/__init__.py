"""Detectors: each turns a Photo into the BlurMap that belongs to it."""

from __future__ import annotations

from collections.abc import Callable

from focuskit.blurmap import BlurMap
from focuskit.photo import Photo
from focuskit.registry import Registry

__all__ = ["DEFAULT_DETECTOR", "DETECTORS", "LIBRARY_DETECTOR", "Detector", "detect_at"]
__all__ += ["open_detector"]

Detector = Callable[[Photo], BlurMap]
"""Takes a photo of any size and returns a map of exactly that size."""

DEFAULT_DETECTOR = "focusnet"
"""The best map that ships."""

LIBRARY_DETECTOR = "focusnet-quick"
"""The best map at a cost that ten thousand photos can bear."""

DETECTORS: Registry[Detector] = Registry("detector", "focuskit.detectors")
_FOCUSNET = "focuskit.detect.focusnet"
DETECTORS.add("focusnet", f"{_FOCUSNET}:detect_focusnet", "network, whole frame and close")
DETECTORS.add("focusnet-quick", f"{_FOCUSNET}:detect_focusnet_quick", "network, whole frame only")
DETECTORS.add("lbp", "focuskit.detect.lbp:detect_lbp", "local binary patterns, three scales")
DETECTORS.add("reblur", "focuskit.detect.reblur:detect_reblur", "edge width by re-blurring")


def open_detector(name: str) -> Detector:
    """Return a detector ready to run; what keeps it from running is said now, not photo by photo.

    Raises:
        UnknownNameError: there is no such detector.
        WeightsError, DeviceError: its network cannot be run; the message tells a way on.
    """
    detector = DETECTORS.get(name)
    prepare = getattr(detector, "prepare", None)
    if prepare is not None:
        prepare()
    return detector


def detect_at(detector: Detector, photo: Photo, height: int, width: int) -> BlurMap:
    """Return the map of a photo for the same photo made smaller.

    A detector with a method `at(photo, height, width)` is spared the work on pixels that nobody
    will see; the map of any other is shrunk.

    Args:
        detector: a row of DETECTORS.
        photo: what to look at.
        height: of the map in pixels, at most the photo's.
        width: of the map in pixels, at most the photo's.
    """
    at = getattr(detector, "at", None)
    if at is None:
        return detector(photo).resized(height, width)
    return at(photo, height, width)  # type: ignore[no-any-return]
