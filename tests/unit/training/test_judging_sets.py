"""The judge of sets, on made-up photos: it counts what is right, and sees what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from focuskit.cli import app
from focuskit.cull.sets import Burst, Fingerprint, ShotSet, find_sets
from focuskit.errors import InputError
from focuskit.training import judging_sets
from focuskit.training.judging_scenes import Part
from tests.scenes import make_scene, write_jpeg

PHOTOS = 36


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed in range(PHOTOS):
        write_jpeg(folder / "sharp" / f"{seed:02}.jpg", make_scene(214, 320, seed))
    return folder


def test_the_table_comes_from_one_command(data: Path) -> None:
    asked = ["bench", "cull", str(data), "--what", "sets", "--photos", "16", "-f", "json"]

    done = CliRunner().invoke(app, asked)

    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert {row["part"] for row in rows} == {"development", "judging"}
    for part in ("development", "judging"):
        cases = {row["condition"]: row for row in rows if row["part"] == part}
        assert {"burst", "panorama", "single", "focus stack, rendered, middle first"} <= set(cases)
        each = [row for name, row in cases.items() if name != "all"]
        assert cases["all"]["cases"] == sum(row["cases"] for row in each)
        right = sum(row["right"] * row["cases"] for row in each) / cases["all"]["cases"]
        assert cases["all"]["right"] == pytest.approx(right, abs=1e-3)
        assert cases["all"]["right"] >= 0.8


def _nothing(shots: list[Fingerprint]) -> list[ShotSet]:
    return []


def _one_too_few(shots: list[Fingerprint]) -> list[ShotSet]:
    return [type(found)(found.members[1:]) for found in find_sets(shots)]


def _all_bursts(shots: list[Fingerprint]) -> list[ShotSet]:
    return [Burst(found.members) for found in find_sets(shots)]


@pytest.mark.parametrize(
    ("broken", "still_right"),
    [
        (_nothing, {"single"}),
        (_one_too_few, {"single"}),
        (_all_bursts, {"single", "burst", "burst, tripod", "burst, panned"}),
    ],
)
def test_sets_that_are_wrong_count_as_wrong(
    data: Path, monkeypatch: pytest.MonkeyPatch, broken: object, still_right: set[str]
) -> None:
    whole = judging_sets.judge_sets(Part.DEVELOPMENT, data, most=16)
    monkeypatch.setattr(judging_sets, "find_sets", broken)

    right = judging_sets.judge_sets(Part.DEVELOPMENT, data, most=16)

    assert sum(right["all"]) < sum(whole["all"])
    assert {case: len(hits) for case, hits in right.items()} == {
        case: len(hits) for case, hits in whole.items()
    }
    assert {case for case, hits in right.items() if any(hits)} - {"all"} <= still_right


def test_the_parts_share_no_shot(data: Path) -> None:
    development, judging = (
        judging_sets.set_library(part, data, rounds=1) for part in (Part.DEVELOPMENT, Part.JUDGING)
    )

    views = [{shot.view for shot in library.shots} for library in (development, judging)]
    assert not views[0] & views[1]


def test_missing_photos_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no photos"):
        judging_sets.judge_sets(Part.DEVELOPMENT, tmp_path)
