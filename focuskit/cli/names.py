"""`focuskit names`: everything that can be chosen by name."""

from __future__ import annotations

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows

__all__ = ["names"]


def names(output_format: FormatOption = Format.TABLE) -> None:
    """List detectors, operations, scorers and recipes, also those that other packages add."""
    from focuskit.batch.recipe import load_recipe, shipped_recipes
    from focuskit.cull import SCORERS
    from focuskit.detect import DETECTORS
    from focuskit.edit import OPERATIONS

    rows = [
        {"kind": registry.kind, "name": row.name, "what": row.summary}
        for registry in (DETECTORS, OPERATIONS, SCORERS)
        for row in registry
    ]
    rows += [
        {"kind": "recipe", "name": name, "what": load_recipe(name).summary}
        for name in shipped_recipes()
    ]
    print_rows(rows, rows, ("kind", "name", "what"), output_format)
