"""Teaching the local metric: patches at superpixels, ConvNets, and two filters out of them.

References:
    K. Zeng et al.: A local metric for defocus blur detection based on CNN feature learning. IEEE
        TIP 28(5), 2019.
    R. Achanta et al.: SLIC superpixels compared to state-of-the-art superpixel methods. TPAMI
        34(11), 2012.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from focuskit.color import encoding_of, linearise
from focuskit.detect.local_metric import LocalMetric
from focuskit.detect.systems.local_metric import (
    FILTER_SIDE,
    PATCH_SIDE,
    LocalMetricConfig,
    LocalMetricNet,
)
from focuskit.errors import InputError
from focuskit.photo import Photo
from focuskit.training.example import Example, Pools
from focuskit.training.kinds import Kind, no_backbone
from focuskit.training.loop import Stateful
from focuskit.training.metrics import score_photo, summarise
from focuskit.training.system_recipes import LocalMetricRecipe

__all__ = [
    "KIND",
    "LocalMetricTask",
    "PatchBatch",
    "find_patches",
    "fresh_network",
    "principal_filters",
    "superpixels",
]

_SUPERPIXELS = 300
# A patch counts as sharp or as blurred from this share of its pixels on.
_MOSTLY = 0.9
_HALF = 0.5
_RESAMPLES = 10
_DECIMALS = 5
_ROUNDS = 4
_COMPACTNESS = 10.0
# Only the centres of windows are wanted, which a quarter of the size finds as well.
_SHRINK = 4


@dataclass(frozen=True, slots=True, eq=False)
class PatchBatch:
    """Tensors of N patches.

    Attributes:
        gray: (N, 1, 32, 32) encoded gray in [0, 1].
        in_focus: (N,) int64, 1 = in focus.
    """

    gray: Tensor
    in_focus: Tensor


class LocalMetricTask:
    """What the loop needs to train the ConvNets of the local metric.

    Args:
        recipe: gives shares, batch and seed.
        training: examples by kind. Of all kinds with a share, patches are drawn alike.
        validation: the same, held back.

    Raises:
        InputError: a kind of data that has a share is missing, or the photos have no patches of one
            of the classes.
    """

    def __init__(self, recipe: LocalMetricRecipe, training: Pools, validation: Pools) -> None:
        kinds = recipe.drawn_shares(training)
        self.recipe = recipe
        photos = [photo for kind in kinds for photo in training[kind]]
        # Half as large, the same blur is half as wide: the filters must know both.
        self._photos = [size for photo in photos for size in (photo, _halved(photo))]
        self._patches = _by_class(self._photos)
        self._held_back = validation.get("cuhk", ())

    def groups(self, network: LocalMetricNet) -> list[tuple[list[nn.Parameter], float]]:
        """Return the parameters with their shares of the learning rate."""
        return [(list(network.parameters()), 1.0)]

    def batch(self, step: int) -> PatchBatch:
        """Return the batch of a step, both classes alike; every step draws from its own seed."""
        rng = np.random.default_rng([self.recipe.seed, step])
        grays, labels = [], np.arange(self.recipe.batch) % 2
        for label in labels:
            places = self._patches[label]
            photo, y, x = places[rng.integers(len(places))]
            rgb = self._photos[photo].rgb[y : y + PATCH_SIDE, x : x + PATCH_SIDE]
            gray = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
            gray = np.rot90(gray, int(rng.integers(4)))
            grays.append(gray[:, ::-1] if rng.random() < 0.5 else gray)
        stacked = np.stack(grays)[:, None].astype(np.float32) / np.float32(255)
        return PatchBatch(torch.from_numpy(stacked), torch.from_numpy(labels.astype(np.int64)))

    def loss(
        self, network: LocalMetricNet, batch: PatchBatch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the cross-entropy, mean over the nets, and the share of patches judged rightly."""
        logits = network(batch.gray.to(device)).float().flatten(2)
        truth = batch.in_focus.to(device).expand(len(logits), -1)
        loss = functional.cross_entropy(logits.flatten(0, 1), truth.flatten())
        right = float((logits.detach().argmax(2) == truth).float().mean())
        return loss, {"right": right}

    def validate(self, network: LocalMetricNet) -> dict[str, float]:
        """Return the figures of the detector with the network's filters, at the photos' size."""
        detect = LocalMetric(filters=principal_filters(network.kernels().cpu().numpy()))
        scores = [
            score_photo(detect(_as_photo(each)).in_focus_probability, each.in_focus > _HALF)
            for each in self._held_back
        ]
        if not scores:
            return {}
        found = summarise(scores, resamples=_RESAMPLES)
        names = ("f_max", "f_adaptive", "f_blur", "mae", "auc")
        return {name: getattr(found, name).value for name in names}

    def prepare(self, device: torch.device) -> None:
        """Make the companions ready for a device; there are none here."""
        return

    def companions(self) -> Mapping[str, Stateful]:
        """Return what the checkpoint holds beside the network; nothing here."""
        return {}


def fresh_network(recipe: LocalMetricRecipe) -> LocalMetricNet:
    """Return ConvNets, random but for the seed."""
    torch.manual_seed(recipe.seed)
    size = cast(Literal["small", "full"], recipe.configuration)
    return LocalMetricNet(LocalMetricConfig(size, recipe.nets, recipe.kernels))


def principal_filters(kernels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the two first principal components of kernels, as filters.

    Each has mean 0, so that brightness is no response, and unit L2 norm, so that white noise of
    sigma n makes responses of sigma n; the pixel at its centre is not negative.

    Args:
        kernels: (N, 7, 7), N >= 3.

    Returns:
        (2, 7, 7) float32.
    """
    columns = kernels.reshape(len(kernels), -1).astype(np.float64)
    # PCA centres the variables: each pixel's mean over the kernels goes.
    _, _, axes = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    found = axes[:2] - axes[:2].mean(axis=1, keepdims=True)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    sign = np.where(found[:, found.shape[1] // 2] < 0, -1.0, 1.0)
    filters = (found * sign[:, None]).reshape(2, FILTER_SIDE, FILTER_SIDE)
    return np.asarray(filters, np.float32)


def find_patches(example: Example) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return the corners (y, x) of patches that are clearly sharp or blurred, and which are sharp.

    One window of 32×32 px lies around the centre of each superpixel, moved inside the photo; it is
    dropped if less than nine tenths of it are of one class.

    Args:
        example: of at least 32×32 px.

    Returns:
        (n, 2) int32 and (n,) bool.
    """
    height, width = example.in_focus.shape
    most = np.array([height - PATCH_SIDE, width - PATCH_SIDE])
    centres = superpixels(example.rgb, _SUPERPIXELS)
    corners = np.clip(np.rint(centres).astype(np.int32) - PATCH_SIDE // 2, 0, most)
    sums = cv2.integral(example.in_focus.astype(np.float32))
    (top, left), (bottom, right) = corners.T, corners.T + PATCH_SIDE
    total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    share = total / PATCH_SIDE**2
    clear = (share >= _MOSTLY) | (share <= 1 - _MOSTLY)
    return corners[clear].astype(np.int32), share[clear] >= _MOSTLY


def superpixels(rgb: NDArray[np.uint8], count: int) -> NDArray[np.float32]:
    """Return the (n, 2) centres (y, x) of about `count` superpixels (SLIC).

    As in the paper but for speed: each pixel only ever chooses among the nine seeds of the cells
    around its own, and the picture is shrunk to a quarter.

    Args:
        rgb: (H, W, 3) encoded sRGB.
        count: how many.
    """
    size = tuple(max(1, side // _SHRINK) for side in (rgb.shape[1], rgb.shape[0]))
    lab = cv2.cvtColor(
        cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255,
        cv2.COLOR_RGB2Lab,
    )
    height, width = lab.shape[:2]
    cell = max(1.0, (height * width / count) ** 0.5)
    rows, columns = max(1, round(height / cell)), max(1, round(width / cell))
    y, x = np.indices((height, width), np.float32)
    # Colour and place in one space, places weighed as the compactness asks.
    features = np.dstack([lab, np.stack([y, x], -1) * np.float32(_COMPACTNESS / cell)])
    row, column = (y * (rows / height)).astype(np.intp), (x * (columns / width)).astype(np.intp)
    labels = row * columns + column
    for _ in range(_ROUNDS):
        centres = _means(features, labels, rows * columns)
        nearest = np.full(labels.shape, np.inf, np.float32)
        for dy, dx in np.ndindex(3, 3):
            seed = np.clip(row + dy - 1, 0, rows - 1) * columns
            seed += np.clip(column + dx - 1, 0, columns - 1)
            difference = features - centres[seed]
            distance = np.einsum("hwc,hwc->hw", difference, difference)
            closer = distance < nearest
            nearest[closer], labels[closer] = distance[closer], seed[closer]
    filled = np.bincount(labels.ravel(), minlength=rows * columns) > 0
    places = _means(np.stack([y, x], -1), labels, rows * columns)[filled]
    return np.asarray((places + np.float32(0.5)) * np.float32(_SHRINK), np.float32)


def _means(
    values: NDArray[np.float32], labels: NDArray[np.intp], count: int
) -> NDArray[np.float32]:
    """Return the (count, channels) means of values by label; 0 where a label is not given."""
    counts = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    sums = [np.bincount(labels.ravel(), v.ravel(), count) for v in np.moveaxis(values, -1, 0)]
    return (np.stack(sums, -1) / counts[:, None]).astype(np.float32)


def _by_class(photos: Sequence[Example]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return (n, 3) numbers of photos with corners, of the patches that are blurred and sharp."""
    blurred: list[NDArray[np.int32]] = []
    sharp: list[NDArray[np.int32]] = []
    for number, photo in enumerate(photos):
        if min(photo.in_focus.shape) < PATCH_SIDE:
            continue
        corners, is_sharp = find_patches(photo)
        places = np.insert(corners, 0, number, axis=1).astype(np.int32)
        sharp.append(places[is_sharp])
        blurred.append(places[~is_sharp])
    both = (np.concatenate([*each, np.zeros((0, 3), np.int32)]) for each in (blurred, sharp))
    found_blurred, found_sharp = both
    if not len(found_blurred) or not len(found_sharp):
        raise InputError(
            f"{len(photos)} photos hold {len(found_sharp)} sharp and {len(found_blurred)} blurred "
            f"patches of {PATCH_SIDE}×{PATCH_SIDE} px; both are needed: give photos with masks "
            "that hold both."
        )
    return found_blurred, found_sharp


def _halved(example: Example) -> Example:
    size = tuple(max(1, side // 2) for side in example.in_focus.shape[::-1])

    def small(picture: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), picture.dtype)

    return replace(
        example,
        rgb=small(example.rgb),
        in_focus=small(example.in_focus),
        weight=small(example.weight),
        coc_diameter_px=small(example.coc_diameter_px / np.float32(2)),
    )


def _as_photo(example: Example) -> Photo:
    return Photo(linearise(example.rgb, encoding_of("srgb")))


def _initial(recipe: LocalMetricRecipe, data: Path, backbone: Path | None) -> LocalMetricNet:
    no_backbone(recipe, backbone)
    return fresh_network(recipe)


def _facts(network: LocalMetricNet, task: Any) -> dict[str, Any]:
    filters = principal_filters(network.kernels().cpu().numpy())
    # All that the detector takes; the networks serve further training only.
    return {
        "network": asdict(network.config),
        "filters": filters.astype(np.float64).round(_DECIMALS).tolist(),
    }


KIND: Kind[LocalMetricRecipe, LocalMetricNet] = Kind(
    make_task=LocalMetricTask,
    fresh=fresh_network,
    initial=_initial,
    origin=lambda recipe: "random weights",
    facts=_facts,
    graph=False,
)
"""How the local metric is trained."""
