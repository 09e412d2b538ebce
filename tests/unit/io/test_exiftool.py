from __future__ import annotations

import logging
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch.judge import Judge
from focuskit.batch.library import find_shots
from focuskit.batch.looking import looking_version
from focuskit.io import exiftool as module
from focuskit.io import open_frame
from focuskit.io.af_points import in_frame, written_size
from focuskit.io.exiftool import ask_focus
from focuskit.io.focus_tags import FOCUS_TAGS, point_of_tags
from focuskit.photo import Exif
from tests.scenes import make_scene
from tests.unit.io._make import exif_block, picture, save
from tests.unit.io._notes import canon, fujifilm, nikon, olympus, panasonic, sony

needs_exiftool = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="exiftool is not installed"
)
needs_sh = pytest.mark.skipif(os.name != "posix", reason="the false exiftool is a shell script")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    process = module._Process()
    monkeypatch.setattr(module, "_EXIFTOOL", process)
    yield
    process.close()


def _photo(folder: Path, block: bytes, name: str = "a.jpg") -> Path:
    width, height = written_size(block) or (6000, 4000)
    return save(folder / name, picture(height // 50, width // 50), exif=b"Exif\0\0" + block)


def _asked(path: Path) -> Exif:
    """Return what exiftool alone finds."""
    frame = open_frame(path)
    return ask_focus(replace(frame.exif, focus_point=None), path, (frame.width, frame.height))


def _write_tags(path: Path, *tags: str) -> None:
    command = ["exiftool", "-n", "-q", "-overwrite_original", *tags, str(path)]
    subprocess.run(command, check=True, timeout=60)


@needs_exiftool
@pytest.mark.parametrize(
    ("block", "tags", "point"),
    [
        (sony(1500, 1000), ("-Sony:FocusLocation=6000 4000 4500 3000",), (0.75, 0.75)),
        (fujifilm(), ("-FujiFilm:FocusPixel=4500 3000",), (0.75, 0.75)),
        (panasonic(), ("-Panasonic:AFPointPosition=0.75 0.25",), (0.75, 0.25)),
        (olympus(), ("-Olympus:AFPointSelected=0.75 0.25 0.75 0.25",), (0.75, 0.25)),
        (nikon("<"), ("-Nikon:AFAreaXPosition=4500", "-Nikon:AFAreaYPosition=3000"), (0.75, 0.75)),
        (nikon(">"), ("-Nikon:AFAreaXPosition=4500", "-Nikon:AFAreaYPosition=3000"), (0.75, 0.75)),
        (canon(b"Canon EOS R6", 1500, 1000), ("-Orientation=1",), (0.75, 0.25)),
        (canon(b"Canon EOS R6", 1500, 1000), ("-Orientation=6",), (0.75, 0.75)),
        (canon(b"Canon PowerShot G9", 1500, 1000), ("-Orientation=1",), (0.75, 0.75)),
    ],
)
def test_what_exiftool_writes_is_read_as_it_reads_it(
    tmp_path: Path, block: bytes, tags: tuple[str, ...], point: tuple[float, float]
) -> None:
    path = _photo(tmp_path, block)
    _write_tags(path, *tags)

    assert _asked(path).focus_point == pytest.approx(point, abs=1e-3)
    if "AFPointSelected" not in tags[0]:  # of Olympus' two tags the areas are read
        assert open_frame(path).exif.focus_point == pytest.approx(point, abs=1e-3)


@needs_exiftool
def test_threads_get_the_answer_about_their_own_photo(tmp_path: Path) -> None:
    places = [(0.2 + 0.02 * i, 0.3 + 0.01 * i) for i in range(24)]
    paths = [
        _photo(tmp_path, sony(round(6000 * x), round(4000 * y)), f"{i}.jpg")
        for i, (x, y) in enumerate(places)
    ]

    with ThreadPoolExecutor(4) as threads:
        found = [exif.focus_point for exif in threads.map(_asked, paths)]

    assert np.allclose(found, places, atol=1e-3)


@needs_exiftool
def test_a_verdict_is_about_the_point_that_only_exiftool_reads(tmp_path: Path) -> None:
    # Programs that rewrite EXIF move Canon's notes and leave the offsets in them as they were.
    block = canon(b"Canon EOS R6", -1800, 0)
    notes = block[400:] + b"II*\0" + struct.pack("<I", 400)  # where they lay
    at = block.index(struct.pack("<HHI", 0x927C, 7, len(block) - 400))
    entry = struct.pack("<HHII", 0x927C, 7, len(notes), 440)
    moved = block[:at] + entry + block[at + 12 : 400] + bytes(40) + notes
    path = tmp_path / "a.jpg"
    scene = (make_scene(400, 600, 5) * 255).astype(np.uint8)
    save(path, scene, exif=b"Exif\0\0" + moved)
    (shot,) = find_shots([path]).shots

    judged = Judge()(shot)

    assert open_frame(path).exif.focus_point is None
    assert judged.measures.region.kind == "AF point"
    middle = judged.measures.region.x + judged.measures.region.width / 2
    assert middle == pytest.approx(0.2 * 600, abs=2)


@needs_exiftool
@pytest.mark.parametrize("name", ["-a.jpg", "#a.jpg", "a b's é.jpg", "%d.jpg"])
def test_odd_names_are_names(tmp_path: Path, name: str) -> None:
    assert _asked(_photo(tmp_path, sony(1500, 1000), name)).focus_point is not None


@needs_sh
@pytest.mark.parametrize("name", ["a\n-execute.jpg", "touch x|", "a\tb.jpg", "a.jpg "])
def test_names_that_could_be_orders_are_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked = _false_exiftool(tmp_path, monkeypatch, "touch $0.asked")

    path = _photo(tmp_path, sony(1500, 1000)).rename(tmp_path / name)

    assert ask_focus(_exif(), path, (6000, 4000)) == _exif()
    assert not asked.exists()


def _exif() -> Exif:
    block = sony(3000, 2000)
    return Exif(camera="SONY ILCE-7M3", block=block)


def _false_exiftool(
    folder: Path, monkeypatch: pytest.MonkeyPatch, rest: str, version: str = "12.57"
) -> Path:
    """Put a program of that name on PATH; returns the file that it makes when it is asked."""
    program = folder / "bin" / "exiftool"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nif [ "$3" = -ver ]; then echo {version}; exit; fi\n'
        f'echo >> "$0.asked"\n{rest}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return program.with_name("exiftool.asked")


_ANSWER = (
    "while read -r line; do case $line in -execute*) {}; "
    "echo {{ready${{line#-execute}}}};; esac; done"
)


@needs_sh
@pytest.mark.parametrize(
    "rest",
    [
        "sleep 60",
        "exit 3",
        "yes",
        "cat",
        "head -c 5000000 /dev/zero; sleep 60",
        "trap '' TERM INT HUP; while :; do sleep 0.1; done",
        _ANSWER.format("echo nonsense"),
        _ANSWER.format("printf '\\377\\376'"),
        _ANSWER.format("printf '[%.0s' $(seq 100000)"),
    ],
)
def test_a_program_that_gives_no_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "focuskit")
    asked = _false_exiftool(tmp_path, monkeypatch, rest)
    monkeypatch.setattr(module, "_TIMEOUT_S", 1.0)
    path = _photo(tmp_path, sony(3000, 2000))
    start = time.monotonic()

    for _ in range(6):
        assert ask_focus(_exif(), path, (6000, 4000)) == _exif()

    assert time.monotonic() - start < 30
    assert len(asked.read_text().splitlines()) == 3


@needs_sh
@pytest.mark.parametrize(
    "said",
    [
        "echo",
        "echo null",
        "echo [1]",
        "echo {}",
        """echo '[{"FocusLocation": [1, 2]}]'""",
        """echo '[{"FocusLocation": "0 0 5 5"}]'""",
        """echo '[{"FocusLocation": "6000 4000 7000 10"}]'""",
        """echo '[{"FocusLocation": "6000 6000 10 10"}]'""",
        """echo '[{"AFAreaXPositions": "1 2 3", "AFPointsInFocus": "7"}]'""",
    ],
)
def test_an_answer_that_tells_nothing_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    asked = _false_exiftool(tmp_path, monkeypatch, _ANSWER.format(said))
    path = _photo(tmp_path, sony(3000, 2000))

    for _ in range(4):
        assert ask_focus(_exif(), path, (6000, 4000)) == _exif()

    assert len(asked.read_text().splitlines()) == 1


@needs_sh
@pytest.mark.parametrize("version", ["11.16", "12.37", "nonsense"])
def test_a_version_with_known_holes_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    asked = _false_exiftool(tmp_path, monkeypatch, "cat", version)
    path = _photo(tmp_path, sony(3000, 2000))

    assert ask_focus(_exif(), path, (6000, 4000)) == _exif()
    assert not asked.exists()


@needs_sh
def test_a_program_in_the_current_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _false_exiftool(tmp_path, monkeypatch, "cat")
    monkeypatch.chdir(tmp_path / "bin")
    monkeypatch.setenv("PATH", ".")

    assert ask_focus(_exif(), _photo(tmp_path, sony(3000, 2000)), (6000, 4000)) == _exif()
    assert not asked.exists()


@needs_sh
@pytest.mark.parametrize(
    "exif",
    [
        Exif(),
        replace(_exif(), focus_point=(0.3, 0.3)),
        Exif(block=exif_block().removeprefix(b"Exif\0\0")),  # Canon, without its notes
    ],
)
def test_it_is_not_asked_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exif: Exif
) -> None:
    asked = _false_exiftool(tmp_path, monkeypatch, "cat")

    assert ask_focus(exif, tmp_path / "a.jpg", (6000, 4000)) is exif
    assert not asked.exists()


def test_without_exiftool_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert ask_focus(_exif(), _photo(tmp_path, sony(3000, 2000)), (6000, 4000)) == _exif()


@needs_exiftool
def test_what_culling_looks_with_is_part_of_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUSKIT_MODELS", str(tmp_path))
    version = subprocess.run(["exiftool", "-ver"], capture_output=True, text=True, check=True)

    assert looking_version() == f"cascades exiftool-{version.stdout.strip()}"

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "_EXIFTOOL", module._Process())
    assert looking_version() == "cascades"


@needs_exiftool
@needs_sh
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_process_that_asked(tmp_path: Path, how: signal.Signals) -> None:
    path = _photo(tmp_path, sony(1500, 1000))
    code = (
        "import sys, time; from pathlib import Path; from focuskit.io import open_frame\n"
        "from focuskit.io import exiftool as e; from dataclasses import replace\n"
        "path = Path(sys.argv[1]); exif = replace(open_frame(path).exif, focus_point=None)\n"
        "assert e.ask_focus(exif, path, (6000, 4000)).focus_point\n"
        "print(e._EXIFTOOL._running.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as asking:
        assert asking.stdout is not None
        keeper = int(asking.stdout.readline())
        assert _alive_in_session(keeper)
        asking.send_signal(how)

    deadline = time.monotonic() + 10
    while _alive_in_session(keeper) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive_in_session(keeper)


def _alive_in_session(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


_VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.lists(st.integers(-40_000, 40_000), max_size=12).map(lambda v: " ".join(map(str, v))),
    st.lists(st.integers()),
)


@given(st.dictionaries(st.sampled_from(FOCUS_TAGS), _VALUES))
def test_no_tags_are_a_mistake(tags: dict[str, object]) -> None:
    point = in_frame(point_of_tags(tags))

    assert point is None or (0 < point.x < 1 and 0 < point.y < 1)
