"""The parts of `focuskit bench batch`, on little."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from focuskit.batch.bench.charts import draw_cluster, draw_stages
from focuskit.batch.bench.decoding import time_job
from focuskit.batch.bench.engine import Sleep, check_model, noop_library, time_noop
from focuskit.batch.bench.finished import finished_library, repeat_cull
from focuskit.batch.bench.raw import camera_raw, with_previews
from focuskit.batch.bench.simulation import Costs
from focuskit.batch.bench.stages import STAGES, stages_of
from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.batch.crew import Crew
from focuskit.batch.judge import Judge
from focuskit.batch.library import Shot
from focuskit.cli import app
from focuskit.errors import InputError
from focuskit.io import open_frame
from tests.scenes import make_scene, write_jpeg

COSTS = Costs((0.1,), 1e-3, 1e-4, 1e-3, 1e-4, per_task=8, in_flight=3)


def _jpeg(width: int, height: int) -> bytes:
    pixels = (255 * make_scene(height, width, seed=5)).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", pixels[..., ::-1])[1])


def _shots(folder: Path, count: int) -> list[Shot]:
    made = [
        write_jpeg(folder / f"{number}.jpg", make_scene(600, 900, seed=number))
        for number in range(count)
    ]
    return [Shot(file.name, file, (file,)) for file in made]


def test_shots_with_nothing_to_do_are_done_once_and_remembered(tmp_path: Path) -> None:
    shots = noop_library(tmp_path / "library", 20)

    run = time_noop(shots, tmp_path / "out", Crew(1))

    assert run.shots == 20
    assert 0 < run.first_s <= run.wall_s
    assert 0 < run.repeat_s < run.wall_s
    with Catalog.open(tmp_path / "out" / CATALOG_NAME, write=False) as catalog:
        assert [row.shot for row in catalog.rows()] == [shot.name for shot in shots]


def test_a_sleep_is_as_long_every_time_and_within_its_limits(tmp_path: Path) -> None:
    shots = noop_library(tmp_path / "library", 50)
    sleep = Sleep(0.01, 0.2)

    seconds = [sleep.seconds(shot) for shot in shots]

    assert seconds == [sleep.seconds(shot) for shot in shots]
    assert len(set(seconds)) == 50
    assert 0.01 <= min(seconds) < max(seconds) <= 0.2


@pytest.mark.slow
def test_the_model_tells_how_long_workers_take_that_sleep(tmp_path: Path) -> None:
    shots = noop_library(tmp_path / "library", 1200)

    ((one_s, one), (two_s, two)) = check_model(COSTS, tmp_path, shots, (1, 2))

    # A busy machine makes the run longer than the model, never much shorter.
    assert 0.9 * one.wall_s < one_s < 1.5 * one.wall_s
    assert 0.9 * two.wall_s < two_s < 1.5 * two.wall_s
    assert two_s < 0.75 * one_s


def test_a_finished_library_has_nothing_left_to_do(tmp_path: Path) -> None:
    place = tmp_path / "place"
    finished_library(place, 40)
    with Catalog.open(place / "out" / CATALOG_NAME, write=False) as catalog:
        before = list(catalog.rows("judge"))

    run = repeat_cull(place)

    assert len(before) == 40
    assert run.wall_s > 0
    with Catalog.open(place / "out" / CATALOG_NAME, write=False) as catalog:
        assert list(catalog.rows("judge")) == before
    said = (place / "said.txt").read_text()
    assert "0 failed" in said


def test_a_raw_that_is_made_has_a_preview_and_a_mosaic_of_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "made.dng"
    path.write_bytes(camera_raw(_jpeg(900, 600)))

    preview = open_frame(path, min_long_edge=800)
    full = open_frame(path)

    assert (preview.decoded_from, full.decoded_from) == ("preview", "full")
    assert (preview.width, preview.height) == (full.width, full.height) == (900, 600)
    one, other = (
        np.asarray(frame.photo(300).rgb).mean(axis=2).ravel() for frame in (preview, full)
    )
    assert np.corrcoef(one, other)[0, 1] > 0.97


def test_raws_without_a_large_preview_are_named(tmp_path: Path) -> None:
    (tmp_path / "small.dng").write_bytes(camera_raw(_jpeg(900, 600)))
    (tmp_path / "broken.nef").write_bytes(b"nothing")

    with pytest.raises(InputError, match="no RAW with a large preview"):
        with_previews(tmp_path)

    (tmp_path / "large.dng").write_bytes(camera_raw(_jpeg(1800, 1200)))
    usable, others = with_previews(tmp_path)
    assert [file.name for file in usable] == ["large.dng"]
    assert len(others) == 2


def test_the_command_says_so_too(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "batch", "--raw", str(tmp_path)])

    assert done.exit_code != 0
    assert "no RAW with a large preview" in str(done.exception) + done.output


def test_the_parts_of_a_photo_are_all_of_it(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shots = _shots(tmp_path, 6)
    judge = Judge(pictures=pictures)
    timed = time_job(judge, shots, 1)

    stages = stages_of(judge, shots, 1, timed)

    assert list(stages) == [*STAGES, "rest", "overhead"]
    # Every part was seen: a function that is not called any more would have none.
    assert all(stages[name] > 0 for name in STAGES)
    assert 0 < stages["rest"] < 0.5 * sum(stages.values())
    assert sum(stages.values()) == pytest.approx(
        max(timed.core_s, sum(timed.photo_s) / len(timed.photo_s))
    )


def test_pictures_are_small_and_transparent() -> None:
    pytest.importorskip("matplotlib")
    rows = [
        {"workers": count, "photos_per_s": min(10.0 * count, 90), "ideal_per_s": 10.0 * count}
        for count in (1, 10, 100)
    ]
    drawn = (
        draw_stages({"decode": 0.05, "detect": 0.02, "rest": 0.01}, "One photo"),
        draw_cluster(rows, [(1, 10.0, 10.5), (2, 5.0, 5.1)], 90.0, "A cluster"),
    )

    for data in drawn:
        picture = Image.open(io.BytesIO(data))
        assert picture.format == "PNG"
        assert len(data) < 100_000
        assert picture.convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]
