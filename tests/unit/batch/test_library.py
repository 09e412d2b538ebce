from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from focuskit.batch.library import find_shots
from focuskit.errors import InputError
from tests.scenes import SAMPLES

SaveJpeg = Callable[..., Path]
GRAY = np.full((8, 8, 3), 0.2, np.float32)


def test_a_raw_and_its_jpeg_are_one_shot_judged_by_the_jpeg() -> None:
    pairs = [shot for shot in find_shots([SAMPLES]).shots if len(shot.files) > 1]

    assert [shot.name for shot in pairs] == ["IMG_0030.jpg"]
    assert [file.name for file in pairs[0].files] == ["IMG_0030.jpg", "IMG_0030.dng"]


def test_a_jpeg_of_another_moment_is_another_shot(tmp_path: Path, save_jpeg: SaveJpeg) -> None:
    (tmp_path / "IMG_0030.DNG").write_bytes((SAMPLES / "IMG_0030.dng").read_bytes())
    save_jpeg("img_0030.jpg", GRAY, taken_at=datetime(2001, 1, 1))

    assert sorted(shot.name for shot in find_shots([tmp_path]).shots) == [
        "IMG_0030.DNG",
        "img_0030.jpg",
    ]


def test_stems_match_whatever_their_case(tmp_path: Path, save_jpeg: SaveJpeg) -> None:
    (tmp_path / "IMG_0030.DNG").write_bytes((SAMPLES / "IMG_0030.dng").read_bytes())
    save_jpeg("img_0030.jpg", GRAY)

    assert [len(shot.files) for shot in find_shots([tmp_path]).shots] == [2]


def test_names_are_relative_and_sorted(tmp_path: Path, save_jpeg: SaveJpeg) -> None:
    for name in ("b/2.jpg", "a/1.jpg", "3.jpg", ".hidden/4.jpg", "b/.5.jpg"):
        save_jpeg(name, GRAY)
    (tmp_path / "notes.txt").write_text("not a photo")
    (tmp_path / "folder.jpg").mkdir()

    library = find_shots([tmp_path])

    assert [shot.name for shot in library.shots] == ["3.jpg", "a/1.jpg", "b/2.jpg"]
    assert library.problems == ()


def test_files_of_one_name_in_two_folders_keep_apart(tmp_path: Path, save_jpeg: SaveJpeg) -> None:
    first, second = save_jpeg("x/1.jpg", GRAY), save_jpeg("y/1.jpg", GRAY)

    assert [shot.name for shot in find_shots([first, second]).shots] == ["x/1.jpg", "y/1.jpg"]
    assert [shot.name for shot in find_shots([first]).shots] == ["1.jpg"]


def test_a_photo_given_twice_is_one_shot(tmp_path: Path, save_jpeg: SaveJpeg) -> None:
    path = save_jpeg("1.jpg", GRAY)

    assert len(find_shots([tmp_path, path, path]).shots) == 1


def test_links_to_folders_are_not_followed(tmp_path: Path, save_jpeg: SaveJpeg) -> None:
    save_jpeg("1.jpg", GRAY)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)

    assert len(find_shots([tmp_path]).shots) == 1


def test_an_empty_library_has_no_shots(tmp_path: Path) -> None:
    assert find_shots([tmp_path]).shots == ()


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; check the spelling"):
        find_shots([tmp_path / "nothing"])


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, save_jpeg: SaveJpeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_jpeg("open/1.jpg", GRAY)
    save_jpeg("shut/2.jpg", GRAY)
    scandir = os.scandir

    def refusing(path: str) -> object:
        if os.fspath(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)

    library = find_shots([tmp_path])

    assert [shot.name for shot in library.shots] == ["open/1.jpg"]
    assert [problem.name for problem in library.problems] == ["shut/"]
    assert "Permission denied" in library.problems[0].message


def test_pairs_tolerate_a_clock_that_ticked_on(tmp_path: Path, save_jpeg: SaveJpeg) -> None:
    from focuskit.io import read_exif

    (tmp_path / "a.dng").write_bytes((SAMPLES / "IMG_0030.dng").read_bytes())
    taken = read_exif(tmp_path / "a.dng").taken_at
    assert taken is not None
    save_jpeg("a.jpg", GRAY, taken_at=taken.replace(tzinfo=None) + timedelta(seconds=1))

    assert [len(shot.files) for shot in find_shots([tmp_path]).shots] == [2]
