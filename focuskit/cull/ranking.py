"""Which frame of a burst is the sharpest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from focuskit.cull.measures import Measures
from focuskit.cull.subject import Region

__all__ = ["sharpest_first"]

# Boxes that overlap by so much of their union show the same thing.
_SAME = 0.6


def sharpest_first(
    members: Sequence[int],
    measures: Sequence[Measures],
    widths_px: Mapping[int, float],
    *,
    tolerance: float,
) -> list[int]:
    """Return the frames of a burst, sharpest first.

    Where all were judged in the same box, what decides is the detail in it: it orders frames that
    are alike better than the width of their edges does. If something else has come into the box,
    so that most detail and narrow edges do not go together, widths decide, as between boxes.

    Args:
        members: indices of the frames.
        measures: of all shots.
        widths_px: edge width by index; infinite where nothing could be judged.
        tolerance: edges up to so many times as wide as the narrowest count as equally sharp.
    """
    by_width = sorted(members, key=lambda index: (widths_px[index], index))
    known = [index for index in by_width if math.isfinite(widths_px[index])]
    if not known or not _same_box([measures[index].region for index in known]):
        return by_width
    detail = {index: measures[index].values.get("detail", math.nan) for index in known}
    if any(math.isnan(value) for value in detail.values()):
        return by_width
    by_detail = sorted(known, key=lambda index: (-detail[index], index))
    if widths_px[by_detail[0]] > tolerance * widths_px[known[0]]:
        return by_width
    return [*by_detail, *(index for index in by_width if index not in detail)]


def _same_box(regions: Sequence[Region]) -> bool:
    return all(_overlap(regions[0], other) >= _SAME for other in regions[1:])


def _overlap(one: Region, other: Region) -> float:
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(0, width) * max(0, height)
    return both / (one.width * one.height + other.width * other.height - both)
