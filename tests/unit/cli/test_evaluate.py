from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from focuskit.cli.evaluate import Dataset
from focuskit.color import encode_srgb
from focuskit.training.curves import PICTURES
from focuskit.training.datasets import LAYOUTS
from tests.scenes import blurred, invert_mask, make_scene
from tests.unit.cli.conftest import Run

SCORES = ["f_max", "f_adaptive", "f_blur", "auc", "iou_blur", "mae", "ece"]


@pytest.fixture
def cuhk(tmp_path: Path) -> Path:
    """Three photos, sharp on the left; masks white where blurred, as CUHK paints them."""
    folder = tmp_path / "cuhk"
    for kind in ("photos", "masks"):
        (folder / kind).mkdir(parents=True)
    white = np.zeros((80, 120), np.uint8)
    white[:, 60:] = 255
    for seed in (1, 2, 3):
        scene = make_scene(80, 120, seed=seed)
        scene[:, 60:] = blurred(scene, 8.0)[:, 60:]
        pixels = (encode_srgb(scene) * 255).round().astype(np.uint8)
        cv2.imwrite(str(folder / "photos" / f"im{seed}.png"), pixels)
        cv2.imwrite(str(folder / "masks" / f"im{seed}.png"), white)
    return folder


def test_every_layout_has_its_name_on_the_command_line() -> None:
    assert [each.value for each in Dataset] == list(LAYOUTS)


def test_scores_are_printed_as_a_table(focuskit: Run, cuhk: Path) -> None:
    answer = focuskit("evaluate", "lbp", "cuhk", cuhk)

    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["score", *SCORES]
    assert "lbp on 3 photos of cuhk, native size; 0 that hold one class only" in answer.stderr


def test_json_and_csv_say_the_same(focuskit: Run, cuhk: Path) -> None:
    arguments = ("evaluate", "lbp", "cuhk", cuhk, "--size", "64", "--limit", "2", "--format")
    record = json.loads(focuskit(*arguments, "json").stdout)[0]
    rows = list(csv.DictReader(io.StringIO(focuskit(*arguments, "csv").stdout)))

    assert (record["detector"], record["dataset"], record["part"]) == ("lbp", "cuhk", "all")
    assert (record["size"], record["photos"], record["empty_class"]) == ("64", 2, 0)
    assert {row["score"]: float(row["value"]) for row in rows} == {
        name: record[name]["value"] for name in SCORES
    }
    assert record["auc"]["value"] > 0.8


def test_pictures_and_scores_are_written_and_never_replaced_unasked(
    focuskit: Run, cuhk: Path, tmp_path: Path
) -> None:
    output = tmp_path / "results"
    arguments = ("evaluate", "lbp", "cuhk", cuhk, "--output", output)
    first = focuskit(*arguments, "--format", "json")
    written = {path.name: path.read_bytes() for path in output.iterdir()}
    again = focuskit(*arguments)
    replaced = focuskit(*arguments, "--overwrite", "--size", "64")

    assert first.returncode == 0, first.stderr
    assert set(written) == {*PICTURES, "scores.json"}
    for name in PICTURES:
        assert cv2.imdecode(np.frombuffer(written[name], np.uint8), cv2.IMREAD_COLOR) is not None
    kept, printed = json.loads(written["scores.json"]), json.loads(first.stdout)[0]
    assert {name: kept[name] for name in printed} == printed
    assert [each["name"] for each in kept["by_photo"]] == ["im1", "im2", "im3"]
    mean = np.mean([each["mae"] for each in kept["by_photo"]])
    assert mean == pytest.approx(kept["mae"]["value"])
    assert len(kept["curves"]["precision"]) == 256
    assert (again.returncode, again.stdout) == (1, "")
    assert "precision-recall.png" in again.stderr
    assert "--overwrite" in again.stderr
    assert replaced.returncode == 0, replaced.stderr
    assert json.loads((output / "scores.json").read_text("utf-8"))["size"] == "64"


def test_photos_of_one_class_give_scores_that_are_missing_not_invalid(
    focuskit: Run, cuhk: Path, tmp_path: Path
) -> None:
    # One mask tells the polarity; the photo that is drawn holds one class only.
    for name in ("im2", "im3"):
        cv2.imwrite(str(cuhk / "masks" / f"{name}.png"), np.zeros((80, 120), np.uint8))
    output = tmp_path / "results"
    limited = ("--limit", "1", "--seed", "0", "--output", output, "--format", "json")
    answer = focuskit("evaluate", "lbp", "cuhk", cuhk, *limited)

    record = json.loads(answer.stdout, parse_constant=pytest.fail)[0]
    assert record["empty_class"] == 1
    assert record["f_max"] == {"value": None, "low": None, "high": None}
    assert record["mae"]["value"] > 0
    json.loads((output / "scores.json").read_text("utf-8"), parse_constant=pytest.fail)


def test_a_part_of_another_set_is_remarked_on(focuskit: Run, cuhk: Path) -> None:
    answer = focuskit("evaluate", "lbp", "cuhk", cuhk, "--part", "training", "--format", "json")

    assert "parts are those of CUHK's 604 training photos, and these are 3" in answer.stderr
    assert json.loads(answer.stdout)[0]["part"] == "training"


def test_an_empty_part_is_refused(focuskit: Run, cuhk: Path) -> None:
    answer = focuskit("evaluate", "lbp", "cuhk", cuhk, "--part", "validation")

    assert (answer.returncode, answer.stdout) == (1, "")
    assert "no photo in the validation part" in answer.stderr


def test_photos_with_inverted_masks_can_be_left_out(focuskit: Run, cuhk: Path) -> None:
    for number in range(4, 12):
        for kind in ("photos", "masks"):
            source = cuhk / kind / f"im{1 + number % 3}.png"
            (cuhk / kind / f"im{number:02}.png").write_bytes(source.read_bytes())
    invert_mask(cuhk / "masks" / "im07.png")
    arguments = ("evaluate", "lbp", "cuhk", cuhk, "--format", "json")

    whole, less = focuskit(*arguments), focuskit(*arguments, "--leave-out-doubtful")

    assert "Masks that look inverted, used as they are: im07" in whole.stderr
    assert "Left out, because their masks look inverted: im07" in less.stderr
    before, after = (json.loads(answer.stdout)[0] for answer in (whole, less))
    assert (before["photos"], after["photos"]) == (11, 10)
    assert after["mae"]["value"] < before["mae"]["value"]


def test_mixed_polarity_is_refused(focuskit: Run, cuhk: Path) -> None:
    path = cuhk / "masks" / "im2.png"
    cv2.imwrite(str(path), 255 - cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))

    answer = focuskit("evaluate", "lbp", "cuhk", cuhk)

    assert (answer.returncode, answer.stdout) == (1, "")
    assert "mix both polarities" in answer.stderr
    assert "im2." in answer.stderr
    assert "Traceback" not in answer.stderr


def test_nothing_is_written_into_the_set(focuskit: Run, cuhk: Path) -> None:
    answer = focuskit("evaluate", "lbp", "cuhk", cuhk, "--output", cuhk / "results")

    assert answer.returncode == 1
    assert not (cuhk / "results").exists()


def test_without_matplotlib_scores_are_printed_and_pictures_refused(
    focuskit: Run, cuhk: Path, tmp_path: Path
) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "matplotlib.py").write_text("raise ImportError\n")
    hidden = {"PYTHONPATH": str(tmp_path / "hidden")}

    refused = focuskit("evaluate", "lbp", "cuhk", cuhk, "--output", tmp_path / "out", **hidden)

    assert focuskit("evaluate", "lbp", "cuhk", cuhk, **hidden).returncode == 0
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "pip install 'focuskit[train]'" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_size_that_is_none_is_a_usage_error(focuskit: Run, cuhk: Path) -> None:
    answer = focuskit("evaluate", "lbp", "cuhk", cuhk, "--size", "tiny")

    assert answer.returncode == 2
    assert "--size" in answer.stderr
