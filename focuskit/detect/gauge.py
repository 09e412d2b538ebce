"""GaugeNet: the size of the blur at 100 %, from what little a small window shows.

Blur takes energy from fine detail before it takes any from coarse. Learned filters at three octaves
give energies; their logarithms differ by what blur took, whatever the contrast; a few layers read
the circle of confusion off them, and whether anything there is in focus at all. It knows nothing
of objects, and so can be taught by rendered blur alone.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.maps import MapNetwork

__all__ = ["GaugeNet"]

_FILTERS = 16
_OCTAVES = 3
_WIDTH = 64
_ENERGY_FLOOR = 1e-6


class GaugeNet(MapNetwork):
    """Circle of confusion, its uncertainty and signs of focus from encoded luminance in [0, 1]."""

    KIND: ClassVar[str] = "gauge"
    INPUT: ClassVar[str] = "gray"
    CHANNELS: ClassVar[int] = 1
    OUTPUTS: ClassVar[tuple[str, ...]] = ("log_coc", "log_error", "evidence")

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.ParameterList(
            nn.Parameter(_cosines()[-_FILTERS:].clone()) for _ in range(_OCTAVES)
        )
        self.fine = nn.Sequential(
            nn.Conv2d(_FILTERS * _OCTAVES + 1, _WIDTH, 1), nn.ReLU(), _separable(_WIDTH, 3)
        )
        self.coarse = nn.Sequential(*(_separable(_WIDTH, 5) for _ in range(3)))
        self.context = nn.Linear(2 * _WIDTH, _WIDTH)
        self.head = nn.Conv2d(_WIDTH, 3, 1)

    def forward(self, gray: Tensor) -> Tensor:
        """Judge (N, 1, H, W) pictures, sides multiples of 8 (`GAUGE_STRIDE`).

        Returns:
            (N, 3, H/8, W/8): log2(1 + CoC diameter in pixels), the logarithm of its typical error,
            and evidence: the mean over the sharpest cells of a frame is the logit that something
            in it is in focus.
        """
        x = functional.avg_pool2d(self.fine(self.features(gray)), 2)
        # The noise of a photo is told by its quietest parts, its sharpness by its busiest.
        whole = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        x = x + self.context(whole)[:, :, None, None]
        for layer in self.coarse:
            x = x + layer(x)
        return self.head(x)  # type: ignore[no-any-return]

    def features(self, gray: Tensor) -> Tensor:
        """Return (N, 49, H/4, W/4): the brightness, then logarithms of energies, finest first."""
        energies = [functional.avg_pool2d(gray, 4) * 2 - 1]
        picture = gray
        for octave, filters in enumerate(self.filters):
            size = 8 >> octave
            # Brightness is no detail, and the picture's border no edge.
            detail = filters - filters.mean((2, 3), keepdim=True)
            framed = functional.pad(picture, (2, 2, 2, 2), mode="replicate")
            energy = functional.conv2d(framed, detail).square()
            if size > 2:
                energy = functional.avg_pool2d(energy, size, size // 2, size // 4)
            energies.append((torch.log(energy + _ENERGY_FLOOR) + 8) / 3)
            picture = functional.avg_pool2d(picture, 2)
        return torch.cat(energies, 1)

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the three maps apart."""
        found = self(picture)
        return found[:, :1], found[:, 1:2], found[:, 2:]


def _cosines() -> Tensor:
    """Return the (25, 1, 5, 5) products of cosines, from the slowest to the fastest.

    Filters that start from noise all see what is strongest in photos, the coarse; these start
    apart.
    """
    phase = torch.arange(5) + 0.5
    waves = torch.stack([torch.cos(torch.pi * k / 5 * phase) for k in range(5)])
    waves = waves / waves.norm(dim=1, keepdim=True)
    order = sorted((y + x, y, x) for y in range(5) for x in range(5))
    return torch.stack([torch.outer(waves[y], waves[x]) for _, y, x in order])[:, None]


def _separable(channels: int, kernel: int) -> nn.Sequential:
    depthwise = nn.Conv2d(channels, channels, kernel, 1, kernel // 2, groups=channels)
    return nn.Sequential(depthwise, nn.Conv2d(channels, channels, 1), nn.ReLU())
