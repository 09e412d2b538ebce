"""Every code that a reason may carry, with what it does to a shot and a sentence about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CODES", "Code", "Effect"]

Effect = Literal["keeper", "reject", "cant-tell", "remark"]


@dataclass(frozen=True, slots=True)
class Code:
    """What a reason's code means.

    Attributes:
        name: as it stands in results and sidecars; never changes its meaning.
        effect: the verdict that it gives where it comes first; "remark" decides nothing.
        meaning: one sentence for people.
    """

    name: str
    effect: Effect
    meaning: str


_ROWS = (
    Code("sharp", "keeper", "Edges are narrower than the limit."),
    Code(
        "intentional-shallow",
        "keeper",
        "Edges are narrower than the limit, and little of the textured frame is in focus.",
    ),
    Code("defocus", "reject", "Edges are wider than the limit in all directions."),
    Code("motion", "reject", "Edges are wider than the limit along one direction."),
    Code("front-focus", "reject", "The plane of focus lies before the subject."),
    Code("back-focus", "reject", "The plane of focus lies behind the subject."),
    Code("softer-in-burst", "reject", "Clearly softer than the best frame of its burst."),
    Code(
        "soft-recoverable",
        "cant-tell",
        "Softer than the limit, but by so little that `focuskit deblur` may restore it.",
    ),
    Code("close-call", "cant-tell", "Right at the limit."),
    Code("no-texture", "cant-tell", "Too few edges, or hardly any texture in the frame."),
    Code(
        "nothing-in-focus",
        "cant-tell",
        "No edge to measure, and the detector finds nothing in focus in what texture there is.",
    ),
    Code("shake", "remark", "The motion is the same all over the frame: the camera moved."),
    Code("subject-motion", "remark", "Nothing else moved that way: the subject moved."),
    Code("best-of-burst", "remark", "The sharpest of its burst; it is never rejected."),
    Code("bracket", "remark", "One of an exposure bracket; its frames are kept together."),
    Code("focus-stack", "remark", "One of a focus stack; its frames are kept together."),
    Code("panorama", "remark", "One of a panorama; its frames are kept together."),
    Code("duplicate", "remark", "The same picture as another file, judged with it."),
    Code("partner-unreadable", "remark", "A file of the shot is damaged; another was judged."),
    Code("partner-apart", "remark", "A file of the same name was taken at another moment."),
    Code("partner-differs", "remark", "A file of the same name seems to show another picture."),
    Code("not-compared", "remark", "Not seen at the place where its burst was compared."),
    Code("rated-by-you", "remark", "Somebody rated, picked or labelled the shot already."),
    Code("sidecar-unreadable", "remark", "A sidecar of the shot could not be read."),
    Code("clipped-highlights", "remark", "Much of the frame is blown out."),
    Code("clipped-shadows", "remark", "Much of the frame is black."),
    Code("failed", "remark", "The shot could not be read."),
)

CODES: dict[str, Code] = {row.name: row for row in _ROWS}
"""By name, in the order in which they are listed to people."""
