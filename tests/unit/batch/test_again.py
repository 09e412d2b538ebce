"""Frames of a burst are compared where all of them show the same thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from focuskit.batch.again import Taken, look_again
from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.batch.crew import Crew
from focuskit.batch.culling import Way, cull_library, decide_all, judge_library
from focuskit.batch.engine import Found, Step, run_step
from focuskit.batch.judge import Judge
from focuskit.batch.library import Shot, find_shots
from focuskit.batch.storing import stored
from focuskit.color import encode_srgb
from tests.scenes import blurred, make_scene

START = datetime(2026, 5, 17, 10, 30)
HEIGHT, WIDTH = 400, 600


def _write(file: Path, rgb: NDArray[np.float32], at_s: float) -> None:
    exif = Image.Exif()
    taken = START + timedelta(seconds=at_s)
    written = exif.get_ifd(0x8769)
    written[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    written[0x9291] = f"{taken.microsecond // 1000:03d}"
    exif[0x0110] = "Rendered"
    grain = np.random.default_rng(round(10 * at_s)).normal(0, 0.004, rgb.shape)
    shown = np.rint(np.clip(encode_srgb(np.clip(rgb, 0, 1)) + grain, 0, 1) * 255)
    Image.fromarray(shown.astype(np.uint8)).save(file, quality=95, exif=exif)


def _burst(folder: Path, cocs: list[float], *, gains: list[float] | None = None) -> None:
    """Write frames of a subject before a blurred ground; the camera drifts."""
    ground = blurred(make_scene(HEIGHT + 60, WIDTH + 60, 4), 14)
    subject = make_scene(200, 200, 9)
    mask = np.zeros((HEIGHT + 60, WIDTH + 60), np.float32)
    cv2.circle(mask, (300, 220), 90, 1.0, cv2.FILLED)
    whole = ground.copy()
    whole[120:320, 200:400] = subject
    for index, coc in enumerate(cocs):
        soft = cv2.GaussianBlur(mask, (0, 0), 2 + coc / 4)[..., None]
        frame = soft * blurred(whole, coc) + (1 - soft) * ground
        x, y = 30 + 9 * index, 30 - 7 * index
        gain = np.float32(0.7 * (gains[index] if gains else 1))
        cut = frame[y : y + HEIGHT, x : x + WIDTH] * gain
        _write(folder / f"IMG_{index:04d}.jpg", cut, 0.2 * index)


def _ranks(folder: Path) -> list[int]:
    culled = cull_library(find_shots([folder]), Judge())
    assert {decision.place and decision.place.kind for decision in culled.decisions} == {"burst"}
    return [decision.place.rank for decision in culled.decisions if decision.place]


def test_the_sharpest_comes_first_although_the_camera_drifts(tmp_path: Path) -> None:
    _burst(tmp_path, [5.0, 3.0, 1.5, 4.0])

    assert _ranks(tmp_path) == [4, 2, 1, 3]


def test_neither_does_a_brighter_frame(tmp_path: Path) -> None:
    _burst(tmp_path, [3.0, 2.0, 4.0], gains=[1.25, 0.8, 1.0])

    assert _ranks(tmp_path) == [2, 1, 3]


def test_a_blurrier_frame_more_does_not_change_the_first(tmp_path: Path) -> None:
    few, more = tmp_path / "few", tmp_path / "more"
    few.mkdir()
    more.mkdir()
    _burst(few, [3.0, 2.0])
    _burst(more, [3.0, 2.0, 5.0, 6.0])

    assert _ranks(few)[1] == _ranks(more)[1] == 1


def test_what_was_found_is_at_the_same_place_in_every_frame(tmp_path: Path) -> None:
    _burst(tmp_path, [5.0, 3.0, 1.5, 4.0])

    judgements, _ = judge_library(find_shots([tmp_path]), Judge())

    regions = [each.compared.region for each in judgements if each.compared]
    assert len(regions) == 4
    for index, region in enumerate(regions):
        # The camera moves by (9, -7) from frame to frame, and what it shows the other way.
        assert abs(region.x + 9 * index - regions[0].x) <= 6
        assert abs(region.y - 7 * index - regions[0].y) <= 6


def _go(step: Step[Taken], shots: Sequence[Shot]) -> Iterator[Found[Taken]]:
    return run_step(step, shots, Catalog.in_memory(), Crew(1))


def test_a_repeat_knows_the_second_look_too(tmp_path: Path) -> None:
    _burst(tmp_path, [5.0, 3.0, 1.5, 4.0])
    with Catalog.open(tmp_path / CATALOG_NAME) as catalog:
        first = judge_library(find_shots([tmp_path]), Judge(), Way(catalog))
        before = list(catalog.rows("compare"))
        again = judge_library(find_shots([tmp_path]), Judge(), Way(catalog))

        assert before
        assert list(catalog.rows("compare")) == before
    assert [stored(each.compared) for each in again[0]] == [
        stored(each.compared) for each in first[0]
    ]


def test_a_frame_that_is_gone_keeps_its_first_measures_and_says_so(tmp_path: Path) -> None:
    _burst(tmp_path, [5.0, 3.0, 1.5, 4.0])
    library = find_shots([tmp_path])
    judge = Judge()
    first = [judge(shot) for shot in library.shots]
    seen = look_again(first, judge, _go)
    again = [each for each, before in zip(seen, first, strict=True) if each.compared]
    assert len(again) == 4
    (tmp_path / "IMG_0001.jpg").unlink()

    gone = look_again(first, judge, _go)[1]

    assert gone.compared is None
    assert gone.measures is first[1].measures
    assert "IMG_0001.jpg" in gone.not_compared
    decision = decide_all([*first[:1], gone, *first[2:]])[1]
    assert "not-compared" in {reason.code for reason in decision.reasons}


def test_photos_that_are_no_burst_are_not_looked_at_again(tmp_path: Path) -> None:
    for index in range(3):
        _write(tmp_path / f"IMG_{index:04d}.jpg", make_scene(HEIGHT, WIDTH, index), 60 * index)
    judge = Judge()
    first = [judge(shot) for shot in find_shots([tmp_path]).shots]
    done: list[int] = []

    seen = look_again(first, judge, _go, progress=lambda count, _: done.append(count))

    assert seen == first
    assert done == []
