"""DeFusionNET: features of six levels that refine each other, in-focus probability as result.

Features of the three finer levels, fused, say where edges are; those of the three coarser ones,
fused, say what things are. At every recurrent step each group refines the features of the other.
All maps here say in focus = 1, as everywhere in focuskit; the paper calls its result a defocus
blur map.

References:
    C. Tang et al.: DeFusionNET: Defocus blur detection via recurrently fusing and refining
        discriminative multi-scale deep features. TPAMI 2022 (CVPR 2019 without CAM and FAM).
    Q. Hou et al.: Deeply supervised salient object detection with short connections. CVPR 2017:
        the two convolutions that are appended to each level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.backbones import Vgg16
from focuskit.detect.maps import MapNetwork
from focuskit.detect.network import Encoder

__all__ = ["DeFusionConfig", "DeFusionNet", "DeFusionOutputs"]

_STRIDES = (1, 2, 4, 8, 16, 32)
_SHALLOW = 3
# 96 channels to 6 and back, as in BR2Net: the paper is silent.
_REDUCTION = 16


@dataclass(frozen=True, slots=True)
class _Plan:
    """What tells one size from the other.

    Attributes:
        taps: channels of the features at `_STRIDES`.
        appended: (side, channels) of the two convolutions that are appended to each level.
        width: channels of every level, and of every group, that are refined.
        stride: at which that happens.
    """

    taps: tuple[int, ...]
    appended: tuple[tuple[int, int], ...]
    width: int
    stride: int


_PLANS = {
    "full": _Plan(
        taps=(64, 128, 256, 512, 512, 512),
        appended=((3, 128), (3, 128), (5, 256), (5, 256), (5, 512), (7, 512)),
        width=32,
        stride=1,
    ),
    # Refining at full resolution is what makes the network slow: 16 times the work at stride 4.
    "small": _Plan(
        taps=(16, 16, 24, 32, 96, 320),
        appended=((3, 24), (3, 24), (5, 32), (5, 32), (5, 32), (7, 32)),
        width=24,
        stride=4,
    ),
}


@dataclass(frozen=True, slots=True)
class DeFusionConfig:
    """What distinguishes the paper's network from a small one and from those of its ablations.

    Attributes:
        size: "full" is the paper's, over VGG16; "small" has the same six levels, groups and steps
            with fewer channels over MobileNetV2, refined at a quarter of the picture's size.
        steps: recurrent steps, at least 1; the paper takes 3 and tries 1 to 6.
        ffrm: whether the groups refine each other at all; without it there are no steps, and the
            maps of the unrefined levels are fused.
        cam: whether channels of a group are weighed before they are fused.
        fam: whether a group is adapted before it refines the others.

    Raises:
        ValueError: there is no such size or number of steps.
    """

    size: Literal["small", "full"] = "small"
    steps: int = 3
    ffrm: bool = True
    cam: bool = True
    fam: bool = True

    def __post_init__(self) -> None:
        if self.size not in _PLANS:
            raise ValueError(f"size is one of {', '.join(_PLANS)}, got {self.size!r}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}; for none set ffrm=False")


@dataclass(frozen=True, slots=True, eq=False)
class DeFusionOutputs:
    """Logits of the in-focus probability for N pictures of H×W pixels, refined at stride s.

    Attributes:
        in_focus: (N, 1, H/s, W/s) fused from the maps of the last step.
        side: (N, 6·t, H/s, W/s) maps of the six levels at each of t steps, step by step, fine to
            coarse; t = 1 without refinement.
    """

    in_focus: Tensor
    side: Tensor


class DeFusionNet(MapNetwork):
    """In-focus probability from encoded sRGB in [0, 1]; sides are multiples of `STRIDE`."""

    KIND: ClassVar[str] = "defusionnet"
    INPUT: ClassVar[str] = "picture"
    CHANNELS: ClassVar[int] = 3
    OUTPUTS: ClassVar[tuple[str, ...]] = ("in_focus_probability",)
    STRIDE: ClassVar[int] = 32

    def __init__(self, config: DeFusionConfig | None = None) -> None:
        super().__init__()
        self.config = config or DeFusionConfig()
        plan = _PLANS[self.config.size]
        self.backbone: Vgg16 | Encoder
        if self.config.size == "full":
            self.backbone = Vgg16()
        else:
            self.backbone = Encoder()
            # MobileNetV2 starts at half the size; the finest level has a layer of its own.
            self.stem = nn.Conv2d(3, plan.taps[0], 3, 1, 1)
        self.levels = nn.ModuleList(
            _Level(channels, *appended, plan.width, stride, plan.stride)
            for channels, appended, stride in zip(plan.taps, plan.appended, _STRIDES, strict=True)
        )
        steps = self.config.steps if self.config.ffrm else 0
        self.steps = nn.ModuleList(
            _Refinement(plan.width, self.config.cam, self.config.fam) for _ in range(steps)
        )
        self.scores = nn.ModuleList(_Scores(plan.width) for _ in range(max(1, steps)))
        self.fusion = nn.Conv2d(len(_STRIDES), 1, 1)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("backbone"):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, module.bias))
        for scores in self.scores:
            for score in cast(_Scores, scores).levels:
                nn.init.normal_(cast(Tensor, score.weight), std=0.01)
        nn.init.constant_(self.fusion.weight, 1 / len(_STRIDES))

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return a network of the variant that the fields of a `DeFusionConfig` tell."""
        return cls(DeFusionConfig(**facts))

    def forward(self, picture: Tensor) -> DeFusionOutputs:
        """Judge (N, 3, H, W) pictures, encoded sRGB in [0, 1], sides multiples of `STRIDE`."""
        features = [level(tap) for level, tap in zip(self.levels, self._taps(picture), strict=True)]
        if not len(self.steps):
            side = [self.scores[0](features)]
        else:
            side = []
            for step, scores in zip(self.steps, self.scores, strict=True):
                features = step(features)
                side.append(scores(features))
        # Equation 8 prints a ReLU about this; a logit needs both signs.
        return DeFusionOutputs(self.fusion(side[-1]), torch.cat(side, 1))

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the (N, 1, H, W) in-focus probability."""
        outputs: DeFusionOutputs = self(picture)
        return (torch.sigmoid(_enlarged(outputs.in_focus, _PLANS[self.config.size].stride)),)

    def _taps(self, picture: Tensor) -> Sequence[Tensor]:
        if isinstance(self.backbone, Vgg16):
            # It centres the colours itself, where the paper's Caffe did so to BGR.
            taps: Sequence[Tensor] = self.backbone(picture)
            return taps
        centred = picture * 2 - 1
        return [functional.relu(self.stem(centred)), *self.backbone(centred)]


class _Level(nn.Module):
    """The convolutions appended to a level, brought to the stride of refinement."""

    def __init__(
        self, channels: int, side: int, hidden: int, width: int, stride: int, wanted: int
    ) -> None:
        super().__init__()
        self.enlargement = max(1, stride // wanted)
        # Where the level is finer than the refinement, its own convolutions step down.
        second = 2 if stride < wanted else 1
        first = 2 if 2 * stride < wanted else 1
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, hidden, side, first, side // 2),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, side, second, side // 2),
            nn.ReLU(),
            nn.Conv2d(hidden, width, 1),
        )

    def forward(self, tap: Tensor) -> Tensor:
        return functional.relu(_enlarged(self.convolutions(tap), self.enlargement))


class _ChannelAttention(nn.Module):
    """CAM: every channel times a weight in (0, 1) that its means and maxima decide (equation 6)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // _REDUCTION, 1)
        self.up = nn.Conv2d(channels // _REDUCTION, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean, most = functional.adaptive_avg_pool2d(x, 1), functional.adaptive_max_pool2d(x, 1)
        both = functional.relu(self.down(mean)) + functional.relu(self.down(most))
        return x * torch.sigmoid(self.up(both))


class _Adaptation(nn.Module):
    """FAM: a group's features plus what of them suits the other group.

    The paper draws it and gives no equation; the ReLU and the sigmoid are chosen here, as in other
    attention of that time.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(width, width, 3, 1, 1)
        self.weights = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = functional.relu(self.features(x))
        return x + features * torch.sigmoid(self.weights(features))


class _Group(nn.Sequential):
    """Three levels fused to FSHF or FSEF and adapted to the levels that they are to refine."""

    def __init__(self, width: int, cam: bool, fam: bool) -> None:
        channels = _SHALLOW * width
        # How wide the fused features are is not in the paper: as wide as a level.
        super().__init__(
            _ChannelAttention(channels) if cam else nn.Identity(),
            nn.Conv2d(channels, width, 1),
            nn.ReLU(),
            _Adaptation(width) if fam else nn.Identity(),
        )


class _Refinement(nn.Module):
    """FFRM: one recurrent step; every step has weights of its own."""

    def __init__(self, width: int, cam: bool, fam: bool) -> None:
        super().__init__()
        self.shallow = _Group(width, cam, fam)
        self.semantic = _Group(width, cam, fam)
        self.levels = nn.ModuleList(nn.Conv2d(2 * width, width, 3, 1, 1) for _ in _STRIDES)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        shallow = self.shallow(torch.cat(list(features[:_SHALLOW]), 1))
        semantic = self.semantic(torch.cat(list(features[_SHALLOW:]), 1))
        return [
            functional.relu(level(torch.cat([own, semantic if index < _SHALLOW else shallow], 1)))
            for index, (level, own) in enumerate(zip(self.levels, features, strict=True))
        ]


class _Scores(nn.Module):
    """The logits of the six levels, side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(width, 1, 1) for _ in _STRIDES)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        return torch.cat([level(own) for level, own in zip(self.levels, features, strict=True)], 1)


def _enlarged(x: Tensor, times: int) -> Tensor:
    if times == 1:
        return x
    return functional.interpolate(
        x, scale_factor=float(times), mode="bilinear", align_corners=False
    )
