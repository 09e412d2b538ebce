"""The whole of one training: read data, train, judge what was held back, export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import torch

from focuskit.detect.network import FocusNet, NetworkConfig
from focuskit.detect.weights import first_line
from focuskit.errors import DeviceError, InputError, OutputError
from focuskit.training.export import export
from focuskit.training.loop import Run, initialise, rounded
from focuskit.training.recipes import Recipe
from focuskit.training.sources import read_sources
from focuskit.training.validation import Validation

__all__ = ["train_recipe"]

_ENCODER = Path("init") / "mobilenet_v2_imagenet.npz"


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
        start: .safetensors to start from; None for the ImageNet encoder.
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
    network = initialise(recipe, data / _ENCODER) if start is None else _loaded(recipe, start)
    sources = read_sources(data, cache, seed=recipe.seed, say=say)
    # Torch's threads and OpenCV's fight over the same cores otherwise.
    cv2.setNumThreads(1)
    validation = Validation(sources.validation)
    say(f"Training {recipe.name} for {recipe.steps} steps on {place}.")
    run = Run(recipe, sources.training, output, place, validation, every=every, say=say)
    trained = run.train(network)
    figures = validation(trained)
    facts = {
        "network": {"width": recipe.width, "high_frequency": recipe.high_frequency},
        "fusion": {"first": [1.0, 0.0], "both": [0.5, 0.5, 0.0]},
        "recipe": recipe.as_record(),
        "started_from": "ImageNet encoder" if start is None else start.name,
        "data_sha256": sources.data_hash,
        "validation": {name: rounded(value) for name, value in figures.items()},
    }
    export(trained, output / "weights", recipe.name, facts)
    say(f"Wrote {output / 'weights'}.")


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("There is no CUDA device that torch can use; train with --device cpu.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _loaded(recipe: Recipe, path: Path) -> FocusNet:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    torch.manual_seed(recipe.seed)
    network = FocusNet(NetworkConfig(recipe.width, recipe.high_frequency))
    try:
        state = {name: values.float() for name, values in load_file(path).items()}
        network.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as exc:
        raise InputError(
            f"{path} does not fit the recipe's network ({type(exc).__name__}: {first_line(exc)}); "
            "start from weights of the same width, or without --from."
        ) from exc
    return network
