"""Verdicts in the catalog: what a cull decided, beside what it measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from focuskit.batch.catalog import Catalog, Row
from focuskit.batch.records import to_json

__all__ = ["VERDICTS", "keep_verdicts"]

VERDICTS = "cull"
"""Name of the step whose rows hold records as `focuskit-cull.jsonl` does."""


def keep_verdicts(
    catalog: Catalog, records: Sequence[Mapping[str, Any]], judged: str, version: str
) -> None:
    """Store the records of a cull; rows that would stay the same are not written.

    Args:
        catalog: of the run, where the same shots are judged.
        records: of all shots.
        judged: step that holds their measures.
        version: of everything that verdicts depend on.
    """
    keys = {row.shot: row for row in catalog.known(judged)}
    changed: list[Row] = []
    failed: list[tuple[str, str]] = []
    before = {row.shot: row for row in catalog.known(VERDICTS)}
    for record in records:
        name = record["shot"]
        if record["verdict"] == "failed":
            failed += [(name, VERDICTS)] if name in before else []
            continue
        row = Row(name, VERDICTS, version, "done", keys[name].key, to_json(record))
        old = before.get(name)
        same = old is not None and (old.version, old.key) == (row.version, row.key)
        if not same or catalog.outcome(name, VERDICTS) != row.outcome:
            changed.append(row)
    catalog.put(changed)
    catalog.forget(failed)
