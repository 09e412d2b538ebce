"""The ConvNet that the filters of the local metric are taken from.

It only serves to be trained: it tells sharp from blurred patches of 32×32 px, and its first layer
holds what that takes. The detector (`focuskit.detect.local_metric`) runs without it.

References:
    K. Zeng et al.: A local metric for defocus blur detection based on CNN feature learning. IEEE
        TIP 28(5), 2019. Widths, depth and the size of the patches are not public: ours.
    W. Shang et al.: Understanding and improving convolutional neural networks via concatenated
        rectified linear units. ICML 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.maps import MapNetwork

__all__ = ["FILTER_SIDE", "PATCH_SIDE", "LocalMetricConfig", "LocalMetricNet"]

FILTER_SIDE = 7
"""Side of the first layer's kernels in pixels."""

PATCH_SIDE = 32
"""Side of the patches in pixels."""

_STEP = 4
_START = 5e-3
_LUMA = (0.299, 0.587, 0.114)
# Side of a patch after the first layer, which has no padding, and two halvings.
_LAST_SIDE = (PATCH_SIDE - FILTER_SIDE + 1) // _STEP


@dataclass(frozen=True, slots=True)
class LocalMetricConfig:
    """One variant of the ConvNets.

    Attributes:
        size: "full" has 64, 64 and 128 channels behind the first layer and 128 before the last;
            "small" has a quarter of them and halves what it sees before its second layer instead of
            behind it. The first layer, all that the detector takes, is the same.
        nets: how many, apart from each other but for the data: each adds its kernels to those that
            the filters are taken from.
        filters: kernels of each first layer.
    """

    size: Literal["small", "full"] = "small"
    nets: int = 3
    filters: int = 32


class LocalMetricNet(MapNetwork):
    """ConvNets side by side, for patches in training and as maps over whole pictures.

    1 = in focus.

    Raises:
        ValueError: no such size.
    """

    KIND: ClassVar[str] = "local-metric"
    INPUT: ClassVar[str] = "picture"
    CHANNELS: ClassVar[int] = 3
    OUTPUTS: ClassVar[tuple[str, ...]] = ("in_focus_probability",)
    STRIDE: ClassVar[int] = _STEP

    def __init__(self, config: LocalMetricConfig) -> None:
        super().__init__()
        if config.size not in _WIDTHS:
            raise ValueError(f"size is one of {', '.join(_WIDTHS)}, got {config.size!r}")
        self.config = config
        self.nets = nn.ModuleList(
            _ConvNet(config.filters, _WIDTHS[config.size], early=config.size == "small")
            for _ in range(config.nets)
        )

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return a network, its weights random, of the variant that the index's facts tell."""
        return cls(LocalMetricConfig(**facts))

    def forward(self, gray: Tensor) -> Tensor:
        """Judge (N, 1, H, W) encoded gray pictures in [0, 1], sides at least `PATCH_SIDE`.

        Returns:
            (nets, N, 2, h, w) logits of blurred and in focus, for a window at every fourth pixel:
            of patches, h = w = 1.
        """
        return torch.stack([net(gray) for net in self.nets])

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the (N, 1, H, W) mean of what the nets say of the window around each pixel.

        Args:
            picture: (N, 3, H, W) encoded sRGB in [0, 1], sides multiples of 4.
        """
        weights = torch.tensor(_LUMA, dtype=picture.dtype, device=picture.device)
        gray = (picture * weights[:, None, None]).sum(1, keepdim=True)
        half = PATCH_SIDE // 2
        framed = functional.pad(gray, (half, half, half, half), mode="replicate")
        judged = self(framed).softmax(2)[:, :, 1:].mean(0)
        size = (picture.shape[2], picture.shape[3])
        large = functional.interpolate(judged, size=size, mode="bilinear", align_corners=True)
        return (large,)

    def kernels(self) -> Tensor:
        """Return the (nets · filters, 7, 7) kernels of all first layers."""
        firsts = (cast(_ConvNet, net).first.weight for net in self.nets)
        weights = torch.cat(list(firsts)).detach()
        return functional.conv2d(weights, _laplacian(weights), padding=2)[:, 0]


_WIDTHS = {"small": (16, 16, 32, 32), "full": (64, 64, 128, 128)}


class _ConvNet(nn.Module):
    """Convolutions and halvings; the fully connected layers are convolutions over what is left.

    The kernels of 7×7 are learned 5×5 ones over a Laplacian of 3×3. The amplitudes of photos fall
    as the inverse of the frequency: kernels over the gray picture itself learn the slowest waves
    first, which tell sharp from blurred worst, and they would rule the PCA.
    """

    def __init__(self, filters: int, widths: tuple[int, int, int, int], *, early: bool) -> None:
        super().__init__()
        second, third, fourth, joint = widths
        start = [nn.MaxPool2d(2), *_convolution(2 * filters, second)]
        self.normalise = nn.BatchNorm2d(1)
        self.first = nn.Conv2d(1, filters, FILTER_SIDE - 2)
        # Their size is made up for by the next normalisation, so kernels that start small are
        # ruled by what they learn; those of the usual size stay mostly noise, and so does its PCA.
        nn.init.normal_(self.first.weight, std=_START)
        with torch.no_grad():
            self.first.get_parameter("bias").zero_()
        self.rest = nn.Sequential(
            *(start if early else [*start[1:], start[0]]),
            *_convolution(second, third),
            *_convolution(third, third),
            nn.MaxPool2d(2),
            *_convolution(third, fourth),
            *_convolution(fourth, fourth),
            nn.Conv2d(fourth, joint, _LAST_SIDE),
            nn.ReLU(),
            nn.Conv2d(joint, 2, 1),
        )

    def forward(self, gray: Tensor) -> Tensor:
        x = self.first(self.normalise(functional.conv2d(gray, _laplacian(gray))))
        # CReLU: what a filter finds of either sign goes on, in channels of their own.
        return self.rest(functional.relu(torch.cat([x, -x], 1)))  # type: ignore[no-any-return]


def _laplacian(like: Tensor) -> Tensor:
    return like.new_tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])[None, None]


def _convolution(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()
