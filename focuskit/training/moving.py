"""Teaching MotionNet: boxes whose blur is known, rendered when they are first drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.motion import log_spectrum
from focuskit.detect.motion_network import MotionNet
from focuskit.errors import InputError
from focuskit.training.example import Example, Pools
from focuskit.training.kinds import Kind, no_backbone
from focuskit.training.loop import Task
from focuskit.training.moved_boxes import BOX_KINDS, MOVED_KINDS, render_box
from focuskit.training.recipes import MotionRecipe
from focuskit.training.textures import sharp_textures

__all__ = ["KIND", "MotionBatch", "MotionTask", "fresh_network"]

Map = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# One photo in so many is kept from training.
_HELD_BACK = 8
_PER_PHOTO = 3
_LEAST_SIDE_PX = 150
_JUDGED = 80
# Contrast and brightness shift the logarithm of all power alike.
_GAIN = 0.3
_TEXTURES, _BOXES, _HELD_BOXES, _STEPS = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class MotionBatch:
    """Tensors of N boxes.

    Attributes:
        spectrum: (N, 1, 64, 32) logarithms of power, see `log_spectrum`.
        moved: (N,) 1 = it moved, 0 = not.
    """

    spectrum: Tensor
    moved: Tensor


class MotionTask(Task[MotionNet, MotionBatch]):
    """What the loop needs to train a MotionNet.

    Args:
        recipe: gives the number of boxes, batch, size and seed.
        training: examples by kind: of "cuhk" crisp textures are used, of every eighth photo for
            `validate` alone.
        validation: not looked at: the photos in it are what culling is judged on.

    Raises:
        InputError: "cuhk" is missing, or there is nothing crisp in it.
    """

    def __init__(self, recipe: MotionRecipe, training: Pools, validation: Pools) -> None:
        recipe.drawn_shares(training)
        self.recipe = recipe
        photos = training["cuhk"]
        held = photos[::_HELD_BACK]
        taught = [photo for at, photo in enumerate(photos) if at % _HELD_BACK]
        self._textures, self._held = (
            _textures(each, np.random.default_rng([recipe.seed, _TEXTURES, number]))
            for number, each in enumerate((taught, held))
        )
        if not (self._textures and self._held):
            raise InputError(
                "The photos with masks have too few crisp parts to render boxes from; give more of "
                "them."
            )
        self._boxes: dict[int, tuple[Map, bool]] = {}
        self._judged: dict[str, Tensor] = {}

    def groups(self, network: MotionNet) -> list[tuple[list[nn.Parameter], float]]:
        """Return the parameters with their shares of the learning rate."""
        return [(list(network.parameters()), 1.0)]

    def batch(self, step: int) -> MotionBatch:
        """Return the batch of a step; every step draws from its own seed."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, _STEPS, step])
        drawn = [self._box(int(each)) for each in rng.integers(recipe.boxes, size=recipe.batch)]
        spectra = np.stack([_mirrored(each) if rng.random() < 0.5 else each for each, _ in drawn])
        gain = rng.normal(0, _GAIN, (recipe.batch, 1, 1)).astype(np.float32)
        moved = np.array([moved for _, moved in drawn], np.float32)
        return MotionBatch(torch.from_numpy((spectra + gain)[:, None]), torch.from_numpy(moved))

    def loss(
        self, network: MotionNet, batch: MotionBatch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the cross-entropy, and the share of boxes judged rightly."""
        logits = network(batch.spectrum.to(device)).float().flatten()
        moved = batch.moved.to(device)
        loss = functional.binary_cross_entropy_with_logits(logits, moved)
        right = float(((logits.detach() > 0) == (moved > 0)).float().mean())
        return loss, {"right": right}

    def validate(self, network: MotionNet) -> dict[str, float]:
        """Return the share of boxes judged rightly by kind, from photos that were held back.

        Also the share of boxes in focus that are called motion.
        """
        network.eval()
        device = next(network.parameters()).device
        figures, in_focus = {}, []
        for number, kind in enumerate(BOX_KINDS):
            if kind not in self._judged:
                self._judged[kind] = self._rendered(kind, number)
            with torch.inference_mode():
                called = network(self._judged[kind].to(device)).flatten() > 0
            share = float(called.float().mean())
            figures[f"{kind}_right"] = share if kind in MOVED_KINDS else 1 - share
            in_focus += [share] if kind.endswith("sharp") else []
        return figures | {"sharp_called": float(np.mean(in_focus))}

    def _box(self, number: int) -> tuple[Map, bool]:
        """Return the spectrum of a box, and whether it moved; whoever asks, it is the same one."""
        if number not in self._boxes:
            rng = np.random.default_rng([self.recipe.seed, _BOXES, number])
            kind = str(rng.choice(list(BOX_KINDS), p=list(BOX_KINDS.values())))
            box = render_box(kind, self._textures, self.recipe.size, rng)
            self._boxes[number] = log_spectrum(box), kind in MOVED_KINDS
        return self._boxes[number]

    def _rendered(self, kind: str, number: int) -> Tensor:
        rng = np.random.default_rng([self.recipe.seed, _HELD_BOXES, number])
        size = self.recipe.size
        spectra = [log_spectrum(render_box(kind, self._held, size, rng)) for _ in range(_JUDGED)]
        return torch.from_numpy(np.stack(spectra)[:, None])


def fresh_network(recipe: MotionRecipe) -> MotionNet:
    """Return a network, random but for the seed."""
    torch.manual_seed(recipe.seed)
    return MotionNet(recipe.width)


def _initial(recipe: MotionRecipe, data: Path, backbone: Path | None) -> MotionNet:
    no_backbone(recipe, backbone)
    return fresh_network(recipe)


def _facts(network: MotionNet, task: MotionTask) -> dict[str, Any]:
    return {"network": {"width": network.width}}


KIND: Kind[MotionRecipe, MotionNet] = Kind(
    make_task=MotionTask,
    fresh=fresh_network,
    initial=_initial,
    origin=lambda recipe: "random weights",
    facts=_facts,
)
"""How a MotionNet is trained."""


def _textures(photos: Iterable[Example], rng: np.random.Generator) -> list[Pixels]:
    pairs = [(photo.rgb, photo.in_focus > 0.5) for photo in photos]
    return sharp_textures(pairs, rng, per_photo=_PER_PHOTO, min_side_px=_LEAST_SIDE_PX)


def _mirrored(spectrum: Map) -> Map:
    """Return the spectrum of the same box seen in a mirror."""
    # Frequency 0 lies one row below the middle.
    return np.roll(spectrum[::-1], 1, axis=0)
