"""Teaching M2CS where it is in focus, from photos of which nobody says it.

A mask is good if a photo's masked part, completed by a sharp picture, looks sharp all over, and the
rest of it, completed by a blurred one, blurred all over. What that looks like the similarity
networks have learned from pools of sharp and of blurred pictures. Of the examples only the pictures
are read: masks that are held back judge the result, and teach nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.systems.m2cs import M2csConfig, M2csNet, M2csOutputs
from focuskit.training.example import Pools
from focuskit.training.focusing import learned_encoder
from focuskit.training.kinds import Kind, no_backbone
from focuskit.training.loop import Stateful
from focuskit.training.masked import mask_figures
from focuskit.training.system_recipes import M2csRecipe
from focuskit.training.systems.pools import (
    FocusPools,
    make_pools,
    random_crop,
    random_masks,
    random_view,
)
from focuskit.training.systems.similarity import (
    Size,
    contrastive_loss,
    seen_of,
    similarity_networks,
)

__all__ = ["KIND", "M2csBatch", "M2csTask", "coverage_loss", "fresh_network"]

# Streams of chance beside that of the batches, which are numbered by their step.
_POOL_STREAM, _WEIGHT_STREAM = 1, 2
# Share of the steps after pre-training in which the price of staying undecided rises to 1, which it
# is from the start in the paper, with far smaller steps.
_DECIDED_AFTER = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class M2csBatch:
    """Tensors of N unlabelled photos and what completes them, all encoded sRGB in [0, 1].

    Attributes:
        photos: (N, 3, S, S); none of them while the similarity networks learn alone.
        clear: (3N, 3, S, S) sharp all over: N to complete, N to compare with, N to mix these with.
        blurred: (3N, 3, S, S) blurred all over, likewise.
        masks: (2N, 1, S, S) random masks in place of what a network finds, while they learn alone.
    """

    photos: Tensor
    clear: Tensor
    blurred: Tensor
    masks: Tensor

    def map(self, function: Callable[[Tensor], Tensor]) -> M2csBatch:
        """Return the batch with `function` applied to each tensor."""
        return M2csBatch(
            function(self.photos),
            function(self.clear),
            function(self.blurred),
            function(self.masks),
        )


class M2csTask:
    """What the loop needs to train an M2csNet.

    In the first part of the steps, `pretrain`, only the similarity networks learn, from the pools
    alone; then only the mask network; in the last part, `alternate`, both by turns. At steps of the
    similarity networks the loss does not depend on the mask network, which the loop's optimiser
    then leaves as it is.

    Args:
        recipe: decides everything but the data.
        training: of "cuhk" (or another kind with a share) the pictures; of "sharp" the pictures,
            which are sharp all over.
        validation: photos with masks, to judge by.

    Raises:
        InputError: a kind of data that has a share is missing, or there are no sharp pictures.
    """

    def __init__(self, recipe: M2csRecipe, training: Pools, validation: Pools) -> None:
        self.recipe = recipe
        self.shares = recipe.drawn_shares(training)
        self.photos = {kind: [e.rgb for e in training[kind]] for kind in self.shares}
        self.validation = validation
        self.pools: FocusPools = make_pools(
            [example.rgb for example in training.get("sharp", ())],
            np.random.default_rng([recipe.seed, _POOL_STREAM]),
            count=recipe.pool,
            side_px=recipe.size,
        )
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed + _WEIGHT_STREAM)
            self.similarity = similarity_networks(
                recipe.size,
                cast(Size, recipe.configuration),
                patch_sides=recipe.patch_sides,
                whole=recipe.global_similarity,
            )
        self.optimiser = torch.optim.Adam(self.similarity.parameters(), recipe.similarity_rate)
        self._pretrained = round(recipe.pretrain * recipe.steps)
        self._alternate_from = recipe.steps - round(recipe.alternate * recipe.steps)

    def groups(self, network: M2csNet) -> list[tuple[list[nn.Parameter], float]]:
        """Return the parameters of the encoder and the others; the full one has learned nothing."""
        learned_before = network.config.size == "small"
        return [
            (list(network.backbone.parameters()), self.recipe.encoder_share**learned_before),
            (list(network.decoder.parameters()), 1.0),
        ]

    def prepare(self, device: torch.device) -> None:
        """Move the similarity networks to a device."""
        self.similarity.to(device)

    def companions(self) -> Mapping[str, Stateful]:
        """Return the similarity networks and their optimiser."""
        return {"similarity": self.similarity, "similarity_optimiser": self.optimiser}

    def validate(self, network: M2csNet) -> dict[str, float]:
        """Return the figures on the photos with masks that were held back."""
        return mask_figures(network, self.validation.get("cuhk", ()))

    def batch(self, step: int) -> M2csBatch:
        """Return the batch of a step; every step draws from its own seed."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, 0, step])
        count, size = recipe.batch, recipe.size
        photos: list[NDArray[np.uint8]] = []
        alone = step < self._pretrained
        if not alone:
            for kind in rng.choice(list(self.shares), count, p=list(self.shares.values())):
                pool = self.photos[str(kind)]
                photos.append(random_view(pool[int(rng.integers(len(pool)))], rng, size))
        clear, blurred = (
            [random_crop(pool[i], rng, size) for i in rng.integers(len(pool), size=3 * count)]
            for pool in (self.pools.clear, self.pools.blurred)
        )
        return M2csBatch(
            _tensor(photos, size),
            _tensor(clear, size),
            _tensor(blurred, size),
            torch.from_numpy(random_masks(rng, 2 * count if alone else 0, size)),
        )

    def loss(
        self, network: M2csNet, batch: M2csBatch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch for the mask network, and the terms of whoever learned."""
        batch = batch.map(lambda x: x.to(device))
        if step < self._pretrained:
            return self._pretrain(batch)
        if step >= self._alternate_from and step % 2:
            with torch.no_grad():
                mask = _mask(network, batch)
            return self._judge(batch, mask)
        return self._complete(batch, _mask(network, batch), self._decisiveness(step))

    def _decisiveness(self, step: int) -> float:
        # Decided before it has learned anything, a mask is all of one kind, where nothing moves it.
        steps = self.recipe.steps - self._pretrained
        return min(1.0, (step - self._pretrained) / (_DECIDED_AFTER * steps))

    def _pretrain(self, batch: M2csBatch) -> tuple[Tensor, dict[str, float]]:
        clear, blurred = (_mixed(x, batch.masks) for x in (batch.clear, batch.blurred))
        return self._learn(clear, blurred)

    def _judge(self, batch: M2csBatch, mask: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Teach the similarity networks, with seams in the real ones too, lest they be the cue."""
        clear, blurred = _composites(batch, mask)
        real_clear, real_blurred = (
            _mixed(x[len(mask) :], mask) for x in (batch.clear, batch.blurred)
        )
        return self._learn(torch.cat([real_clear, clear]), torch.cat([real_blurred, blurred]))

    def _learn(self, clear: Tensor, blurred: Tensor) -> tuple[Tensor, dict[str, float]]:
        self.similarity.train().requires_grad_(True)
        losses = self._contrast((clear, blurred))
        loss = torch.stack(list(losses.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        terms = {f"learn_{name}": float(each.detach()) for name, each in losses.items()}
        return torch.zeros((), device=clear.device, requires_grad=True), terms

    def _complete(
        self, batch: M2csBatch, mask: Tensor, decisiveness: float
    ) -> tuple[Tensor, dict[str, float]]:
        self.similarity.eval().requires_grad_(False)
        clear, blurred = _composites(batch, mask)
        real = slice(len(mask), 2 * len(mask))
        losses = self._contrast((batch.clear[real], batch.blurred[real]), (clear, blurred))
        cover, undecided = coverage_loss(mask, self.recipe.coverage)
        loss = torch.stack(list(losses.values())).sum() + cover + decisiveness * undecided
        terms = {name: float(each.detach()) for name, each in losses.items()}
        terms |= {"cover": float(cover.detach()), "undecided": float(undecided.detach())}
        return loss, terms | {"mean_mask": float(mask.detach().mean())}

    def _contrast(self, *pairs: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        # Each pair by itself: real pictures, which no gradient goes to, then take half the time.
        size = cast(Size, self.recipe.configuration)
        seen = [seen_of(torch.cat(pair) * 2 - 1, size) for pair in pairs]
        losses = {}
        for name, network in self.similarity.items():
            embedded = [network(each).chunk(2) for each in seen]
            clear, blurred = (torch.cat(group) for group in zip(*embedded, strict=True))
            losses[name] = contrastive_loss(
                clear,
                blurred,
                temperature=self.recipe.temperature,
                aligned_negatives=self.recipe.aligned_negatives,
            )
        return losses


def fresh_network(recipe: M2csRecipe) -> M2csNet:
    """Return a network of the recipe's variant, random but for the seed."""
    torch.manual_seed(recipe.seed)
    return M2csNet(M2csConfig(cast(Size, recipe.configuration)))


def coverage_loss(mask: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """Return what it costs to find nothing or everything, and what it costs to stay undecided.

    The paper asks for something in focus only. A photo that is in focus all over is as rare, and
    the mask that says so of each is the other one that completes half of the composites.

    Args:
        mask: (N, 1, H, W) probabilities.
        least: mean of a mask, and of its complement, from which on it is enough.
    """
    mean = mask.mean((1, 2, 3))
    cover = functional.relu(least - mean) + functional.relu(least - (1 - mean))
    return cover.mean(), torch.minimum(mask, 1 - mask).mean()


def _mask(network: M2csNet, batch: M2csBatch) -> Tensor:
    photos = batch.photos.contiguous(memory_format=torch.channels_last)
    outputs: M2csOutputs = network(photos)
    return torch.sigmoid(outputs.in_focus.float())


def _composites(batch: M2csBatch, mask: Tensor) -> tuple[Tensor, Tensor]:
    count = len(mask)
    clear = mask * batch.photos + (1 - mask) * batch.clear[:count]
    blurred = mask * batch.blurred[:count] + (1 - mask) * batch.photos
    return clear, blurred


def _mixed(pictures: Tensor, masks: Tensor) -> Tensor:
    """Mix N or 2N masked pictures with the last N of all."""
    count = len(masks)
    partner = pictures[count:]
    partner = torch.cat([partner] * (count // len(partner)))
    return masks * pictures[:count] + (1 - masks) * partner


def _tensor(pictures: list[NDArray[np.uint8]], size: int) -> Tensor:
    if not pictures:
        return torch.empty((0, 3, size, size))
    stacked = np.stack(pictures).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(stacked, np.float32) / np.float32(255))


def _initial(recipe: M2csRecipe, data: Path, backbone: Path | None) -> M2csNet:
    network = fresh_network(recipe)
    if recipe.configuration == "full":
        # As released: it starts from random weights.
        no_backbone(recipe, backbone)
        return network
    encoder = learned_encoder(data, backbone)
    network.backbone.load_state_dict(encoder.state_dict())
    return network


def _origin(recipe: M2csRecipe) -> str:
    return "ImageNet encoder" if recipe.configuration == "small" else "random weights"


def _facts(network: M2csNet, task: M2csTask) -> dict[str, Any]:
    return {"network": asdict(network.config)}


KIND: Kind[M2csRecipe, M2csNet] = Kind(
    make_task=M2csTask,
    fresh=fresh_network,
    initial=_initial,
    origin=_origin,
    facts=_facts,
    graph=False,
)
"""How an M2CS is trained."""
