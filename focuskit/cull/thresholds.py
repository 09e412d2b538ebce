"""Where the lines between keeper and reject are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from focuskit.check import check_range
from focuskit.errors import InputError
from focuskit.optics.edges import COC_PER_SIGMA
from focuskit.photo import DecodedFrom

__all__ = ["USES", "Thresholds"]

_LARGEST = 1e6
_CROP_COC_PX = 2.0

USES: Mapping[str, float] = MappingProxyType(
    {"web": 2 / 2461, "print": 0.000291, "crop": 0.0},
)
"""What circle of confusion is forgiven for a use, as a share of the diagonal; 2 px always are.

web: 2 px where the long side is 2048 px and the diagonal 2461. print: see `coc_limit_share`. crop:
nothing but the 2 px at 100 %.
"""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the lines are drawn. A recipe may set each of them.

    Attributes:
        sharp_width_px: edge width that lens, demosaic and sharpening leave in a sharp photo.
        coc_limit_px: a circle of confusion up to this is forgiven on any photo.
        coc_limit_share: the same as a share of the diagonal, for photos of many megapixels. It
            adds to the width of a photo that is sharp but no sharper than most, and edges read
            narrower than the lens left them, most so in crowded detail: what passes at 24 MP are
            3.2 px where edges stand alone, 1/2250 of the diagonal, and somewhat more where they
            are crowded; a print seen at arm's length shows 1/1500. `USES` has it for other uses.
        least_edges: with fewer measurable edges in the judged box there is nothing to judge.
        least_texture_share: the same for the share of the frame that has texture.
        motion_probability: from this probability on blur is called motion.
        shallow_share: with less of the frame in focus, a sharp photo is called shallow on purpose.
        clipped_share: with more of the frame blown or blocked, that is said.
        burst_tolerance: in a burst, edges up to this much wider than the best frame's are equal.
        close_call: edge widths within this factor of the limit are left to the eye.
        recoverable_coc_px: blur beyond the limit is left to the eye too while its circle of
            confusion is smaller than this, because restoring it may be worth it; 0 for never.
        preview_factor: how many times as wide as in the full picture edges at the limit read in an
            embedded preview, which cameras sharpen; 0.87 for an unsharp mask of radius 1 px and
            amount 0.8.

    Raises:
        RangeError: on construction, if a number makes no sense.
    """

    sharp_width_px: float = 0.92
    coc_limit_px: float = 2.0
    coc_limit_share: float = 0.000291
    least_edges: float = 40
    least_texture_share: float = 0.02
    motion_probability: float = 0.5
    shallow_share: float = 0.3
    clipped_share: float = 0.1
    burst_tolerance: float = 1.12
    close_call: float = 1.04
    recoverable_coc_px: float = 2.35
    preview_factor: float = 0.87

    def __post_init__(self) -> None:
        for each in fields(self):
            factor = each.name in ("burst_tolerance", "close_call")
            divides = each.name in ("sharp_width_px", "preview_factor")
            low = 1.0 if factor else 0.01 if divides else 0.0
            high = 1.0 if each.name == "motion_probability" else _LARGEST
            check_range(each.name, getattr(self, each.name), low=low, high=high)

    def for_use(self, use: str) -> Thresholds:
        """Return the same lines for photos that are shown otherwise, see `USES`.

        Raises:
            InputError: no such use.
        """
        if use not in USES:
            raise InputError(f"There is no use {use!r}; known are {', '.join(USES)}.")
        return replace(self, coc_limit_px=_CROP_COC_PX, coc_limit_share=USES[use])

    def limit_width_px(self, frame_diagonal_px: float, decoded_from: DecodedFrom = "full") -> float:
        """Return the edge width in native pixels beyond which a photo is out of focus.

        The allowed circle of confusion adds to what a sharp photo has: variances add. In an
        embedded preview, which the camera has sharpened, the same blur reads narrower.
        """
        coc = max(self.coc_limit_px, self.coc_limit_share * frame_diagonal_px)
        return self._width_px(coc, decoded_from)

    def recoverable_width_px(self, decoded_from: DecodedFrom = "full") -> float:
        """Return the edge width in native pixels up to which restoring may be worth it."""
        return self._width_px(self.recoverable_coc_px, decoded_from)

    def _width_px(self, coc_px: float, decoded_from: DecodedFrom) -> float:
        width = math.hypot(self.sharp_width_px, coc_px / COC_PER_SIGMA)
        return width * self.preview_factor if decoded_from == "preview" else width
