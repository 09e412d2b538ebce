from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from focuskit.batch.catalog import CATALOG_NAME, Catalog, Row
from tests.scenes import SAMPLES

COMMAND = Path(sys.executable).parent / "focuskit"
SHOTS = 64


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    for index in range(SHOTS):
        shutil.copy(SAMPLES / "IMG_0001.jpg", folder / f"{index}.jpg")
        # Each a picture of its own: copies would be known by their content.
        with (folder / f"{index}.jpg").open("ab") as file:
            file.write(b"%d" % index)
    return folder


def _start(library: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, "cull", library, "-o", out, "-f", "csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Shells start what runs in the background with Ctrl-C ignored, and so all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _rows(out: Path) -> list[Row]:
    with Catalog.open(out / CATALOG_NAME, write=False) as catalog:
        return list(catalog.rows())


def _wait_for(out: Path, pictures: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        there = len(list(out.glob("focuskit-cull-pictures/*-crop.jpg")))
        if (out / CATALOG_NAME).exists() and there >= pictures:
            return
        time.sleep(0.02)


@pytest.mark.parametrize(("pictures", "some"), [(0, False), (12, True)])
def test_ctrl_c_saves_what_is_done_and_a_repeat_goes_on(
    library: Path, tmp_path: Path, pictures: int, some: bool
) -> None:
    process = _start(library, tmp_path / "out")
    _wait_for(tmp_path / "out", pictures)

    # A terminal sends it to the workers too.
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130, stderr
    assert stdout == ""
    assert stderr.strip() == "focuskit: interrupted; repeat the command to go on."
    done = len(_rows(tmp_path / "out")) if (tmp_path / "out" / CATALOG_NAME).exists() else 0
    assert done < SHOTS
    assert (done > 0) == some
    before = {file.name for file in (tmp_path / "out").glob("focuskit-cull-pictures/*")}
    stamps = {
        name: (tmp_path / "out" / "focuskit-cull-pictures" / name).stat().st_mtime_ns
        for name in before
    }

    again = _start(library, tmp_path / "out")
    again.communicate(timeout=120)

    assert again.returncode == 0
    rows = _rows(tmp_path / "out")
    assert len([row for row in rows if row.step == "judge"]) == SHOTS
    kept = sum(
        (tmp_path / "out" / "focuskit-cull-pictures" / name).stat().st_mtime_ns == stamp
        for name, stamp in stamps.items()
    )
    assert kept >= 3 * done


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(library: Path, tmp_path: Path) -> None:
    process = _start(library, tmp_path / "killed")
    _wait_for(tmp_path / "killed", 30)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    again = _start(library, tmp_path / "killed")
    undisturbed = _start(library, tmp_path / "whole")

    assert again.communicate(timeout=120)[0] == undisturbed.communicate(timeout=120)[0]
    assert again.returncode == undisturbed.returncode == 0
    assert _rows(tmp_path / "killed") == _rows(tmp_path / "whole")
