"""What is trained, on what, and how: all that decides the weights but the data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import numpy as np

from focuskit.check import check_range
from focuskit.errors import InputError, UnknownNameError

__all__ = ["RECIPES", "FocusRecipe", "GaugeRecipe", "Recipe", "recipe_named"]

# What FocusNet's five halvings ask of a side, as `focuskit.detect.network.STRIDE`; a multiple of
# every other network's stride. Torch is not loaded to refuse a setting.
_STRIDE = 32

_KINDS = ("cuhk", "pairs", "sweeps", "scenes", "whole")

# Of the fields of all recipes.
_AT_LEAST = {
    "steps": 1,
    "batch": 1,
    "size": _STRIDE,
    "learning_rate": 0,
    "encoder_share": 0,
    "weight_decay": 0,
    "warmup": 0,
    "width": 1,
    "consistency": 0,
    "hard": 0,
    "overlap": 0,
    "side": 0,
    "cuhk": 0,
    "pairs": 0,
    "sweeps": 0,
    "scenes": 0,
    "whole": 0,
    "seed": 0,
}
_WITHIN_ONE = ("average", "swap")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train a network; a variant differs in a field.

    Attributes:
        name: of the weights it makes.
        steps: optimiser steps.
        batch: pictures per step.
        size: side of the views in pixels.
        learning_rate: its peak; a cosine falls to 1/100 of it.
        weight_decay: of AdamW.
        warmup: steps of linear rise.
        average: decay of the running mean of the weights that is kept at the end.
        cuhk, pairs, sweeps, scenes, whole: shares of the kinds of data.
        seed: of everything random.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    name: str
    steps: int
    batch: int
    size: int
    learning_rate: float
    weight_decay: float
    warmup: int
    average: float
    cuhk: float
    pairs: float
    sweeps: float
    scenes: float
    whole: float
    seed: int

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]*\w", self.name) or self.name.startswith("."):
            raise InputError(
                f"name is what the files will be called, letters, digits, - and _; got "
                f"{self.name!r}."
            )
        for field in fields(self):
            if field.name in _AT_LEAST:
                check_range(field.name, getattr(self, field.name), low=_AT_LEAST[field.name])
            elif field.name in _WITHIN_ONE:
                check_range(field.name, getattr(self, field.name), low=0, high=1)
        if self.size % _STRIDE:
            raise InputError(f"size must be a multiple of {_STRIDE} pixels, got {self.size}.")
        if not any(self.shares.values()):
            raise InputError("At least one share of data must be above 0.")

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the kinds of data, by name."""
        return {kind: getattr(self, kind) for kind in _KINDS}

    def drawn_shares(self, pools: Mapping[str, Sequence[object]]) -> dict[str, float]:
        """Return the shares of the kinds that are drawn from at all; together they are 1.

        Args:
            pools: examples by kind.

        Raises:
            InputError: there are no examples of a kind that has a share.
        """
        kinds = [kind for kind, share in self.shares.items() if share > 0]
        missing = [kind for kind in kinds if not pools.get(kind)]
        if missing:
            raise InputError(
                f"There are no examples of {', '.join(missing)}; give the data or set that share "
                "to 0."
            )
        shares = np.array([self.shares[kind] for kind in kinds])
        return dict(zip(kinds, (shares / shares.sum()).tolist(), strict=True))

    def changed(self, settings: Sequence[str]) -> Self:
        """Return a variant from settings such as "steps=100".

        Raises:
            InputError: a setting names no field, or its value cannot be used.
        """
        values: dict[str, Any] = dict(self._parsed(setting) for setting in settings)
        return replace(self, **values)

    def _parsed(self, setting: str) -> tuple[str, bool | int | float | str]:
        name, equals, text = setting.partition("=")
        known = {field.name for field in fields(self)}
        if not equals or name not in known:
            raise InputError(
                f"{setting!r} is no setting of a recipe; write NAME=VALUE with one of "
                f"{', '.join(sorted(known))}."
            )
        before = getattr(self, name)
        if isinstance(before, bool):
            if text.lower() not in ("true", "false"):
                raise InputError(f"{name} is true or false, got {text!r}.")
            return name, text.lower() == "true"
        try:
            return name, type(before)(text)
        except ValueError as exc:
            kind = "a whole number" if isinstance(before, int) else "a number"
            raise InputError(f"{name} is {kind}, got {text!r}.") from exc

    def as_record(self) -> dict[str, bool | int | float | str]:
        """Return the fields as plain values, for logs and model cards."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FocusRecipe(Recipe):
    """One way to train a FocusNet. Swapped copies count as pictures of the batch.

    Attributes:
        learning_rate: the decoder's.
        encoder_share: the encoder's learning rate as a share of that.
        width: channels of the decoder.
        high_frequency: whether gradients and band energies go in beside the colours.
        swap: share of steps in which half of the batch are patch-swapped copies (R-DBD).
        consistency: weight of R-DBD's consistency term.
        hard: weight of hard regions (R-DBD: 2).
        overlap: weight of the soft intersection over union.
        side: weight of the same loss at the coarser levels.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    name: str = "focusnet"
    steps: int = 5500
    batch: int = 8
    size: int = 320
    learning_rate: float = 1e-3
    encoder_share: float = 0.3
    weight_decay: float = 1e-2
    warmup: int = 200
    average: float = 0.998
    width: int = 48
    high_frequency: bool = True
    swap: float = 0.25
    consistency: float = 0.2
    hard: float = 2.0
    overlap: float = 0.5
    side: float = 0.3
    cuhk: float = 0.62
    pairs: float = 0.06
    sweeps: float = 0.06
    scenes: float = 0.14
    whole: float = 0.12
    seed: int = 0

    def __post_init__(self) -> None:
        # Not super(): a class with slots is another than the one that its methods were made for.
        Recipe.__post_init__(self)
        if self.swap > 0 and self.batch < 2:
            raise InputError("batch must be at least 2, or swap 0: swapped copies count.")


@dataclass(frozen=True, slots=True)
class GaugeRecipe(Recipe):
    """One way to train a GaugeNet.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    name: str = "gauge"
    steps: int = 6000
    batch: int = 8
    size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    warmup: int = 100
    average: float = 0.998
    cuhk: float = 0.7
    pairs: float = 0.0
    sweeps: float = 0.0
    scenes: float = 0.2
    whole: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)
        if self.pairs > 0 or self.sweeps > 0:
            raise InputError("pairs and sweeps must be 0: nobody measured how large their blur is.")


RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (FocusRecipe(), GaugeRecipe())}


def recipe_named(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in RECIPES:
        raise UnknownNameError(f"There is no recipe {name!r}; there is {', '.join(RECIPES)}.")
    return RECIPES[name]
