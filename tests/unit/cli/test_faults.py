"""Faults that once took a whole run down, or were told wrongly."""

from __future__ import annotations

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


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    shutil.copy(SAMPLES / "IMG_0042.jpg", folder / "good.jpg")
    return folder


def _records(text: str) -> dict[str, dict[str, object]]:
    return {record["shot"]: record for record in map(json.loads, text.splitlines())}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_pipes_and_devices_are_no_photos(focuskit: Run, library: Path) -> None:
    os.mkfifo(library / "pipe.jpg")
    (library / "zero.jpg").symlink_to("/dev/zero")

    answer = focuskit("score", library, "-f", "jsonl")

    assert answer.returncode == 3
    assert set(_records(answer.stdout)) == {"good.jpg", "pipe.jpg", "zero.jpg"}
    assert answer.stderr.count("is no regular file") == 2


@pytest.mark.parametrize("kind", ["one-bit", "checkerboard", "noise16"])
def test_extreme_texture_is_a_photo_like_any_other(focuskit: Run, library: Path, kind: str) -> None:
    rng = np.random.default_rng(1)
    pictures = {
        "one-bit": Image.fromarray(rng.random((300, 400)) > 0.5),
        "checkerboard": Image.fromarray(((np.indices((300, 400)).sum(0) % 2) * 255).astype("u1")),
        "noise16": Image.fromarray(rng.integers(0, 65535, (300, 400), dtype=np.uint16)),
    }
    pictures[kind].save(library / "extreme.png")

    for detector in ("lbp", "reblur"):
        assert focuskit("score", library, "-d", detector).returncode == 0


def test_any_compression_of_tiff_is_read_or_named(focuskit: Run, library: Path) -> None:
    picture = Image.open(SAMPLES / "IMG_0042.jpg")
    for compression in ("zstd", "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "lzma"):
        picture.save(library / f"{compression}.tif", compression=compression)

    answer = focuskit("score", library, "-f", "jsonl")

    records = _records(answer.stdout)
    assert "Traceback" not in answer.stderr
    assert "this is a bug" not in answer.stderr
    assert len(records) == 7
    for name in ("good.jpg", "tiff_lzw.tif", "tiff_deflate.tif", "packbits.tif"):
        assert records[name]["verdict"] is None, records[name]


def test_a_cut_off_raw_is_called_that(focuskit: Run, library: Path) -> None:
    whole = (SAMPLES / "IMG_0030.dng").read_bytes()
    for percent in (30, 90, 99):
        (library / f"{percent}.dng").write_bytes(whole[: len(whole) * percent // 100])

    answer = focuskit("score", library)

    assert answer.returncode == 3
    assert answer.stderr.count("truncated RAW") == 3


def test_one_wrong_path_does_not_stop_the_others(focuskit: Run, library: Path) -> None:
    answer = focuskit("score", library / "good.jpg", library / "nowhere.jpg", "-f", "jsonl")

    assert answer.returncode == 3
    assert len(_records(answer.stdout)) == 2
    assert "nowhere.jpg does not exist" in answer.stderr


def test_names_cannot_command_the_terminal(focuskit: Run, library: Path) -> None:
    (library / "a\x1b[31m\nb.jpg").write_bytes(b"")

    answer = focuskit("score", library)

    assert answer.returncode == 3
    assert "\x1b" not in answer.stdout + answer.stderr
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize("limit", ["abc", "nan", "-3"])
def test_a_wrong_limit_is_said_once_before_the_work(
    focuskit: Run, library: Path, limit: str
) -> None:
    answer = focuskit("score", library, FOCUSKIT_MAX_MEGAPIXELS=limit)

    assert answer.returncode == 1
    assert answer.stderr.count("FOCUSKIT_MAX_MEGAPIXELS must be a number") == 1
    assert answer.stdout == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_stdout_is_a_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [COMMAND, "names"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert "could not be written" in answer.stderr


def test_a_closed_stderr_is_no_fault(library: Path) -> None:
    answer = subprocess.run(
        f'"{COMMAND}" score "{library}" 2>&-', shell=True, capture_output=True, check=False
    )

    assert answer.returncode == 0
    assert b"good.jpg" in answer.stdout


_SHOW_DESCRIPTORS = """
import os, subprocess, sys
from focuskit.cli import main

sys.argv = ["focuskit", "--version"]
try:
    main()
finally:
    null = os.stat(os.devnull).st_rdev
    print([os.fstat(each).st_rdev == null for each in (0, 2)], flush=True)
    subprocess.run(["sh", "-c", "echo fine >&2 && echo fine"], close_fds=True)
"""


def test_no_socket_can_become_a_closed_standard_descriptor() -> None:
    answer = subprocess.run(
        f"'{sys.executable}' -c '{_SHOW_DESCRIPTORS}' 0<&- 2>&-",
        shell=True,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert answer.stdout.splitlines()[1:] == ["[True, True]", "fine"]


def test_files_of_one_press_are_one_shot(focuskit: Run, library: Path) -> None:
    shutil.copy(SAMPLES / "IMG_0030.dng", library / "x.dng")
    shutil.copy(SAMPLES / "IMG_0030.jpg", library / "x.JPG")
    shutil.copy(SAMPLES / "IMG_0030.jpg", library / "x.hif")

    records = _records(focuskit("score", library, "-f", "jsonl").stdout)

    assert set(records) == {"good.jpg", "x.JPG"}
    assert len(records["x.JPG"]["files"]) == 3  # type: ignore[arg-type]


def test_a_damaged_jpeg_does_not_hide_its_raw(focuskit: Run, library: Path, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "IMG_0030.dng", library / "x.dng")
    (library / "x.jpg").write_bytes((SAMPLES / "IMG_0030.jpg").read_bytes()[:50_000])

    answer = focuskit("cull", library, "-o", tmp_path / "out", "-f", "jsonl")

    record = _records(answer.stdout)["x.jpg"]
    assert answer.returncode == 0
    assert record["verdict"] == "keeper"
    assert "partner-unreadable" in {each["code"] for each in record["reasons"]}  # type: ignore[attr-defined]


def test_foreign_files_among_the_pictures_are_left_alone(
    focuskit: Run, library: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "out" / "focuskit-cull-pictures"
    pictures.mkdir(parents=True)
    (pictures / "mine.txt").write_text("mine")
    (pictures / "0123456789abcdef-photo.jpg").write_bytes(b"of an earlier run")

    answer = focuskit("cull", library, "-o", tmp_path / "out")

    assert answer.returncode == 0
    assert (pictures / "mine.txt").read_text() == "mine"
    assert not (pictures / "0123456789abcdef-photo.jpg").exists()


def test_a_score_recipe_refuses_an_output_folder(focuskit: Run, library: Path) -> None:
    answer = focuskit("run", "score", library, "-o", library.parent / "out")

    assert answer.returncode == 1
    assert "leave out --output" in answer.stderr
