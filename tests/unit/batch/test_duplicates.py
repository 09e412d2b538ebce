"""Copies in a library are judged with what they are copies of, and change nothing about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.batch.culling import decide_all
from focuskit.batch.judge import Judge, Judgement
from focuskit.batch.library import find_shots
from tests.scenes import blurred, later

SaveJpeg = Callable[..., Path]


@pytest.fixture
def library(
    tmp_path: Path, save_jpeg: SaveJpeg, scene: NDArray[np.float32], moment: datetime
) -> Path:
    """A burst whose second frame missed the focus, and a single shot."""
    folder = tmp_path / "library"
    for index, coc_px in enumerate((3.0, 9.0, 0.5)):
        taken = later(moment, index * 0.3)
        light = blurred(scene, coc_px)
        save_jpeg(f"IMG_{index + 1:04}.JPG", light, taken_at=taken, folder=folder)
    save_jpeg("IMG_0009.JPG", scene[:, ::-1], taken_at=later(moment, 900), folder=folder)
    return folder


def _judged(folder: Path) -> list[Judgement]:
    return [Judge()(shot) for shot in find_shots([folder]).shots]


def test_copies_share_verdict_score_and_place_and_are_named(library: Path) -> None:
    before = decide_all(_judged(library))
    for name in ("IMG_0001.JPG", "IMG_0002.JPG", "IMG_0003.JPG", "IMG_0009.JPG"):
        (library / "backup").mkdir(exist_ok=True)
        shutil.copyfile(library / name, library / "backup" / name)

    judged = _judged(library)
    decisions = dict(zip((each.shot.name for each in judged), decide_all(judged), strict=True))

    assert len(decisions) == 8
    for name, alone in zip(sorted(decisions)[:4], before, strict=True):
        own, copy = decisions[name], decisions[f"backup/{name}"]
        told, original = (copy, name) if copy.reasons[-1].code == "duplicate" else (own, "backup/")
        assert original in told.reasons[-1].text
        assert [each.reasons[-1].code for each in (own, copy)].count("duplicate") == 1
        for each in (own, copy):
            assert (each.verdict, each.score, each.place) == (
                alone.verdict,
                alone.score,
                alone.place,
            )


def test_a_copy_cannot_push_its_original_out_of_the_burst(library: Path) -> None:
    shutil.copyfile(library / "IMG_0003.JPG", library / "best of them.jpg")

    judged = _judged(library)
    decisions = {
        each.shot.name: decision for each, decision in zip(judged, decide_all(judged), strict=True)
    }

    best, copy = decisions["IMG_0003.JPG"], decisions["best of them.jpg"]
    assert best.place is not None
    assert (best.place.size, best.verdict) == (3, "keeper")
    assert copy.verdict == "keeper"
    assert copy.reasons[-1].code == "duplicate"
    assert "IMG_0003.JPG" in copy.reasons[-1].text
    assert decisions["IMG_0002.JPG"].verdict == "reject"
