"""Where a verdict looked is said in every output, and drawn."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.scenes import SAMPLES, make_scene
from tests.unit.cli.conftest import Run

SHAPE = 400, 600
EXPECTED = {
    "af.jpg": "AF point",
    "face.jpg": "eyes",
    "scene.jpg": "in-focus area",
    "wall.jpg": "centre",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    scene = Image.fromarray((make_scene(*SHAPE, 5) * 255).astype(np.uint8))
    exif = Image.Exif()
    sub = exif.get_ifd(0x8769)
    sub[0x9214], sub[0xA002], sub[0xA003] = (150, 280), SHAPE[1], SHAPE[0]
    scene.save(folder / "af.jpg", quality=95, exif=exif)
    Image.fromarray((make_scene(*SHAPE, 6) * 255).astype(np.uint8)).save(
        folder / "scene.jpg", quality=95
    )
    Image.new("RGB", SHAPE[::-1], (90, 90, 90)).save(folder / "wall.jpg")
    shutil.copy(SAMPLES / "IMG_0020.jpg", folder / "face.jpg")
    return folder


def test_every_output_names_the_region(focuskit: Run, library: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = focuskit("cull", library, "--output", out, "--format", "json")
    printed = focuskit("cull", library, "--output", out)
    as_csv = focuskit("cull", library, "--output", out, "--format", "csv")

    assert done.returncode == 0, done.stderr
    records = {record["shot"]: record for record in json.loads(done.stdout)}
    assert {name: record["region"]["kind"] for name, record in records.items()} == EXPECTED
    for text in ((out / "focuskit-cull.csv").read_text(), as_csv.stdout):
        rows = csv.DictReader(io.StringIO(text))
        assert {row["shot"]: row["region"] for row in rows} == EXPECTED
    lines = (out / "focuskit-cull.jsonl").read_text().splitlines()
    assert {each["shot"]: each["region"]["kind"] for each in map(json.loads, lines)} == EXPECTED
    table = printed.stdout.splitlines()
    start = table[0].index("region")
    for line in table[1:]:
        name = line.split()[0]
        assert line[start:].startswith(EXPECTED[name] + " ")
    page = (out / "focuskit-cull.html").read_text()
    for name, article in _articles(page).items():
        assert f"judged: {EXPECTED[name]}" in article
        _assert_drawn(article, records[name])


def test_a_given_box_is_named_and_drawn(focuskit: Run, library: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = focuskit(
        "cull", library / "af.jpg", "--subject", "300,100,420,220", "-o", out, "--format", "json"
    )

    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["region"] == {"kind": "given", "x": 300, "y": 100, "width": 120, "height": 120}
    (article,) = _articles((out / "focuskit-cull.html").read_text()).values()
    assert "judged: given" in article
    _assert_drawn(article, record)


def _articles(page: str) -> dict[str, str]:
    found = re.findall(r"<article.*?</article>", page, re.DOTALL)
    return {re.findall(r"<h3><span>(.*?)</span>", article)[0]: article for article in found}


def _assert_drawn(article: str, record: dict[str, dict[str, float]]) -> None:
    """A light blue frame lies around the region, in the overlay and not in the photo."""
    shown = {kind: np.asarray(_picture(article, kind), np.float64) for kind in ("overlay", "photo")}
    height, width = shown["photo"].shape[:2]
    region, whole = record["region"], record["picture"]
    left, right = (
        (region["x"] + part * region["width"]) / whole["width"] * width for part in (0, 1)
    )
    row = round((region["y"] + region["height"] / 2) / whole["height"] * height)
    for column in (left, right):
        at = int(np.clip(round(column), 2, width - 3))
        spot = np.s_[row - 1 : row + 2, at - 2 : at + 3]
        blue = {
            kind: (picture[spot][..., 2] - picture[spot][..., 0]).max()
            for kind, picture in shown.items()
        }
        assert blue["overlay"] > 60
        assert blue["overlay"] > blue["photo"] + 20


def _picture(article: str, kind: str) -> Image.Image:
    (data,) = re.findall(rf'<img class="{kind}"[^>]*src="data:image/jpeg;base64,([^"]+)"', article)
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
