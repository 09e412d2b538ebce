"""The weights that ship with focuskit, found by name and checked before they are used.

A person's own take their place where FOCUSKIT_WEIGHTS says so: NETWORK=FILE, such as
r-dbd=mine.safetensors. Worker processes inherit it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from focuskit.errors import WeightsError

__all__ = [
    "DESCRIPTION_KEY",
    "INDEX_NAME",
    "WAY_ON",
    "WEIGHTS_VARIABLE",
    "WEIGHTS_VERSION",
    "Weights",
    "chosen_weights",
    "description",
    "differing_keys",
    "find_weights",
    "first_line",
    "own_file",
    "read_shapes",
    "read_weights",
    "refusal",
    "weight_names",
    "weights_folder",
]

WEIGHTS_VARIABLE = "FOCUSKIT_WEIGHTS"

INDEX_NAME = "index.json"
DESCRIPTION_KEY = "focuskit"
"""Key of a .safetensors file's metadata: what its numbers are, as JSON."""

WEIGHTS_VERSION = 1
"""Goes up when networks change so that the weights of before no longer belong to them."""

WAY_ON = (
    "Install focuskit again (pip install --force-reinstall --no-deps focuskit), or choose a "
    "detector that needs no weights: --detector lbp."
)
"""What to do about weights that cannot be used."""

_FORM = "safetensors"
_NAMED = 3
_EXTRA_FORMS = ("onnx", "int8")
_RUNNING = ("running_mean", "running_var", "num_batches_tracked")
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of a network's arrays by key."""


@dataclass(frozen=True, slots=True)
class Weights:
    """One trained network on disk, in every form that it ships in.

    Attributes:
        name: as in the index.
        files: checked paths by form: "safetensors", of most "onnx" and of some "int8" too.
        facts: what the index says of them: network variant, calibration, recipe, figures.
    """

    name: str
    files: dict[str, Path]
    facts: dict[str, Any]

    @property
    def checksum(self) -> str:
        """SHA-256 of the file that stands for all forms, as hexadecimal digits."""
        path = self.files.get("onnx", self.files[_FORM])
        return hashlib.sha256(path.read_bytes()).hexdigest()

    @property
    def parameters(self) -> int:
        """How many learned numbers are used; running statistics are none of them.

        Where the facts hold "filters", these are all that is used.
        """
        if "filters" in self.facts:
            return int(np.size(self.facts["filters"]))
        shapes, _ = read_shapes(self.files[_FORM])
        learned = [shape for key, shape in shapes.items() if not key.endswith(_RUNNING)]
        return sum(math.prod(shape) for shape in learned)


def weights_folder() -> Path:
    """Return the folder that the weights ship in."""
    return Path(str(files("focuskit.detect"))) / "weights"


def weight_names(folder: Path | None = None) -> list[str]:
    """Return the names of the weights that ship, sorted.

    Raises:
        WeightsError: the index is missing or damaged.
    """
    return sorted(_read_index(folder or weights_folder()))


@cache
def find_weights(name: str, folder: Path | None = None) -> Weights:
    """Return the weights of that name after comparing every file with its checksum.

    Args:
        name: as in the index.
        folder: where the index is; None for the weights that ship.

    Raises:
        WeightsError: the index or a file is missing, unreadable or not what was shipped.
    """
    home = folder or weights_folder()
    index = _read_index(home)
    if name not in index:
        raise WeightsError(
            f"There are no weights called {name!r} in {home}; there is "
            f"{', '.join(sorted(index)) or 'nothing'}. {WAY_ON}"
        )
    entry = index[name]
    try:
        stored = {_FORM: entry["files"][_FORM]}
        stored |= {form: entry["files"][form] for form in _EXTRA_FORMS if form in entry["files"]}
        wanted = {form: (home / each["file"], str(each["sha256"])) for form, each in stored.items()}
        facts = {key: entry[key] for key in entry if key != "files"}
    except (KeyError, TypeError) as exc:
        raise WeightsError(
            f"The list of weights {home / INDEX_NAME} is damaged: of {name!r} it does not say what "
            f"it should ({exc}). {WAY_ON}"
        ) from exc
    return Weights(name, {form: _checked(*each) for form, each in wanted.items()}, facts)


def chosen_weights(name: str) -> Weights:
    """Return the weights that a network of that name runs with: a person's own, else the shipped.

    Raises:
        WeightsError: they are missing or damaged.
    """
    own = own_file(name)
    return find_weights(name) if own is None else read_weights(own, name)


def own_file(name: str) -> Path | None:
    """Return the file that FOCUSKIT_WEIGHTS names for a network, None for the shipped weights.

    Raises:
        WeightsError: the variable does not say NETWORK=FILE.
    """
    text = os.environ.get(WEIGHTS_VARIABLE, "").strip()
    if not text:
        return None
    network, _, file = text.partition("=")
    if not (network and file):
        raise WeightsError(
            f"{WEIGHTS_VARIABLE} is NETWORK=FILE, such as r-dbd=mine.safetensors, got {text!r}."
        )
    return Path(file) if network == name else None


def read_weights(path: Path, name: str) -> Weights:
    """Return weights from a .safetensors file of a person's own, with what it says of itself.

    Whether the numbers fit a network is seen when they are loaded.

    Args:
        path: the file; its facts hold "kind", "version" and what the index would, as far as it
            tells them.
        name: of the network that is to run with them.

    Raises:
        WeightsError: it cannot be read, is cut off, or is a pickle.
    """
    _, said = read_shapes(path)
    return Weights(name, {_FORM: path}, said)


def description(kind: str, facts: dict[str, Any]) -> dict[str, str]:
    """Return the metadata of a .safetensors file, which tells what the numbers in it are."""
    told = {**facts, "kind": kind, "version": WEIGHTS_VERSION}
    # Under one key: the library writes several in any order.
    return {DESCRIPTION_KEY: json.dumps(told, sort_keys=True, allow_nan=False)}


def read_shapes(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """Return the shapes of a .safetensors file's arrays by key, and what it says of itself.

    Raises:
        WeightsError: it cannot be read, is cut off, or is a pickle.
    """
    from safetensors import SafetensorError, safe_open

    start = b""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        with safe_open(path, "numpy") as arrays:
            shapes = {key: tuple(arrays.get_slice(key).get_shape()) for key in arrays.keys()}
            told = json.loads((arrays.metadata() or {}).get(DESCRIPTION_KEY, "{}"))
    except OSError as exc:
        raise WeightsError(
            f"The weights {path} cannot be read ({exc.strerror or first_line(exc)}); name a "
            ".safetensors file."
        ) from exc
    except (SafetensorError, ValueError) as exc:
        # Only what is no safetensors file: a header of one may begin with the same bytes.
        if start.startswith(_PICKLES):
            raise WeightsError(
                f"{path} is a pickle, which may carry code and is never loaded; have who made it "
                "store it as .safetensors."
            ) from exc
        raise WeightsError(
            f"{path} is cut off, damaged or no safetensors file ({first_line(exc)}); copy it again "
            "or write it anew with focuskit weights export."
        ) from exc
    return shapes, told if isinstance(told, dict) else {}


def refusal(told: Mapping[str, Any], wanted: str) -> str:
    """Return why weights are not for a kind of network, by what they say; nothing if they are."""
    kind, version = told.get("kind"), told.get("version")
    if kind is None:
        return "it does not say what it is, as weights that focuskit writes do"
    if kind != wanted:
        return f"it holds {kind!r}, another architecture than {wanted}"
    if version != WEIGHTS_VERSION:
        return f"it is of version {version}, and this focuskit reads version {WEIGHTS_VERSION}"
    return ""


def differing_keys(expected: Shapes, found: Shapes) -> str:
    """Name the first keys that differ, in the network's order, then those that it lacks."""
    keys = [*expected, *(key for key in found if key not in expected)]
    said = []
    for key in keys:
        if key not in found:
            said.append(f"{key} (missing)")
        elif key not in expected:
            said.append(f"{key} (not of this network)")
        elif found[key] != expected[key]:
            said.append(f"{key} ({_size(found[key])} instead of {_size(expected[key])})")
    if not said:
        return "its keys are the same"
    more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return f"keys that differ: {', '.join(said[:_NAMED])}{more}"


def first_line(exc: Exception) -> str:
    """Return what fits in a sentence of a library's message, which may go on for pages."""
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0].rstrip(".:")


def _read_index(home: Path) -> dict[str, Any]:
    path = home / INDEX_NAME
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        weights = index["weights"]
    except FileNotFoundError as exc:
        raise WeightsError(
            f"The network's weights are missing: there is no {path}. {WAY_ON}"
        ) from exc
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise WeightsError(f"The list of weights {path} is damaged ({exc}). {WAY_ON}") from exc
    if not isinstance(weights, dict):
        raise WeightsError(f"The list of weights {path} is damaged (no table). {WAY_ON}")
    return weights


def _checked(path: Path, wanted: str) -> Path:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as exc:
        raise WeightsError(
            f"The network's weights {path} could not be read ({exc.strerror}). {WAY_ON}"
        ) from exc
    if found != wanted:
        raise WeightsError(
            f"The network's weights {path} are not the ones that were shipped: their SHA-256 is "
            f"{found[:12]}…, expected {wanted[:12]}…. {WAY_ON}"
        )
    return path


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"
