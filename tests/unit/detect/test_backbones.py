from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from focuskit.detect.backbones import (
    Backbone,
    EfficientNetB3,
    SeResnext101,
    Vgg16,
    load_backbone,
)
from focuskit.errors import WeightsError
from tests.unit.training._make import one_thread

CLASSES = 1000

# The published sizes include the layers that tell classes.
VGG_LAYERS = (512 * 49 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * CLASSES
PUBLISHED = [
    (Vgg16, VGG_LAYERS, 138.36e6),
    (SeResnext101, (2048 + 1) * CLASSES, 48.96e6),
    (EfficientNetB3, (1536 + 1) * CLASSES, 12.23e6),
]
MAKERS: list[Callable[[], Backbone]] = [
    Vgg16,
    SeResnext101,
    lambda: SeResnext101(max_pool=False),
    EfficientNetB3,
]

# torchvision's names of some of EfficientNet-B3's tensors, and ours, which are timm's.
TORCHVISION = {
    "features.0.0.weight": "conv_stem.weight",
    "features.0.1.running_mean": "bn1.running_mean",
    "features.1.0.block.0.0.weight": "blocks.0.0.conv_dw.weight",
    "features.1.1.block.1.fc2.bias": "blocks.0.1.se.conv_expand.bias",
    "features.1.1.block.2.0.weight": "blocks.0.1.conv_pw.weight",
    "features.2.0.block.0.0.weight": "blocks.1.0.conv_pw.weight",
    "features.2.2.block.1.1.bias": "blocks.1.2.bn2.bias",
    "features.5.4.block.2.fc1.weight": "blocks.4.4.se.conv_reduce.weight",
    "features.7.1.block.3.0.weight": "blocks.6.1.conv_pwl.weight",
    "features.7.1.block.3.1.running_var": "blocks.6.1.bn3.running_var",
    "features.8.0.weight": "conv_head.weight",
    "features.8.1.weight": "bn2.weight",
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread(), torch.no_grad():
        yield


class _Little(Backbone):
    """As small as an encoder can be, with all that loading has to do with."""

    NAME = "Little"
    HEADS = ("fc.",)

    def __init__(self) -> None:
        super().__init__()
        self.channels, self.strides = (2,), (1,)
        self.conv = nn.Conv2d(3, 2, 3, 1, 1)
        self.bn = nn.BatchNorm2d(2)

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        return (self.bn(self.conv(rgb)),)


def _state(seed: int = 1) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return _Little().state_dict()


def _saved(state: object, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(state, path)  # type: ignore[arg-type]
    else:
        torch.save(state, path)
    return path


def _same(network: nn.Module, state: dict[str, Tensor]) -> bool:
    found = network.state_dict()
    return all(torch.equal(found[name], values) for name, values in state.items())


@pytest.mark.parametrize(("make", "head", "published"), PUBLISHED)
def test_sizes_are_the_published_ones(
    make: Callable[[], Backbone], head: int, published: float
) -> None:
    with torch.device("meta"):
        network = make()
    parameters = sum(parameter.numel() for parameter in network.parameters())

    assert parameters + head == pytest.approx(published, abs=0.005e6)


@pytest.mark.parametrize("make", MAKERS)
def test_features_are_what_the_encoder_says(make: Callable[[], Backbone]) -> None:
    network = make().eval()
    height, width = 64, 32

    features = network(torch.rand((1, 3, height, width)))

    assert [tuple(feature.shape) for feature in features] == [
        (1, channels, height // stride, width // stride)
        for channels, stride in zip(network.channels, network.strides, strict=True)
    ]
    assert all(bool(torch.isfinite(feature).all()) for feature in features)


def test_vgg_centres_and_scales_colours() -> None:
    network = Vgg16().eval()
    seen: list[Tensor] = []
    network.features[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None].expand(1, 3, 32, 32)

    network(mean)
    network(mean + torch.tensor([0.229, 0.224, 0.225])[None, :, None, None])

    assert seen[0].abs().max() < 1e-6
    assert torch.allclose(seen[1], torch.ones(()))


def test_names_of_torchvision_become_ours() -> None:
    with torch.device("meta"):
        network = EfficientNetB3()
    values = torch.zeros(())

    renamed = network.renamed(dict.fromkeys(TORCHVISION, values))

    assert list(renamed) == list(TORCHVISION.values())
    assert set(renamed) <= set(network.state_dict())


def test_names_of_timm_stay() -> None:
    with torch.device("meta"):
        network = EfficientNetB3()
    state = network.state_dict()

    assert list(network.renamed(state)) == list(state)


def test_names_of_timms_older_squeeze_and_excitation_become_ours() -> None:
    with torch.device("meta"):
        network = SeResnext101()
    names = ("layer0.conv1.weight", "layer0.bn1.bias", "layer3.22.se_module.fc2.bias")

    renamed = network.renamed(dict.fromkeys(names, torch.zeros(())))

    assert list(renamed) == ["conv1.weight", "bn1.bias", "layer3.22.se.fc2.bias"]
    assert set(renamed) <= set(network.state_dict())


@pytest.mark.parametrize("name", ["little.pth", "little.safetensors"])
def test_a_file_is_loaded_and_its_checksum_returned(tmp_path: Path, name: str) -> None:
    state = _state()
    path = _saved(state | {"fc.weight": torch.zeros(5, 2)}, tmp_path / name)
    network = _Little()

    checksum = load_backbone(network, path)

    assert _same(network, state)
    assert checksum == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {f"module.{name}": values for name, values in state.items()},
        lambda state: {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")},
        lambda state: {n: v.half() for n, v in state.items()},
    ],
)
def test_what_training_scripts_save_is_understood(
    tmp_path: Path, wrapped: Callable[[dict[str, Tensor]], Any]
) -> None:
    state = _state()
    network = _Little()

    load_backbone(network, _saved(wrapped(state), tmp_path / "little.pth"))

    assert torch.allclose(network.conv.weight, state["conv.weight"], atol=1e-3)


def _refused(path: Path, message: str) -> None:
    network = _Little()
    before = {name: values.clone() for name, values in network.state_dict().items()}

    with pytest.raises(WeightsError, match=message):
        load_backbone(network, path)

    assert _same(network, before)


def test_the_first_three_keys_that_differ_are_named(tmp_path: Path) -> None:
    state = _state()
    del state["conv.weight"], state["bn.bias"]
    state |= {"conv.bias": torch.zeros(7), "extra.weight": torch.zeros(2)}
    path = _saved(state, tmp_path / "other.pth")

    _refused(
        path,
        r"not those of Little: conv\.weight is missing; extra\.weight is unexpected; "
        r"conv\.bias is of shape 7, expected 2; and 1 more\. Give a file",
    )


def test_a_single_difference_is_enough(tmp_path: Path) -> None:
    path = _saved(_state() | {"bn.bias": torch.zeros(())}, tmp_path / "other.safetensors")

    _refused(path, r"Little: bn\.bias is of shape a single number, expected 2\. Give a file")


def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    with torch.device("meta"):
        names = Vgg16().state_dict()
    path = _saved({name: torch.zeros(1) for name in names}, tmp_path / "vgg.pth")

    _refused(path, r"conv\.weight is missing; features\.0\.weight is unexpected; conv\.bias is")


class _Harm:
    def __init__(self, told: Path) -> None:
        self.told = told

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.told}",)


def test_code_is_refused_and_not_run(tmp_path: Path) -> None:
    told = tmp_path / "told"
    path = _saved({"conv.weight": _Harm(told)}, tmp_path / "harm.pth")

    _refused(path, rf"holds code \({re.escape(os.system.__module__)}\.system\), which")

    assert not told.exists()


def test_a_whole_model_is_refused_as_code(tmp_path: Path) -> None:
    _refused(_saved(_Little(), tmp_path / "whole.pth"), r"holds code \(.*_Little\)")


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = _saved(_state(), tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])

    _refused(path, r"cut\.\w+ are damaged or no weights at all \(.+\); fetch the file again")


@pytest.mark.parametrize("content", [b"<html>Not found</html>", b"\0" * 400, b"\x80\x02."])
def test_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page.pth"
    path.write_bytes(content)

    _refused(path, r"damaged or no weights at all")


@pytest.mark.parametrize(
    "content", [torch.zeros(3), [1, 2], {"conv.weight": 3}, {1: torch.ones(1)}]
)
def test_anything_but_named_tensors_is_refused(tmp_path: Path, content: object) -> None:
    _refused(_saved(content, tmp_path / "list.pth"), "something else than named tensors")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    _refused(tmp_path / "absent.pth", r"absent\.pth could not be read \(No such file")
    _refused(tmp_path, r"could not be read \(Is a directory\)")
