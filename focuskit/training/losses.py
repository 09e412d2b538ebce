"""What training minimises.

References:
    N. Zhang, J. Yan: Rethinking the defocus blur detection problem and a real-time deep DBD model.
        ECCV 2020: patch swap, its consistency, double weight on hard regions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from focuskit.detect.network import Outputs

__all__ = [
    "Batch",
    "LossWeights",
    "consistency",
    "cross_entropy",
    "loss_of",
    "overlap",
    "shrunk",
    "swap",
    "swap_patches",
]

# A circle of confusion counts as right within this factor's logarithm or this many pixels.
_RIGHT_LOG2 = 0.32
_EPS = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Tensors of N examples of H×W pixels.

    Attributes:
        rgb: (N, 3, H, W) encoded sRGB in [0, 1].
        in_focus: (N, 1, H, W) in [0, 1].
        weight: (N, 1, H, W) >= 0; 0 = undecided, 2 = hard.
        log_coc: (N, 1, H, W) log2(1 + CoC in pixels); NaN where unknown.
    """

    rgb: Tensor
    in_focus: Tensor
    weight: Tensor
    log_coc: Tensor

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Return the batch with `function` applied to each tensor."""
        return Batch(
            function(self.rgb),
            function(self.in_focus),
            function(self.weight),
            function(self.log_coc),
        )


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each term counts beside the cross-entropy of the in-focus probability."""

    overlap: float = 0.5
    side: float = 0.3
    coc: float = 0.3
    confidence: float = 0.1


def loss_of(
    outputs: Outputs, batch: Batch, weights: LossWeights
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of a batch and its terms by name."""
    size = batch.rgb.shape[-2:]
    logits = _sized(outputs.in_focus, size)
    mask_loss = cross_entropy(logits, batch.in_focus, batch.weight)
    shared = overlap(logits, batch.in_focus, batch.weight)
    side = torch.zeros(())
    for level in outputs.side:
        target, weight = shrunk(batch, level.shape[-2:])
        side = side + cross_entropy(level, target, weight)
        side = side + weights.overlap * overlap(level, target, weight)
    side = side / max(len(outputs.side), 1)
    coc, confidence = _coc_loss(outputs, batch)
    total = (
        mask_loss
        + weights.overlap * shared
        + weights.side * side
        + weights.coc * coc
        + weights.confidence * confidence
    )
    terms = {"mask": mask_loss, "overlap": shared, "side": side, "coc": coc}
    return total, {name: float(term.detach()) for name, term in terms.items()}


def consistency(straight: Outputs, swapped: Outputs, boxes: Tensor) -> Tensor:
    """Mean |swap(map) - map of the swapped picture| (R-DBD's self-supervision)."""
    moved = swap(torch.sigmoid(straight.in_focus), boxes // 2)
    return (moved - torch.sigmoid(swapped.in_focus)).abs().mean()


def swap_patches(batch: Batch, generator: torch.Generator, side: int) -> tuple[Batch, Tensor]:
    """Swap two square patches of each picture, and of all that is known of it.

    Returns:
        The swapped batch and the (N, 5) boxes: y, x of one corner, y, x of the other, side; even.
    """
    count, _, height, width = batch.rgb.shape
    room = torch.tensor([height - side, width - side] * 2, dtype=torch.float32)
    corners = (torch.rand((count, 4), generator=generator) * room / 2).long() * 2
    boxes = torch.cat([corners, torch.full((count, 1), side)], 1)
    return batch.map(lambda tensor: swap(tensor, boxes)), boxes


def swap(x: Tensor, boxes: Tensor) -> Tensor:
    """Return (N, C, H, W) maps with two squares of each exchanged.

    Args:
        x: maps of the pictures that `swap_patches` was given, or smaller ones.
        boxes: (N, 5) from there, divided by what the maps are smaller by.
    """
    out = x.clone()
    for index, (top, left, low, right, side) in enumerate(boxes.tolist()):
        one = (index, slice(None), slice(top, top + side), slice(left, left + side))
        two = (index, slice(None), slice(low, low + side), slice(right, right + side))
        # From the untouched picture: overlapping patches must not copy themselves.
        out[one] = x[two]
        out[two] = x[one]
    return out


def _sized(x: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(x, size=list(size), mode="bilinear", align_corners=False)


def shrunk(batch: Batch, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return what is in focus, and the weight, as means over the cells of h×w maps."""
    shape = (size[0], size[1])
    weight = functional.adaptive_avg_pool2d(batch.weight, shape)
    target = functional.adaptive_avg_pool2d(batch.in_focus * batch.weight, shape)
    return target / weight.clamp_min(_EPS), weight


def cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean of both sides' cross-entropy; 0 where nothing has a weight."""
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (each * weight).sum() / weight.sum().clamp_min(1)


def overlap(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """1 - soft intersection over union of both classes, of the pictures that hold the class."""
    losses = []
    # Sums over a picture need more digits than autocast leaves.
    probability = torch.sigmoid(logits.float())
    for found, wanted in ((probability, target), (1 - probability, 1 - target)):
        both = (found * wanted * weight).sum((1, 2, 3))
        either = ((found + wanted - found * wanted) * weight).sum((1, 2, 3))
        held = ((wanted * weight).sum((1, 2, 3)) > 0.01 * weight.sum((1, 2, 3))).float()
        losses.append(((1 - both / either.clamp_min(1)) * held).sum() / held.sum().clamp_min(1))
    return (losses[0] + losses[1]) / 2


def _coc_loss(outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
    # Truth at the heads' own size: every second pixel, so that the CoC at outlines stays one of
    # the two that meet there.
    truth = batch.log_coc[:, :, ::2, ::2]
    known = torch.isfinite(truth)
    if not bool(known.any()):
        return torch.zeros(()), torch.zeros(())
    error = (outputs.log_coc - torch.nan_to_num(truth))[known]
    coc = functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.1)
    right = (error.detach().abs() < _RIGHT_LOG2).float()
    confidence = functional.binary_cross_entropy_with_logits(outputs.confidence[known], right)
    return coc, confidence
