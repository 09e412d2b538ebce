"""Records as text: CSV for people's spreadsheets, JSON for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["csv_lines", "jsonl_lines", "to_csv", "to_json"]


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV with a header; the columns are the union of their keys."""
    return "".join(csv_lines(rows))


def csv_lines(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> Iterator[str]:
    """Yield the same line by line, never holding more than one row.

    Args:
        rows: iterated twice without `columns`.
        columns: every key that there is.
    """
    columns = columns or list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _spreadsheet_safe(value) for key, value in row.items()})
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON that is valid UTF-8 whatever bytes the names of files hold."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def jsonl_lines(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield records as JSON, one per line."""
    return (to_json(record) + "\n" for record in records)


def _spreadsheet_safe(value: Any) -> Any:
    # A file name that begins like a formula would be run by a spreadsheet that opens the table.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value
