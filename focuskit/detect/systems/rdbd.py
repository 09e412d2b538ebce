"""R-DBD: a U-Net with three encoders, of the colours and of the gradients along x and y.

References:
    N. Zhang, J. Yan: Rethinking the defocus blur detection problem and a real-time deep DBD model.
        ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.maps import MapNetwork

__all__ = ["Rdbd", "RdbdConfig", "RdbdOutputs"]

# The paper's figure names no widths. These make 6.37 M parameters, and 25.5 MB, where the paper
# reports a model of 26.7 MB.
_FULL = (32, 64, 128, 256)
_SMALL = (24, 48, 96, 160)
_DROPOUT = 0.2


@dataclass(frozen=True, slots=True)
class RdbdConfig:
    """What distinguishes the variants.

    Attributes:
        size: "full" is the paper's, at strides 1 to 8; "small" starts at half the picture's size
            (strides 2 to 16) with fewer channels.
        gradients: whether the encoders of the gradients are there; the paper's ablation.
    """

    size: Literal["small", "full"] = "small"
    gradients: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class RdbdOutputs:
    """What the network says of a batch of N pictures of H×W pixels.

    Attributes:
        in_focus: (N, 1, H, W) logits of the in-focus probability.
    """

    in_focus: Tensor


class Rdbd(MapNetwork):
    """In-focus probability from encoded sRGB in [0, 1]; 1 = in focus, as in the paper.

    Each encoder is made of blocks of two 3×3 convolutions, each followed by ReLU and batch
    normalisation in this order, with max-pooling between the blocks. The decoder doubles by
    transposed 3×3 convolutions and takes the skips from the encoder of the colours: the paper does
    not say which encoder they come from.

    Raises:
        ValueError: the configuration names another size.
    """

    KIND: ClassVar[str] = "r-dbd"
    INPUT: ClassVar[str] = "picture"
    CHANNELS: ClassVar[int] = 3
    OUTPUTS: ClassVar[tuple[str, ...]] = ("in_focus_probability",)
    STRIDE: ClassVar[int] = 16

    def __init__(self, config: RdbdConfig | None = None) -> None:
        super().__init__()
        self.config = config or RdbdConfig()
        if self.config.size not in ("small", "full"):
            raise ValueError(f"size is 'small' or 'full', got {self.config.size!r}")
        small = self.config.size == "small"
        widths = _SMALL if small else _FULL
        inputs = (3, 1, 1) if self.config.gradients else (3,)
        self.encoders = nn.ModuleList(_Encoder(channels, widths, small) for channels in inputs)
        joined = len(inputs) * widths[-1]
        self.joint = nn.Sequential(_block(joined, widths[-1]), nn.Dropout2d(_DROPOUT))
        # Below the top, each step gets the skip beside what it doubles.
        skips = widths[-2::-1]
        enters = (widths[-1], *(2 * width for width in skips[:-1]))
        self.up = nn.ModuleList(
            _doubling(entering, width) for entering, width in zip(enters, skips, strict=True)
        )
        self.last = nn.Sequential(*_convolution(2 * widths[0], widths[0]))
        self.head = nn.Conv2d(widths[0], 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.head.weight, std=0.01)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return a network of the variant that the fields of an `RdbdConfig` tell."""
        return cls(RdbdConfig(**facts))

    def forward(self, picture: Tensor) -> RdbdOutputs:
        """Judge (N, 3, H, W) pictures, encoded sRGB in [0, 1], sides multiples of `STRIDE`."""
        pictures = [picture * 2 - 1]
        if self.config.gradients:
            pictures += _gradients(picture)
        levels = [encoder(x) for encoder, x in zip(self.encoders, pictures, strict=True)]
        x = self.joint(torch.cat([deepest for *_, deepest in levels], 1))
        for doubling, skip in zip(self.up, levels[0][-2::-1], strict=True):
            x = torch.cat([doubling(x), skip], 1)
        logits = self.head(self.last(x))
        if self.config.size == "small":
            logits = functional.interpolate(
                logits, scale_factor=2.0, mode="bilinear", align_corners=False
            )
        return RdbdOutputs(logits)

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the (N, 1, H, W) in-focus probability."""
        outputs: RdbdOutputs = self(picture)
        return (torch.sigmoid(outputs.in_focus),)


class _Encoder(nn.Module):
    """Four blocks; every one but the last is halved before the next."""

    def __init__(self, channels: int, widths: tuple[int, ...], small: bool) -> None:
        super().__init__()
        entering = (channels, *widths[:-1])
        # Halving in the first convolution, not before it: it still sees every pixel.
        strides = (2 if small else 1, 1, 1, 1)
        self.blocks = nn.ModuleList(
            _block(before, width, stride)
            for before, width, stride in zip(entering, widths, strides, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of each block, finest first."""
        levels: list[Tensor] = []
        for block in self.blocks:
            x = block(functional.max_pool2d(levels[-1], 2) if levels else x)
            levels.append(x)
        return levels


def _gradients(picture: Tensor) -> list[Tensor]:
    """Return forward differences along x and y of luma in [0, 1], which lie in [-1, 1]."""
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=picture.dtype, device=picture.device)
    gray = (picture * weights[None, :, None, None]).sum(1, keepdim=True)
    right = functional.pad(gray[..., 1:] - gray[..., :-1], (0, 1, 0, 0))
    down = functional.pad(gray[..., 1:, :] - gray[..., :-1, :], (0, 0, 0, 1))
    return [right, down]


def _block(channels: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*_convolution(channels, width, stride), *_convolution(width, width))


def _convolution(channels: int, width: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, stride, 1), nn.ReLU(), nn.BatchNorm2d(width)]


def _doubling(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(channels, width, 3, 2, 1, output_padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(width),
    )
