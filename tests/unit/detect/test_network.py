from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from focuskit.detect.network import STRIDE, FocusNet, NetworkConfig, band_energies
from tests.unit.training._make import lively_network, one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread(), torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def network() -> FocusNet:
    return lively_network(NetworkConfig(8))


@given(rows=st.integers(1, 4), columns=st.integers(1, 4), count=st.integers(1, 2))
@settings(max_examples=12)
def test_every_multiple_of_the_stride_will_do(rows: int, columns: int, count: int) -> None:
    height, width = STRIDE * rows, STRIDE * columns
    network = lively_network(NetworkConfig(8))

    outputs = network(torch.rand((count, 3, height, width)))

    for head in (outputs.in_focus, outputs.log_coc, outputs.confidence):
        assert head.shape == (count, 1, height // 2, width // 2)
        assert torch.isfinite(head).all()
    assert [tuple(level.shape) for level in outputs.side] == [
        (count, 1, height // stride, width // stride) for stride in (4, 8, 16, 32)
    ]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_nothing_to_see_gives_finite_maps(network: FocusNet, value: float) -> None:
    outputs = network(torch.full((1, 3, 64, 64), value))

    assert all(torch.isfinite(x).all() for x in (outputs.in_focus, outputs.log_coc))


def test_pictures_of_a_batch_do_not_know_each_other(network: FocusNet) -> None:
    pictures = torch.rand((3, 3, 64, 64), generator=torch.Generator().manual_seed(1))

    together = network(pictures).in_focus
    alone = torch.cat([network(picture[None]).in_focus for picture in pictures])

    assert torch.allclose(together, alone, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


@pytest.mark.parametrize("high_frequency", [True, False])
@pytest.mark.parametrize("width", [8, 48])
def test_variants_differ_in_their_parameters(width: int, high_frequency: bool) -> None:
    config = NetworkConfig(width, high_frequency)
    network = FocusNet(config)

    assert network.config == config
    assert hasattr(network, "bands") == high_frequency
    assert network(torch.rand((1, 3, 32, 32))).in_focus.shape == (1, 1, 16, 16)


def test_the_default_network_is_small_and_its_names_are_those_that_ship() -> None:
    network = FocusNet()

    assert network.config == NetworkConfig(48, True)
    assert sum(parameter.numel() for parameter in network.parameters()) < 2e6
    parts = {name.split(".")[0] for name in network.state_dict()}
    assert parts == {
        "encoder",
        "context",
        "lateral",
        "decoder",
        "side",
        "gradients",
        "bands",
        "top",
        "head",
    }
    # No running means: what was learned is in the parameters.
    assert set(network.state_dict()) == dict(network.named_parameters()).keys()


def test_a_fresh_network_has_no_opinion() -> None:
    torch.manual_seed(0)
    outputs = FocusNet()(torch.rand((1, 3, 64, 64)))

    assert torch.sigmoid(outputs.in_focus).mean().item() == pytest.approx(0.5, abs=0.1)


def test_the_encoder_is_mobilenet_v2_in_the_order_of_its_archive() -> None:
    encoder = FocusNet().encoder
    shapes = [tuple(layer.weight.shape) for layer in encoder.convolutions()]

    # Stem; then depthwise and project of the first block, expand, depthwise and project of others.
    assert shapes[:6] == [
        (32, 3, 3, 3),
        (32, 1, 3, 3),
        (16, 32, 1, 1),
        (96, 16, 1, 1),
        (96, 1, 3, 3),
        (24, 96, 1, 1),
    ]
    assert shapes[-3:] == [(960, 160, 1, 1), (960, 1, 3, 3), (320, 960, 1, 1)]
    # 52 in ImageNet's network; the last one, before its classifier, is left out.
    assert len(shapes) == 51
    assert all(layer.bias is not None for layer in encoder.convolutions())
    taps = encoder(torch.rand((1, 3, 64, 96)))
    assert [tuple(tap.shape[1:]) for tap in taps] == [
        (16, 32, 48),
        (24, 16, 24),
        (32, 8, 12),
        (96, 4, 6),
        (320, 2, 3),
    ]


def _noise(size: int = 128) -> Tensor:
    return torch.rand((1, 1, size, size), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (160, 32)])
def test_band_energies_are_four_maps_at_a_quarter_of_the_size(height: int, width: int) -> None:
    found = band_energies(torch.rand((2, 1, height, width)))

    assert found.shape == (2, 4, height // 4, width // 4)
    assert torch.isfinite(found).all()
    assert torch.isfinite(band_energies(torch.zeros((1, 1, height, width)))).all()


def test_blur_takes_the_finest_band_first() -> None:
    kernel = torch.ones((1, 1, 5, 5)) / 25
    sharp = _noise()
    soft = functional.conv2d(functional.pad(sharp, (2, 2, 2, 2), mode="reflect"), kernel)

    lost = (band_energies(sharp) - band_energies(soft)).mean((0, 2, 3))

    assert (lost > 0).all()
    assert lost[0] > lost[1] > lost[2] > lost[3]


def test_differences_of_bands_do_not_know_contrast() -> None:
    strong = band_energies(_noise())
    weak = band_energies(0.5 * _noise())

    drop = (strong - weak).mean((0, 2, 3))
    assert drop.numpy() == pytest.approx([math.log(4) / 3] * 4, rel=0.05)


def test_what_ships_are_three_of_its_outputs(network: FocusNet) -> None:
    picture = torch.rand((2, FocusNet.CHANNELS, 64, 96))

    outputs, maps = network(picture), network.maps(picture)

    assert len(maps) == len(FocusNet.OUTPUTS)
    for name, found in zip(FocusNet.OUTPUTS, maps, strict=True):
        assert torch.equal(found, getattr(outputs, name))


def test_the_facts_of_a_variant_make_it_again() -> None:
    facts = {"width": 16, "high_frequency": False}

    assert FocusNet.from_facts(facts).config == NetworkConfig(**facts)
    with pytest.raises(TypeError):
        FocusNet.from_facts({"depth": 3})
