"""M2CS's mask network: where it is in focus, learned without any mask.

Reference:
    M2CS: unsupervised, by contrastive similarity of many patches; and its ancestor SG:
    Self-generated Defocus Blur Detection via Dual Adversarial Discriminators, CVPR 2021. Both
    release the same network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.maps import MapNetwork
from focuskit.detect.network import Encoder

__all__ = ["M2csConfig", "M2csNet", "M2csOutputs"]

# Convolutions and channels of the five stages, each but the first after halving.
_FULL_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_FULL_DECODER = (256, 128, 64, 32)
# MobileNetV2's features at strides 4, 8, 16 and 32 stand for the stages at 2, 4, 8 and 16.
_SMALL_FEATURES = (24, 32, 96, 320)
_SMALL_DECODER = (96, 64, 48, 32)


@dataclass(frozen=True, slots=True)
class M2csConfig:
    """Which of the variants it is.

    Attributes:
        size: "full" is the paper's network, of 16 million parameters; "small" has MobileNetV2 for
            its encoder, half as many channels in its decoder, and its finest layers at stride 2.

    Raises:
        ValueError: there is no such size.
    """

    size: Literal["small", "full"] = "small"

    def __post_init__(self) -> None:
        if self.size not in ("small", "full"):
            raise ValueError(f"size must be small or full, got {self.size!r}.")


@dataclass(frozen=True, slots=True, eq=False)
class M2csOutputs:
    """What the network says of N pictures of H×W pixels.

    Attributes:
        in_focus: (N, 1, H, W) logits of the in-focus probability.
    """

    in_focus: Tensor


class M2csNet(MapNetwork):
    """In-focus probability from encoded sRGB in [0, 1]; as in the paper, 1 = in focus."""

    KIND: ClassVar[str] = "m2cs"
    INPUT: ClassVar[str] = "picture"
    CHANNELS: ClassVar[int] = 3
    OUTPUTS: ClassVar[tuple[str, ...]] = ("in_focus_probability",)
    STRIDE: ClassVar[int] = 32

    def __init__(self, config: M2csConfig | None = None) -> None:
        super().__init__()
        self.config = config or M2csConfig()
        if self.config.size == "full":
            self.backbone: nn.Module = _Stages()
            self.decoder = _Decoder(tuple(out for _, out in _FULL_STAGES[1:]), _FULL_DECODER, True)
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.normal_(module.weight, std=0.01)
                    nn.init.zeros_(cast(Tensor, module.bias))
            return
        self.backbone = Encoder()
        # The encoder's normalisation is folded into it, and small batches spoil that of a decoder.
        self.decoder = _Decoder(_SMALL_FEATURES, _SMALL_DECODER, False)
        for module in self.decoder.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, module.bias))
        nn.init.normal_(self.decoder.head.weight, std=0.01)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return a network of the variant that the fields of an `M2csConfig` tell."""
        return cls(M2csConfig(**facts))

    def forward(self, picture: Tensor) -> M2csOutputs:
        """Judge (N, 3, H, W) pictures, encoded sRGB in [0, 1], sides multiples of `STRIDE`."""
        features = self.backbone(picture * 2 - 1)
        logits = self.decoder(features[1:])
        if logits.shape[-2:] != picture.shape[-2:]:
            size = picture.shape[-2:]
            logits = functional.interpolate(logits, size, mode="bilinear", align_corners=False)
        return M2csOutputs(logits)

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return (N, 1, H, W) in-focus probabilities of pictures such as `forward` takes."""
        outputs: M2csOutputs = self(picture)
        return (torch.sigmoid(outputs.in_focus),)


class _Stages(nn.Module):
    """The full encoder: five stages of 3×3 convolutions at strides 1, 2, 4, 8 and 16."""

    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        channels = 3
        for count, out in _FULL_STAGES:
            layers: list[nn.Module] = [nn.MaxPool2d(2)] if stages else []
            for _ in range(count):
                layers.append(_convolution(channels, out, 3, normalised=True))
                channels = out
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class _Decoder(nn.Module):
    """From the coarsest features up, each step joined by the next finer ones.

    Args:
        features: channels of the four features, finest first.
        widths: channels after joining the third, the second and the first, and of the last layers.
        normalised: whether batch normalisation follows each convolution but the last.
    """

    def __init__(
        self, features: tuple[int, ...], widths: tuple[int, ...], normalised: bool
    ) -> None:
        super().__init__()
        joins: list[nn.Module] = []
        below = features[3]
        for skip, width in zip(reversed(features[:3]), widths, strict=False):
            layers = [
                _convolution(below + skip, width, 1, normalised=normalised),
                _convolution(width, width, 3, normalised=normalised),
            ]
            below = width
            joins.append(nn.Sequential(*layers))
        last = widths[3]
        self.joins = nn.ModuleList(joins)
        self.narrow = _convolution(below, last, 3, normalised=normalised)
        self.fine = nn.Sequential(
            _convolution(last, last, 3, normalised=normalised),
            _convolution(last, last, 3, normalised=normalised),
        )
        self.head = nn.Conv2d(last, 1, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        x = features[3]
        for join, skip in zip(self.joins, reversed(features[:3]), strict=True):
            x = join(torch.cat([_doubled(x), skip], 1))
        logits: Tensor = self.head(self.fine(_doubled(self.narrow(x))))
        return logits


def _convolution(channels: int, out: int, kernel: int, *, normalised: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, out, kernel, 1, kernel // 2)]
    if normalised:
        layers.append(nn.BatchNorm2d(out))
    return nn.Sequential(*layers, nn.ReLU())


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
