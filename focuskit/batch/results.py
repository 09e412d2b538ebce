"""Reading back what a cull wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from focuskit.errors import InputError

__all__ = ["RESULTS_NAME", "iterate_results", "read_results"]

RESULTS_NAME = "focuskit-cull.jsonl"

Record = dict[str, Any]


def read_results(path: Path) -> list[Record]:
    """Return the records of a cull, those of failed shots too.

    Args:
        path: focuskit-cull.jsonl, or the folder that holds it.

    Raises:
        InputError: there is no such file, or it is not what a cull writes.
    """
    return list(iterate_results(path))


def iterate_results(path: Path) -> Iterator[Record]:
    """Yield the same one by one, holding one of them.

    Raises:
        InputError: as `read_results`.
    """
    # What --format jsonl prints while it culls knows of no sets yet; the verdicts come at the end.
    final = any(record.get("final") for record in _records(path))
    return (record for record in _records(path) if not final or record.get("final"))


def _records(path: Path) -> Iterator[Record]:
    file = path / RESULTS_NAME if path.is_dir() else path
    try:
        # Nothing else ends a line: names may hold other characters that do.
        with file.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if line.rstrip("\n"):
                    yield _record(line, number, file)
    except FileNotFoundError as exc:
        raise InputError(
            f"There are no results at {file}; `focuskit cull LIBRARY` writes them."
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"{file} cannot be read as results of a cull: {exc}.") from exc


def _record(line: str, number: int, file: Path) -> Record:
    try:
        record = json.loads(line)
    except ValueError as exc:
        raise InputError(
            f"{file}, line {number} is no JSON ({exc}); was it cut off? Cull again."
        ) from exc
    if not isinstance(record, dict) or not {"shot", "verdict"} <= set(record):
        raise InputError(
            f"{file}, line {number} is no record of a cull: it has no shot and verdict. Give "
            f"{RESULTS_NAME} as `focuskit cull` wrote it."
        )
    return record
