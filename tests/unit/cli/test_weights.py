from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from focuskit.detect import DETECTORS, is_ready
from focuskit.detect.weights import WEIGHTS_VARIABLE, find_weights
from tests.scenes import SAMPLES
from tests.unit.cli.conftest import Run

PHOTO = SAMPLES / "IMG_0001.jpg"


@pytest.fixture
def exported(inside: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "exported"
    answer = inside("weights", "export", "gauge", "--output", folder)
    assert answer.returncode == 0, answer.stderr
    return folder


def test_export_writes_all_forms_checksums_and_a_card(exported: Path) -> None:
    names = {"gauge.onnx", "gauge.safetensors", "gauge.sha256", "gauge.md"}

    assert {path.name for path in exported.iterdir()} == names
    for line in (exported / "gauge.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == digest
    card = (exported / "gauge.md").read_text("utf-8")
    for key, value in find_weights("gauge").facts["recipe"].items():
        assert f"| {key} | {value} |" in card


def test_what_is_there_is_replaced_only_if_asked(inside: Run, exported: Path) -> None:
    (exported / "gauge.md").write_text("mine")
    again = inside("weights", "export", "gauge", "-o", exported)
    kept = (exported / "gauge.md").read_text()
    replaced = inside("weights", "export", "gauge", "-o", exported, "--overwrite")

    assert again.returncode == 1
    assert "--overwrite" in again.stderr
    assert kept == "mine"
    assert replaced.returncode == 0
    assert (exported / "gauge.md").read_text().startswith("# gauge")


def test_weights_of_a_run_are_exported_by_its_folder(inside: Run, tmp_path: Path) -> None:
    weights = find_weights("gauge")
    folder = tmp_path / "run" / "weights"
    folder.mkdir(parents=True)
    data = weights.files["safetensors"].read_bytes()
    (folder / "better.safetensors").write_bytes(data)
    stored = {"file": "better.safetensors", "sha256": hashlib.sha256(data).hexdigest()}
    index = {"weights": {"better": {**weights.facts, "files": {"safetensors": stored}}}}
    (folder / "index.json").write_text(json.dumps(index))

    answer = inside("weights", "export", "better", "--run", tmp_path / "run", "-o", tmp_path / "o")

    assert answer.returncode == 0, answer.stderr
    names = {"better.safetensors", "better.sha256", "better.md"}
    assert {path.name for path in (tmp_path / "o").iterdir()} == names


def test_an_unknown_name_is_refused(inside: Run, tmp_path: Path) -> None:
    answer = inside("weights", "export", "nosuch", "-o", tmp_path / "o")

    assert answer.returncode == 1
    assert "no weights called 'nosuch'" in answer.stderr
    assert not (tmp_path / "o").exists()


def test_info_tells_what_a_file_says_of_itself(inside: Run, exported: Path) -> None:
    path = exported / "gauge.safetensors"
    answer = inside("weights", "info", path, "--format", "json")

    (record,) = json.loads(answer.stdout)
    assert (record["kind"], record["version"]) == ("gauge", 1)
    assert record["bytes"] == path.stat().st_size
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["parameters"] == find_weights("gauge").parameters
    table = inside("weights", "info", path).stdout
    assert "recipe.steps" in table


def test_info_says_that_others_wrote_a_file(inside: Run) -> None:
    answer = inside("weights", "info", find_weights("gauge").files["safetensors"])

    assert answer.returncode == 0
    assert "parameters" in answer.stdout


def test_detect_refuses_weights_of_another_network_before_any_photo(
    inside: Run, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, "")
    arguments = ("detect", PHOTO, "-o", tmp_path / "maps", "--weights")
    wrong = inside(*arguments, exported / "gauge.safetensors")
    none = inside(*arguments, exported / "gauge.safetensors", "--detector", "lbp")

    assert wrong.returncode == 1
    assert "another architecture than focusnet; keys that differ" in wrong.stderr
    assert none.returncode == 2
    assert "lbp runs no network" in none.stderr
    assert not (tmp_path / "maps").exists()


def test_names_tell_paper_size_and_figure_of_detectors(inside: Run) -> None:
    rows = json.loads(inside("names", "--format", "json").stdout)
    table = inside("names").stdout

    found = {row["name"]: row for row in rows if row["kind"] == "detector"}
    assert set(found) == {row.name for row in DETECTORS}
    for row in DETECTORS:
        networks = getattr(DETECTORS.get(row.name), "networks", ())
        known = found[row.name]
        assert known["paper"] == (row.paper or None)
        if networks and is_ready(row.name):
            weights = find_weights(networks[0])
            assert known["parameters"] == weights.parameters
            assert known["f_max"] == weights.facts["validation"]["f_max"]
            assert f"F_max {known['f_max']:.3f}" in table
        else:
            assert known["parameters"] is None
