"""M2CS's mask network: its two sizes, its polarity, its maps."""

import pytest
import torch

from focuskit.detect.systems.m2cs import M2csConfig, M2csNet


@pytest.fixture(scope="module")
def small() -> M2csNet:
    torch.manual_seed(0)
    return M2csNet().eval()


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_full_network_has_the_papers_layers() -> None:
    network = M2csNet(M2csConfig("full"))
    widths = [
        module.out_channels for module in network.modules() if isinstance(module, torch.nn.Conv2d)
    ]
    encoder = [64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    decoder = [256, 256, 128, 128, 64, 64, 32, 32, 32, 1]
    assert widths == encoder + decoder
    normalised = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(normalised) == len(widths) - 1
    assert 15.5e6 < count(network) < 16.5e6


def test_the_small_network_is_small(small: M2csNet) -> None:
    assert count(small) < 3e6


@pytest.mark.parametrize("size", ["small", "full"])
def test_maps_are_probabilities_of_the_pictures_size(size: str) -> None:
    torch.manual_seed(1)
    network = M2csNet(M2csConfig(size)).eval()  # type: ignore[arg-type]
    picture = torch.rand(1, 3, 32, 64)
    with torch.inference_mode():
        (found,) = network.maps(picture)
        logits = network(picture).in_focus
    assert found.shape == (1, 1, 32, 64)
    assert torch.equal(found, torch.sigmoid(logits))


def test_pictures_of_a_batch_are_judged_apart(small: M2csNet) -> None:
    torch.manual_seed(2)
    pictures = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        together = small.maps(pictures)[0]
        apart = torch.cat([small.maps(picture[None])[0] for picture in pictures])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-4)


def test_facts_bring_the_same_variant_back() -> None:
    assert M2csNet.from_facts({"size": "full"}).config == M2csConfig("full")


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="small or full, got 'tiny'"):
        M2csNet.from_facts({"size": "tiny"})
