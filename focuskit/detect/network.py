"""FocusNet: the network behind the default detector.

A MobileNetV2 encoder finds what things are; a full-width path over gradients and band energies
finds how sharp they are; a top-down decoder joins both at half the picture's size.

References:
    M. Sandler et al.: MobileNetV2. CVPR 2018 (encoder).
    N. Zhang, J. Yan: Rethinking the defocus blur detection problem and a real-time deep DBD model.
        ECCV 2020 (gradients as inputs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.maps import MapNetwork

__all__ = ["STRIDE", "FocusNet", "NetworkConfig", "Outputs"]

STRIDE = 32
"""Sides of the input must be multiples of this."""

# MobileNetV2 1.0: expansion, channels, repeats, stride.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# After these blocks the size halves next: the features at strides 2, 4, 8, 16 and 32.
_TAPS = (0, 2, 5, 12, 16)
_TAP_CHANNELS = (16, 24, 32, 96, 320)
_BANDS = 4
_ENERGY_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """What distinguishes the variants that were tried.

    Attributes:
        width: channels of the decoder.
        high_frequency: whether gradients and band energies go in beside the colours.
    """

    width: int = 48
    high_frequency: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What the network says of a batch of N pictures of H×W pixels.

    Attributes:
        in_focus: (N, 1, H/2, W/2) logits of the in-focus probability.
        log_coc: (N, 1, H/2, W/2) log2(1 + circle of confusion in pixels of the input).
        confidence: (N, 1, H/2, W/2) logits that the circle of confusion is about right.
        side: logits of the in-focus probability at strides 4, 8, 16 and 32, for training.
    """

    in_focus: Tensor
    log_coc: Tensor
    confidence: Tensor
    side: tuple[Tensor, ...]


class FocusNet(MapNetwork):
    """In-focus probability, circle of confusion and confidence from encoded sRGB in [0, 1]."""

    KIND: ClassVar[str] = "focusnet"
    INPUT: ClassVar[str] = "rgb"
    CHANNELS: ClassVar[int] = 3
    OUTPUTS: ClassVar[tuple[str, ...]] = ("in_focus", "log_coc", "confidence")

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        width = self.config.width
        self.encoder = Encoder()
        self.context = nn.Linear(_TAP_CHANNELS[-1], width)
        self.lateral = nn.ModuleList(nn.Conv2d(taps, width, 1) for taps in _TAP_CHANNELS[1:])
        kernels = (3, 5, 5, 7)
        self.decoder = nn.ModuleList(
            nn.Sequential(_separable(width, width, kernel), _separable(width, width, kernel))
            for kernel in kernels
        )
        self.side = nn.ModuleList(nn.Conv2d(width, 1, 1) for _ in kernels)
        fine = width + _TAP_CHANNELS[0]
        if self.config.high_frequency:
            self.gradients = nn.Sequential(
                nn.Conv2d(5, 24, 3, 2, 1), nn.ReLU(), _separable(24, 24, 3)
            )
            self.bands = nn.Sequential(
                nn.Conv2d(_BANDS + 24, width, 1), nn.ReLU(), _separable(width, width, 5)
            )
            fine += 24
        self.top = nn.Sequential(_separable(fine, 32, 3), _separable(32, 32, 5))
        self.head = nn.Conv2d(32, 3, 1)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("encoder"):
                nn.init.kaiming_normal_(module.weight, nonlinearity=_nonlinearity(module))
                nn.init.zeros_(cast(Tensor, module.bias))
        for head in (self.head, *self.side):
            nn.init.normal_(cast(Tensor, head.weight), std=0.01)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return a network of the variant that the fields of a `NetworkConfig` tell."""
        return cls(NetworkConfig(**facts))

    def forward(self, rgb: Tensor) -> Outputs:
        """Judge (N, 3, H, W) pictures, encoded sRGB in [0, 1], sides multiples of `STRIDE`."""
        taps = self.encoder(rgb * 2 - 1)
        fine = [taps[0]]
        extra: Tensor | None = None
        if self.config.high_frequency:
            gray = _gray(rgb)
            gradients = self.gradients(torch.cat([rgb, _differences(gray)], 1))
            fine.append(gradients)
            pooled = functional.avg_pool2d(gradients, 2)
            extra = self.bands(torch.cat([pooled, band_energies(gray)], 1))
        side: list[Tensor] = []
        path = self.lateral[3](taps[4]) + self.context(taps[4].mean((2, 3)))[:, :, None, None]
        for level in (3, 2, 1, 0):
            if level < 3:
                path = _doubled(path) + self.lateral[level](taps[level + 1])
            if level == 0 and extra is not None:
                path = path + extra
            path = path + self.decoder[level](path)
            side.append(self.side[level](path))
        heads = self.head(self.top(torch.cat([_doubled(path), *fine], 1)))
        return Outputs(heads[:, :1], heads[:, 1:2], heads[:, 2:], tuple(reversed(side)))

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return what ships of the outputs: in-focus logits, log2(1 + CoC), confidence logits."""
        outputs: Outputs = self(picture)
        return outputs.in_focus, outputs.log_coc, outputs.confidence


class Encoder(nn.Module):
    """MobileNetV2 with batch normalisation folded into its convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, 1)
        blocks: list[nn.Module] = []
        self.residual: list[bool] = []
        channels = 32
        for expansion, out, repeats, stride in _STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(_inverted(channels, out, expansion, step))
                self.residual.append(step == 1 and channels == out)
                channels = out
        self.blocks = nn.ModuleList(blocks)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Return the features at strides 2, 4, 8, 16 and 32 of colours in [-1, 1]."""
        x = functional.relu6(self.stem(rgb))
        taps = []
        for index, (block, residual) in enumerate(zip(self.blocks, self.residual, strict=True)):
            x = x + block(x) if residual else block(x)
            if index in _TAPS:
                taps.append(x)
        return taps

    def convolutions(self) -> list[nn.Conv2d]:
        """Return the convolutions in order: stem, then expand, depthwise, project of each block."""
        return [module for module in self.modules() if isinstance(module, nn.Conv2d)]


def band_energies(gray: Tensor) -> Tensor:
    """Return (N, 4, H/4, W/4) logarithms of the energy of `gray` in octave bands.

    Blur takes the finest bands first: their differences tell its size, whatever the contrast.
    """
    energies = []
    picture = gray
    for band in range(_BANDS):
        smooth = functional.avg_pool2d(picture, 3, 1, 1, count_include_pad=False)
        energy = (picture - smooth).square()
        if band < 2:
            stride = 4 >> band
            size = 2 * stride
            energy = functional.avg_pool2d(energy, size, stride, stride // 2)
        else:
            energy = functional.avg_pool2d(energy, 3, 1, 1)
            energy = energy if band == 2 else _doubled(energy)
        energies.append(torch.log(energy + _ENERGY_FLOOR))
        picture = functional.avg_pool2d(smooth, 2)
    # About zero mean and unit spread on photographs.
    return (torch.cat(energies, 1) + 8) / 3


def _gray(rgb: Tensor) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=rgb.dtype, device=rgb.device)
    return (rgb * weights[None, :, None, None]).sum(1, keepdim=True)


def _differences(gray: Tensor) -> Tensor:
    right = functional.pad(gray[..., 1:] - gray[..., :-1], (0, 1, 0, 0))
    down = functional.pad(gray[..., 1:, :] - gray[..., :-1, :], (0, 0, 0, 1))
    return torch.cat([right, down], 1)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _inverted(channels: int, out: int, expansion: int, stride: int) -> nn.Sequential:
    hidden = channels * expansion
    layers: list[nn.Module] = []
    if expansion > 1:
        layers += [nn.Conv2d(channels, hidden, 1), nn.ReLU6()]
    layers += [nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden), nn.ReLU6()]
    return nn.Sequential(*layers, nn.Conv2d(hidden, out, 1))


def _nonlinearity(convolution: nn.Conv2d) -> Literal["linear", "relu"]:
    return "linear" if convolution.groups > 1 or convolution.out_channels < 4 else "relu"


def _separable(channels: int, out: int, kernel: int) -> nn.Sequential:
    depthwise = nn.Conv2d(channels, channels, kernel, 1, kernel // 2, groups=channels)
    return nn.Sequential(depthwise, nn.Conv2d(channels, out, 1), nn.ReLU())
