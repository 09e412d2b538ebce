"""`focuskit bench cull` on a few photos, and the peers beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from focuskit.cli import app
from focuskit.training.judging_bursts import whole_bursts
from focuskit.training.judging_cull import OURS, Line, judge_cull
from focuskit.training.judging_cull_cases import bursts, read_sharp
from focuskit.training.judging_scenes import Part
from tests.bench.cull_peers import PEERS
from tests.scenes import ROOT

DATA = next((each / "shared" / "data" for each in ROOT.parents if (each / "shared").is_dir()), ROOT)
needs_data = pytest.mark.skipif(
    not (DATA / "sharp").is_dir(), reason="the photos that culling is judged on are absent"
)


@needs_data
def test_a_table_of_both_parts() -> None:
    asked = ["bench", "cull", str(DATA), "--what", "ladder", "--photos", "2", "-f", "json"]

    done = CliRunner().invoke(app, asked)

    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert {row["part"] for row in rows} == {"development", "judging"}
    assert {row["method"] for row in rows} == {OURS}
    assert all(row["right"] == 1.0 and row["cases"] == 2 for row in rows)


@needs_data
def test_the_parts_share_no_photo() -> None:
    names = [{subject.name for subject in read_sharp(DATA, part)} for part in Part]

    assert not names[0] & names[1]
    assert min(len(each) for each in names) >= 50


@needs_data
def test_frames_of_a_burst_differ_in_noise_and_peers_are_judged_on_them() -> None:
    subjects = read_sharp(DATA, Part.DEVELOPMENT, 2)
    for burst in bursts(subjects, Part.DEVELOPMENT, step_px=0.7, rounds=1):
        assert 3 <= len(burst.crops) <= 8
        assert len({crop.tobytes() for crop in burst.crops}) == len(burst.crops)

    rows = judge_cull(
        DATA, Part.DEVELOPMENT, lines=[Line.REJECTS, Line.MOTION], peers=PEERS, most=3
    )

    rejects = {row["method"]: row for row in rows if row["line"] == "rejects"}
    assert set(rejects) == {OURS, *(peer.name for peer in PEERS)}
    assert rejects[OURS]["precision"] >= 0.9
    told = [row for row in rows if row["condition"].startswith("motion or defocus")]
    motion = {row["method"]: row["right"] for row in told}
    assert motion[OURS] > motion["digiKam"]


@needs_data
def test_whole_photos_of_a_burst_are_of_one_size_and_all_different() -> None:
    subjects = read_sharp(DATA, Part.DEVELOPMENT, 2)
    found = list(whole_bursts(subjects, Part.DEVELOPMENT))

    assert {burst.condition for burst in found} == {
        f"{step} px, {kind}" for step in ("0.7", "0.4") for kind in ("one plane", "moving subject")
    }
    for burst in found:
        pixels = [frame.pixels for frame in burst.frames]
        assert len({each.shape for each in pixels}) == 1
        assert len({each.tobytes() for each in pixels}) == len(pixels)
        assert 0 <= burst.best < len(pixels)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "cull", str(tmp_path), "--what", "bursts"])

    assert done.exit_code != 0
    assert "sharp/*.jpg was expected" in str(done.exception) + done.output


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_call_a_sharp_picture_sharper(peer: object) -> None:
    import cv2

    from tests.scenes import make_scene

    gray = (255 * make_scene(240, 240, seed=3).mean(axis=2)).astype(np.uint8)
    soft = cv2.GaussianBlur(gray, (0, 0), 4)

    assert peer.sharpness(gray) > peer.sharpness(soft)  # type: ignore[attr-defined]
