"""One step over a library: what is remembered, what is done again, and what a fault costs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from focuskit.batch.catalog import CATALOG_NAME, Catalog, Row
from focuskit.batch.crew import Crew
from focuskit.batch.engine import Found, Interrupted, Step, run_step
from focuskit.batch.library import Problem, Shot, find_shots
from focuskit.errors import BatchError, InputError, OutputError


@dataclass(frozen=True)
class Size:
    shot: Shot
    bytes: int


@dataclass(frozen=True)
class Measure:
    """Counts its calls in a file, which threads and processes share."""

    log: Path

    def __call__(self, shot: Shot) -> Size:
        with self.log.open("a") as file:
            file.write(f"{shot.name}\n")
        data = shot.judged.read_bytes()
        if data.startswith(b"bad"):
            raise InputError(f"{shot.judged} is bad.")
        if data.startswith(b"full"):
            raise OutputError("The disk is full.")
        return Size(shot, len(data))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(b"x" * (number + 1))
    return folder


@pytest.fixture
def step(tmp_path: Path) -> Step[Size]:
    return Step(
        "size",
        Measure(tmp_path / "log"),
        "1",
        Size,
        rebound=lambda found, shot: replace(found, shot=shot),
    )


def _run(step: Step[Size], library: Path, retry: bool = False) -> dict[str, Found[Size]]:
    with Catalog.open(library.parent / CATALOG_NAME) as catalog:
        found = run_step(step, find_shots([library]).shots, catalog, retry=retry)
        return {each.shot.name: each for each in found}


def _follow(run: Iterator[Found[Size]], seen: list[str]) -> None:
    for each in run:
        seen.append(each.shot.name)


def _calls(step: Step[Size]) -> list[str]:
    log = step.job.log  # type: ignore[attr-defined]
    lines = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(lines)


def _rows(library: Path) -> list[Row]:
    with Catalog.open(library.parent / CATALOG_NAME, write=False) as catalog:
        return list(catalog.rows())


def test_a_repeat_does_nothing_and_gives_the_same(step: Step[Size], library: Path) -> None:
    first = _run(step, library)
    assert len(_calls(step)) == 5

    again = _run(step, library)

    assert _calls(step) == []
    assert all(each.remembered for each in again.values())
    assert {name: each.result for name, each in again.items()} == {
        name: each.result for name, each in first.items()
    }


def test_only_what_changed_is_done_again(step: Step[Size], library: Path) -> None:
    _run(step, library)
    _calls(step)
    (library / "3.jpg").write_bytes(b"more than before")
    (library / "9.jpg").write_bytes(b"new")

    found = _run(step, library)

    assert _calls(step) == ["3.jpg", "9.jpg"]
    assert found["3.jpg"].result == Size(found["3.jpg"].shot, 16)


def test_another_version_is_done_again(step: Step[Size], library: Path) -> None:
    _run(step, library)
    _calls(step)

    _run(replace(step, version="2"), library)

    assert len(_calls(step)) == 5
    assert {row.version for row in _rows(library)} == {"2"}


def test_a_shot_with_parameters_of_its_own_is_done_again_alone(
    step: Step[Size], library: Path
) -> None:
    _run(replace(step, version=lambda shot: f"1 {shot.name}"), library)
    _calls(step)

    _run(replace(step, version=lambda shot: f"1 {shot.name.replace('3', '4')}"), library)

    assert _calls(step) == ["3.jpg"]


def test_a_file_that_moved_or_was_touched_is_known_by_its_content(
    step: Step[Size], library: Path
) -> None:
    _run(step, library)
    _calls(step)
    (library / "3.jpg").rename(library / "moved.jpg")
    os.utime(library / "2.jpg", (1, 1))

    found = _run(step, library)

    assert _calls(step) == []
    assert found["moved.jpg"].result == Size(found["moved.jpg"].shot, 4)
    moved = next(row for row in _rows(library) if row.shot == "moved.jpg")
    assert [each.path for each in moved.key] == [library / "moved.jpg"]


def test_another_content_of_the_same_size_is_looked_at(step: Step[Size], library: Path) -> None:
    _run(step, library)
    _calls(step)
    (library / "3.jpg").write_bytes(b"yyyy")
    os.utime(library / "3.jpg", (1, 1))

    _run(step, library)

    assert _calls(step) == ["3.jpg"]


def test_a_bad_file_is_remembered_and_a_full_disk_is_not(step: Step[Size], library: Path) -> None:
    (library / "bad.jpg").write_bytes(b"bad")
    (library / "full.jpg").write_bytes(b"full")
    first = _run(step, library)
    _calls(step)

    again = _run(step, library)

    assert _calls(step) == ["full.jpg"]
    assert isinstance(again["bad.jpg"].result, Problem)
    assert again["bad.jpg"].result.message == first["bad.jpg"].result.message  # type: ignore[union-attr]
    _run(step, library, retry=True)
    assert _calls(step) == ["bad.jpg", "full.jpg"]


def test_files_that_a_step_wrote_and_lost_are_made_again(step: Step[Size], library: Path) -> None:
    _run(step, library)
    _calls(step)

    _run(replace(step, there=lambda found: found.bytes != 2), library)

    assert _calls(step) == ["1.jpg"]


def test_damaged_rows_are_found_out_anew(step: Step[Size], library: Path) -> None:
    _run(step, library)
    _calls(step)
    with Catalog.open(library.parent / CATALOG_NAME) as catalog:
        row = next(row for row in catalog.rows() if row.shot == "2.jpg")
        catalog.put([replace(row, outcome='{"shot": 3')])

    found = _run(step, library)

    assert _calls(step) == ["2.jpg"]
    assert found["2.jpg"].result == Size(found["2.jpg"].shot, 3)


def test_what_was_done_before_an_interrupt_is_kept(step: Step[Size], library: Path) -> None:
    for number in range(5, 20):
        (library / f"{number}.jpg").write_bytes(b"x" * number)
    names = sorted(file.name for file in library.iterdir())
    seen: list[str] = []
    with Catalog.open(library.parent / CATALOG_NAME) as catalog:
        shots = find_shots([library]).shots
        run = run_step(step, shots, catalog, Crew(1), stop=lambda: len(seen) >= 2)
        with pytest.raises(Interrupted):
            _follow(run, seen)
    before = _calls(step)

    found = _run(step, library)

    assert 2 <= len(before) < len(names)
    assert len(found) == len(names)
    assert sorted([*before, *_calls(step)]) == names


def test_a_file_that_changes_while_it_is_read_is_tried_again(
    step: Step[Size], library: Path
) -> None:
    def grows(shot: Shot) -> Size:
        if shot.name == "1.jpg":
            shot.judged.write_bytes(b"written meanwhile")
        return Size(shot, 0)

    found = _run(replace(step, job=grows), library)

    problem = found["1.jpg"].result
    assert isinstance(problem, Problem)
    assert "changed while it was being read" in problem.message
    assert sum(isinstance(each.result, Problem) for each in found.values()) == 1
    assert len(_run(step, library)) == 5
    assert _calls(step) == ["1.jpg"]


def test_a_second_run_on_one_catalog_is_told(library: Path) -> None:
    path = library.parent / CATALOG_NAME
    with Catalog.open(path), pytest.raises(BatchError, match="Another run is writing"):
        Catalog.open(path)
    with Catalog.open(path):
        pass


def test_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \\ud800.jpg")
    with Catalog.open(tmp_path / CATALOG_NAME) as catalog:
        catalog.put(
            [Row(name, "size", "1", "done", (), "1"), Row("é.jpg", "size", "1", "done", ())]
        )
        assert {row.shot for row in catalog.rows()} == {name, "é.jpg"}
        assert catalog.outcome(name, "size") == "1"


@pytest.mark.parametrize("content", [b"no catalog at all, but long enough to look at" * 9])
def test_a_file_that_is_no_catalog_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / CATALOG_NAME
    path.write_bytes(content)

    with pytest.raises(InputError, match="no catalog of focuskit"):
        Catalog.open(path)

    assert path.read_bytes() == content


def test_a_catalog_of_a_run_that_was_ended_at_once_is_empty(tmp_path: Path) -> None:
    (tmp_path / CATALOG_NAME).touch()

    with Catalog.open(tmp_path / CATALOG_NAME, write=False) as catalog:
        assert list(catalog.rows()) == []
    with Catalog.open(tmp_path / CATALOG_NAME) as catalog:
        catalog.put([Row("1.jpg", "size", "1", "done", ())])
        assert [row.shot for row in catalog.rows()] == ["1.jpg"]


def test_a_newer_catalog_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / CATALOG_NAME
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(InputError, match="newer focuskit"):
        Catalog.open(path)
