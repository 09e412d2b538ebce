"""Verdicts into the sidecars of a library, and people's ratings out of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from focuskit.batch.choices import Choice, outcome_of
from focuskit.batch.culling import Culled
from focuskit.batch.files import Folders, write_file
from focuskit.batch.library import Problem, Shot
from focuskit.batch.manifest import Manifest, Step, write_step
from focuskit.batch.records import Record
from focuskit.batch.undo import carry_out
from focuskit.cull.decide import Reason
from focuskit.errors import FocuskitError, OutputError, SidecarConflictError
from focuskit.io import RAW_SUFFIXES
from focuskit.io.marks import Marks, read_embedded_marks, read_sidecar, read_sidecar_marks
from focuskit.io.sidecar import Note, merged_sidecar
from focuskit.io.sidecar_names import SidecarNaming, sidecars_of, sidecars_to_write

__all__ = ["Planned", "Written", "marks_of", "plan_sidecars", "with_marks", "write_sidecars"]

RATED, UNREADABLE = "rated-by-you", "sidecar-unreadable"
_CHOICE = "Choice"


@dataclass(frozen=True, slots=True)
class Written:
    """What writing sidecars came to.

    Attributes:
        made, changed: how many sidecars are new, and how many have new content.
        same: how many said it all already, and were not touched.
        for_adobe: of the new ones, how many are a RAW's IMG.xmp without an IMG.CR2.xmp beside it.
        problems: shots whose sidecars were left as they are, and why.
        manifest: what `focuskit cull undo` takes; None if nothing was written.
    """

    made: int
    changed: int
    same: int
    for_adobe: int
    problems: tuple[Problem, ...]
    manifest: Path | None


def marks_of(
    files: Sequence[Path], folders: Folders, inside: Sequence[Marks] | None = None
) -> tuple[Marks, list[str]]:
    """Return what people said about a shot, and what is wrong with sidecars that may say more.

    Sidecars come before what is inside the photos, and judgements before colours.

    Args:
        files: of the shot.
        folders: where they lie.
        inside: what the files themselves hold, in their order; None to read it.
    """
    said: list[Marks] = []
    troubles: list[str] = []
    for path in sidecars_of(files, folders.names_beside(files[0])):
        if path.suffix.lower() == ".xmp":
            try:
                said.append(read_sidecar_marks(path))
            except SidecarConflictError as exc:
                troubles.append(str(exc))
    said += map(read_embedded_marks, files) if inside is None else inside
    judged = [marks for marks in said if marks.judged] or [marks for marks in said if marks]
    return (judged[0] if judged else Marks()), troubles


def with_marks(culled: Culled, folders: Folders | None = None) -> Culled:
    """Add to every decision what people said about the photo already; verdicts stay as they are."""
    folders = folders or Folders()
    decisions = []
    for judgement, decision in zip(culled.judgements, culled.decisions, strict=True):
        files = judgement.shot.files
        # A copy that was known by its content has another name.
        inside = [
            replace(marks, source=file) for marks, file in zip(judgement.marks, files, strict=False)
        ]
        marks, troubles = marks_of(files, folders, inside)
        added = [Reason(UNREADABLE, text) for text in troubles]
        if marks:
            source = marks.source.name if marks.source else ""
            added.insert(0, Reason(RATED, f"Rated by you: {marks} ({source})."))
        decisions.append(replace(decision, reasons=(*decision.reasons, *added)))
    return replace(culled, decisions=tuple(decisions))


def write_sidecars(
    records: Iterable[Record],
    output: Path,
    *,
    naming: SidecarNaming = SidecarNaming.AUTO,
    overwrite_ratings: bool = False,
) -> Written:
    """Merge every verdict into the sidecars of its shot.

    All sidecars of a shot are written or none; what cannot be merged into is left as it is and
    named, and the others are done.

    Args:
        records: of a cull, as `cull_records` gives them; those of failed shots are passed over.
        output: folder for the manifest, which `focuskit.batch.undo` puts back from.
        naming: which sidecars.
        overwrite_ratings: put ours in place of people's.

    Raises:
        OutputError: the manifest cannot be written; what was written before can be undone.
    """
    folders, manifest = Folders(), Manifest(output, "write-xmp")
    counts = {"made": 0, "changed": 0, "same": 0, "for_adobe": 0}
    problems: list[Problem] = []
    done: set[str] = set()
    try:
        for shot, plan in _plans(records, folders, naming, overwrite_ratings):
            if isinstance(plan, Problem):
                problems.append(plan)
                continue
            # Two ways may lead to one photo, through links to folders.
            plan = [each for each in plan if os.path.realpath(each.path) not in done]
            trouble = _write(plan, manifest)
            if trouble and manifest.broken:
                raise OutputError(trouble)
            if trouble:
                problems.append(Problem(shot.name, trouble))
                continue
            done |= {os.path.realpath(each.path) for each in plan}
            for each in plan:
                counts[each.outcome] += 1
            if len(plan) == 1 and plan[0].outcome == "made" and not plan[0].full:
                counts["for_adobe"] += _has_raw(shot)
    finally:
        manifest.close()
    return Written(**counts, problems=tuple(problems), manifest=manifest.path)


def plan_sidecars(
    records: Iterable[Record],
    *,
    naming: SidecarNaming = SidecarNaming.AUTO,
    overwrite_ratings: bool = False,
) -> tuple[list[Planned], list[Problem]]:
    """Return what `write_sidecars` would write now, and shots that it would leave; writes nothing.

    Args:
        records: as `write_sidecars` takes them.
        naming: which sidecars.
        overwrite_ratings: put ours in place of people's.
    """
    planned: dict[str, Planned] = {}
    problems = []
    for _, plan in _plans(records, Folders(), naming, overwrite_ratings):
        if isinstance(plan, Problem):
            problems.append(plan)
            continue
        for each in plan:
            planned.setdefault(os.path.realpath(each.path), each)
    return list(planned.values()), problems


@dataclass(frozen=True, slots=True)
class Planned:
    """A sidecar that is to be written.

    Attributes:
        shot: name of its shot.
        path: where.
        full: it is called IMG.CR2.xmp.
        before: its content as it is; None for a new one.
        after: as it shall be.
        says: verdict that counts, and what the person chose, in words.
    """

    shot: str
    path: Path
    full: bool
    before: bytes | None
    after: bytes
    says: str

    @property
    def outcome(self) -> str:
        """Whether it is "made", "changed", or stays the "same"."""
        if self.before is None:
            return "made"
        return "same" if self.before == self.after else "changed"


def _plans(
    records: Iterable[Record], folders: Folders, naming: SidecarNaming, overwrite: bool
) -> Iterator[tuple[Shot, list[Planned] | Problem]]:
    """Yield what is to be written of every shot, or why it cannot be."""
    for record in records:
        if record["verdict"] == "failed":
            continue
        files = tuple(map(Path, record["files"]))
        shot = Shot(record["shot"], files[0], files)
        try:
            yield shot, _plan(shot, _note(record), folders, naming, overwrite)
        except SidecarConflictError as exc:
            yield shot, Problem(shot.name, str(exc))


def _plan(
    shot: Shot, note: Note, folders: Folders, naming: SidecarNaming, overwrite: bool
) -> list[Planned]:
    names = folders.names_beside(shot.judged)
    marks, troubles = marks_of(shot.files, folders)
    if troubles:
        raise SidecarConflictError(" ".join(troubles))
    raws = [file for file in shot.files if file.suffix.lower() in RAW_SUFFIXES]
    plan = []
    for path in sidecars_to_write(shot.files, names, naming):
        before = read_sidecar(path) if os.path.lexists(path) else None
        full = any(path.name.casefold() == f"{file.name}.xmp".casefold() for file in shot.files)
        after = merged_sidecar(
            before,
            note,
            str(path),
            marks=marks,
            overwrite_ratings=overwrite,
            darktable=full,
            raw_suffix=raws[0].suffix[1:] if raws and not full else "",
        )
        if before is not None and after != before and not _writable(path):
            raise SidecarConflictError(
                f"{path} is read-only and is left as it is; make it writable and repeat."
            )
        says = (
            f"{note.verdict} ({note.numbers[_CHOICE]})" if note.numbers[_CHOICE] else note.verdict
        )
        plan.append(Planned(shot.name, path, full, before, after, says))
    return plan


def _write(plan: Sequence[Planned], manifest: Manifest) -> str | None:
    """Write all sidecars of a shot or none; return what went wrong."""
    steps: list[Step] = []
    wanted: dict[str, Planned] = {}
    try:
        for each in plan:
            if each.outcome != "same":
                steps.append(write_step(each.path, each.before, each.after))
                wanted[steps[-1]["part"]] = each
    except OSError as exc:
        return _sentence(each.path, exc)

    def do(step: Step) -> None:
        each = wanted[step["part"]]
        now = read_sidecar(each.path) if os.path.lexists(each.path) else None
        if now != each.before:
            raise SidecarConflictError(
                f"{each.path} was changed by another program just now and is left as it is; repeat."
            )
        write_file(each.path, each.after, step["part"], mode=step["mode"], replace=now is not None)

    stopped = carry_out(steps, do, manifest)
    if stopped is None:
        return None
    return _sentence(Path(stopped.step["path"]), stopped.error) + stopped.left


def _has_raw(shot: Shot) -> bool:
    return any(file.suffix.lower() in RAW_SUFFIXES for file in shot.files)


def _writable(path: Path) -> bool:
    # An administrator may write everything, and still somebody meant it.
    return bool(path.stat().st_mode & 0o222) and os.access(path, os.W_OK)


def _sentence(path: Path, exc: Exception) -> str:
    if isinstance(exc, FocuskitError):
        return str(exc)
    why = getattr(exc, "strerror", None) or exc
    return f"{path} could not be written ({why}); check the folder's permissions and space."


def _note(record: Record) -> Note:
    codes = [each["code"] for each in record["reasons"]]
    score, confidence = record["score"], record["confidence"]
    choice = Choice(**(record.get("choice") or {}))
    numbers = {
        "Score": "" if score is None else f"{score:.1f}",
        "Confidence": "" if confidence is None else f"{confidence:.3f}",
        "Region": record["region"]["kind"],
        "Model": record["model"],
        "Parameters": record["parameters"],
        "Version": record["version"],
        _CHOICE: str(choice),
    }
    own = dict.fromkeys(code for code in codes if code not in (RATED, UNREADABLE))
    said = choice.as_record()
    return Note(outcome_of(record), tuple(own), numbers, **said)
