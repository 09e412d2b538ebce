"""bench misfocus, coc, map and edits."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from focuskit.training.trials import BASELINES
from tests.scenes import SAMPLES
from tests.unit.cli.conftest import Run

SHARP = [SAMPLES / name for name in ("IMG_0001.jpg", "IMG_0011.jpg", "IMG_0020.jpg")]


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A folder with one sharp photo, a damaged and a tiny one."""
    folder = tmp_path / "faulty"
    folder.mkdir()
    shutil.copy(SHARP[1], folder / "good.jpg")
    (folder / "damaged.jpg").write_bytes(SHARP[0].read_bytes()[:400])
    cv2.imwrite(str(folder / "tiny.jpg"), np.zeros((30, 40, 3), np.uint8))
    return folder


def test_misfocused_frames_are_counted(focuskit: Run) -> None:
    options = ("--detector", "reblur", "--coc-px", "48", "--coc-px", "24", "--format", "json")
    answer = focuskit("bench", "misfocus", *SHARP, *options)

    assert answer.returncode == 0, answer.stderr
    rows = json.loads(answer.stdout)
    assert [(row["method"], row["coc_px"]) for row in rows] == [
        (name, coc_px) for name in ("reblur", *BASELINES) for coc_px in (24, 48)
    ]
    for row in rows:
        assert row["photos"] == 3
        assert row["sharp_called"] == 0
    assert rows[1]["misfocused_called"] == 1
    assert rows[1]["threshold"] == 0.01
    assert "chosen on these sharp frames, of which they call at most 2 % (0 of 3)" in answer.stderr
    assert "Small photos" not in answer.stderr


def test_the_same_seed_gives_the_same_table(focuskit: Run) -> None:
    arguments = ("bench", "misfocus", SHARP[0], "-d", "lbp", "--coc-px", "6", "--camera", "0.5")
    first, again = focuskit(*arguments), focuskit(*arguments)
    other = focuskit(*arguments, "--seed", "1")

    lines = first.stdout.splitlines()
    assert lines[0].split() == [
        *("method", "coc_px", "misfocused_called", "sharp_called", "threshold", "photos")
    ]
    assert len(lines) == 4
    assert first.stdout == again.stdout != other.stdout


def test_photos_that_cannot_be_used_are_listed_and_the_rest_done(
    focuskit: Run, faulty: Path
) -> None:
    answer = focuskit("bench", "misfocus", faulty, "-d", "lbp", "--coc-px", "24", "-f", "jsonl")

    assert answer.returncode == 3
    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    assert {row["photos"] for row in rows} == {1}
    assert "damaged.jpg: " in answer.stderr
    assert "tiny.jpg: The photo is 40 px long" in answer.stderr
    assert "good.jpg" not in answer.stderr


def test_small_photos_are_remarked_on(focuskit: Run) -> None:
    answer = focuskit("bench", "misfocus", SHARP[2], "-d", "lbp", "--coc-px", "5")

    assert answer.returncode == 0, answer.stderr
    assert "Small photos: the least blur drawn is 1.6 px" in answer.stderr


def test_without_a_usable_photo_there_are_no_figures(focuskit: Run, faulty: Path) -> None:
    (faulty / "good.jpg").unlink()
    for command in ("misfocus", "coc"):
        answer = focuskit("bench", command, faulty, "--detector", "lbp")

        assert (answer.returncode, answer.stdout) == (1, "")
        assert "damaged.jpg: " in answer.stderr
        assert "Traceback" not in answer.stderr
    assert "No crisp piece" in answer.stderr


@pytest.mark.parametrize("command", ["misfocus", "coc"])
def test_what_is_asked_wrongly_is_told(focuskit: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "empty").mkdir()

    empty = focuskit("bench", command, tmp_path / "empty", "--detector", "lbp")
    unknown = focuskit("bench", command, SAMPLES, "--detector", "lpb")
    missing = focuskit("bench", command, tmp_path / "nowhere", "--detector", "lbp")

    assert (empty.returncode, empty.stdout) == (4, "")
    assert "No photos in" in empty.stderr
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "did you mean lbp?" in unknown.stderr
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "does not exist" in missing.stderr


def test_a_circle_out_of_range_is_a_usage_error(focuskit: Run) -> None:
    answer = focuskit("bench", "misfocus", SAMPLES, "--coc-px", "0.5")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "--coc-px" in answer.stderr


def test_circles_of_confusion_are_compared_on_scenes(focuskit: Run, faulty: Path) -> None:
    options = ("-d", "lbp", "-d", "reblur", "--scenes", "1", "--seed", "3", "--format", "csv")
    answer = focuskit("bench", "coc", faulty, *options)
    again = focuskit("bench", "coc", faulty, *options)

    assert answer.returncode == 3
    assert "damaged.jpg: " in answer.stderr
    assert "Rendering 1 scenes" in answer.stderr
    assert answer.stdout == again.stdout
    rows = list(csv.DictReader(io.StringIO(answer.stdout)))
    ranges = ["2-4", "4-8", "8-16", "16-20", "2-20"]
    assert [(row["detector"], row["coc_px"]) for row in rows] == [
        (name, each) for name in ("lbp", "reblur") for each in ranges
    ]
    for row in rows[4], rows[9]:
        assert int(row["pixels"]) > 0
        assert 0 <= float(row["q1"]) <= float(row["median"]) <= float(row["q3"])
        assert 0 <= float(row["confident_share"]) <= 1


def test_masks_say_where_textures_are_taken(focuskit: Run, tmp_path: Path) -> None:
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    photos.mkdir()
    masks.mkdir()
    for path in SHARP[:2]:
        picture = cv2.imread(str(path))
        half = picture.shape[1] // 2
        picture[:, half:] = cv2.GaussianBlur(picture, (0, 0), 4)[:, half:]
        cv2.imwrite(str(photos / path.name), picture)
        mask = np.zeros(picture.shape[:2], np.uint8)
        mask[:, half:] = 255
        cv2.imwrite(str(masks / f"{path.stem}.png"), mask)
    shutil.copy(SHARP[2], photos)
    arguments = ("bench", "coc", photos, "-d", "lbp", "--scenes", "1", "--masks")

    answer = focuskit(*arguments, masks)
    wrong = focuskit(*arguments, tmp_path / "nowhere")

    assert answer.returncode == 3, answer.stderr
    assert f"{SHARP[2].name}: The photo has no mask of the same name" in answer.stderr
    assert "of 2 photos" in answer.stderr
    assert len(answer.stdout.splitlines()) == 6
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "is not a folder" in wrong.stderr


def test_a_map_is_timed_against_decoding(focuskit: Run) -> None:
    options = ("-d", "lbp", "--size", "48", "--repeats", "1", "--format", "json")
    answer = focuskit("bench", "map", *options)

    assert answer.returncode == 0, answer.stderr
    assert "24 MP JPEG of 8." in answer.stderr
    decoding, mapping = json.loads(answer.stdout)
    assert (decoding["what"], mapping["what"]) == ("cv2.imdecode", "map by lbp")
    assert 8 < decoding["jpeg_mb"] == mapping["jpeg_mb"] < 10
    assert (mapping["size_px"], mapping["repeats"]) == (48, 1)
    assert 0 < mapping["ratio_of_minima"] < 1
    assert decoding["ratio_of_minima"] == 1


def test_edits_are_judged_on_drawn_scenes(focuskit: Run) -> None:
    options = (
        "--what",
        "bokeh",
        "--scenes",
        "1",
        "--set",
        "development",
        "--no-gegl",
        "--no-blind",
    )
    means = focuskit("bench", "edits", *options, "--format", "json")
    each = focuskit("bench", "edits", *options, "--each")

    assert means.returncode == 0, means.stderr
    assert "No DATA" in means.stderr
    (row,) = json.loads(means.stdout)
    assert (row["edit"], row["scenes"], row["above"]) == ("bokeh", 1, "1/1")
    assert row["psnr"] > row["gaussian_psnr"] > row["nothing_psnr"]
    assert row["band_psnr"] > row["gaussian_band_psnr"]
    assert 0 < row["nothing_ssim"] < row["ssim"] <= 1
    header, *lines = each.stdout.splitlines()
    assert header.split()[:4] == ["edit", "scene", "psnr", "ssim"]
    assert "ssim" not in header.split()[4:]
    assert [line.split()[:2] for line in lines] == [["bokeh", "drawn-00"]]


def test_edits_that_need_real_photos_say_so(focuskit: Run, tmp_path: Path) -> None:
    (tmp_path / "sharp").mkdir()

    none = focuskit("bench", "edits", "--what", "refocus")
    empty = focuskit("bench", "edits", tmp_path, "--what", "magnify", "--scenes", "1")

    for answer, message in ((none, "give their folder as DATA"), (empty, "holds 0 photos (.jpg)")):
        assert (answer.returncode, answer.stdout) == (1, "")
        assert message in answer.stderr
        assert "Traceback" not in answer.stderr
