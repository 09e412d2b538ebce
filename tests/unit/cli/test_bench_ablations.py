"""What `focuskit bench ablations` refuses, and what it prints; trainings are in unit/training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from focuskit.training.ablations import Row
from focuskit.training.claims import CLAIMS
from focuskit.training.metrics import Estimate
from focuskit.training.paired import Difference
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--system", "lbp"), "There are no ablations of 'lbp'; there are those of r-dbd"),
        ((), "init"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    inside: Run, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    output = tmp_path / "out"

    answer = inside("bench", "ablations", tmp_path / "nowhere", "-o", output, *options)

    assert (answer.returncode, answer.stdout) == (1, "")
    assert sentence in answer.stderr
    assert not output.exists()


@pytest.mark.parametrize("option", ["--steps=0", "--seed=-1", "--every=0"])
def test_numbers_that_make_no_sense_are_usage_errors(
    inside: Run, tmp_path: Path, option: str
) -> None:
    answer = inside("bench", "ablations", tmp_path, "-o", tmp_path / "out", option)

    assert answer.returncode == 2


def test_a_table_that_is_there_is_refused_before_the_work(inside: Run, tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    table.write_text("mine", "utf-8")

    answer = inside("bench", "ablations", tmp_path, "-o", tmp_path / "out", "--markdown", table)

    assert answer.returncode == 1
    assert "--overwrite" in answer.stderr
    assert table.read_text("utf-8") == "mine"


def test_one_table_is_printed_and_written(
    inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, object] = {}
    claim = CLAIMS[0]
    difference = Difference(Estimate(-0.02, -0.03, -0.01), Estimate(0.01, 0.005, 0.02))

    def run(claims: object, **arguments: object) -> tuple[Row, ...]:
        given.update(arguments, claims=claims)
        return (Row(claim.variant, 0.87, 0.1, 57, claim, difference),)

    monkeypatch.setattr("focuskit.training.ablations.run_ablations", run)
    words = ("bench", "ablations", tmp_path, "-o", tmp_path / "out", "--system", "r-dbd")
    options = ("--seed", "3", "--seed", "1", "--seed", "3", "--steps", "7", "--set", "size=160")
    table = tmp_path / "table.md"

    answer = inside(*words, *options, "--markdown", table, "--format", "json")

    assert answer.returncode == 0, answer.stderr
    (row,) = json.loads(answer.stdout)
    assert (row["system"], row["holds"]) == ("r-dbd", "yes")
    assert f"| r-dbd | {claim.text} |" in table.read_text("utf-8")
    assert "7 steps each with size=160" in table.read_text("utf-8")
    assert (given["seeds"], given["steps"], given["settings"]) == ([3, 1], 7, ("size=160",))
    assert given["claims"] == tuple(each for each in CLAIMS if each.system == "r-dbd")
