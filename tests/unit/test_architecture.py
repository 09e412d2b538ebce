"""Imports point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "focuskit"

# Lower floors may not import higher ones; parts that share a floor and are listed here apart may
# not import each other.
FLOORS = {
    "check": 0,
    "errors": 0,
    "registry": 0,
    "photo": 1,
    "blurmap": 1,
    "color": 2,
    "io": 3,
    "optics": 3,
    "detect": 4,
    "edit": 5,
    "cull": 5,
    "batch": 6,
    "bridge": 6,
    "review": 6,
    "training": 6,
    "cli": 7,
    "__init__": 8,
    "__main__": 8,
}
STRANGERS = {"detect", "edit", "cull"}


def _modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _part(name: str) -> str:
    pieces = name.split(".")
    return pieces[1] if len(pieces) > 1 else "__init__"


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _own(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = _own(path)
    for name in _imports(path):
        if not name.startswith("focuskit."):
            continue
        there = _part(name)
        if there not in FLOORS:
            # `from focuskit import __version__` and the like.
            there = "__init__"
        if there in (here, "__init__"):
            continue
        assert FLOORS[there] <= FLOORS[here], f"{here} imports {name}"
        assert not (here in STRANGERS and there in STRANGERS), f"{here} imports {name}"
        above = here in ("cli", "__main__")
        assert there not in ("training", "cli") or above, f"{here} imports {name}"


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_torch_stays_in_its_rooms(path: Path) -> None:
    uses_torch = any(name.split(".")[0] == "torch" for name in _imports(path))

    assert (
        not uses_torch
        or _own(path) in {"detect", "optics", "training"}
        or (path.name == "doctor.py")
    )


def test_every_part_has_a_floor() -> None:
    assert {_own(path) for path in _modules()} <= set(FLOORS)
