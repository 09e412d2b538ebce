"""Deciding anew from results gives what culling anew would have given."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.batch.culling import Culled, decide_all, judge_library
from focuskit.batch.judge import Judge, Judgement
from focuskit.batch.library import find_shots
from focuskit.batch.recipe import Recipe, load_recipe, shipped_recipes
from focuskit.batch.records import cull_records
from focuskit.batch.redecide import redecided
from focuskit.cull.decide import Thresholds
from focuskit.errors import InputError
from tests.scenes import blurred, later, write_jpeg

RECIPES = ["cull", "portrait", "wildlife", "landscape", "event", "macro"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, scene: NDArray[np.float32]) -> list[Judgement]:
    """Single shots, a burst, a bracket, and a copy of a frame of the burst."""
    folder = tmp_path_factory.mktemp("library")
    small, moment = scene[:240, :320], datetime(2026, 5, 17, 10, 30)
    for number, blur in enumerate((0, 2.2, 2.8, 3.5, 9)):
        shot = blurred(small, blur)[::-1] if blur else small[::-1]
        at = later(moment, 3600 * number)
        write_jpeg(folder / f"single{number}.jpg", shot, taken_at=at)
    for number, blur in enumerate((0, 1.8, 9)):
        shot = blurred(small, blur) if blur else small
        at = later(moment, 40_000 + number * 0.2)
        write_jpeg(folder / f"burst{number}.jpg", shot, taken_at=at)
    (folder / "copy.jpg").write_bytes((folder / "burst1.jpg").read_bytes())
    for number, gain in enumerate((1.0, 0.25, 4.0)):
        at, shot = later(moment, 80_000 + number * 0.5), blurred(small[:, ::-1], 7) * gain
        write_jpeg(folder / f"bracket{number}.jpg", shot, taken_at=at, exposure_s=0.01 * gain)
    judgements, problems = judge_library(find_shots([folder]), Judge("lbp"))
    assert problems == []
    return judgements


def records(judged: list[Judgement], recipe: Recipe) -> list[dict[str, Any]]:
    decisions = decide_all(judged, recipe.thresholds)
    found = cull_records(Culled(tuple(judged), tuple(decisions)), "lbp", recipe.thresholds)
    return [json.loads(json.dumps(each)) for each in found]


@pytest.mark.parametrize("name", RECIPES)
def test_it_gives_what_culling_anew_would_give(judged: list[Judgement], name: str) -> None:
    assert set(RECIPES) <= set(shipped_recipes())
    recipe = Recipe("cull", detector="lbp", thresholds=load_recipe(name).thresholds)

    anew = redecided(records(judged, Recipe("cull", detector="lbp")), recipe)

    wanted = records(judged, recipe)
    assert {each["verdict"] for each in wanted} == {"keeper", "reject", "cant-tell"}
    for found, want in zip(anew, wanted, strict=True):
        assert found["verdict"] == want["verdict"], want["shot"]
        assert found["reasons"][0] == want["reasons"][0]
        assert found["parameters"] == want["parameters"]


def test_results_of_another_detector_are_refused(judged: list[Judgement]) -> None:
    found = records(judged, Recipe("cull", detector="lbp"))

    with pytest.raises(InputError, match="measured with lbp, and the recipe asks for focusnet"):
        redecided(found, Recipe("cull"))


def test_what_could_not_be_read_stays_so(judged: list[Judgement]) -> None:
    failed = {"shot": "x.jpg", "verdict": "failed", "reasons": [{"code": "failed", "text": "?"}]}

    assert redecided([failed], Recipe("cull")) == [failed]


def test_a_recipe_may_say_what_the_photos_are_for(tmp_path: Path, judged: list[Judgement]) -> None:
    path = tmp_path / "web.toml"
    path.write_text('do = "cull"\nuse = "web"\n[thresholds]\ncoc_limit_px = 9.0\n')

    recipe = load_recipe(str(path))

    assert recipe.use == "web"
    assert recipe.thresholds == Thresholds().for_use("web")
    path.write_text('do = "cull"\nuse = "poster"\n')
    with pytest.raises(InputError, match=r"web\.toml: There is no use 'poster'; known are"):
        load_recipe(str(path))
