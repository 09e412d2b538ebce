"""The networks that tell whether pictures are alike in sharpness, and their contrastive loss.

Reference:
    M2CS: multi-patch contrastive similarity; see `focuskit.detect.systems.m2cs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.errors import RangeError

__all__ = [
    "PATCH_SIDES",
    "GlobalNet",
    "LocalNet",
    "contrastive_loss",
    "detail_of",
    "seen_of",
    "similarity_networks",
]

PATCH_SIDES = (32, 64, 96, 128)
"""Sides of the patches that are compared, in pixels."""

# After the first and after the second convolution: what is left of every patch is 8×8 pixels.
_POOLS = {32: (2, 2), 64: (2, 4), 96: (3, 4), 128: (4, 4)}
_LEFT = 8
_GRID_PX = 16
_EMBEDDING, _GLOBAL_EMBEDDING = 256, 512
_FULL_TRUNK = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_SMALL_TRUNK = ((1, 16), (1, 32), (1, 48), (1, 64), (1, 64))

Size = Literal["small", "full"]


class LocalNet(nn.Module):
    """Embeds every patch of a grid.

    The full one cuts the patches out before anything else, every 16 pixels, as the paper does. The
    small one convolves the whole picture and cuts afterwards, which saves nine tenths of the work:
    a patch then sees a few pixels beyond its border, not zeros, and the grid is a multiple of
    what the network halves by (16 pixels, 24 for patches of 96).
    """

    def __init__(self, side_px: int, size: Size) -> None:
        super().__init__()
        first, second = _POOLS[side_px]
        self.side_px, self.size = side_px, size
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 5, 1, 2),
            nn.ReLU(),
            nn.MaxPool2d(first),
            nn.Conv2d(8, 16, 5, 1, 2),
            nn.ReLU(),
            nn.MaxPool2d(second),
            nn.Dropout(0.5),
        )
        # A linear layer on the flattened patch, written as the convolution that it is.
        step = max(1, round(_GRID_PX / (first * second) + 0.49))
        self.embed = nn.Conv2d(16, _EMBEDDING, _LEFT, step)

    def forward(self, picture: Tensor) -> Tensor:
        """Return the (N, L, 256) embeddings of the L patches of (N, 3, H, W) of `seen_of`."""
        if self.size == "small":
            embedded: Tensor = self.embed(self.layers(picture))
            return embedded.flatten(2).transpose(1, 2)
        side = self.side_px
        patches = functional.unfold(picture, side, stride=_GRID_PX).transpose(1, 2)
        count = patches.shape[:2]
        patches = patches.reshape(-1, 3, side, side)
        flat: Tensor = self.embed(self.layers(patches)).flatten(1)
        return flat.reshape(*count, -1)


class GlobalNet(nn.Module):
    """Embeds whole pictures of one size: five halvings, then one layer of everything with all.

    The full one is VGG16 with batch normalisation; the small one has one convolution per stage, the
    first of which halves too.
    """

    def __init__(self, picture_px: int, size: Size) -> None:
        super().__init__()
        self.size = size
        layers: list[nn.Module] = []
        channels = 3
        for stage, (count, out) in enumerate(_FULL_TRUNK if size == "full" else _SMALL_TRUNK):
            halves = size == "small" and stage == 0
            for _ in range(count):
                step = 2 if halves else 1
                layers += [nn.Conv2d(channels, out, 3, step, 1), nn.BatchNorm2d(out), nn.ReLU()]
                channels = out
            if not halves:
                layers.append(nn.MaxPool2d(2))
        self.trunk = nn.Sequential(*layers)
        width = _GLOBAL_EMBEDDING if size == "full" else _EMBEDDING
        inputs = channels * (picture_px // 32) ** 2
        self.embed = nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU())

    def forward(self, picture: Tensor) -> Tensor:
        """Return the (N, 1, E) embeddings of (N, 3, H, W) of `seen_of`."""
        embedded: Tensor = self.embed(self.trunk(picture).flatten(1))
        return embedded[:, None]


def seen_of(picture: Tensor, size: Size) -> Tensor:
    """Return what the networks of a size see of (N, 3, H, W) pictures in [-1, 1].

    Small ones see the detail alone: what a thing is made of and how bright it is does not tell
    whether it is sharp, and to learn that takes thousands of steps.
    """
    if size == "full":
        return picture
    return detail_of(picture).contiguous(memory_format=torch.channels_last)


def detail_of(picture: Tensor) -> Tensor:
    """Return the differences of (N, 3, H, W) from their means over 3×3 pixels, eight times."""
    return 8 * (picture - functional.avg_pool2d(picture, 3, 1, 1, count_include_pad=False))


def similarity_networks(
    picture_px: int, size: Size, *, patch_sides: Sequence[int], whole: bool
) -> nn.ModuleDict:
    """Return the networks by name, all with random weights.

    Args:
        picture_px: side of the pictures that will be compared.
        size: of the networks.
        patch_sides: some of `PATCH_SIDES`; "local32" and so on.
        whole: whether there is one for whole pictures, "global".

    Raises:
        RangeError: a patch is larger than the pictures.
    """
    networks: dict[str, nn.Module] = {}
    for side in patch_sides:
        if side > picture_px:
            raise RangeError(f"Patches of {side} px do not fit pictures of {picture_px} px.")
        networks[f"local{side}"] = LocalNet(side, size)
    if whole:
        networks["global"] = GlobalNet(picture_px, size)
    # Colours lie side by side in memory: these layers are faster so.
    found = nn.ModuleDict(networks)
    return found.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def contrastive_loss(
    clear: Tensor,
    blurred: Tensor,
    *,
    temperature: float = 1.0,
    aligned_negatives: bool = False,
) -> Tensor:
    """Return how far embeddings are from two groups that lie apart.

    At each of L positions, with S the sum of exp(cos / temperature) over all ordered pairs within a
    group and U that over the pairs between them, it is -log S/(S + U) of both groups together.

    Args:
        clear: (K, L, E) embeddings of what is sharp all over, real and composite.
        blurred: (K, L, E) of what is blurred all over.
        temperature: the paper's is 1.
        aligned_negatives: take for U only the pairs of the same index, each K times, as the
            released program does; the formula asks for all.
    """
    clear, blurred = (functional.normalize(x.float(), dim=-1) for x in (clear, blurred))
    across = (torch.einsum("ild,jld->lij", clear, blurred) / temperature).exp()
    if aligned_negatives:
        apart = len(clear) * across.diagonal(dim1=1, dim2=2).sum(1)
    else:
        apart = across.sum((1, 2))
    loss = clear.new_zeros(())
    for group in (clear, blurred):
        within = (torch.einsum("ild,jld->lij", group, group) / temperature).exp()
        alike = within.sum((1, 2)) - within.diagonal(dim1=1, dim2=2).sum(1)
        loss = loss - torch.log(alike / (alike + apart)).mean()
    return loss
