"""Teaching R-DBD: photos beside copies with two patches swapped, whose maps must agree."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from focuskit.detect.systems.rdbd import Rdbd, RdbdConfig, RdbdOutputs
from focuskit.training.kinds import Kind, no_backbone
from focuskit.training.losses import Batch, cross_entropy, overlap, swap, swap_patches
from focuskit.training.masked import MaskTask, drawn_batch
from focuskit.training.system_recipes import RdbdRecipe

__all__ = ["KIND", "RdbdTask", "fresh_network"]


class RdbdTask(MaskTask[RdbdRecipe, Rdbd]):
    """What the loop needs to train an R-DBD.

    Swapped copies count as pictures of the batch, where the paper adds them to it: so a step costs
    the same with and without them.
    """

    def batch(self, step: int) -> Batch:
        """Return the pictures of a step whose copies `loss` makes."""
        recipe = self.recipe
        count = recipe.batch // 2 if recipe.swap_side else recipe.batch
        return drawn_batch(recipe, self.training, step, count=count, hard=recipe.hard)

    def loss(
        self, network: Rdbd, batch: Batch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch and its terms.

        Both sides of the cross-entropy count, where the paper prints the positive one only, and the
        soft intersection over union, which it lacks.
        """
        recipe = self.recipe
        batch = batch.map(lambda x: x.to(device))
        if not recipe.swap_side:
            logits = _logits(network, batch.rgb)
            return self._masks(logits, batch)
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        swapped, boxes = swap_patches(batch, generator, recipe.swap_side)
        # In one batch, so that both are normalised by the same statistics.
        straight, other = _logits(network, torch.cat([batch.rgb, swapped.rgb])).chunk(2)
        mask, terms = self._masks(straight, batch)
        copies, of_copies = self._masks(other, swapped)
        agree = (swap(torch.sigmoid(straight), boxes) - torch.sigmoid(other)).abs().mean()
        terms |= {f"swapped_{name}": value for name, value in of_copies.items()}
        terms["consistency"] = float(agree.detach())
        return mask + copies + recipe.self_supervision * agree, terms

    def _masks(self, logits: Tensor, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        mask = cross_entropy(logits, batch.in_focus, batch.weight)
        shared = overlap(logits, batch.in_focus, batch.weight)
        terms = {"mask": float(mask.detach()), "overlap": float(shared.detach())}
        return mask + self.recipe.overlap * shared, terms


def fresh_network(recipe: RdbdRecipe) -> Rdbd:
    """Return a network of the recipe's variant, random but for the seed."""
    torch.manual_seed(recipe.seed)
    size = cast(Literal["small", "full"], recipe.configuration)
    return Rdbd(RdbdConfig(size, recipe.gradients))


def _initial(recipe: RdbdRecipe, data: Path, backbone: Path | None) -> Rdbd:
    # As the paper: it learns from nothing but photos with masks.
    no_backbone(recipe, backbone)
    return fresh_network(recipe)


def _facts(network: Rdbd, task: RdbdTask) -> dict[str, Any]:
    return {"network": asdict(network.config)}


KIND: Kind[RdbdRecipe, Rdbd] = Kind(
    make_task=RdbdTask,
    fresh=fresh_network,
    initial=_initial,
    origin=lambda recipe: "random weights",
    facts=_facts,
    graph=False,
)
"""How an R-DBD is trained."""


def _logits(network: Rdbd, rgb: Tensor) -> Tensor:
    outputs: RdbdOutputs = network(rgb.contiguous(memory_format=torch.channels_last))
    return outputs.in_focus
