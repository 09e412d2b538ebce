from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from focuskit.batch.library import find_shots
from focuskit.batch.moments import MOMENTS_TABLE, Moments, parse_since
from focuskit.errors import InputError
from focuskit.io import read_exif
from focuskit.io.moment import quick_taken_at
from tests.scenes import SAMPLES

SaveJpeg = Callable[..., Path]
GRAY = np.full((8, 8, 3), 0.2, np.float32)
NOW = datetime(2026, 11, 21, 15, 30)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("IMG_*.jpg")), ids=lambda path: path.name)
def test_the_first_bytes_tell_what_the_whole_file_does(path: Path) -> None:
    assert quick_taken_at(path) == read_exif(path).taken_at


def test_real_files_tell_nothing_else_in_their_first_bytes(shared_data: Path) -> None:
    paths = [path for path in sorted(shared_data.glob("exif/**/*.[jJ][pP][gG]"))]

    told = {path: taken for path in paths if (taken := quick_taken_at(path)) is not None}

    assert len(told) > 20
    assert told == {path: read_exif(path).taken_at for path in told}


@pytest.mark.parametrize(
    "data", [b"", b"II*\0", b"\xff\xd8\xff\xe1\0\x10Exif\0\0MM\0*", b"\0" * 99]
)
def test_damaged_files_tell_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "1.jpg").write_bytes(data)

    assert quick_taken_at(tmp_path / "1.jpg") is None
    assert Moments().taken_at(tmp_path / "1.jpg") is None


def test_times_are_remembered_until_the_file_changes(
    tmp_path: Path, save_jpeg: SaveJpeg, moment: datetime
) -> None:
    path = save_jpeg("1.jpg", GRAY, taken_at=moment)
    connection = sqlite3.connect(tmp_path / "catalog", isolation_level=None)
    connection.execute(MOMENTS_TABLE)
    first = Moments.load(connection)
    assert first.taken_at(path) == moment
    first.save(connection)

    again = Moments.read(tmp_path / "catalog")
    assert again.taken_at(path) == moment
    assert again.fresh == {}

    later = moment + timedelta(days=1)
    save_jpeg("1.jpg", GRAY, taken_at=later)
    assert again.taken_at(path) == later
    connection.close()


def test_a_file_without_times_remembers_nothing(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "old", isolation_level=None)
    connection.execute("CREATE TABLE other (one)")
    connection.close()
    (tmp_path / "broken").write_bytes(b"no database" * 99)

    for name in ("absent", "old", "broken"):
        assert Moments.read(tmp_path / name) == Moments()


def test_no_file_is_opened_for_what_is_remembered(
    tmp_path: Path, save_jpeg: SaveJpeg, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.DNG").write_bytes((SAMPLES / "IMG_0030.dng").read_bytes())
    save_jpeg("1.jpg", GRAY, taken_at=moment)
    moments = Moments()
    before = find_shots([tmp_path], moments=moments)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "opened")

    monkeypatch.setattr("focuskit.batch.moments.quick_taken_at", refuse)
    monkeypatch.setattr("focuskit.batch.moments.read_exif", refuse)

    assert find_shots([tmp_path], moments=moments) == before


def test_files_of_one_name_and_two_moments_are_two_shots_that_know_of_each_other(
    tmp_path: Path, save_jpeg: SaveJpeg
) -> None:
    (tmp_path / "1.DNG").write_bytes((SAMPLES / "IMG_0030.dng").read_bytes())
    save_jpeg("1.jpg", GRAY, taken_at=datetime(2001, 1, 1))

    raw, jpeg = find_shots([tmp_path]).shots

    assert (raw.name, raw.apart) == ("1.DNG", (tmp_path / "1.jpg",))
    assert (jpeg.name, jpeg.apart) == ("1.jpg", (tmp_path / "1.DNG",))


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes in folders here")
    os.mkfifo(tmp_path / "1.jpg")
    (tmp_path / "1.dng").write_bytes(b"x")

    assert len(find_shots([tmp_path], since=NOW).shots) <= 1


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", datetime(2026, 11, 1)),
        ("2026-11-01T18:00", datetime(2026, 11, 1, 18)),
        ("2026-11-01 18:00:30", datetime(2026, 11, 1, 18, 0, 30)),
        ("today", datetime(2026, 11, 21)),
        ("Yesterday", datetime(2026, 11, 20)),
        ("3 days", datetime(2026, 11, 18, 15, 30)),
        ("1 day ago", datetime(2026, 11, 20, 15, 30)),
        ("2 weeks", datetime(2026, 11, 7, 15, 30)),
        ("12 hours ago", datetime(2026, 11, 21, 3, 30)),
    ],
)
def test_people_name_moments_in_their_ways(text: str, moment: datetime) -> None:
    assert parse_since(text, NOW) == moment


def test_a_moment_of_another_zone_is_taken_to_the_clock_here() -> None:
    there = parse_since("2026-11-01T18:00+00:00", NOW)

    assert there.astimezone() == datetime.fromisoformat("2026-11-01T18:00+00:00")
    assert there.tzinfo is None


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "3 blue moons", "99999999999 weeks"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no moment; write a date"):
        parse_since(text, NOW)


def test_age_is_told_by_exif_and_else_by_the_file(tmp_path: Path, save_jpeg: SaveJpeg) -> None:
    for name, taken, changed in (
        ("taken-old.jpg", datetime(2020, 1, 1), datetime(2025, 1, 1)),
        ("taken-young.jpg", datetime(2025, 1, 1), datetime(2020, 1, 1)),
        ("changed-old.jpg", None, datetime(2020, 1, 1)),
        ("changed-young.jpg", None, datetime(2025, 1, 1)),
    ):
        path = save_jpeg(name, GRAY, taken_at=taken)
        os.utime(path, (changed.timestamp(), changed.timestamp()))

    library = find_shots([tmp_path], since=datetime(2024, 1, 1))

    assert [shot.name for shot in library.shots] == ["changed-young.jpg", "taken-young.jpg"]
    assert library.older == 2


def test_the_moment_itself_counts(save_jpeg: SaveJpeg, tmp_path: Path, moment: datetime) -> None:
    save_jpeg("1.jpg", GRAY, taken_at=moment)

    assert len(find_shots([tmp_path], since=moment).shots) == 1
    assert len(find_shots([tmp_path], since=moment + timedelta(seconds=1)).shots) == 0
