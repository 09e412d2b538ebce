"""Trainings with and without a part: run once each, paired, and told honestly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from focuskit.errors import InputError
from focuskit.training import ablations, sources
from focuskit.training.ablations import (
    Row,
    ablations_markdown,
    claims_of,
    run_ablations,
    shortened,
)
from focuskit.training.claims import CLAIMS, TEACHER, Claim, PaperDifference, Variant
from focuskit.training.metrics import Estimate
from focuskit.training.paired import Difference
from focuskit.training.recipes import recipe_named
from focuskit.training.system_recipes import RdbdRecipe
from tests.unit.training._make import few_renderings, one_thread, write_data_root

TINY = ("size=64", "batch=2", "swap_side=16", "pairs=0", "sweeps=0")
WHOLE = Variant("r-dbd", "whole", TINY)
CLAIM = Claim("gradients help", WHOLE, Variant("r-dbd", "no-gradients", (*TINY, "gradients=false")))

Ablate = Callable[..., tuple[Row, ...]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_root(tmp_path_factory.mktemp("data") / "data")


@pytest.fixture
def ablate(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ablate]:
    for name, value in few_renderings().items():
        monkeypatch.setattr(sources, name, value)

    def run(
        claims: Sequence[Claim] = (CLAIM,),
        *,
        steps: int = 2,
        seeds: Sequence[int] = (0,),
        say: Callable[[str], None] = str,
        settings: Sequence[str] = (),
    ) -> tuple[Row, ...]:
        return run_ablations(
            claims,
            data=data,
            output=tmp_path / "out",
            cache=tmp_path / "cache",
            steps=steps,
            seeds=seeds,
            device=torch.device("cpu"),
            every=1,
            say=say,
            settings=settings,
        )

    with one_thread():
        yield run


def test_every_variant_is_a_run_of_its_own_and_is_made_once(
    ablate: Ablate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    before = ablations.read_sources
    monkeypatch.setattr(
        ablations, "read_sources", lambda data, *a, **k: read.append(data) or before(data, *a, **k)
    )

    whole, without = ablate(seeds=(0, 1))

    assert len(read) == 1
    assert (whole.claim, whole.difference, whole.holds) == (None, None, None)
    assert (without.variant, without.claim) == (CLAIM.variant, CLAIM)
    assert without.difference is not None
    assert without.difference.f_max.value == pytest.approx(without.f_max - whole.f_max)
    assert without.difference.mae.value == pytest.approx(without.mae - whole.mae)
    folder = tmp_path / "out" / "r-dbd"
    assert {path.name for path in (folder / "whole" / "seed-1").iterdir()} == {
        "checkpoint.pt",
        "log.jsonl",
        "scores.npz",
        "weights",
    }
    index = json.loads((folder / "no-gradients" / "seed-1/weights/index.json").read_text("utf-8"))
    facts = index["weights"]["r-dbd"]
    assert facts["network"]["gradients"] is False
    assert (facts["recipe"]["steps"], facts["recipe"]["seed"]) == (2, 1)

    monkeypatch.setattr(ablations, "train_with", lambda *a, **k: pytest.fail("trained again"))
    assert ablate(seeds=(0, 1)) == (whole, without)


def test_a_stopped_one_goes_on(ablate: Ablate, tmp_path: Path) -> None:
    class _Stop(Exception):
        pass

    def stop(text: str) -> None:
        if text.startswith("2 of 2"):
            raise _Stop

    with pytest.raises(_Stop):
        ablate(say=stop)
    (tmp_path / "out" / "r-dbd" / "whole" / "seed-0" / "scores.npz").unlink()
    said: list[str] = []
    ablate(say=said.append)

    assert "Going on at step 2." in said
    assert sum(text.startswith("Training r-dbd") for text in said) == 2


def test_runs_of_other_steps_are_not_mixed_in(ablate: Ablate, tmp_path: Path) -> None:
    ablate()
    with pytest.raises(InputError, match="made by another recipe or from other data"):
        ablate(steps=3)

    scores = tmp_path / "out" / "r-dbd" / "whole" / "seed-0" / "scores.npz"
    scores.write_bytes(scores.read_bytes()[:100])
    with pytest.raises(InputError, match=r"is damaged .*; remove it"):
        ablate()


def test_nothing_is_trained_where_the_last_could_not_start(
    ablate: Ablate, data: Path, tmp_path: Path
) -> None:
    many = Variant("r-dbd", "many", (*TINY, "batch=40"))
    with pytest.raises(InputError, match="examples for batches of 40"):
        ablate([CLAIM, Claim("more is better", WHOLE, many)])
    assert not (tmp_path / "out").exists()


def test_students_learn_from_the_whole_teacher_of_their_seed(
    ablate: Ablate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = ("size=64", "batch=2", "pairs=0", "sweeps=0")
    teacher = Variant(TEACHER.system, TEACHER.name, tiny)
    monkeypatch.setattr(ablations, "TEACHER", teacher)
    student = Variant("distill-dbdgan-student", "whole", tiny)
    plain = Variant("distill-dbdgan-student", "no-teacher", (*tiny, "distill_output=0"))
    said: list[str] = []

    rows = ablate(
        [Claim("the teacher helps", student, plain)], steps=1, seeds=(4,), say=said.append
    )

    assert [row.variant for row in rows] == [student, plain]
    assert [text for text in said if " of 3: " in text] == [
        "1 of 3: distill-dbdgan-teacher, whole, seed 4.",
        "2 of 3: distill-dbdgan-student, whole, seed 4.",
        "3 of 3: distill-dbdgan-student, no-teacher, seed 4.",
    ]
    folder = tmp_path / "out" / "distill-dbdgan-student" / "no-teacher" / "seed-4"
    index = json.loads((folder / "weights" / "index.json").read_text("utf-8"))
    teacher_file = Path(index["weights"]["distill-dbdgan-student"]["recipe"]["teacher"])
    assert teacher_file.parts[-5:-2] == ("distill-dbdgan-teacher", "whole", "seed-4")
    assert teacher_file.is_absolute()


def _row(low: float, high: float, least: float = 0.0) -> Row:
    paper = PaperDifference(-0.009, None, "CUHK")
    claim = Claim("gradients help", WHOLE, CLAIM.variant, least, paper)
    difference = Difference(Estimate((low + high) / 2, low, high), Estimate(0.004, 0.0, 0.008))
    return Row(CLAIM.variant, 0.87, 0.1, 57, claim, difference)


@pytest.mark.parametrize(
    ("low", "high", "least", "wanted"),
    [
        (-0.03, -0.01, 0.0, "yes"),
        (-0.03, 0.001, 0.0, "not shown"),
        (0.001, 0.02, 0.0, "no"),
        (-0.005, 0.005, -0.01, "yes"),
        (-0.005, 0.02, -0.01, "not shown"),
        (0.015, 0.02, -0.01, "no"),
    ],
)
def test_a_claim_holds_where_the_whole_interval_says_so(
    low: float, high: float, least: float, wanted: str
) -> None:
    assert _row(low, high, least).holds == wanted


def test_the_table_tells_whole_variant_and_paper() -> None:
    text = ablations_markdown([Row(WHOLE, 0.9, 0.08, 57), _row(-0.03, -0.01)], steps=5, seeds=1)

    assert "5 steps each, on the 57 held-back photos" in text
    assert "of one seed" in text
    assert "| r-dbd | – | whole | .900 | .080 | – | – | – | – |" in text
    assert (
        "| r-dbd | gradients help | no-gradients | .870 | .100 | −.020 [−.030, −.010] "
        "| +.004 [.000, +.008] | −.009 / – (CUHK) | yes |"
    ) in text


def test_the_schedule_shrinks_with_the_steps() -> None:
    short = shortened(RdbdRecipe(steps=2000, warmup=100, average=0.998), 500)

    assert (short.steps, short.warmup) == (500, 25)
    assert short.average == pytest.approx(0.992)
    assert shortened(RdbdRecipe(), 1).average == 0


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.system}: {claim.text}")
def test_claims_change_what_they_say_and_can_be_trained(claim: Claim) -> None:
    whole, variant = (
        recipe_named(each.system).changed(each.settings) for each in (claim.whole, claim.variant)
    )
    changed = {
        field.name
        for field in fields(whole)
        if getattr(whole, field.name) != getattr(variant, field.name, None)
    }
    named = {setting.partition("=")[0] for setting in claim.variant.settings}
    assert claim.whole.settings == ()
    assert claim.variant != claim.whole
    if claim.system == claim.variant.system:
        assert changed == named
        assert named
    assert shortened(variant, 600).steps == 600


def test_claims_are_found_by_system() -> None:
    assert claims_of([]) == CLAIMS
    assert {claim.system for claim in claims_of(["m2cs", "r-dbd"])} == {"m2cs", "r-dbd"}
    with pytest.raises(InputError, match=r"no ablations of 'lbp'; there are those of r-dbd"):
        claims_of(["lbp"])


def test_the_papers_differences_add_up() -> None:
    """One part after the other makes what all of them make together."""
    papers = {claim.variant.name: claim.paper for claim in claims_of(["r-dbd"])}
    together = papers.pop("plain")
    assert together is not None
    parts = [paper for paper in papers.values() if paper is not None]
    assert len(parts) == 3
    assert np.isclose(sum(part.f for part in parts), together.f)
    assert np.isclose(sum(part.mae or 0 for part in parts), together.mae or 0)


def test_settings_change_all_alike_but_for_what_a_variant_is_about(
    ablate: Ablate, tmp_path: Path
) -> None:
    ablate(settings=("size=96", "gradients=true", "weight_decay=0.5"))

    recipes = {}
    for name in ("whole", "no-gradients"):
        index = tmp_path / "out/r-dbd" / name / "seed-0/weights/index.json"
        recipes[name] = json.loads(index.read_text("utf-8"))["weights"]["r-dbd"]["recipe"]
    assert [each["gradients"] for each in recipes.values()] == [True, False]
    assert [each["size"] for each in recipes.values()] == [64, 64]
    assert [each["weight_decay"] for each in recipes.values()] == [0.5, 0.5]
