from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from focuskit.detect.backbones import Vgg16
from focuskit.detect.systems.defusionnet import DeFusionConfig, DeFusionNet, DeFusionOutputs
from focuskit.errors import InputError
from focuskit.training.example import Pools
from focuskit.training.export import export
from focuskit.training.losses import Batch
from focuskit.training.system_recipes import DefusionRecipe
from focuskit.training.systems.defusionnet import KIND, DefusionTask, deep_supervision
from tests.unit.training._make import half_sharp_example, one_thread, write_encoder

CPU = torch.device("cpu")
POOLS: Pools = {"cuhk": [half_sharp_example(seed) for seed in range(3)]}
ONLY_CUHK: dict[str, Any] = {"cuhk": 1.0, "pairs": 0.0, "sweeps": 0.0, "scenes": 0.0}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def _recipe(**changes: Any) -> DefusionRecipe:
    return DefusionRecipe(**{"batch": 2, "size": 64, **ONLY_CUHK, **changes})


def _batch(in_focus: Tensor, weight: Tensor) -> Batch:
    count, _, height, width = in_focus.shape
    unknown = torch.full_like(in_focus, math.nan)
    return Batch(torch.zeros((count, 3, height, width)), in_focus, weight, unknown)


def _halves(size: int = 32) -> Tensor:
    truth = torch.zeros((2, 1, size, size))
    truth[..., : size // 2] = 1
    return truth


def _outputs(logits: Tensor, steps: int = 3) -> DeFusionOutputs:
    return DeFusionOutputs(logits, logits.expand(-1, 6 * steps, -1, -1))


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_one_map_and_six_of_every_step_are_judged_alike(steps: int) -> None:
    truth = _halves()

    loss, terms = deep_supervision(
        _outputs(torch.zeros((2, 1, 8, 8)), steps), _batch(truth, torch.ones_like(truth)), 0
    )

    assert float(loss) == pytest.approx((1 + 6 * steps) * math.log(2), rel=1e-5)
    assert terms["fused"] == pytest.approx(math.log(2), rel=1e-5)
    assert terms["side"] == pytest.approx(math.log(2), rel=1e-5)


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_the_overlap_of_the_map_that_ships_counts_as_much_per_map(weight: float) -> None:
    truth = _halves()
    outputs, batch = _outputs(torch.zeros((2, 1, 8, 8))), _batch(truth, torch.ones_like(truth))

    plain, terms = deep_supervision(outputs, batch, 0)
    with_it, _ = deep_supervision(outputs, batch, weight)

    # Of a map that is a half everywhere, each class is met by a third.
    assert terms["overlap"] == pytest.approx(1 - 1 / 3, rel=1e-4)
    assert float(with_it - plain) == pytest.approx(19 * weight * terms["overlap"], rel=1e-5)


def test_every_single_map_counts() -> None:
    batch = _batch(_halves(), torch.ones((2, 1, 32, 32)))
    side = torch.zeros((2, 18, 8, 8), requires_grad=True)
    fused = torch.zeros((2, 1, 8, 8), requires_grad=True)

    deep_supervision(DeFusionOutputs(fused, side), batch, 0)[0].backward()  # type: ignore[no-untyped-call]

    assert side.grad is not None
    assert fused.grad is not None
    per_map = side.grad.abs().sum((0, 2, 3))
    assert torch.allclose(per_map, per_map[:1].expand(18))
    assert float(per_map[0]) == pytest.approx(float(fused.grad.abs().sum()), rel=0.2)


def test_in_focus_is_1() -> None:
    truth = _halves()
    batch = _batch(truth, torch.ones_like(truth))
    right = (2 * truth - 1) * 12

    good, bad = (float(deep_supervision(_outputs(x), batch, 0)[0]) for x in (right, -right))

    assert good < 1e-3
    assert bad == pytest.approx(19 * 12, rel=1e-3)


def test_where_the_weight_is_0_nothing_is_judged() -> None:
    truth = _halves()
    weight = torch.ones_like(truth)
    weight[..., :8, :] = 0
    logits = torch.zeros((2, 1, 32, 32))
    wild = logits.clone()
    wild[..., :8, :] = 50
    flipped = truth.clone()
    flipped[..., :8, :] = 1 - flipped[..., :8, :]

    calm = deep_supervision(_outputs(logits), _batch(truth, weight), 0)[0]

    assert torch.allclose(deep_supervision(_outputs(wild), _batch(truth, weight), 0)[0], calm)
    assert torch.allclose(deep_supervision(_outputs(logits), _batch(flipped, weight), 0)[0], calm)


def test_hard_regions_count_twice() -> None:
    truth = _halves()
    hard = torch.ones_like(truth)
    hard[..., :16] = 2
    logits = torch.full((2, 1, 32, 32), -2.0)
    wrong, right = math.log1p(math.exp(2)), math.log1p(math.exp(-2))

    loss = deep_supervision(_outputs(logits), _batch(truth, hard), 0)[0]

    assert float(loss) == pytest.approx(19 * (2 * wrong + right) / 3, rel=1e-4)


@pytest.mark.parametrize(
    "switches",
    [{}, {"ffrm": False}, {"cam": False}, {"fam": False}, {"steps_recurrent": 1}],
    ids=str,
)
def test_the_switches_are_the_networks_and_everything_in_it_learns(
    switches: dict[str, Any],
) -> None:
    recipe = _recipe(**switches)
    network = KIND.fresh(recipe).train()
    task = DefusionTask(recipe, POOLS, {})

    loss, terms = task.loss(network, task.batch(0), 0, CPU)
    loss.backward()  # type: ignore[no-untyped-call]

    config = DeFusionConfig(
        steps=recipe.steps_recurrent, ffrm=recipe.ffrm, cam=recipe.cam, fam=recipe.fam
    )
    assert network.config == config
    assert all(p.grad is not None for p in network.parameters())
    assert all(math.isfinite(term) for term in terms.values())


def test_it_learns_which_half_is_sharp() -> None:
    recipe = _recipe(size=32)
    task = DefusionTask(recipe, POOLS, {})
    network = KIND.fresh(recipe).train()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    batch = task.batch(0)
    losses = []

    for step in range(12):
        loss, _ = task.loss(network, batch, step, CPU)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 3)
        optimiser.step()
        losses.append(float(loss.detach()))

    assert losses[-1] < 0.85 * losses[0]


def test_the_backbone_learns_more_slowly_and_no_parameter_is_left_out() -> None:
    recipe = _recipe(encoder_share=0.25)
    network = KIND.fresh(recipe)

    (backbone, slow), (rest, full) = DefusionTask(recipe, POOLS, {}).groups(network)

    assert (slow, full) == (0.25, 1.0)
    assert {id(p) for p in backbone} == {id(p) for p in network.backbone.parameters()}
    assert len(backbone) + len(rest) == len(list(network.parameters()))


def test_it_starts_from_the_encoder_of_imagenet(tmp_path: Path) -> None:
    path = tmp_path / "init" / "mobilenet_v2_imagenet.npz"
    write_encoder(path)

    one, same, other = (KIND.initial(_recipe(seed=seed), tmp_path, None) for seed in (0, 0, 1))
    given = KIND.initial(_recipe(), tmp_path / "nowhere", path)

    with np.load(path) as archive:
        stem = archive["conv00.weight"]
    assert np.array_equal(one.backbone.stem.weight.detach().numpy(), stem)
    for name, values in one.state_dict().items():
        assert torch.equal(values, same.state_dict()[name])
        assert torch.equal(values, given.state_dict()[name])
        if name.startswith("backbone"):
            assert torch.equal(values, other.state_dict()[name])
    assert not torch.equal(one.stem.weight, other.stem.weight)
    with pytest.raises(InputError, match="does not hold the encoder to start from"):
        KIND.initial(_recipe(), tmp_path / "nowhere", None)


def test_the_full_network_starts_from_a_users_file_or_at_random(tmp_path: Path) -> None:
    recipe = _recipe(configuration="full")
    torch.manual_seed(5)
    given = Vgg16().state_dict()
    torch.save(given, tmp_path / "vgg16.pth")

    network = KIND.initial(recipe, tmp_path, tmp_path / "vgg16.pth")

    assert network.config.size == "full"
    for name, values in network.backbone.state_dict().items():
        assert torch.equal(values, given[name])
    assert KIND.origin(recipe) == "random weights"
    assert KIND.origin(_recipe()) == "ImageNet encoder"


def test_what_is_written_gives_the_same_map_in_onnx(tmp_path: Path) -> None:
    network = KIND.fresh(_recipe()).eval()
    for name, parameter in network.named_parameters():
        if name.startswith(("scores", "fusion")):
            torch.nn.init.normal_(parameter, std=0.3)
    facts = KIND.facts(network, DefusionTask(_recipe(), POOLS, {}))

    export(network, tmp_path, "tiny", facts)

    assert facts == {"network": asdict(network.config)}
    assert DeFusionNet.from_facts(facts["network"]).config == network.config
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(tmp_path / "tiny.onnx"), options, providers=["CPUExecutionProvider"]
    )
    for count, height, width in ((1, 64, 64), (2, 32, 96)):
        picture = np.random.default_rng(0).random((count, 3, height, width), np.float32)
        with torch.inference_mode():
            wanted = network.maps(torch.from_numpy(picture))[0].numpy()
        (found,) = session.run(None, {"picture": picture})
        assert found.shape == (count, 1, height, width)
        assert np.abs(found - wanted).max() < 0.02
        assert wanted.std() > 0.01
