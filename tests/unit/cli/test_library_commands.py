"""cull, score and detect, on samples and on everything that is wrong with real folders."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.scenes import SAMPLES, blurred, later
from tests.unit.cli.conftest import Run

SaveJpeg = Callable[..., Path]
TRUTH = {
    photo["file"]: photo for photo in tomllib.loads((SAMPLES / "index.toml").read_text())["photo"]
}


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def library(
    tmp_path: Path, save_jpeg: SaveJpeg, scene: NDArray[np.float32], moment: datetime
) -> Path:
    """Two scenes: a sharp single, and a burst of a sharp and a misfocused frame."""
    folder = tmp_path / "library"
    save_jpeg("single.jpg", scene[:, ::-1], taken_at=moment, folder=folder)
    burst = later(moment, 600)
    save_jpeg("burst/1.jpg", scene, taken_at=burst, folder=folder)
    save_jpeg("burst/2.jpg", blurred(scene, 9), taken_at=later(burst, 0.3), folder=folder)
    return folder


def test_culling_the_samples_finds_what_is_wrong_with_each(focuskit: Run, tmp_path: Path) -> None:
    before = _digests(SAMPLES)

    answer = focuskit("cull", SAMPLES, "--output", tmp_path / "out", "--format", "jsonl")

    records = {record["shot"]: record for record in map(json.loads, answer.stdout.splitlines())}
    assert answer.returncode == 0, answer.stderr
    assert _digests(SAMPLES) == before
    assert set(records) == set(TRUTH) - {"IMG_0030.dng"}
    wrong = {
        name: (record["verdict"], [reason["code"] for reason in record["reasons"]])
        for name, record in records.items()
        if record["verdict"] != TRUTH[name]["truth"]
    }
    assert wrong == {}
    for name, record in records.items():
        codes = {reason["code"] for reason in record["reasons"]}
        if TRUTH[name]["reason"] == "motion":
            assert "motion" in codes, name
        if TRUTH[name].get("coc_diameter_px", 0) > 6:
            assert "defocus" in codes, name
        kind = TRUTH[name]["set"].split("-")[0]
        assert (record["set"] or {"kind": ""})["kind"] == kind, name


def test_what_cull_writes_agrees_with_what_it_prints(
    focuskit: Run, library: Path, tmp_path: Path
) -> None:
    answer = focuskit("cull", library, "-o", tmp_path / "out", "--format", "csv")

    written = (tmp_path / "out" / "focuskit-cull.csv").read_text()
    rows = {row["shot"]: row for row in csv.DictReader(written.splitlines())}
    assert answer.stdout == written
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "single.jpg": "keeper",
        "burst/1.jpg": "keeper",
        "burst/2.jpg": "reject",
    }
    assert rows["burst/1.jpg"]["set"] == rows["burst/2.jpg"]["set"] == "burst 1"
    assert rows["burst/1.jpg"]["rank"] == "1"
    assert rows["burst/2.jpg"]["camera"] == "Maker Model"
    lines = (tmp_path / "out" / "focuskit-cull.jsonl").read_text().splitlines()
    assert [json.loads(line)["shot"] for line in lines] == list(rows)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "focuskit-cull-pictures",
        "focuskit-cull.csv",
        "focuskit-cull.html",
        "focuskit-cull.jsonl",
        "focuskit.catalog",
        "focuskit.catalog.lock",
    ]


def test_cull_can_be_repeated(focuskit: Run, library: Path, tmp_path: Path) -> None:
    first = focuskit("cull", library, "-o", tmp_path / "out")
    again = focuskit("cull", library, "-o", tmp_path / "out")

    assert (again.returncode, again.stdout) == (0, first.stdout)


def test_a_repeat_leaves_results_alone_that_are_as_they_should_be(
    focuskit: Run, library: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    results = [out / f"focuskit-cull.{suffix}" for suffix in ("html", "jsonl", "csv")]

    def written() -> list[int]:
        focuskit("cull", library, "-o", out)
        return [result.stat().st_mtime_ns for result in results]

    first = written()
    right = [result.read_bytes() for result in results]
    assert written() == first
    results[2].write_bytes(right[2] + b"edited")
    results[0].unlink()
    assert written() != first
    assert [result.read_bytes() for result in results] == right
    (library / "single.jpg").unlink()
    written()
    assert "single.jpg" not in results[2].read_text(encoding="utf-8-sig")


def test_a_library_larger_than_the_few_goes_to_worker_processes(
    focuskit: Run, library: Path, tmp_path: Path
) -> None:
    for index in range(40):
        shutil.copy(library / "single.jpg", library / f"copy{index:02d}.jpg")
    (library / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")

    answer = focuskit("cull", library, "-o", tmp_path / "out", "--format", "jsonl", "-j", "2")

    told = [json.loads(line) for line in answer.stdout.splitlines()]
    verdicts = [record["verdict"] for record in told if record["final"]]
    assert answer.returncode == 3
    assert len(verdicts) == 44
    # What could be judged was told before, too, while the others were still being looked at.
    assert [record["final"] for record in told] == [False] * 43 + [True] * 44
    assert verdicts.count("failed") == 1
    assert "broken.jpg" in answer.stderr


def test_names_are_text_and_never_markup(focuskit: Run, library: Path, tmp_path: Path) -> None:
    shutil.copy(library / "single.jpg", library / "<script>alert(1)<!--.jpg")
    shutil.copy(library / "single.jpg", library / "=HYPERLINK(1).jpg")

    focuskit("cull", library, "-o", tmp_path / "out")

    page = (tmp_path / "out" / "focuskit-cull.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    table = (tmp_path / "out" / "focuskit-cull.csv").read_text()
    assert "\n'=HYPERLINK(1).jpg" in table


def test_the_page_needs_nothing_from_outside(focuskit: Run, library: Path, tmp_path: Path) -> None:
    focuskit("cull", library, "-o", tmp_path / "out")

    page = (tmp_path / "out" / "focuskit-cull.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3 * 3
    assert "http:" not in page
    assert "https:" not in page
    assert "Sharp: edges are" in page
    assert "Out of focus" in page


def test_score_prints_measures_and_writes_nothing(focuskit: Run, library: Path) -> None:
    answer = focuskit("score", library, "--format", "json")

    records = {record["shot"]: record["measures"] for record in json.loads(answer.stdout)}
    assert answer.returncode == 0
    assert records["burst/1.jpg"]["edge_width"] < records["burst/2.jpg"]["edge_width"]
    assert "edge_width" in focuskit("score", library / "single.jpg").stdout


def test_detect_writes_the_map_the_overlay_and_the_numbers(
    focuskit: Run, library: Path, tmp_path: Path
) -> None:
    out = tmp_path / "maps"

    answer = focuskit("detect", library, "-o", out, "--detector", "reblur", "-f", "json")

    assert answer.returncode == 0, answer.stderr
    records = {record["shot"]: record for record in json.loads(answer.stdout)}
    assert set(records) == {"single.jpg", "burst/1.jpg", "burst/2.jpg"}
    for name, record in records.items():
        probability = cv2.imread(record["map"], cv2.IMREAD_UNCHANGED)
        assert probability.shape == (480, 640)
        assert probability.dtype == np.uint16
        assert cv2.imread(str(out / f"{name}-coc.png"), cv2.IMREAD_UNCHANGED).dtype == np.uint16
        assert cv2.imread(record["overlay"]).shape == (480, 640, 3)
        assert json.loads((out / f"{name}-map.json").read_text()) == record
    assert (
        records["burst/1.jpg"]["coc_diameter_px"]["median"]
        < records["burst/2.jpg"]["coc_diameter_px"]["median"]
    )


def test_detect_overwrites_only_when_told(focuskit: Run, library: Path, tmp_path: Path) -> None:
    photo, out = library / "single.jpg", tmp_path / "maps"
    first = focuskit("detect", photo, "-o", out)
    before = (out / "single.jpg-map.png").stat().st_mtime_ns

    again = focuskit("detect", photo, "-o", out)
    other = focuskit("detect", photo, "-o", out, "--detector", "reblur")
    untouched = (out / "single.jpg-map.png").stat().st_mtime_ns
    told = focuskit("detect", photo, "-o", out, "--detector", "reblur", "--overwrite")

    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert other.returncode == 3
    assert "exists already; add --overwrite" in other.stderr
    assert untouched == before
    assert told.returncode == 0
    assert (out / "single.jpg-map.png").stat().st_mtime_ns != before


def test_detect_goes_on_where_it_stopped(focuskit: Run, library: Path, tmp_path: Path) -> None:
    out = tmp_path / "maps"
    focuskit("detect", library / "burst" / "1.jpg", library / "burst" / "2.jpg", "-o", out)
    before = (out / "1.jpg-map.png").stat().st_mtime_ns

    answer = focuskit("detect", library / "burst", "-o", out)

    assert answer.returncode == 0, answer.stderr
    assert (out / "1.jpg-map.png").stat().st_mtime_ns == before


def _truncated(good: bytes, folder: Path) -> Path:
    return _write(folder / "truncated.jpg", good[: len(good) // 2])


def _empty(good: bytes, folder: Path) -> Path:
    return _write(folder / "empty.jpg", b"")


def _misnamed_text(good: bytes, folder: Path) -> Path:
    return _write(folder / "text.jpg", b"this is not a photo at all, whatever its name says")


def _half_a_raw(good: bytes, folder: Path) -> Path:
    return _write(folder / "half.dng", (SAMPLES / "IMG_0030.dng").read_bytes()[:300_000])


def _nan_tiff(good: bytes, folder: Path) -> Path:
    import tifffile

    picture = np.full((32, 32, 3), 0.5, np.float32)
    picture[3, 4] = np.nan
    tifffile.imwrite(folder / "nan.tif", picture, photometric="rgb")
    return folder / "nan.tif"


def _dangling_link(good: bytes, folder: Path) -> Path:
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    return folder / "gone.jpg"


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


FAULTS = [_truncated, _empty, _misnamed_text, _half_a_raw, _nan_tiff, _dangling_link]


@pytest.mark.parametrize("command", ["cull", "score", "detect"])
def test_bad_files_are_each_named_and_the_rest_is_done(
    focuskit: Run, library: Path, tmp_path: Path, command: str
) -> None:
    good = (library / "single.jpg").read_bytes()
    bad = {fault(good, library).name for fault in FAULTS}
    shutil.copy(library / "single.jpg", library / "größe 東京.jpg")
    (library / "folder.jpg").mkdir()
    output = () if command == "score" else ("-o", tmp_path / "out")

    answer = focuskit(command, library, *output, "--format", "jsonl")

    records = [json.loads(line) for line in answer.stdout.splitlines()]
    failed = {record["shot"] for record in records if record.get("verdict") == "failed"}
    done = {record["shot"] for record in records} - failed
    assert answer.returncode == 3
    assert "Traceback" not in answer.stderr
    assert done == {"single.jpg", "burst/1.jpg", "burst/2.jpg", "größe 東京.jpg"}
    assert command == "detect" or failed == bad
    for name in bad:
        lines = [line for line in answer.stderr.splitlines() if line.startswith(f"{name}: ")]
        assert len(lines) == 1, (name, answer.stderr)
        assert lines[0].endswith(".")


def test_a_photo_above_the_limit_is_refused_and_the_limit_can_be_raised(
    focuskit: Run, library: Path
) -> None:
    photo = library / "single.jpg"

    refused = focuskit("score", photo, "--max-megapixels", "0.1")
    by_variable = focuskit("score", photo, FOCUSKIT_MAX_MEGAPIXELS="0.1")
    allowed = focuskit("score", photo, "--max-megapixels", "1", FOCUSKIT_MAX_MEGAPIXELS="0.1")

    assert (refused.returncode, by_variable.returncode, allowed.returncode) == (3, 3, 0)
    assert "--max-megapixels" in refused.stderr


def test_a_decompression_bomb_is_refused_before_it_is_decoded(
    focuskit: Run, tmp_path: Path
) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 20000, 15000, 8, 2, 0, 0, 0)
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )

    answer = focuskit("score", bomb)

    assert answer.returncode == 3
    assert "300" in answer.stderr
    assert "250" in answer.stderr


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are text there")
@pytest.mark.parametrize("command", ["cull", "detect"])
def test_a_name_that_is_no_text_is_done_too(
    focuskit: Run, library: Path, tmp_path: Path, command: str
) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    shutil.copy(library / "single.jpg", library / name)

    answer = focuskit(command, library, "-o", tmp_path / "out", "-f", "jsonl")

    assert answer.returncode == 0, answer.stderr
    assert name in {json.loads(line)["shot"] for line in answer.stdout.splitlines()}


@pytest.mark.parametrize("command", ["cull", "score", "detect"])
def test_a_folder_with_nothing_in_it_is_exit_code_4(
    focuskit: Run, tmp_path: Path, command: str
) -> None:
    (tmp_path / "nothing").mkdir()

    answer = focuskit(command, tmp_path / "nothing")

    assert answer.returncode == 4
    assert "No photos in" in answer.stderr
    assert answer.stdout == ""


@pytest.mark.parametrize("command", ["cull", "score", "detect"])
def test_a_path_that_is_not_there_is_fatal(focuskit: Run, tmp_path: Path, command: str) -> None:
    answer = focuskit(command, tmp_path / "nowhere")

    assert answer.returncode == 1
    assert "does not exist" in answer.stderr


@pytest.mark.parametrize("command", ["cull", "detect"])
def test_the_output_folder_must_be_a_folder_outside_the_library(
    focuskit: Run, library: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "taken").write_text("a file")

    inside = focuskit(command, library, "-o", library / "out")
    taken = focuskit(command, library, "-o", tmp_path / "taken")
    below = focuskit(command, library, "-o", tmp_path / "taken" / "out")

    assert (inside.returncode, taken.returncode, below.returncode) == (1, 1, 1)
    assert "lies inside the library" in inside.stderr
    assert "is a file, not a folder" in taken.stderr
    assert "cannot be made" in below.stderr
    assert not (library / "out").exists()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder that even root cannot write")
@pytest.mark.parametrize("command", ["cull", "detect"])
def test_a_read_only_output_folder_is_said(focuskit: Run, library: Path, command: str) -> None:
    answer = focuskit(command, library, "-o", "/proc")

    assert answer.returncode == 1
    assert "Nothing can be written to /proc" in answer.stderr
    assert answer.stdout == ""


def test_an_unknown_detector_is_refused_with_a_hint(focuskit: Run, library: Path) -> None:
    for command in ("cull", "score", "detect"):
        answer = focuskit(command, library, "--detector", "rebluur")

        assert answer.returncode == 1
        assert "did you mean reblur?" in answer.stderr
