"""Detectors: each turns a Photo into the BlurMap that belongs to it."""

from __future__ import annotations

from collections.abc import Callable

from focuskit.blurmap import BlurMap
from focuskit.photo import Photo
from focuskit.registry import Registry

__all__ = ["DEFAULT_DETECTOR", "DETECTORS", "LIBRARY_DETECTOR", "Detector", "detect_at"]
__all__ += ["is_ready", "open_detector"]

Detector = Callable[[Photo], BlurMap]
"""Takes a photo of any size and returns a map of exactly that size.

One with an attribute `relative` that is true only tells parts of a frame from each other: of a
frame without a sharp part it calls the least blurred one sharp.
"""

DEFAULT_DETECTOR = "focusnet"
"""The best map that ships."""

LIBRARY_DETECTOR = "focusnet-quick"
"""The best map at a cost that ten thousand photos can bear."""

DETECTORS: Registry[Detector] = Registry("detector", "focuskit.detectors")
_FOCUSNET = "focuskit.detect.focusnet"
DETECTORS.add("focusnet", f"{_FOCUSNET}:detect_focusnet", "network, whole frame and close")
DETECTORS.add("focusnet-quick", f"{_FOCUSNET}:detect_focusnet_quick", "network, whole frame only")
DETECTORS.add(
    "lbp",
    "focuskit.detect.lbp:detect_lbp",
    "local binary patterns, three scales",
    paper="Yi, Eramian 2016",
)
DETECTORS.add(
    "reblur",
    "focuskit.detect.reblur:detect_reblur",
    "edge width by re-blurring",
    paper="Zhuo, Sim 2011",
)
_PUBLISHED = "focuskit.detect.published"
DETECTORS.add(
    "r-dbd",
    f"{_PUBLISHED}:detect_rdbd",
    "U-Net of colours and gradients",
    paper="Zhang, Yan 2020",
)
DETECTORS.add(
    "defusionnet",
    f"{_PUBLISHED}:detect_defusionnet",
    "features of six levels that refine each other",
    paper="Tang et al. 2019, 2022",
)
DETECTORS.add(
    "distill-dbdgan-teacher",
    f"{_PUBLISHED}:detect_dbdgan_teacher",
    "dilated context and attention, adversarial",
    paper="Jonna, Medhi, Sahay 2023",
)
DETECTORS.add(
    "distill-dbdgan-student",
    f"{_PUBLISHED}:detect_dbdgan_student",
    "compact U-Net taught by the teacher",
    paper="Jonna, Medhi, Sahay 2023",
)
DETECTORS.add(
    "m2cs",
    f"{_PUBLISHED}:detect_m2cs",
    "learned from photos without masks",
    paper="Zhao et al., after SG 2021",
)
DETECTORS.add(
    "local-metric",
    "focuskit.detect.local_metric:detect_local_metric",
    "two learned filters, refined step by step",
    paper="Zeng et al. 2019",
)


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


def is_ready(name: str) -> bool:
    """Tell whether the weights that a detector needs ship, or were given by FOCUSKIT_WEIGHTS.

    Raises:
        UnknownNameError: there is no such detector.
        WeightsError: the list of weights is missing or damaged, or the variable says nonsense.
    """
    from focuskit.detect.weights import own_file, weight_names

    needed = getattr(DETECTORS.get(name), "networks", ())
    return all(each in weight_names() or own_file(each) is not None for each in needed)


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
