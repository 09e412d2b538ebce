"""Groups of options that several commands take: a dataclass of them, as one parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

__all__ = ["grouped"]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command for typer in which each dataclass among the parameters is taken apart.

    Typer reads signatures. Here every field of such a dataclass becomes a parameter of its own,
    after the command's own ones, and the command gets the dataclass back.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    own = inspect.signature(command).parameters
    parameters = [
        own[name].replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
        for name in own
        if name not in groups
    ]
    for kind in groups.values():
        parameters += _parameters(kind)

    @wraps(command)
    def flat(**values: Any) -> None:
        for name, kind in groups.items():
            chosen = {each.name: values.pop(each.name) for each in fields(kind)}
            values[name] = kind(**chosen)
        command(**values)

    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {each.name: each.annotation for each in parameters}
    # What it wraps has another signature, which must not be looked up.
    del flat.__wrapped__
    return flat


def _parameters(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(kind)
    ]
