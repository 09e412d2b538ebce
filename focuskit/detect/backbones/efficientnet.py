"""EfficientNet-B3.

References:
    M. Tan, Q. V. Le: EfficientNet: rethinking model scaling for convolutional neural networks.
        ICML 2019.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.backbones.base import Backbone, kaiming

__all__ = ["EfficientNetB3"]

_STEM, _HEAD = 40, 1536
# Expansion, channels, blocks, stride and kernel of each stage: B0's, 1.2 times as wide and 1.4
# times as deep.
_STAGES = (
    (1, 24, 2, 1, 3),
    (6, 32, 3, 2, 3),
    (6, 48, 3, 2, 5),
    (6, 96, 5, 2, 3),
    (6, 136, 5, 1, 5),
    (6, 232, 6, 2, 5),
    (6, 384, 2, 1, 3),
)
# The first blocks of these stages are the first at strides 2, 4, 8 and 16.
_TAPPED = (0, 1, 2, 3)

# What torchvision numbers in a block, in order, is called here (and in timm) as follows.
_PLAIN = (("conv_dw", "bn1"), ("se.conv_reduce", "se.conv_expand"), ("conv_pw", "bn2"))
_EXPANDED = (
    ("conv_pw", "bn1"),
    ("conv_dw", "bn2"),
    ("se.conv_reduce", "se.conv_expand"),
    ("conv_pwl", "bn3"),
)
_IN_BLOCK = re.compile(r"features\.(\d+)\.(\d+)\.block\.(\d)\.(0|1|fc1|fc2)\.(\w+)")
_AT_ENDS = {
    "features.0.0.": "conv_stem.",
    "features.0.1.": "bn1.",
    f"features.{len(_STAGES) + 1}.0.": "conv_head.",
    f"features.{len(_STAGES) + 1}.1.": "bn2.",
}


class EfficientNetB3(Backbone):
    """The convolutions of EfficientNet-B3, from colours as its user centred and scaled them.

    What comes out are the first features of each size, strides 2 to 16, and the last of all at
    stride 32. Weights that were made by TensorFlow are padded on one side only and do not belong
    here.
    """

    NAME: ClassVar[str] = "EfficientNet-B3"
    HEADS: ClassVar[tuple[str, ...]] = ("classifier.",)

    def __init__(self) -> None:
        super().__init__()
        self.channels = (*(_STAGES[stage][1] for stage in _TAPPED), _HEAD)
        self.strides = (2, 4, 8, 16, 32)
        self.conv_stem = nn.Conv2d(3, _STEM, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM)
        stages = []
        entering = _STEM
        for expansion, width, count, stride, kernel in _STAGES:
            blocks: list[nn.Module] = []
            for index in range(count):
                step = stride if index == 0 else 1
                if expansion == 1:
                    blocks.append(_Separable(entering, width, step, kernel))
                else:
                    blocks.append(_Inverted(entering, width, step, kernel, expansion))
                entering = width
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.ModuleList(stages)
        self.conv_head = nn.Conv2d(entering, _HEAD, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(_HEAD)
        kaiming(self)

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """Return the five features of (N, 3, H, W) pictures, sides multiples of 32."""
        x = functional.silu(self.bn1(self.conv_stem(rgb)))
        taps = []
        for stage, blocks in enumerate(self.blocks):
            for index, block in enumerate(cast(nn.Sequential, blocks)):
                x = block(x)
                if index == 0 and stage in _TAPPED:
                    taps.append(x)
        return (*taps, functional.silu(self.bn2(self.conv_head(x))))

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors by the names they have here and in timm, from those of torchvision."""
        return {_renamed(name): values for name, values in state.items()}


class _Separable(nn.Module):
    """A depthwise convolution, channels weighed, and a pointwise one."""

    def __init__(self, channels: int, width: int, stride: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = _depthwise(channels, stride, kernel)
        self.bn1 = nn.BatchNorm2d(channels)
        self.se = _Excitation(channels, channels // 4)
        self.conv_pw = nn.Conv2d(channels, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.residual = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        y = self.se(functional.silu(self.bn1(self.conv_dw(x))))
        out: Tensor = self.bn2(self.conv_pw(y))
        return x + out if self.residual else out


class _Inverted(nn.Module):
    """The same, on more channels than come in and go out."""

    def __init__(self, channels: int, width: int, stride: int, kernel: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.conv_pw = nn.Conv2d(channels, hidden, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.conv_dw = _depthwise(hidden, stride, kernel)
        self.bn2 = nn.BatchNorm2d(hidden)
        self.se = _Excitation(hidden, channels // 4)
        self.conv_pwl = nn.Conv2d(hidden, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.residual = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        y = functional.silu(self.bn1(self.conv_pw(x)))
        y = self.se(functional.silu(self.bn2(self.conv_dw(y))))
        out: Tensor = self.bn3(self.conv_pwl(y))
        return x + out if self.residual else out


class _Excitation(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, squeezed, 1)
        self.conv_expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = functional.silu(self.conv_reduce(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.conv_expand(squeezed))


def _depthwise(channels: int, stride: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)


def _renamed(name: str) -> str:
    for prefix, ours in _AT_ENDS.items():
        if name.startswith(prefix):
            return ours + name.removeprefix(prefix)
    found = _IN_BLOCK.fullmatch(name)
    if found is None:
        return name
    stage, block, part, which, rest = found.groups()
    parts = _PLAIN if stage == "1" else _EXPANDED
    if int(part) >= len(parts):
        return name
    pair = parts[int(part)]
    ours = pair[0] if which in ("0", "fc1") else pair[1]
    return f"blocks.{int(stage) - 1}.{block}.{ours}.{rest}"
