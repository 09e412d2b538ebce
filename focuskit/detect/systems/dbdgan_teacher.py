"""The teacher of Distill-DBDGAN: dense dilated context and self-attention over a deep encoder.

The paper's maps are 1 where a picture is blurred; here, as everywhere, 1 is in focus.

References:
    S. Jonna, M. Medhi, R. R. Sahay: Distill-DBDGAN: knowledge distillation and adversarial learning
        framework for defocus blur detection. ACM TOMM 2023.
    M. Yang et al.: DenseASPP for semantic segmentation in street scenes. CVPR 2018.
    H. Zhang et al.: Self-attention generative adversarial networks. ICML 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.backbones import SeResnext101
from focuskit.detect.maps import MapNetwork
from focuskit.detect.network import Encoder

__all__ = ["DbdganOutputs", "DbdganTeacher", "TeacherConfig"]

_DILATIONS = (2, 4, 6, 8)
# From this block on, MobileNetV2 would be at stride 32.
_LAST_STAGES = 13


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """Which teacher.

    Attributes:
        size: "full" is the paper's; "small" has fewer channels, MobileNetV2 in place of
            SE-ResNeXt101, and ends at half the picture's size.
        dense_aspp: whether the deepest features get dense dilated context.
        attention: whether they get self-attention.

    Raises:
        ValueError: there is no such size.
    """

    size: Literal["small", "full"] = "small"
    dense_aspp: bool = True
    attention: bool = True

    def __post_init__(self) -> None:
        if self.size not in _WIDTHS:
            raise ValueError(f"size is small or full, got {self.size!r}")

    @property
    def feature_channels(self) -> tuple[int, int, int]:
        """Channels of `DbdganOutputs.features`."""
        first, second, third, _ = _WIDTHS[self.size].decoders
        return first, second, third


@dataclass(frozen=True, slots=True, eq=False)
class DbdganOutputs:
    """What teacher and student say of a batch of N pictures of H×W pixels.

    Attributes:
        in_focus: (N, 1, H, W) logits of the in-focus probability.
        features: the decoder's at strides 16, 8 and 4, which the student imitates.
    """

    in_focus: Tensor
    features: tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class _Widths:
    """Channels: the encoder's at strides 2, 4, 8 and 16, of the context, of the four decoders."""

    taps: tuple[int, int, int, int]
    squeezed: int
    growth: int
    decoders: tuple[int, int, int, int]
    momentum: float


_WIDTHS = {
    "full": _Widths((256, 512, 1024, 2048), 1024, 128, (256, 256, 64, 128), 3e-4),
    # In a short training the paper's slow running statistics would not get there.
    "small": _Widths((16, 24, 32, 320), 160, 32, (64, 64, 64, 64), 0.1),
}


class DbdganTeacher(MapNetwork):
    """In-focus probability from encoded sRGB in [0, 1], sides multiples of `STRIDE`."""

    KIND: ClassVar[str] = "distill-dbdgan-teacher"
    INPUT: ClassVar[str] = "picture"
    CHANNELS: ClassVar[int] = 3
    OUTPUTS: ClassVar[tuple[str, ...]] = ("in_focus_probability",)
    STRIDE: ClassVar[int] = 16

    def __init__(self, config: TeacherConfig | None = None) -> None:
        super().__init__()
        self.config = config or TeacherConfig()
        widths = _WIDTHS[self.config.size]
        self.backbone: nn.Module
        if self.config.size == "full":
            self.backbone = SeResnext101(max_pool=False)
        else:
            self.backbone = _undivided(Encoder())
        deep = widths.taps[-1]
        context = deep
        if self.config.dense_aspp:
            self.context = DenseAspp(deep, widths.squeezed, widths.growth, widths.momentum)
            context += widths.growth * len(_DILATIONS)
        if self.config.attention:
            self.attention = SelfAttention(deep)
            context += deep
        first, second, third, last = widths.decoders
        self.decoders = nn.ModuleList(
            _convolved(channels, out)
            for channels, out in (
                (context, first),
                (first + widths.taps[2], second),
                (second + widths.taps[1], third),
                (third + widths.taps[0], last),
            )
        )
        self.dropout = nn.Dropout2d(0.2)
        self.head = nn.Conv2d(last, 1, 1)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return a network of the variant that the fields of a `TeacherConfig` tell."""
        return cls(TeacherConfig(**facts))

    def forward(self, rgb: Tensor) -> DbdganOutputs:
        """Judge (N, 3, H, W) pictures, encoded sRGB in [0, 1], sides multiples of `STRIDE`."""
        half, quarter, eighth, deep = self._taps(rgb)
        joined = [self.context(deep)] if self.config.dense_aspp else [deep]
        if self.config.attention:
            joined.append(self.attention(deep))
        path = self.decoders[0](torch.cat(joined, 1))
        features = [path]
        for decoder, tap in zip(self.decoders[1:], (eighth, quarter, half), strict=True):
            path = decoder(torch.cat([_doubled(path), tap], 1))
            features.append(path)
        # The paper doubles first: a 1×1 convolution and doubling may change places, and so it is
        # four times cheaper.
        logits = _doubled(self.head(self.dropout(path)))
        return DbdganOutputs(logits, (features[0], features[1], features[2]))

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the in-focus probability (N, 1, H, W)."""
        outputs: DbdganOutputs = self(picture)
        return (torch.sigmoid(outputs.in_focus),)

    def _taps(self, rgb: Tensor) -> list[Tensor]:
        """Return the encoder's features at strides 2, 4, 8 and 16."""
        if self.config.size == "full":
            # The paper neither centres nor scales colours.
            return list(self.backbone(rgb))
        half, quarter, eighth, _, deep = self.backbone(rgb * 2 - 1)
        return [half, quarter, eighth, deep]


class DenseAspp(nn.Module):
    """Dilated convolutions, each of which sees what all before it found.

    Args:
        channels: that go in; `growth` more come out for each of the four dilations.
        squeezed: channels between the two convolutions of a block.
        growth: channels that a block adds.
        momentum: of the running statistics.
    """

    def __init__(self, channels: int, squeezed: int, growth: int, momentum: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for index, dilation in enumerate(_DILATIONS):
            seen = channels + index * growth
            layers: list[nn.Module] = [nn.BatchNorm2d(seen, momentum=momentum)] if index else []
            layers += [
                nn.ReLU(),
                nn.Conv2d(seen, squeezed, 1),
                nn.BatchNorm2d(squeezed, momentum=momentum),
                nn.ReLU(),
                nn.Conv2d(squeezed, growth, 3, 1, dilation, dilation),
                nn.Dropout2d(0.1),
            ]
            self.blocks.append(nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels + 4·growth, h, w) of (N, channels, h, w)."""
        for block in self.blocks:
            x = torch.cat([x, block(x)], 1)
        return x


class SelfAttention(nn.Module):
    """Every place looks at every other; at first it adds nothing.

    Args:
        channels: that go in and come out; an eighth of them are compared.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1)
        self.key = nn.Conv2d(channels, channels // 8, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, h, w) of the same; costs and memory grow with (h·w)²."""
        query, key, value = (layer(x).flatten(2) for layer in (self.query, self.key, self.value))
        shares = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        found = value @ shares.transpose(1, 2)
        y: Tensor = x + self.gamma * found.reshape(x.shape)
        return y


def _undivided(encoder: Encoder) -> Encoder:
    """Keep the last stages at stride 16, as the paper does, here by dilating what halves.

    Dilation leaves the weights as they were learned.
    """
    for index in range(_LAST_STAGES, len(encoder.blocks)):
        for layer in encoder.blocks[index].modules():
            if isinstance(layer, nn.Conv2d) and layer.groups > 1:
                dilation = 1 if index == _LAST_STAGES else 2
                layer.stride = (1, 1)
                layer.dilation = layer.padding = (dilation, dilation)
    return encoder


def _convolved(channels: int, out: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, out, 3, 1, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
