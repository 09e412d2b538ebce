"""Teaching DeFusionNET: every level's map at every step is judged, and the map fused from them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.nn import functional

from focuskit.detect.backbones import load_backbone
from focuskit.detect.network import Encoder
from focuskit.detect.systems.defusionnet import DeFusionConfig, DeFusionNet, DeFusionOutputs
from focuskit.training.focusing import learned_encoder
from focuskit.training.kinds import Kind
from focuskit.training.losses import Batch, cross_entropy, overlap, shrunk
from focuskit.training.masked import MaskTask
from focuskit.training.system_recipes import DefusionRecipe

__all__ = ["KIND", "DefusionTask", "deep_supervision", "fresh_network"]


class DefusionTask(MaskTask[DefusionRecipe, DeFusionNet]):
    """What the loop needs to train a DeFusionNET on photos with masks."""

    def loss(
        self, network: DeFusionNet, batch: Batch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a step's batch, which is on the CPU, and its terms for the log."""
        batch = batch.map(lambda x: x.to(device))
        outputs = network(batch.rgb.contiguous(memory_format=torch.channels_last))
        return deep_supervision(outputs, batch, self.recipe.overlap)


def deep_supervision(
    outputs: DeFusionOutputs, batch: Batch, overlap_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """Return the sum of 1 + 6t cross-entropies, all of the same weight, and its terms.

    The paper sums each of them over the pixels, where this takes their weighted mean: at its
    320×320 pixels and 10⁻⁸ per step, that is a learning rate of about 10⁻³. Maps that are smaller
    than the picture are judged at their own size by the means of the truth; only the fused one,
    which ships, is judged at the picture's, and by its soft intersection over union besides, which
    the paper lacks.

    Args:
        outputs: of the network for N pictures of the batch.
        batch: their truth and the weights of its pixels.
        overlap_weight: of the soft intersection over union, per cross-entropy.
    """
    size = batch.in_focus.shape[-2:]
    enlarged = functional.interpolate(
        outputs.in_focus, size=list(size), mode="bilinear", align_corners=False
    )
    fused = cross_entropy(enlarged, batch.in_focus, batch.weight)
    target, weight = shrunk(batch, outputs.side.shape[-2:])
    side = cross_entropy(
        outputs.side, target.expand_as(outputs.side), weight.expand_as(outputs.side)
    )
    shared = overlap(enlarged, batch.in_focus, batch.weight)
    maps = 1 + outputs.side.shape[1]
    terms = {
        "fused": float(fused.detach()),
        "overlap": float(shared.detach()),
        "side": float(side.detach()),
    }
    return fused + (maps - 1) * side + maps * overlap_weight * shared, terms


def fresh_network(recipe: DefusionRecipe) -> DeFusionNet:
    """Return a network of the recipe's variant, random but for the seed."""
    torch.manual_seed(recipe.seed)
    return DeFusionNet(
        DeFusionConfig(
            size=cast(Literal["small", "full"], recipe.configuration),
            steps=recipe.steps_recurrent,
            ffrm=recipe.ffrm,
            cam=recipe.cam,
            fam=recipe.fam,
        )
    )


def _initial(recipe: DefusionRecipe, data: Path, backbone: Path | None) -> DeFusionNet:
    network = fresh_network(recipe)
    if isinstance(network.backbone, Encoder):
        learned = learned_encoder(data, backbone)
        network.backbone.load_state_dict(learned.state_dict())
    elif backbone is not None:
        load_backbone(network.backbone, backbone)
    return network


def _origin(recipe: DefusionRecipe) -> str:
    return "ImageNet encoder" if recipe.configuration == "small" else "random weights"


def _facts(network: DeFusionNet, task: DefusionTask) -> dict[str, Any]:
    return {"network": asdict(network.config)}


KIND: Kind[DefusionRecipe, DeFusionNet] = Kind(
    make_task=DefusionTask,
    fresh=fresh_network,
    initial=_initial,
    origin=_origin,
    facts=_facts,
    graph=False,
)
"""How a DeFusionNET is trained."""
