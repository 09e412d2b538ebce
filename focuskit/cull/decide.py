"""From numbers to verdicts, with reasons that a person can check against the picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from focuskit.cull.measures import Measures
from focuskit.cull.missed import lies_beside, subject_missed, subject_name, too_alike
from focuskit.cull.ranking import sharpest_first
from focuskit.cull.score import Score, score_shot
from focuskit.cull.sets import Burst, ShotSet
from focuskit.cull.thresholds import USES, Thresholds
from focuskit.photo import DecodedFrom

__all__ = ["USES", "Decision", "Place", "Reason", "Thresholds", "Verdict", "decide", "decide_sets"]

Verdict = Literal["keeper", "reject", "cant-tell"]

# So much of the other boxes must have moved the same way to blame the camera.
_SHAKE_SHARE = 0.75
# Less of the textured frame in focus than this is none: where the detector's gauge finds nothing in
# focus, it dims the whole map below one half.
_NOTHING = 0.005
# Of a smaller ratio between widths along and across a direction none is told.
_LEAST_TOLD = 1.2
# A little blur that is more likely motion than not may still be misfocus.
_SURE = 0.8


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
        score: 0 to 100, higher is better, see `focuskit.cull.score`; NaN where sharpness is
            unknown.
        reasons: the deciding one first; their codes are in `focuskit.cull.codes`.
        place: its set, if it has one.
        parts: what the score is made of, by name; NaN where a part is unknown.
    """

    verdict: Verdict
    confidence: float
    score: float
    reasons: tuple[Reason, ...]
    place: Place | None = None
    parts: Mapping[str, float] = field(default_factory=dict)


def decide(
    measures: Measures,
    frame_diagonal_px: float,
    thresholds: Thresholds | None = None,
    *,
    decoded_from: DecodedFrom = "full",
) -> Decision:
    """Decide about one shot by itself.

    Args:
        measures: its numbers.
        frame_diagonal_px: diagonal of the full frame in the pixels that edges were measured in.
        thresholds: where the lines are; None for the defaults.
        decoded_from: which picture in the file was measured.
    """
    lines = thresholds or Thresholds()
    limit = lines.limit_width_px(frame_diagonal_px, decoded_from)
    width = _judged_width(measures, lines)
    extra = _remarks(measures, lines)
    if _nothing_to_judge(measures, lines):
        scored = _scored(measures, math.nan, limit, lines)
        return Decision(
            "cant-tell",
            0.0,
            scored.overall,
            (_unknown_reason(measures, lines), *extra),
            parts=scored.parts,
        )
    verdict, reason = _verdict(
        measures, width, limit, lines.recoverable_width_px(decoded_from), lines
    )
    if reason.code == "motion":
        extra = (*_shake(measures), *extra)
    confidence = min(1.0, abs(math.log(width / limit)) / math.log(2))
    scored = _scored(measures, width, limit, lines)
    return Decision(verdict, confidence, scored.overall, (reason, *extra), parts=scored.parts)


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


def _verdict(
    measures: Measures, width: float, limit: float, recoverable: float, lines: Thresholds
) -> tuple[Verdict, Reason]:
    if width <= limit / lines.close_call:
        return "keeper", _sharp_reason(measures, limit, lines)
    if width <= limit * lines.close_call:
        text = f"Edges are {width:.2f} px wide, right at the limit of {limit:.2f} px."
        return "cant-tell", Reason("close-call", text)
    surely_moved = _moved(measures, lines) and measures["motion_probability"] >= _SURE
    if width <= recoverable and not surely_moved:
        text = (
            f"A little soft: edges are {width:.2f} px wide (limit {limit:.2f} px); "
            "`focuskit deblur` may restore that."
        )
        return "cant-tell", Reason("soft-recoverable", text)
    if too_alike(measures, limit / lines.close_call) and not surely_moved:
        text = (
            f"Edges at {subject_name(measures)} are {width:.1f} px wide (limit {limit:.1f} px), "
            "but not so much wider than elsewhere that the subject must have been missed."
        )
        return "cant-tell", Reason("close-call", text)
    return "reject", _blur_reason(measures, limit, lines)


def _scored(measures: Measures, width: float, limit: float, lines: Thresholds) -> Score:
    return score_shot(
        measures,
        width_px=width,
        limit_px=limit,
        sharp_width_px=lines.sharp_width_px,
        motion_probability=lines.motion_probability,
    )


def _unknown_reason(measures: Measures, lines: Thresholds) -> Reason:
    textured, sharp = measures["texture_share"], measures["in_focus_share"]
    if textured >= lines.least_texture_share and sharp < _NOTHING:
        text = (
            f"Nothing seems to be in focus: {textured:.0%} of the frame has texture, but "
            f"{sharp:.0%} of that is in focus and no edge is sharp enough to be measured."
        )
        return Reason("nothing-in-focus", text)
    text = (
        f"Too little texture to judge: {measures['edge_count']:.0f} edges where it looked, "
        f"{textured:.0%} of the frame has texture."
    )
    return Reason("no-texture", text)


def _moved(measures: Measures, lines: Thresholds) -> bool:
    return measures["motion_probability"] >= lines.motion_probability


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
    if measures.beside is not None and lies_beside(measures, limit):
        return Reason(*subject_missed(measures, measures.beside))
    text = f"Out of focus: even the sharpest edges are {width:.1f} px wide (limit {limit:.1f} px)."
    return Reason("defocus", text)


def _shake(measures: Measures) -> tuple[Reason, ...]:
    shared = measures.values.get("motion_shared", math.nan)
    if math.isnan(shared):
        return ()
    if shared >= _SHAKE_SHARE:
        text = "The motion is the same wherever it looked: the camera moved."
        return (Reason("shake", text),)
    if shared == 0:
        text = "Elsewhere nothing moved that way: the subject moved, not the camera."
        return (Reason("subject-motion", text),)
    return ()


def _motion_reason(measures: Measures) -> Reason:
    length = measures.values.get("motion_length", math.nan)
    path = "" if math.isnan(length) else f" over about {length:.0f} px"
    width, ratio = measures["motion_width"], measures["motion_ratio"]
    if not ratio >= _LEAST_TOLD:
        # Paths that bend widen edges all around; the spectrum shows them, and no one direction.
        text = f"Motion blur{path}: fine detail is lost as motion takes it, and no misfocus does."
        return Reason("motion", text)
    told = (
        "hardly any detail is left along it."
        if math.isnan(width)
        else f"along it edges are {width:.1f} px wide, {ratio:.1f} times as wide as across it."
    )
    return Reason("motion", f"Motion blur{path} at {measures['motion_angle']:.0f}°: {told}")


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

    order = sharpest_first(
        burst.members,
        measures,
        {index: width(index) for index in burst.members},
    )
    best = order[0]
    for rank, index in enumerate(order, start=1):
        place = Place(burst.kind, number, len(order), rank)
        decision = replace(decided[index], place=place)
        if index == best:
            decision = _best_of_burst(decision)
        elif math.inf > width(index) > width(best) * lines.burst_tolerance:
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
        reasons = (*decision.reasons, Reason(found.kind.replace(" ", "-"), text))
        verdict: Verdict = "cant-tell" if decision.verdict == "reject" else decision.verdict
        decided[index] = replace(decision, verdict=verdict, reasons=reasons)
