"""How recipes of one class are trained, found without importing the networks of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from focuskit.detect.maps import MapNetwork
from focuskit.errors import InputError
from focuskit.training.example import Pools
from focuskit.training.loop import Task
from focuskit.training.quantise import Pictures
from focuskit.training.recipe import Recipe
from focuskit.training.recipes import FocusRecipe, GaugeRecipe, MotionRecipe
from focuskit.training.system_recipes import (
    DefusionRecipe,
    LocalMetricRecipe,
    M2csRecipe,
    RdbdRecipe,
    StudentRecipe,
    TeacherRecipe,
)

__all__ = ["Kind", "kind_of", "no_backbone"]

Given = TypeVar("Given", bound=Recipe)
Network = TypeVar("Network", bound=MapNetwork)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Given, Network]):
    """How recipes of one class are trained.

    Attributes:
        make_task: from the recipe and the data for training and for validation.
        fresh: the network with random weights that the seed decides.
        initial: the network to start from, given the folder of the data and the user's file with
            the weights of its backbone, None if there is none; raises InputError for a file that it
            has no use for, see `no_backbone`.
        origin: what that is called in the index where no file was given.
        facts: what loading and running the trained network need, from it and its task.
        pictures: for counting in 8 bits, from the training data; none to leave that out.
        graph: whether it ships for onnxruntime too, beside safetensors.
    """

    make_task: Callable[[Given, Pools, Pools], Task[Network, Any]]
    fresh: Callable[[Given], Network]
    initial: Callable[[Given, Path, Path | None], Network]
    origin: Callable[[Given], str]
    facts: Callable[[Network, Any], dict[str, Any]]
    pictures: Callable[[Pools], Pictures] = lambda pools: ()
    graph: bool = True


_KINDS: dict[type[Recipe], str] = {
    FocusRecipe: "focuskit.training.focusing:KIND",
    GaugeRecipe: "focuskit.training.gauging:KIND",
    MotionRecipe: "focuskit.training.moving:KIND",
    RdbdRecipe: "focuskit.training.systems.rdbd:KIND",
    DefusionRecipe: "focuskit.training.systems.defusionnet:KIND",
    TeacherRecipe: "focuskit.training.systems.dbdgan:TEACHER_KIND",
    StudentRecipe: "focuskit.training.systems.dbdgan:STUDENT_KIND",
    M2csRecipe: "focuskit.training.systems.m2cs:KIND",
    LocalMetricRecipe: "focuskit.training.systems.local_metric:KIND",
}


def kind_of(recipe: Given) -> Kind[Given, Any]:
    """Return how a recipe is trained; imports its network now."""
    module, _, name = _KINDS[type(recipe)].partition(":")
    return cast("Kind[Given, Any]", getattr(import_module(module), name))


def no_backbone(recipe: Recipe, backbone: Path | None) -> None:
    """Refuse a backbone's file where there is nothing to put it into.

    Raises:
        InputError: there is one.
    """
    if backbone is not None:
        raise InputError(
            f"{recipe.name} has no backbone that learned before, but {backbone} was given for it; "
            "leave out --weights."
        )
