"""What one recipe is: all that decides the weights but the data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from focuskit.check import check_range
from focuskit.errors import InputError

__all__ = ["STRIDE", "Recipe"]

STRIDE = 32
"""Sides must be multiples of this, as of every network's stride: torch is not loaded to refuse a
setting."""

_KINDS = ("cuhk", "pairs", "sweeps", "scenes", "whole")


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

    A class of its own says by these what its fields may be; every number has a bound.

    Attributes:
        AT_LEAST: the least value of numbers.
        WITHIN_ONE: numbers in [0, 1].
        CHOICES: what a text may be.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    AT_LEAST: ClassVar[dict[str, float]] = {
        "steps": 1,
        "batch": 1,
        "size": STRIDE,
        "learning_rate": 0,
        "weight_decay": 0,
        "warmup": 0,
        "cuhk": 0,
        "pairs": 0,
        "sweeps": 0,
        "scenes": 0,
        "whole": 0,
        "seed": 0,
    }
    WITHIN_ONE: ClassVar[frozenset[str]] = frozenset({"average"})
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {}

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
            value = getattr(self, field.name)
            if field.name in self.AT_LEAST:
                check_range(field.name, value, low=self.AT_LEAST[field.name])
            elif field.name in self.WITHIN_ONE:
                check_range(field.name, value, low=0, high=1)
            elif field.name in self.CHOICES and value not in self.CHOICES[field.name]:
                choices = ", ".join(self.CHOICES[field.name])
                raise InputError(f"{field.name} is one of {choices}; got {value!r}.")
        if self.size % STRIDE:
            raise InputError(f"size must be a multiple of {STRIDE} pixels, got {self.size}.")
        if not any(self.shares.values()):
            raise InputError("At least one share of data must be above 0.")

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the kinds of data, by name."""
        return {kind: getattr(self, kind) for kind in _KINDS}

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of data that training needs."""
        return frozenset(kind for kind, share in self.shares.items() if share > 0)

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

    def check_pools(self, pools: Mapping[str, Sequence[object]]) -> None:
        """Refuse examples that are too few to train with.

        Args:
            pools: examples by kind.

        Raises:
            InputError: a kind that has a share is missing, or there are fewer than one batch takes.
        """
        count = sum(len(pools[kind]) for kind in self.drawn_shares(pools))
        if count < self.batch:
            raise InputError(
                f"There are {count} examples for batches of {self.batch}; give more photos, or set "
                f"batch to at most {count}."
            )

    def changed(self, settings: Sequence[str]) -> Self:
        """Return a variant from settings such as "steps=100".

        Raises:
            InputError: a setting names no field, or its value cannot be used.
        """
        values: dict[str, Any] = dict(self._parsed(setting) for setting in settings)
        return replace(self, **values)

    def with_option(self, option: str, name: str, value: str) -> Self:
        """Return a variant with a field that only some recipes have.

        Args:
            option: what people write for it, for the message.
            name: of the field.
            value: of it.

        Raises:
            InputError: this recipe lacks the field, or the value cannot be used.
        """
        if name not in {field.name for field in fields(self)}:
            raise InputError(f"{option} means nothing to {self.name}; leave it out.")
        values: dict[str, Any] = {name: value}
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
