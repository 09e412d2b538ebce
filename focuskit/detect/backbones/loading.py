"""An encoder's weights from a file of the user's."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from focuskit.detect.backbones.base import Backbone
from focuskit.detect.weights import first_line
from focuskit.errors import WeightsError

__all__ = ["load_backbone"]

_SHOWN = 3
# What training scripts call the weights among whatever else they save.
_WRAPPERS = ("state_dict", "model")
# Counts batches for statistics that are not updated by it; older files have none.
_COUNTER = ".num_batches_tracked"
_CODE = re.compile(r"GLOBAL ([\w.]+)")


def load_backbone(network: Backbone, path: Path) -> str:
    """Give an encoder the weights of a file, under torchvision's names or timm's.

    Layers that only tell classes are passed over. Code in the file is never run.

    Args:
        network: changed in place, and only if all of the file fits.
        path: .safetensors, or what `torch.save` wrote of a `state_dict`.

    Returns:
        The file's SHA-256 in hexadecimal digits.

    Raises:
        WeightsError: the file is missing, damaged, holds code, or is of another network.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise WeightsError(
            f"The weights {path} could not be read ({exc.strerror}); give the path of a .pth or "
            ".safetensors file."
        ) from exc
    found = _tensors(_content(data, path), path)
    found = {
        name: values
        for name, values in network.renamed(found).items()
        if not name.startswith(network.HEADS) and not name.endswith(_COUNTER)
    }
    wanted = network.state_dict()
    counters = {name: values for name, values in wanted.items() if name.endswith(_COUNTER)}
    different = _differences(found, {n: v for n, v in wanted.items() if n not in counters})
    if different:
        more = len(different) - _SHOWN
        raise WeightsError(
            f"The weights {path} are not those of {network.NAME}: "
            + "; ".join(different[:_SHOWN])
            + (f"; and {more} more" if more > 0 else "")
            + f". Give a file with the weights of {network.NAME} as torchvision or timm have it."
        )
    network.load_state_dict(found | counters)
    return hashlib.sha256(data).hexdigest()


def _content(data: bytes, path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            return load(data)
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as exc:
        # Reading something else than weights may end in any error.
        code = _CODE.search(str(exc))
        if code:
            raise WeightsError(
                f"The weights {path} were not loaded: the file holds code ({code[1]}), which "
                "focuskit never runs. Give the plain tensors, as .safetensors or as "
                "torch.save(model.state_dict(), ...) writes them."
            ) from exc
        raise WeightsError(
            f"The weights {path} are damaged or no weights at all ({type(exc).__name__}: "
            f"{first_line(exc)}); fetch the file again."
        ) from exc


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    for name in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(values, Tensor) for name, values in content.items()
    ):
        raise WeightsError(
            f"The weights {path} hold something else than named tensors; give what "
            "torch.save(model.state_dict(), ...) writes."
        )
    # What trained on several devices at once calls everything so.
    return {name.removeprefix("module."): values for name, values in content.items()}


def _differences(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """Tell what differs, what is wanted and what is there by turns."""

    def lacking() -> Iterator[str]:
        for name, values in wanted.items():
            if name not in found:
                yield f"{name} is missing"
            elif found[name].shape != values.shape:
                yield f"{name} is of shape {_shape(found[name])}, expected {_shape(values)}"

    unexpected = (f"{name} is unexpected" for name in found if name not in wanted)
    pairs = zip_longest(lacking(), unexpected)
    return [each for each in chain.from_iterable(pairs) if each is not None]


def _shape(values: Tensor) -> str:
    return "×".join(map(str, values.shape)) or "a single number"
