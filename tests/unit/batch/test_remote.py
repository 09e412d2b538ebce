from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pytest

from focuskit.batch.acting import Action, plan_actions
from focuskit.batch.catalog import Catalog, Row
from focuskit.batch.fetching import on_copy
from focuskit.batch.judge import Judge
from focuskit.batch.keeping import check_rows, gone_rows
from focuskit.batch.keys import FileKey
from focuskit.batch.library import Library, Problem, Shot, find_shots
from focuskit.batch.remote import fetch_ends
from focuskit.batch.runner import run_shots
from focuskit.errors import BatchError, InputError, OutputError, PhotoUnreadableError
from tests.ftp import FtpServer, served
from tests.scenes import SAMPLES


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """An fsspec file system that all threads of this process share, empty."""
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FtpServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    with served(folder) as running:
        yield running


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which copies are made; it has to be empty after every run."""
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _names(library: Library) -> list[str]:
    return [shot.name for shot in library.shots]


def size_of(shot: Shot) -> tuple[Path, int]:
    return shot.judged, len(shot.judged.read_bytes())


def refuse_jpeg(shot: Shot) -> str:
    if len(shot.files) == 1:
        raise PhotoUnreadableError(f"{shot.judged} cannot be read.")
    return f"Read {shot.files[1]} instead of {shot.files[0]}."


@dataclass(frozen=True)
class Report:
    shot: Shot
    said: tuple[str, ...]
    count: int


def report(shot: Shot) -> dict[str, object]:
    return {
        "report": Report(shot, (f"Looked at {shot.judged}.", "Nothing else."), 3),
        "files": [shot.judged, Path("elsewhere.jpg")],
    }


def test_a_folder_is_listed_with_everything_below_and_names_are_relative_to_it(
    memory: fsspec.AbstractFileSystem,
) -> None:
    for name in ("b/2.jpg", "a/1.jpg", "3.jpg", "a/1.dng", ".hidden/4.jpg", "b/.5.jpg", "6.txt"):
        memory.pipe(f"/shoot/{name}", b"x")

    library = find_shots(["memory://shoot"])

    assert _names(library) == ["3.jpg", "a/1.jpg", "b/2.jpg"]
    pair = library.shots[1]
    assert pair.sources == ("memory://shoot/a/1.jpg", "memory://shoot/a/1.dng")
    assert [each.bytes for each in pair.remote] == [1, 1]
    assert not any(path.exists() for path in pair.files)
    assert library.problems == ()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("memory://shoot/*.jpg", ["3.jpg"]),
        ("memory://shoot/*/*.jpg", ["a/1.jpg", "b/2.jpg"]),
        ("memory://shoot/**/*.jpg", ["3.jpg", "a/1.jpg", "b/2.jpg"]),
        ("memory://shoot/[a]*", ["a/1.jpg"]),
        ("memory://shoot/a/1.jpg", ["1.jpg"]),
    ],
)
def test_patterns_are_expanded_on_the_server(
    memory: fsspec.AbstractFileSystem, pattern: str, names: list[str]
) -> None:
    for name in ("b/2.jpg", "a/1.jpg", "3.jpg", "a/notes.txt"):
        memory.pipe(f"/shoot/{name}", b"x")

    assert _names(find_shots([pattern])) == names


def test_a_name_that_exists_is_no_pattern(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/shoot/a[1].jpg", b"x")
    memory.pipe("/shoot/a1.jpg", b"x")

    assert _names(find_shots(["memory://shoot/a[1].jpg"])) == ["a[1].jpg"]
    assert _names(find_shots(["memory://shoot/a[1-2].jpg"])) == ["a1.jpg"]


def test_a_library_here_and_one_on_a_server_keep_apart(
    memory: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    (tmp_path / "1.jpg").write_bytes(b"x")
    memory.pipe("/1.jpg", b"x")
    memory.pipe("/other/1.jpg", b"x")

    shots = find_shots([tmp_path, "memory://1.jpg", "memory://other"]).shots

    assert len({shot.name for shot in shots}) == 3
    assert {Path(shot.name).name for shot in shots} == {"1.jpg"}
    assert not any(".." in shot.name or shot.name.startswith("/") for shot in shots)


def test_file_urls_are_this_machine(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"x")

    (shot,) = find_shots([f"file://{tmp_path}"]).shots

    assert (shot.files, shot.remote) == ((tmp_path / "1.jpg",), ())


def test_names_cannot_lead_out_of_the_output_folder(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/shoot/good.jpg", b"x")
    memory.store["/shoot/../../evil.jpg"] = memory.store["/shoot/good.jpg"]

    library = find_shots(["memory://shoot/**/*.jpg"])

    assert _names(library) == ["good.jpg"]
    assert ["no folder here can have" in each.message for each in library.problems] == [True]


def test_a_folder_that_cannot_be_listed_is_named_and_the_others_are_done(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1.jpg", "b/2.jpg"):
        memory.pipe(f"/shoot/{name}", b"x")
    ls = type(memory).ls

    def refusing(files: object, path: str, *rest: object, **more: object) -> object:
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return ls(files, path, *rest, **more)

    monkeypatch.setattr(type(memory), "ls", refusing)

    library = find_shots(["memory://shoot"])

    assert _names(library) == ["b/2.jpg"]
    assert [each.name for each in library.problems] == ["a/"]
    assert "Permission denied" in library.problems[0].message


def test_what_is_not_there_is_said(memory: fsspec.AbstractFileSystem) -> None:
    with pytest.raises(InputError, match="memory://nowhere does not exist"):
        find_shots(["memory://nowhere"])


def test_a_missing_driver_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)

    with pytest.raises(InputError, match="`pip install s3fs`"):
        find_shots(["s3://bucket/shoot"])


def test_an_unknown_kind_of_address_is_said() -> None:
    with pytest.raises(InputError, match="of a kind that fsspec does not know"):
        find_shots(["gopher://bucket/shoot"])


def test_passwords_in_addresses_are_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match="holds a password") as refused:
        find_shots(["ftp://me:secret@127.0.0.1/shoot"])

    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(InputError, match=r"cannot be listed .*refused"):
        find_shots([f"ftp://127.0.0.1:{port}/shoot"])


def test_copies_are_seen_by_the_job_and_gone_afterwards(
    memory: fsspec.AbstractFileSystem, copies: Path
) -> None:
    memory.pipe("/shoot/a/1.jpg", b"four")
    (shot,) = find_shots(["memory://shoot"]).shots
    there = on_copy(lambda each: [path for path in copies.rglob("*") if path.is_file()], shot)

    path, size = on_copy(size_of, shot)

    assert (path, size) == (shot.judged, 4)
    assert [each.name for each in there] == ["1.jpg"]
    assert list(copies.iterdir()) == []


def test_what_comes_back_names_the_files_on_the_server(
    memory: fsspec.AbstractFileSystem, copies: Path
) -> None:
    memory.pipe("/shoot/1.jpg", b"four")
    (shot,) = find_shots(["memory://shoot"]).shots

    found = on_copy(report, shot)

    assert found == {
        "report": Report(shot, ("Looked at memory://shoot/1.jpg.", "Nothing else."), 3),
        "files": [shot.judged, Path("elsewhere.jpg")],
    }


def test_the_raw_is_fetched_only_if_the_jpeg_cannot_be_read(
    server: FtpServer, copies: Path
) -> None:
    for name in ("1.jpg", "1.dng"):
        (server.folder / name).write_bytes(b"four")
    (shot,) = find_shots([server.url + "/"]).shots

    on_copy(size_of, shot)
    assert server.fetched == ["1.jpg"]

    said = on_copy(refuse_jpeg, shot)
    assert said == f"Read {server.url}/1.dng instead of {server.url}/1.jpg."
    assert server.fetched == ["1.jpg", "1.jpg", "1.dng"]
    assert list(copies.iterdir()) == []


def test_a_job_that_fails_names_the_address_and_leaves_nothing(
    memory: fsspec.AbstractFileSystem, copies: Path
) -> None:
    memory.pipe("/shoot/1.jpg", b"")
    (shot,) = find_shots(["memory://shoot"]).shots

    with pytest.raises(PhotoUnreadableError, match=r"^memory://shoot/1.jpg is empty"):
        on_copy(Judge("lbp"), shot)
    assert list(copies.iterdir()) == []


def test_a_file_that_vanished_meanwhile_is_named(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/shoot/1.jpg", b"x")
    (shot,) = find_shots(["memory://shoot"]).shots
    memory.rm("/shoot/1.jpg")

    with pytest.raises(PhotoUnreadableError, match=r"memory://shoot/1.jpg was there .* is gone"):
        on_copy(size_of, shot)
    with pytest.raises(OSError, match="is gone"):
        fetch_ends(shot.remote[0], 8)


def test_a_file_that_changed_meanwhile_is_not_judged(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/shoot/1.jpg", b"x")
    (shot,) = find_shots(["memory://shoot"]).shots
    memory.pipe("/shoot/1.jpg", b"longer")

    with pytest.raises(BatchError, match="had 1 bytes when it was listed, and 6 came"):
        on_copy(size_of, shot)


def test_no_room_for_copies_is_said(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/shoot/1.jpg", b"x")
    (shot,) = find_shots(["memory://shoot"]).shots

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(memory), "get_file", full)

    with pytest.raises(OutputError, match=r"There is no room here to fetch memory://shoot/1.jpg"):
        on_copy(size_of, shot)


def test_what_killed_workers_left_behind_is_removed_after_a_day(
    memory: fsspec.AbstractFileSystem, copies: Path
) -> None:
    from focuskit.batch.fetching import _sweep

    memory.pipe("/1.jpg", b"x")
    (shot,) = find_shots(["memory://1.jpg"]).shots
    old, young, other = (copies / name for name in ("focuskit-copy-1", "focuskit-copy-2", "mine"))
    for folder in (old, young, other):
        (folder / "0").mkdir(parents=True)
    for folder in (old, other):
        os.utime(folder, (0, 0))

    _sweep.cache_clear()
    on_copy(size_of, shot)

    assert sorted(copies.iterdir()) == sorted([young, other])


@pytest.mark.parametrize("size", [0, 5, 8, 9, 16, 40])
def test_the_ends_of_a_file_are_those_that_a_local_key_reads(server: FtpServer, size: int) -> None:
    data = bytes(range(size))
    (server.folder / "1.jpg").write_bytes(data)
    (shot,) = find_shots([f"{server.url}/1.jpg"]).shots

    now, ends = fetch_ends(shot.remote[0], 8)

    assert now == shot.remote[0]
    assert now.bytes == size
    assert ends == data[:8] + data[max(8, size - 8) :]


def test_the_middle_of_a_large_file_is_not_fetched(server: FtpServer) -> None:
    data = np.random.default_rng(1).bytes(5_000_000)
    (server.folder / "1.jpg").write_bytes(data)
    (shot,) = find_shots([f"{server.url}/1.jpg"]).shots

    _, ends = fetch_ends(shot.remote[0], 1 << 16)

    assert ends == data[: 1 << 16] + data[-(1 << 16) :]
    assert server.fetched == ["1.jpg", "1.jpg"]


def test_a_change_on_the_server_is_seen(server: FtpServer) -> None:
    photo = server.folder / "1.jpg"
    photo.write_bytes(b"first")
    (shot,) = find_shots([f"{server.url}/1.jpg"]).shots
    photo.write_bytes(b"other")
    os.utime(photo, (1e9, 1e9))

    now, ends = fetch_ends(shot.remote[0], 8)

    assert (now.bytes, ends) == (5, b"other")
    assert now.mtime_ns == 1_000_000_000_000_000_000
    assert now != shot.remote[0]


def test_age_is_told_by_the_server(server: FtpServer) -> None:
    for name, year in (("old.jpg", 2020), ("young.jpg", 2025)):
        (server.folder / name).write_bytes(b"x")
        moment = datetime(year, 6, 1).timestamp()
        os.utime(server.folder / name, (moment, moment))

    library = find_shots([server.url + "/"], since=datetime(2024, 1, 1))

    assert _names(library) == ["young.jpg"]
    assert library.older == 1


def test_a_judgement_from_a_server_is_the_one_from_here(server: FtpServer, copies: Path) -> None:
    shutil.copy(SAMPLES / "IMG_0042.jpg", server.folder)
    (here,) = find_shots([server.folder]).shots
    (there,) = find_shots([server.url + "/"]).shots
    judge = Judge("lbp")

    local, remote = judge(here), on_copy(judge, there)

    assert remote.shot == there
    assert remote.measures == local.measures
    assert remote.exif == local.exif
    assert list(copies.iterdir()) == []


def test_workers_fetch_what_they_look_at(server: FtpServer, tmp_path: Path) -> None:
    for index in range(36):
        (server.folder / f"{index:02d}.jpg").write_bytes(bytes(index))
    (server.folder / "13.jpg").unlink()
    shots = list(find_shots([server.url + "/"]).shots)
    (server.folder / "14.jpg").unlink()

    done = {each.shot.name: each.result for each in run_shots(partial(on_copy, size_of), shots)}

    assert len(done) == 35
    assert isinstance(done["14.jpg"], Problem)
    assert "is gone" in done["14.jpg"].message
    sizes = {name: each[1] for name, each in done.items() if not isinstance(each, Problem)}
    assert sizes == {f"{index:02d}.jpg": index for index in range(36) if index not in (13, 14)}


def test_only_files_of_this_machine_get_sidecars(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/shoot/1.jpg", b"x")
    library = find_shots(["memory://shoot"])

    with pytest.raises(InputError, match="--write-xmp needs files of this machine"):
        library.check_local("--write-xmp")


def test_nothing_on_a_server_is_moved(tmp_path: Path) -> None:
    url = "sftp://host/shoot/1.jpg"
    record = {"shot": "1.jpg", "verdict": "keeper", "files": [url], "stats": [None]}

    plan = plan_actions([record], {"keeper": tmp_path / "keepers"}, Action.MOVE)

    assert plan.transfers == ()
    assert f"{url} is on a server" in plan.problems[0].message


def test_a_catalog_keeps_what_it_knows_of_servers(
    memory: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    memory.pipe("/shoot/1.jpg", b"x")
    (there,) = find_shots(["memory://shoot"]).shots
    (here,) = (Shot("2.jpg", tmp_path / "2.jpg", (tmp_path / "2.jpg",)),)
    with Catalog.in_memory() as catalog:
        for shot in (there, here):
            key = (FileKey(shot.judged, 1, 1, "digest"),)
            catalog.put([Row(shot.name, "judge", "1", "done", key)])

        assert gone_rows(catalog) == [("2.jpg", "judge")]
        assert [(each.shot, each.state) for each in check_rows(catalog)] == [("2.jpg", "missing")]


def test_photos_inside_an_archive_are_read(tmp_path: Path, copies: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "shoot.zip", "w") as archive:
        archive.writestr("a/1.jpg", b"four")
        archive.writestr("b/1.jpg", b"three")

    library = find_shots([f"zip://::file://{tmp_path}/shoot.zip"])

    assert _names(library) == ["a/1.jpg", "b/1.jpg"]
    assert [on_copy(size_of, shot)[1] for shot in library.shots] == [4, 5]
