"""What is refused before training starts; whole runs are in tests/unit/cli/test_train.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from focuskit.errors import InputError
from focuskit.training import sources
from focuskit.training.recipe import Recipe
from focuskit.training.recipes import GaugeRecipe
from focuskit.training.train import train_recipe
from tests.unit.training._make import (
    few_renderings,
    one_thread,
    tiny_gauge_recipe,
    tiny_recipe,
    write_data_root,
)


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in few_renderings().items():
        monkeypatch.setattr(sources, name, value)
    with one_thread():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data_root(tmp_path / "data")


def _refusal(
    recipe: Recipe, data: Path, *, start: Path | None = None, backbone: Path | None = None
) -> str:
    output = data.parent / "run"
    with pytest.raises(InputError) as caught:
        train_recipe(
            recipe,
            data=data,
            output=output,
            cache=data.parent / "cache",
            start=start,
            backbone=backbone,
            device="cpu",
            every=1,
            say=str,
        )
    assert not (output / "checkpoint.pt").exists()
    assert not (output / "log.jsonl").exists()
    return str(caught.value)


def test_fewer_photos_than_a_batch(data: Path) -> None:
    recipe = tiny_recipe(cuhk=1.0, scenes=0.0, batch=40)

    assert "examples for batches of 40; give more photos, or set batch" in _refusal(recipe, data)


def test_masks_that_are_missing(data: Path) -> None:
    (data / "cuhk-dbd" / "masks" / "out_of_focus0003.png").unlink()

    said = _refusal(tiny_recipe(), data)

    assert "1 of 8 photos have no mask of the same name" in said
    assert "out_of_focus0003" in said


def test_masks_that_are_inverted(data: Path) -> None:
    for number in (2, 5):
        path = data / "cuhk-dbd" / "masks" / f"out_of_focus{number:04}.png"
        cv2.imwrite(str(path), 255 - cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))

    said = _refusal(tiny_recipe(), data)

    assert "mix both polarities" in said
    assert "out_of_focus0002, out_of_focus0005" in said


def test_a_pool_that_is_empty(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "read_pairs", lambda folder: [])

    assert "no examples of pairs; give the data or set" in _refusal(tiny_recipe(pairs=0.1), data)


def test_a_whole_network_and_a_backbone_to_start_from(data: Path) -> None:
    said = _refusal(tiny_recipe(), data, start=Path("a.safetensors"), backbone=Path("b.npz"))

    assert said == "a.safetensors holds the whole network, b.npz its backbone: start from one."


def test_a_backbone_where_there_is_none(data: Path) -> None:
    recipe: GaugeRecipe = tiny_gauge_recipe()

    assert "tiny has no backbone" in _refusal(recipe, data, backbone=Path("b.npz"))
