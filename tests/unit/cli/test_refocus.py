"""refocus on the command line: three ways to name a plane, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from focuskit.io import read_exif, read_photo
from tests.scenes import blurred, make_scene
from tests.unit.cli.conftest import Run, results_in

HEIGHT, WIDTH = 120, 160


@pytest.fixture
def photo(tmp_path: Path, save_jpeg: Callable[..., Path]) -> Path:
    """Sharp on the left, out of focus on the right."""
    scene = make_scene(HEIGHT, WIDTH, seed=3)
    scene[:, WIDTH // 2 :] = blurred(scene, 5.0)[:, WIDTH // 2 :]
    return save_jpeg("in/IMG_1.jpg", scene, folder=tmp_path)


@pytest.fixture
def coc(tmp_path: Path) -> Path:
    values = np.zeros((HEIGHT, WIDTH), np.uint16)
    values[:, WIDTH // 2 :] = 5 * 64
    path = tmp_path / "x-coc.png"
    cv2.imwrite(str(path), values)
    return path


def _detail(path: Path, columns: slice) -> float:
    return float(np.abs(np.diff(read_photo(path).rgb[15:-15, columns], axis=1)).mean())


@pytest.mark.parametrize(
    "options",
    [("--at", "120,60"), ("--at", "75%,50%"), ("--box", "60%,20%,95%,80%"), ("--plane-coc", "5")],
)
def test_the_plane_moves_and_the_confidence_is_written(
    focuskit: Run, tmp_path: Path, photo: Path, coc: Path, options: tuple[str, ...]
) -> None:
    out = tmp_path / "out"

    answer = focuskit("refocus", photo, "-o", out, "--coc", coc, *options, "-f", "json")

    assert answer.returncode == 0, answer.stderr
    made, told = out / "IMG_1-refocus.jpg", out / "IMG_1-refocus-confidence.png"
    assert results_in(out) == [told.name, made.name]
    (record,) = json.loads(answer.stdout)
    assert record["file"] == str(made)
    assert record["settings"][options[0].removeprefix("--").replace("-", "_")] in (5.0, options[1])
    assert record["changed_share"] > 0.5
    assert "came back with a confidence" in answer.stderr
    left, right = slice(10, WIDTH // 2 - 12), slice(WIDTH // 2 + 12, -10)
    assert _detail(made, left) < 0.7 * _detail(photo, left)
    assert _detail(made, right) > 1.1 * _detail(photo, right)
    assert read_exif(made).camera == "Maker Model"
    confidence = cv2.imread(str(told), cv2.IMREAD_UNCHANGED)
    assert (confidence.dtype, confidence.shape) == (np.uint16, (HEIGHT, WIDTH))
    assert confidence[40:80, 20:60].mean() > 0.8 * 65535


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--at", "30,60"), "is in focus already"),
        (("--at", "500,60"), "lies outside the photo"),
        (("--box", "0,0,999,50"), "lies outside the photo"),
        (("--plane-coc", "0.3"), "is in focus already"),
    ],
)
def test_places_that_cannot_be_are_told(
    focuskit: Run, tmp_path: Path, photo: Path, coc: Path, options: tuple[str, ...], words: str
) -> None:
    answer = focuskit("refocus", photo, "-o", tmp_path / "out", "--coc", coc, *options)

    assert answer.returncode == 3
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not results_in(tmp_path / "out")


@pytest.mark.parametrize(
    "options", [(), ("--at", "5,5", "--plane-coc", "4"), ("--at", "here"), ("--box", "1,2,3")]
)
def test_exactly_one_place_is_wanted(focuskit: Run, photo: Path, options: tuple[str, ...]) -> None:
    answer = focuskit("refocus", photo, *options)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "--at" in answer.stderr or "--box" in answer.stderr
