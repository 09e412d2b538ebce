"""What a person picked and rejected: in the review, a table, folders, ratings in sidecars."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from focuskit.batch.catalog import CATALOG_NAME
from focuskit.batch.choices import Choice
from focuskit.batch.decision_file import read_decision_file
from focuskit.batch.decisions import choices_beside
from focuskit.errors import InputError, SidecarConflictError
from focuskit.io import PHOTO_SUFFIXES
from focuskit.io.marks import Marks, read_embedded_marks, read_sidecar_marks

__all__ = ["Pick", "PickRules", "Picks", "is_reviewed", "read_picks"]

_KEEP = {"keep", "keeps", "keeper", "keepers", "kept", "pick", "picks", "picked", "select"}
_KEEP |= {"selected", "selects", "accept", "accepted", "approved", "yes", "y", "true", "flagged"}
_REJECT = {"reject", "rejects", "rejected", "discard", "discarded", "delete", "deleted", "out"}
_REJECT |= {"no", "n", "false", "x", "trash", "bad"}
_NOTHING = {"", "none", "null", "nan", "unrated", "unflagged", "-", "?", "maybe", "can't tell"}
_NOTHING |= {"cant-tell", "cant tell", "undecided", "pending"}
_NAME_COLUMNS = ("shot", "file", "filename", "path", "filepath", "name", "photo", "image")
_PICK_COLUMNS = ("pick", "picked", "keep", "keeper", "flag", "decision", "choice")
_RATING_COLUMNS = ("rating", "stars", "star")
_LABEL_COLUMNS = ("label", "colour", "color")
_TABLES = (".csv", ".tsv", ".txt")
_DECISIONS = ".json"
_CHOSEN = {"keeper": True, "reject": False}


@dataclass(frozen=True, slots=True)
class PickRules:
    """How ratings and labels are to be understood.

    Attributes:
        keep_from: this many stars and more are a keeper, fewer a reject; no stars say nothing.
        keep_labels: colour labels that mean "keep", lower case.
        reject_labels: the same for "reject".
    """

    keep_from: int = 1
    keep_labels: frozenset[str] = frozenset()
    reject_labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pick:
    """What a person said about one photo.

    Attributes:
        name: the photo's name or path as it was given, with or without a suffix.
        keep: whether it is to be kept.
        said: in which words.
        source: where it was said.
    """

    name: str
    keep: bool
    said: str
    source: str


@dataclass(slots=True)
class Picks:
    """Everything that was said.

    Attributes:
        picks: in the order in which they were found.
        troubles: what could not be read or understood, a sentence each.
        silent: how many entries said nothing.
    """

    picks: list[Pick] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    silent: int = 0


def read_picks(path: Path, rules: PickRules | None = None) -> Picks:
    """Read a person's picks.

    Args:
        path: a table (CSV with a column for the file and one for pick or rating), decisions that
            the review or a report saved (JSON), or a folder: the output of a cull that was
            reviewed, one with sub-folders such as keepers/ and rejects/, or with photos and XMP
            sidecars.
        rules: how ratings and labels are to be understood.

    Raises:
        InputError: there is nothing there, or it is no table.
    """
    known = rules or PickRules()
    if is_reviewed(path):
        chosen = choices_beside(path if path.is_dir() else path.parent)
        return _from_choices(chosen.items(), path, known)
    if path.is_dir():
        return _from_folder(path, known)
    if not path.exists():
        raise InputError(f"There are no picks at {path}; check the spelling of the path.")
    if path.suffix.lower() == _DECISIONS:
        return _from_choices(read_decision_file(path).choices, path, known)
    if path.suffix.lower() not in _TABLES:
        raise InputError(
            f"{path} is neither a folder nor a table; picks come as .csv, as decisions (.json), as "
            "folders keepers/ and rejects/, or as a folder with XMP sidecars."
        )
    return _from_table(path, known)


def is_reviewed(path: Path) -> bool:
    """Tell whether a path is the output folder of a cull, or the catalog in it."""
    return path.name == CATALOG_NAME or (path / CATALOG_NAME).is_file()


def _from_choices(choices: Iterable[tuple[str, Choice]], source: Path, rules: PickRules) -> Picks:
    picks = Picks()
    for shot, choice in choices:
        said: dict[str, bool] = {}
        stars = None if choice.stars is None else _starred(choice.stars, rules)
        if choice.pick in _CHOSEN:
            # Who says both has decided by the pick.
            said[f"pick {choice.pick}"] = _CHOSEN[choice.pick]
        elif choice.pick is None and stars is not None:
            said[f"rating {choice.stars}"] = stars
        elif choice.label in rules.keep_labels | rules.reject_labels:
            said[f"label {choice.label}"] = choice.label in rules.keep_labels
        _take(picks, shot, said, str(source))
    return picks


def _from_table(path: Path, rules: PickRules) -> Picks:
    rows = _rows(path)
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    name_at = _column(header, _NAME_COLUMNS)
    said_at = {
        kind: at
        for kind, names in (
            ("pick", _PICK_COLUMNS),
            ("rating", _RATING_COLUMNS),
            ("label", _LABEL_COLUMNS),
        )
        if (at := _column(header, names)) is not None
    }
    if name_at is None or not said_at:
        found = ", ".join(repr(cell) for cell in header) or "nothing"
        raise InputError(
            f"{path} needs a header with a column for the photo (such as file) and one for what "
            f"was picked (pick, rating or label); found {found}."
        )
    picks = Picks()
    # Lightroom and its like write 1, 0 and -1 for picked, nothing and rejected.
    pick_at = said_at.get("pick")
    signed = pick_at is not None and any(
        len(row) > pick_at and row[pick_at].strip() == "-1" for row in rows[1:]
    )
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        cells = {kind: row[at].strip() for kind, at in said_at.items() if at < len(row)}
        name = row[name_at].strip() if name_at < len(row) else ""
        _take_row(picks, name, cells, f"{path.name}, line {number}", rules, signed=signed)
    return picks


def _rows(path: Path) -> list[list[str]]:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path} cannot be read ({exc.strerror}); check its permissions.") from exc
    for encoding in ("utf-8-sig", "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise InputError(f"{path} is no text; save the table as CSV in UTF-8.")
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as exc:
        raise InputError(f"{path} cannot be read as CSV ({exc}).") from exc


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    for name in names:
        for at, cell in enumerate(header):
            if cell.replace("_", "").replace(" ", "") == name:
                return at
    return None


def _take_row(
    picks: Picks,
    name: str,
    cells: Mapping[str, str],
    source: str,
    rules: PickRules,
    *,
    signed: bool,
) -> None:
    if not name:
        picks.troubles.append(f"{source}: there is no name of a photo.")
        return
    said: dict[str, bool] = {}
    for kind, cell in cells.items():
        try:
            keep = _understood(kind, cell, rules, signed=signed)
        except ValueError:
            picks.troubles.append(
                f"{source}: {kind} {cell!r} of {name} is not understood; write keep or reject, or "
                "a rating from -1 to 5."
            )
            return
        if keep is not None:
            said[f"{kind} {cell}"] = keep
    _take(picks, name, said, source)


def _take(picks: Picks, name: str, said: Mapping[str, bool], source: str) -> None:
    if not said:
        picks.silent += 1
    elif len(set(said.values())) > 1:
        picks.troubles.append(f"{source}: {' and '.join(said)} of {name} contradict each other.")
    else:
        picks.picks.append(Pick(name, next(iter(said.values())), ", ".join(said), source))


def _understood(kind: str, cell: str, rules: PickRules, *, signed: bool) -> bool | None:
    """Return whether a cell says keep or reject, None if it says nothing.

    Raises:
        ValueError: nobody knows what it says.
    """
    word = cell.casefold()
    if kind == "label":
        return True if word in rules.keep_labels else False if word in rules.reject_labels else None
    if word in _NOTHING:
        return None
    if word in _KEEP | _REJECT:
        return word in _KEEP
    number = float(word.replace(",", "."))
    if not -1 <= number <= 5:
        raise ValueError(cell)
    if kind == "rating":
        return _starred(round(number), rules)
    return None if signed and number == 0 else number > 0


def _starred(stars: int, rules: PickRules) -> bool | None:
    return None if stars == 0 else stars >= rules.keep_from


def _from_folder(folder: Path, rules: PickRules) -> Picks:
    picks = Picks()
    sorted_ = False
    for path, word in _files(folder, picks):
        if word is not None and path.suffix.lower() in PHOTO_SUFFIXES:
            sorted_ = True
            name = path.resolve().as_posix()
            picks.picks.append(Pick(name, word in _KEEP, f"in {word}/", str(path)))
    if sorted_:
        return picks
    for path, _ in _files(folder, picks):
        suffix = path.suffix.lower()
        try:
            if suffix == ".xmp":
                marks, photo = read_sidecar_marks(path), path.with_suffix("")
            elif suffix in PHOTO_SUFFIXES:
                marks, photo = read_embedded_marks(path), path
            else:
                continue
        except SidecarConflictError as exc:
            picks.troubles.append(str(exc))
            continue
        if marks or suffix == ".xmp":
            _take(picks, photo.resolve().as_posix(), _by_marks(marks, rules), str(path))
    return picks


def _files(folder: Path, picks: Picks) -> Iterator[tuple[Path, str | None]]:
    """Yield every file with the word among the folders above it that says keep or reject."""

    def unreadable(error: OSError) -> None:
        text = f"The folder {error.filename} cannot be listed ({error.strerror})."
        if text not in picks.troubles:
            picks.troubles.append(text)

    for place, below, files in os.walk(folder, onerror=unreadable):
        below[:] = sorted(name for name in below if not name.startswith("."))
        parts = [folder.name, *Path(place).relative_to(folder).parts]
        words = [part.casefold() for part in parts if part.casefold() in _KEEP | _REJECT]
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(place, name), words[-1] if words else None


def _by_marks(marks: Marks, rules: PickRules) -> dict[str, bool]:
    said: dict[str, bool] = {}
    if marks.rating is not None:
        keep = _starred(marks.rating, rules)
        if keep is not None:
            said["rejected" if marks.rating < 0 else f"rating {marks.rating}"] = keep
    if marks.pick is not None:
        said[f"pick {marks.pick}"] = marks.pick == "accepted"
    label = (marks.label or "").casefold()
    if label in rules.keep_labels | rules.reject_labels:
        said[f"label {marks.label}"] = label in rules.keep_labels
    return said
