"""A blur map made ready for an edit, and what a person has to be told about it."""

from __future__ import annotations

from focuskit.batch.clicked import kept_at
from focuskit.batch.fitting import blurred_where_told
from focuskit.batch.guides import Told
from focuskit.blurmap import NOTHING_IN_FOCUS_SHARE, BlurMap
from focuskit.color import encoded_gray
from focuskit.detect import DETECTORS, Detector
from focuskit.errors import InputError
from focuskit.optics.blind import with_edges
from focuskit.photo import Photo

__all__ = ["edge_detector", "hardly_changed", "ready_map"]

_ADD_BLUR = ("bokeh", "magnify")
_NOTE_FROM_SHARE = 0.01


def edge_detector(name: str) -> Detector:
    """Return a detector as edits use it: with circles of confusion corrected by edges.

    Raises:
        UnknownNameError: there is no such detector.
    """
    detector = DETECTORS.get(name)
    return lambda photo: with_edges(encoded_gray(photo), detector(photo))


def ready_map(operation: str, photo: Photo, told: Told) -> tuple[BlurMap, tuple[str, ...]]:
    """Return the map as an operation needs it, and what there is to say about it.

    Args:
        operation: name in OPERATIONS.
        photo: what is edited.
        told: its map, and where that came from.

    Raises:
        InputError: the operation makes no sense with such a map.
    """
    notes = told.notes
    if photo.decoded_from == "preview":
        notes = (*notes, "Made from the camera's own preview; the full edit starts from the RAW.")
    if operation in _ADD_BLUR:
        notes = (*notes, *_check_in_focus(told))
    if told.kept is not None:
        return _kept(operation, told, told.kept), notes
    if not (told.painted and operation in _ADD_BLUR):
        return told.blur_map, notes
    raised, share = blurred_where_told(told.blur_map, measured=told.measured)
    if share >= _NOTE_FROM_SHARE:
        notes = (
            *notes,
            f"The map calls {share:.0%} of the picture out of focus where no blur can be seen; a "
            "little blur was assumed there.",
        )
    return raised, notes


def _check_in_focus(told: Told) -> tuple[str, ...]:
    """Refuse a photo without anything in focus, all of which would be blurred."""
    share = told.blur_map.in_focus_share
    if share == 0:
        found = "The map calls nothing" if told.painted else "Nothing in this photo is"
        raise InputError(
            f"{found} in focus, so that all of it would be blurred: paint a map (white = shall "
            "stay sharp) and give it with --map."
        )
    if share < NOTHING_IN_FOCUS_SHARE:
        return (f"Only {share:.1%} of the picture is in focus; the rest was blurred.",)
    return ()


def _kept(operation: str, told: Told, point: tuple[float, float]) -> BlurMap:
    if operation not in _ADD_BLUR:
        raise InputError(
            "--focus tells which distance of a depth is in focus, and no depth is known of this "
            "photo: give one with --depth, or leave out --focus."
        )
    if told.painted and not told.measured:
        raise InputError(
            "The map from --map says already what is in focus, and no depth is known of this "
            "photo: leave out --focus, or give --depth."
        )
    return kept_at(told.blur_map, point)


def hardly_changed(operation: str, share: float) -> tuple[str, ...]:
    """Return what there is to say about an edit that changed this share of a photo."""
    if share == 0 and operation == "deblur":
        return ("No photo was written, for it would be the same as before.",)
    if share == 0:
        return ("Nothing changed: the result is the photo as it was.",)
    if share < _NOTE_FROM_SHARE and operation in _ADD_BLUR:
        return (
            f"Only {share:.2%} of the picture changed, for hardly anything in it is out of focus: "
            "to blur a background that is sharp, paint a map (white = shall stay sharp) and give "
            "it with --map.",
        )
    return ()
