from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from focuskit.detect.frame import GAUGE_STRIDE
from focuskit.detect.gauge import GaugeNet
from tests.unit.training._make import lively_gauge, one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread(), torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def network() -> GaugeNet:
    return lively_gauge()


def _noise(height: int = 96, width: int = 128, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand((count, 1, height, width), generator=generator)


@given(rows=st.integers(1, 9), columns=st.integers(1, 9), count=st.integers(1, 2))
@settings(max_examples=12)
def test_every_multiple_of_the_stride_will_do(rows: int, columns: int, count: int) -> None:
    network = lively_gauge()
    picture = _noise(GAUGE_STRIDE * rows, GAUGE_STRIDE * columns, count)

    found, maps = network(picture), network.maps(picture)

    assert found.shape == (count, 3, rows, columns)
    assert torch.isfinite(found).all()
    assert len(maps) == len(GaugeNet.OUTPUTS) == 3
    assert torch.equal(torch.cat(maps, 1), found)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_nothing_to_see_gives_finite_maps(network: GaugeNet, value: float) -> None:
    assert torch.isfinite(network(torch.full((1, 1, 64, 64), value))).all()


def test_pictures_of_a_batch_do_not_know_each_other(network: GaugeNet) -> None:
    pictures = _noise(count=3)

    together = network(pictures)
    alone = torch.cat([network(picture[None]) for picture in pictures])

    assert torch.allclose(together, alone, atol=1e-4)


def test_contrast_only_adds_a_constant_to_the_energies(network: GaugeNet) -> None:
    strong = _noise()
    weak = 0.5 + 0.5 * (strong - 0.5)

    drop = network.features(strong)[:, 1:] - network.features(weak)[:, 1:]

    assert drop.shape == (1, 48, 24, 32)
    # Half the contrast is a quarter of the energy; of some cells next to nothing is left by chance.
    typical = drop.movedim(1, 0).flatten(1).median(1).values
    assert typical.numpy() == pytest.approx([math.log(4) / 3] * 48, rel=1e-2)


def test_brightness_goes_in_once_and_changes_no_energy(network: GaugeNet) -> None:
    dark = 0.5 * _noise()

    change = network.features(dark + 0.25) - network.features(dark)

    assert torch.allclose(change[:, 0], torch.tensor(0.5), atol=1e-5)
    assert change[:, 1:].abs().median() < 1e-3


def test_blur_takes_the_finest_octave_first(network: GaugeNet) -> None:
    sharp = _noise()
    kernel = torch.ones((1, 1, 5, 5)) / 25
    soft = functional.conv2d(functional.pad(sharp, (2, 2, 2, 2), mode="reflect"), kernel)

    lost = (network.features(sharp) - network.features(soft))[:, 1:].mean((0, 2, 3))

    fine, middle, coarse = lost.reshape(3, 16).mean(1)
    assert fine > middle > coarse > 0


def test_it_is_small_and_has_no_variants() -> None:
    network = GaugeNet.from_facts({})

    assert sum(parameter.numel() for parameter in network.parameters()) < 60_000
    assert set(network.state_dict()) == dict(network.named_parameters()).keys()
    with pytest.raises(TypeError):
        GaugeNet.from_facts({"width": 8})
