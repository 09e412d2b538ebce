"""Writing back from the page: the same plan, apply and undo as on the command line."""

from __future__ import annotations

import io
import json
import os
import secrets
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import Any

from focuskit.batch.acting import Action, Plan, act, plan_actions
from focuskit.batch.choices import Choice
from focuskit.batch.decision_file import decision_document
from focuskit.batch.decisions import decisions_rows
from focuskit.batch.library import Problem
from focuskit.batch.manifest import MANIFEST_NAME
from focuskit.batch.sidecars import plan_sidecars, write_sidecars
from focuskit.batch.tables import csv_lines
from focuskit.batch.undo import undo
from focuskit.errors import FocuskitError, InputError
from focuskit.review.table import Table

__all__ = ["StalePlanError", "Writing"]

_XMP = "xmp"
_SHOWN_ROWS = 500
_MOST_PLANS = 8
_LASTS_S = 3600.0
_VERDICTS = ("keeper", "reject")


class StalePlanError(FocuskitError):
    """The plan is unknown, too old, or no longer what was chosen."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """What was shown to the person, and the choices that it rests on."""

    made_at: float
    choices: Mapping[int, Choice]
    action: Plan | None
    changed: bool


class Writing:
    """Plans that were made, until they are done or forgotten."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._output = table.path.absolute().parent
        self._plans: dict[str, _Planned] = {}
        self._lock = threading.Lock()

    def plan(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Say what would be done; changes nothing.

        Args:
            said: `action`, `into` and `only` as the page sends them.

        Raises:
            InputError: they are nothing that can be done.
        """
        changed = said.get("only", "all") == "changed"
        choices = self._table.choices()
        records = self._table.records(changed=changed)
        if said.get("action") == _XMP:
            rows, problems, summary = _xmp_rows(records)
            action = None
        else:
            action = plan_actions(records, _folders(said.get("into")), _action(said.get("action")))
            problems = list(action.problems)
            rows = [
                {"what": str(action.action), "from": str(source), "to": str(target)}
                for each in action.transfers
                for source, target in each.files
            ]
            summary = (
                f"{_count(action.transfers, 'shot')} to {action.action} ({_count(rows, 'file')}); "
                f"{action.there} there already, {action.left} not asked for."
            )
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._plans[name] = _Planned(monotonic(), choices, action, changed)
            while len(self._plans) > _MOST_PLANS:
                self._plans.pop(next(iter(self._plans)))
        return {
            "plan": name,
            "rows": rows[:_SHOWN_ROWS],
            "total": len(rows),
            "problems": _sentences(problems),
            "summary": summary,
        }

    def apply(self, name: str) -> dict[str, Any]:
        """Do what a plan says.

        Raises:
            StalePlanError: it is unknown or old, or choices changed since.
            OutputError: what was done cannot be written down; what came before can be undone.
        """
        with self._lock:
            plan = self._plans.pop(name, None)
        if plan is None or monotonic() - plan.made_at > _LASTS_S:
            raise StalePlanError("This plan was done or forgotten; make a new one.")
        if plan.choices != self._table.choices():
            raise StalePlanError("Choices changed since this plan was made; make a new one.")
        if plan.action is not None:
            done, problems, manifest = act(plan.action, self._output)
            summary = f"Done with {done} shots ({plan.action.action})."
        else:
            records = self._table.records(changed=plan.changed)
            written = write_sidecars(records, self._output)
            done, problems = written.made + written.changed, list(written.problems)
            manifest = written.manifest
            summary = (
                f"Sidecars: {written.made} new, {written.changed} changed, {written.same} as they "
                "were."
            )
        return {
            "done": done,
            "problems": _sentences(problems),
            "manifest": manifest and manifest.name,
            "summary": summary,
        }

    def undo(self, manifest: str) -> dict[str, Any]:
        """Put back what was done.

        Raises:
            InputError: there is no such manifest in the output folder.
            OutputError: it is put back, but the manifest cannot be renamed.
        """
        path = self._output / manifest
        if not MANIFEST_NAME.fullmatch(manifest) or not path.is_file():
            raise InputError("There is nothing of that name to put back; was it undone already?")
        done, problems = undo(path)
        return {"undone": done, "problems": _sentences(problems)}

    def decisions(self, form: str) -> tuple[str, str, bytes]:
        """Return what the person chose as a file: its name, type and content.

        Raises:
            InputError: `form` is neither "csv" nor "json".
        """
        records = self._table.records(changed=True)
        if form == "json":
            said = [
                (each["shot"], Choice(**each["choice"])) for each in records if "choice" in each
            ]
            data = json.dumps(decision_document(self._table.name, said), indent=1).encode()
            return "focuskit-decisions.json", "application/json", data
        if form == "csv":
            text = "".join(csv_lines(decisions_rows(records)))
            data = text.encode("utf-8", "surrogateescape")
            return "focuskit-decisions.csv", "text/csv; charset=utf-8", data
        raise InputError("Decisions are exported as csv or json.")

    def sidecars(self) -> bytes:
        """Return a ZIP archive of all sidecars as they would be written."""
        planned, _ = plan_sidecars(self._table.records(changed=False))
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as into:
            for each in planned:
                below = PurePosixPath(each.shot).parent
                if not below.is_absolute() and ".." not in below.parts:
                    name = str(below / each.path.name).encode("utf-8", "replace").decode()
                    into.writestr(name, each.after)
        return archive.getvalue()


def _xmp_rows(
    records: list[dict[str, Any]],
) -> tuple[list[dict[str, str]], list[Problem], str]:
    planned, problems = plan_sidecars(records)
    rows = [
        {
            "what": "new" if each.outcome == "made" else "change",
            "from": str(each.path),
            "to": each.says,
        }
        for each in planned
        if each.outcome != "same"
    ]
    new = sum(row["what"] == "new" for row in rows)
    same = len(planned) - len(rows)
    summary = f"Sidecars: {new} new, {len(rows) - new} to change, {same} say it all already."
    return rows, problems, summary


def _action(name: object) -> Action:
    try:
        return Action(str(name))
    except ValueError as exc:
        names = ", ".join([_XMP, *Action])
        raise InputError(f"What to do is one of {names}; found {str(name)[:40]!r}.") from exc


def _folders(into: object) -> dict[str, Path]:
    given = into if isinstance(into, dict) else {}
    folders = {
        verdict: Path(os.path.abspath(Path(str(given[verdict]).strip()).expanduser()))
        for verdict in _VERDICTS
        if str(given.get(verdict) or "").strip()
    }
    if not folders:
        raise InputError("Say where to: a folder for keepers, one for rejects, or both.")
    if len(set(folders.values())) < len(folders):
        raise InputError("Keepers and rejects go to the same folder; choose two.")
    if any("\0" in str(folder) for folder in folders.values()):
        raise InputError("That is no name of a folder.")
    return folders


def _sentences(problems: list[Problem]) -> list[str]:
    return [f"{problem.name}: {problem.message}" for problem in problems]


def _count(things: Any, noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
