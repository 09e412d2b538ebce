"""Teaching GaugeNet: the size of the blur, from frames and scenes whose blur is known.

Whether anything in a frame is in focus is taught by the frame alone: of a photo with something in
focus its sharpest cells must say so, of the same photo blurred not even they may. Which cells those
are nobody says (multiple instance learning).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from focuskit.color import encoding_of, linearise
from focuskit.detect.frame import GAUGE_STRIDE, SHARPEST_SHARE
from focuskit.detect.gauge import GaugeNet
from focuskit.training.camera import develop
from focuskit.training.example import (
    BLURRED_ABOVE_COC_PX,
    SHARP_BELOW_COC_PX,
    Example,
    Pools,
)
from focuskit.training.kinds import Kind, no_backbone
from focuskit.training.lens import Lens, random_lens
from focuskit.training.loop import Task, rounded
from focuskit.training.recipes import GaugeRecipe

__all__ = ["KIND", "GaugeBatch", "GaugeTask", "frame_logit", "fresh_network", "gauge_loss"]

Map = NDArray[np.float32]

_SRGB = encoding_of("srgb")
_COC_PX = (1.0, 20.0)
# What a photo that counts as sharp has of its own; nobody knows it better.
_OWN_COC_PX = 0.8
_SHARP_UP_TO_PX = 1.4
_SHARP_SHARE = 0.5
_SHRUNK_SHARE = 0.4
_ROUND_SHARE = 0.5
_UNTOUCHED_SHARE = 0.15
# Photos of 640 px are small already: a mosaic and noise as of a phone at dusk would make most of
# them as soft as those that are out of focus.
_MOST_DEVELOPED = 0.7
# A frame counts as in focus from this share of it on; below, the sharpest cells may miss it.
_IN_FOCUS_SHARE = 0.08
_LEAST_IN_FOCUS = (0.1, 0.6)
_TRIES = 6
_RANGE_PX = (2.0, 20.0)
# Slight misfocus of a whole frame, and how many of such frames must be found.
_JUDGED_COC_PX, _JUDGED_LONG_EDGE = 6.0, 1600
_CALLED_SHARE = 0.95
_LOG_ERROR = (-4.0, 2.0)
_SHARP = -1.0
"""Stands for "sharp, nobody knows how sharp" in the truth."""


@dataclass(frozen=True, slots=True, eq=False)
class GaugeBatch:
    """Tensors of N pictures of H×W pixels.

    Attributes:
        gray: (N, 1, H, W) encoded luminance in [0, 1].
        truth: (N, H/8, W/8) CoC diameter in pixels; -1 = sharp, NaN = unknown.
        in_focus: (N,) 1 = something in the picture is in focus, 0 = nothing, NaN = undecided.
    """

    gray: Tensor
    truth: Tensor
    in_focus: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """One picture of a batch, as there."""

    gray: NDArray[np.uint8]
    truth: Map
    in_focus: float


@dataclass(frozen=True, slots=True)
class GaugeTask(Task[GaugeNet, GaugeBatch]):
    """What the loop needs to train a GaugeNet.

    Attributes:
        recipe: gives shares, batch, size and seed.
        training: examples by kind: "cuhk", "scenes" and "whole" are used.
        validation: the same, held back.

    Raises:
        InputError: a kind of data that has a share is missing.
    """

    recipe: GaugeRecipe
    training: Pools
    validation: Pools

    def __post_init__(self) -> None:
        self.recipe.drawn_shares(self.training)

    def groups(self, network: GaugeNet) -> list[tuple[list[nn.Parameter], float]]:
        """Return the parameters with their shares of the learning rate."""
        return [(list(network.parameters()), 1.0)]

    def batch(self, step: int) -> GaugeBatch:
        """Return the batch of a step; every step draws from its own seed."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, step])
        shares = recipe.drawn_shares(self.training)
        views = []
        for kind in rng.choice(list(shares), size=recipe.batch, p=list(shares.values())):
            pool = self.training[str(kind)]
            example = pool[int(rng.integers(len(pool)))]
            made = _blurred if kind == "cuhk" else _cut
            views.append(made(example, rng, recipe.size))
        gray = np.stack([view.gray for view in views])[:, None].astype(np.float32) / 255
        truth = np.stack([view.truth for view in views])
        in_focus = np.array([view.in_focus for view in views], np.float32)
        return GaugeBatch(*(torch.from_numpy(array) for array in (gray, truth, in_focus)))

    def loss(
        self, network: GaugeNet, batch: GaugeBatch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch and its terms by name."""
        found = network(batch.gray.to(device))
        return gauge_loss(found.float(), batch.truth.to(device), batch.in_focus.to(device))

    def validate(self, network: GaugeNet) -> dict[str, float]:
        """Return figures on what was held back.

        The median relative error on scenes and on whole frames, and the shares of photos that are
        called out of focus as they are and blurred by `_JUDGED_COC_PX`.
        """
        figures = {}
        for kind in ("scenes", "whole"):
            errors = [_errors(network, example) for example in self.validation.get(kind, ())]
            together = np.concatenate(errors) if errors else np.zeros(0)
            if together.size:
                figures[f"{kind}_coc_error"] = float(np.median(together))
        photos = self.validation.get("cuhk", ())
        if photos:
            offset = self.frame_offset(network)
            for name, coc_px in (("sharp_called", 0.0), ("missed_called", _JUDGED_COC_PX)):
                called = [_frame_score(network, photo, coc_px) < offset for photo in photos]
                figures[name] = float(np.mean(called))
        return figures

    def frame_offset(self, network: GaugeNet) -> float:
        """Return the logit below which a frame counts as out of focus.

        `_CALLED_SHARE` of the training photos, blurred by `_JUDGED_COC_PX`, score less.
        """
        photos = self.training.get("cuhk", ())
        scores = [_frame_score(network, photo, _JUDGED_COC_PX) for photo in photos]
        return float(np.quantile(scores, _CALLED_SHARE)) if scores else 0.0


def fresh_network(recipe: GaugeRecipe) -> GaugeNet:
    """Return a network, random but for the seed."""
    torch.manual_seed(recipe.seed)
    return GaugeNet()


def _initial(recipe: GaugeRecipe, data: Path, backbone: Path | None) -> GaugeNet:
    no_backbone(recipe, backbone)
    return fresh_network(recipe)


def _facts(network: GaugeNet, task: GaugeTask) -> dict[str, Any]:
    return {"network": {}, "frame_offset": rounded(task.frame_offset(network))}


# All of it is smaller than what an encoder gains by counting in 8 bits.
KIND: Kind[GaugeRecipe, GaugeNet] = Kind(
    make_task=GaugeTask,
    fresh=fresh_network,
    initial=_initial,
    origin=lambda recipe: "random weights",
    facts=_facts,
)
"""How a GaugeNet is trained."""


def gauge_loss(found: Tensor, truth: Tensor, in_focus: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of a batch and its terms by name.

    Of known blur it is half the negative log likelihood of log2(1 + CoC) under a Laplace
    distribution; where the truth is "sharp", only a CoC above what sharp photos have costs. To it
    comes the cross-entropy of what the sharpest cells say of the frame.

    Args:
        found: (N, 3, h, w) from GaugeNet.
        truth: (N, h, w) as in GaugeBatch.
        in_focus: (N,) as in GaugeBatch.
    """
    log_coc, log_error = found[:, 0], found[:, 1].clamp(*_LOG_ERROR)
    known = torch.isfinite(truth) & (truth >= 0)
    sharp = truth == _SHARP
    wanted = torch.log2(1 + torch.where(known, truth, torch.zeros_like(truth)))
    off = (log_coc - wanted).abs()
    likelihood = (off * torch.exp(-log_error) + log_error)[known].sum()
    above = functional.relu(log_coc - math.log2(1 + _SHARP_UP_TO_PX))
    excess = (above * torch.exp(-log_error.detach()))[sharp].sum()
    count = (known | sharp).sum().clamp_min(1)
    decided = torch.isfinite(in_focus)
    frame = functional.binary_cross_entropy_with_logits(
        frame_logit(found[:, 2])[decided], in_focus[decided], reduction="sum"
    ) / decided.sum().clamp_min(1)
    loss = 0.5 * (likelihood + excess) / count + frame
    terms = {
        "off": float(off[known].mean().detach()) if bool(known.any()) else 0.0,
        "above": float(above[sharp].mean().detach()) if bool(sharp.any()) else 0.0,
        "frame": float(frame.detach()),
    }
    return loss, terms


def frame_logit(evidence: Tensor) -> Tensor:
    """Return the (N,) means over the sharpest cells of (N, h, w) evidence."""
    cells = evidence.flatten(1)
    most = max(1, round(SHARPEST_SHARE * cells.shape[1]))
    return cells.topk(most, dim=1).values.mean(1)


def _cut(example: Example, rng: np.random.Generator, size: int) -> _View:
    """Cut a window out of an example whose blur is known, made smaller at times."""
    height, width = example.coc_diameter_px.shape
    scale = float(rng.uniform(0.5, 1)) if rng.random() < 0.3 else 1.0
    rows, columns = (min(side, round(size / scale)) for side in (height, width))
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    window = (slice(top, top + rows), slice(left, left + columns))
    gray = _gray(example.rgb[window])
    blurred = (example.in_focus[window] < 0.5).astype(np.float32)
    coc = _own_added(example)[window] * np.float32(scale)
    if scale < 1:
        shape = (min(size, round(columns * scale)), min(size, round(rows * scale)))
        gray = np.asarray(cv2.resize(gray, shape, interpolation=cv2.INTER_AREA), np.uint8)
        coc, blurred = (
            np.asarray(cv2.resize(layer, shape, interpolation=cv2.INTER_NEAREST), np.float32)
            for layer in (coc, blurred)
        )
    in_focus = _verdict(coc, blurred > 0.5, scale)
    coc = np.where(coc <= _SHARP_UP_TO_PX, np.float32(_SHARP), coc)
    gray, coc = _framed(gray, size), _framed(coc, size)
    if rng.random() < 0.5:
        gray, coc = gray[:, ::-1], coc[:, ::-1]
    return _View(gray, _cells(coc), in_focus)


def _own_added(example: Example) -> Map:
    """Return the CoC with what pictures have of their own; misfocused frames hold it already."""
    coc = example.coc_diameter_px
    if example.source == "whole" and float(np.nanmax(coc, initial=0)) > 0:
        return coc
    return np.hypot(coc, np.float32(_OWN_COC_PX))


def _verdict(coc: Map, blurred: NDArray[np.bool_], scale: float) -> float:
    """Whether something is in focus where the blur is known, or at least that nothing is."""
    known = np.isfinite(coc)
    if not known.any():
        # Made smaller, what was blurred may pass for sharp.
        return 0.0 if blurred.all() and scale == 1 else math.nan
    if (coc <= math.hypot(SHARP_BELOW_COC_PX, _OWN_COC_PX)).mean() >= _IN_FOCUS_SHARE:
        return 1.0
    return 0.0 if blurred.all() and coc[known].min() >= BLURRED_ABOVE_COC_PX else math.nan


def _blurred(example: Example, rng: np.random.Generator, size: int) -> _View:
    """Cut a window of a photo with something in focus, and blur every other one all over."""
    rgb, mask = _in_focus_window(example, rng, size)
    light = linearise(rgb, _SRGB)
    truth, in_focus = _SHARP, 1.0 if mask.mean() >= _IN_FOCUS_SHARE else math.nan
    if rng.random() >= _SHARP_SHARE:
        # Twice as many below the geometric mean: slight blur is the hard kind.
        share = rng.random() ** 1.6
        coc_px = math.exp(math.log(_COC_PX[0]) + share * math.log(_COC_PX[1] / _COC_PX[0]))
        lens = Lens() if rng.random() < _ROUND_SHARE else random_lens(rng)
        light = lens.blur(light, coc_px)
        truth = math.hypot(coc_px, _OWN_COC_PX)
        mask = _shrunk(mask, math.ceil(coc_px / 2))
        in_focus = 0.0 if coc_px >= BLURRED_ABOVE_COC_PX else math.nan
    untouched = rng.random() < _UNTOUCHED_SHARE
    strength = 0.0 if untouched else float(rng.uniform(0, _MOST_DEVELOPED))
    rgb = develop(np.maximum(light, np.float32(0)), rng, strength=strength)
    cells = _cells(np.where(mask, truth, np.nan).astype(np.float32))
    return _View(_gray(rgb), cells, in_focus)


def _in_focus_window(
    example: Example, rng: np.random.Generator, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a size×size window with something in focus, made smaller at times, and its mask."""
    height, width = example.in_focus.shape
    scale = float(rng.uniform(0.5, 1)) if rng.random() < _SHRUNK_SHARE else 1.0
    rows, columns = (min(side, round(size / scale)) for side in (height, width))
    best, most, enough = None, -1.0, float(rng.uniform(*_LEAST_IN_FOCUS))
    for _ in range(_TRIES):
        top = int(rng.integers(0, height - rows + 1))
        left = int(rng.integers(0, width - columns + 1))
        window = (slice(top, top + rows), slice(left, left + columns))
        share = float(example.in_focus[window].mean())
        if share > most:
            best, most = window, share
        if share >= enough:
            break
    rgb, share_map = example.rgb[best], example.in_focus[best]
    if scale < 1:
        shape = (min(size, round(columns * scale)), min(size, round(rows * scale)))
        rgb = np.asarray(cv2.resize(rgb, shape, interpolation=cv2.INTER_AREA), np.uint8)
        resized = cv2.resize(share_map, shape, interpolation=cv2.INTER_AREA)
        share_map = np.asarray(resized, np.float32)
    down, right = size - share_map.shape[0], size - share_map.shape[1]
    mask = np.pad(share_map > 0.9, ((0, down), (0, right)))
    rgb = _framed(rgb, size)
    turns, flip = int(rng.integers(0, 4)) if rng.random() < 0.3 else 0, rng.random() < 0.5
    rgb, mask = np.rot90(rgb, turns), np.rot90(mask, turns)
    if flip:
        rgb, mask = rgb[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(rgb), np.ascontiguousarray(mask)


def _framed(picture: Any, size: int) -> Any:
    """Mirror a picture that is smaller than size×size at its right and its lower border."""
    down, right = size - picture.shape[0], size - picture.shape[1]
    if down == right == 0:
        return picture
    return cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REFLECT_101)


def _shrunk(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return np.asarray(cv2.erode(mask.astype(np.uint8), kernel), np.bool_)


def _cells(coc: Map) -> Map:
    """Return the CoC in the middle of each cell, unknown where a cell holds several."""
    height, width = coc.shape
    cells = coc.reshape(height // GAUGE_STRIDE, GAUGE_STRIDE, width // GAUGE_STRIDE, GAUGE_STRIDE)
    low, high = cells.min(axis=(1, 3)), cells.max(axis=(1, 3))
    middle = cells[:, GAUGE_STRIDE // 2, :, GAUGE_STRIDE // 2]
    mixed = ~(high - low <= 0.1 * np.abs(high) + 0.2)
    return np.where(mixed, np.float32(np.nan), middle).astype(np.float32)


def _gray(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def _frame_score(network: GaugeNet, example: Example, coc_px: float) -> float:
    """Return what the network says of a whole photo, blurred by a CoC at `_JUDGED_LONG_EDGE`."""
    gray = _gray(example.rgb)
    if coc_px > 0:
        own_px = coc_px * max(gray.shape) / _JUDGED_LONG_EDGE
        light = np.maximum(Lens().blur(linearise(example.rgb, _SRGB), own_px), np.float32(0))
        gray = _gray(develop(light, np.random.default_rng(0), strength=0))
    return float(frame_logit(_run(network, gray)[:, 2])[0])


def _run(network: GaugeNet, gray: NDArray[np.uint8]) -> Tensor:
    height, width = (side // GAUGE_STRIDE * GAUGE_STRIDE for side in gray.shape)
    picture = torch.from_numpy(gray[:height, :width].astype(np.float32) / 255)
    device = next(network.parameters()).device
    with torch.inference_mode():
        return network(picture[None, None].to(device)).cpu()  # type: ignore[no-any-return]


def _errors(network: GaugeNet, example: Example) -> Map:
    """Relative errors of the CoC of an example's cells within the judged range."""
    found = _run(network, _gray(example.rgb))[0, 0].numpy()
    height, width = (GAUGE_STRIDE * side for side in found.shape)
    truth = _cells(np.ascontiguousarray(_own_added(example)[:height, :width]))
    judged = (truth >= _RANGE_PX[0]) & (truth <= _RANGE_PX[1])
    off = np.abs(np.exp2(found[judged]) - 1 - truth[judged])
    return np.asarray(off / truth[judged], np.float32)
