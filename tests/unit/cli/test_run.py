"""focuskit run: steps in their order, only what is missing, and what is wrong with one photo."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.batch.copies import Copier
from focuskit.batch.edits import Edit
from focuskit.batch.maps import MapMaker
from tests.scenes import blurred, later, make_scene
from tests.unit.cli.conftest import Run, results_in

SaveJpeg = Callable[..., Path]
HEIGHT, WIDTH = 120, 160
COMMAND = Path(sys.executable).parent / "focuskit"

MAPS = """
[[steps]]
do = "detect"
detector = "reblur"
[[steps]]
do = "magnify"
factor = {factor}
map = "detect"
[[steps]]
do = "export"
of = "magnify"
long_edge_px = {edge}
"""


@pytest.fixture(scope="module")
def half() -> NDArray[np.float32]:
    """Sharp on the left, out of focus on the right."""
    scene = make_scene(HEIGHT, WIDTH, seed=3)
    scene[:, WIDTH // 2 :] = blurred(scene, 4.0)[:, WIDTH // 2 :]
    return scene


@pytest.fixture
def library(tmp_path: Path, save_jpeg: SaveJpeg, half: NDArray[np.float32]) -> Path:
    """Two photos of one name."""
    save_jpeg("library/a.jpg", half, folder=tmp_path)
    save_jpeg("library/sub/a.jpg", half[::-1], folder=tmp_path)
    return tmp_path / "library"


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str = MAPS, factor: float = 3.0, edge: int = 80) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text.format(factor=factor, edge=edge))
        return path

    return write


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was really worked on since the list was emptied last."""
    calls: list[str] = []
    for kind in (Edit, MapMaker, Copier):

        def count(job: object, shot: object, *rest: object, _kind: type = kind, _do=kind.__call__):  # type: ignore[no-untyped-def]
            calls.append(f"{_kind.__name__} {shot.name}")  # type: ignore[attr-defined]
            return _do(job, shot, *rest)

        monkeypatch.setattr(kind, "__call__", count)
    return calls


def _times(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in results_in(folder)}


ALL = [
    f"{kind} {name}" for kind in ("MapMaker", "Edit", "Copier") for name in ("a.jpg", "sub/a.jpg")
]


def test_steps_are_done_in_their_order_with_what_earlier_ones_made(
    inside: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path, done: list[str]
) -> None:
    out = tmp_path / "out"

    answer = inside("run", recipe(), library, "-o", out, "-f", "jsonl")

    records = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.returncode == 0, answer.stderr
    assert done == ALL
    assert [record["step"] for record in records] == ["detect"] * 2 + ["magnify"] * 2 + [
        "export"
    ] * 2
    magnified = records[2]
    assert magnified["settings"]["factor"] == 3
    assert magnified["map"][0] == str(out / "a.jpg-map.png")
    assert records[4]["source"] == magnified["file"] == str(out / "a-magnify.jpg")
    small = cv2.imread(str(out / "sub" / "a-export.jpg"))
    assert small.shape == (60, 80, 3)


def test_a_repeat_does_nothing_and_prints_the_same(
    inside: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path, done: list[str]
) -> None:
    arguments = ("run", recipe(), library, "-o", tmp_path / "out", "-f", "json")
    first = inside(*arguments)
    before = _times(tmp_path / "out")
    done.clear()

    again = inside(*arguments)

    assert done == []
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, first.stderr)
    assert _times(tmp_path / "out") == before


def test_a_changed_number_redoes_its_step_and_what_builds_on_it(
    inside: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path, done: list[str]
) -> None:
    out = tmp_path / "out"
    inside("run", recipe(), library, "-o", out)
    before = _times(out)
    done.clear()

    edge = inside("run", recipe(edge=40), library, "-o", out)
    after_edge = [*done]
    done.clear()
    factor = inside("run", recipe(factor=5.0, edge=40), library, "-o", out)

    assert (edge.returncode, factor.returncode) == (0, 0), edge.stderr + factor.stderr
    assert after_edge == ALL[4:]
    assert done == ALL[2:]
    maps = [name for name in before if "map" in name or "coc" in name]
    assert len(maps) == 6
    assert {name: _times(out)[name] for name in maps} == {name: before[name] for name in maps}


def test_lost_results_are_made_again_and_nothing_else(
    inside: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path, done: list[str]
) -> None:
    out = tmp_path / "out"
    inside("run", recipe(), library, "-o", out)
    names = results_in(out)
    (out / "sub" / "a-export.jpg").unlink()
    (out / "a.jpg-overlay.jpg").unlink()
    done.clear()

    answer = inside("run", recipe(), library, "-o", out)

    assert answer.returncode == 0, answer.stderr
    assert done == ["MapMaker a.jpg", "Copier sub/a.jpg"]
    assert results_in(out) == names


def test_a_map_corrected_by_hand_redoes_its_photo_alone(
    inside: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path, done: list[str]
) -> None:
    out = tmp_path / "out"
    inside("run", recipe(), library, "-o", out)
    painted = cv2.imread(str(out / "a.jpg-map.png"), cv2.IMREAD_UNCHANGED)
    painted[:, : WIDTH // 4] = 0
    cv2.imwrite(str(out / "a.jpg-map.png"), painted)
    done.clear()

    answer = inside("run", recipe(), library, "-o", out)

    assert answer.returncode == 0, answer.stderr
    assert done == ["Edit a.jpg", "Copier a.jpg"]


def test_only_keepers_and_rejects_go_on(
    focuskit: Run,
    tmp_path: Path,
    save_jpeg: SaveJpeg,
    scene: NDArray[np.float32],
    moment: datetime,
    recipe: Callable[..., Path],
) -> None:
    folder, out = tmp_path / "library", tmp_path / "out"
    save_jpeg("sharp.jpg", scene, taken_at=moment, folder=folder)
    save_jpeg("soft.jpg", blurred(scene, 9), taken_at=later(moment, 0.3), folder=folder)
    mine = recipe(
        "[[steps]]\ndo = 'cull'\n"
        "[[steps]]\ndo = 'export'\nonly = 'keepers'\n"
        "[[steps]]\ndo = 'export'\nname = 'bin'\nonly = 'rejects'\n"
        "[[steps]]\ndo = 'score'\nonly = 'rejects'\n"
    )

    answer = focuskit("run", mine, folder, "-o", out, "-f", "jsonl")

    records = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.returncode == 0, answer.stderr
    assert [(record["step"], record["shot"]) for record in records] == [
        ("cull", "sharp.jpg"),
        ("cull", "soft.jpg"),
        ("export", "sharp.jpg"),
        ("bin", "soft.jpg"),
        ("score", "soft.jpg"),
    ]
    assert [name for name in results_in(out) if name.endswith(("export.jpg", "bin.jpg"))] == [
        "sharp-export.jpg",
        "soft-bin.jpg",
    ]
    assert "1 keepers, 1 rejects" in answer.stderr
    assert "export: not done with 1 shots" in answer.stderr


def test_only_photos_that_a_step_wrote_are_exported(
    inside: Run, tmp_path: Path, save_jpeg: SaveJpeg, recipe: Callable[..., Path]
) -> None:
    sharp = save_jpeg("sharp.jpg", make_scene(HEIGHT, WIDTH, seed=3))
    mine = recipe(
        "[[steps]]\ndo = 'deblur'\ndetector = 'reblur'\n[[steps]]\ndo = 'export'\nof = 'deblur'\n"
    )

    answer = inside("run", mine, sharp, "-o", tmp_path / "out", "-f", "json")

    assert answer.returncode == 0, answer.stderr
    assert [record["step"] for record in json.loads(answer.stdout)] == ["deblur"]
    assert "No photo was written" in answer.stderr


def test_one_bad_photo_is_named_once_and_the_rest_is_done(
    focuskit: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path
) -> None:
    (library / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    shutil.copy(library / "a.jpg", library / "b.jpg")
    out = tmp_path / "out"

    answer = focuskit("run", recipe(), library, "-o", out, "-f", "jsonl")

    assert answer.returncode == 3
    assert answer.stderr.count("bad.jpg: ") == 1
    records = [json.loads(line) for line in answer.stdout.splitlines()]
    assert {record["shot"] for record in records} == {"a.jpg", "b.jpg", "sub/a.jpg"}
    assert len(records) == 9


def test_foreign_files_are_left_alone_and_the_rest_is_done(
    inside: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a-magnify.jpg").write_bytes(b"mine")

    refused = inside("run", recipe(), library, "-o", out, "-f", "json")
    left = (out / "a-magnify.jpg").read_bytes()
    told = inside("run", recipe(), library, "-o", out, "-f", "json", "--overwrite")

    assert refused.returncode == 3
    assert "a-magnify.jpg exists already; add --overwrite" in refused.stderr
    assert left == b"mine"
    assert len(json.loads(refused.stdout)) == 4
    assert told.returncode == 0, told.stderr
    assert len(json.loads(told.stdout)) == 6
    assert (out / "a-magnify.jpg").read_bytes() != b"mine"


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    inside: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path, done: list[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("run", recipe(), library, "-o", out, "--dry-run", "-f", "json")

    before = inside(*arguments)
    nothing = out.exists()
    inside("run", recipe(), library, "-o", out)
    times = _times(out)
    (out / "a-magnify.jpg").unlink()
    done.clear()
    after = inside(*arguments)

    rows = json.loads(before.stdout)
    assert (before.returncode, nothing) == (0, False)
    assert [row["would"] for row in rows] == ["make"] * 6
    assert rows[2] == {
        "step": "magnify",
        "shot": "a.jpg",
        "would": "make",
        "files": [str(out / "a-magnify.jpg")],
    }
    assert "Nothing was done; 6 results would be made." in before.stderr
    assert [row["would"] for row in json.loads(after.stdout)][:4] == [
        "keep",
        "keep",
        "make",
        "keep",
    ]
    assert done == []
    assert {name: times[name] for name in results_in(out)} == _times(out)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder that even root cannot write")
def test_a_read_only_output_is_said_before_the_work(
    inside: Run, library: Path, recipe: Callable[..., Path], done: list[str]
) -> None:
    answer = inside("run", recipe(), library, "-o", "/proc")

    assert (answer.returncode, answer.stdout, done) == (1, "", [])
    assert "Nothing can be written to /proc" in answer.stderr


def test_a_recipe_that_makes_no_sense_touches_nothing(
    inside: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path, done: list[str]
) -> None:
    answer = inside("run", recipe(MAPS + "qualty = 3"), library, "-o", tmp_path / "out")

    assert (answer.returncode, answer.stdout, done) == (1, "", [])
    assert "step 3 (export): there is no key 'qualty'; did you mean quality?" in answer.stderr
    assert not (tmp_path / "out").exists()


def test_the_same_edit_by_command_and_by_recipe_is_one(
    inside: Run, library: Path, recipe: Callable[..., Path], tmp_path: Path, done: list[str]
) -> None:
    mine = recipe("[[steps]]\ndo = 'magnify'\nfactor = 3\ndetector = 'reblur'\n")
    out = tmp_path / "out"
    first = inside("magnify", library, "-o", out, "--factor", "3", "-d", "reblur")
    assert first.returncode == 0, first.stderr
    done.clear()

    answer = inside("run", mine, library, "-o", out)

    assert answer.returncode == 0, answer.stderr
    assert done == []


def test_a_command_repeated_does_only_what_is_missing_or_changed(
    inside: Run, library: Path, tmp_path: Path, done: list[str], half: NDArray[np.float32]
) -> None:
    out = tmp_path / "out"
    arguments = ("magnify", library, "-o", out, "-d", "reblur", "-f", "json")
    first = inside(*arguments)
    done.clear()

    again = inside(*arguments)
    untouched = [*done]
    cv2.imwrite(str(library / "a.jpg"), np.rint(np.minimum(half, 1) ** 0.45 * 255))
    changed = inside(*arguments)

    assert (again.returncode, again.stdout, untouched) == (0, first.stdout, [])
    assert changed.returncode == 0, changed.stderr
    assert done == ["Edit a.jpg"]


def test_a_failure_is_remembered_until_it_is_retried(
    inside: Run, tmp_path: Path, save_jpeg: SaveJpeg, half: NDArray[np.float32], done: list[str]
) -> None:
    photo = save_jpeg("soft.jpg", blurred(half, 12))
    arguments = ("bokeh", photo, "-o", tmp_path / "out", "-d", "reblur", "--strength", "5")

    answers = [inside(*arguments), inside(*arguments), inside(*arguments, "--retry-failed")]

    assert [answer.returncode for answer in answers] == [3, 3, 3]
    assert len({answer.stderr for answer in answers}) == 1
    assert done == ["Edit soft.jpg"] * 2


@pytest.mark.slow
@pytest.mark.parametrize(("how", "copies"), [(signal.SIGKILL, 40), (signal.SIGINT, 70)])
def test_a_run_that_was_ended_goes_on_where_it_stopped(
    tmp_path: Path, library: Path, focuskit: Run, how: signal.Signals, copies: int
) -> None:
    for number in range(copies):
        shutil.copy(library / "a.jpg", library / f"copy{number:03d}.jpg")
    out, calm = tmp_path / "out", tmp_path / "calm"
    words = ("magnify", library, "-d", "reblur", "-j", "2", "-o")
    process = subprocess.Popen(
        [COMMAND, *words, out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        start_new_session=True, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 100
    while not any(out.glob("*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.02)
    # A terminal sends Ctrl-C to the workers too.
    os.killpg(process.pid, how)
    _, stderr = process.communicate(timeout=100)
    begun = len(results_in(out))

    answer = focuskit(*words, out)
    undisturbed = focuskit(*words, calm)

    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in stderr
    assert 0 < begun < copies + 2
    assert (answer.returncode, undisturbed.returncode) == (0, 0), answer.stderr
    made = [name for name in results_in(out) if not name.startswith(".")]
    assert made == results_in(calm)
    assert _rows(out) == _rows(calm)


def _rows(folder: Path) -> list[tuple[object, ...]]:
    with Catalog.open(folder / CATALOG_NAME, write=False) as catalog:
        return [
            (row.shot, row.step, row.version, row.state, row.key, sorted(json.loads(row.outcome)))
            for row in catalog.rows()
        ]
