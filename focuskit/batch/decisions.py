"""What a person decided while reviewing, in the records of a cull."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.batch.choices import Choice, with_choice

__all__ = ["choices_beside", "decisions_rows", "with_choices"]

Record = dict[str, Any]


def decisions_rows(records: Iterable[Mapping[str, Any]]) -> list[Record]:
    """Return a row for each shot that the person said something about."""
    return [
        {"shot": each["shot"], "verdict": each["verdict"], **each["choice"]}
        for each in records
        if each.get("choice")
    ]


def choices_beside(output: Path) -> dict[str, Choice]:
    """Return what was chosen in the review of an output folder, by the shots' names.

    Raises:
        InputError, OutputError, BatchError: its catalog cannot be read.
    """
    path = output / CATALOG_NAME
    if not path.is_file():
        return {}
    with Catalog.open(path, write=False) as catalog:
        return catalog.choices()


def with_choices(records: Iterable[Record], output: Path) -> list[Record]:
    """Return the records of a cull with what was chosen since in the review of its folder.

    Raises:
        InputError, OutputError, BatchError: its catalog cannot be read.
    """
    choices = choices_beside(output)
    return [with_choice(record, choices.get(record["shot"])) for record in records]
