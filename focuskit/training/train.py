"""The whole of one training: read data, train, judge what was held back, export."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cv2
import torch

from focuskit.detect.maps import MapNetwork
from focuskit.detect.weights import first_line
from focuskit.errors import DeviceError, InputError, OutputError
from focuskit.training.export import export
from focuskit.training.kinds import kind_of
from focuskit.training.loop import Run, rounded
from focuskit.training.recipe import Recipe
from focuskit.training.sources import read_sources

__all__ = ["train_recipe"]

Network = TypeVar("Network", bound=MapNetwork)


def train_recipe(
    recipe: Recipe,
    *,
    data: Path,
    output: Path,
    cache: Path,
    start: Path | None,
    backbone: Path | None = None,
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
        backbone: file with the weights that the network's backbone starts from; None for what is
            below `data`.
        device: "auto", "cpu" or "cuda".
        every: steps between checkpoints.
        say: told what happens.

    Raises:
        InputError: data or starting weights are not what they should be.
        DeviceError: CUDA was asked for and is absent.
        OutputError: the folder cannot be written.
    """
    place = _device(device)
    if start is not None and backbone is not None:
        raise InputError(
            f"{start} holds the whole network, {backbone} its backbone: start from one."
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{output} cannot be made ({exc.strerror}); choose another.") from exc
    kind = kind_of(recipe)
    if start is None:
        network = kind.initial(recipe, data, backbone)
        if backbone is not None:
            say(f"Backbone from {backbone.name}, SHA-256 {_digest(backbone)}.")
    else:
        network = _loaded(kind.fresh(recipe), start)
    sources = read_sources(data, cache, seed=recipe.seed, say=say, kinds=recipe.kinds)
    recipe.check_pools(sources.training)
    # Torch's threads and OpenCV's fight over the same cores otherwise.
    cv2.setNumThreads(1)
    task = kind.make_task(recipe, sources.training, sources.validation)
    say(f"Training {recipe.name} for {recipe.steps} steps on {place}.")
    trained = Run(recipe, task, output, place, every=every, say=say).train(network)
    figures = task.validate(trained)
    given = start or backbone
    facts = {
        **kind.facts(trained, task),
        "recipe": recipe.as_record(),
        "started_from": given.name if given else kind.origin(recipe),
        "data_sha256": sources.data_hash,
        "validation": {name: rounded(value) for name, value in figures.items()},
    }
    pictures = kind.pictures(sources.training)
    export(trained, output / "weights", recipe.name, facts, pictures=pictures, graph=kind.graph)
    say(f"Wrote {output / 'weights'}.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
