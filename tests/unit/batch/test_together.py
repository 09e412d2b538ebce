from __future__ import annotations

from pathlib import Path

import pytest

from focuskit.batch.together import write_together
from focuskit.errors import OutputError, OutputExistsError


def fail(path: Path) -> None:
    raise OutputError(f"{path} cannot be written.")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_all_are_written_and_folders_made(tmp_path: Path) -> None:
    files = {
        tmp_path / "a" / "1": b"one",
        tmp_path / "b" / "2": lambda path: path.write_bytes(b"two"),
    }

    write_together(files, overwrite=False)

    assert [path.read_bytes() for path in files] == [b"one", b"two"]
    assert names(tmp_path) == ["1", "2"]


def test_none_is_written_if_one_fails(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_together({tmp_path / "1": b"one", tmp_path / "2": fail}, overwrite=False)

    assert names(tmp_path) == []


def test_what_was_there_is_left_alone_or_comes_back(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(b"before")
    (tmp_path / "2").write_bytes(b"before")

    with pytest.raises(OutputExistsError):
        write_together({tmp_path / "0": b"new", tmp_path / "1": b"new"}, overwrite=False)
    with pytest.raises(OutputError):
        write_together({tmp_path / "1": b"new", tmp_path / "2": fail}, overwrite=True)

    assert names(tmp_path) == ["1", "2"]
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes() == b"before"


def test_overwriting_leaves_nothing_else_behind(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(b"before")

    write_together({tmp_path / "1": b"new", tmp_path / "2": b"new"}, overwrite=True)

    assert names(tmp_path) == ["1", "2"]
    assert (tmp_path / "1").read_bytes() == b"new"


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_together({tmp_path / "1": b"one", tmp_path / "2": interrupt}, overwrite=False)

    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"a file")

    with pytest.raises(OutputError, match="cannot be made"):
        write_together({tmp_path / "taken" / "1": b"one"}, overwrite=False)
