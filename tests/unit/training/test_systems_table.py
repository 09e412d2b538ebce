from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from focuskit.color import encode_srgb
from focuskit.detect import DETECTORS
from focuskit.detect.runtime import RUNTIME_VARIABLE
from focuskit.training.datasets import MaskedDataset, MaskedPhoto
from focuskit.training.systems_picture import draw_systems
from focuskit.training.systems_table import (
    PAPERS,
    SIDE,
    judge_systems,
    squashed,
    systems_markdown,
    time_system,
)
from tests.scenes import as_photo, blurred, make_scene


@pytest.fixture
def dataset(tmp_path: Path) -> MaskedDataset:
    """Two photos, sharp on the left."""
    items = []
    for seed in (1, 2):
        scene = make_scene(160, 240, seed=seed)
        scene[:, 120:] = blurred(scene, 8.0)[:, 120:]
        mask = np.zeros((160, 240), np.uint8)
        mask[:, :120] = 255
        photo, drawn = tmp_path / f"{seed}.png", tmp_path / f"{seed}-mask.png"
        cv2.imwrite(str(photo), (encode_srgb(scene) * 255).round().astype(np.uint8))
        cv2.imwrite(str(drawn), mask)
        items.append(MaskedPhoto(photo, drawn))
    return MaskedDataset(tuple(items), in_focus_is_white=True)


def test_rows_hold_the_scores_of_their_detector(dataset: MaskedDataset) -> None:
    scores = judge_systems(["lbp", "reblur"], dataset, dataset.items)
    photo = squashed(dataset.read(dataset.items[0])[0])
    rows = [time_system(name, photo, scores[name], repeats=1) for name in scores]

    assert (photo.height, photo.width) == (SIDE, SIDE)
    for row in rows:
        assert row.scores.photos == 2
        assert row.scores.auc.value > 0.7
        assert (row.parameters, row.torch_ms, row.onnx_ms) == (None, None, None)
    text = systems_markdown(rows, photos=2, threads=1, without_doubtful=False)
    assert "On the 2 held-back photos" in text
    for row in rows:
        assert f"| {row.name} | – | {row.scores.f_max.value:.3f}".replace("0.", ".") in text
    assert "not comparable" in text
    assert "| lbp | CUHK, 100 random | .917 | .154 |" in text
    assert "defusionnet" not in text


def test_a_network_is_timed_by_both_runtimes_and_the_choice_stays(
    dataset: MaskedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, "onnx")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    scores = judge_systems(["lbp"], dataset, dataset.items[:1])["lbp"]

    row = time_system("focusnet-quick", as_photo(make_scene(64, 64, 1)), scores, repeats=1)

    assert row.parameters
    assert row.torch_ms
    assert row.onnx_ms
    assert os.environ[RUNTIME_VARIABLE] == "onnx"


def test_the_picture_holds_six_scenes_and_a_row_for_each() -> None:
    textures = [np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)]

    one, two = (draw_systems(names, textures) for names in (["lbp"], ["lbp", "reblur"]))

    row = one.shape[0] // 3
    assert two.shape == (one.shape[0] + row, one.shape[1], 3)
    assert np.array_equal(two[: one.shape[0]], one)
    truth = one[row : 2 * row, -6 * row :]
    assert {0, 255} <= set(np.unique(truth).tolist())


def test_figures_of_papers_are_of_detectors_and_shares() -> None:
    for each in PAPERS:
        assert each.system in DETECTORS
        assert each.protocol
        for value in (each.f, each.mae, each.auc):
            assert value is None or 0 < value < 1
