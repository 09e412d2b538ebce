"""What a person gets to see when something goes wrong between GIMP and focuskit."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.gimp.conftest import ENTER, REPOSITORY, Gimp, answers, stop_worker, worker

pytestmark = pytest.mark.gimp

PATIENCE_S = 180


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, gimp: Gimp) -> Path:
    """A photo that an edit needs seconds for."""
    path = gimp.base / "large.png"
    with Image.open(REPOSITORY / "samples" / "IMG_0001.jpg") as photo:
        wide, high = photo.size
        tiles = Image.new("RGB", (7 * wide, 7 * high))
        for index in range(49):
            tiles.paste(photo, (index % 7 * wide, index // 7 * high))
    tiles.save(path, compress_level=1)
    return path


@pytest.fixture
def bridge(gimp: Gimp) -> Iterator[Path]:
    """The folder of a worker of this test's own."""
    folder = gimp.base / f"bridge-{time.monotonic_ns()}"
    folder.mkdir(mode=0o700)
    yield folder
    stop_worker(folder)


def wait_for(what: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """Return what something returns as soon as that is true."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        assert process.poll() is None, (
            "GIMP ended before:\n" + str(process.communicate()[0])[-3000:]
        )
        time.sleep(0.05)
    process.kill()
    pytest.fail("it did not come to that")


def bokeh(photo: Path) -> dict[str, Any]:
    return {
        "file": str(photo),
        "procedure": "focuskit-bokeh",
        "arguments": {"amount-by": "strength", "strength": 9.0},
    }


def jobs_in(gimp: Gimp) -> list[Path]:
    """Return the folders that calls under way have made for their pixels."""
    return [path for path in gimp.temporary.rglob("*.raw") if path.stat().st_size]


def test_a_worker_that_is_killed_is_started_again_once(
    gimp: Gimp, bridge: Path, large: Path
) -> None:
    process, folder = gimp.start([bokeh(large)], {"FOCUSKIT_BRIDGE_FOLDER": str(bridge)})
    first = wait_for(lambda: jobs_in(gimp) and worker(bridge), process)
    os.kill(first, signal.SIGKILL)
    said, _ = process.communicate(timeout=PATIENCE_S)
    (answer,) = answers(folder, 1, said)

    assert answer.ok, answer.error
    assert worker(bridge) not in (None, first)
    assert len(answer.layers) == 1
    assert not jobs_in(gimp)


def test_a_worker_that_dies_again_and_again_is_an_error(
    gimp: Gimp, bridge: Path, large: Path
) -> None:
    process, folder = gimp.start([bokeh(large)], {"FOCUSKIT_BRIDGE_FOLDER": str(bridge)})
    killed: set[int] = set()
    end = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < end:
        pid = worker(bridge)
        if pid is not None and pid not in killed and jobs_in(gimp):
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.05)
    said, _ = process.communicate(timeout=PATIENCE_S)
    (answer,) = answers(folder, 1, said)

    assert len(killed) == 2
    assert answer["status"] == "EXECUTION_ERROR"
    assert "worker" in answer.error
    assert not answer.layers
    assert not jobs_in(gimp)


def test_a_python_that_is_not_there_is_named(gimp: Gimp, bridge: Path) -> None:
    env = {"FOCUSKIT_BRIDGE_FOLDER": str(bridge), "FOCUSKIT_PYTHON": "/nowhere/python3"}
    (answer,) = gimp.run([bokeh(REPOSITORY / "samples" / "IMG_0020.jpg")], env)

    assert answer["status"] == "EXECUTION_ERROR"
    assert "/nowhere/python3" in answer.error
    assert not answer.layers


def test_without_focuskit_the_message_says_how_to_install_it(gimp: Gimp, bridge: Path) -> None:
    record = gimp.profile / "plug-ins" / "focuskit" / "focuskit-bridge.json"
    hidden = record.rename(gimp.base / "hidden.json")
    try:
        env = {"FOCUSKIT_BRIDGE_FOLDER": str(bridge), "PATH": "/usr/bin:/bin"}
        (answer,) = gimp.run([bokeh(REPOSITORY / "samples" / "IMG_0020.jpg")], env)
    finally:
        hidden.rename(record)

    assert answer["status"] == "EXECUTION_ERROR"
    assert "focuskit gimp install" in answer.error
    assert not answer.layers


@pytest.mark.skipif(not ENTER.exists(), reason="a small disk is mounted inside the tree only")
def test_a_full_disk_is_said_and_leaves_nothing(gimp: Gimp, bridge: Path, large: Path) -> None:
    small = gimp.base / "small-disk"
    small.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        env = {"FOCUSKIT_BRIDGE_FOLDER": str(bridge), "TMPDIR": str(small)}
        (answer,) = gimp.run([bokeh(large)], env)
        left = list(small.rglob("*.raw"))
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)

    assert answer["status"] == "EXECUTION_ERROR"
    assert "space" in answer.error or "full" in answer.error
    assert not answer.layers
    assert not left


def test_cancelling_stops_the_work_and_keeps_the_worker(
    gimp: Gimp, bridge: Path, large: Path
) -> None:
    process, _ = gimp.start([bokeh(large)], {"FOCUSKIT_BRIDGE_FOLDER": str(bridge)})
    pid = wait_for(lambda: jobs_in(gimp) and worker(bridge), process)
    # This is how GIMP cancels: it tells the plug-in's process to end.
    plugin = wait_for(lambda: process_of("plug-ins/focuskit/focuskit.py"), process)
    os.kill(plugin, signal.SIGTERM)
    wait_for(lambda: not jobs_in(gimp), process)
    process.communicate(timeout=PATIENCE_S)
    assert worker(bridge) == pid

    again = {**bokeh(REPOSITORY / "samples" / "IMG_0020.jpg")}
    (answer,) = gimp.run([again], {"FOCUSKIT_BRIDGE_FOLDER": str(bridge)})
    assert answer.ok, answer.error
    assert worker(bridge) == pid


def process_of(words: str) -> int | None:
    """Return the plug-in's process while it is called."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if words in line and "-run" in line:
                return int(path.parent.name)
    return None
