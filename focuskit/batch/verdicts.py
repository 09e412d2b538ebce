"""A whole cull: verdicts part by part into the catalog, and out of it as they are asked for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from focuskit.batch.catalog import Catalog, Row
from focuskit.batch.choices import Choice, identity_of, with_choice
from focuskit.batch.culling import JUDGE, Way, cull_parts
from focuskit.batch.files import Folders
from focuskit.batch.judge import Judge
from focuskit.batch.library import Library, Problem
from focuskit.batch.recipe import Recipe
from focuskit.batch.records import Record, cull_records, problem_record
from focuskit.batch.sidecars import with_marks
from focuskit.batch.tables import jsonl_lines, to_json
from focuskit.batch.versions import parameters_version

__all__ = ["VERDICTS", "Verdicts", "cull_into"]

VERDICTS = "cull"
"""Name of the step whose rows hold the records of the last cull, without choices of a person."""


class Verdicts:
    """Records of a cull; each is read from the catalog when it is asked for, so that none is held.

    Where a person chose something in the review, the record has it as `choice`, beside the verdict.

    Attributes:
        problems: shots and folders that could not be used, in the order of their names.
        counts: how many shots have each verdict.
    """

    def __init__(
        self,
        catalog: Catalog,
        names: Sequence[str],
        problems: Sequence[Problem],
        counts: Counter[str],
        choices: Mapping[str, Choice],
    ) -> None:
        self._catalog = catalog
        self._names = names
        self._choices = choices
        self.problems = problems
        self.counts = counts

    def __iter__(self) -> Iterator[Record]:
        """Yield the records in the order of their shots' names, failed ones last."""
        for name in self._names:
            yield self.of(name)
        for problem in self.problems:
            yield problem_record(problem)

    def lines(self) -> Iterator[str]:
        """Yield the same as lines of JSON."""
        for name in self._names:
            chosen = name in self._choices
            yield (to_json(self.of(name)) if chosen else self._text(name)) + "\n"
        yield from jsonl_lines(map(problem_record, self.problems))

    def of(self, name: str) -> Record:
        """Return the record of a shot that has a verdict."""
        record: Record = json.loads(self._text(name))
        return with_choice(record, self._choices.get(name))

    def _text(self, name: str) -> str:
        text = self._catalog.outcome(name, VERDICTS)
        if text is None:
            raise KeyError(name)
        return text


def cull_into(
    catalog: Catalog, library: Library, judge: Judge, recipe: Recipe, way: Way
) -> Verdicts:
    """Cull a library and keep every record in the catalog.

    Args:
        catalog: of the run; `way` shall have the same.
        library: its shots.
        judge: how each is judged.
        recipe: where the lines are.
        way: how the library is gone through.

    Raises:
        Interrupted: Ctrl-C; what was in flight has been saved.
        FocuskitError: what `run_step` raises.
    """
    folders, counts = Folders(), Counter[str]()
    taken: dict[str, str | None] = {}
    problems: tuple[Problem, ...] = ()
    for part in cull_parts(library, judge, thresholds=recipe.thresholds, way=way):
        records = cull_records(with_marks(part, folders), recipe.detector, recipe.thresholds)
        done = [record for record in records if record["verdict"] != "failed"]
        _keep(catalog, done, parameters_version(recipe.thresholds))
        taken |= {record["shot"]: record["exif"]["taken_at"] for record in done}
        counts.update(record["verdict"] for record in records)
        problems += part.problems
    # A verdict of an earlier cull may count shots of a set that are no longer asked for.
    catalog.forget([(name, VERDICTS) for name in catalog.names(VERDICTS) - taken.keys()])
    if catalog.choices():
        known = catalog.known(VERDICTS)
        catalog.follow([identity_of(row.shot, row.key, taken[row.shot]) for row in known])
    return Verdicts(catalog, sorted(taken), problems, counts, catalog.choices())


def _keep(catalog: Catalog, records: Sequence[Record], version: str) -> None:
    """Store records; rows that would stay the same are not written."""
    changed: list[Row] = []
    for record in records:
        name = record["shot"]
        judged = catalog.row(name, JUDGE)
        key = judged.key if judged else ()
        row = Row(name, VERDICTS, version, "done", key, to_json(record))
        if catalog.row(name, VERDICTS) != row:
            changed.append(row)
    catalog.put(changed)
