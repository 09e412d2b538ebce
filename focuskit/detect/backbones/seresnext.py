"""SE-ResNeXt101-32x4d.

References:
    S. Xie et al.: Aggregated residual transformations for deep neural networks. CVPR 2017.
    J. Hu, L. Shen, G. Sun: Squeeze-and-excitation networks. CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.backbones.base import Backbone, kaiming

__all__ = ["SeResnext101"]

_GROUPS = 32
_REDUCTION = 16
_STEM = 64
# Channels that come out of each stage, and its blocks.
_STAGES = ((256, 3), (512, 4), (1024, 23), (2048, 3))


class SeResnext101(Backbone):
    """The residual stages of SE-ResNeXt101-32x4d, from colours as its user centred and scaled them.

    Args:
        max_pool: whether the size is halved before the first stage, as it is for telling classes.
    """

    NAME: ClassVar[str] = "SE-ResNeXt101-32x4d"
    HEADS: ClassVar[tuple[str, ...]] = ("fc.", "last_linear.")

    def __init__(self, *, max_pool: bool = True) -> None:
        super().__init__()
        finest = 4 if max_pool else 2
        self.channels = tuple(width for width, _ in _STAGES)
        self.strides = tuple(finest << stage for stage in range(len(_STAGES)))
        self.conv1 = nn.Conv2d(3, _STEM, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.max_pool = max_pool
        entering = _STEM
        for number, (width, count) in enumerate(_STAGES, 1):
            blocks = []
            for index in range(count):
                stride = 2 if index == 0 and number > 1 else 1
                blocks.append(_Bottleneck(entering, width, stride))
                entering = width
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        kaiming(self)

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """Return the features of the four stages of (N, 3, H, W) pictures."""
        x = functional.relu(self.bn1(self.conv1(rgb)))
        if self.max_pool:
            x = functional.max_pool2d(x, 3, 2, 1)
        taps = []
        for number in range(1, len(_STAGES) + 1):
            x = getattr(self, f"layer{number}")(x)
            taps.append(x)
        return tuple(taps)

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors by the names they have here, from either of timm's two versions."""
        return {
            name.removeprefix("layer0.").replace(".se_module.", ".se."): values
            for name, values in state.items()
        }


class _Bottleneck(nn.Module):
    """1×1, grouped 3×3 and 1×1 convolutions whose channels are weighed before they are added."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        narrow = width // 2
        self.conv1 = nn.Conv2d(channels, narrow, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, 1, groups=_GROUPS, bias=False)
        self.bn2 = nn.BatchNorm2d(narrow)
        self.conv3 = nn.Conv2d(narrow, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.se = _Excitation(width)
        self.downsample: nn.Sequential | None = None
        if channels != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        return functional.relu(self.se(self.bn3(self.conv3(x))) + kept)


class _Excitation(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // _REDUCTION, 1)
        self.fc2 = nn.Conv2d(channels // _REDUCTION, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = functional.relu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.fc2(squeezed))
