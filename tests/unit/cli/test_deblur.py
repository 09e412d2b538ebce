"""focuskit deblur: its files, what they say, and photos without anything worth deblurring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.io import read_exif, read_photo
from tests.scenes import blurred, make_scene
from tests.unit.cli.conftest import Run, results_in

SaveJpeg = Callable[..., Path]
HEIGHT, WIDTH = 120, 160


@pytest.fixture
def photo(tmp_path: Path, save_jpeg: SaveJpeg) -> Path:
    """Out of focus throughout, by more on the right."""
    scene = make_scene(HEIGHT, WIDTH, seed=3)
    light = blurred(scene, 3.0)
    light[:, WIDTH // 2 :] = blurred(scene, 6.0)[:, WIDTH // 2 :]
    return save_jpeg("in/IMG_1.jpg", light, folder=tmp_path)


def _coc(path: Path, left_px: float, right_px: float) -> Path:
    values = np.full((HEIGHT, WIDTH), left_px * 64, np.uint16)
    values[:, WIDTH // 2 :] = right_px * 64
    cv2.imwrite(str(path), values)
    return path


def _labels(path: Path) -> NDArray[np.uint16]:
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert labels.dtype == np.uint16
    return np.asarray(labels, np.uint16)


def test_regions_are_written_as_masks_and_said(focuskit: Run, tmp_path: Path, photo: Path) -> None:
    out = tmp_path / "out"
    coc = _coc(tmp_path / "x-coc.png", 3.0, 6.0)

    answer = focuskit("deblur", photo, "-o", out, "--coc", coc, "-f", "json")

    assert answer.returncode == 0, answer.stderr
    assert results_in(out) == ["IMG_1-deblur-regions.json", "IMG_1-deblur-regions.png"]
    (record,) = json.loads(answer.stdout)
    assert record["operation"] == "deblur"
    assert record["settings"] == {"apply": False, "background": False}
    said = json.loads((out / "IMG_1-deblur-regions.json").read_text(encoding="utf-8"))
    labels = _labels(out / "IMG_1-deblur-regions.png")
    assert (said["width"], said["height"]) == (WIDTH, HEIGHT)
    assert {region["label"] for region in said["regions"]} == set(np.unique(labels)) - {0}
    assert len(said["regions"]) == 2
    for region in said["regions"]:
        own = np.argwhere(labels == region["label"])
        box = region["box"]
        assert region["area_px"] == len(own)
        assert (box["y"], box["x"]) == tuple(own.min(axis=0))
        assert (box["height"], box["width"]) == tuple(own.max(axis=0) - own.min(axis=0) + 1)
        low, high = region["sigma_interval_px"]
        assert low <= region["sigma_px"] <= high
        assert region["psf"]["kind"] == "disc"
        assert region["psf"]["coc_diameter_px"] == pytest.approx(4 * region["sigma_px"], abs=0.02)
        assert region["expected_gain_db"] >= 1
        assert region["reason"] == "worth"
        assert region["sentence"].endswith(".")


def test_apply_also_writes_the_restored_photo(focuskit: Run, tmp_path: Path, photo: Path) -> None:
    out, coc = tmp_path / "out", _coc(tmp_path / "x-coc.png", 0.0, 6.0)
    options = ("--apply", "--background", "--as", "png", "--compare")

    answer = focuskit("deblur", photo, "-o", out, "--coc", coc, *options, "-f", "json")

    assert answer.returncode == 0, answer.stderr
    assert results_in(out) == [
        "IMG_1-deblur-compare.jpg",
        "IMG_1-deblur-regions.json",
        "IMG_1-deblur-regions.png",
        "IMG_1-deblur.png",
    ]
    (record,) = json.loads(answer.stdout)
    assert 0.3 < record["changed_share"] < 0.6
    before, after = read_photo(photo), read_photo(out / "IMG_1-deblur.png")
    outside = _labels(out / "IMG_1-deblur-regions.png") == 0
    # 16 bits hold what 8 bits held.
    assert np.abs(after.rgb[outside] - before.rgb[outside]).max() < 1e-4
    inner = np.s_[20:-20, WIDTH // 2 + 20 : -20]
    detail = [float(np.abs(np.diff(each.rgb[inner], axis=1)).mean()) for each in (before, after)]
    assert detail[1] > 1.15 * detail[0]
    assert read_exif(out / "IMG_1-deblur.png").camera == "Maker Model"


def test_nothing_worth_it_is_said_and_still_written_down(
    focuskit: Run, tmp_path: Path, photo: Path
) -> None:
    out, coc = tmp_path / "out", _coc(tmp_path / "x-coc.png", 0.0, 30.0)

    answer = focuskit("deblur", photo, "-o", out, "--coc", coc)

    assert answer.returncode == 0
    assert "No region is worth deblurring" in " ".join(answer.stderr.split())
    said = json.loads((out / "IMG_1-deblur-regions.json").read_text(encoding="utf-8"))
    assert said["regions"] == []
    assert {region["reason"] for region in said["left_out"]} == {"sharp", "background"}
    assert "No region is worth deblurring" in said["notes"][0]
    assert not _labels(out / "IMG_1-deblur-regions.png").any()


def test_no_photo_is_written_where_nothing_is_worth_it(
    focuskit: Run, tmp_path: Path, photo: Path
) -> None:
    out, coc = tmp_path / "out", _coc(tmp_path / "x-coc.png", 0.0, 30.0)

    answer = focuskit(
        "deblur", photo, "-o", out, "--coc", coc, "--apply", "--compare", "-f", "json"
    )

    assert answer.returncode == 0
    assert results_in(out) == ["IMG_1-deblur-regions.json", "IMG_1-deblur-regions.png"]
    (record,) = json.loads(answer.stdout)
    assert sorted(Path(each).name for each in record["files"]) == results_in(out)
    assert record["changed_share"] == 0
    assert any("No photo was written" in note for note in record["notes"])


def test_a_comparison_needs_something_to_compare(focuskit: Run, photo: Path) -> None:
    answer = focuskit("deblur", photo, "--compare")

    assert answer.returncode == 2
    assert "--apply" in answer.stderr
