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
from focuskit.training.sources import Sources, read_sources

__all__ = ["find_device", "train_recipe", "train_with"]

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
    place = find_device(device)
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
    given = start or backbone
    origin = given.name if given else kind.origin(recipe)
    train_with(
        recipe, network, sources, origin=origin, output=output, device=place, every=every, say=say
    )


def train_with(
    recipe: Recipe,
    network: Network,
    sources: Sources,
    *,
    origin: str,
    output: Path,
    device: torch.device,
    every: int,
    say: Callable[[str], None],
) -> Network:
    """Train a network on data that were read, write its weights, and return it.

    Args:
        recipe: decides everything but the data.
        network: of the recipe's kind, to start from.
        sources: the data.
        origin: what is started from, for the index.
        output: folder of the run, which is there; continued if it holds a checkpoint.
        device: where to train.
        every: steps between checkpoints.
        say: told what happens.

    Raises:
        InputError: the data are too few, or the checkpoint is damaged or of another recipe.
        OutputError: the folder cannot be written.
    """
    recipe.check_pools(sources.training)
    kind = kind_of(recipe)
    # Torch's threads and OpenCV's fight over the same cores otherwise.
    cv2.setNumThreads(1)
    task = kind.make_task(recipe, sources.training, sources.validation)
    say(f"Training {recipe.name} for {recipe.steps} steps on {device}.")
    run: Run[Network] = Run(recipe, task, output, device, every=every, say=say)
    trained = run.train(network)
    figures = task.validate(trained)
    facts = {
        **kind.facts(trained, task),
        "recipe": recipe.as_record(),
        "started_from": origin,
        "data_sha256": sources.data_hash,
        "validation": {name: rounded(value) for name, value in figures.items()},
    }
    pictures = kind.pictures(sources.training)
    export(trained, output / "weights", recipe.name, facts, pictures=pictures, graph=kind.graph)
    say(f"Wrote {output / 'weights'}.")
    return trained


def find_device(name: str) -> torch.device:
    """Return the device that "auto", "cpu" or "cuda" means.

    Raises:
        DeviceError: CUDA was asked for and is absent.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("There is no CUDA device that torch can use; train with --device cpu.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
