"""The weights that ship with focuskit, found by name and checked before they are used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from focuskit.errors import WeightsError

__all__ = [
    "INDEX_NAME",
    "WAY_ON",
    "Weights",
    "find_weights",
    "first_line",
    "weight_names",
    "weights_folder",
]

INDEX_NAME = "index.json"
WAY_ON = (
    "Install focuskit again (pip install --force-reinstall --no-deps focuskit), or choose a "
    "detector that needs no weights: --detector lbp."
)
"""What to do about weights that cannot be used."""

_FORMS = ("onnx", "safetensors")
_EXTRA_FORMS = ("int8",)


@dataclass(frozen=True, slots=True)
class Weights:
    """One trained network on disk, in every form that it ships in.

    Attributes:
        name: as in the index.
        files: checked paths by form: "onnx" and "safetensors", of some "int8" too.
        facts: what the index says of them: network variant, calibration, recipe, figures.
    """

    name: str
    files: dict[str, Path]
    facts: dict[str, Any]


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
        stored = {form: entry["files"][form] for form in _FORMS}
        stored |= {form: entry["files"][form] for form in _EXTRA_FORMS if form in entry["files"]}
        wanted = {form: (home / each["file"], str(each["sha256"])) for form, each in stored.items()}
        facts = {key: entry[key] for key in entry if key != "files"}
    except (KeyError, TypeError) as exc:
        raise WeightsError(
            f"The list of weights {home / INDEX_NAME} is damaged: of {name!r} it does not say what "
            f"it should ({exc}). {WAY_ON}"
        ) from exc
    return Weights(name, {form: _checked(*each) for form, each in wanted.items()}, facts)


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
