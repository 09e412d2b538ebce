"""`focuskit cull` on a library in which everything is wrong that can be: nothing gets lost."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.scenes import SAMPLES, blurred, make_scene, write_jpeg

DAY = datetime(2026, 5, 17, 10, 30)
SaveJpeg = Callable[..., Path]


@dataclass
class Odd:
    """A library, and what is known of it.

    Attributes:
        root: its folder.
        bursts: names of the shots of each burst that a person would see.
        copies: each copy and what it is a copy of.
    """

    root: Path
    bursts: list[set[str]] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)
    _scenes: int = 0

    def scene(self) -> NDArray[np.float32]:
        self._scenes += 1
        return make_scene(64, 96, seed=self._scenes)

    def burst(
        self, folder: str, start: int, at: datetime | None, *, camera: str = "A", step: int = 1
    ) -> None:
        light = self.scene()
        names = set()
        for index in range(3):
            name = f"{folder}/IMG_{(start + index * step - 1) % 9999 + 1:04}.JPG"
            taken = at and at + timedelta(seconds=index * 0.4)
            soft = blurred(light, 1.5) if index == 1 else light
            write_jpeg(self.root / name, soft, taken_at=taken, serial=camera, noise=0.01 * index)
            names.add(name)
        self.bursts.append(names)

    def copy(self, name: str, to: str) -> None:
        target = self.root / to
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / name, target)
        self.copies[to] = name


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Odd:
    library = Odd(tmp_path_factory.mktemp("odd"))
    for number in range(2):
        at = DAY + timedelta(minutes=number)
        # Clashes: the same names in three folders, at the same times, of two cameras.
        library.burst("100CANON", 10 * number + 1, at)
        library.burst("101CANON", 10 * number + 1, at + timedelta(hours=5))
        library.burst("other", 10 * number + 1, at, camera="B")
    # No times at all, over the end of the counter.
    library.burst("undated", 9998, None)
    library.burst("undated", 100, None)
    # A clock that was set back onto the first burst, and one of long ago.
    library.burst("100CANON", 501, DAY + timedelta(seconds=0.2))
    library.burst("100CANON", 601, datetime(1980, 1, 1))
    # Two cameras of one serial, as cheap ones have, interleaved.
    library.burst("mixed", 1000, DAY + timedelta(hours=9), camera="0")
    library.burst("mixed", 5000, DAY + timedelta(hours=9, seconds=0.2), camera="0")
    library.copy("100CANON/IMG_0001.JPG", "backup/IMG_0001.JPG")
    library.copy("other/IMG_0002.JPG", "backup/other.jpg")
    return library


def _records(root: Path, out: Path) -> dict[str, dict]:
    """Cull a library with the installed command; gives a record per shot, each there once."""
    command = [Path(sys.executable).parent / "focuskit", "cull", root, "-o", out, "-f", "csv"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert answer.returncode == 0, answer.stderr
    lines = (out / "focuskit-cull.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    names = [record["shot"] for record in records]
    assert len(names) == len(set(names))
    assert {row["shot"] for row in csv.DictReader(io.StringIO(answer.stdout))} == set(names)
    return {record["shot"]: record for record in records}


@pytest.fixture(scope="module")
def culled(odd: Odd, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    return _records(odd.root, tmp_path_factory.mktemp("out"))


def _codes(record: dict) -> list[str]:
    return [reason["code"] for reason in record["reasons"]]


def test_a_library_of_clashes_loses_nothing_and_keeps_bursts_apart(
    odd: Odd, culled: dict[str, dict]
) -> None:
    files = {str(path.relative_to(odd.root)) for path in odd.root.rglob("*.*")}

    assert set(culled) == files
    sets: dict[tuple[str, int], set[str]] = {}
    for name, record in culled.items():
        if record["set"] and name not in odd.copies:
            sets.setdefault((record["set"]["kind"], record["set"]["number"]), set()).add(name)
    assert {kind for kind, _ in sets} == {"burst"}
    assert sorted(map(sorted, sets.values())) == sorted(map(sorted, odd.bursts))
    for members in odd.bursts:
        best = [name for name in members if culled[name]["set"]["rank"] == 1]
        assert len(best) == 1
        assert culled[best[0]]["verdict"] != "reject"


def test_copies_are_named_and_judged_as_what_they_are_copies_of(
    odd: Odd, culled: dict[str, dict]
) -> None:
    named = {name for name, record in culled.items() if "duplicate" in _codes(record)}
    assert named == set(odd.copies)
    for copy, original in odd.copies.items():
        text = culled[copy]["reasons"][-1]["text"]
        assert original in text
        assert culled[copy]["verdict"] == culled[original]["verdict"]
        assert culled[copy]["score"] == culled[original]["score"]


def test_a_raw_whose_jpeg_is_another_photo_is_named(tmp_path: Path, save_jpeg: SaveJpeg) -> None:
    root = tmp_path / "pairs"
    for stem in ("earlier", "untimed", "own"):
        (root / stem).mkdir(parents=True)
        shutil.copyfile(SAMPLES / "IMG_0030.dng", root / stem / "IMG_0030.dng")
    other = make_scene(480, 640, seed=3)
    save_jpeg("IMG_0030.jpg", other, taken_at=datetime(2001, 1, 1), folder=root / "earlier")
    save_jpeg("IMG_0030.jpg", blurred(other, 9), folder=root / "untimed")
    shutil.copyfile(SAMPLES / "IMG_0030.jpg", root / "own" / "IMG_0030.jpg")

    records = _records(root, tmp_path / "out")

    assert set(records) == {
        "earlier/IMG_0030.dng",
        "earlier/IMG_0030.jpg",
        "untimed/IMG_0030.jpg",
        "own/IMG_0030.jpg",
    }
    assert "partner-apart" in _codes(records["earlier/IMG_0030.jpg"])
    assert "partner-apart" in _codes(records["earlier/IMG_0030.dng"])
    untimed = records["untimed/IMG_0030.jpg"]
    assert "partner-differs" in _codes(untimed)
    assert "IMG_0030.dng" in " ".join(reason["text"] for reason in untimed["reasons"])
    # Nobody looked at the RAW, so that it cannot be rejected along with the JPEG.
    assert _codes(untimed)[0] == "defocus"
    assert untimed["verdict"] == "cant-tell"
    assert not {"partner-apart", "partner-differs"} & set(_codes(records["own/IMG_0030.jpg"]))


def test_an_own_jpeg_without_a_time_is_no_stranger(tmp_path: Path) -> None:
    root = tmp_path / "pair"
    root.mkdir()
    shutil.copyfile(SAMPLES / "IMG_0030.dng", root / "IMG_0030.dng")
    with Image.open(SAMPLES / "IMG_0030.jpg") as photo:
        photo.save(root / "IMG_0030.jpg", quality=90)

    records = _records(root, tmp_path / "out")

    assert set(records) == {"IMG_0030.jpg"}
    assert "partner-differs" not in _codes(records["IMG_0030.jpg"])
