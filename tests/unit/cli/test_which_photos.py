"""Which photos a command looks at, and where its results go."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.scenes import SAMPLES
from tests.unit.cli.conftest import Run

COMMAND = Path(sys.executable).parent / "focuskit"
WRITING = [
    ("detect",),
    ("magnify", "--factor", "3"),
    ("bokeh", "--strength", "5"),
    ("refocus", "--plane-coc", "3"),
    ("deblur",),
]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two files of one name in two folders, and a third whose stem is the same."""
    folder = tmp_path / "library"
    for name in ("a/1.jpg", "b/1.jpg"):
        (folder / name).parent.mkdir(parents=True)
    shutil.copy(SAMPLES / "IMG_0001.jpg", folder / "a" / "1.jpg")
    shutil.copy(SAMPLES / "IMG_0020.jpg", folder / "b" / "1.jpg")
    Image.open(SAMPLES / "IMG_0050.jpg").resize((300, 200)).save(folder / "a" / "1.png")
    return folder


def _shots(text: str) -> list[str]:
    return [json.loads(line)["shot"] for line in text.splitlines()]


def test_patterns_that_no_shell_expanded_are_expanded(focuskit: Run, library: Path) -> None:
    answer = focuskit("score", f"{library}/*/*.jpg", "-d", "lbp", "-f", "jsonl")

    assert answer.returncode == 0, answer.stderr
    assert _shots(answer.stdout) == ["a/1.jpg", "b/1.jpg"]


def test_a_pattern_without_match_is_nothing_matched(focuskit: Run, library: Path) -> None:
    answer = focuskit("cull", f"{library}/**/*.nef")

    assert answer.returncode == 4
    assert answer.stderr == f"No photos in {library}/**/*.nef.\n"


def test_lists_come_from_files_and_from_standard_input(focuskit: Run, library: Path) -> None:
    listed = f"{library}/a/1.jpg\0{library}/nowhere.jpg\0"
    (library.parent / "list").write_text(listed)
    from_file = focuskit(
        "score", "--files-from", library.parent / "list", "-d", "lbp", "-f", "jsonl"
    )
    from_input = subprocess.run(
        [COMMAND, "score", "--files-from", "-", "-d", "lbp", "-f", "jsonl"],
        input=listed,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    for answer in (from_file, from_input):
        assert answer.returncode == 3
        assert _shots(answer.stdout) == ["1.jpg", f"{library}/nowhere.jpg"]
        assert "nowhere.jpg does not exist" in answer.stderr


def test_a_list_is_relative_to_the_current_folder(focuskit: Run, library: Path) -> None:
    (library.parent / "list").write_text("b\n")

    answer = focuskit(
        "score", "--files-from", library.parent / "list", "-d", "lbp", "-f", "jsonl", cwd=library
    )

    assert (answer.returncode, _shots(answer.stdout)) == (0, ["1.jpg"])


def test_an_empty_list_is_nothing_matched(focuskit: Run, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\n\n")

    answer = focuskit("cull", "--files-from", tmp_path / "list")

    assert answer.returncode == 4
    assert answer.stderr == "No photos in the list.\n"


def test_neither_photos_nor_a_list_is_wrong_usage(focuskit: Run) -> None:
    for command in ("cull", "score", "detect", "magnify"):
        answer = focuskit(command)
        assert answer.returncode == 2
        assert "say which photos" in answer.stderr


def test_only_so_many_and_only_young_ones(focuskit: Run, library: Path) -> None:
    os.utime(library / "a" / "1.png", (0, 0))
    limited = focuskit("score", library, "--limit", "2", "-d", "lbp", "-f", "jsonl")
    young = focuskit("score", library / "a", "--since", "1971-01-01", "-d", "lbp", "-f", "jsonl")

    assert _shots(limited.stdout) == ["a/1.jpg", "a/1.png"]
    assert _shots(young.stdout) == ["1.jpg"]


def test_nothing_young_enough_is_nothing_matched(focuskit: Run, library: Path) -> None:
    os.utime(library / "a" / "1.png", (0, 0))

    answer = focuskit("score", library / "a" / "1.png", "--since", "2020-01-01")

    assert answer.returncode == 4
    assert "since 2020-01-01 00:00, 1 older" in answer.stderr


def test_what_is_no_date_is_wrong_usage(focuskit: Run, library: Path) -> None:
    answer = focuskit("score", library, "--since", "some day")

    assert answer.returncode == 2
    assert "is no moment; write a date such as 2026-11-01" in answer.stderr


def test_results_may_not_lie_where_the_next_run_looks_for_photos(
    focuskit: Run, library: Path
) -> None:
    (library.parent / "list").write_text(str(library))
    for which in ([library], [f"{library}/**/*.jpg"], ["--files-from", library.parent / "list"]):
        answer = focuskit("detect", *which, "--output", library / "a" / "out")
        assert answer.returncode == 1
        assert "lies inside the library" in answer.stderr


def test_an_address_without_driver_is_a_sentence(focuskit: Run) -> None:
    if importlib.util.find_spec("s3fs"):
        pytest.skip("s3fs is installed")

    answer = focuskit("cull", "s3://bucket/shoot")

    assert answer.returncode == 1
    assert answer.stderr.startswith("focuskit: s3://bucket/shoot needs a driver for s3")
    assert "`pip install s3fs`" in answer.stderr


@pytest.mark.parametrize("command", WRITING, ids=lambda command: command[0])
def test_no_result_takes_the_place_of_another(
    focuskit: Run, library: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    answer = focuskit(*command, library, "-d", "lbp", "-o", tmp_path / "all", "-f", "jsonl")
    assert answer.returncode == 0, answer.stderr
    together = _written(tmp_path / "all")

    alone = {}
    for name in ("a/1.jpg", "a/1.png", "b/1.jpg"):
        out = tmp_path / name.replace("/", "-")
        assert focuskit(*command, library / name, "-d", "lbp", "-o", out).returncode == 0
        alone[name] = _written(out)

    assert _shots(answer.stdout) == list(alone)
    assert {path.parts[0] for path in together} == {"a", "b"}
    assert sorted(together.values()) == sorted(
        content for written in alone.values() for content in written.values()
    )


def _written(folder: Path) -> dict[Path, bytes]:
    """Return the pictures in a folder; JSON names its shot, which differs."""
    return {
        path.relative_to(folder): np.asarray(Image.open(path)).tobytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".png", ".jpg", ".tif")
    }


def test_culling_keeps_files_of_one_name_apart(
    focuskit: Run, library: Path, tmp_path: Path
) -> None:
    answer = focuskit("cull", library, "-d", "lbp", "-o", tmp_path / "out")

    assert answer.returncode == 0, answer.stderr
    records = _records(tmp_path / "out" / "focuskit-cull.jsonl")
    assert [record["shot"] for record in records] == ["a/1.jpg", "a/1.png", "b/1.jpg"]
    assert len({record["files"][0] for record in records}) == 3
    assert len(list((tmp_path / "out").rglob("*-photo.jpg"))) == 3

    keepers = focuskit(
        "cull", "apply", tmp_path / "out", "--keepers", tmp_path / "k", "--rejects", tmp_path / "r",
        "--copy", "--yes",
    )  # fmt: skip
    assert keepers.returncode == 0, keepers.stderr
    decided = [record for record in records if record["verdict"] in ("keeper", "reject")]
    copied = [path for folder in "kr" for path in (tmp_path / folder).rglob("1.*")]
    assert len(copied) == len(decided)
    assert {path.read_bytes() for path in copied} == {
        Path(record["files"][0]).read_bytes() for record in decided
    }


def _records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
