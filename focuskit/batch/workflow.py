"""Recipes of several steps: read, and checked to the last key before the first photo is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focuskit.batch.checked import Where, check_keys, switch, text, whole
from focuskit.batch.copies import LONG_EDGE_PX
from focuskit.batch.edits import Settings
from focuskit.batch.naming import KINDS, Naming
from focuskit.batch.parameters import parameters_of, settings_of
from focuskit.batch.recipe import Recipe, find_recipe, parse_recipe
from focuskit.detect import DEFAULT_DETECTOR, DETECTORS
from focuskit.edit import OPERATIONS
from focuskit.errors import InputError, RangeError

__all__ = ["ONLY", "Copying", "Detecting", "Editing", "RecipeStep", "Workflow", "load_workflow"]

ONLY = {"all": None, "keepers": "keeper", "rejects": "reject", "cant-tell": "cant-tell"}
"""What a step may be done with, and the verdict that such shots have."""

_MASKS = "deblur-masks"
_COMMON = ("do", "name", "only")
_LINES = ("detector", "thresholds", "use")
_OUTPUT = ("format", "bits", "quality")
_EDIT = (*_OUTPUT, "compare", "preview", "detector", "map", "embedded_depth")


@dataclass(frozen=True, slots=True)
class Detecting:
    """Blur maps are written.

    Attributes:
        detector: name in DETECTORS.
    """

    detector: str


@dataclass(frozen=True, slots=True)
class Editing:
    """Photos are edited.

    Attributes:
        operation: name in OPERATIONS.
        settings: of the operation.
        said: the settings as the recipe gives them, for records.
        naming: what results are called.
        quality: of JPEG.
        detector: name in DETECTORS.
        mapped: whether an earlier step's maps are used.
        embedded_depth: whether the depth inside photos is used.
    """

    operation: str
    settings: Settings
    said: Mapping[str, Any]
    naming: Naming
    quality: int
    detector: str
    mapped: bool
    embedded_depth: bool


@dataclass(frozen=True, slots=True)
class Copying:
    """Photos, or what an earlier step made of them, are written for somebody else.

    Attributes:
        naming: what they are called.
        quality: of JPEG.
        long_edge_px: larger ones are made that small; None for as they are.
        of: name of the step whose results are taken; empty for the photos themselves.
    """

    naming: Naming
    quality: int
    long_edge_px: int | None
    of: str


@dataclass(frozen=True, slots=True)
class RecipeStep:
    """One step.

    Attributes:
        name: in the catalog, in names of results, and for later steps.
        what: what is done; a Recipe judges.
        only: with which shots, a key of ONLY.
    """

    name: str
    what: Recipe | Detecting | Editing | Copying
    only: str = "all"


@dataclass(frozen=True, slots=True)
class Workflow:
    """A recipe as a whole.

    Attributes:
        file: where it stands.
        summary: one line for listings.
        steps: in the order in which they are done.
        short: whether it is the short form, of one step.
    """

    file: Path
    summary: str
    steps: tuple[RecipeStep, ...]
    short: bool = False

    @property
    def judging(self) -> Recipe | None:
        """What the short form does; None for the long one."""
        what = self.steps[0].what
        return what if self.short and isinstance(what, Recipe) else None


def load_workflow(name_or_path: str) -> Workflow:
    """Read a recipe of either form, checking every key and value.

    Args:
        name_or_path: a name from `shipped_recipes` or a path to a TOML file.

    Raises:
        InputError: no such recipe, no TOML, or a key or value that makes no sense.
        UnknownNameError: a detector that does not exist.
    """
    path, table = find_recipe(name_or_path)
    if "steps" not in table:
        recipe = parse_recipe(table, Where(str(path)))
        return Workflow(path, recipe.summary, (RecipeStep(recipe.do, recipe),), short=True)
    where = Where(str(path))
    check_keys(table, ("summary", "steps"), where, "key beside [[steps]]")
    tables = table["steps"]
    if not isinstance(tables, list) or not all(isinstance(each, Mapping) for each in tables):
        raise InputError(f"{path}: write steps as [[steps]], a table for each.")
    if not tables:
        raise InputError(f'{path}: there is no step; begin one with [[steps]] and do = "cull".')
    steps: list[RecipeStep] = []
    for number, each in enumerate(tables, start=1):
        steps.append(_step(each, number, steps, where))
    return Workflow(path, text(table, "summary", "", where), tuple(steps))


def _step(
    table: Mapping[str, Any], number: int, earlier: Sequence[RecipeStep], file: Where
) -> RecipeStep:
    numbered = Where(file.file, f"step {number}")
    actions = _actions()
    do = table.get("do", "")
    if not do:
        raise InputError(
            f"{numbered}: do is missing, which says what it does: {', '.join(actions)}."
        )
    if do not in actions:
        check_keys({str(do): None}, actions, numbered, "action")
    where = Where(file.file, f"step {number} ({do})")
    check_keys(table, (*_COMMON, *actions[str(do)]), where, "key")
    name = _name(table, str(do), earlier, where)
    only = _choice(table, "only", "all", tuple(ONLY), where)
    if only != "all" and not any(_culls(step) for step in earlier):
        raise InputError(
            f"{where}: only = {only!r} needs verdicts, and no step before it culls; put one with "
            'do = "cull" before it.'
        )
    return RecipeStep(name, _what(str(do), table, name, earlier, where), only)


def _actions() -> dict[str, tuple[str, ...]]:
    """Return the keys of everything that a step can do."""
    return {
        "detect": ("detector",),
        "score": _LINES,
        "cull": _LINES,
        **{row.name: (*parameters_of(row.name), *_EDIT) for row in OPERATIONS},
        _MASKS: ("background", "preview", "detector", "map", "embedded_depth"),
        "export": (*_OUTPUT, "long_edge_px", "of"),
    }


def _name(table: Mapping[str, Any], do: str, earlier: Sequence[RecipeStep], where: Where) -> str:
    # Regions are the same whichever way they were asked for, and are called the same.
    name = text(table, "name", "deblur" if do == _MASKS else do, where)
    if not (name.isascii() and name.replace("_", "").isalnum()):
        raise InputError(
            f"{where}: name must be letters, digits and _, for results are called by it; found "
            f"{name!r}."
        )
    if name in {step.name for step in earlier}:
        raise InputError(
            f"{where}: an earlier step is called {name} too, and one would overwrite the other's "
            'results; give this one a name of its own, such as name = "second".'
        )
    return name


def _what(
    do: str, table: Mapping[str, Any], name: str, earlier: Sequence[RecipeStep], where: Where
) -> Recipe | Detecting | Editing | Copying:
    if do in ("cull", "score"):
        return parse_recipe({key: table[key] for key in table if key in ("do", *_LINES)}, where)
    if do == "detect":
        if name != "detect":
            raise InputError(f"{where}: maps are called by the photo alone; leave out name.")
        return Detecting(_detector(table, where))
    if do == "export":
        return _copying(table, name, earlier, where)
    return _editing(do, table, name, earlier, where)


def _editing(
    do: str, table: Mapping[str, Any], name: str, earlier: Sequence[RecipeStep], where: Where
) -> Editing:
    operation = "deblur" if do == _MASKS else do
    asked = {key: table[key] for key in table if key in parameters_of(operation)}
    settings = settings_of(operation, asked | ({"apply": False} if do == _MASKS else {}), where)
    photo = settings.values.get("apply") is not False
    compare = switch(table, "compare", False, where)
    if compare and not photo:
        raise InputError(
            f"{where}: compare shows the restored photo beside the original; leave it out, or let "
            "apply be true."
        )
    mapped = text(table, "map", "", where)
    if mapped and mapped not in {step.name for step in earlier if isinstance(step.what, Detecting)}:
        raise InputError(
            f"{where}: map = {mapped!r} names no earlier step that detects; put one with "
            'do = "detect" before it, or leave out map.'
        )
    return Editing(
        operation=operation,
        settings=settings,
        said={key: _told(value) for key, value in settings.values.items()},
        naming=_naming(
            table,
            where,
            photo=photo,
            compare=compare,
            preview=switch(table, "preview", False, where),
            label="" if name == operation else name,
        ),
        quality=whole(table, "quality", 95, where, low=1, high=100),
        detector=_detector(table, where),
        mapped=bool(mapped),
        embedded_depth=switch(table, "embedded_depth", True, where),
    )


def _copying(
    table: Mapping[str, Any], name: str, earlier: Sequence[RecipeStep], where: Where
) -> Copying:
    of = text(table, "of", "", where)
    photos = [
        step.name
        for step in earlier
        if isinstance(step.what, Editing | Copying) and step.what.naming.photo
    ]
    if of and of not in photos:
        before = f"those before it are {', '.join(photos)}" if photos else "none is before it"
        raise InputError(
            f"{where}: of = {of!r} names no earlier step that writes photos; {before}."
        )
    low, high = LONG_EDGE_PX
    return Copying(
        naming=_naming({"format": "jpg", **table}, where, label="" if name == "export" else name),
        quality=whole(table, "quality", 85, where, low=1, high=100),
        long_edge_px=whole(table, "long_edge_px", None, where, low=low, high=high),
        of=of,
    )


def _naming(table: Mapping[str, Any], where: Where, **more: Any) -> Naming:
    kind = _choice(table, "format", "", ("", *KINDS), where) or None
    bits = table.get("bits")
    held = sorted({each for bits in KINDS.values() for each in bits})
    if bits is not None and (isinstance(bits, bool) or bits not in held):
        raise RangeError(f"{where}: bits must be {' or '.join(map(str, held))}, found {bits!r}.")
    try:
        return Naming(kind=kind, bits=bits, **more)
    except RangeError as exc:
        raise RangeError(f"{where}: {exc}") from exc


def _detector(table: Mapping[str, Any], where: Where) -> str:
    name = text(table, "detector", DEFAULT_DETECTOR, where)
    if name not in DETECTORS:
        DETECTORS.get(name)
    return name


def _choice(
    table: Mapping[str, Any], key: str, default: str, known: Sequence[str], where: Where
) -> str:
    value = text(table, key, default, where)
    check_keys({value: None}, known, where, f"{key} =")
    return value


def _culls(step: RecipeStep) -> bool:
    return isinstance(step.what, Recipe) and step.what.do == "cull"


def _told(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)
