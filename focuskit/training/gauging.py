"""Teaching GaugeNet: the size of the blur, from frames and scenes whose blur is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from focuskit.color import encoding_of, linearise
from focuskit.detect.gauge import GAUGE_STRIDE, GaugeNet
from focuskit.training.camera import develop
from focuskit.training.example import Example, Pools
from focuskit.training.lens import random_lens
from focuskit.training.recipes import GaugeRecipe

__all__ = ["GaugeBatch", "GaugeTask", "fresh_network", "gauge_loss"]

Map = NDArray[np.float32]

_SRGB = encoding_of("srgb")
_COC_PX = (1.0, 20.0)
# What a photo that counts as sharp has of its own; nobody knows it better.
_OWN_COC_PX = 0.8
_SHARP_UP_TO_PX = 1.4
_SHARP_SHARE = 0.35
_LEAST_IN_FOCUS = 0.3
_TRIES = 8
_RANGE_PX = (2.0, 20.0)
_LOG_ERROR = (-4.0, 2.0)
_SHARP = -1.0
"""Stands for "sharp, nobody knows how sharp" in the truth."""


@dataclass(frozen=True, slots=True, eq=False)
class GaugeBatch:
    """Tensors of N pictures of H×W pixels.

    Attributes:
        gray: (N, 1, H, W) encoded luminance in [0, 1].
        truth: (N, H/8, W/8) CoC diameter in pixels; -1 = sharp, NaN = unknown.
    """

    gray: Tensor
    truth: Tensor


@dataclass(frozen=True, slots=True)
class GaugeTask:
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
        gray = np.stack([view[0] for view in views])[:, None].astype(np.float32) / 255
        truth = np.stack([view[1] for view in views])
        return GaugeBatch(torch.from_numpy(gray), torch.from_numpy(truth))

    def loss(
        self, network: GaugeNet, batch: GaugeBatch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch and its terms by name."""
        found = network(batch.gray.to(device))
        return gauge_loss(found.float(), batch.truth.to(device))

    def validate(self, network: GaugeNet) -> dict[str, float]:
        """Return the median relative error on held-out scenes, and on whole frames."""
        figures = {}
        for kind in ("scenes", "whole"):
            errors = [_errors(network, example) for example in self.validation.get(kind, ())]
            together = np.concatenate(errors) if errors else np.zeros(0)
            if together.size:
                figures[f"{kind}_coc_error"] = float(np.median(together))
        return figures


def fresh_network(recipe: GaugeRecipe) -> GaugeNet:
    """Return a network, random but for the seed."""
    torch.manual_seed(recipe.seed)
    return GaugeNet()


def gauge_loss(found: Tensor, truth: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Return the negative log likelihood of log2(1 + CoC) under a Laplace distribution.

    Where the truth is "sharp", only a CoC above what sharp photos have costs.

    Args:
        found: (N, 2, h, w) from GaugeNet.
        truth: (N, h, w) as in GaugeBatch.
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
    loss = (likelihood + excess) / count
    terms = {
        "off": float(off[known].mean().detach()) if bool(known.any()) else 0.0,
        "above": float(above[sharp].mean().detach()) if bool(sharp.any()) else 0.0,
    }
    return loss, terms


def _cut(example: Example, rng: np.random.Generator, size: int) -> tuple[NDArray[np.uint8], Map]:
    """Cut a window out of an example whose blur is known, made smaller at times."""
    height, width = example.coc_diameter_px.shape
    scale = float(rng.uniform(0.5, 1)) if rng.random() < 0.3 else 1.0
    side = min(height, width, round(size / scale))
    scale = size / side
    top, left = (int(rng.integers(0, n - side + 1)) for n in (height, width))
    window = (slice(top, top + side), slice(left, left + side))
    gray = _gray(example.rgb[window])
    coc = example.coc_diameter_px[window] * np.float32(scale)
    if side != size:
        method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        gray = np.asarray(cv2.resize(gray, (size, size), interpolation=method), np.uint8)
        resized = cv2.resize(coc, (size, size), interpolation=cv2.INTER_NEAREST)
        coc = np.asarray(resized, np.float32)
    if rng.random() < 0.5:
        gray, coc = gray[:, ::-1], coc[:, ::-1]
    return gray, _cells(coc)


def _blurred(
    example: Example, rng: np.random.Generator, size: int
) -> tuple[NDArray[np.uint8], Map]:
    """Cut a window of a photo that is sharp there, and blur most of them."""
    window = _in_focus_window(example, rng, size)
    light = linearise(np.ascontiguousarray(example.rgb[window]), _SRGB)
    mask = example.in_focus[window] > 0.5
    if min(mask.shape) < size:
        down, right = size - mask.shape[0], size - mask.shape[1]
        framed = cv2.copyMakeBorder(light, 0, down, 0, right, cv2.BORDER_REFLECT_101)
        light = np.asarray(framed, np.float32)
        mask = np.pad(mask, ((0, down), (0, right)))
    truth = _SHARP
    if rng.random() >= _SHARP_SHARE:
        # Twice as many below the geometric mean: slight blur is the hard kind.
        share = rng.random() ** 1.6
        coc_px = math.exp(math.log(_COC_PX[0]) + share * math.log(_COC_PX[1] / _COC_PX[0]))
        light = random_lens(rng).blur(light, coc_px)
        truth = math.hypot(coc_px, _OWN_COC_PX)
        mask = _shrunk(mask, math.ceil(coc_px / 2))
    strength = float(rng.uniform(0, 1))
    rgb = develop(np.maximum(light, np.float32(0)), rng, strength=strength)
    return _gray(rgb), _cells(np.where(mask, truth, np.nan).astype(np.float32))


def _in_focus_window(example: Example, rng: np.random.Generator, size: int) -> tuple[slice, slice]:
    height, width = example.in_focus.shape
    best, most = (slice(0, size), slice(0, size)), -1.0
    for _ in range(_TRIES):
        top, left = (int(rng.integers(0, max(1, n - size + 1))) for n in (height, width))
        window = (slice(top, top + size), slice(left, left + size))
        share = float(example.in_focus[window].mean())
        if share > most:
            best, most = window, share
        if share >= _LEAST_IN_FOCUS:
            break
    return best


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


def _errors(network: GaugeNet, example: Example) -> Map:
    """Relative errors of the CoC of an example's cells within the judged range."""
    height, width = (side // GAUGE_STRIDE * GAUGE_STRIDE for side in example.in_focus.shape)
    gray = _gray(example.rgb)[:height, :width].astype(np.float32) / 255
    device = next(network.parameters()).device
    with torch.inference_mode():
        found = network(torch.from_numpy(gray)[None, None].to(device))[0, 0].cpu().numpy()
    truth = _cells(np.ascontiguousarray(example.coc_diameter_px[:height, :width]))
    judged = (truth >= _RANGE_PX[0]) & (truth <= _RANGE_PX[1])
    off = np.abs(np.exp2(found[judged]) - 1 - truth[judged])
    return np.asarray(off / truth[judged], np.float32)
