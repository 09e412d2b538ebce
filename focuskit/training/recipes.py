"""What is trained, and how: the recipes by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from focuskit.errors import InputError, UnknownNameError
from focuskit.training.recipe import Recipe
from focuskit.training.system_recipes import SYSTEM_RECIPES

__all__ = ["RECIPES", "FocusRecipe", "GaugeRecipe", "MotionRecipe", "Recipe", "recipe_named"]


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

    AT_LEAST: ClassVar[dict[str, float]] = Recipe.AT_LEAST | {
        "encoder_share": 0,
        "width": 1,
        "consistency": 0,
        "hard": 0,
        "overlap": 0,
        "side": 0,
    }
    WITHIN_ONE: ClassVar[frozenset[str]] = Recipe.WITHIN_ONE | {"swap"}

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


@dataclass(frozen=True, slots=True)
class MotionRecipe(Recipe):
    """One way to train a MotionNet; `batch` counts boxes, and `size` is their side.

    Attributes:
        width: channels of the first layers.
        boxes: how many are rendered in all.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    AT_LEAST: ClassVar[dict[str, float]] = Recipe.AT_LEAST | {"width": 1, "boxes": 1}

    name: str = "motion"
    steps: int = 2800
    batch: int = 64
    size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: int = 200
    average: float = 0.99
    cuhk: float = 1.0
    pairs: float = 0.0
    sweeps: float = 0.0
    scenes: float = 0.0
    whole: float = 0.0
    seed: int = 0
    width: int = 16
    boxes: int = 20000


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (FocusRecipe(), GaugeRecipe(), MotionRecipe(), *SYSTEM_RECIPES)
}


def recipe_named(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in RECIPES:
        raise UnknownNameError(f"There is no recipe {name!r}; there is {', '.join(RECIPES)}.")
    return RECIPES[name]
