"""The training loop: seeded, resumable, logged."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from focuskit.detect.maps import MapNetwork
from focuskit.detect.weights import first_line
from focuskit.errors import InputError, OutputError
from focuskit.training.recipe import Recipe

__all__ = ["Run", "Stateful", "Task", "rounded"]

_CHECKPOINT = "checkpoint.pt"
_LOG = "log.jsonl"
_PREFETCH = 3
_MAX_GRADIENT = 3.0
_SEEDS = 1_000_003

Network = TypeVar("Network", bound=MapNetwork)
Judged = TypeVar("Judged", bound=MapNetwork, contravariant=True)
Batch = TypeVar("Batch")


class Stateful(Protocol):
    """What a checkpoint can hold: a module, an optimiser."""

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` takes."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Become what the state was taken from."""


class Task(Protocol[Judged, Batch]):
    """What a kind of network is taught, and by what.

    A task may have companions, which learn beside the network (the critics of an adversarial loss
    and their optimisers). It moves them to the device in `prepare` and teaches them within `loss`,
    by steps of their own on detached outputs; what it returns is the network's loss alone.
    """

    def groups(self, network: Judged) -> list[tuple[list[nn.Parameter], float]]:
        """Return all parameters, in groups, each with its share of the learning rate."""

    def batch(self, step: int) -> Batch:
        """Return the batch of a step.

        Every step draws from its own seed, so a resumed run sees what an unbroken one would.
        """

    def loss(
        self, network: Judged, batch: Batch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a step's batch, which is on the CPU, and its terms for the log."""

    def validate(self, network: Judged) -> dict[str, float]:
        """Return figures on what was held back, by name."""

    def prepare(self, device: torch.device) -> None:
        """Make the companions ready for a device; called once, before anything is resumed."""
        return

    def companions(self) -> Mapping[str, Stateful]:
        """Return the companions by name: what the checkpoint holds beside the network."""
        return {}


@dataclass(slots=True)
class Run(Generic[Network]):
    """One training run, in a folder of its own, that goes on where it stopped.

    Attributes:
        recipe: what decides it.
        task: the data, the loss, and the judge.
        folder: where its checkpoint and log are.
        device: "cpu" or "cuda".
        every: steps between validations (and checkpoints).
        say: told what happens.
    """

    recipe: Recipe
    task: Task[Network, Any]
    folder: Path
    device: torch.device
    every: int = 500
    say: Callable[[str], None] = print

    def train(self, start: Network) -> Network:
        """Train from `start`, or from the folder's checkpoint, and return the averaged network.

        Raises:
            InputError: the folder's checkpoint is damaged or of another recipe.
            OutputError: the folder cannot be written to.
        """
        # Colours lie side by side in memory where that is faster.
        layout = torch.channels_last if start.CHANNELS == 3 else torch.preserve_format
        network: Network = start.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        averaged = deepcopy(network).eval()
        optimiser = self._optimiser(network)
        self.task.prepare(self.device)
        step = self._resume(network, averaged, optimiser)
        best = time.perf_counter()
        recent: list[dict[str, float]] = []
        with ThreadPoolExecutor(1) as pool:
            ahead = iter(range(step, self.recipe.steps))
            waiting = deque(pool.submit(self.task.batch, s) for s in islice(ahead, _PREFETCH))
            while waiting:
                batch = waiting.popleft().result()
                waiting.extend(pool.submit(self.task.batch, s) for s in islice(ahead, 1))
                recent.append(self._step(network, averaged, optimiser, batch, step))
                step += 1
                if step % self.every == 0 or step == self.recipe.steps:
                    seconds = (time.perf_counter() - best) / len(recent)
                    self._log(step, recent, seconds, averaged)
                    self._save(network, averaged, optimiser, step)
                    recent, best = [], time.perf_counter()
        return averaged

    def _optimiser(self, network: Network) -> torch.optim.AdamW:
        recipe = self.recipe
        return torch.optim.AdamW(
            [
                {"params": parameters, "lr": recipe.learning_rate * share}
                for parameters, share in self.task.groups(network)
            ],
            weight_decay=recipe.weight_decay,
        )

    def _step(
        self,
        network: Network,
        averaged: Network,
        optimiser: torch.optim.AdamW,
        batch: object,
        step: int,
    ) -> dict[str, float]:
        recipe = self.recipe
        network.train()
        # Dropout too must be what it would be in an unbroken run.
        torch.manual_seed(recipe.seed * _SEEDS + step)
        share = _schedule(step, recipe.warmup, recipe.steps)
        scales = [scale for _, scale in self.task.groups(network)]
        for group, scale in zip(optimiser.param_groups, scales, strict=True):
            group["lr"] = recipe.learning_rate * scale * share
        with torch.autocast(self.device.type, torch.bfloat16, enabled=_counts_halves(self.device)):
            loss, terms = self.task.loss(network, batch, step, self.device)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(network.parameters(), _MAX_GRADIENT)
        if bool(torch.isfinite(norm)):
            optimiser.step()
        decay = min(recipe.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, new in zip(averaged.parameters(), network.parameters(), strict=True):
                mean.lerp_(new, 1 - decay)
            # Running statistics are means already, and counters have none.
            for kept, now in zip(averaged.buffers(), network.buffers(), strict=True):
                kept.copy_(now)
        return {**terms, "loss": float(loss.detach()), "gradient": float(norm)}

    def _log(
        self, step: int, recent: Sequence[Mapping[str, float]], seconds: float, network: Network
    ) -> None:
        names = sorted(set().union(*recent))
        record: dict[str, Any] = {"step": step, "s_per_step": round(seconds, 3)}
        record |= {n: rounded(float(np.mean([r[n] for r in recent if n in r]))) for n in names}
        record |= {n: rounded(v) for n, v in self.task.validate(network).items()}
        try:
            with (self.folder / _LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(record, allow_nan=False) + "\n")
        except OSError as exc:
            raise OutputError(f"{self.folder / _LOG} cannot be written ({exc.strerror}).") from exc
        self.say("  ".join(f"{name} {value}" for name, value in record.items()))

    def _save(
        self, network: Network, averaged: Network, optimiser: torch.optim.AdamW, step: int
    ) -> None:
        state = {
            "recipe": self.recipe.as_record(),
            "step": step,
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimiser": optimiser.state_dict(),
        }
        companions = self.task.companions()
        if companions:
            state["companions"] = {n: each.state_dict() for n, each in companions.items()}
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

    def _resume(self, network: Network, averaged: Network, optimiser: torch.optim.AdamW) -> int:
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
            self._resume_companions(state.get("companions", {}), path)
            step = int(state["step"])
        except (LookupError, RuntimeError, TypeError, ValueError) as exc:
            raise _damaged(path, exc) from exc
        self.say(f"Going on at step {step}.")
        return step

    def _resume_companions(self, states: Mapping[str, dict[str, Any]], path: Path) -> None:
        companions = self.task.companions()
        if set(states) != set(companions):
            held, wanted = (", ".join(sorted(names)) or "nothing" for names in (states, companions))
            raise InputError(
                f"{path} holds {held} beside the network, but {self.recipe.name} trains with "
                f"{wanted}: it is of another version of focuskit; remove it to start anew."
            )
        for name, each in companions.items():
            each.load_state_dict(states[name])


def _counts_halves(device: torch.device) -> bool:
    """Whether bfloat16 is faster there: other processors only imitate it."""
    if device.type == "cuda":
        return True
    # [as of torch 2.13] There is no public name for this; older versions lack it.
    asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return asked is not None and bool(asked())


def rounded(value: float) -> float | None:
    """Return a figure as logs and indexes show it; JSON has no word for NaN but null."""
    return round(value, 4) if math.isfinite(value) else None


def _damaged(path: Path, exc: Exception) -> InputError:
    return InputError(
        f"The checkpoint {path} is damaged or of another version of focuskit "
        f"({type(exc).__name__}: {first_line(exc)}); remove it to start anew."
    )


def _schedule(step: int, warmup: int, steps: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))
