"""`focuskit catalog` on what a real cull left behind."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.scenes import SAMPLES
from tests.unit.cli.conftest import Run

NAMES = ("IMG_0001.jpg", "IMG_0010.jpg", "IMG_0020.jpg")


@pytest.fixture(scope="module")
def culled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library and the output of its cull, for tests that change neither."""
    folder = tmp_path_factory.mktemp("culled")
    command = Path(sys.executable).parent / "focuskit"
    library = make_library(folder / "library")
    subprocess.run(
        [command, "cull", library, "-o", folder / "out"], capture_output=True, check=False
    )
    return folder / "out"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return make_library(tmp_path / "library")


def make_library(folder: Path) -> Path:
    folder.mkdir()
    for name in NAMES:
        shutil.copy(SAMPLES / name, folder / name)
    (folder / "broken.jpg").write_bytes((SAMPLES / "IMG_0001.jpg").read_bytes()[:5000])
    return folder


@pytest.fixture
def out(focuskit: Run, library: Path, tmp_path: Path) -> Path:
    assert focuskit("cull", library, "-o", tmp_path / "out").returncode == 3
    return tmp_path / "out"


def test_info_counts_what_is_done_and_what_failed(inside: Run, culled: Path) -> None:
    rows = json.loads(inside("catalog", "info", culled, "-f", "json").stdout)

    counts = {(row["step"], row["state"]): row["shots"] for row in rows}
    assert counts[("judge", "done")] == 3
    assert counts[("judge", "failed")] == 1
    assert counts[("cull", "done")] == 3
    # Looking leaves nothing of SQLite's behind.
    assert not list(culled.glob("focuskit.catalog-*"))


def test_exports_hold_the_verdicts_of_the_run(inside: Run, culled: Path, tmp_path: Path) -> None:
    told = [json.loads(line) for line in (culled / "focuskit-cull.jsonl").read_text().splitlines()]
    verdicts = {record["shot"]: record["verdict"] for record in told if "score" in record}

    lines = inside("catalog", "export", culled, "-f", "jsonl").stdout.splitlines()
    table = list(csv.DictReader(io.StringIO(inside("catalog", "export", culled).stdout)))
    target = tmp_path / "verdicts.parquet"
    assert inside("catalog", "export", culled, "-f", "parquet", "-o", target).returncode == 0
    columns = pyarrow.parquet.read_table(target).to_pydict()

    assert {each["shot"]: each["verdict"] for each in map(json.loads, lines)} == verdicts
    assert {each["shot"]: each["verdict"] for each in table} == verdicts
    assert dict(zip(columns["shot"], columns["verdict"], strict=True)) == verdicts
    assert all(float(each["edge_width"]) > 0 for each in table)
    again = inside("catalog", "export", culled, "-f", "parquet", "-o", target)
    assert again.returncode == 1
    assert "exists already" in again.stderr


def test_the_measures_are_exported_too(inside: Run, culled: Path) -> None:
    text = inside("catalog", "export", culled, "--step", "judge").stdout
    table = {each["shot"]: each for each in csv.DictReader(io.StringIO(text))}

    assert set(table) == {*NAMES, "broken.jpg"}
    assert float(table["IMG_0001.jpg"]["measures.values.edge_width"]) > 0
    assert "broken.jpg" in table["broken.jpg"]["problem"]
    assert table["broken.jpg"]["state"] == "failed"


def test_an_unknown_step_names_those_there_are(inside: Run, culled: Path) -> None:
    answer = inside("catalog", "export", culled, "--step", "jugde")

    assert answer.returncode == 1
    assert "it has cull, judge" in answer.stderr


def test_gc_forgets_only_what_is_gone_and_only_with_yes(
    focuskit: Run, library: Path, out: Path
) -> None:
    (library / "IMG_0010.jpg").unlink()

    shown = focuskit("catalog", "gc", out)
    before = focuskit("catalog", "export", out, "-f", "jsonl").stdout
    done = focuskit("catalog", "gc", out, "--yes")
    after = focuskit("catalog", "export", out, "-f", "jsonl").stdout

    assert shown.stdout.split() == done.stdout.split() == ["IMG_0010.jpg"]
    assert "IMG_0010.jpg" in before
    assert "IMG_0010.jpg" not in after
    assert {json.loads(line)["shot"] for line in after.splitlines()} == {*NAMES} - {"IMG_0010.jpg"}


def test_verify_names_what_changed_and_what_is_missing(
    focuskit: Run, library: Path, out: Path
) -> None:
    assert focuskit("catalog", "verify", out).returncode == 0
    (library / "IMG_0001.jpg").write_bytes((SAMPLES / "IMG_0011.jpg").read_bytes())
    (library / "IMG_0020.jpg").unlink()

    answer = focuskit("catalog", "verify", out, "-f", "json")

    assert answer.returncode == 3
    found = {(row["shot"], row["state"]) for row in json.loads(answer.stdout)}
    assert found == {("IMG_0001.jpg", "changed"), ("IMG_0020.jpg", "missing")}


def test_a_folder_without_a_catalog_is_a_sentence(focuskit: Run, tmp_path: Path) -> None:
    for command in ("info", "export", "gc", "verify"):
        answer = focuskit("catalog", command, tmp_path)
        assert answer.returncode == 1
        assert "There is no catalog at" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_a_dry_run_tells_what_is_left_and_does_nothing(
    focuskit: Run, library: Path, out: Path, tmp_path: Path
) -> None:
    shutil.copy(SAMPLES / "IMG_0011.jpg", library / "new.jpg")
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*.jpg")}

    first = focuskit("cull", library, "-o", tmp_path / "none", "--dry-run", "-f", "json")
    again = focuskit("cull", library, "-o", out, "--dry-run", "-f", "json")

    assert {row["would"] for row in json.loads(first.stdout)} == {"judge"}
    would = {row["shot"]: row["would"] for row in json.loads(again.stdout)}
    assert would == dict.fromkeys([*NAMES, "broken.jpg"], "know") | {"new.jpg": "judge"}
    assert first.returncode == again.returncode == 0
    assert not (tmp_path / "none").exists()
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.jpg")} == before
