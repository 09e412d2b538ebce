"""A recipe's steps, one after the other: each with the shots that the earlier ones leave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from focuskit.batch.choices import outcome_of
from focuskit.batch.copies import Copier
from focuskit.batch.culling import Way, cull_library
from focuskit.batch.edits import Edit
from focuskit.batch.engine import Progress
from focuskit.batch.guides import Guides
from focuskit.batch.judge import Judge
from focuskit.batch.library import Library, Problem
from focuskit.batch.making import (
    FileStep,
    Workplace,
    copy_step,
    detect_step,
    edit_step,
    make,
    plan,
)
from focuskit.batch.maps import MapMaker
from focuskit.batch.naming import NamedShot, named
from focuskit.batch.recipe import Recipe
from focuskit.batch.records import score_record
from focuskit.batch.verdicts import Verdicts, cull_into
from focuskit.batch.workflow import ONLY, Copying, Detecting, Editing, RecipeStep, Workflow
from focuskit.detect import open_detector

__all__ = ["Bench", "Ran", "run_recipe"]

Record = dict[str, Any]
Bar = Callable[[str], AbstractContextManager[Progress | None]]


@dataclass(frozen=True)
class Bench:
    """What all steps of a run have in common.

    Attributes:
        place: where and by whom they are done.
        bar: shows the progress of a step.
        pictures: folder for the thumbnails of a cull.
        write_cull: writes the results of a cull.
        device: where edits work: "cpu" or "cuda".
        max_megapixels: larger photos are refused; None for the default of `read_photo`.
        dry: nothing is done.
    """

    place: Workplace
    bar: Bar
    pictures: Path | None
    write_cull: Callable[[Verdicts], None]
    device: str = "cpu"
    max_megapixels: float | None = None
    dry: bool = False


@dataclass
class Ran:
    """What came of a run.

    Attributes:
        records: of every step and shot, with the step's name.
        problems: each said once, however many steps it stopped.
        skipped: by step, how many shots it was not done with.
    """

    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)


def run_recipe(workflow: Workflow, library: Library, bench: Bench) -> Ran:
    """Do what is missing of every step.

    A shot that fails in one step goes on to those that need nothing of it.

    Raises:
        WeightsError: a detector cannot be used; said before the first photo is touched.
        Interrupted: Ctrl-C was pressed; what was in flight has been saved.
        FocuskitError: what `run_step` raises.
    """
    for detector in {name for step in workflow.steps if (name := _detector(step))}:
        open_detector(detector)
    run = _Run(library, bench)
    run.note(library.problems)
    for step in workflow.steps:
        run.do(step)
    return run.ran


def _detector(step: RecipeStep) -> str:
    if isinstance(step.what, Copying):
        return ""
    mapped = isinstance(step.what, Editing) and step.what.mapped
    return "" if mapped else step.what.detector


class _Run:
    """Where a run is: what earlier steps found out and made."""

    def __init__(self, library: Library, bench: Bench) -> None:
        self.ran = Ran()
        self._library = library
        self._bench = bench
        self._shots = named(library.shots)
        self._verdicts: Mapping[str, str] = {}
        self._made: dict[str, FileStep] = {}
        self._results: dict[str, dict[str, Record]] = {}

    def note(self, problems: Sequence[Problem]) -> None:
        known = {(problem.name, problem.message) for problem in self.ran.problems}
        self.ran.problems += [each for each in problems if (each.name, each.message) not in known]

    def do(self, step: RecipeStep) -> None:
        if isinstance(step.what, Recipe):
            self._judge(step.name, step.what, self._chosen(step, self._shots))
            return
        made, shots = self._prepared(step)
        self._made[step.name] = made
        chosen = self._chosen(step, shots)
        if self._bench.dry:
            would = "" if step.only == "all" else f", if among the {step.only}"
            self.ran.records += [
                record | {"would": record["would"] + would}
                for record in plan(made, chosen, self._bench.place)
            ]
            return
        with self._bench.bar(step.name.capitalize()) as progress:
            records, problems = make(made, chosen, self._bench.place, progress=progress)
        self._results[step.name] = {record["shot"]: record for record in records}
        self.ran.records += [{"step": step.name, **record} for record in records]
        self.note(problems)

    def _judge(self, name: str, recipe: Recipe, shots: Sequence[NamedShot]) -> None:
        bench = self._bench
        if bench.dry:
            # Which shots it would choose is not known before.
            self.ran.records += [
                {"step": name, "shot": shot.name, "would": recipe.do, "files": []} for shot in shots
            ]
            return
        place, culls = bench.place, recipe.do == "cull"
        judge = Judge(recipe.detector, bench.max_megapixels, bench.pictures if culls else None)
        some = replace(self._library, shots=tuple(shots), problems=())
        with bench.bar(name.capitalize()) as progress:
            way = Way(place.catalog, place.crew, place.retry, progress)
            if culls:
                verdicts = cull_into(place.catalog, some, judge, recipe, way)
            else:
                culled = cull_library(some, judge, thresholds=recipe.thresholds, way=way)
        if culls:
            bench.write_cull(verdicts)
            records = list(verdicts)
            self._verdicts = {record["shot"]: outcome_of(record) for record in records}
            self.note(verdicts.problems)
        else:
            records = [
                score_record(judgement, decision, recipe.detector, recipe.thresholds)
                for judgement, decision in zip(culled.judgements, culled.decisions, strict=True)
            ]
            self.note(culled.problems)
        self.ran.records += [{"step": name, **record} for record in records]

    def _chosen(self, step: RecipeStep, shots: Sequence[NamedShot]) -> list[NamedShot]:
        wanted = ONLY[step.only]
        # Verdicts are not known before; a dry run says what may become of all.
        if wanted is None or self._bench.dry:
            return list(shots)
        chosen = [shot for shot in shots if self._verdicts.get(shot.name) == wanted]
        self.ran.skipped[step.name] = len(shots) - len(chosen)
        return chosen

    def _prepared(self, step: RecipeStep) -> tuple[FileStep, Sequence[NamedShot]]:
        """Return a step ready for the engine, and the shots that there are for it."""
        what, folder, bench = step.what, self._bench.place.folder, self._bench
        if isinstance(what, Detecting):
            maker = MapMaker(folder, what.detector, bench.max_megapixels)
            return detect_step(maker, folder), self._shots
        if isinstance(what, Copying):
            copier = Copier(
                folder, what.naming, what.quality, what.long_edge_px, bench.max_megapixels
            )
            given = self._made[what.of].version if what.of else ""
            return copy_step(copier, folder, given=given), self._results_of(what.of)
        if not isinstance(what, Editing):
            raise TypeError(f"{step.name} is no step that writes files.")
        edit = Edit(
            operation=what.operation,
            folder=folder,
            naming=what.naming,
            settings=what.settings,
            guides=Guides(
                map=folder if what.mapped else None,
                embedded=what.embedded_depth,
                max_megapixels=bench.max_megapixels,
            ),
            detector=what.detector,
            device=bench.device,
            quality=what.quality,
            max_megapixels=bench.max_megapixels,
        )
        given = self._made["detect"].version if what.mapped else ""
        shots = self._with_results("detect") if what.mapped else list(self._shots)
        return edit_step(edit, what.said, folder, given=given), shots

    def _with_results(self, step: str) -> list[NamedShot]:
        """Return the shots for which a step made something; all that it might, in a dry run."""
        if self._bench.dry:
            return list(self._shots)
        done = self._results.get(step, {})
        return [shot for shot in self._shots if shot.name in done]

    def _results_of(self, step: str) -> Sequence[NamedShot]:
        """Return shots whose files are what a step made of them, where it made a photo."""
        if not step:
            return self._shots
        names, results = self._made[step].names, self._results.get(step, {})
        found = []
        for shot in self._with_results(step):
            photo = self._bench.place.folder / names(shot)["photo"]
            if self._bench.dry or results[shot.name]["file"] == str(photo):
                found.append(replace(shot, judged=photo, files=(photo,), remote=()))
        return found
