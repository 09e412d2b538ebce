"""Teaching FocusNet: where it is in focus, from photos with masks, and the size of the blur."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from focuskit.detect.network import Encoder, FocusNet, NetworkConfig
from focuskit.detect.weights import first_line
from focuskit.errors import InputError
from focuskit.training.example import Example, Pools
from focuskit.training.kinds import Kind
from focuskit.training.loop import Task
from focuskit.training.losses import Batch, LossWeights, consistency, loss_of, swap_patches
from focuskit.training.masked import drawn_batch
from focuskit.training.recipes import FocusRecipe
from focuskit.training.validation import Validation

__all__ = ["KIND", "FocusTask", "fresh_network", "initialise", "learned_encoder", "usual_pictures"]

_ENCODER = Path("init") / "mobilenet_v2_imagenet.npz"

# Gains and offset of the logits: of the first look alone, of the first and the close one. Chosen
# on the held-back photos of CUHK; larger gains lower the error but spoil the calibration.
_FUSION = {"first": [1.6, 0.0], "both": [1.17, 0.52, 0.0]}

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
class FocusTask(Task[FocusNet, Batch]):
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
        count = recipe.batch // 2 if self._swaps(step) else recipe.batch
        return drawn_batch(recipe, self.training, step, count=count, hard=recipe.hard)

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


def learned_encoder(data: Path, file: Path | None = None) -> Encoder:
    """Return FocusNet's encoder as it learned on ImageNet, for other small networks to start from.

    Args:
        data: folder with the data sets, whose archive is taken where no file is given.
        file: archive as `initialise` takes it, or None.

    Raises:
        InputError: the archive is missing or does not fit.
    """
    return initialise(FocusRecipe(), file or data / _ENCODER).encoder


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


def _initial(recipe: FocusRecipe, data: Path, backbone: Path | None) -> FocusNet:
    return initialise(recipe, backbone or data / _ENCODER)


def _facts(network: FocusNet, task: FocusTask) -> dict[str, Any]:
    return {"network": asdict(network.config), "fusion": _FUSION}


KIND: Kind[FocusRecipe, FocusNet] = Kind(
    make_task=FocusTask,
    fresh=fresh_network,
    initial=_initial,
    origin=lambda recipe: "ImageNet encoder",
    facts=_facts,
    pictures=lambda pools: usual_pictures(pools.get("cuhk", ())),
)
"""How a FocusNet is trained."""


def _fill(parameter: Tensor, archive: Mapping[str, NDArray[np.float32]], name: str) -> None:
    values = torch.from_numpy(archive[name])
    # Copying would spread a single number over all of them.
    if values.shape != parameter.shape:
        wanted, found = tuple(parameter.shape), tuple(values.shape)
        raise ValueError(f"{name} is of shape {found}, expected {wanted}")
    parameter.copy_(values)


def _forward(network: FocusNet, rgb: Tensor) -> Any:
    return network(rgb.contiguous(memory_format=torch.channels_last))
