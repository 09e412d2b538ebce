"""What the encoders have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

__all__ = ["Backbone", "kaiming"]


class Backbone(nn.Module, ABC):
    """An encoder that was first taught to tell the classes of ImageNet.

    Attributes:
        NAME: what people call it.
        HEADS: what names of tensors begin with that only tell classes; they are not kept here.
        channels: of the features that come out, finest first.
        strides: at which they are.
    """

    NAME: ClassVar[str]
    HEADS: ClassVar[tuple[str, ...]]

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    @abstractmethod
    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """Return features of (N, 3, H, W) pictures, sides multiples of the largest stride."""

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors by the names they have here, from those of torchvision or timm.

        Names that neither uses stay as they are.
        """
        return dict(state)


def kaiming(network: nn.Module) -> None:
    """Give convolutions weights that keep the spread of gradients (K. He et al., ICCV 2015)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
