from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focuskit.cull import SCORERS
from focuskit.cull.beside import Beside
from focuskit.cull.codes import CODES
from focuskit.cull.decide import Decision, Thresholds, decide
from focuskit.cull.measures import Measures
from focuskit.cull.score import SCORES
from focuskit.cull.subject import Region, RegionKind

DIAGONAL = math.hypot(6000, 4000)
LIMIT = Thresholds().limit_width_px(DIAGONAL)

shares = st.floats(0, 1)
widths = st.one_of(st.just(math.nan), st.floats(0.2, 12))


def _measures(
    kind: RegionKind = "in-focus area", beside: Beside | None = None, **changes: float
) -> Measures:
    values = {row.name: 0.0 for row in SCORERS} | {
        "edge_width": 0.6,
        "edge_count": 500.0,
        "in_focus_share": 0.6,
        "texture_share": 0.8,
        "motion_probability": 0.0,
        "motion_width": 0.6,
        "noise": 0.002,
    }
    return Measures(values | changes, Region(0, 0, 384, 384, kind), beside)


def _decision(**changes: float) -> Decision:
    return decide(_measures(**changes), DIAGONAL)


@settings(max_examples=60, deadline=None)
@given(
    edge_width=widths,
    motion_width=widths,
    motion_probability=st.one_of(st.just(math.nan), shares),
    motion_ratio=st.one_of(st.just(math.nan), st.floats(1, 6)),
    edge_count=st.floats(0, 2000),
    noise=st.floats(0, 0.2),
    in_focus_share=st.one_of(st.just(math.nan), shares),
    texture_share=shares,
    clipped_high=shares,
    clipped_low=shares,
)
def test_every_verdict_has_a_known_reason_and_scores_in_range(**changes: float) -> None:
    decision = _decision(**changes)

    assert {reason.code for reason in decision.reasons} <= set(CODES)
    assert CODES[decision.reasons[0].code].effect == decision.verdict
    assert set(decision.parts) == {info.name for info in SCORES[1:]}
    for value in (decision.score, *decision.parts.values()):
        assert math.isnan(value) or 0 <= value <= 100
    assert math.isnan(decision.score) == math.isnan(decision.parts["sharpness_score"])


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["edge_width", "noise", "clipped_high", "clipped_low"]),
    low=st.floats(0, 1),
    high=st.floats(0, 1),
)
def test_more_of_what_is_bad_never_scores_higher(name: str, low: float, high: float) -> None:
    low, high = sorted((low, high))
    if name == "edge_width":
        low, high = 0.2 + 5 * low, 0.2 + 5 * high

    assert _decision(**{name: high}).score <= _decision(**{name: low}).score


def test_the_limit_scores_fifty_where_noise_and_tone_are_perfect() -> None:
    assert _decision(edge_width=LIMIT, noise=0.0).score == pytest.approx(50)


def test_motion_is_what_pulls_a_moved_shot_down() -> None:
    parts = _decision(motion_probability=0.99, motion_width=2 * LIMIT).parts
    still = _decision(motion_probability=0.0, motion_width=2 * LIMIT).parts

    assert parts["motion_score"] < 10
    assert still["motion_score"] == 100


def test_noise_and_tone_cost_a_little_and_decide_nothing() -> None:
    bad = _decision(noise=0.2, clipped_high=0.6, clipped_low=0.4)

    assert bad.verdict == "keeper"
    assert 0.7 * _decision().score < bad.score < 0.8 * _decision().score


def test_placement_is_known_only_with_a_subject() -> None:
    elsewhere = Beside(Region(9, 9, 9, 9, "in-focus area"), 0.9)

    def placement(kind: RegionKind, beside: Beside | None) -> float:
        shot = _measures(kind, beside, edge_width=3 * LIMIT)
        return decide(shot, DIAGONAL).parts["placement_score"]

    assert math.isnan(placement("in-focus area", None))
    assert placement("face", None) == 100
    assert placement("face", elsewhere) < 20


def test_a_little_blur_that_may_be_restored_is_left_to_the_eye() -> None:
    small = 800.0
    lines = Thresholds()
    width = lines.limit_width_px(small) * 1.05

    soft = decide(_measures(edge_width=width), small)
    strict = decide(_measures(edge_width=width), small, Thresholds(recoverable_coc_px=0))
    moved = decide(_measures(edge_width=width, motion_probability=0.99, motion_width=width), small)

    assert (soft.verdict, soft.reasons[0].code) == ("cant-tell", "soft-recoverable")
    assert (strict.verdict, strict.reasons[0].code) == ("reject", "defocus")
    assert moved.verdict == "reject"


def test_texture_without_a_measurable_edge_is_not_called_lack_of_texture() -> None:
    nothing = _decision(edge_count=2, in_focus_share=0.0)

    assert (nothing.verdict, nothing.reasons[0].code) == ("cant-tell", "nothing-in-focus")
    assert _decision(edge_count=2, in_focus_share=0.4).reasons[0].code == "no-texture"


@pytest.mark.parametrize(
    ("elsewhere_px", "told"), [(0.8, "beside the subject"), (1.9, "even the sharpest edges")]
)
def test_focus_beside_the_subject_needs_something_sharp_there(
    elsewhere_px: float, told: str
) -> None:
    elsewhere = Beside(Region(9, 9, 9, 9, "sharpest tiles"), elsewhere_px)

    decision = decide(_measures("eyes", elsewhere, edge_width=2.1), 800.0)

    assert (decision.verdict, decision.reasons[0].code) == ("reject", "defocus")
    assert told in decision.reasons[0].text
