"""Decisions that come as a file: what is in it counts, and what cannot is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch.choices import LABELS, PICKS, Choice
from focuskit.batch.decision_file import (
    apply_decision_file,
    decision_document,
    library_folder,
    library_name,
    read_decision_file,
)
from focuskit.errors import InputError

CHOICES = st.builds(
    Choice,
    pick=st.sampled_from((None, *PICKS)),
    stars=st.one_of(st.none(), st.integers(0, 5)),
    label=st.sampled_from((None, "", *LABELS)),
)
RECORDS = [
    {"shot": "a.jpg", "verdict": "keeper", "files": ["/x/lib/a.jpg"]},
    {"shot": "b.jpg", "verdict": "reject", "files": ["/x/lib/b.jpg"]},
    {"shot": "c.jpg", "verdict": "failed"},
]


@given(st.lists(st.tuples(st.text(), CHOICES)))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, choices: list[tuple[str, Choice]]
) -> None:
    file = tmp_path_factory.mktemp("file") / "decisions.json"
    file.write_text(json.dumps(decision_document("lib", choices)))

    found = read_decision_file(file)

    assert found.library == "lib"
    assert found.choices == tuple(choices)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "holds no decisions"),
        ('{"focuskit": "0.1"}', "holds no decisions"),
        ('{"focuskit": "decisions", "version": 2, "decisions": []}', "version 2"),
        ('{"focuskit": "decisions", "version": true, "decisions": []}', "version True"),
        ('{"focuskit": "decisions", "version": 1}', 'no list "decisions"'),
        ('{"focuskit": "decisions", "version": 1, "decisions": [7]}', "decision 1"),
        ('{"focuskit": "decisions", "version": 1, "decisions": [{"shot": 7}]}', "decision 1"),
        *(
            (
                '{"focuskit": "decisions", "version": 1, "decisions": [{"shot": "a"}, '
                f'{{"shot": "b", {said}}}]}}',
                "decision 2",
            )
            for said in ('"pick": "yes"', '"pick": []', '"stars": 6', '"stars": true', '"label": 3')
        ),
    ],
)
def test_what_is_no_file_of_decisions_is_said(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "decisions.json"
    file.write_text(text)

    with pytest.raises(InputError, match=words):
        read_decision_file(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_decision_file(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("pick", "verdict"), [("keeper", "keeper"), ("reject", "reject"), ("unset", "cant-tell")]
)
def test_the_last_word_is_the_persons(pick: str, verdict: str) -> None:
    before = json.dumps(RECORDS)

    decided = apply_decision_file(RECORDS, [("a.jpg", Choice(pick)), ("b.jpg", Choice(stars=5))])

    assert [record["verdict"] for record in decided.records] == [verdict, "reject", "failed"]
    assert decided.shots == {"a.jpg"}
    assert not decided.problems
    assert json.dumps(RECORDS) == before


def test_decisions_that_fit_nothing_are_named_and_the_rest_counts() -> None:
    choices = [
        ("a.jpg", Choice("reject")),
        ("c.jpg", Choice("keeper")),
        ("none.jpg", Choice("keeper")),
        ("b.jpg", Choice("keeper")),
        ("b.jpg", Choice("unset")),
    ]

    decided = apply_decision_file(RECORDS, choices)

    assert [record["verdict"] for record in decided.records] == ["reject", "reject", "failed"]
    assert {problem.name: problem.message.split()[0] for problem in decided.problems} == {
        "c.jpg": "The",
        "none.jpg": "There",
        "b.jpg": "The",
    }


@pytest.mark.parametrize(
    ("folders", "name"),
    [
        (["/home/anna/Sardinia"], "Sardinia"),
        (["/home/anna/Sardinia/one", "/home/anna/Sardinia/two"], "Sardinia"),
        (["/a/same", "/b/same"], ""),
        ([], ""),
        ([""], ""),
        (["s3://bucket/photos"], "photos"),
    ],
)
def test_a_library_is_called_as_its_folder(folders: list[str], name: str) -> None:
    assert library_name(folders) == name


def test_the_folder_of_a_shot_is_what_its_name_is_below() -> None:
    record: dict[str, Any] = {"shot": "day 1/a.jpg", "files": ["/x/lib/day 1/a.jpg"]}

    assert library_folder(record) == "/x/lib"
    assert library_folder({"shot": "a.jpg", "files": ["/x/b.jpg"]}) == ""
    assert library_folder({"shot": "a.jpg"}) == ""
