from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from focuskit.detect.motion import SPECTRUM_SHAPE, log_spectrum
from focuskit.detect.runtime import RUNTIME_VARIABLE, open_network
from focuskit.detect.weights import WEIGHTS_VARIABLE
from focuskit.errors import InputError
from focuskit.training import moving
from focuskit.training.example import Example
from focuskit.training.export import export
from focuskit.training.kinds import kind_of
from focuskit.training.loop import Run
from focuskit.training.moved_boxes import BOX_KINDS
from focuskit.training.moving import KIND, MotionTask, fresh_network
from focuskit.training.recipes import MotionRecipe
from tests.scenes import make_scene
from tests.unit.training._make import encoded, one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def _recipe(**changes: int) -> MotionRecipe:
    fields = {"steps": 3, "batch": 6, "size": 64, "warmup": 1, "width": 2, "boxes": 12}
    return MotionRecipe(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def photos() -> list[Example]:
    ones = np.ones((200, 200), np.float32)
    return [
        Example(encoded(make_scene(200, 200, seed)), ones, ones, ones * np.nan, "cuhk", str(seed))
        for seed in range(3)
    ]


@pytest.fixture(scope="module")
def task(photos: list[Example]) -> MotionTask:
    return MotionTask(_recipe(), {"cuhk": photos}, {})


def test_a_step_has_its_own_batch_whatever_came_before(
    photos: list[Example], task: MotionTask
) -> None:
    task.batch(0)
    later, anew = task.batch(7), MotionTask(_recipe(), {"cuhk": photos}, {}).batch(7)

    assert later.spectrum.shape == (6, 1, *SPECTRUM_SHAPE)
    assert torch.equal(later.spectrum, anew.spectrum)
    assert torch.equal(later.moved, anew.moved)
    assert not torch.equal(later.spectrum, task.batch(8).spectrum)


def test_a_mirrored_spectrum_is_that_of_the_mirrored_box() -> None:
    box = np.random.default_rng(0).random((64, 64), np.float32)

    mirrored = log_spectrum(np.ascontiguousarray(box[:, ::-1]))

    assert moving._mirrored(log_spectrum(box)) == pytest.approx(mirrored, abs=1e-3)


def test_what_is_held_back_is_not_learned_from(photos: list[Example], task: MotionTask) -> None:
    other = [Example(255 - photos[0].rgb, *_rest(photos[0])), *photos[1:]]
    changed = MotionTask(_recipe(), {"cuhk": other}, {})

    assert torch.equal(changed.batch(3).spectrum, task.batch(3).spectrum)


def _rest(example: Example) -> tuple[np.ndarray, np.ndarray, np.ndarray, str, str]:
    return example.in_focus, example.weight, example.coc_diameter_px, "cuhk", "other"


def test_it_learns_and_is_judged_by_kind(
    task: MotionTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_JUDGED", 3)
    recipe = task.recipe
    device = torch.device("cpu")
    start = fresh_network(recipe)
    trained = Run(recipe, task, tmp_path, device, say=lambda text: None).train(start)

    figures = task.validate(trained)

    assert set(figures) == {f"{kind}_right" for kind in BOX_KINDS} | {"sharp_called"}
    assert all(0 <= value <= 1 for value in figures.values())
    assert kind_of(recipe) is KIND


def test_loss_falls_where_the_answer_is_right(task: MotionTask) -> None:
    batch = task.batch(0)
    network = fresh_network(task.recipe).eval()
    rate = 1e-2
    optimiser = torch.optim.Adam(network.parameters(), rate)
    losses = []
    for _ in range(25):
        loss, terms = task.loss(network, batch, 0, torch.device("cpu"))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))

    assert losses[-1] < 0.5 * losses[0]
    assert 0 <= terms["right"] <= 1


def test_what_was_trained_runs_in_both_forms(
    task: MotionTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = fresh_network(task.recipe).eval()
    export(network, tmp_path, "motion", KIND.facts(network, task))
    spectrum = task.batch(0).spectrum
    with torch.inference_mode():
        wanted = network(spectrum)[:, 0].numpy()
    monkeypatch.setenv(WEIGHTS_VARIABLE, f"motion={tmp_path / 'motion.safetensors'}")
    monkeypatch.setenv(RUNTIME_VARIABLE, "torch")

    by_torch = open_network("motion")[0](spectrum.numpy())[0]

    import onnxruntime

    session = onnxruntime.InferenceSession(str(tmp_path / "motion.onnx"))
    (by_onnx,) = session.run(None, {"spectrum": spectrum.numpy()})
    assert by_torch == pytest.approx(wanted, abs=2e-2)
    assert by_onnx[:, 0] == pytest.approx(by_torch, abs=1e-4)


def test_photos_without_crisp_parts_are_refused(photos: list[Example]) -> None:
    flat = [Example(np.full_like(each.rgb, 90), *_rest(each)) for each in photos]

    with pytest.raises(InputError, match="too few crisp parts"):
        MotionTask(_recipe(), {"cuhk": flat}, {})
    with pytest.raises(InputError, match="no examples of cuhk"):
        MotionTask(_recipe(), {}, {})
