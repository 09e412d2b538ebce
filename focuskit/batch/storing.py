"""What steps find out as text for the catalog, and back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, TypeVar

from cattrs.preconf.json import JsonConverter, make_converter

from focuskit.errors import InputError

__all__ = ["restored", "stored"]

T = TypeVar("T")


def _converter() -> JsonConverter:
    # Ten thousand rows are read back before a finished run ends: its own checks take ten times as
    # long as the reading.
    converter = make_converter(detailed_validation=False)
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook(Path, lambda value, _: Path(value))
    converter.register_unstructure_hook(bytes, lambda value: base64.b64encode(value).decode())
    converter.register_structure_hook(bytes, lambda value, _: base64.b64decode(value))
    return converter


_CONVERTER = _converter()


def stored(value: Any) -> str:
    """Return a value (dataclasses of numbers, text, paths, times, bytes) as one line of JSON."""
    return json.dumps(_CONVERTER.unstructure(value), separators=(",", ":"))


def restored(text: str, kind: type[T]) -> T:
    """Return what `stored` made a text of.

    Raises:
        InputError: the text is not of that kind: it is damaged, or of another version.
    """
    try:
        return _CONVERTER.structure(json.loads(text), kind)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise InputError(f"What the catalog holds is no {kind.__name__} ({exc!r}).") from exc
