from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scenes import SAMPLES


@pytest.mark.parametrize("moment", ["starting", "working"])
def test_ctrl_c_ends_cleanly_and_leaves_nothing(tmp_path: Path, moment: str) -> None:
    library, out = tmp_path / "library", tmp_path / "out"
    library.mkdir()
    for index in range(300):
        shutil.copy(SAMPLES / "IMG_0001.jpg", library / f"{index}.jpg")
    command = [Path(sys.executable).parent / "focuskit", "cull", library, "-o", out]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pictures = list(out.glob(".focuskit-cull-pictures-*"))
        if pictures and (moment == "starting" or any(pictures[0].iterdir())):
            break
        time.sleep(0.02)

    # A terminal sends it to the workers too.
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert stdout == ""
    assert stderr.strip() == "focuskit: interrupted; repeat the command to do it again."
    assert list(out.iterdir()) == []
