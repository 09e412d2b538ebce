"""The whole of one training: read data, train, judge what was held back, export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import torch

from focuskit.detect.gauge import GaugeNet
from focuskit.detect.maps import MapNetwork
from focuskit.detect.network import FocusNet
from focuskit.detect.weights import first_line
from focuskit.errors import DeviceError, InputError, OutputError
from focuskit.training import focusing, gauging
from focuskit.training.example import Pools
from focuskit.training.export import export
from focuskit.training.loop import Run, Task, rounded
from focuskit.training.quantise import Pictures
from focuskit.training.recipes import FocusRecipe, GaugeRecipe, Recipe
from focuskit.training.sources import read_sources

__all__ = ["train_recipe"]

_ENCODER = Path("init") / "mobilenet_v2_imagenet.npz"

Given = TypeVar("Given", bound=Recipe)
Network = TypeVar("Network", bound=MapNetwork)


@dataclass(frozen=True, slots=True)
class _Kind(Generic[Given, Network]):
    """How recipes of one class are trained.

    Attributes:
        make_task: from the recipe and the data for training and for validation.
        fresh: the network with random weights.
        initial: the network to start from, given the folder of the data.
        origin: what that is called in the index.
        facts: what loading and running the trained network need, from it and its task.
        pictures: for counting in 8 bits, from the training data; none to leave that out.
    """

    make_task: Callable[[Given, Pools, Pools], Task[Network, Any]]
    fresh: Callable[[Given], Network]
    initial: Callable[[Given, Path], Network]
    origin: str
    facts: Callable[[Network, Any], dict[str, Any]]
    pictures: Callable[[Pools], Pictures]


# Gains and offset of the logits: of the first look alone, of the first and the close one. Chosen
# on the held-back photos of CUHK; larger gains lower the error but spoil the calibration.
_FUSION = {"first": [1.6, 0.0], "both": [1.17, 0.52, 0.0]}


def _facts_of_focusnet(network: FocusNet, task: Any) -> dict[str, Any]:
    return {"network": asdict(network.config), "fusion": _FUSION}


_FOCUSNET: _Kind[FocusRecipe, FocusNet] = _Kind(
    make_task=focusing.FocusTask,
    fresh=focusing.fresh_network,
    initial=lambda recipe, data: focusing.initialise(recipe, data / _ENCODER),
    origin="ImageNet encoder",
    facts=_facts_of_focusnet,
    pictures=lambda pools: focusing.usual_pictures(pools.get("cuhk", ())),
)
_GAUGE: _Kind[GaugeRecipe, GaugeNet] = _Kind(
    make_task=gauging.GaugeTask,
    fresh=gauging.fresh_network,
    initial=lambda recipe, data: gauging.fresh_network(recipe),
    origin="random weights",
    facts=lambda network, task: {
        "network": {},
        "frame_offset": rounded(task.frame_offset(network)),
    },
    # All of it is smaller than what an encoder gains.
    pictures=lambda pools: (),
)
_KINDS: dict[type[Recipe], _Kind[Any, Any]] = {FocusRecipe: _FOCUSNET, GaugeRecipe: _GAUGE}


def train_recipe(
    recipe: Recipe,
    *,
    data: Path,
    output: Path,
    cache: Path,
    start: Path | None,
    device: str,
    every: int,
    say: Callable[[str], None],
) -> None:
    """Train by a recipe and write the weights below `output`.

    Args:
        recipe: decides everything but the data.
        data: folder with the data sets.
        output: folder of the run; made if missing, continued if it holds a checkpoint.
        cache: folder for rendered examples.
        start: .safetensors to start from; None for what the recipe's kind starts from.
        device: "auto", "cpu" or "cuda".
        every: steps between checkpoints.
        say: told what happens.

    Raises:
        InputError: data or starting weights are not what they should be.
        DeviceError: CUDA was asked for and is absent.
        OutputError: the folder cannot be written.
    """
    place = _device(device)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{output} cannot be made ({exc.strerror}); choose another.") from exc
    kind = _KINDS[type(recipe)]
    network = kind.initial(recipe, data) if start is None else _loaded(kind.fresh(recipe), start)
    sources = read_sources(data, cache, seed=recipe.seed, say=say)
    # Torch's threads and OpenCV's fight over the same cores otherwise.
    cv2.setNumThreads(1)
    task = kind.make_task(recipe, sources.training, sources.validation)
    say(f"Training {recipe.name} for {recipe.steps} steps on {place}.")
    trained = Run(recipe, task, output, place, every=every, say=say).train(network)
    figures = task.validate(trained)
    facts = {
        **kind.facts(trained, task),
        "recipe": recipe.as_record(),
        "started_from": kind.origin if start is None else start.name,
        "data_sha256": sources.data_hash,
        "validation": {name: rounded(value) for name, value in figures.items()},
    }
    pictures = kind.pictures(sources.training)
    export(trained, output / "weights", recipe.name, facts, pictures=pictures)
    say(f"Wrote {output / 'weights'}.")


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("There is no CUDA device that torch can use; train with --device cpu.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _loaded(network: Network, path: Path) -> Network:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = {name: values.float() for name, values in load_file(path).items()}
        network.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as exc:
        raise InputError(
            f"{path} does not fit the recipe's network ({type(exc).__name__}: {first_line(exc)}); "
            "start from weights of the same kind and width, or without --from."
        ) from exc
    return network
