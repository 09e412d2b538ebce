"""Data on stdout, progress and messages on stderr."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from focuskit.cli import _exit
from focuskit.cli._options import Format
from focuskit.errors import OutputError, OutputExistsError

if TYPE_CHECKING:
    from focuskit.batch.engine import Progress
    from focuskit.batch.library import Library, Problem
    from focuskit.batch.moments import Moments
    from focuskit.batch.places import Box

__all__ = [
    "check_free",
    "output_folder",
    "print_rows",
    "printable",
    "progress_bar",
    "report_problems",
    "say",
    "shots_or_exit",
    "subject_box",
    "write_file",
]


def say(text: str) -> None:
    """Tell the person at the keyboard; stdout stays clean."""
    typer.echo(printable(text), err=True)


def printable(text: str) -> str:
    """Return text without what a terminal would obey: file names may hold anything."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def report_problems(problems: Sequence[Problem]) -> None:
    """List what failed, one sentence each."""
    for problem in problems:
        say(f"{problem.name}: {problem.message}")


def print_rows(
    records: Iterable[Mapping[str, Any]],
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    how: Format,
) -> None:
    """Print data on stdout.

    Args:
        records: nested, for JSON.
        rows: flat, for CSV, which iterates twice, and tables.
        columns: what the table shows.
        how: the format.
    """
    from focuskit.batch.tables import csv_lines, jsonl_lines, to_json

    if how is Format.JSON:
        typer.echo(to_json(list(records), indent=2))
    elif how is Format.TABLE:
        _print_table(rows, columns)
    else:
        for line in jsonl_lines(records) if how is Format.JSONL else csv_lines(rows):
            typer.echo(line, nl=False)


@contextmanager
def progress_bar(label: str) -> Iterator[Progress | None]:
    """Show a bar with speed, failures and time left; nothing where stderr is no terminal."""
    # Python has no stderr where it was closed.
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        TextColumn("{task.fields[failures]}"),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(label, total=None, speed="", note="", failures="")

        def advance(done: float, total: int, failed: int, note: str = "", /) -> None:
            speed = bar.tasks[task].speed
            bar.update(
                task,
                completed=done,
                total=total,
                speed=f"{speed:.1f}/s" if speed else "",
                note=note,
                failures=f"{failed} failed" if failed else "",
            )

        yield advance


def shots_or_exit(
    places: Sequence[str | Path],
    listed: Sequence[str] = (),
    *,
    since: datetime | None = None,
    limit: int | None = None,
    moments: Moments | None = None,
) -> Library:
    """Return the shots of a library; leave with exit code 4 if there is nothing.

    Args:
        places: folders, files, patterns, addresses.
        listed: further files and folders.
        since: leave out older ones.
        limit: no more than so many.
        moments: as `find_shots` takes them.
    """
    from focuskit.batch.library import find_shots
    from focuskit.io import default_max_megapixels

    # Said once, before the work, and not of every photo.
    default_max_megapixels()
    found = find_shots(places, listed, since=since, limit=limit, moments=moments)
    if not found.shots and not found.problems:
        names = ", ".join([*map(str, places), *(["the list"] if not places else [])])
        older = f" since {since:%Y-%m-%d %H:%M}, {found.older} older" if since else ""
        say(f"No photos in {names}{older}.")
        raise typer.Exit(_exit.NOTHING_MATCHED)
    return found


def subject_box(text: str | None) -> Box | None:
    """Return the box that --subject names.

    Raises:
        typer.BadParameter: it is none.
    """
    if text is None:
        return None
    from focuskit.batch.places import Box
    from focuskit.errors import InputError

    try:
        return Box.parse(text)
    except InputError as exc:
        raise typer.BadParameter(str(exc), param_hint="--subject") from exc


def output_folder(folder: Path, inputs: Sequence[Path], *, make: bool = True) -> Path:
    """Make the folder for results and return it; without `make`, only look where it lies.

    Raises:
        OutputError: it lies inside a library, is a file, or cannot be written to.
    """
    target = folder.resolve()
    for path in inputs:
        if path.is_dir() and target.is_relative_to(path.resolve()):
            raise OutputError(
                f"The output folder {folder} lies inside the library {path}, where nothing may be "
                "changed; choose one outside with --output."
            )
    if not make:
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as exc:
        raise OutputError(f"{folder} is a file, not a folder; choose another --output.") from exc
    except OSError as exc:
        raise OutputError(
            f"The output folder {folder} cannot be made ({exc.strerror}); choose another --output."
        ) from exc
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as exc:
        raise OutputError(
            f"Nothing can be written to {folder} ({exc.strerror}); choose another --output."
        ) from exc
    return folder


def check_free(path: Path | None, *, overwrite: bool) -> None:
    """Refuse a file that is there already, before the work.

    Raises:
        OutputExistsError: it is, and may not be replaced.
    """
    if path is not None and path.exists() and not overwrite:
        raise OutputExistsError(f"{path} is there already; add --overwrite or name another file.")


def write_file(path: Path, content: bytes, *, overwrite: bool) -> None:
    """Write a file at once or not at all, and say so.

    Raises:
        OutputError: it cannot be written.
        OutputExistsError: it is there, and may not be replaced.
    """
    from focuskit.io import write_atomically

    write_atomically(path, lambda: [content], overwrite=overwrite)
    say(f"Wrote {path}.")


def _print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    shown = [list(columns)]
    numeric = [True for _ in columns]
    for row in rows:
        values = [row.get(column) for column in columns]
        shown.append([_cell(value) for value in values])
        numeric = [
            so_far and isinstance(value, int | float | None)
            for so_far, value in zip(numeric, values, strict=True)
        ]
    widths = [max(len(line[index]) for line in shown) for index in range(len(columns))]
    for line in shown:
        _print_line(line, widths, numeric)


def _print_line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> None:
    placed = [
        text.rjust(width) if right else text.ljust(width)
        for text, width, right in zip(cells, widths, numeric, strict=True)
    ]
    typer.echo("  ".join(placed).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return printable(str(value))
