"""`focuskit names`: everything that can be chosen by name."""

from __future__ import annotations

from typing import Any

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows

__all__ = ["names"]


def names(output_format: FormatOption = Format.TABLE) -> None:
    """List detectors, operations, scorers, scores, recipes and reason codes.

    Also those that other packages add. As JSON or CSV, numbers come with unit and range.
    """
    from focuskit.batch.recipe import shipped_recipes
    from focuskit.batch.workflow import load_workflow
    from focuskit.cull import SCORERS
    from focuskit.cull.codes import CODES
    from focuskit.cull.score import SCORES
    from focuskit.detect import DETECTORS
    from focuskit.edit import OPERATIONS

    rows: list[dict[str, Any]] = [
        {"kind": registry.kind, "name": row.name, "what": row.summary}
        for registry in (DETECTORS, OPERATIONS, SCORERS)
        for row in registry
    ]
    rows += [
        {"kind": "recipe", "name": name, "what": load_workflow(name).summary}
        for name in shipped_recipes()
    ]
    rows += [{"kind": "score", "name": info.name, "what": info.meaning} for info in SCORES]
    rows += [{"kind": "reason", "name": code.name, "what": code.meaning} for code in CODES.values()]
    infos = [*SCORES, *(SCORERS.get(row.name).info for row in SCORERS)]
    facts = {info.name: info.facts() for info in infos}
    rows = [
        {**row, **facts[row["name"]]} if row["kind"] in ("scorer", "score") else row for row in rows
    ]
    print_rows(rows, rows, ("kind", "name", "what"), output_format)
