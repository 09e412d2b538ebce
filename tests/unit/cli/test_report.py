"""`focuskit report`, and what `focuskit cull apply` makes of decisions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest

from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.batch.choices import Identity
from focuskit.batch.journal import Journal
from tests.unit.cli.conftest import Run, results_in
from tests.unit.review.records import failed_record, judged_record, write_records

Record = dict[str, Any]


@pytest.fixture
def culled(tmp_path: Path) -> Path:
    """Results of a library of five shots, of which one failed."""
    library, out = tmp_path / "lib", tmp_path / "out"
    (library / "day 1").mkdir(parents=True)
    out.mkdir()
    records = []
    for number, verdict in enumerate(("keeper", "keeper", "reject", "cant-tell")):
        name = f"day 1/{number}.jpg"
        file = library / name
        file.write_bytes(b"%d" % number * 100)
        state = file.stat()
        record = judged_record(number, Random(number), verdict=verdict)
        record |= {"shot": name, "files": [str(file)]}
        record["stats"] = [[state.st_size, state.st_mtime_ns]]
        records.append(record)
    write_records(out, [*records, failed_record("day 1/4.jpg")])
    return out


def decide(folder: Path, library: str = "lib", **picks: str | None) -> Path:
    file = folder / "decisions.json"
    decisions = [
        {"shot": f"day 1/{name.lstrip('_')}.jpg", "pick": pick, "stars": None, "label": None}
        for name, pick in picks.items()
    ]
    document = {"focuskit": "decisions", "version": 1, "library": library, "decisions": decisions}
    file.write_text(json.dumps(document))
    return file


def test_a_page_is_written_beside_the_results_and_its_size_told(inside: Run, culled: Path) -> None:
    answer = inside("report", culled)

    assert answer.returncode == 0, answer.stderr
    assert results_in(culled) == ["focuskit-cull.jsonl", "focuskit-report.html"]
    assert "5 shots, 0." in answer.stderr
    assert "4 of the shots shown have no picture" in answer.stderr
    assert answer.stdout == ""


def test_a_page_goes_where_it_is_asked_to_and_replaces_nothing_unasked(
    inside: Run, culled: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    options = ["-o", page, "--title", "Sardinia & <more>", "--best", "1"]

    first = inside("report", culled / "focuskit-cull.jsonl", *options)
    written = page.read_bytes()
    second = inside("report", culled, "-o", page)
    kept = page.read_bytes()
    third = inside("report", culled, "-o", page, "--overwrite")

    assert [first.returncode, second.returncode, third.returncode] == [0, 1, 0]
    assert "Sardinia &amp; &lt;more&gt;" in written.decode()
    assert "--overwrite" in second.stderr
    assert kept == written
    assert page.read_bytes() != written


def test_no_results_and_empty_results_are_told_apart(
    inside: Run, culled: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    missing = inside("report", tmp_path / "empty")
    (tmp_path / "empty" / "focuskit-cull.jsonl").write_text("")
    empty = inside("report", tmp_path / "empty")

    assert (missing.returncode, empty.returncode) == (1, 4)
    assert "focuskit cull LIBRARY" in missing.stderr
    assert results_in(tmp_path / "empty") == ["focuskit-cull.jsonl"]


def test_decisions_count_instead_of_verdicts(inside: Run, culled: Path, tmp_path: Path) -> None:
    file = decide(tmp_path, _0="reject", _1="unset", _2="keeper", _3=None)
    folders = ["--keepers", tmp_path / "k", "--rejects", tmp_path / "r"]

    plan = inside(
        "cull", "apply", culled, "--decisions", file, *folders, "--dry-run", "--format", "json"
    )
    untouched = results_in(tmp_path / "lib")
    done = inside("cull", "apply", culled, "--decisions", file, *folders, "--yes")

    assert (plan.returncode, done.returncode) == (0, 0), done.stderr
    assert {row["shot"]: (row["verdict"], row["by"]) for row in json.loads(plan.stdout)} == {
        "day 1/0.jpg": ("reject", "you"),
        "day 1/2.jpg": ("keeper", "you"),
    }
    assert "3 of 4 used" in plan.stderr
    assert len(untouched) == 4
    assert results_in(tmp_path / "k") == [os.path.join("day 1", "2.jpg")]
    assert results_in(tmp_path / "r") == [os.path.join("day 1", "0.jpg")]
    back = inside("cull", "undo", culled)
    assert back.returncode == 0
    assert results_in(tmp_path / "lib") == untouched


def test_what_decisions_cannot_do_is_said_and_the_rest_is_done(
    inside: Run, culled: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "lib" / "day 1" / "1.jpg"
    changed.write_bytes(b"edited meanwhile")
    file = decide(tmp_path, "other", _0="reject", _1="reject", _4="keeper", _9="reject")

    answer = inside(
        "cull", "apply", culled, "--decisions", file, "--rejects", tmp_path / "r", "--yes"
    )

    assert answer.returncode == 3
    lines = answer.stderr.splitlines()
    for name, words in (
        ("1", "changed since the cull"),
        ("4", "could not read it"),
        ("9", "no such shot"),
    ):
        (line,) = [line for line in lines if line.startswith(f"day 1/{name}.jpg:")]
        assert words in line
    assert "about other, and the results about lib" in answer.stderr
    assert len(results_in(tmp_path / "r")) == 2


def test_to_do_and_not_to_do_it_exclude_each_other(inside: Run, culled: Path) -> None:
    answer = inside("cull", "apply", culled, "--rejects", "r", "--yes", "--dry-run")

    assert answer.returncode == 1
    assert "exclude each other" in answer.stderr


def test_what_was_picked_in_the_review_since_counts(inside: Run, culled: Path) -> None:
    file = str(culled.parent / "lib" / "day 1" / "2.jpg")
    with Catalog.open(culled / CATALOG_NAME):
        pass
    journal = Journal.open(culled / CATALOG_NAME)
    synced = journal.sync([Identity("day 1/2.jpg", file, "", "")])
    journal.change({synced.ids["day 1/2.jpg"]: {"pick": "keeper"}}, "keep it", "test")
    journal.close()

    answer = inside("report", culled)

    assert answer.returncode == 0, answer.stderr
    page = (culled / "focuskit-report.html").read_text(encoding="utf-8")
    assert "1 decision of yours counted in" in page
    assert page.count('class="tile keeper"') == 3
    assert page.count('class="tile reject"') == 0
