"""The file in which a person's decisions travel: how it is written, read, and put to use."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from focuskit.batch.choices import Choice, outcome_of, with_choice
from focuskit.batch.library import Problem
from focuskit.errors import InputError, RangeError

__all__ = ["FILE_KIND", "FILE_VERSION", "Decided", "DecisionFile", "apply_decision_file"]
__all__ += ["decision_document", "library_folder", "library_name", "read_decision_file"]

FILE_KIND = "decisions"
FILE_VERSION = 1
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class DecisionFile:
    """What a file of decisions holds.

    Attributes:
        library: name of the folder that they were made about; empty if it is not known.
        choices: names of shots, as the records of the cull have them, and what was said about
            each, in the order of the file.
    """

    library: str
    choices: tuple[tuple[str, Choice], ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """Records with a person's decisions in place of the cull's verdicts.

    Attributes:
        records: as they came, but for "choice" and "verdict" where somebody decided.
        shots: names of the shots that somebody decided about.
        problems: decisions that could not be used, and why.
    """

    records: list[Mapping[str, Any]]
    shots: frozenset[str]
    problems: tuple[Problem, ...]


def decision_document(library: str, choices: Iterable[tuple[str, Choice]]) -> dict[str, Any]:
    """Return what a file of decisions holds, for JSON.

    Args:
        library: what it is called, as `library_name` says.
        choices: names of shots, and what was said about each.
    """
    return {
        "focuskit": FILE_KIND,
        "version": FILE_VERSION,
        "library": library,
        "decisions": [{"shot": shot, **choice.as_record()} for shot, choice in choices],
    }


def read_decision_file(file: Path) -> DecisionFile:
    """Read a file of decisions, as the report and the review page save it.

    Raises:
        InputError: it cannot be read, is no such file, or comes from a newer version.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InputError(
                f"{file} is larger than {_MOST_BYTES >> 20} MB, which no file of decisions is; "
                "name the .json that the report or the review page saved."
            )
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise InputError(
            f"The decisions {file} cannot be read ({exc.strerror}); check the path."
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise InputError(f"{file} is no JSON ({exc}); save the decisions again.") from exc
    if not isinstance(found, dict) or found.get("focuskit") != FILE_KIND:
        raise InputError(
            f'{file} holds no decisions: it does not say "focuskit": "{FILE_KIND}". Name the '
            "file that the report or the review page saved."
        )
    version = found.get("version")
    if type(version) is not int or version != FILE_VERSION:
        raise InputError(
            f"{file} is of version {version!r:.40}, and this focuskit reads version "
            f"{FILE_VERSION}; update focuskit, or save the decisions again."
        )
    entries = found.get("decisions")
    if not isinstance(entries, list):
        raise InputError(f'{file} has no list "decisions"; save the decisions again.')
    library = found.get("library")
    choices = (_choice(each, f"{file}, decision {at}") for at, each in enumerate(entries, start=1))
    return DecisionFile(library if isinstance(library, str) else "", tuple(choices))


def apply_decision_file(
    records: Sequence[Mapping[str, Any]], choices: Iterable[tuple[str, Choice]]
) -> Decided:
    """Put a person's decisions in the place of verdicts; the last word is the person's.

    Args:
        records: of a cull; they are not changed.
        choices: names of shots, and what was said about each.
    """
    verdicts = {str(record["shot"]): str(record["verdict"]) for record in records}
    said: dict[str, Choice] = {}
    troubles: dict[str, str] = {}
    for shot, choice in choices:
        trouble = _trouble(choice, said.get(shot), verdicts.get(shot))
        if trouble:
            troubles[shot] = trouble
        else:
            said[shot] = choice
    used = {
        shot: choice
        for shot, choice in said.items()
        if choice.pick is not None and shot not in troubles
    }
    decided = []
    for record in records:
        if chosen := used.get(str(record["shot"])):
            with_it = with_choice(dict(record), chosen)
            record = with_it | {"verdict": outcome_of(with_it)}
        decided.append(record)
    problems = tuple(Problem(shot, why) for shot, why in troubles.items())
    return Decided(decided, frozenset(used), problems)


def library_folder(record: Mapping[str, Any]) -> str:
    """Return the folder below which a shot's name is its path; empty if that is not known."""
    name, files = str(record["shot"]), record.get("files") or ()
    for file in files:
        text = str(file).replace(os.sep, "/")
        if text.endswith(f"/{name}"):
            return text[: -len(name) - 1]
    return ""


def library_name(folders: Iterable[str]) -> str:
    """Return what a library is called in a file of decisions: its folder, without the way there.

    Args:
        folders: of its shots, as `library_folder` gives them.
    """
    parts = [PurePosixPath(folder).parts for folder in set(folders) if folder]
    shared = []
    for step in zip(*parts, strict=False):
        if len(set(step)) > 1:
            break
        shared.append(step[0])
    return shared[-1].strip("/") if shared else ""


def _trouble(choice: Choice, earlier: Choice | None, verdict: str | None) -> str:
    """Return why a decision cannot be used; empty if it can."""
    if verdict is None:
        return (
            "There is a decision about it, but no such shot in these results; was it renamed, or "
            "are these another library's?"
        )
    if earlier is not None and earlier != choice:
        return "The decisions about it contradict each other; leave one of them in the file."
    if verdict == "failed" and choice.pick is not None:
        return (
            "The cull could not read it and knows none of its files, so the decision is left; "
            "mend the file and cull again."
        )
    return ""


def _choice(entry: Any, where: str) -> tuple[str, Choice]:
    if not isinstance(entry, dict) or not isinstance(entry.get("shot"), str):
        raise InputError(f'{where}: it names no "shot"; save the decisions again.')
    try:
        return entry["shot"], Choice(entry.get("pick"), entry.get("stars"), entry.get("label"))
    except (RangeError, TypeError) as exc:
        raise InputError(f"{where}: {exc} Save the decisions again.") from exc
