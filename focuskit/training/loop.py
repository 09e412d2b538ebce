"""The training loop: seeded, resumable, logged."""

from __future__ import annotations

import json
import math
import pickle
import time
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from focuskit.detect.network import FocusNet, NetworkConfig
from focuskit.detect.weights import first_line
from focuskit.errors import InputError, OutputError
from focuskit.training.augment import View, augment
from focuskit.training.example import Example
from focuskit.training.losses import Batch, LossWeights, consistency, loss_of, swap_patches
from focuskit.training.recipes import Recipe

__all__ = ["Pools", "Run", "initialise", "rounded"]

Pools = Mapping[str, Sequence[Example]]
"""Examples by the kind that a recipe's shares name."""

_CHECKPOINT = "checkpoint.pt"
_LOG = "log.jsonl"
_PREFETCH = 3
_MAX_GRADIENT = 3.0
_PATCH_SIDES = (32, 64, 96)

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


@dataclass(slots=True)
class Run:
    """One training run, in a folder of its own, that goes on where it stopped.

    Attributes:
        recipe: what decides it.
        pools: the data.
        folder: where its checkpoint and log are.
        device: "cpu" or "cuda".
        validate: called with the averaged network, returns figures for the log.
        every: steps between validations (and checkpoints).
        say: told what happens.
    """

    recipe: Recipe
    pools: Pools
    folder: Path
    device: torch.device
    validate: Callable[[FocusNet], dict[str, float]]
    every: int = 500
    say: Callable[[str], None] = print

    def train(self, start: FocusNet) -> FocusNet:
        """Train from `start`, or from the folder's checkpoint, and return the averaged network.

        Raises:
            InputError: the folder's checkpoint is damaged or of another recipe, or a kind of data
                is missing.
            OutputError: the folder cannot be written to.
        """
        self._check_pools()
        network: FocusNet = start.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        averaged = deepcopy(network).eval()
        optimiser = self._optimiser(network)
        step = self._resume(network, averaged, optimiser)
        best = time.perf_counter()
        recent: list[dict[str, float]] = []
        with ThreadPoolExecutor(1) as pool:
            ahead = iter(range(step, self.recipe.steps))
            waiting = deque(pool.submit(self._batch, s) for s in islice(ahead, _PREFETCH))
            while waiting:
                batch = waiting.popleft().result()
                waiting.extend(pool.submit(self._batch, s) for s in islice(ahead, 1))
                recent.append(self._step(network, averaged, optimiser, batch, step))
                step += 1
                if step % self.every == 0 or step == self.recipe.steps:
                    seconds = (time.perf_counter() - best) / len(recent)
                    self._log(step, recent, seconds, averaged)
                    self._save(network, averaged, optimiser, step)
                    recent, best = [], time.perf_counter()
        return averaged

    def _check_pools(self) -> None:
        missing = [
            k for k, share in self.recipe.shares.items() if share > 0 and not self.pools.get(k)
        ]
        if missing:
            raise InputError(
                f"There are no examples of {', '.join(missing)}; give the data or set that share "
                "to 0."
            )

    def _optimiser(self, network: FocusNet) -> torch.optim.AdamW:
        recipe = self.recipe
        encoder = list(network.encoder.parameters())
        held = {id(parameter) for parameter in encoder}
        rest = [p for p in network.parameters() if id(p) not in held]
        return torch.optim.AdamW(
            [
                {"params": encoder, "lr": recipe.learning_rate * recipe.encoder_share},
                {"params": rest, "lr": recipe.learning_rate},
            ],
            weight_decay=recipe.weight_decay,
        )

    def _step(
        self,
        network: FocusNet,
        averaged: FocusNet,
        optimiser: torch.optim.AdamW,
        batch: Batch,
        step: int,
    ) -> dict[str, float]:
        recipe = self.recipe
        network.train()
        share = _schedule(step, recipe.warmup, recipe.steps)
        for group, scale in zip(optimiser.param_groups, (recipe.encoder_share, 1.0), strict=True):
            group["lr"] = recipe.learning_rate * scale * share
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss, terms = self._loss(network, batch, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(network.parameters(), _MAX_GRADIENT)
        if bool(torch.isfinite(norm)):
            optimiser.step()
        decay = min(recipe.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, new in zip(averaged.parameters(), network.parameters(), strict=True):
                mean.lerp_(new, 1 - decay)
        return {**terms, "loss": float(loss.detach()), "gradient": float(norm)}

    def _loss(self, network: FocusNet, batch: Batch, step: int) -> tuple[Tensor, dict[str, float]]:
        weights = LossWeights(overlap=self.recipe.overlap)
        batch = batch.map(lambda x: x.to(self.device))
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

    def _swaps(self, step: int) -> bool:
        # Spread evenly: true whenever the running total passes a whole number.
        return int((step + 1) * self.recipe.swap) > int(step * self.recipe.swap)

    def _batch(self, step: int) -> Batch:
        """Every step draws from its own seed, so a resumed run sees what an unbroken one would."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, step])
        kinds = [kind for kind, share in recipe.shares.items() if share > 0]
        shares = np.array([recipe.shares[kind] for kind in kinds])
        count = recipe.batch // 2 if self._swaps(step) else recipe.batch
        views = []
        for kind in rng.choice(kinds, size=count, p=shares / shares.sum()):
            pool = self.pools[str(kind)]
            example = pool[int(rng.integers(len(pool)))]
            views.append(augment(example, rng, recipe.size, hard=recipe.hard))
        return _stacked(views)

    def _log(
        self, step: int, recent: Sequence[Mapping[str, float]], seconds: float, network: FocusNet
    ) -> None:
        names = sorted(set().union(*recent))
        record: dict[str, Any] = {"step": step, "s_per_step": round(seconds, 3)}
        record |= {n: rounded(float(np.mean([r[n] for r in recent if n in r]))) for n in names}
        record |= {n: rounded(v) for n, v in self.validate(network).items()}
        try:
            with (self.folder / _LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(record, allow_nan=False) + "\n")
        except OSError as exc:
            raise OutputError(f"{self.folder / _LOG} cannot be written ({exc.strerror}).") from exc
        self.say("  ".join(f"{name} {value}" for name, value in record.items()))

    def _save(
        self, network: FocusNet, averaged: FocusNet, optimiser: torch.optim.AdamW, step: int
    ) -> None:
        state = {
            "recipe": self.recipe.as_record(),
            "step": step,
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimiser": optimiser.state_dict(),
        }
        temporary = self.folder / f"{_CHECKPOINT}.part"
        try:
            torch.save(state, temporary)
            temporary.replace(self.folder / _CHECKPOINT)
        except (OSError, RuntimeError) as exc:
            # torch tells of a full disk by a RuntimeError.
            raise OutputError(
                f"{self.folder / _CHECKPOINT} cannot be written ({first_line(exc)}); make room and "
                "repeat the command."
            ) from exc

    def _resume(self, network: FocusNet, averaged: FocusNet, optimiser: torch.optim.AdamW) -> int:
        path = self.folder / _CHECKPOINT
        if not path.exists():
            return 0
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as exc:
            # Reading something else than a checkpoint may end in any error.
            raise _damaged(path, exc) from exc
        try:
            if state["recipe"] != self.recipe.as_record():
                raise InputError(
                    f"{path} was made by another recipe; train into another folder, or remove it."
                )
            network.load_state_dict(state["network"])
            averaged.load_state_dict(state["averaged"])
            optimiser.load_state_dict(state["optimiser"])
            step = int(state["step"])
        except (LookupError, RuntimeError, TypeError, ValueError) as exc:
            raise _damaged(path, exc) from exc
        self.say(f"Going on at step {step}.")
        return step


def initialise(recipe: Recipe, encoder: Path) -> FocusNet:
    """Return a network with random heads and the encoder of an ImageNet archive.

    Args:
        recipe: gives the seed and the network's variant.
        encoder: .npz with "convNN.weight" and "convNN.bias", NN counting from 00.

    Raises:
        InputError: the archive is missing or does not fit.
    """
    torch.manual_seed(recipe.seed)
    network = FocusNet(NetworkConfig(recipe.width, recipe.high_frequency))
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


def _fill(parameter: Tensor, archive: Mapping[str, NDArray[np.float32]], name: str) -> None:
    values = torch.from_numpy(archive[name])
    # Copying would spread a single number over all of them.
    if values.shape != parameter.shape:
        wanted, found = tuple(parameter.shape), tuple(values.shape)
        raise ValueError(f"{name} is of shape {found}, expected {wanted}")
    parameter.copy_(values)


def rounded(value: float) -> float | None:
    """Return a figure as logs and indexes show it; JSON has no word for NaN but null."""
    return round(value, 4) if math.isfinite(value) else None


def _damaged(path: Path, exc: Exception) -> InputError:
    return InputError(
        f"The checkpoint {path} is damaged or of another version of focuskit "
        f"({type(exc).__name__}: {first_line(exc)}); remove it to start anew."
    )


def _forward(network: FocusNet, rgb: Tensor) -> Any:
    return network(rgb.contiguous(memory_format=torch.channels_last))


def _schedule(step: int, warmup: int, steps: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def _stacked(views: Sequence[View]) -> Batch:
    rgb = np.stack([view.rgb for view in views]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    in_focus, weight, coc = (
        torch.from_numpy(np.stack([getattr(view, name) for view in views])[:, None])
        for name in ("in_focus", "weight", "coc_diameter_px")
    )
    return Batch(torch.from_numpy(rgb), in_focus, weight, torch.log2(1 + coc))
