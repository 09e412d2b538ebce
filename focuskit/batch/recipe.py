"""Recipes: what to do with a library, as a TOML file that can be kept, shared and compared."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from focuskit.batch.checked import Where, check_keys, text
from focuskit.cull.decide import Thresholds
from focuskit.detect import DETECTORS, LIBRARY_DETECTOR
from focuskit.errors import InputError, RangeError

__all__ = ["Recipe", "find_recipe", "load_recipe", "parse_recipe", "shipped_recipes"]

_ACTIONS = ("cull", "score")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One run over a library.

    Attributes:
        do: "cull" or "score".
        summary: one line for listings.
        detector: name in DETECTORS.
        thresholds: where culling draws its lines.
        use: what the photos are for, if that shall draw the lines of misfocus: "web", "print",
            "crop"; empty for what the thresholds say.
    """

    do: str
    summary: str = ""
    detector: str = LIBRARY_DETECTOR
    thresholds: Thresholds = field(default_factory=Thresholds)
    use: str = ""

    def for_use(self, use: str) -> Recipe:
        """Return the same recipe for photos that are shown otherwise.

        Raises:
            InputError: no such use.
        """
        return replace(self, thresholds=self.thresholds.for_use(use), use=use)


def shipped_recipes() -> dict[str, Path]:
    """Return the recipes that come with focuskit, by name."""
    package = Path(__file__).resolve().parents[1]
    # In a wheel pipelines/ lies inside the package, in a checkout beside it.
    folder = next(
        (
            place
            for place in (package / "pipelines", package.parent / "pipelines")
            if place.is_dir()
        ),
        None,
    )
    return {path.stem: path for path in sorted(folder.glob("*.toml"))} if folder else {}


def load_recipe(name_or_path: str, *, do: str | None = None) -> Recipe:
    """Read a recipe of one step that judges, checking every key and value first.

    Args:
        name_or_path: a name from `shipped_recipes` or a path to a TOML file.
        do: what it has to do; None for anything.

    Raises:
        InputError: no such recipe, no TOML, a key or value that makes no sense, or a recipe for
            something else than `do`.
        UnknownNameError: a detector that does not exist.
    """
    path, table = find_recipe(name_or_path)
    if "steps" in table:
        raise InputError(
            f"The recipe {name_or_path} has steps of its own; run it with "
            f"`focuskit run {name_or_path}`, or choose one without [[steps]]."
        )
    recipe = parse_recipe(table, Where(str(path)))
    if do is not None and recipe.do != do:
        raise InputError(
            f"The recipe {name_or_path} is there to {recipe.do}, not to {do}; run it with "
            f"`focuskit run {name_or_path}`, or choose another."
        )
    return recipe


def find_recipe(name_or_path: str) -> tuple[Path, dict[str, Any]]:
    """Return where a recipe stands, and what it holds.

    Raises:
        InputError: there is none, or it is no TOML.
    """
    shipped = shipped_recipes()
    path = shipped.get(name_or_path, Path(name_or_path))
    if not path.is_file():
        near = difflib.get_close_matches(name_or_path, shipped, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise InputError(
            f"There is no recipe {name_or_path!r}, neither shipped nor as a file. {hint}"
            f"Shipped: {', '.join(shipped) or 'none'}."
        )
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as exc:
        raise InputError(f"The recipe {path} cannot be read as TOML: {exc}.") from exc


def parse_recipe(table: Mapping[str, Any], where: Where) -> Recipe:
    """Return a step that judges.

    Args:
        table: its keys and values.
        where: it stands.

    Raises:
        InputError: a key or value makes no sense.
        UnknownNameError: a detector that does not exist.
    """
    check_keys(table, [each.name for each in fields(Recipe)], where, "key")
    do = table.get("do")
    if do not in _ACTIONS:
        raise InputError(
            f"{where}: 'do' must be one of {', '.join(_ACTIONS)}, found {do!r}; for other things "
            "write [[steps]]."
        )
    detector = text(table, "detector", LIBRARY_DETECTOR, where)
    if detector not in DETECTORS:
        DETECTORS.get(detector)
    recipe = Recipe(do, text(table, "summary", "", where), detector, _thresholds(table, where))
    try:
        return recipe.for_use(text(table, "use", "", where)) if "use" in table else recipe
    except InputError as exc:
        raise InputError(f"{where}: {exc}") from exc


def _thresholds(table: Mapping[str, Any], where: Where) -> Thresholds:
    lines = table.get("thresholds", {})
    if not isinstance(lines, Mapping):
        raise InputError(f"{where}: 'thresholds' must be a table, found {lines!r}.")
    check_keys(lines, [each.name for each in fields(Thresholds)], where, "threshold")
    for key, value in lines.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RangeError(f"{where}: the threshold {key} must be a number, found {value!r}.")
    try:
        return Thresholds(**lines)
    except RangeError as exc:
        raise RangeError(f"{where}: the threshold {exc}") from exc
