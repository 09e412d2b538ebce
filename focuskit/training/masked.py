"""Teaching a probability map from photos with masks: what the published systems share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from focuskit.detect.maps import MapNetwork
from focuskit.training.augment import View, augment
from focuskit.training.example import Example, Pools
from focuskit.training.loop import Stateful
from focuskit.training.losses import Batch
from focuskit.training.metrics import PhotoScore, score_photo, summarise
from focuskit.training.recipe import Recipe
from focuskit.training.system_recipes import MaskedRecipe

__all__ = ["MaskTask", "drawn_batch", "mask_figures", "mask_scores"]

_SIZE = 320
_RESAMPLES = 10

Given = TypeVar("Given", bound=MaskedRecipe)
Network = TypeVar("Network", bound=MapNetwork)


class MaskTask(ABC, Generic[Given, Network]):
    """What the loop needs to train a system on photos with masks, but for its loss.

    Args:
        recipe: gives shares, batch, size and seed.
        training: examples by kind.
        validation: the same, held back.

    Raises:
        InputError: a kind of data that has a share is missing.
    """

    def __init__(self, recipe: Given, training: Pools, validation: Pools) -> None:
        recipe.drawn_shares(training)
        self.recipe = recipe
        self.training = training
        self.validation = validation

    def groups(self, network: Network) -> list[tuple[list[nn.Parameter], float]]:
        """Return the parameters of the backbone, which has learned before, and the others.

        The backbone is what the network calls so; one without has a single group.
        """
        backbone = getattr(network, "backbone", None)
        held = list(backbone.parameters()) if isinstance(backbone, nn.Module) else []
        known = {id(parameter) for parameter in held}
        rest = [p for p in network.parameters() if id(p) not in known]
        groups = [(held, self.recipe.encoder_share), (rest, 1.0)]
        return [(parameters, share) for parameters, share in groups if parameters]

    def batch(self, step: int) -> Batch:
        """Return the batch of a step; every step draws from its own seed."""
        recipe = self.recipe
        return drawn_batch(recipe, self.training, step, count=recipe.batch, hard=recipe.hard)

    @abstractmethod
    def loss(
        self, network: Network, batch: Batch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a step's batch, which is on the CPU, and its terms for the log."""

    def validate(self, network: Network) -> dict[str, float]:
        """Return the figures on the photos with masks that were held back."""
        return mask_figures(network, self.validation.get("cuhk", ()))

    def prepare(self, device: torch.device) -> None:
        """Make the companions ready for a device; there are none here."""
        return

    def companions(self) -> Mapping[str, Stateful]:
        """Return what the checkpoint holds beside the network; nothing here."""
        return {}


def drawn_batch(recipe: Recipe, pools: Pools, step: int, *, count: int, hard: float) -> Batch:
    """Return random views of random examples, decided by the recipe's seed and the step.

    Args:
        recipe: gives shares, size and seed.
        pools: examples by kind.
        step: number of the batch.
        count: views in it.
        hard: weight of hard regions.

    Raises:
        InputError: a kind of data that has a share is missing.
    """
    rng = np.random.default_rng([recipe.seed, step])
    shares = recipe.drawn_shares(pools)
    views = []
    for kind in rng.choice(list(shares), size=count, p=list(shares.values())):
        pool = pools[str(kind)]
        example = pool[int(rng.integers(len(pool)))]
        views.append(augment(example, rng, recipe.size, hard=hard))
    return _stacked(views)


def mask_figures(network: MapNetwork, photos: Sequence[Example]) -> dict[str, float]:
    """Judge a network whose first map is the in-focus probability, at 320×320.

    Args:
        network: put into evaluation, where it stays.
        photos: with masks; none of them gives no figures.
    """
    scores = mask_scores(network, photos)
    if not scores:
        return {}
    summary = summarise(scores, resamples=_RESAMPLES)
    return {
        "f_max": summary.f_max.value,
        "f_ada": summary.f_adaptive.value,
        "f_blur": summary.f_blur.value,
        "mae": summary.mae.value,
        "auc": summary.auc.value,
    }


def mask_scores(network: MapNetwork, photos: Sequence[Example]) -> list[PhotoScore]:
    """Judge such a network on each of the photos by itself, at 320×320.

    Args:
        network: put into evaluation, where it stays.
        photos: with masks.
    """
    network.eval()
    return [score_photo(_probability(network, photo), photo.in_focus > 0.5) for photo in photos]


def _probability(network: MapNetwork, photo: Example) -> NDArray[np.float32]:
    """Return (H, W) in [0, 1] at the mask's own size."""
    small = cv2.resize(photo.rgb, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)
    picture = torch.from_numpy(small.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.inference_mode():
        found = network.maps(picture.to(next(network.parameters()).device))[0]
    height, width = photo.in_focus.shape
    found_map = found[0, 0].float().cpu().numpy()
    large = cv2.resize(found_map, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.asarray(large, np.float32), 0, 1)


def _stacked(views: Sequence[View]) -> Batch:
    rgb = np.stack([view.rgb for view in views]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    in_focus, weight, coc = (
        torch.from_numpy(np.stack([getattr(view, name) for view in views])[:, None])
        for name in ("in_focus", "weight", "coc_diameter_px")
    )
    return Batch(torch.from_numpy(rgb), in_focus, weight, torch.log2(1 + coc))
