from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from focuskit.color import encode_srgb
from focuskit.training.datasets import find_dataset, validation_split
from tests.scenes import SAMPLES, blurred, invert_mask, make_scene
from tests.unit.cli.conftest import Run


def _data(folder: Path, photos: int) -> Path:
    for kind in ("photos", "masks"):
        (folder / "cuhk-dbd" / kind).mkdir(parents=True)
    white = np.zeros((80, 120), np.uint8)
    white[:, 60:] = 255
    for seed in range(photos):
        scene = make_scene(80, 120, seed=seed)
        scene[:, 60:] = blurred(scene, 8.0)[:, 60:]
        pixels = (encode_srgb(scene) * 255).round().astype(np.uint8)
        cv2.imwrite(str(folder / "cuhk-dbd" / "photos" / f"im{seed}.png"), pixels)
        cv2.imwrite(str(folder / "cuhk-dbd" / "masks" / f"im{seed}.png"), white)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return _data(tmp_path / "data", 12)


def test_table_markdown_and_picture_come_from_one_command(
    focuskit: Run, data: Path, tmp_path: Path
) -> None:
    markdown, picture = tmp_path / "table.md", tmp_path / "systems.png"
    arguments = ("bench", "systems", data, "-d", "lbp", "--markdown", markdown, "--repeats", "1")
    drawn = ("--pictures", picture, "--samples", SAMPLES, "--format", "json")
    answer = focuskit(*arguments, *drawn)
    again = focuskit(*arguments)

    assert answer.returncode == 0, answer.stderr
    (row,) = json.loads(answer.stdout)
    assert row["system"] == "lbp"
    assert row["auc"] > 0.7
    score = f"{row['f_max']:.3f}".removeprefix("0")
    assert f"| lbp | – | {score} |" in markdown.read_text("utf-8")
    assert cv2.imread(str(picture)).shape[1] > 6 * 100
    assert again.returncode == 1
    assert "--overwrite" in again.stderr


def test_photos_with_inverted_masks_can_be_left_out(focuskit: Run, tmp_path: Path) -> None:
    data = _data(tmp_path / "data", 24)
    held, _ = validation_split(find_dataset("cuhk", data / "cuhk-dbd").items)
    mask = data / "cuhk-dbd" / "masks" / held[0].mask.name
    invert_mask(mask)
    markdown = tmp_path / "table.md"
    bench = ("bench", "systems", data, "-d", "lbp", "--repeats", "1", "--format", "json")

    whole = focuskit(*bench)
    less = focuskit(*bench, "--leave-out-doubtful", "--markdown", markdown)

    assert less.returncode == 0, less.stderr
    assert f"Masks that look inverted, used as they are: {mask.stem}" in whole.stderr
    before, after = (json.loads(answer.stdout)[0]["mae"] for answer in (whole, less))
    assert after < before
    assert f"{len(held) - 1} held-back photos of CUHK whose masks" in markdown.read_text("utf-8")


def test_what_cannot_be_judged_is_refused(focuskit: Run, data: Path, tmp_path: Path) -> None:
    few = focuskit("bench", "systems", _data(tmp_path / "few", 3), "-d", "lbp")
    nowhere = ("--pictures", tmp_path / "x.png", "--samples", tmp_path / "nowhere")
    bare = focuskit("bench", "systems", data, "-d", "lbp", *nowhere)

    assert few.returncode == 1
    assert "none is held back" in few.stderr
    assert bare.returncode == 1
    assert "--samples" in bare.stderr
