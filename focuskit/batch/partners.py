"""Whether a RAW and the JPEG beside it show the same picture, where no time tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.shots import Shot
from focuskit.cull.views import likeness_unmoved, view_of
from focuskit.errors import FocuskitError
from focuskit.io import RAW_SUFFIXES, open_frame
from focuskit.photo import Photo

__all__ = ["strangers"]

# Of one press of the button, however developed, far more; of two scenes, about nothing.
_ALIKE = 0.3
_ENOUGH_PX = 160


def strangers(shot: Shot, photo: Photo) -> tuple[str, ...]:
    """Return a sentence about every RAW of a shot that shows another picture.

    Files of one stem are one shot if nothing says otherwise. Where the judged file does not tell
    when it was taken, the pictures are compared; what cannot be read is passed over, because it is
    not what is judged.

    Args:
        shot: with its files on this machine.
        photo: the judged picture.
    """
    if photo.exif.taken_at is not None or shot.remote:
        return ()
    raws = [file for file in shot.files[1:] if file.suffix.lower() in RAW_SUFFIXES]
    return tuple(
        f"{raw.name} has the same name, but seems to show another picture; it was not judged. "
        "Give one of the two another name."
        for raw in raws
        if not _alike(raw, photo)
    )


def _alike(raw: Path, photo: Photo) -> bool:
    try:
        other = open_frame(raw, min_long_edge=_ENOUGH_PX).photo(_ENOUGH_PX)
    except FocuskitError:
        return True
    shown = replace(other, rgb=_framed(other, photo.width, photo.height))
    return likeness_unmoved(view_of(photo), view_of(shown)) >= _ALIKE


def _framed(photo: Photo, width: int, height: int) -> NDArray[np.float32]:
    """Return the middle of a picture, as cameras crop a JPEG of another aspect, at this size."""
    factor = min(photo.width / width, photo.height / height)
    kept = max(1, round(width * factor)), max(1, round(height * factor))
    left, top = (photo.width - kept[0]) // 2, (photo.height - kept[1]) // 2
    middle = photo.rgb[top : top + kept[1], left : left + kept[0]]
    sized = cv2.resize(middle, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(sized, np.float32).reshape(height, width, 3)
