"""Steps that write files for every shot, through the one engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import focuskit
from focuskit.batch.catalog import Catalog
from focuskit.batch.copies import COPIES_VERSION, Copier
from focuskit.batch.crew import Crew
from focuskit.batch.edits import EDITS_VERSION, Edit
from focuskit.batch.engine import Interrupted, Progress, Step, run_step, stops_on_interrupt
from focuskit.batch.keys import key_of
from focuskit.batch.library import Problem, Shot
from focuskit.batch.maps import MAPS_VERSION, MapMaker, map_names, map_record
from focuskit.batch.naming import NamedShot
from focuskit.batch.outcome import Outcome
from focuskit.batch.outputs import Made, Outputs
from focuskit.batch.versions import model_version
from focuskit.errors import FocuskitError, InputError, PhotoTooLargeError, WeightsError

__all__ = ["FileStep", "Workplace", "copy_step", "detect_step", "edit_step"]
__all__ += ["make", "plan"]

Record = dict[str, Any]
Names = Callable[[NamedShot], Mapping[str, str]]

# A worker costs more than they save.
_FEW = 2
_DIGITS = 12


@dataclass(frozen=True)
class FileStep:
    """A step that writes files.

    Attributes:
        name: in the catalog.
        job: picklable; takes a shot, and what is to be told the share that is done.
        version: of everything but the shot that the files depend on.
        names: gives a shot's files by what they hold, below the output folder.
        record: gives what goes to stdout about a shot.
        ready: gives a shot all files that its results depend on.
    """

    name: str
    job: Callable[..., Made]
    version: str
    names: Names
    record: Callable[[NamedShot, Made], Record]
    ready: Callable[[NamedShot], NamedShot] = field(default=lambda shot: shot)


@dataclass(frozen=True)
class Workplace:
    """Where and by whom a step is done.

    Attributes:
        folder: where results go.
        catalog: what is known.
        originals: shots none of whose files may be replaced.
        crew: who works.
        overwrite: whether what is there may be replaced.
        own: whether earlier results of the step with other parameters may be.
        retry: do again what failed by its own content, too.
    """

    folder: Path
    catalog: Catalog
    originals: Sequence[Shot]
    crew: Crew
    overwrite: bool = False
    own: bool = False
    retry: bool = False


def detect_step(maker: MapMaker, shown: Path) -> FileStep:
    """Return the step that writes blur maps; records name them below `shown`."""

    def record(shot: NamedShot, made: Made) -> Record:
        names = {kind: trace.name for kind, trace in made.files.items()}
        return map_record(shot, made.said, shown, names)

    version = f"{model_version(maker.detector)}:{MAPS_VERSION}"
    return FileStep("detect", maker, version, map_names, record)


def edit_step(edit: Edit, said: Mapping[str, Any], shown: Path, *, given: str = "") -> FileStep:
    """Return the step that edits photos; records name results below `shown`.

    Args:
        edit: what to do.
        said: the settings as a person gave them, for records.
        shown: the output folder as a person gave it.
        given: version of the step that made what the edit is guided by, if one did.
    """
    naming, guides = edit.naming, edit.guides
    depends = {
        "edits": EDITS_VERSION,
        "operation": edit.operation,
        "settings": edit.settings.values,
        "naming": naming,
        "quality": edit.quality,
        "guides": [
            *(bool(path) for path in (guides.map, guides.coc, guides.depth, guides.mask)),
            guides.embedded,
            guides.focus,
        ],
        "given": given,
    }

    def names(shot: NamedShot) -> Mapping[str, str]:
        return naming.names(shot, edit.operation)

    return FileStep(
        naming.step(edit.operation),
        edit,
        f"{_model(edit.detector)}:{_digest(depends)}",
        names,
        partial(_edit_record, edit.operation, dict(said), shown),
        lambda shot: replace(shot, files=(*shot.files, *guides.files_of(shot))),
    )


def copy_step(copier: Copier, shown: Path, *, given: str = "") -> FileStep:
    """Return the step that writes photos for others; records name them below `shown`.

    Args:
        copier: writes them.
        shown: the output folder as a person gave it.
        given: version of the step whose results are copied, if not the photos themselves.
    """
    depends = {
        "copies": COPIES_VERSION,
        "naming": copier.naming,
        "quality": copier.quality,
        "long_edge_px": copier.long_edge_px,
        "given": given,
    }

    def names(shot: NamedShot) -> Mapping[str, str]:
        return copier.naming.names(shot, "export")

    def record(shot: NamedShot, made: Made) -> Record:
        place = str(shown / made.files["photo"].name)
        return {"schema": 1, "shot": shot.name, "source": str(shot.judged), **made.said} | {
            "file": place,
            "version": focuskit.__version__,
        }

    return FileStep(copier.naming.step("export"), copier, _digest(depends), names, record)


def _digest(depends: Mapping[str, Any]) -> str:
    """Return a short digest of what results depend on."""
    text = json.dumps(depends, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def make(
    step: FileStep,
    shots: Sequence[NamedShot],
    place: Workplace,
    *,
    progress: Progress | None = None,
) -> tuple[list[Record], list[Problem]]:
    """Do what is missing of a step and return records and problems of all shots, in their order.

    Raises:
        Interrupted: Ctrl-C was pressed.
        BatchError: workers could not be started or reached.
        OutputError: the catalog cannot be written.
    """
    ready = [step.ready(shot) for shot in shots]
    engine_step = _engine_step(step, place)
    found = {
        each.shot.name: each.result
        for each in run_step(
            engine_step,
            ready,
            place.catalog,
            place.crew,
            retry=place.retry,
            progress=progress,
            run=partial(_run, len(ready), progress),
        )
    }
    results = [(shot, found[shot.name]) for shot in shots]
    return (
        [step.record(shot, result) for shot, result in results if isinstance(result, Made)],
        [result for _, result in results if isinstance(result, Problem)],
    )


def plan(step: FileStep, shots: Sequence[NamedShot], place: Workplace) -> list[Record]:
    """Return what `make` would do with each shot; nothing is done."""
    missing: list[str] = []

    def collect(_job: Any, shots: Sequence[Shot], _crew: Any, *, stop: Any) -> Iterator[Any]:
        del stop
        missing.extend(shot.name for shot in shots)
        return iter(())

    found: dict[str, Made | Problem] = {}
    with Catalog.in_memory() as copy:
        copy.put(place.catalog.rows(step.name))
        there = replace(place, catalog=copy)
        ready = [step.ready(shot) for shot in shots]
        try:
            for each in run_step(
                _engine_step(step, there), ready, copy, retry=place.retry, run=collect
            ):
                found[each.shot.name] = each.result
        except Interrupted:
            # That is what a run is called that does not do what is missing.
            pass
    todo = set(missing)
    return [
        {
            "step": step.name,
            "shot": shot.name,
            "would": "make" if shot.name in todo else _kept(found[shot.name]),
            "files": [str(place.folder / name) for name in step.names(shot).values()],
        }
        for shot in shots
    ]


def _kept(result: Made | Problem) -> str:
    return f"fail: {result.message}" if isinstance(result, Problem) else "keep"


def _engine_step(step: FileStep, place: Workplace) -> Step[Made]:
    outputs = Outputs(
        folder=place.folder,
        step=step.name,
        names=step.names,
        originals=place.originals,
        version=step.version,
        catalog=place.catalog,
        overwrite=place.overwrite,
        own=place.own,
    )
    return Step(
        step.name,
        step.job,
        step.version,
        Made,
        rebound=outputs.rebound,
        there=outputs.there,
        before=outputs.before,
    )


def _run(
    total: int,
    progress: Progress | None,
    job: Callable[..., Made],
    shots: Sequence[Shot],
    crew: Crew | None,
    *,
    stop: Callable[[], bool],
) -> Iterator[Any]:
    """Run a job on many shots by workers; on a few here, with all cores for each."""
    elsewhere = crew is not None and crew.scheduler is not None
    if elsewhere or len(shots) > _FEW or any(shot.remote for shot in shots):
        from focuskit.batch.runner import run_shots

        with stops_on_interrupt() as pressed:
            yield from run_shots(job, shots, crew, stop=lambda: stop() or pressed())
        return
    for index, shot in enumerate(shots, start=total - len(shots)):

        def tick(share: float, before: int = index) -> None:
            if progress is not None:
                progress(before + share, total, 0)

        key = key_of(shot)
        try:
            result: Made | Problem = job(shot, tick)
        except FocuskitError as exc:
            # As workers tell it.
            again = not isinstance(exc, InputError) or isinstance(exc, PhotoTooLargeError)
            result = Problem(shot.name, str(exc), again=again)
        yield Outcome(shot, result, key)


def _model(detector: str) -> str:
    try:
        return model_version(detector)
    except WeightsError:
        # It is not asked where maps are given; where it is, that is said there.
        return detector


def _edit_record(
    operation: str, settings: Record, shown: Path, shot: NamedShot, made: Made
) -> Record:
    files = [str(shown / trace.name) for trace in made.files.values()]
    return {
        "schema": 1,
        "shot": shot.name,
        "source": str(shot.judged),
        "operation": operation,
        "settings": settings,
        **made.said,
        "file": files[0],
        "files": files,
        "version": focuskit.__version__,
    }
