from __future__ import annotations

import math
import random
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch.calibrate import Costs, calibrate, deal, recipe_text
from focuskit.batch.picks import Pick
from focuskit.batch.recipe import load_recipe
from focuskit.batch.versions import measured_version, model_version, parameters_version
from focuskit.cull import SCORERS
from focuskit.cull.decide import Thresholds
from focuskit.errors import InputError

LIMIT = Thresholds().limit_width_px(math.hypot(6000, 4000))


def record(shot: str, width: float, day: int = 1, burst: int | None = None) -> dict[str, Any]:
    measures: dict[str, float | None] = {row.name: 0.0 for row in SCORERS}
    measures |= {"edge_width": width, "edge_count": 500.0, "texture_share": 0.8}
    measures |= {"in_focus_share": 0.6, "motion_ratio": None, "motion_width": None}
    measures |= {"motion_probability": 0.01}
    box = {"kind": "in-focus area", "x": 0, "y": 0, "width": 320, "height": 320}
    return {
        "shot": shot,
        "verdict": "keeper",
        "measures": measures,
        "region": box,
        "picture": {"width": 6000, "height": 4000},
        "exif": {"taken_at": f"2024-05-{day:02d}T10:00:00"},
        "set": burst and {"kind": "burst", "number": burst, "size": 2, "rank": 0},
    }


def library(limit: float, count: int = 160) -> tuple[list[dict[str, Any]], dict[str, Pick]]:
    """Single shots of a person who rejects beyond a limit of their own, and errs now and then."""
    chance = random.Random(3)
    records, picks = [], {}
    for index in range(count):
        width = LIMIT * math.exp(chance.uniform(-1.2, 1.2))
        name = f"{index}.jpg"
        keep = (width < limit) != (chance.random() < 0.03)
        records.append(record(name, width, day=1 + index % 20))
        picks[name] = Pick(name, keep, "pick", "here")
    return records, picks


@pytest.mark.parametrize("factor", [0.7, 1.6])
def test_lines_move_to_where_the_person_draws_them(factor: float) -> None:
    fitted = calibrate(*library(LIMIT * factor), costs=Costs(lost=1.0))

    assert fitted.after.cost < 0.7 * fitted.before.cost
    found = fitted.thresholds.limit_width_px(math.hypot(6000, 4000))
    assert found / LIMIT == pytest.approx(factor, rel=0.25)
    assert fitted.groups == 20


def test_who_agrees_already_keeps_the_lines() -> None:
    fitted = calibrate(*library(LIMIT))

    assert fitted.after.lost <= fitted.before.lost + 2
    assert fitted.thresholds.limit_width_px(math.hypot(6000, 4000)) == pytest.approx(LIMIT, rel=0.3)


def test_dearer_keepers_are_lost_less_often() -> None:
    shots = library(LIMIT * 1.3)

    cheap, dear = (calibrate(*shots, costs=Costs(lost=lost)) for lost in (0.2, 50.0))

    assert dear.after.lost <= cheap.after.lost
    assert dear.thresholds.coc_limit_px >= cheap.thresholds.coc_limit_px


def test_a_person_who_keeps_soft_frames_of_bursts_widens_their_tolerance() -> None:
    records, picks = [], {}
    for burst in range(1, 41):
        for frame, width in enumerate((0.6, 0.6 * 1.25, LIMIT * 4)):
            name = f"{burst}-{frame}.jpg"
            records.append(record(name, width, day=1 + burst % 15, burst=burst))
            records[-1]["measures"]["detail"] = None
            picks[name] = Pick(name, frame < 2, "pick", "here")

    fitted = calibrate(records, picks)

    assert fitted.before.lost == 40
    assert fitted.after.lost == 0
    assert [name for name, _, _ in fitted.moved] == ["burst_tolerance"]


def test_the_recipe_reads_back_and_says_what_it_gained(tmp_path: Path) -> None:
    fitted = calibrate(*library(LIMIT * 1.6))
    path = tmp_path / "my.toml"
    path.write_text(recipe_text(fitted, "lbp", 160))

    recipe = load_recipe(str(path), do="cull")

    assert recipe.thresholds == fitted.thresholds != Thresholds()
    assert recipe.detector == "lbp"
    assert f"{fitted.after.cost:.3f} after" in path.read_text()
    assert set(tomllib.loads(path.read_text())["thresholds"]) >= {
        "coc_limit_px",
        "motion_probability",
    }


@pytest.mark.parametrize(("keepers", "rejects"), [(29, 200), (200, 29), (0, 0)])
def test_too_few_picks_are_refused(keepers: int, rejects: int) -> None:
    records = [record(f"{index}.jpg", 0.6, day=1 + index % 20) for index in range(229)]
    picks = {
        f"{index}.jpg": Pick("", index < keepers, "", "") for index in range(keepers + rejects)
    }

    with pytest.raises(InputError, match=f"found {keepers} and {rejects}"):
        calibrate(records, picks)


def test_picks_of_one_set_cannot_be_held_out_from_themselves() -> None:
    records = [record(f"{index}.jpg", 0.6, burst=1) for index in range(80)]
    picks = {f"{index}.jpg": Pick("", index % 2 == 0, "", "") for index in range(80)}

    with pytest.raises(InputError, match="come from 1 sets only"):
        calibrate(records, picks)


@pytest.mark.parametrize("lacking", ["region", "motion_probability"])
def test_results_of_another_version_are_refused_with_the_shot(lacking: str) -> None:
    records, picks = library(LIMIT)
    del (records[7] if lacking == "region" else records[7]["measures"])[lacking]

    with pytest.raises(InputError, match=r"7\.jpg lack what this version measures"):
        calibrate(records, picks)


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(1, 6))
def test_a_group_is_never_divided_and_folds_are_even(groups: list[str], folds: int) -> None:
    dealt = deal(groups, folds)

    fold_of = defaultdict(set)
    for group, fold in zip(groups, dealt, strict=True):
        fold_of[group].add(fold)
    assert all(len(found) == 1 for found in fold_of.values())
    assert set(dealt) <= set(range(folds))
    sizes = [dealt.count(fold) for fold in range(folds)]
    largest = max((groups.count(group) for group in set(groups)), default=0)
    assert max(sizes) - min(sizes) <= largest


def test_versions_tell_networks_and_lines_apart() -> None:
    assert model_version("lbp") == "lbp"
    assert "focusnet@" in model_version("focusnet-quick")
    assert "gauge@" in model_version("focusnet-quick")
    assert "motion@" in measured_version("focusnet-quick")
    assert "@" not in measured_version("lbp")
    assert parameters_version() == parameters_version(Thresholds())
    assert parameters_version(Thresholds(least_edges=41)) != parameters_version()
