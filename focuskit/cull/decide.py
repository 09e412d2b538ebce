"""From numbers to verdicts, with reasons that a person can check against the picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

from focuskit.check import check_range
from focuskit.cull.measures import Measures
from focuskit.cull.sets import Burst, ShotSet
from focuskit.optics.edges import COC_PER_SIGMA

__all__ = ["Decision", "Place", "Reason", "Thresholds", "Verdict", "decide", "decide_sets"]

Verdict = Literal["keeper", "reject", "cant-tell"]

_LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the lines are drawn. A recipe may set each of them.

    Attributes:
        sharp_width_px: edge width that lens, demosaic and sharpening leave in a sharp photo.
        coc_limit_px: a circle of confusion up to this is forgiven on any photo.
        coc_limit_share: the same as a share of the diagonal, for photos of many megapixels; 1/1500
            is the classical limit for a print seen at arm's length.
        least_edges: with fewer measurable edges in the judged box there is nothing to judge.
        least_texture_share: the same for the share of the frame that has texture.
        motion_ratio: edges this much wider along one direction than across it mean motion.
        shallow_share: with less of the frame in focus, a sharp photo is called shallow on purpose.
        clipped_share: with more of the frame blown or blocked, that is said.
        burst_tolerance: in a burst, edges up to this much wider than the best frame's are equal.
        close_call: edge widths within this factor of the limit are left to the eye.

    Raises:
        RangeError: on construction, if a number makes no sense.
    """

    sharp_width_px: float = 0.85
    coc_limit_px: float = 2.0
    coc_limit_share: float = 0.000667
    least_edges: float = 40
    least_texture_share: float = 0.02
    motion_ratio: float = 1.6
    shallow_share: float = 0.3
    clipped_share: float = 0.1
    burst_tolerance: float = 1.12
    close_call: float = 1.05

    def __post_init__(self) -> None:
        for each in fields(self):
            factor = each.name in ("motion_ratio", "burst_tolerance", "close_call")
            low = 1.0 if factor else 0.01 if each.name == "sharp_width_px" else 0.0
            check_range(each.name, getattr(self, each.name), low=low, high=_LARGEST)

    def limit_width_px(self, frame_diagonal_px: float) -> float:
        """Return the edge width in native pixels beyond which a photo is out of focus.

        The allowed circle of confusion adds to what a sharp photo has: variances add.
        """
        coc = max(self.coc_limit_px, self.coc_limit_share * frame_diagonal_px)
        return math.hypot(self.sharp_width_px, coc / COC_PER_SIGMA)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a code for programs and a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a shot stands in its set.

    Attributes:
        kind: "burst", "bracket"...
        number: counts the sets of this kind from 1, in the order of their time.
        size: how many shots it has.
        rank: 1 is the sharpest; 0 where nobody is ranked.
    """

    kind: str
    number: int
    size: int
    rank: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one shot.

    Attributes:
        verdict: keep it, reject it, or a person must look.
        confidence: in [0, 1]: how far the deciding number lies from the line.
        score: 0 to 100, higher is sharper; 50 lies on the line. NaN where sharpness is unknown.
        reasons: the deciding one first.
        place: its set, if it has one.
    """

    verdict: Verdict
    confidence: float
    score: float
    reasons: tuple[Reason, ...]
    place: Place | None = None


def decide(
    measures: Measures, frame_diagonal_px: float, thresholds: Thresholds | None = None
) -> Decision:
    """Decide about one shot by itself.

    Args:
        measures: its numbers.
        frame_diagonal_px: diagonal of the full frame in the pixels that edges were measured in.
        thresholds: where the lines are; None for the defaults.
    """
    lines = thresholds or Thresholds()
    limit = lines.limit_width_px(frame_diagonal_px)
    width = _judged_width(measures, lines)
    extra = _remarks(measures, lines)
    if _nothing_to_judge(measures, lines):
        text = (
            f"Too little texture to judge: {measures['edge_count']:.0f} edges where it looked, "
            f"{measures['texture_share']:.0%} of the frame has texture."
        )
        return Decision("cant-tell", 0.0, math.nan, (Reason("no-texture", text), *extra))
    score = 100 / (1 + (width / limit) ** 4)
    confidence = min(1.0, abs(math.log(width / limit)) / math.log(2))
    if width > limit * lines.close_call:
        return Decision("reject", confidence, score, (_blur_reason(measures, limit, lines), *extra))
    if width > limit / lines.close_call:
        text = f"Edges are {width:.2f} px wide, right at the limit of {limit:.2f} px."
        return Decision("cant-tell", confidence, score, (Reason("close-call", text), *extra))
    return Decision("keeper", confidence, score, (_sharp_reason(measures, limit, lines), *extra))


def decide_sets(
    decisions: Sequence[Decision],
    measures: Sequence[Measures],
    sets: Sequence[ShotSet],
    thresholds: Thresholds | None = None,
) -> list[Decision]:
    """Return the decisions again with what the sets change about them.

    Frames of a burst compete: the sharpest is never rejected, clearly softer ones are. Members of
    any other set are never rejected, because the set is worth nothing without them.
    """
    lines = thresholds or Thresholds()
    decided = list(decisions)
    counts: Counter[str] = Counter()
    for found in sets:
        counts[found.kind] += 1
        if isinstance(found, Burst):
            _rank_burst(decided, measures, found, counts[found.kind], lines)
        else:
            _spare(decided, found, counts[found.kind])
    return decided


def _moved(measures: Measures, lines: Thresholds) -> bool:
    return measures["motion_ratio"] >= lines.motion_ratio


def _judged_width(measures: Measures, lines: Thresholds) -> float:
    # The sharpest box may happen to hold only edges along the path, which stay sharp.
    if _moved(measures, lines):
        return max(measures["edge_width"], measures["motion_width"])
    return measures["edge_width"]


def _nothing_to_judge(measures: Measures, lines: Thresholds) -> bool:
    return (
        math.isnan(measures["edge_width"])
        or measures["edge_count"] < lines.least_edges
        or measures["texture_share"] < lines.least_texture_share
    )


def _blur_reason(measures: Measures, limit: float, lines: Thresholds) -> Reason:
    width = measures["edge_width"]
    if _moved(measures, lines):
        return _motion_reason(measures)
    text = f"Out of focus: even the sharpest edges are {width:.1f} px wide (limit {limit:.1f} px)."
    return Reason("defocus", text)


def _motion_reason(measures: Measures) -> Reason:
    return Reason(
        "motion",
        f"Motion blur at {measures['motion_angle']:.0f}°: along it edges are "
        f"{measures['motion_width']:.1f} px wide, {measures['motion_ratio']:.1f} times as wide as "
        "across it.",
    )


def _sharp_reason(measures: Measures, limit: float, lines: Thresholds) -> Reason:
    width, share = measures["edge_width"], measures["in_focus_share"]
    text = f"edges are {width:.1f} px wide (limit {limit:.1f} px)"
    if share < lines.shallow_share:
        return Reason(
            "intentional-shallow",
            f"Sharp where it is in focus, {share:.0%} of the textured frame: {text}.",
        )
    return Reason("sharp", f"Sharp: {text}, {share:.0%} of the textured frame is in focus.")


def _remarks(measures: Measures, lines: Thresholds) -> tuple[Reason, ...]:
    remarks = []
    if measures["clipped_high"] > lines.clipped_share:
        text = f"{measures['clipped_high']:.0%} of the frame is blown out."
        remarks.append(Reason("clipped-highlights", text))
    if measures["clipped_low"] > lines.clipped_share:
        text = f"{measures['clipped_low']:.0%} of the frame is black."
        remarks.append(Reason("clipped-shadows", text))
    return tuple(remarks)


def _rank_burst(
    decided: list[Decision],
    measures: Sequence[Measures],
    burst: ShotSet,
    number: int,
    lines: Thresholds,
) -> None:
    def width(index: int) -> float:
        unknown = math.isnan(decided[index].score)
        return math.inf if unknown else _judged_width(measures[index], lines)

    order = sorted(burst.members, key=lambda index: (width(index), index))
    best = order[0]
    for rank, index in enumerate(order, start=1):
        place = Place(burst.kind, number, len(order), rank)
        decision = replace(decided[index], place=place)
        if index == best:
            decision = _best_of_burst(decision)
        elif math.isfinite(width(index)) and width(index) > width(best) * lines.burst_tolerance:
            decision = _softer(decision, measures[index], width(best), lines)
        decided[index] = decision


def _best_of_burst(decision: Decision) -> Decision:
    if decision.verdict == "reject":
        text = "The sharpest of its burst, and yet not sharp: look whether it is worth keeping."
        return replace(
            decision,
            verdict="cant-tell",
            reasons=(*decision.reasons, Reason("best-of-burst", text)),
        )
    text = "The sharpest of its burst."
    return replace(decision, reasons=(*decision.reasons, Reason("best-of-burst", text)))


def _softer(decision: Decision, measures: Measures, best: float, lines: Thresholds) -> Decision:
    width = _judged_width(measures, lines)
    text = f"Softer than the best of its burst: edges {width:.2f} px wide against {best:.2f} px."
    softer = Reason("softer-in-burst", text)
    if decision.verdict == "reject":
        return replace(decision, reasons=(*decision.reasons, softer))
    reasons = [softer, *decision.reasons[1:]]
    if _moved(measures, lines):
        reasons.insert(1, _motion_reason(measures))
    confidence = min(1.0, math.log(width / best) / math.log(2))
    return replace(decision, verdict="reject", confidence=confidence, reasons=tuple(reasons))


def _spare(decided: list[Decision], found: ShotSet, number: int) -> None:
    for index in found.members:
        decision = replace(decided[index], place=Place(found.kind, number, len(found.members), 0))
        text = f"One of a {found.kind} of {len(found.members)}: its frames are kept together."
        reasons = (*decision.reasons, Reason(found.kind, text))
        verdict: Verdict = "cant-tell" if decision.verdict == "reject" else decision.verdict
        decided[index] = replace(decision, verdict=verdict, reasons=reasons)
