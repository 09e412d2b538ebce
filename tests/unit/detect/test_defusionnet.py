from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from focuskit.detect.systems import defusionnet
from focuskit.detect.systems.defusionnet import DeFusionConfig, DeFusionNet, DeFusionOutputs
from tests.unit.training._make import one_thread

STRIDE = DeFusionNet.STRIDE


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def _lively(seed: int = 0, **switches: Any) -> DeFusionNet:
    """Random, and with maps that differ from place to place, unlike a fresh one's."""
    torch.manual_seed(seed)
    network = DeFusionNet(DeFusionConfig(**switches)).eval()
    for name, parameter in network.named_parameters():
        if name.startswith(("scores", "fusion")):
            torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.fixture(scope="module")
def network() -> DeFusionNet:
    return _lively()


def _picture(count: int = 1, height: int = 64, width: int = 64) -> Tensor:
    coarse = torch.rand(
        (count, 3, height // 8, width // 8), generator=torch.Generator().manual_seed(1)
    )
    return coarse.repeat_interleave(8, 2).repeat_interleave(8, 3)


@given(rows=st.integers(1, 3), columns=st.integers(1, 3), count=st.integers(1, 2))
@settings(max_examples=4, deadline=None)
def test_every_multiple_of_the_stride_will_do(
    network: DeFusionNet, rows: int, columns: int, count: int
) -> None:
    height, width = STRIDE * rows, STRIDE * columns

    with torch.inference_mode():
        outputs = network(torch.rand((count, 3, height, width)))
        (found,) = network.maps(torch.rand((count, 3, height, width)))

    assert outputs.in_focus.shape == (count, 1, height // 4, width // 4)
    assert outputs.side.shape == (count, 18, height // 4, width // 4)
    assert found.shape == (count, 1, height, width)
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_to_see_gives_finite_maps(network: DeFusionNet, value: float) -> None:
    with torch.inference_mode():
        assert torch.isfinite(network.maps(torch.full((1, 3, 32, 32), value))[0]).all()


def test_pictures_of_a_batch_do_not_know_each_other(network: DeFusionNet) -> None:
    pictures = _picture(3)

    with torch.inference_mode():
        together = network.maps(pictures)[0]
        alone = torch.cat([network.maps(picture[None])[0] for picture in pictures])

    assert torch.allclose(together, alone, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_each_of_any_number_of_steps_has_six_maps(steps: int) -> None:
    with torch.inference_mode():
        outputs: DeFusionOutputs = _lively(steps=steps)(_picture())

    assert outputs.side.shape == (1, 6 * steps, 16, 16)
    for one in range(1, steps):
        before, after = outputs.side[:, 6 * one - 6 : 6 * one], outputs.side[:, 6 * one :][:, :6]
        assert not torch.allclose(before, after, atol=1e-3)


def test_the_result_is_fused_from_the_maps_of_the_last_step(network: DeFusionNet) -> None:
    with torch.inference_mode():
        outputs = network(_picture())

        assert torch.allclose(network.fusion(outputs.side[:, -6:]), outputs.in_focus, atol=1e-6)


def test_without_refinement_the_maps_of_the_levels_are_fused() -> None:
    plain = _lively(ffrm=False)

    with torch.inference_mode():
        outputs = plain(_picture())
        assert torch.allclose(plain.fusion(outputs.side), outputs.in_focus, atol=1e-6)

    assert outputs.side.shape == (1, 6, 16, 16)
    assert not any(name.startswith("steps") for name in plain.state_dict())


def _seen_by(network: DeFusionNet, steps: int) -> list[set[int]]:
    """Which levels' features decide each level's features after so many steps."""
    generator = torch.Generator().manual_seed(3)
    features = [torch.rand((1, 24, 8, 8), generator=generator).requires_grad_() for _ in range(6)]
    refined = features
    for step in list(network.steps)[:steps]:
        refined = step(refined)
    seen = []
    for level in refined:
        gradients = torch.autograd.grad(level.sum(), features, retain_graph=True, allow_unused=True)
        seen.append({i for i, each in enumerate(gradients) if each is not None and each.any()})
    return seen


def test_a_step_refines_shallow_levels_by_semantic_ones_and_the_other_way_round(
    network: DeFusionNet,
) -> None:
    shallow, semantic = {0, 1, 2}, {3, 4, 5}

    seen = _seen_by(network, 1)

    assert seen == [{i} | semantic for i in shallow] + [{i} | shallow for i in semantic]
    assert _seen_by(network, 2) == [shallow | semantic] * 6


@pytest.mark.parametrize("switch", ["ffrm", "cam", "fam"])
def test_a_switch_takes_parameters_and_changes_the_maps(network: DeFusionNet, switch: str) -> None:
    other = _lively(**{switch: False})
    shared = {k: v for k, v in network.state_dict().items() if k in other.state_dict()}

    with torch.inference_mode():
        whole = network.maps(_picture())[0]
        # Only what the switch took is missing from the same weights.
        other.load_state_dict(shared, strict=False)
        without = other.maps(_picture())[0]

    count = [sum(p.numel() for p in each.parameters()) for each in (network, other)]
    assert count[0] > count[1]
    assert not torch.allclose(whole, without, atol=1e-4)


def test_channel_attention_adds_what_means_and_maxima_say_after_their_relu() -> None:
    attention = defusionnet._ChannelAttention(16)
    for parameter in attention.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        attention.down.weight[0, 0] = 1
        attention.up.weight.fill_(1)
    x = torch.full((1, 16, 4, 4), -4.0)
    x[0, 0, 0, 0] = 3

    found = attention(x)

    # The mean of the first channel is negative, its maximum 3: summed before, it would be less.
    assert torch.allclose(found, x * torch.sigmoid(torch.tensor(3.0)))


def test_channel_attention_does_not_know_places() -> None:
    torch.manual_seed(0)
    attention = defusionnet._ChannelAttention(48)
    x = torch.randn((2, 48, 6, 6))
    order = torch.randperm(36)

    def moved(x: Tensor) -> Tensor:
        return x.flatten(2)[..., order].reshape(x.shape)

    assert torch.allclose(attention(moved(x)), moved(attention(x)), atol=1e-6)
    assert (attention(x).abs() <= x.abs()).all()


def test_adaptation_adds_to_what_it_is_given_at_most_its_own_features() -> None:
    torch.manual_seed(0)
    adaptation = defusionnet._Adaptation(4)
    x = torch.randn((1, 4, 8, 8))

    added = adaptation(x) - x
    most = torch.relu(adaptation.features(x))

    assert (added >= -1e-6).all()
    assert (added <= most + 1e-6).all()
    torch.nn.init.zeros_(adaptation.features.weight)
    torch.nn.init.zeros_(adaptation.features.bias)
    assert torch.equal(adaptation(x), x)


def test_the_full_network_is_the_papers() -> None:
    full = DeFusionNet(DeFusionConfig("full"))
    with torch.inference_mode():
        outputs = full(torch.rand((1, 3, 32, 64)))
        (found,) = full.maps(torch.rand((1, 3, 32, 64)))
    shapes = {name: tuple(values.shape) for name, values in full.state_dict().items()}

    assert outputs.side.shape == (1, 18, 32, 64)
    assert found.shape == outputs.in_focus.shape == (1, 1, 32, 64)
    appended = [
        (shapes[f"levels.{i}.convolutions.0.weight"], shapes[f"levels.{i}.convolutions.2.weight"])
        for i in range(6)
    ]
    assert appended == [
        ((128, 64, 3, 3), (128, 128, 3, 3)),
        ((128, 128, 3, 3), (128, 128, 3, 3)),
        ((256, 256, 5, 5), (256, 256, 5, 5)),
        ((256, 512, 5, 5), (256, 256, 5, 5)),
        ((512, 512, 5, 5), (512, 512, 5, 5)),
        ((512, 512, 7, 7), (512, 512, 7, 7)),
    ]
    for level in range(6):
        assert shapes[f"levels.{level}.convolutions.4.weight"][0] == 32
        assert shapes[f"steps.2.levels.{level}.weight"] == (32, 64, 3, 3)
    assert shapes["steps.0.shallow.0.down.weight"] == (6, 96, 1, 1)


def test_the_small_network_is_small() -> None:
    assert DeFusionNet().config == DeFusionConfig("small", 3, True, True, True)
    assert sum(parameter.numel() for parameter in DeFusionNet().parameters()) < 3e6


def test_a_fresh_network_has_no_opinion() -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        found = DeFusionNet().eval().maps(_picture())[0]

    assert found.mean().item() == pytest.approx(0.5, abs=0.1)


def test_the_facts_of_a_variant_make_it_again() -> None:
    config = DeFusionConfig(steps=2, cam=False)

    assert DeFusionNet.from_facts(asdict(config)).config == config
    with pytest.raises(TypeError):
        DeFusionNet.from_facts({"width": 3})
    with pytest.raises(ValueError, match="size is one of full, small, got 'medium'"):
        DeFusionNet.from_facts({"size": "medium"})
    with pytest.raises(ValueError, match="steps must be at least 1, got 0; for none set ffrm"):
        DeFusionNet.from_facts({"steps": 0})
