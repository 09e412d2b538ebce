"""The student of Distill-DBDGAN: a compact U-Net that imitates the teacher.

The paper's maps are 1 where a picture is blurred; here, as everywhere, 1 is in focus.

References:
    S. Jonna, M. Medhi, R. R. Sahay: Distill-DBDGAN: knowledge distillation and adversarial learning
        framework for defocus blur detection. ACM TOMM 2023.
    O. Ronneberger, P. Fischer, T. Brox: U-Net. MICCAI 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.backbones import EfficientNetB3
from focuskit.detect.maps import MapNetwork
from focuskit.detect.network import Encoder
from focuskit.detect.systems.dbdgan_teacher import DbdganOutputs

__all__ = ["DbdganStudent", "StudentConfig"]

# MobileNetV2 is cut after the first block of 96 channels, at stride 16; its features at strides
# 2, 4, 8 and 16 are those after these blocks.
_TAPS = (0, 2, 5, 10)

# Of each step upwards: channels from below, after doubling, of the skip, and that come out.
_STEPS = {
    "full": (
        (1536, 512, 96, 512),
        (512, 256, 48, 256),
        (256, 128, 32, 128),
        (128, 64, 24, 64),
        (64, 32, 3, 32),
    ),
    "small": ((96, 32, 32, 32), (32, 16, 24, 24), (24, 8, 16 + 3, 16)),
}


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """Which student.

    Attributes:
        size: "full" is the paper's; "small" starts from the first stages of MobileNetV2 in place of
            EfficientNet-B3, convolves depthwise and pointwise, and ends at half the picture's size.

    Raises:
        ValueError: there is no such size.
    """

    size: Literal["small", "full"] = "small"

    def __post_init__(self) -> None:
        if self.size not in _STEPS:
            raise ValueError(f"size is small or full, got {self.size!r}")

    @property
    def feature_channels(self) -> tuple[int, int, int]:
        """Channels of `DbdganOutputs.features`."""
        steps = _STEPS[self.size]
        if self.size == "small":
            return steps[0][0], steps[0][-1], steps[1][-1]
        return steps[0][-1], steps[1][-1], steps[2][-1]


class DbdganStudent(MapNetwork):
    """In-focus probability from encoded sRGB in [0, 1], sides multiples of `STRIDE`."""

    KIND: ClassVar[str] = "distill-dbdgan-student"
    INPUT: ClassVar[str] = "picture"
    CHANNELS: ClassVar[int] = 3
    OUTPUTS: ClassVar[tuple[str, ...]] = ("in_focus_probability",)
    STRIDE: ClassVar[int] = 32

    def __init__(self, config: StudentConfig | None = None) -> None:
        super().__init__()
        self.config = config or StudentConfig()
        small = self.config.size == "small"
        self.backbone: nn.Module = _FirstStages() if small else EfficientNetB3()
        steps = _STEPS[self.config.size]
        self.steps = nn.ModuleList(_Step(*channels, separable=small) for channels in steps)
        self.head = nn.Conv2d(steps[-1][-1], 1, 1)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return a network of the variant that the fields of a `StudentConfig` tell."""
        return cls(StudentConfig(**facts))

    def forward(self, rgb: Tensor) -> DbdganOutputs:
        """Judge (N, 3, H, W) pictures, encoded sRGB in [0, 1], sides multiples of `STRIDE`."""
        path, skips = self._taps(rgb)
        levels = [path]
        for step, skip in zip(self.steps, skips, strict=True):
            levels.append(step(levels[-1], skip))
        logits = self.head(levels[-1])
        if self.config.size == "full":
            return DbdganOutputs(logits, (levels[1], levels[2], levels[3]))
        # [prop] The paper ends at the picture's own size, where most of the work would be.
        logits = functional.interpolate(
            logits, scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return DbdganOutputs(logits, (levels[0], levels[1], levels[2]))

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the in-focus probability (N, 1, H, W)."""
        outputs: DbdganOutputs = self(picture)
        return (torch.sigmoid(outputs.in_focus),)

    def _taps(self, rgb: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the encoder's deepest features, and those beside the steps, deepest first."""
        if self.config.size == "full":
            half, quarter, eighth, sixteenth, deep = self.backbone(rgb)
            return deep, [sixteenth, eighth, quarter, half, rgb]
        half, quarter, eighth, deep = self.backbone(rgb * 2 - 1)
        return deep, [eighth, quarter, torch.cat([half, functional.avg_pool2d(rgb, 2)], 1)]


class _FirstStages(Encoder):
    """MobileNetV2 up to the first block of 96 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = self.blocks[: _TAPS[-1] + 1]

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Return the features at strides 2, 4, 8 and 16 of colours in [-1, 1]."""
        x = functional.relu6(self.stem(rgb))
        taps = []
        for index, (block, residual) in enumerate(zip(self.blocks, self.residual, strict=False)):
            x = x + block(x) if residual else block(x)
            if index in _TAPS:
                taps.append(x)
        return taps


class _Step(nn.Module):
    """Doubles what comes from below, joins the skip, and convolves twice."""

    def __init__(self, below: int, doubled: int, skip: int, out: int, *, separable: bool) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(below, doubled, 2, 2)
        self.layers = nn.Sequential(
            *_convolved(doubled + skip, out, separable=separable),
            *_convolved(out, out, separable=separable),
        )

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        joined = torch.cat([self.up(below), skip], 1)
        return self.layers(joined)  # type: ignore[no-any-return]


def _convolved(channels: int, out: int, *, separable: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(channels, out, 3, 1, 1, bias=False)]
    if separable:
        layers = [
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False),
            nn.Conv2d(channels, out, 1, bias=False),
        ]
    return [*layers, nn.BatchNorm2d(out), nn.ReLU()]
