"""Faults in the middle of a run: nothing is lost, nothing is done twice, a repeat ends the same."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from focuskit.batch.catalog import CATALOG_NAME, Catalog, Row
from tests.scenes import SAMPLES
from tests.unit.batch.cluster import by_hand

COMMAND = Path(sys.executable).parent / "focuskit"
SHOTS = 48
_PAIR = "IMG_0030"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return make_library(tmp_path / "library", SHOTS)


def make_library(folder: Path, shots: int) -> Path:
    """Shots of several scenes, some of them broken, no two files alike."""
    folder.mkdir()
    sources = [SAMPLES / f"IMG_{number:04d}.jpg" for number in (1, 10, 20, 21)]
    for index in range(shots):
        data = sources[index % len(sources)].read_bytes()
        if index % 12 == 5:
            data = data[: len(data) // 2]
        (folder / f"{index:04d}.jpg").write_bytes(data + b"%d" % index)
    return folder


def cull(library: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, "cull", library, "-o", out, "-f", "jsonl", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def rows(out: Path) -> list[Row]:
    with Catalog.open(out / CATALOG_NAME, write=False) as catalog:
        return list(catalog.rows())


def undisturbed(library: Path, out: Path) -> list[Row]:
    run = cull(library, out)
    run.communicate(timeout=900)
    assert run.returncode == 3
    return rows(out)


@contextmanager
def killing_workers(coordinator: int, every_s: float, seed: int) -> Iterator[list[int]]:
    """Kill a worker process at random again and again."""
    killed: list[int] = []
    killer = subprocess.Popen(
        [sys.executable, "-c", _KILLER, str(coordinator), str(every_s), str(seed)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield killed
    finally:
        killer.terminate()
        killed.extend(map(int, (killer.communicate()[0] or "").split()))


_KILLER = """
import random, signal, sys, time
import psutil

process, every_s, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
while True:
    time.sleep(every_s * rng.uniform(0.5, 1.5))
    try:
        workers = [each for each in psutil.Process(process).children(recursive=True)
                   if "spawn_main" in " ".join(each.cmdline())]
        victim = rng.choice(workers)
        victim.kill()
        print(victim.pid, flush=True)
    except (psutil.Error, IndexError):
        pass
"""


@pytest.mark.slow
def test_workers_killed_again_and_again_change_nothing(library: Path, tmp_path: Path) -> None:
    whole = undisturbed(library, tmp_path / "whole")

    run = cull(library, tmp_path / "out")
    with killing_workers(run.pid, 4.0, seed=1) as killed:
        run.communicate(timeout=240)
    repeat = cull(library, tmp_path / "out")
    repeat.communicate(timeout=240)

    assert killed
    assert run.returncode == repeat.returncode == 3
    assert rows(tmp_path / "out") == whole


def test_a_second_run_on_the_same_output_is_told_and_does_no_harm(
    library: Path, tmp_path: Path
) -> None:
    first = cull(library, tmp_path / "out")
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / CATALOG_NAME).exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    second = cull(library, tmp_path / "out")
    stdout, stderr = second.communicate(timeout=60)
    first.communicate(timeout=240)

    assert second.returncode == 1
    assert stdout == ""
    assert "Another run is writing" in stderr
    assert first.returncode == 3
    assert len([row for row in rows(tmp_path / "out") if row.step == "judge"]) == SHOTS


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_and_a_repeat_goes_on(library: Path, tmp_path: Path) -> None:
    whole = undisturbed(library, tmp_path / "whole")
    # No file may grow beyond so much: what a full disk does, without one.
    limited = subprocess.run(
        f'trap "" XFSZ; ulimit -f 150; exec "{COMMAND}" cull "{library}" -o "{tmp_path / "out"}"',
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert limited.returncode == 1
    assert "Traceback" not in limited.stderr
    assert "free some space" in limited.stderr
    repeat = cull(library, tmp_path / "out")
    repeat.communicate(timeout=240)
    assert repeat.returncode == 3
    assert rows(tmp_path / "out") == whole


@pytest.mark.slow
def test_a_library_that_changes_meanwhile_is_told_and_settled_by_a_repeat(
    library: Path, tmp_path: Path
) -> None:
    run = cull(library, tmp_path / "out")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if len(list((tmp_path / "out").glob("focuskit-cull-pictures/*-crop.jpg"))) >= 6:
            break
        time.sleep(0.05)
    (library / "0047.jpg").unlink()
    shutil.copy(SAMPLES / "IMG_0011.jpg", library / "0046.jpg")
    shutil.copy(SAMPLES / "IMG_0011.jpg", library / "new.jpg")
    run.communicate(timeout=240)

    repeat = cull(library, tmp_path / "out")
    stdout, stderr = repeat.communicate(timeout=240)

    assert run.returncode == repeat.returncode == 3
    final = [record for record in map(json.loads, stdout.splitlines()) if record["final"]]
    assert {record["shot"] for record in final} == {file.name for file in library.iterdir()}
    assert "0047.jpg" not in stderr
    fresh = undisturbed(library, tmp_path / "whole")
    assert [row for row in rows(tmp_path / "out") if row.shot != "0047.jpg"] == fresh


def make_shoot(folder: Path, groups: int) -> Path:
    """Twenty shots a minute: a burst, a RAW with its JPEG, single ones, some of them broken."""
    folder.mkdir()
    exif_ifd, taken, subseconds = 0x8769, 0x9003, 0x9291
    names = [f"IMG_{number:04d}" for number in (10, 11, 12, 13, 14, 42, 43, 44, 45, 46)]
    names += [f"IMG_{number:04d}" for number in (1, 15, 20, 21, 22, 23, 30, 50, 60, 61)]
    began = datetime(2026, 5, 17, 6, 0)
    for group in range(groups):
        for place, name in enumerate(names):
            number = 20 * group + place
            at = began + timedelta(minutes=group, seconds=0.2 * place + (place >= 10) * place)
            path = folder / f"{group // 100 + 100}CANON" / f"IMG_{number % 10000:04d}.jpg"
            path.parent.mkdir(exist_ok=True)
            if name == _PAIR:
                # Its RAW keeps its own time, and so must the JPEG.
                for suffix in (".jpg", ".dng"):
                    shutil.copy(SAMPLES / f"{_PAIR}{suffix}", path.with_suffix(suffix))
            else:
                with Image.open(SAMPLES / f"{name}.jpg") as picture:
                    exif = picture.getexif()
                    written = exif.get_ifd(exif_ifd)
                    written[taken] = at.strftime("%Y:%m:%d %H:%M:%S")
                    written[subseconds] = f"{at.microsecond // 1000:03d}"
                    picture.save(path, quality="keep", exif=exif)
            if number % 97 == 5:
                path.write_bytes(path.read_bytes()[: 2000 + number])
    return folder


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_two_thousand_shots_on_a_cluster_survive_everything(tmp_path: Path) -> None:
    library = make_shoot(tmp_path / "library", 100)
    whole = undisturbed(library, tmp_path / "whole")
    out, rng = tmp_path / "out", random.Random(6)

    with by_hand(tmp_path / "cluster") as cluster:
        cluster.scheduler()
        workers = [cluster.worker(), cluster.worker()]
        killed: list[int] = []
        for turn in range(3):
            run = cull(library, out, "--scheduler", cluster.address)
            with killing_workers(workers[turn % 2].pid, 8.0, seed=turn) as victims:
                if turn < 2:
                    time.sleep(rng.uniform(20, 35))
                    os.killpg(run.pid, signal.SIGINT)
                _, stderr = run.communicate(timeout=900)
            killed += victims
            assert run.returncode == (130 if turn < 2 else 3), stderr
        repeat = cull(library, out, "--scheduler", cluster.address)
        repeat.communicate(timeout=300)

    assert len(killed) >= 3
    assert repeat.returncode == 3
    assert rows(out) == whole
    assert len({row.shot for row in whole}) == 2000
