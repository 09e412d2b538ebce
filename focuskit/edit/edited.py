"""What an operation gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focuskit.photo import Photo

__all__ = ["Edited"]


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """An edited photo and what there is to say about it.

    Attributes:
        photo: the result; EXIF came along.
        confidence: (H, W) float32 in [0, 1]: how far restored detail is to be believed; None of
            edits that only add blur.
        notes: sentences for the person who asked.
        changed_share: share of the pixels that differ from the original, in [0, 1].
    """

    photo: Photo
    confidence: NDArray[np.float32] | None
    notes: tuple[str, ...]
    changed_share: float
