from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from focuskit.detect.systems.rdbd import Rdbd, RdbdConfig
from focuskit.training.export import export
from tests.unit.training._make import one_thread

STRIDE = Rdbd.STRIDE


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread(), torch.no_grad():
        yield


def _lively(config: RdbdConfig | None = None) -> Rdbd:
    """A random network whose map differs from place to place, unlike a fresh one's."""
    torch.manual_seed(0)
    network = Rdbd(config).eval()
    torch.nn.init.normal_(network.head.weight, std=0.5)
    return network


@pytest.fixture(scope="module")
def network() -> Rdbd:
    return _lively()


def _pictures(count: int, height: int, width: int, seed: int = 1) -> Tensor:
    return torch.rand((count, 3, height, width), generator=torch.Generator().manual_seed(seed))


def _parameters(network: Rdbd) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@given(rows=st.integers(1, 4), columns=st.integers(1, 4), count=st.integers(1, 2))
@settings(max_examples=10)
def test_the_map_is_a_probability_of_the_pictures_size(
    network: Rdbd, rows: int, columns: int, count: int
) -> None:
    height, width = STRIDE * rows, STRIDE * columns

    (found,) = network.maps(_pictures(count, height, width))

    assert found.shape == (count, 1, height, width)
    assert bool(((found >= 0) & (found <= 1)).all())


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_to_see_gives_finite_maps(network: Rdbd, value: float) -> None:
    (found,) = network.maps(torch.full((1, 3, 64, 64), value))

    assert torch.isfinite(found).all()


def test_pictures_of_a_batch_do_not_know_each_other(network: Rdbd) -> None:
    pictures = _pictures(3, 64, 64)

    together = network(pictures).in_focus
    alone = torch.cat([network(picture[None]).in_focus for picture in pictures])

    assert torch.allclose(together, alone, atol=1e-3)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


def test_the_full_network_is_as_large_as_the_papers() -> None:
    network = Rdbd(RdbdConfig("full"))

    assert _parameters(network) == pytest.approx(6.37e6, rel=0.005)
    assert network.maps(_pictures(1, 48, 32))[0].shape == (1, 1, 48, 32)


def test_the_small_network_fits_what_ships() -> None:
    assert 1e6 < _parameters(Rdbd()) < 3e6


@pytest.mark.parametrize("size", ["small", "full"])
def test_without_gradients_one_encoder_is_left(size: str) -> None:
    bare = Rdbd.from_facts({"size": size, "gradients": False})

    assert len(bare.encoders) == 1
    assert _parameters(bare) < 0.5 * _parameters(Rdbd.from_facts({"size": size}))
    assert bare.maps(_pictures(1, 32, 32))[0].shape == (1, 1, 32, 32)


def test_the_encoders_of_the_gradients_see_differences_of_neighbours() -> None:
    network = _lively()
    seen: list[Tensor] = []
    for encoder in network.encoders:
        encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    ramp = torch.linspace(0, 1, 32).repeat(3, 32, 1)[None]

    network(ramp)
    colours, along_x, along_y = seen

    assert torch.allclose(colours, ramp * 2 - 1)
    assert torch.allclose(along_x[..., :-1], torch.full((1, 1, 32, 31), 1 / 31), atol=1e-6)
    assert not along_x[..., -1].any()
    assert along_y.abs().max() < 1e-6


def test_facts_make_the_same_network_again() -> None:
    config = RdbdConfig("small", False)
    network = _lively(config)
    again = Rdbd.from_facts(asdict(config)).eval()
    again.load_state_dict(network.state_dict())
    pictures = _pictures(1, 32, 32)

    assert torch.equal(again.maps(pictures)[0], network.maps(pictures)[0])


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="'small' or 'full', got 'huge'"):
        Rdbd.from_facts({"size": "huge"})


def test_the_exported_graph_gives_the_same_map_at_other_sizes(
    network: Rdbd, tmp_path: Path
) -> None:
    export(network, tmp_path, "rdbd", {"network": asdict(network.config)})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = str(tmp_path / "rdbd.onnx")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    pictures = _pictures(1, 64, 96)

    (found,) = session.run(None, {Rdbd.INPUT: pictures.numpy()})

    # The file's weights are of 16 bits.
    assert np.abs(found - network.maps(pictures)[0].numpy()).max() < 0.02
