"""`focuskit names`: everything that can be chosen by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows

if TYPE_CHECKING:
    from focuskit.registry import Row

__all__ = ["names"]


def names(output_format: FormatOption = Format.TABLE) -> None:
    """List detectors, operations, scorers, scores, recipes and reason codes.

    Also those that other packages add. Detectors come with their paper, and those with a network
    with its size and F_max on the photos that were held back from training. As JSON or CSV, numbers
    come with unit and range.
    """
    from focuskit.batch.recipe import shipped_recipes
    from focuskit.batch.workflow import load_workflow
    from focuskit.cull import SCORERS
    from focuskit.cull.codes import CODES
    from focuskit.cull.score import SCORES
    from focuskit.detect import DETECTORS
    from focuskit.edit import OPERATIONS

    rows = [_detector(row) for row in DETECTORS]
    rows += [
        {"kind": registry.kind, "name": row.name, "what": row.summary}
        for registry in (OPERATIONS, SCORERS)
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
    shown = [{**row, "what": _told(row)} if output_format is Format.TABLE else row for row in rows]
    print_rows(rows, shown, ("kind", "name", "what"), output_format)


def _detector(row: Row) -> dict[str, Any]:
    """Return what is known of a detector; its size and figure where weights of that name ship."""
    from focuskit.detect import DETECTORS
    from focuskit.detect.weights import find_weights, weight_names
    from focuskit.errors import RegistryError

    known: dict[str, Any] = {"kind": "detector", "name": row.name, "what": row.summary}
    known |= {"paper": row.paper or None, "parameters": None, "f_max": None}
    try:
        networks = getattr(DETECTORS.get(row.name), "networks", ())
    except RegistryError:
        # Another package's, and broken: it is listed, and says why when it is used.
        return known
    # Of several networks, the first makes the map.
    if networks and networks[0] in weight_names():
        weights = find_weights(networks[0])
        known["parameters"] = weights.parameters
        known["f_max"] = weights.facts.get("validation", {}).get("f_max")
    return known


def _told(row: dict[str, Any]) -> str:
    """Return the line about a row, with a detector's paper, size and figure."""
    told = [row["what"], row.get("paper")]
    if row.get("parameters"):
        count = row["parameters"]
        size = f"{count / 1e6:.2g} M" if count >= 10_000 else str(count)
        told.append(f"{size} parameters")
    if row.get("f_max") is not None:
        told.append(f"F_max {row['f_max']:.3f}")
    return "; ".join(part for part in told if part)
