"""Weights on their way to other people: files that say what they are, checksums, and a card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from focuskit.detect.weights import WEIGHTS_VERSION, Weights, description

__all__ = ["CHECKSUMS_SUFFIX", "weights_card", "weights_to_files"]

CHECKSUMS_SUFFIX = ".sha256"
"""Of the file that `sha256sum --check` reads."""

_FIRST_KIND = "focusnet"
_TABLES = (("network", "Network"), ("recipe", "Recipe"), ("validation", "On held-back photos"))


def weights_to_files(weights: Weights) -> dict[str, bytes]:
    """Return the files to hand on by name: every form, their checksums, and the card.

    Raises:
        WeightsError: a file cannot be read.
    """
    forms = {path.name: path.read_bytes() for path in weights.files.values()}
    path = weights.files["safetensors"]
    forms[path.name] = _described(forms[path.name], weights.facts)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in forms.items()}
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    card = weights_card(weights, {name: len(data) for name, data in forms.items()}, sums)
    return forms | {
        f"{weights.name}{CHECKSUMS_SUFFIX}": lines.encode(),
        f"{weights.name}.md": card.encode(),
    }


def weights_card(weights: Weights, sizes: Mapping[str, int], sums: Mapping[str, str]) -> str:
    """Return what is known of weights, in Markdown.

    Args:
        weights: what the card is about.
        sizes: bytes of each file by name.
        sums: their SHA-256 by name.
    """
    facts = weights.facts
    kind = facts.get("kind", _FIRST_KIND)
    rows = [[name, f"{size / 1e6:.2f} MB", f"`{sums[name]}`"] for name, size in sizes.items()]
    parts = [
        f"# {weights.name}",
        f"Weights of a network of the kind `{kind}` for focuskit: {weights.parameters:,} "
        f"parameters, stored in 16 bits, version {WEIGHTS_VERSION}.",
        _table(["file", "size", "SHA-256"], rows),
        f"Checked by `sha256sum --check {weights.name}{CHECKSUMS_SUFFIX}`, used by `focuskit "
        f"detect --weights {weights.name}.safetensors` with a detector that runs this network.",
    ]
    for key, title in _TABLES:
        values = facts.get(key)
        if isinstance(values, Mapping) and values:
            rows = [[name, str(value)] for name, value in values.items()]
            parts += [f"## {title}", _table(["what", "value"], rows)]
    origin = [("started_from", "Started from"), ("data_sha256", "SHA-256 of the data's list")]
    told = [f"{title}: {facts[key]}." for key, title in origin if key in facts]
    return "\n\n".join([*parts, *(["## Origin", *told] if told else [])]) + "\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _described(data: bytes, facts: Mapping[str, Any]) -> bytes:
    """Return a .safetensors file with metadata that says what it is."""
    from safetensors.numpy import load, save

    told = {key: value for key, value in facts.items() if key not in ("kind", "version")}
    return bytes(save(load(data), description(str(facts.get("kind", _FIRST_KIND)), told)))
