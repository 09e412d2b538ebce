"""`focuskit cull --write-xmp`, `cull apply` and `cull undo`, end to end."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from focuskit.batch.results import read_results
from focuskit.cli import app
from focuskit.errors import FocuskitError
from focuskit.io.marks import Marks
from focuskit.io.sidecar import Note, merged_sidecar
from focuskit.io.xmp import MOST_BYTES, Packet
from tests.scenes import SAMPLES, blurred, later
from tests.unit.batch.test_acting import tree
from tests.unit.cli.conftest import Run

RATED = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/></rdf:RDF></x:xmpmeta>"""


@pytest.fixture
def library(
    tmp_path: Path,
    save_jpeg: Callable[..., Path],
    scene: NDArray[np.float32],
    moment: datetime,
) -> Path:
    """A keeper, and a burst of a keeper and a reject."""
    folder = tmp_path / "library"
    small = scene[:240, :320]
    save_jpeg("single.jpg", small[:, ::-1], taken_at=moment, folder=folder)
    burst = later(moment, 600)
    save_jpeg("burst/1.jpg", small, taken_at=burst, folder=folder)
    save_jpeg("burst/2.jpg", blurred(small, 9), taken_at=later(burst, 0.3), folder=folder)
    return folder


def records_of(output: Path) -> dict[str, dict[str, object]]:
    lines = (output / "focuskit-cull.jsonl").read_text().splitlines()
    return {record["shot"]: record for record in map(json.loads, lines)}


def test_samples_marked_sorted_and_undone_twice_are_as_they_were(
    focuskit: Run, inside: Run, tmp_path: Path
) -> None:
    library, out = tmp_path / "samples", tmp_path / "out"
    shutil.copytree(SAMPLES, library)
    (library / os.fsdecode(b"\xff\n.jpg")).write_bytes((SAMPLES / "IMG_0001.jpg").read_bytes())
    (library / "IMG_0010.jpg.xmp").write_text(RATED)
    before = tree(library)

    culled = focuskit("cull", library, "-o", out, "--write-xmp", "--sidecar", "both")
    marked = tree(library)
    plan = inside("cull", "apply", out, "--keepers", tmp_path / "k", "--rejects", tmp_path / "r")
    planned = tree(library)
    applied = inside(
        "cull", "apply", out, "--keepers", tmp_path / "k", "--rejects", library / "r", "--yes"
    )
    sorted_in, kept = tree(library), tree(tmp_path / "k")
    early = inside("cull", "undo", out / "focuskit-undo-001.jsonl")
    first = inside("cull", "undo", out)
    again = tree(library)
    second = inside("cull", "undo", out)
    third = inside("cull", "undo", out)

    assert culled.returncode == 0, culled.stderr
    assert "focuskit cull undo" in culled.stderr
    assert len(marked) == len(before) + 26 + 25 + 1
    assert (plan.returncode, applied.returncode) == (0, 0), applied.stderr
    assert "repeat with --yes" in plan.stderr
    assert planned == marked
    assert b"r/IMG_0012.jpg" in sorted_in
    assert b"r/IMG_0012.jpg.xmp" in sorted_in
    assert b"IMG_0001.jpg" not in sorted_in
    pair = {b"IMG_0030.dng", b"IMG_0030.jpg", b"IMG_0030.dng.xmp", b"IMG_0030.jpg.xmp"}
    assert pair | {b"IMG_0030.xmp"} <= set(kept)
    assert early.returncode == 3
    assert "Undo what was done later first" in early.stderr
    assert (first.returncode, second.returncode, third.returncode) == (0, 0, 1), second.stderr
    assert set(again) <= set(marked)
    assert "nothing to undo" in third.stderr
    assert tree(library) == before
    assert not (tmp_path / "k").exists()
    assert not (library / "r").exists()


def test_what_you_rated_stays_and_what_is_said_already_is_not_rewritten(
    focuskit: Run, library: Path, tmp_path: Path
) -> None:
    (library / "burst" / "2.jpg.xmp").write_text(RATED)

    focuskit("cull", library, "-o", tmp_path / "out", "--write-xmp")

    found = records_of(tmp_path / "out")["burst/2.jpg"]
    packet = Packet((library / "burst" / "2.jpg.xmp").read_bytes(), "x")
    assert found["verdict"] == "reject"
    assert {"code": "rated-by-you", "text": "Rated by you: 5 of 5 stars (2.jpg.xmp)."} in found[
        "reasons"
    ]  # type: ignore[operator]
    assert packet.value("xmp:Rating") == "5"
    assert packet.value("focuskit:Verdict") == "reject"
    before = tree(library)
    again = focuskit("cull", library, "-o", tmp_path / "out", "--write-xmp", "--overwrite-ratings")

    # What was said already is not rewritten.
    assert "0 new, 1 changed, 2 as they were" in again.stderr
    after = tree(library)
    assert {key for key in after if after[key] != before[key]} == {b"burst/2.jpg.xmp"}
    packet = Packet((library / "burst" / "2.jpg.xmp").read_bytes(), "x")
    assert packet.value("xmp:Rating") == "-1"


def test_sidecars_that_cannot_be_merged_into_are_named_and_the_others_done(
    focuskit: Run, library: Path, tmp_path: Path
) -> None:
    for name in "abc":
        shutil.copy(library / "single.jpg", library / f"{name}.jpg")
    (library / "single.xmp").write_text("<x:xmpmeta")
    (library / "a.xmp").write_text('<!DOCTYPE a [<!ENTITY b SYSTEM "/etc/passwd">]><a>&b;</a>')
    (library / "b.xmp").write_bytes(
        merged_sidecar(None, Note("keeper", (), {}), "x", marks=Marks())
    )
    (library / "b.xmp").chmod(0o444)
    with (library / "c.xmp").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    before = tree(library)

    answer = focuskit("cull", library, "-o", tmp_path / "out", "--write-xmp")

    assert answer.returncode == 3
    assert "2 new, 0 changed, 0 as they were, 4 refused" in answer.stderr
    for name, why in (
        ("single", "well-formed"),
        ("a", "entities"),
        ("b", "read-only"),
        ("c", "MB"),
    ):
        (line,) = [line for line in answer.stderr.splitlines() if line.startswith(f"{name}.jpg:")]
        assert why in line
    after = tree(library)
    assert {key: after[key] for key in before} == before
    assert set(after) - set(before) == {b"burst/1.jpg.xmp", b"burst/2.jpg.xmp"}
    codes = [reason["code"] for reason in records_of(tmp_path / "out")["single.jpg"]["reasons"]]  # type: ignore[attr-defined]
    assert "sidecar-unreadable" in codes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cull", ".", "--sidecar", "both"], "--write-xmp"),
        (["cull", ".", "--overwrite-ratings"], "--write-xmp"),
        (["cull", "apply", "."], "--keepers FOLDER"),
        (["cull", "apply", ".", "--keepers", "x", "--rejects", "./x"], "same folder"),
        (["cull", "apply", ".", "--keepers", "x", "--copy", "--link", "sym"], "exclude each other"),
        (["cull", "apply", ".", "--keepers", "x"], "no results"),
        (["cull", "undo", "."], "nothing to undo"),
        (["cull", "undo", "none"], "does not exist"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)

    answer = CliRunner().invoke(app, arguments)

    assert isinstance(answer.exception, FocuskitError)
    assert words in str(answer.exception)


def test_words_are_commands_and_paths_are_libraries(
    focuskit: Run, library: Path, tmp_path: Path
) -> None:
    library.rename(tmp_path / "apply")

    answer = focuskit("cull", "./apply", "--format", "jsonl", "-o", "../out", cwd=tmp_path)

    assert answer.returncode == 0, answer.stderr
    (tmp_path / "printed.jsonl").write_text(answer.stdout)
    printed, written = (
        {record["shot"]: record["verdict"] for record in read_results(path)}
        for path in (tmp_path / "printed.jsonl", tmp_path.parent / "out")
    )
    assert printed == written
    assert len(read_results(tmp_path / "printed.jsonl")) == len(printed) == 3
    for word in ("apply", "undo"):
        told = CliRunner().invoke(app, ["cull", word, "--help"])
        assert told.exit_code == 0
        assert f"focuskit cull {word} [OPTIONS]" in told.stdout.replace("root", "focuskit")


def test_links_leave_the_library_alone(inside: Run, library: Path, tmp_path: Path) -> None:
    file = library / "burst" / "2.jpg"
    state = file.stat()
    reject = {"shot": "burst/2.jpg", "verdict": "reject", "files": [str(file)]}
    reject["stats"] = [[state.st_size, state.st_mtime_ns]]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "focuskit-cull.jsonl").write_text(json.dumps(reject) + "\n")
    before = tree(library)
    target = tmp_path / "links"
    options = ["--rejects", target, "--link", "sym", "--yes"]

    answer = inside("cull", "apply", tmp_path / "out" / "focuskit-cull.jsonl", *options)

    assert answer.returncode == 0, answer.stderr
    assert os.readlink(target / "burst" / "2.jpg") == str(library / "burst" / "2.jpg")
    assert tree(library) == before
    assert inside("cull", "undo", tmp_path / "out").returncode == 0
    assert not target.exists()
