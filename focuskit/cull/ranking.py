"""Which frame of a burst is the sharpest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from focuskit.cull.measures import Measures

__all__ = ["sharpest_first"]


def sharpest_first(
    members: Sequence[int], measures: Sequence[Measures], widths_px: Mapping[int, float]
) -> list[int]:
    """Return the frames of a burst, sharpest first.

    What decides is the detail at a place that the frames share: it orders frames that are alike
    better than the width of their edges does. Frames that do not show that place come after those
    that do.

    Args:
        members: indices of the frames.
        measures: of all shots; "shared_detail" as a second look adds it.
        widths_px: edge width by index; infinite where nothing could be judged.
    """
    by_width = sorted(members, key=lambda index: (widths_px[index], index))
    detail = {index: measures[index].values.get("shared_detail", math.nan) for index in members}
    shared = [index for index in by_width if not math.isnan(detail[index])]
    by_detail = sorted(shared, key=lambda index: (-detail[index], index))
    return [*by_detail, *(index for index in by_width if index not in shared)]
