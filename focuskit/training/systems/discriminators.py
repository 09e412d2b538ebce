"""Discriminators: they see a picture and a map of it, and say of each pixel whether it is real.

Neither their layers nor their losses' weights are public; the paper draws them as encoder and
decoder and lists the works below.

References:
    S. Jonna, M. Medhi, R. R. Sahay: Distill-DBDGAN. ACM TOMM 2023.
    A. Jolicoeur-Martineau: The relativistic discriminator. ICLR 2019.
    X. Mao et al.: Least squares generative adversarial networks. ICCV 2017.
    T. Miyato et al.: Spectral normalization for generative adversarial networks. ICLR 2018.
    M. Heusel et al.: GANs trained by a two time-scale update rule. NIPS 2017 (TTUR).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from focuskit.training.loop import Stateful
from focuskit.training.system_recipes import AdversarialRecipe

__all__ = ["Critic", "Discriminator", "discriminator_loss", "generator_loss"]

_WIDTHS = {"full": (32, 64, 128, 256), "small": (8, 16, 32, 64)}
# Small networks find nothing finer than half the picture's size, and so are judged there.
_STRIDES = {"full": 1, "small": 2}
_MOMENTA = (0.5, 0.999)
_SLOPE = 0.2


class Discriminator(nn.Module):
    """A U-Net of four levels over colours and a map.

    Args:
        size: "full", or "small": at half the picture's size, with a quarter of the channels.
        normalised: whether the spectral norm of every layer is kept at 1.
    """

    def __init__(self, size: str, *, normalised: bool) -> None:
        super().__init__()
        widths = _WIDTHS[size]
        self.stride = _STRIDES[size]
        self.down = nn.ModuleList(
            nn.Conv2d(channels, out, 3, 1 if level == 0 else 2, 1)
            for level, (channels, out) in enumerate(zip((4, *widths), widths, strict=False))
        )
        self.up = nn.ModuleList(
            nn.Conv2d(deep + fine, fine, 3, 1, 1)
            for deep, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], 1, 1)
        if normalised:
            for layer in (*self.down, *self.up, self.head):
                spectral_norm(layer)

    def forward(self, rgb: Tensor, probability: Tensor) -> Tensor:
        """Return (N, 1, h, w) logits that the map is real.

        Args:
            rgb: (N, 3, H, W) encoded sRGB in [0, 1], sides multiples of 16.
            probability: (N, 1, H, W) in [0, 1], the map to judge.
        """
        path = torch.cat([rgb * 2 - 1, probability * 2 - 1], 1)
        path = functional.avg_pool2d(path, self.stride)
        levels = []
        for layer in self.down:
            path = functional.leaky_relu(layer(path), _SLOPE)
            levels.append(path)
        for layer, fine in zip(self.up, levels[-2::-1], strict=True):
            path = functional.interpolate(path, scale_factor=2.0, mode="nearest")
            path = functional.leaky_relu(layer(torch.cat([path, fine], 1)), _SLOPE)
        logits: Tensor = self.head(path)
        return logits


class Critic:
    """A discriminator that learns beside a generator, four times as fast.

    Args:
        recipe: says what it minimises, how fast it learns, and of which size it is.
        number: of the critic; those of one task start from different weights.
    """

    def __init__(self, recipe: AdversarialRecipe, number: int) -> None:
        self.kind, self.steps = recipe.discriminator, recipe.steps
        self.rate = recipe.learning_rate * recipe.critic_rate_ratio
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed + number)
            self.network = Discriminator(recipe.configuration, normalised=recipe.spectral_norm)
        self.optimiser = torch.optim.Adam(self.network.parameters(), self.rate, betas=_MOMENTA)

    def companions(self, name: str) -> dict[str, Stateful]:
        """Return what a checkpoint must hold of it, by names that begin with `name`."""
        return {name: self.network, f"{name}_optimiser": self.optimiser}

    def judge(
        self, rgb: Tensor, real: Tensor, fake: Tensor, step: int
    ) -> tuple[Tensor, Mapping[str, float]]:
        """Learn from a batch, then return what the generator is to minimise.

        Args:
            rgb: (N, 3, H, W) pictures.
            real: (N, 1, H, W) maps in [0, 1] to be called real.
            fake: (N, 1, H, W) the generator's maps.
            step: of the training; the rate falls with it as the generator's does.

        Returns:
            The generator's loss and both losses' values, "generator" and "critic".
        """
        self.network.requires_grad_(True)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * (0.01 + 0.495 * (1 + math.cos(math.pi * step / self.steps)))
        loss = discriminator_loss(self.kind, *self._logits(rgb, real, fake.detach()))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        # The generator's loss must leave no gradients here.
        self.network.requires_grad_(False)
        judged = generator_loss(self.kind, *self._logits(rgb, real, fake))
        values = {"generator": float(judged.detach()), "critic": float(loss.detach())}
        return judged, values

    def _logits(self, rgb: Tensor, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(torch.cat([rgb, rgb]), torch.cat([real, fake])).float()
        one, other = logits.chunk(2)
        return one, other


def discriminator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """Return how badly logits tell real maps from the generator's.

    Args:
        kind: "relativistic" (average, least squares), "least-squares" or "plain" (cross-entropy).
        real: logits of real maps.
        fake: logits of the generator's.
    """
    if kind == "relativistic":
        # [prop] The average is over the pixels of the whole batch.
        return _relativistic(real, fake)
    if kind == "least-squares":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def generator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """Return how far the generator's maps are from being taken for real ones.

    Args:
        kind: as of `discriminator_loss`.
        real: logits of real maps; only the relativistic loss asks for them.
        fake: logits of the generator's.
    """
    if kind == "relativistic":
        return _relativistic(fake, real)
    if kind == "least-squares":
        return (fake - 1).square().mean() / 2
    return functional.softplus(-fake).mean()


def _relativistic(higher: Tensor, lower: Tensor) -> Tensor:
    above = (higher - lower.mean() - 1).square().mean()
    return (above + (lower - higher.mean() + 1).square().mean()) / 2
