"""A choice belongs to its photo, wherever that goes, and to no other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch.choices import (
    CHOICES_TABLES,
    LABELS,
    PICKS,
    Choice,
    Identity,
    choices_by_shot,
    outcome_of,
    sync_shots,
    with_choice,
)
from focuskit.errors import RangeError


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.executescript(CHOICES_TABLES)
    yield made
    made.close()


def shot(name: str, folder: Path, content: str = "", taken: str = "2026-05-17T10:30") -> Identity:
    """A photo that lies there."""
    path = folder / name
    path.write_text(content or name)
    return Identity(name, str(path), content or name, taken)


def moved(one: Identity, name: str) -> Identity:
    """The same photo under another name, on the disk too."""
    path = Path(one.file).rename(Path(one.file).with_name(name))
    return replace(one, shot=name, file=str(path))


def test_a_number_stays_with_its_shot(connection: sqlite3.Connection, tmp_path: Path) -> None:
    shots = [shot(name, tmp_path) for name in ("a", "b", "c")]

    first = sync_shots(connection, shots)
    again = sync_shots(connection, shots[::-1])

    assert first.ids == again.ids
    assert len(set(first.ids.values())) == 3
    assert (first.new, again.new) == (frozenset(), frozenset())


def test_a_renamed_photo_keeps_its_number_and_its_old_name_starts_anew(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    one = shot("a", tmp_path)
    before = sync_shots(connection, [one]).ids["a"]
    renamed, other = moved(one, "b"), shot("a", tmp_path, "another")

    found = sync_shots(connection, [renamed, other])

    assert found.ids["b"] == before
    assert found.ids["a"] != before
    assert found.new == {found.ids["a"]}


def test_photos_that_changed_places_take_their_numbers_along(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    a, b = shot("a", tmp_path), shot("b", tmp_path)
    before = sync_shots(connection, [a, b]).ids

    after = sync_shots(connection, [replace(b, shot="a", file=a.file), replace(a, shot="b")]).ids

    assert (after["a"], after["b"]) == (before["b"], before["a"])


def test_a_copy_is_another_shot(connection: sqlite3.Connection, tmp_path: Path) -> None:
    one = shot("a", tmp_path)
    before = sync_shots(connection, [one]).ids["a"]

    found = sync_shots(connection, [one, shot("b", tmp_path, "a")]).ids
    # Also where this time the copy alone was asked for.
    alone = sync_shots(connection, [shot("c", tmp_path, "a")]).ids

    assert found["a"] == before
    assert len({*found.values(), *alone.values()}) == 3


def test_an_edited_photo_keeps_its_number_and_a_new_one_of_its_name_does_not(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    one = shot("a", tmp_path)
    before = sync_shots(connection, [one]).ids["a"]

    edited = sync_shots(connection, [shot("a", tmp_path, "edited")]).ids["a"]
    other = sync_shots(connection, [shot("a", tmp_path, "next card", "2026-06-01T09:00")]).ids["a"]
    back = sync_shots(connection, [shot("z", tmp_path, "edited")]).ids["z"]

    assert edited == before
    assert other != before
    assert back == before


def test_without_times_a_reused_name_is_another_photo(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    before = sync_shots(connection, [shot("a", tmp_path, taken="")]).ids["a"]

    assert sync_shots(connection, [shot("a", tmp_path, "other", taken="")]).ids["a"] != before


def test_shots_that_are_away_for_a_while_keep_their_numbers(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    a, b = shot("a", tmp_path), shot("b", tmp_path)
    before = sync_shots(connection, [a, b]).ids

    sync_shots(connection, [a])

    assert sync_shots(connection, [a, b]).ids == before


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_no_renaming_gives_a_photo_anothers_number(one: list[int], other: list[int]) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(CHOICES_TABLES)
    number_of: dict[int, int] = {}
    for names in (range(6), one, other):
        shots = [
            Identity(f"{name}", f"/nowhere/{name}", f"content {photo}", "")
            for photo, name in enumerate(names)
        ]
        ids = sync_shots(connection, shots).ids
        for photo, name in enumerate(names):
            assert number_of.setdefault(photo, ids[f"{name}"]) == ids[f"{name}"]
    connection.close()


def test_names_that_are_no_text_are_kept(connection: sqlite3.Connection) -> None:
    name = b"\xff\n.jpg".decode("utf-8", "surrogateescape")
    number = sync_shots(connection, [Identity(name, f"/{name}", "1", "")]).ids[name]
    connection.execute("UPDATE reviewed SET pick = 'reject' WHERE id = ?", (number,))

    assert choices_by_shot(connection) == {name: Choice("reject")}


def test_an_older_catalog_says_nothing() -> None:
    connection = sqlite3.connect(":memory:")

    assert choices_by_shot(connection) == {}
    connection.close()


@pytest.mark.parametrize(
    "said",
    [
        {"pick": "maybe"},
        {"pick": ""},
        {"stars": 6},
        {"stars": -1},
        {"stars": True},
        {"stars": 2.0},
        {"stars": "3"},
        {"label": "pink"},
    ],
)
def test_what_nobody_can_choose_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(RangeError):
        Choice(**said)  # type: ignore[arg-type]


@given(
    st.sampled_from((None, *PICKS)),
    st.sampled_from((None, *range(6))),
    st.sampled_from((None, "", *LABELS)),
)
def test_a_record_carries_a_choice_beside_the_verdict(
    pick: str | None, stars: int | None, label: str | None
) -> None:
    choice = Choice(pick, stars, label)
    record = with_choice({"shot": "a", "verdict": "reject"}, choice)

    assert record["verdict"] == "reject"
    assert Choice(**record.get("choice", {})) == choice
    assert ("choice" in record) == bool(choice) == bool(str(choice))
    expected = {None: "reject", "unset": "cant-tell"}.get(pick, pick)
    assert outcome_of(record) == expected
    assert with_choice(record, None) == {"shot": "a", "verdict": "reject"}
