"""What the plots of a report rest on: every shot counted once, in the right place."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.review.summary_bars import draw_reasons, draw_verdicts
from focuskit.review.summary_counts import (
    Tally,
    gear,
    heat_by_f_number,
    heat_by_shutter,
    of_sets,
    reason_bars,
    shutter_text,
    tally,
)
from focuskit.review.summary_entries import Entry, survey
from focuskit.review.summary_frame import draw_frame, landing
from focuskit.review.summary_time import draw_scores, sessions, span_text
from tests.unit.review.records import START, judged_record

Record = dict[str, Any]


def entries_of(records: list[Record]) -> list[Entry]:
    return survey(records).judged


def entries(count: int, seed: int = 1) -> list[Entry]:
    rng = Random(seed)
    return entries_of([judged_record(number, rng) for number in range(count)])


def at(*minutes: float | None) -> list[Entry]:
    records = [judged_record(n, Random(n)) for n in range(len(minutes))]
    for record, minute in zip(records, minutes, strict=True):
        moment = None if minute is None else START + timedelta(minutes=minute)
        record["exif"]["taken_at"] = moment and moment.isoformat()
    return entries_of(records)


def numbers_in(svg: str, pattern: str) -> list[float]:
    return [float(each) for each in re.findall(pattern, svg)]


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e6)), max_size=40), st.integers(1, 12))
def test_sessions_hold_every_timed_shot_once_and_are_no_more_than_asked(
    minutes: list[float | None], most: int
) -> None:
    shots = at(*minutes)

    parts = sessions(shots, most)

    held = [entry.number for part in parts for entry in part.entries]
    assert sorted(held) == [entry.number for entry in shots if entry.take.at is not None]
    assert len(parts) <= most
    for earlier, later in pairwise(parts):
        assert earlier.end < later.start


def test_a_pause_parts_sessions_and_a_longer_one_where_there_are_too_many() -> None:
    shots = at(0, 10, 20, 100, 110, 400)

    assert [len(part.entries) for part in sessions(shots, 9)] == [3, 2, 1]
    assert [len(part.entries) for part in sessions(shots, 2)] == [5, 1]
    assert [len(part.entries) for part in sessions(shots, 1)] == [6]


def test_time_zones_do_not_stand_in_the_way() -> None:
    records = [judged_record(n, Random(n)) for n in range(3)]
    times = ("2026-05-17T10:30:00+02:00", "2026-05-17T10:31:00", "no time at all")
    for record, time in zip(records, times, strict=True):
        record["exif"]["taken_at"] = time

    (part,) = sessions(entries_of(records), 5)

    assert (part.start, part.end) == (datetime(2026, 5, 17, 10, 30), datetime(2026, 5, 17, 10, 31))


@pytest.mark.parametrize("width", [400.0, 1180.0])
@pytest.mark.parametrize("count", [1, 7, 250, 5000])
def test_every_mark_lies_inside_the_drawing_and_there_are_not_too_many(
    width: float, count: int
) -> None:
    drawn = str(draw_scores(entries(count), "k", width))

    marks = re.findall(r'<path d="([^"]*)" class="mark', drawn)
    places = [
        (float(x), float(y)) for mark in marks for x, y in re.findall(r"M([\d.-]+) ([\d.-]+)", mark)
    ]
    if count <= 250:
        assert len(places) == count
    assert 0 < len(places) <= 2500
    height = numbers_in(drawn, r'viewBox="0 0 [\d.]+ ([\d.]+)"')[0]
    assert all(25 <= x <= width and 0 <= y <= height for x, y in places)
    assert len(drawn) < 200_000


def test_later_shots_are_drawn_further_right_and_better_ones_higher() -> None:
    records = [judged_record(n, Random(n), verdict="keeper") for n in range(5)]
    for record, score in zip(records, (90.0, 60.0, 70.0, 52.0, 99.0), strict=True):
        record["score"] = score
    shots = entries_of(records)

    drawn = str(draw_scores(shots, "k", 1000))

    places = re.findall(r'<path d="M([\d.]+) ([\d.]+)[^"]*" class="mark', drawn)
    across = [float(x) for x, _ in places]
    assert across == sorted(across)
    by_height = sorted(range(5), key=lambda n: float(places[n][1]))
    assert by_height == sorted(range(5), key=lambda n: -(shots[n].score or 0))


def test_shots_without_any_time_stand_in_the_order_of_their_names() -> None:
    drawn = str(draw_scores(at(None, None, None), "k", 1000))

    assert "in the order of names" in drawn
    assert drawn.count('class="mark') == 3


def test_nothing_scored_is_nothing_drawn() -> None:
    records = [judged_record(n, Random(n), verdict="cant-tell") | {"score": None} for n in range(3)]

    assert draw_scores(entries_of(records), "k", 1000) is None


def test_heat_cells_hold_every_shot_once() -> None:
    shots = entries(300)

    for heat in (heat_by_f_number(shots), heat_by_shutter(shots)):
        assert heat is not None
        cells = [cell for row in heat.cells for cell in row if cell]
        assert sum(cell.shots for cell in cells) == len(shots) - heat.left_out == 300
        assert sum(cell.keepers for cell in cells) == tally(shots).keeper
        assert all(cell.keepers <= cell.shots for cell in cells)
        assert not heat.nearest
        # No row and no column is empty.
        assert all(any(row) for row in heat.cells)
        assert all(any(column) for column in zip(*heat.cells, strict=True))


def test_many_focal_lengths_count_with_the_nearest_common_one() -> None:
    records = [judged_record(n, Random(n)) for n in range(9)]
    for record, focal in zip(records, (15, 16, 18, 24, 34, 36, 52, 190, 210), strict=True):
        record["exif"] |= {"focal_length_mm": float(focal), "f_number": 4.0}

    heat = heat_by_f_number(entries_of(records))

    assert heat is not None
    assert heat.nearest
    assert heat.rows == ("16 mm", "24 mm", "35 mm", "50 mm", "200 mm")
    assert [row[0].shots for row in heat.cells if row[0]] == [3, 1, 2, 1, 2]


@pytest.mark.parametrize(
    ("exposure_s", "text"),
    [(1 / 4000, "1/4000 s"), (0.0166, "1/60 s"), (0.5, "0.5 s"), (30.0, "30 s")],
)
def test_exposure_times_read_as_cameras_show_them(exposure_s: float, text: str) -> None:
    assert shutter_text(exposure_s) == text


def test_reasons_add_up_to_what_was_not_kept() -> None:
    records = [judged_record(n, Random(n)) for n in range(80)]
    moved = [record for record in records if record["verdict"] == "reject"][:5]
    for record in moved:
        record["reasons"] = [{"code": "motion", "text": ""}, {"code": "shake", "text": ""}]
    shots = entries_of(records)
    counts = tally(shots)

    bars = reason_bars(shots)

    by_verdict = Counter[str]()
    for bar in bars:
        by_verdict[bar.verdict] += bar.shots
    assert by_verdict == {"reject": counts.reject, "cant-tell": counts.cant_tell}
    assert [bar.shots for bar in bars if bar.name == "Camera shake"] == [5]
    drawn = str(draw_reasons(bars, "k"))
    assert all(f">{bar.shots}</text>" in drawn for bar in bars)


def test_cameras_and_lenses_add_up_to_all_shots() -> None:
    shots = entries(120)

    found = gear(shots)

    assert sum(each.tally.shots for each in found) == 120
    assert sum(each.tally.keeper for each in found) == tally(shots).keeper
    assert [each.tally.shots for each in found] == sorted(
        (each.tally.shots for each in found), reverse=True
    )


def test_frames_of_a_burst_stand_best_first_and_sets_in_the_order_of_time() -> None:
    records = [judged_record(n, Random(n)) for n in range(6)]
    for number, (kind, rank) in enumerate(
        (("bracket", None), ("burst", 2), ("burst", 1), ("burst", None), ("bracket", None))
    ):
        records[number]["set"] = {"kind": kind, "number": 1, "size": 3, "rank": rank}

    sets = of_sets(entries_of(records))

    assert {key: [entry.number for entry in each] for key, each in sets.items()} == {
        ("bracket", 1): [0, 4],
        ("burst", 1): [2, 1, 3],
    }
    assert list(sets) == [("bracket", 1), ("burst", 1)]


@given(*[st.integers(0, 50)] * 4)
def test_the_bar_of_verdicts_is_full_and_parted_as_the_shots_are(
    keeper: int, reject: int, cant_tell: int, failed: int
) -> None:
    counts = Tally(keeper, reject, cant_tell, failed + 1)

    widths = numbers_in(str(draw_verdicts(counts, "k")), r'<rect[^>]* width="([\d.]+)"')

    assert sum(widths) == pytest.approx(1000, abs=0.3)
    assert len(widths) == sum(each > 0 for each in (keeper, reject, cant_tell)) + 1


def test_focus_lands_in_the_ninth_where_it_is() -> None:
    records = [judged_record(n, Random(n), verdict="keeper") for n in range(5)]
    for record in records:
        record["measures"] = {"focus_x": 0.9, "focus_y": 0.1}
        record["picture"] |= {"width": 600, "height": 400}
    records[4]["measures"] = {"focus_x": None, "focus_y": None}

    found = landing(entries_of(records), portrait=False)

    assert found is not None
    assert dict(found.thirds) == {
        name: 4 if name == "upper right" else 0 for name, _ in found.thirds
    }
    assert found.blank == 1
    assert "upper right" in str(draw_frame(found, "k"))
    assert landing(entries_of(records), portrait=True) is None


def test_af_points_hit_or_miss_by_the_edges_under_them() -> None:
    records = [judged_record(n, Random(n), verdict="reject") for n in range(4)]
    for record, sharpness in zip(records, (80.0, 20.0, 20.0, 20.0), strict=True):
        record["picture"] |= {"width": 600, "height": 400}
        record["region"]["kind"] = "AF point"
        record["scores"] = {"sharpness_score": sharpness}
    records[2]["reasons"] = [{"code": "motion", "text": ""}]
    records[3]["region"]["kind"] = "in-focus area"

    found = landing(entries_of(records), portrait=False)

    assert found is not None
    assert (len(found.hits), len(found.misses)) == (1, 1)
    assert found.hits[0] == pytest.approx((0.25, 0.35))


def test_portraits_are_drawn_higher_than_wide() -> None:
    for portrait in (False, True):
        found = landing(entries(60), portrait=portrait)
        assert found is not None
        drawn = str(draw_frame(found, "k"))
        ((width, height),) = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn)
        assert (float(height) > float(width)) is portrait


def test_spans_of_time_are_told_briefly() -> None:
    day = datetime(2026, 5, 17, 10, 30)

    assert span_text(day, day) == "17 May 2026, 10:30"
    assert span_text(day, day + timedelta(hours=2)) == "17 May 2026, 10:30–12:30"
    assert span_text(day, day + timedelta(days=20)) == "17 May – 6 June 2026"
    assert span_text(day, day + timedelta(days=300)) == "17 May 2026 – 13 March 2027"
