"""What clients are told of parameters is what the commands take."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main

from focuskit.bridge.settings import describe, operation_names, read_settings
from focuskit.bridge.wording import for_editors
from focuskit.cli import app
from focuskit.errors import InputError

COMMAND = typer.main.get_command(app)
# Said in the protocol in another way than on the command line.
ELSEWHERE = {"point", "box", "coc_px", "detector"}
PARAMETERS = [
    (operation, name)
    for operation in ("magnify", "bokeh", "refocus", "deblur")
    for name in describe()[operation]["parameters"]
    if name not in ELSEWHERE
]


def _option(operation: str, name: str) -> Any:
    options = COMMAND.commands[operation].params  # type: ignore[attr-defined]
    return next(each for each in options if each.name.split("__")[-1] == name)


@pytest.mark.parametrize(("operation", "name"), PARAMETERS)
def test_parameters_are_the_commands(operation: str, name: str) -> None:
    told, option = describe()[operation]["parameters"][name], _option(operation, name)

    assert told["default"] == option.default
    limited = option if hasattr(option, "min") else getattr(option, "type", None)
    limits = (getattr(limited, "min", None), getattr(limited, "max", None))
    if told["choices"] is not None:
        assert (min(told["choices"]), max(told["choices"])) == limits
    elif told["type"] == "number":
        assert (told["least"], told["most"]) == limits
    assert told["text"]
    assert "\n" not in told["text"]


def test_every_operation_is_described() -> None:
    assert tuple(describe()) == operation_names()
    for operation in describe().values():
        for told in operation["parameters"].values():
            assert set(told) == {"type", "default", "least", "most", "choices", "text"}
        assert (
            operation["parameters"]["detector"]["default"]
            in (operation["parameters"]["detector"]["choices"])
        )


@pytest.mark.parametrize(("operation", "name"), PARAMETERS)
def test_limits_hold(operation: str, name: str) -> None:
    told = describe()[operation]["parameters"][name]
    others = {"bokeh": {"strength": 5}, "refocus": {"coc_px": 3}}.get(operation, {})
    if name in ("strength", "f_number"):
        others = {}
    if told["choices"] is not None:
        for value in told["choices"]:
            assert read_settings(operation, others | {name: value})
    for value in (told["least"], told["most"]):
        # Of strength, 0 itself is nothing to do.
        if value is not None and (name, value) != ("strength", 0):
            assert read_settings(operation, others | {name: value})
    for key, step in (("least", -0.01), ("most", 0.01)):
        if told[key] is not None:
            with pytest.raises(InputError, match=name):
                read_settings(operation, others | {name: told[key] + step})


def test_options_in_sentences_become_parameters() -> None:
    assert for_editors("give it with --map.") == "give it with map."
    assert for_editors("give --f-number 1.4 (--background too)") == (
        "give f_number 1.4 (background too)"
    )
    assert for_editors("a--b, 2 -- 3") == "a--b, 2 -- 3"
