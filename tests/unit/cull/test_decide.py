from __future__ import annotations

import math

import pytest

from focuskit.cull.decide import USES, Decision, Thresholds, decide, decide_sets
from focuskit.cull.measures import Measures
from focuskit.cull.sets import Bracket, Burst
from focuskit.cull.subject import Region
from focuskit.errors import InputError, RangeError

DIAGONAL_24MP = math.hypot(6000, 4000)
LIMIT = Thresholds().limit_width_px(DIAGONAL_24MP)
MOVED = {"motion_probability": 0.99, "motion_ratio": 2.5}


def _measures(**changes: float) -> Measures:
    values = {
        "edge_width": 0.6,
        "edge_count": 500.0,
        "in_focus_share": 0.6,
        "texture_share": 0.8,
        "motion_probability": 0.02,
        "motion_ratio": 1.1,
        "motion_width": 0.7,
        "motion_angle": 45.0,
        "clipped_high": 0.0,
        "clipped_low": 0.0,
    }
    return Measures(values | changes, Region(0, 0, 384, 384, "in-focus area"))


def _alone(**changes: float) -> Decision:
    return decide(_measures(**changes), DIAGONAL_24MP)


def _codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def test_narrow_edges_are_a_keeper() -> None:
    decision = _alone()

    assert decision.verdict == "keeper"
    assert decision.score > 80
    assert _codes(decision) == ["sharp"]


def test_wide_edges_all_around_are_misfocus() -> None:
    decision = _alone(edge_width=LIMIT * 2)

    assert decision.verdict == "reject"
    assert _codes(decision) == ["defocus"]
    assert decision.score < 20
    assert f"{LIMIT * 2:.1f} px" in decision.reasons[0].text


def test_wide_edges_along_one_direction_are_motion() -> None:
    decision = _alone(edge_width=LIMIT * 2, **MOVED, motion_width=LIMIT * 2.2, motion_angle=30)

    assert _codes(decision) == ["motion"]
    assert "30°" in decision.reasons[0].text


def test_the_length_of_the_motion_is_told_where_it_is_known() -> None:
    moved = {"edge_width": LIMIT * 2, **MOVED, "motion_angle": 30.0}

    known = _alone(**moved, motion_width=LIMIT * 2, motion_length=11.3)
    bare = _alone(**moved, motion_width=math.nan, motion_length=math.nan)

    assert "over about 11 px at 30°" in known.reasons[0].text
    assert _codes(bare) == ["motion"]
    assert "nan" not in bare.reasons[0].text


def test_motion_is_called_by_its_probability_and_not_by_widths() -> None:
    bent = _alone(edge_width=LIMIT * 2, motion_probability=0.6, motion_ratio=1.0)
    fence = _alone(edge_width=LIMIT * 2, motion_probability=0.4, motion_ratio=2.5)
    nobody_knows = _alone(edge_width=LIMIT * 2, motion_probability=math.nan, motion_ratio=math.nan)

    assert [_codes(each) for each in (bent, fence, nobody_knows)] == [
        ["motion"],
        ["defocus"],
        ["defocus"],
    ]
    assert "°" not in bent.reasons[0].text
    lines = Thresholds(motion_probability=0.8)
    careful = decide(_measures(edge_width=LIMIT * 2, **MOVED), DIAGONAL_24MP, lines)
    assert _codes(careful) == ["motion"]
    unsure = _measures(edge_width=LIMIT * 2, motion_probability=0.6)
    assert _codes(decide(unsure, DIAGONAL_24MP, lines)) == ["defocus"]


def test_motion_without_a_direction_is_told_without_one() -> None:
    decision = _alone(
        edge_width=LIMIT * 2,
        motion_probability=0.99,
        motion_ratio=math.nan,
        motion_angle=math.nan,
        motion_width=math.nan,
    )

    assert _codes(decision) == ["motion"]
    assert "nan" not in decision.reasons[0].text


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_a_probability_beyond_one_is_no_threshold(value: float) -> None:
    with pytest.raises(RangeError, match="motion_probability"):
        Thresholds(motion_probability=value)


def test_a_box_whose_edges_all_lie_along_the_path_does_not_hide_motion() -> None:
    decision = _alone(edge_width=0.6, **MOVED, motion_width=LIMIT * 2)

    assert decision.verdict == "reject"
    assert _codes(decision) == ["motion"]


def test_a_sharp_subject_before_a_blurred_background_is_meant() -> None:
    decision = _alone(in_focus_share=0.1)

    assert decision.verdict == "keeper"
    assert _codes(decision) == ["intentional-shallow"]


@pytest.mark.parametrize(
    "changes", [{"edge_count": 3.0}, {"texture_share": 0.001}, {"edge_width": math.nan}]
)
def test_without_texture_nobody_can_tell(changes: dict[str, float]) -> None:
    decision = _alone(**changes)

    assert decision.verdict == "cant-tell"
    assert _codes(decision)[0] == "no-texture"
    assert math.isnan(decision.score)


def test_right_at_the_limit_is_left_to_the_eye() -> None:
    decision = _alone(edge_width=LIMIT)

    assert decision.verdict == "cant-tell"
    assert _codes(decision) == ["close-call"]
    assert decision.score == pytest.approx(50)


def test_tones_are_mentioned_but_decide_nothing() -> None:
    decision = _alone(clipped_high=0.2, clipped_low=0.3)

    assert decision.verdict == "keeper"
    assert _codes(decision)[1:] == ["clipped-highlights", "clipped-shadows"]


def test_the_score_falls_as_edges_widen() -> None:
    scores = [_alone(edge_width=width).score for width in (0.4, 0.8, 1.2, 2.0, 5.0)]

    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 100 for score in scores)


def test_more_pixels_forgive_more_pixels_of_blur() -> None:
    limits = [Thresholds().limit_width_px(diagonal) for diagonal in (800, 4000, 7200, 11000)]

    assert limits == sorted(limits)
    assert limits[0] < limits[-1]


def _burst(*widths: float) -> list[Decision]:
    measures = [_measures(edge_width=width) for width in widths]
    alone = [decide(each, DIAGONAL_24MP) for each in measures]
    return decide_sets(alone, measures, [Burst(tuple(range(len(widths))))])


def test_in_a_burst_softer_frames_go_and_the_best_stays() -> None:
    decisions = _burst(0.9, 0.6, LIMIT * 3, 0.61)

    assert [each.verdict for each in decisions] == ["reject", "keeper", "reject", "keeper"]
    assert [each.place.rank for each in decisions if each.place] == [3, 1, 4, 2]
    assert _codes(decisions[0])[0] == "softer-in-burst"
    assert _codes(decisions[1])[-1] == "best-of-burst"
    assert _codes(decisions[2]) == ["defocus", "softer-in-burst"]


def test_the_best_of_a_blurred_burst_is_not_rejected() -> None:
    decisions = _burst(LIMIT * 2, LIMIT * 3)

    assert [each.verdict for each in decisions] == ["cant-tell", "reject"]
    assert "best-of-burst" in _codes(decisions[0])


def test_frames_that_nobody_can_judge_stay_so_in_a_burst() -> None:
    decisions = _burst(math.nan, 0.6)

    assert [each.verdict for each in decisions] == ["cant-tell", "keeper"]
    assert decisions[0].place is not None
    assert decisions[0].place.rank == 2


def test_no_member_of_a_bracket_is_rejected() -> None:
    measures = [_measures(edge_width=width) for width in (0.6, LIMIT * 2, LIMIT * 4)]
    alone = [decide(each, DIAGONAL_24MP) for each in measures]

    decisions = decide_sets(alone, measures, [Bracket((0, 1, 2))])

    assert [each.verdict for each in decisions] == ["keeper", "cant-tell", "cant-tell"]
    assert all("bracket" in _codes(each) for each in decisions)


def test_a_preview_that_the_camera_sharpened_is_held_to_a_narrower_line() -> None:
    limits = [Thresholds().limit_width_px(DIAGONAL_24MP, source) for source in ("full", "preview")]
    soft = _measures(edge_width=0.94 * limits[0])

    assert limits[1] == pytest.approx(0.87 * limits[0])
    assert decide(soft, DIAGONAL_24MP).verdict == "keeper"
    assert decide(soft, DIAGONAL_24MP, decoded_from="preview").verdict != "keeper"


def test_what_a_photo_is_for_moves_the_line() -> None:
    soft = _measures(edge_width=1.5)

    verdicts = {use: decide(soft, DIAGONAL_24MP, Thresholds().for_use(use)).verdict for use in USES}

    assert verdicts == {"web": "keeper", "print": "reject", "crop": "reject"}
    limits = [Thresholds().for_use(use).limit_width_px(DIAGONAL_24MP) for use in USES]
    assert limits == sorted(limits, reverse=True)
    with pytest.raises(InputError, match="known are web, print, crop"):
        Thresholds().for_use("poster")


def test_motion_all_over_the_frame_is_the_cameras() -> None:
    blurred = {"edge_width": LIMIT * 2, **MOVED, "motion_width": LIMIT * 2}

    assert "shake" in _codes(_alone(**blurred, motion_shared=1.0))
    assert "subject-motion" in _codes(_alone(**blurred, motion_shared=0.0))
    assert _codes(_alone(**blurred)) == ["motion"]
    assert "shake" not in _codes(_alone(motion_shared=1.0))
