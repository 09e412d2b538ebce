from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from focuskit.errors import InputError
from focuskit.training.example import Pools
from focuskit.training.focusing import FocusTask, fresh_network, initialise
from focuskit.training.recipes import FocusRecipe
from tests.unit.training._make import (
    half_sharp_example,
    one_thread,
    tiny_recipe,
    write_encoder,
)

ENCODER = Path("init") / "mobilenet_v2_imagenet.npz"
CPU = torch.device("cpu")
POOLS: Pools = {
    "cuhk": [half_sharp_example(seed) for seed in range(3)],
    "scenes": [half_sharp_example(seed, "scene") for seed in range(3)],
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def test_every_step_draws_anew_and_the_same_whenever_it_is_asked() -> None:
    task, again = (FocusTask(tiny_recipe(), POOLS, {}) for _ in range(2))

    batches = [task.batch(step) for step in range(8)]

    assert [batch.rgb.shape[0] for batch in batches] == [2, 1] * 4
    for step, batch in enumerate(batches):
        others = [other for other in batches if other.rgb.shape == batch.rgb.shape]
        assert sum(torch.equal(batch.rgb, other.rgb) for other in others) == 1
        assert torch.equal(batch.rgb, again.batch(step).rgb)
        assert batch.rgb.min() >= 0
        assert batch.rgb.max() <= 1


def test_a_kind_of_data_that_is_missing_is_refused() -> None:
    recipe = tiny_recipe(pairs=0.1, whole=0.1)

    with pytest.raises(InputError, match=r"no examples of pairs, whole; .*set that share to 0"):
        FocusTask(recipe, {**POOLS, "whole": []}, {})


def test_shares_decide_what_is_seen() -> None:
    """A pool without a share is never touched, nor needed."""
    recipe = tiny_recipe(cuhk=0.0, scenes=1.0)
    pools: Pools = {"cuhk": [None], "scenes": POOLS["scenes"]}  # type: ignore[list-item]

    batch = FocusTask(recipe, pools, {}).batch(0)
    other = FocusTask(recipe, {"scenes": POOLS["scenes"]}, {}).batch(0)

    assert torch.equal(batch.rgb, other.rgb)
    assert torch.isfinite(batch.log_coc).all()


def test_patches_fit_into_small_views() -> None:
    recipe = tiny_recipe(size=32, swap=1.0)
    task, network = FocusTask(recipe, POOLS, {}), fresh_network(recipe)

    for step in range(3):
        loss, terms = task.loss(network, task.batch(step), step, CPU)
        assert math.isfinite(float(loss.detach()))
        assert terms["consistency"] >= 0


def test_the_encoder_learns_more_slowly_and_no_parameter_is_left_out() -> None:
    recipe = tiny_recipe(encoder_share=0.25)
    network = fresh_network(recipe)

    (encoder, slow), (rest, full) = FocusTask(recipe, POOLS, {}).groups(network)

    assert (slow, full) == (0.25, 1.0)
    assert {id(p) for p in encoder} == {id(p) for p in network.encoder.parameters()}
    assert {id(p) for p in (*encoder, *rest)} == {id(p) for p in network.parameters()}
    assert len(encoder) + len(rest) == len(list(network.parameters()))


def test_validation_judges_what_was_held_back() -> None:
    recipe = tiny_recipe()
    held = {"cuhk": [half_sharp_example(9)], "scenes": [half_sharp_example(9, "scene")]}

    figures = FocusTask(recipe, POOLS, held).validate(fresh_network(recipe).eval())

    assert {"f_max", "mae", "coc_error"} <= set(figures)


def test_the_encoder_is_filled_from_an_archive_and_the_rest_by_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "encoder.npz"
    write_encoder(path)
    recipe = FocusRecipe(width=8)

    one, same, other = (initialise(r, path) for r in (recipe, recipe, FocusRecipe(width=8, seed=1)))

    with np.load(path) as archive:
        for index, layer in enumerate(one.encoder.convolutions()):
            assert np.array_equal(layer.weight.detach().numpy(), archive[f"conv{index:02}.weight"])
    for name, values in one.state_dict().items():
        assert torch.equal(values, same.state_dict()[name])
        if name.startswith("encoder"):
            assert torch.equal(values, other.state_dict()[name])
    assert not torch.equal(one.head.weight, other.head.weight)


@pytest.mark.parametrize(
    "kind",
    ["missing", "empty", "no archive", "cut", "one array", "a layer less", "shape", "scalar"],
)
def test_a_wrong_archive_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "encoder.npz"
    write_encoder(path)
    whole = path.read_bytes()
    with np.load(path) as archive:
        arrays = dict(archive)
    if kind == "missing":
        path.unlink()
    elif kind == "one array":
        with path.open("wb") as file:
            np.save(file, arrays["conv00.weight"])
    elif kind in ("empty", "no archive", "cut"):
        data = {"empty": b"", "no archive": b"words" * 99, "cut": whole[: len(whole) // 2]}
        path.write_bytes(data[kind])
    else:
        if kind == "a layer less":
            del arrays["conv30.weight"]
        else:
            # Either would be spread over the whole layer when copied.
            shape = (1, 1, 1, 1) if kind == "shape" else ()
            arrays["conv30.weight"] = np.zeros(shape, np.float32)
        np.savez(path, **arrays)

    with pytest.raises(InputError, match=r"encoder\.npz does not hold the encoder .*conv00\.bias"):
        initialise(FocusRecipe(width=8), path)


def test_the_encoder_of_imagenet_fits_and_sees(shared_data: Path) -> None:
    path = shared_data / ENCODER
    if not path.is_file():
        pytest.skip("no encoder of ImageNet beside the checkout (../shared/data/init)")

    encoder = initialise(FocusRecipe(), path).encoder
    with torch.inference_mode():
        taps = encoder(2 * torch.rand((1, 3, 96, 96)) - 1)

    with np.load(path) as archive:
        weights = sorted(name for name in archive.files if name.endswith(".weight"))
        convolutions = [name for name in weights if name.startswith("conv")]
        assert convolutions == [f"conv{index:02}.weight" for index in range(52)]
        assert len(encoder.convolutions()) == 51
        assert archive["conv51.weight"].shape[:2] == (1280, 320)
    for tap in taps:
        assert torch.isfinite(tap).all()
        assert tap.std() > 1e-3
