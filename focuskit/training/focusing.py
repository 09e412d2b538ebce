"""Teaching FocusNet: where it is in focus, from photos with masks, and the size of the blur."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from focuskit.detect.network import FocusNet, NetworkConfig
from focuskit.detect.weights import first_line
from focuskit.errors import InputError
from focuskit.training.augment import View, augment
from focuskit.training.example import Example, Pools
from focuskit.training.losses import Batch, LossWeights, consistency, loss_of, swap_patches
from focuskit.training.recipes import FocusRecipe
from focuskit.training.validation import Validation

__all__ = ["FocusTask", "fresh_network", "initialise", "usual_pictures"]

_PATCH_SIDES = (32, 64, 96)
_USUAL_SIDE, _USUAL_PICTURES = 320, 50

# What numpy raises of archives that are damaged or not what they should be.
_NO_ARCHIVE = (
    EOFError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class FocusTask:
    """What the loop needs to train a FocusNet.

    Attributes:
        recipe: gives shares, batch, size, seed and the weights of the loss.
        training: examples by kind.
        validation: the same, held back.

    Raises:
        InputError: a kind of data that has a share is missing.
    """

    recipe: FocusRecipe
    training: Pools
    validation: Pools

    def __post_init__(self) -> None:
        self.recipe.drawn_shares(self.training)

    def groups(self, network: FocusNet) -> list[tuple[list[nn.Parameter], float]]:
        """Return the parameters of the encoder, which has learned before, and the others."""
        encoder = list(network.encoder.parameters())
        held = {id(parameter) for parameter in encoder}
        rest = [p for p in network.parameters() if id(p) not in held]
        return [(encoder, self.recipe.encoder_share), (rest, 1.0)]

    def batch(self, step: int) -> Batch:
        """Return the batch of a step; every step draws from its own seed."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, step])
        shares = recipe.drawn_shares(self.training)
        count = recipe.batch // 2 if self._swaps(step) else recipe.batch
        views = []
        for kind in rng.choice(list(shares), size=count, p=list(shares.values())):
            pool = self.training[str(kind)]
            example = pool[int(rng.integers(len(pool)))]
            views.append(augment(example, rng, recipe.size, hard=recipe.hard))
        return _stacked(views)

    def loss(
        self, network: FocusNet, batch: Batch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch and its terms; at some steps with patches swapped."""
        weights = LossWeights(overlap=self.recipe.overlap, side=self.recipe.side)
        batch = batch.map(lambda x: x.to(device))
        if not self._swaps(step):
            return loss_of(_forward(network, batch.rgb), batch, weights)
        generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + step)
        side = min(_PATCH_SIDES[step % len(_PATCH_SIDES)], self.recipe.size // 2)
        swapped, boxes = swap_patches(batch, generator, side)
        straight, other = _forward(network, batch.rgb), _forward(network, swapped.rgb)
        one, terms = loss_of(straight, batch, weights)
        two, _ = loss_of(other, swapped, weights)
        agree = consistency(straight, other, boxes)
        terms["consistency"] = float(agree.detach())
        return (one + two) / 2 + self.recipe.consistency * agree, terms

    def validate(self, network: FocusNet) -> dict[str, float]:
        """Return the figures on what was held back."""
        return Validation(self.validation)(network)

    def _swaps(self, step: int) -> bool:
        # Spread evenly: true whenever the running total passes a whole number.
        return int((step + 1) * self.recipe.swap) > int(step * self.recipe.swap)


def fresh_network(recipe: FocusRecipe) -> FocusNet:
    """Return a network of the recipe's variant, random but for the seed."""
    torch.manual_seed(recipe.seed)
    return FocusNet(NetworkConfig(recipe.width, recipe.high_frequency))


def initialise(recipe: FocusRecipe, encoder: Path) -> FocusNet:
    """Return a network with random heads and the encoder of an ImageNet archive.

    Args:
        recipe: gives the seed and the network's variant.
        encoder: .npz with "convNN.weight" and "convNN.bias", NN counting from 00.

    Raises:
        InputError: the archive is missing or does not fit.
    """
    network = fresh_network(recipe)
    try:
        with encoder.open("rb") as file, np.load(file) as archive, torch.no_grad():
            for index, layer in enumerate(network.encoder.convolutions()):
                _fill(layer.weight, archive, f"conv{index:02}.weight")
                if layer.bias is not None:
                    _fill(layer.bias, archive, f"conv{index:02}.bias")
    except _NO_ARCHIVE as exc:
        raise InputError(
            f"{encoder} does not hold the encoder to start from ({first_line(exc)}); it should be "
            "a .npz with conv00.weight, conv00.bias and so on."
        ) from exc
    return network


def usual_pictures(photos: Sequence[Example]) -> list[NDArray[np.float32]]:
    """Return what the network sees of about fifty photos, (1, 3, 320, 320) in [0, 1] each."""
    size = (_USUAL_SIDE, _USUAL_SIDE)
    pictures = [
        cv2.resize(photo.rgb, size, interpolation=cv2.INTER_AREA)
        for photo in photos[:: max(1, len(photos) // _USUAL_PICTURES)]
    ]
    return [
        np.ascontiguousarray(each.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        for each in pictures
    ]


def _fill(parameter: Tensor, archive: Mapping[str, NDArray[np.float32]], name: str) -> None:
    values = torch.from_numpy(archive[name])
    # Copying would spread a single number over all of them.
    if values.shape != parameter.shape:
        wanted, found = tuple(parameter.shape), tuple(values.shape)
        raise ValueError(f"{name} is of shape {found}, expected {wanted}")
    parameter.copy_(values)


def _forward(network: FocusNet, rgb: Tensor) -> Any:
    return network(rgb.contiguous(memory_format=torch.channels_last))


def _stacked(views: Sequence[View]) -> Batch:
    rgb = np.stack([view.rgb for view in views]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    in_focus, weight, coc = (
        torch.from_numpy(np.stack([getattr(view, name) for view in views])[:, None])
        for name in ("in_focus", "weight", "coc_diameter_px")
    )
    return Batch(torch.from_numpy(rgb), in_focus, weight, torch.log2(1 + coc))
