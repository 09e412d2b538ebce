from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from focuskit.bridge.gimp_files import shipped_folder

DOCS = Path(__file__).resolve().parents[3] / "docs" / "gimp.md"


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The plug-in's table of arguments, without a GIMP."""
    for name in ("gi", "gi.repository", "gi.repository.Gimp", "gi.repository.GObject"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    repository = sys.modules["gi.repository"]
    flags = types.SimpleNamespace(READWRITE=3)
    monkeypatch.setattr(repository, "Gimp", types.SimpleNamespace(), raising=False)
    monkeypatch.setattr(
        repository, "GObject", types.SimpleNamespace(ParamFlags=flags), raising=False
    )
    spec = importlib.util.spec_from_file_location(
        "focuskit_gimp_arguments", shipped_folder() / "arguments.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return dict(module.ARGUMENTS)


def _cells(argument: Any) -> str:
    """Return how the first cells of an argument's row read."""
    if argument.kind == "choice":
        values = ", ".join(f"`{each[0]}`" for each in argument.choices)
    elif argument.kind in ("number", "whole"):
        least, most = argument.limits
        whole = "whole number" if argument.kind == "whole" else "number"
        values = f"{whole}, {least:g} to {most:g}" if most < 1e5 else f"{whole}, px"
    else:
        words = {"yes": "`True`, `False`", "text": "text", "drawable": "drawable, none"}
        values = words[argument.kind]
    if argument.default is None:
        return f"| `{argument.name}` | {values} | none |"
    default = f"`{argument.default}`" if argument.default != "" else "empty"
    return f"| `{argument.name}` | {values} | {default} |"


def test_the_page_lists_every_procedure_with_every_argument(arguments: dict[str, Any]) -> None:
    page = DOCS.read_text(encoding="utf-8")
    parts = page.split("\n### ")

    for operation, table in arguments.items():
        (part,) = [each for each in parts if f"`focuskit-{operation}`" in each.split("\n\n")[0]]
        missing = [_cells(each) for each in table if _cells(each) not in part]
        shared = [line for line in missing if _is_shared(line, parts)]
        assert missing == shared


def _is_shared(line: str, parts: list[str]) -> bool:
    """Whether the row stands in the table of arguments that several procedures have."""
    (part,) = [each for each in parts if each.startswith("Arguments of several procedures")]
    return line in part
