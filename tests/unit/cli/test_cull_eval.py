"""`focuskit cull eval`, `cull calibrate`, `cull --recipe` and `score --explain`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.scenes import SAMPLES, blurred, later
from tests.unit.batch.test_calibrate import LIMIT, library
from tests.unit.cli.conftest import Run

SaveJpeg = Callable[..., Path]


@pytest.fixture
def fitting(tmp_path: Path) -> tuple[Path, Path]:
    """Results of a cull, and picks of a person who forgives more."""
    records, picks = library(LIMIT * 1.6, count=120)
    results, table = tmp_path / "focuskit-cull.jsonl", tmp_path / "picks.csv"
    results.write_text("".join(json.dumps(each | {"detector": "lbp"}) + "\n" for each in records))
    rows = [f"{name},{'keep' if pick.keep else 'reject'}\n" for name, pick in picks.items()]
    table.write_text("".join(["file,pick\n", *rows]))
    return results, table


def test_folders_of_keepers_and_rejects_are_compared_with_verdicts(
    focuskit: Run,
    tmp_path: Path,
    save_jpeg: SaveJpeg,
    scene: NDArray[np.float32],
    moment: datetime,
) -> None:
    sorted_by_hand = tmp_path / "sorted"
    save_jpeg("keepers/1.jpg", scene, taken_at=moment, folder=sorted_by_hand)
    hour = later(moment, 3600)
    save_jpeg("keepers/2.jpg", blurred(scene, 9)[:, ::-1], taken_at=hour, folder=sorted_by_hand)
    soft = blurred(scene, 9)[::-1]
    save_jpeg("rejects/3.jpg", soft, taken_at=later(hour, 3600), folder=sorted_by_hand)
    save_jpeg("4.jpg", scene[::-1, ::-1], taken_at=later(hour, 9999), folder=sorted_by_hand)

    answer = focuskit("cull", "eval", sorted_by_hand, "--format", "json")

    found = json.loads(answer.stdout)
    assert answer.returncode == 0, answer.stderr
    assert found["figures"]["reject_precision"]["value"] == 0.5
    assert found["figures"]["reject_recall"]["value"] == 1.0
    assert found["shots"][0]["shot"] == "keepers/2.jpg"
    assert found["shots"][0]["agrees"] is False
    assert found["without_pick"] == 1
    assert "3 shots compared, 1 had no pick." in answer.stderr


def test_what_fits_no_shot_is_named_and_the_rest_is_compared(
    inside: Run, fitting: tuple[Path, Path]
) -> None:
    results, table = fitting
    table.write_text(table.read_text() + "elsewhere.jpg,keep\n")

    answer = inside("cull", "eval", table, "--results", results)

    assert answer.returncode == 3
    assert "picks.csv, line 122: there is no shot called elsewhere.jpg." in answer.stderr
    assert "120 shots compared" in answer.stderr
    assert "reject recall" in answer.stdout
    assert "Most surely wrong:" in answer.stdout


def test_a_fitted_recipe_is_saved_once_and_can_be_used(
    focuskit: Run, inside: Run, fitting: tuple[Path, Path], tmp_path: Path
) -> None:
    results, table = fitting
    mine = tmp_path / "my.toml"

    answer = inside("cull", "calibrate", table, "--results", results, "-o", mine)
    again = inside("cull", "calibrate", table, "--results", results, "-o", mine)
    used = focuskit(
        "cull", SAMPLES / "IMG_0001.jpg", "--recipe", mine, "-o", tmp_path / "out", "-f", "json"
    )

    assert answer.returncode == 0, answer.stderr
    assert "coc_limit_px" in answer.stdout
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
    record = json.loads(used.stdout)[0]
    assert (record["detector"], record["model"]) == ("lbp", "lbp")
    assert len(record["parameters"]) == 12
    assert set(record["scores"]) >= {"sharpness_score", "noise_score"}


def test_a_recipe_decides_anew_from_results(
    inside: Run, fitting: tuple[Path, Path], tmp_path: Path
) -> None:
    results, table = fitting
    mine = tmp_path / "my.toml"
    compare = ("cull", "eval", table, "--results", results, "--format", "json")

    recalls = []
    for coc_px in (3.0, 6.0, 9.0):
        mine.write_text(
            f'do = "cull"\ndetector = "lbp"\n[thresholds]\ncoc_limit_px = {coc_px}\n'
            "coc_limit_share = 0.0\nrecoverable_coc_px = 0.0\n"
        )
        answer = inside(*compare, "--recipe", mine)
        assert answer.returncode == 0, answer.stderr
        recalls.append(json.loads(answer.stdout)["figures"]["reject_recall"]["value"])
    as_they_were = json.loads(inside(*compare).stdout)
    other = inside(*compare, "--recipe", "portrait")

    assert recalls[0] > recalls[1] > recalls[2]
    assert as_they_were["figures"]["reject_recall"]["value"] == 0
    assert other.returncode == 1
    assert "measured with lbp, and the recipe asks for focusnet-quick" in other.stderr
    assert other.stdout == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["eval", "PICKS"], 2, "does not hold the photos"),
        (["eval", "nowhere"], 1, "There are no picks at nowhere"),
        (["eval", "PICKS", "--results", "RESULTS", "--library", "."], 2, "give one of them"),
        (["eval", "PICKS", "--results", "none.jsonl"], 1, "There are no results at none.jsonl"),
        (["eval", "PICKS", "--results", "PICKS"], 1, "line 1 is no JSON"),
        (["eval", ".", "--results", "RESULTS"], 4, "Nothing was picked or rejected"),
        (["calibrate", "PICKS", "--results", "RESULTS"], 2, "--output"),
    ],
)
def test_what_cannot_be_compared_gets_a_sentence(
    inside: Run, fitting: tuple[Path, Path], words: list[str], code: int, said: str
) -> None:
    paths = {"RESULTS": fitting[0], "PICKS": fitting[1]}

    answer = inside("cull", *(paths.get(word, word) for word in words))

    assert answer.returncode == code
    assert said in " ".join(answer.stderr.split())
    assert "Traceback" not in answer.stderr


def test_score_explains_its_numbers(inside: Run) -> None:
    answer = inside("score", "--explain")
    rows = json.loads(inside("names", "--format", "json").stdout)

    assert answer.returncode == 0
    lines = {line.split()[0]: line for line in answer.stdout.splitlines()}
    assert "points" in lines["score"]
    assert "higher" in lines["score"]
    assert "px" in lines["edge_width"]
    units = {row["name"]: row.get("unit") for row in rows if row["kind"] in ("scorer", "score")}
    assert units["motion_score"] == "points"
    assert units["noise"] == "share of white"
    assert {"defocus", "soft-recoverable"} <= {
        row["name"] for row in rows if row["kind"] == "reason"
    }
