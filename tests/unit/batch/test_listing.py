from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch.library import Library, find_shots
from focuskit.batch.listing import read_paths
from focuskit.errors import InputError

NAMES = ["3.jpg", "a/1.jpg", "a/1.txt", "a/x/7.nef", "b/2.jpg", "b/.5.jpg", ".hidden/4.jpg"]


@pytest.fixture
def shoot(tmp_path: Path) -> Path:
    folder = tmp_path / "shoot"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def _names(library: Library) -> list[str]:
    return [shot.name for shot in library.shots]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.jpg", ["3.jpg"]),
        ("?.jpg", ["3.jpg"]),
        ("[0-3].jpg", ["3.jpg"]),
        ("*/*.jpg", ["a/1.jpg", "b/2.jpg"]),
        ("**/*.jpg", ["3.jpg", "a/1.jpg", "b/2.jpg"]),
        ("**/x/*", ["a/x/7.nef"]),
        ("**", ["3.jpg", "a/1.jpg", "a/x/7.nef", "b/2.jpg"]),
        ("[ab]", ["a/1.jpg", "a/x/7.nef", "b/2.jpg"]),
        ("*/x", ["a/x/7.nef"]),
        ("*", ["3.jpg", "a/1.jpg", "a/x/7.nef", "b/2.jpg"]),
        (".h*/*", [".hidden/4.jpg"]),
        ("*/1.*", ["a/1.jpg"]),
    ],
)
def test_patterns_are_expanded_and_names_are_relative_to_what_is_no_pattern(
    shoot: Path, pattern: str, names: list[str]
) -> None:
    library = find_shots([shoot / pattern])

    assert _names(library) == names
    assert library.problems == ()


def test_relative_patterns_start_where_the_command_does(
    shoot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shoot)

    assert _names(find_shots(["*/*.jpg"])) == ["a/1.jpg", "b/2.jpg"]


def test_a_name_that_exists_is_no_pattern(shoot: Path) -> None:
    (shoot / "[ab]").mkdir()
    (shoot / "[ab]" / "9.jpg").write_bytes(b"x")

    assert _names(find_shots([shoot / "[ab]"])) == ["9.jpg"]


def test_a_pattern_without_match_is_nothing_alone_and_named_beside_others(shoot: Path) -> None:
    assert find_shots([shoot / "*.png"]) == Library(())

    both = find_shots([shoot / "*.png", shoot / "*.jpg"])
    assert _names(both) == ["3.jpg"]
    assert [each.message for each in both.problems] == [f"No photo matches {shoot}/*.png."]


def test_folders_that_patterns_search_take_no_results(shoot: Path) -> None:
    assert find_shots([shoot / "**" / "*.jpg"]).folders == (shoot,)
    assert find_shots([shoot / "[ab]"]).folders == (shoot / "a", shoot / "b")
    assert find_shots([shoot / "*.jpg"]).folders == ()


def test_links_that_go_in_circles_end(shoot: Path) -> None:
    (shoot / "a" / "loop").symlink_to(shoot, target_is_directory=True)
    (shoot / "self.jpg").symlink_to(shoot / "self.jpg")

    assert _names(find_shots([shoot])) == ["3.jpg", "a/1.jpg", "a/x/7.nef", "b/2.jpg", "self.jpg"]
    assert _names(find_shots([shoot / "**" / "*.nef"])) == ["a/x/7.nef"]


def test_a_link_to_a_folder_is_followed_if_it_is_named(shoot: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shoot / "a", target_is_directory=True)

    assert _names(find_shots([tmp_path / "link"])) == ["1.jpg", "x/7.nef"]


@pytest.mark.parametrize("pattern", [False, True])
def test_a_folder_that_vanishes_while_it_is_listed_is_named(
    shoot: Path, monkeypatch: pytest.MonkeyPatch, pattern: bool
) -> None:
    scandir = os.scandir

    def vanishing(path: str) -> object:
        if os.fspath(path).endswith("/a"):
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)

    library = find_shots([shoot / "**" / "*.jpg" if pattern else shoot])

    assert _names(library) == ["3.jpg", "b/2.jpg"]
    assert [each.name for each in library.problems] == ["a/"]
    assert "was gone when it was to be listed" in library.problems[0].message


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may list everything")
def test_a_folder_without_permission_is_named(shoot: Path) -> None:
    (shoot / "a").chmod(0)
    try:
        library = find_shots([shoot])
    finally:
        (shoot / "a").chmod(0o700)

    assert _names(library) == ["3.jpg", "b/2.jpg"]
    assert "Permission denied" in library.problems[0].message


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are always UTF-8")
def test_names_that_are_no_text_are_names_all_the_same(shoot: Path) -> None:
    (shoot / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    (shoot / os.fsdecode(b"d\xff")).mkdir()
    (shoot / os.fsdecode(b"d\xff") / "1.jpg").write_bytes(b"x")
    odd = [os.fsdecode(b"caf\xe9.jpg"), os.fsdecode(b"d\xff/1.jpg")]

    assert set(odd) <= set(_names(find_shots([shoot])))
    assert _names(find_shots([shoot / "caf*"])) == odd[:1]
    assert _names(find_shots([], [str(shoot / name) for name in odd])) == odd


def test_listed_paths_are_never_patterns_and_need_not_exist(shoot: Path) -> None:
    (shoot / "[1].jpg").write_bytes(b"x")
    listed = [str(shoot / name) for name in ("[1].jpg", "a", "*.jpg", "nowhere.jpg")]

    library = find_shots([], listed)

    assert _names(library) == ["[1].jpg", "a/1.jpg", "a/x/7.nef"]
    assert [each.name for each in library.problems] == [str(shoot / "*.jpg"), listed[3]]
    assert all("does not exist" in each.message for each in library.problems)


def test_a_list_of_nothing_but_absent_files_is_told_file_by_file(tmp_path: Path) -> None:
    library = find_shots([], [str(tmp_path / "1.jpg"), str(tmp_path / "2.jpg")])

    assert library.shots == ()
    assert len(library.problems) == 2


def test_the_first_shots_are_those_of_the_first_names(shoot: Path) -> None:
    assert _names(find_shots([shoot], limit=2)) == ["3.jpg", "a/1.jpg"]
    assert len(find_shots([shoot], limit=100).shots) == 4


def test_empty_files_are_shots_whose_trouble_is_told_when_they_are_read(tmp_path: Path) -> None:
    for name in ("1.jpg", "1.nef", "2.jpg"):
        (tmp_path / name).write_bytes(b"")

    assert [len(shot.files) for shot in find_shots([tmp_path]).shots] == [2, 1]


@pytest.mark.parametrize(
    "data",
    [
        b"a.jpg\n# b.jpg\n\n c.jpg\n",
        b"a.jpg\r\n# b.jpg\r\n\r\n c.jpg\r\n",
        b"a.jpg\0# b.jpg\0\0 c.jpg\0",
        b"\xef\xbb\xbfa.jpg\n# b.jpg\n c.jpg",
        "a.jpg\r\n# b.jpg\r\n c.jpg\r\n".encode("utf-16"),
    ],
)
def test_lists_hold_one_path_per_line_or_per_nul(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "list").write_bytes(data)

    assert read_paths(str(tmp_path / "list")) == ["a.jpg", "# b.jpg", " c.jpg"]


def test_a_list_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.jpg\nb.jpg\n")))

    assert read_paths("-") == ["a.jpg", "b.jpg"]


def test_a_list_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The list .*none cannot be read"):
        read_paths(str(tmp_path / "none"))


# Of lists that begin or end like those of other systems, another test tells.
_NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: 0 not in name and name[0] < 0xEF and not name.endswith(b"\r")
)


@given(st.lists(_NAMES, min_size=1))
def test_any_name_survives_a_list_with_nuls(names: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "list").write_bytes(b"".join(name + b"\0" for name in names))

        assert [os.fsencode(each) for each in read_paths(f"{folder}/list")] == names
