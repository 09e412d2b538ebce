"""The rows of a catalog for spreadsheets and other programs."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from focuskit.batch.catalog import Row
from focuskit.batch.records import flat
from focuskit.batch.tables import to_csv, to_json
from focuskit.errors import BatchError, InputError

__all__ = ["ExportFormat", "exported", "facts"]


ExportFormat = Literal["csv", "jsonl", "parquet"]


def facts(row: Row) -> dict[str, Any]:
    """Return what a row says as one record; of a failure, the reason.

    Raises:
        InputError: the row is damaged.
    """
    try:
        outcome = json.loads(row.outcome)
    except ValueError as exc:
        raise InputError(
            f"The row of {row.shot} and step {row.step} is damaged ({exc}); repeat the run."
        ) from exc
    said = outcome if isinstance(outcome, dict) else {"problem": outcome}
    head = {"shot": row.shot, "step": row.step, "version": row.version, "state": row.state}
    return head | {key: value for key, value in said.items() if key not in head}


def exported(rows: Iterable[Row], form: ExportFormat) -> Iterator[bytes]:
    """Yield the parts of a file that holds the rows.

    Args:
        rows: of any steps.
        form: CSV and Parquet have one level of columns, JSONL keeps the nesting.

    Raises:
        BatchError: Parquet was asked for, and pyarrow is not installed.
    """
    if form == "jsonl":
        for row in rows:
            yield (to_json(facts(row)) + "\n").encode()
        return
    table = [_flat(facts(row)) for row in rows]
    if form == "csv":
        yield to_csv(table).encode(errors="surrogateescape")
    else:
        yield _parquet(table)


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    head = {key: record[key] for key in ("shot", "step", "version", "state")}
    return head | (flat(record) if "verdict" in record else dict(_leaves(record, "")))


def _leaves(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            yield prefix + key, "; ".join(str(each) for each in value)
        else:
            yield prefix + key, value


def _parquet(table: list[dict[str, Any]]) -> bytes:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise BatchError(
            "Parquet needs pyarrow, which is not installed: pip install 'focuskit[parquet]', or "
            "export as csv or jsonl."
        ) from exc
    columns = list(dict.fromkeys(key for row in table for key in row))
    values = {name: [_one_type(row.get(name)) for row in table] for name in columns}
    for name, column in values.items():
        kinds = {type(value) for value in column if value is not None}
        if len(kinds) > 1 and not kinds <= {int, float}:
            values[name] = [None if value is None else str(value) for value in column]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(values), buffer)
    return buffer.getvalue()


def _one_type(value: Any) -> Any:
    # Names of files may hold bytes that are no text.
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
