"""Choices are saved at once, and can be taken back after a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focuskit.batch.catalog import CATALOG_NAME, CATALOG_VERSION, Catalog, Row
from focuskit.batch.choices import Choice, Identity
from focuskit.batch.journal import Journal
from focuskit.errors import InputError, OutputError, RangeError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / CATALOG_NAME
    Catalog.open(made).__exit__()
    return made


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    made = Journal.open(path)
    made.sync([Identity(name, f"/{name}", name, "") for name in ("a", "b", "c")])
    yield made
    made.close()


def test_what_was_chosen_outlasts_a_restart_and_so_does_undo(path: Path, journal: Journal) -> None:
    journal.change({1: {"pick": "reject"}, 2: {"stars": 3}}, "two things", "me")
    journal.change({1: {"pick": "keeper", "label": "red"}}, "keep a", "me")
    journal.close()
    again = Journal.open(path)

    assert again.choices() == {1: Choice("keeper", None, "red"), 2: Choice(None, 3, None)}
    assert again.ends() == ("keep a", None)
    undone = again.undo()
    assert undone is not None
    assert (undone.what, undone.choices) == ("keep a", {1: Choice("reject")})
    again.close()
    third = Journal.open(path)
    assert third.ends() == ("two things", "keep a")
    assert third.redo() is not None
    assert third.choices()[1] == Choice("keeper", None, "red")
    third.close()


def test_a_new_change_ends_what_could_be_done_again(journal: Journal) -> None:
    journal.change({1: {"stars": 1}}, "one", "me")
    journal.undo()
    journal.change({2: {"stars": 2}}, "two", "me")

    assert journal.ends() == ("two", None)
    assert journal.redo() is None


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), max_size=8))
def test_undoing_all_ends_where_it_began_and_redoing_all_where_it_was(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / CATALOG_NAME
    Catalog.open(path).__exit__()
    journal = Journal.open(path)
    journal.sync([Identity(name, f"/{name}", name, "") for name in ("a", "b", "c")])
    for number, stars in changes:
        journal.change({number: {"stars": stars}}, "stars", "me")
    after = journal.choices()

    while journal.undo():
        pass
    before = journal.choices()
    while journal.redo():
        pass

    assert before == {}
    assert journal.choices() == after
    journal.close()


def test_a_change_that_changes_nothing_is_nothing_to_undo(journal: Journal) -> None:
    journal.change({1: {"stars": 1}}, "one", "me")
    journal.change({1: {"stars": 1}}, "the same", "me")

    assert journal.ends() == ("one", None)
    assert journal.undo() is not None
    assert journal.undo() is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({1: {"stars": 2}, 9: {"stars": 2}}, InputError),
        ({1: {"stars": 2}, 2: {"stars": 9}}, RangeError),
    ],
)
def test_of_a_change_with_a_mistake_nothing_is_done(
    journal: Journal, changes: dict[int, dict[str, int]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        journal.change(changes, "wrong", "me")

    assert journal.choices() == {}
    assert journal.ends() == (None, None)


def test_a_running_cull_and_a_review_write_to_one_catalog(path: Path, journal: Journal) -> None:
    with Catalog.open(path) as run:
        run.put([Row("a", "judge", "1", "done", ())])
        journal.change({1: {"stars": 4}}, "four", "me")
        run.put([Row("b", "judge", "1", "done", ())])
        assert run.choices() == {"a": Choice(stars=4)}
        assert journal.changed_elsewhere()
        assert not journal.changed_elsewhere()
    assert journal.choices() == {1: Choice(stars=4)}


def test_on_a_full_disk_nothing_that_was_chosen_is_lost(path: Path, journal: Journal) -> None:
    journal.change({1: {"stars": 4}}, "four", "me")
    connection = journal._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(OutputError, match="free some space"):
        journal.change({2: {"stars": 1}}, "x" * 100_000, "me")

    assert journal.choices() == {1: Choice(stars=4)}
    connection.execute("PRAGMA max_page_count = 100000")
    journal.change({2: {"stars": 1}}, "one", "me")
    assert journal.choices() == {1: Choice(stars=4), 2: Choice(stars=1)}


def test_a_catalog_of_the_first_version_gets_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / CATALOG_NAME
    Catalog.open(path).__exit__()
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("DROP TABLE reviewed")
        connection.execute("DROP TABLE journal")
        connection.execute("PRAGMA user_version = 1")
    connection.close()

    with Catalog.open(path, write=False) as old:
        assert old.choices() == {}
    journal = Journal.open(path)
    journal.sync([Identity("a", "/a", "a", "")])
    journal.change({1: {"pick": "keeper"}}, "keep", "me")
    journal.close()

    with Catalog.open(path, write=False) as now:
        assert now.choices() == {"a": Choice("keeper")}


def test_newer_empty_missing_and_other_files_are_refused(tmp_path: Path, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {CATALOG_VERSION + 1}")
    connection.close()
    (tmp_path / "empty").touch()
    (tmp_path / "other").write_bytes(b"no catalog at all" * 100)

    for name, words in (
        (CATALOG_NAME, "newer focuskit"),
        ("empty", "is empty"),
        ("other", "no catalog"),
        ("nowhere", "no catalog at"),
    ):
        with pytest.raises(InputError, match=words):
            Journal.open(tmp_path / name)


def test_where_nothing_can_be_written_it_is_said_and_shots_have_numbers(
    path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.change({2: {"stars": 5}}, "five", "me")
    monkeypatch.setattr("focuskit.batch.journal.os.access", lambda *_: False)
    fixed = Journal.open(path)

    assert "read-only" in fixed.refusal
    ids = fixed.sync([Identity(name, f"/{name}", name, "") for name in ("b", "new")]).ids
    assert ids["b"] == 2
    assert fixed.choices() == {2: Choice(stars=5)}
    with pytest.raises(OutputError, match="read-only"):
        fixed.change({2: {"stars": 1}}, "one", "me")
    fixed.close()
