"""Moving shots and putting them back, also when the process dies or the disk refuses."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from focuskit.batch import files
from focuskit.batch.acting import Action, act, plan_actions
from focuskit.batch.manifest import Manifest, write_step
from focuskit.batch.results import read_results
from focuskit.batch.undo import latest_manifest, undo
from focuskit.errors import InputError, OutputError

Record = dict[str, Any]


def tree(folder: Path) -> dict[bytes, tuple[bytes, int, int]]:
    """Every file below a folder with its content, time and permissions."""
    found = {}
    for path, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            file = os.path.join(path, name)
            state = os.lstat(file)
            content = (
                os.readlink(file) if os.path.islink(file) else Path(os.fsdecode(file)).read_bytes()
            )
            key = os.path.relpath(file, os.fsencode(folder))
            found[key] = (content, state.st_mtime_ns, state.st_mode)
    return found


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    names = ["a.jpg", "a.CR2", "a.xmp", "a.CR2.xmp", "b.jpg", "c.jpg", "d.jpg"]
    names += ["day 2/a.jpg", "day 2/a.jpg.xmp", "day 2/x\ny.jpg", os.fsdecode(b"day 2/\xff.jpg")]
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape") * 100)
        os.utime(path, ns=(10**18 + number, 10**18 + number))
    (folder / "b.jpg").chmod(0o640)
    return folder


def record(library: Path, verdict: str, *names: str) -> Record:
    paths = [library / name for name in names]
    stats = [[path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    return {
        "shot": names[0],
        "verdict": verdict,
        "files": [str(path) for path in paths],
        "stats": stats,
    }


@pytest.fixture
def records(library: Path) -> list[Record]:
    return [
        record(library, "keeper", "a.jpg", "a.CR2"),
        record(library, "reject", "b.jpg"),
        record(library, "cant-tell", "c.jpg"),
        record(library, "reject", "day 2/a.jpg"),
        record(library, "reject", "day 2/x\ny.jpg"),
        record(library, "keeper", os.fsdecode(b"day 2/\xff.jpg")),
        {"shot": "broken.jpg", "verdict": "failed", "reasons": []},
    ]


def folders(tmp_path: Path) -> Mapping[str, Path]:
    return {"keeper": tmp_path / "keepers", "reject": tmp_path / "rejects"}


@pytest.mark.parametrize("action", list(Action))
def test_shots_go_with_all_that_belongs_to_them_and_come_back(
    tmp_path: Path, library: Path, records: list[Record], action: Action
) -> None:
    before = tree(tmp_path)
    plan = plan_actions(records, folders(tmp_path), action)
    assert tree(tmp_path) == before
    (tmp_path / "out").mkdir()

    done, problems, manifest = act(plan, tmp_path / "out")

    assert (done, problems, plan.left) == (5, [], 2)
    assert sorted(tree(tmp_path / "keepers")) == [
        b"a.CR2", b"a.CR2.xmp", b"a.jpg", b"a.xmp", b"day 2/\xff.jpg",
    ]  # fmt: skip
    assert sorted(tree(tmp_path / "rejects")) == [
        b"b.jpg", b"day 2/a.jpg", b"day 2/a.jpg.xmp", b"day 2/x\ny.jpg",
    ]  # fmt: skip
    if action is Action.MOVE:
        assert sorted(tree(library)) == [b"c.jpg", b"d.jpg"]
        assert tree(tmp_path / "rejects")[b"b.jpg"] == before[b"library/b.jpg"]
    else:
        assert tree(library) == {key[8:]: value for key, value in before.items()}
    assert manifest is not None
    assert undo(manifest) == (9, [])
    manifest.with_suffix(".undone.jsonl").unlink()
    (tmp_path / "out").rmdir()
    assert tree(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library"]


KILL = """
import os, sys
from pathlib import Path
from focuskit.batch import acting, results
left = int(sys.argv[1])
def dying(call):
    def counted(*given, **named):
        global left
        left -= 1
        if left == 0:
            os._exit(9)
        return call(*given, **named)
    return counted
if sys.argv[4] == "disk":
    def apart(*given, **named):
        if not str(given[0]).endswith(".part"):
            raise OSError(18, "other disk")
        return link(*given, **named)
    link, os.link = os.link, apart
for name in ("link", "unlink", "fsync", "mkdir"):
    setattr(os, name, dying(getattr(os, name)))
records = results.read_results(Path(sys.argv[2]))
base = Path(sys.argv[3])
folders = {"keeper": base / "keepers", "reject": base / "rejects"}
acting.act(acting.plan_actions(records, folders, acting.Action.MOVE), Path(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("disk", "moment"),
    [("same", 4), ("same", 6), ("same", 7), ("disk", 7), ("disk", 9), ("disk", 10), ("disk", 14)],
)
def test_a_process_that_dies_half_way_can_be_undone(
    tmp_path: Path, library: Path, records: list[Record], moment: int, disk: str
) -> None:
    before = tree(library)
    out = tmp_path / "out"
    out.mkdir()
    lines = "".join(json.dumps(each) + "\n" for each in records)
    (out / "focuskit-cull.jsonl").write_text(lines)

    died = subprocess.run(
        [sys.executable, "-c", KILL, str(moment), out, tmp_path, disk], check=False
    )

    assert died.returncode == 9
    with (out / "focuskit-undo-001.jsonl").open("ab") as file:
        file.write(b'{"step": "move", "sour')
    # Whoever repeats it before undoing it must not lose anything either.
    act(plan_actions(read_results(out), folders(tmp_path), Action.MOVE), out)
    while list(out.glob("focuskit-undo-???.jsonl")):
        _, problems = undo(latest_manifest(out))
        assert problems == []
    assert tree(library) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library", "out"]


AT_ONCE = """
import sys, time
from pathlib import Path
from focuskit.batch import acting, results
out, base = Path(sys.argv[1]), Path(sys.argv[2])
folders = {"keeper": base / "keepers", "reject": base / "rejects"}
plan = acting.plan_actions(results.read_results(out), folders, acting.Action.MOVE)
(out / sys.argv[3]).touch()
while not ((out / "0").exists() and (out / "1").exists()):
    time.sleep(0.001)
done, problems, _ = acting.act(plan, out)
print(done, len(problems))
"""


def test_two_at_once_share_the_shots_and_both_can_be_undone(tmp_path: Path, library: Path) -> None:
    for number in range(60):
        (library / f"n{number}.jpg").write_bytes(b"%d" % number)
    before, out = tree(library), tmp_path / "out"
    out.mkdir()
    names = sorted(os.fsdecode(name) for name in before if name.endswith(b".jpg"))
    lines = [json.dumps(record(library, "keeper", name)) + "\n" for name in names]
    (out / "focuskit-cull.jsonl").write_text("".join(lines))

    both = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, out, tmp_path, str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    counted = [[int(word) for word in each.communicate()[0].split()] for each in both]

    assert [each.returncode for each in both] == [0, 0]
    assert sum(done for done, _ in counted) == len(names)
    assert all(done + left == len(names) for done, left in counted)
    moved, stayed = tree(tmp_path / "keepers"), tree(library)
    assert moved.keys() & stayed.keys() == set()
    assert {key: state[0] for key, state in (moved | stayed).items()} == {
        key: state[0] for key, state in before.items()
    }
    manifests = sorted(out.glob("focuskit-undo-???.jsonl"))
    assert [path.name for path in manifests] == [
        "focuskit-undo-001.jsonl",
        "focuskit-undo-002.jsonl",
    ]
    assert [undo(latest_manifest(out))[1] for _ in manifests] == [[], []]
    assert tree(library) == before


def test_a_number_that_another_run_takes_just_now_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "focuskit-undo-001.jsonl").write_bytes(b"theirs")
    monkeypatch.setattr(os, "listdir", lambda _: [])

    manifest = Manifest(tmp_path, "apply")
    manifest.add({"step": "mkdir", "path": str(tmp_path / "d")})
    manifest.close()

    assert manifest.path == tmp_path / "focuskit-undo-002.jsonl"
    assert (tmp_path / "focuskit-undo-001.jsonl").read_bytes() == b"theirs"


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_another_disk_gets_them_with_their_times_and_gives_them_back(
    tmp_path: Path, library: Path, records: list[Record], other_disk: Path
) -> None:
    before = tree(library)
    plan = plan_actions(records, folders(other_disk), Action.MOVE)

    done, problems, manifest = act(plan, tmp_path)

    assert (done, problems) == (5, [])
    assert tree(other_disk / "rejects")[b"b.jpg"] == before[b"b.jpg"]
    assert sorted(tree(library)) == [b"c.jpg", b"d.jpg"]
    assert manifest is not None
    assert undo(manifest) == (9, [])
    assert tree(library) == before
    assert list(other_disk.iterdir()) == []


def test_what_was_moved_out_of_a_library_that_is_elsewhere_now_waits_for_it(
    tmp_path: Path, library: Path, records: list[Record]
) -> None:
    before = tree(library)
    _, _, manifest = act(plan_actions(records, folders(tmp_path), Action.MOVE), tmp_path)
    assert manifest is not None
    library.rename(tmp_path / "elsewhere")

    done, problems = undo(manifest)

    assert (done, len(problems)) == (0, 9)
    assert all("was the library moved" in problem.message for problem in problems)
    assert not library.exists()
    assert (tmp_path / "rejects" / "b.jpg").exists()
    (tmp_path / "elsewhere").rename(library)
    assert undo(manifest) == (9, [])
    assert tree(library) == before


def test_a_sidecar_that_may_be_anothers_is_not_parted_from_either(
    tmp_path: Path, library: Path
) -> None:
    for name in ("b.png", "b.xmp", "c.CR2", "c.xmp"):
        (library / name).write_bytes(b"x")
    records = [record(library, "keeper", "b.jpg"), record(library, "keeper", "c.jpg")]

    moved = plan_actions(records, folders(tmp_path), Action.MOVE)
    copied = plan_actions(records, folders(tmp_path), Action.COPY)

    assert [problem.name for problem in moved.problems] == ["b.jpg"]
    assert "b.xmp beside it may be its own" in moved.problems[0].message
    # A RAW's comes first.
    assert [each.shot for each in moved.transfers] == ["c.jpg"]
    assert copied.problems == ()


def test_hard_links_stay_what_they_are(tmp_path: Path, library: Path) -> None:
    os.link(library / "b.jpg", library / "same.jpg")
    before = tree(library)
    records = [record(library, "reject", "b.jpg")]

    _, _, manifest = act(plan_actions(records, folders(tmp_path), Action.MOVE), tmp_path)

    assert (tmp_path / "rejects" / "b.jpg").samefile(library / "same.jpg")
    assert manifest is not None
    assert undo(manifest) == (1, [])
    assert (library / "b.jpg").samefile(library / "same.jpg")
    assert tree(library) == before


def test_a_photo_that_two_paths_lead_to_moves_once(tmp_path: Path, library: Path) -> None:
    (tmp_path / "linked").symlink_to(library)
    before = tree(library)
    records = [record(folder, "reject", "b.jpg") for folder in (library, tmp_path / "linked")]
    records[1]["shot"] = "linked/b.jpg"

    plan = plan_actions(records, folders(tmp_path), Action.MOVE)
    done, problems, manifest = act(plan, tmp_path)

    assert done == 1
    assert [problem.name for problem in problems] == ["linked/b.jpg"]
    assert (tmp_path / "rejects" / "b.jpg").exists()
    assert manifest is not None
    assert undo(manifest) == (1, [])
    assert tree(library) == before


def _refusing(monkeypatch: pytest.MonkeyPatch, name: str, number: int, at: str) -> None:
    """Let one call of the system fail when it comes to a file of this name."""
    call: Callable[..., Any] = getattr(os, name)

    def refuse(*given: Any, **named: Any) -> Any:
        if any(at in str(each) for each in given) and not str(given[0]).endswith(".part"):
            raise OSError(number, os.strerror(number))
        return call(*given, **named)

    monkeypatch.setattr(os, name, refuse)


@pytest.mark.parametrize(
    ("call", "number", "at"),
    [
        ("link", errno.ENOSPC, "a.CR2.xmp"),
        ("link", errno.EACCES, "a.xmp"),
        ("unlink", errno.EACCES, "library/a.CR2"),
        ("unlink", errno.EROFS, "library/a.jpg"),
        ("mkdir", errno.EROFS, "keepers"),
    ],
)
def test_a_file_that_cannot_go_keeps_its_whole_shot(
    tmp_path: Path,
    library: Path,
    records: list[Record],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    at: str,
) -> None:
    before = tree(library)
    plan = plan_actions(records[:2], folders(tmp_path), Action.MOVE)

    with monkeypatch.context() as patch:
        _refusing(patch, call, number, at)
        done, problems, manifest = act(plan, tmp_path)

    assert done == 1
    assert [problem.name for problem in problems] == ["a.jpg"]
    assert os.strerror(number) in problems[0].message
    assert "could not be put back" not in problems[0].message
    assert {key: state for key, state in before.items() if key != b"b.jpg"} == tree(library)
    assert manifest is not None
    assert undo(manifest) == (1, [])
    assert tree(library) == before
    assert not (tmp_path / "keepers").exists()


def test_a_full_disk_while_copying_leaves_nothing_behind(
    tmp_path: Path, library: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = tree(library)
    plan = plan_actions(records, folders(tmp_path), Action.COPY)
    monkeypatch.setattr(files.shutil, "copyfileobj", full)

    done, problems, _ = act(plan, tmp_path)

    assert (done, len(problems)) == (0, 5)
    assert tree(library) == before
    assert tree(tmp_path / "keepers") == tree(tmp_path / "rejects") == {}


def test_a_copy_that_reads_back_otherwise_is_no_copy(
    tmp_path: Path, library: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(library)
    plan = plan_actions(records[1:2], folders(tmp_path), Action.MOVE)
    _refusing(monkeypatch, "link", errno.EXDEV, "b.jpg")
    monkeypatch.setattr(files.shutil, "copyfileobj", lambda read, write, _: write.write(b"x"))

    done, problems, _ = act(plan, tmp_path)

    assert done == 0
    assert "did not read back" in problems[0].message
    assert tree(library) == before


@pytest.mark.parametrize("action", [Action.MOVE, Action.COPY])
def test_drives_without_links(
    tmp_path: Path, library: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch,
    action: Action,
) -> None:  # fmt: skip
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    before = tree(library)
    monkeypatch.setattr(os, "link", no_links)

    done, problems, manifest = act(plan_actions(records, folders(tmp_path), action), tmp_path)

    assert (done, problems) == (5, [])
    assert manifest is not None
    assert undo(manifest) == (9, [])
    assert tree(library) == before


def test_a_manifest_that_cannot_grow_stops_everything(
    tmp_path: Path, library: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(library)
    plan = plan_actions(records, folders(tmp_path), Action.MOVE)
    real = Manifest._append
    left = [5]

    def full(self: Manifest, line: Mapping[str, Any]) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, line)

    monkeypatch.setattr(Manifest, "_append", full)

    with pytest.raises(OutputError, match="could be put back"):
        act(plan, tmp_path)

    assert undo(latest_manifest(tmp_path))[1] == []
    assert tree(library) == before


def test_names_that_are_taken_are_left_alone(
    tmp_path: Path, library: Path, records: list[Record]
) -> None:
    (tmp_path / "rejects").mkdir()
    (tmp_path / "rejects" / "b.jpg").write_bytes(b"mine")
    early = plan_actions(records, folders(tmp_path), Action.MOVE)
    (tmp_path / "keepers").mkdir()
    (tmp_path / "keepers" / "a.xmp").write_bytes(b"mine too")

    done, problems, manifest = act(early, tmp_path)

    assert [problem.name for problem in early.problems] == ["b.jpg"]
    assert [problem.name for problem in problems] == ["a.jpg"]
    assert done == 3
    assert (library / "b.jpg").exists()
    assert {"a.jpg", "a.CR2", "a.xmp", "a.CR2.xmp"} <= {path.name for path in library.iterdir()}
    assert manifest is not None
    assert undo(manifest)[1] == []
    assert (tmp_path / "rejects" / "b.jpg").read_bytes() == b"mine"
    assert (tmp_path / "keepers" / "a.xmp").read_bytes() == b"mine too"


def test_what_changed_or_went_since_the_cull_is_named_and_left(
    tmp_path: Path, library: Path, records: list[Record]
) -> None:
    os.utime(library / "b.jpg", ns=(1, 1))
    (library / "a.CR2").unlink()

    plan = plan_actions(records, folders(tmp_path), Action.MOVE)

    messages = {problem.name: problem.message for problem in plan.problems}
    assert "was changed since the cull" in messages["b.jpg"]
    assert "is gone since the cull" in messages["a.jpg"]
    assert len(plan.transfers) == 3


def test_symbolic_links_are_not_moved_but_copied(tmp_path: Path, library: Path) -> None:
    (library / "s.jpg").symlink_to("b.jpg")
    records = [record(library, "keeper", "s.jpg")]

    moved = plan_actions(records, folders(tmp_path), Action.MOVE)
    done, _, _ = act(plan_actions(records, folders(tmp_path), Action.COPY), tmp_path)

    assert "symbolic link" in moved.problems[0].message
    assert done == 1
    assert (tmp_path / "keepers" / "s.jpg").read_bytes() == (library / "b.jpg").read_bytes()


@pytest.mark.parametrize("shot", ["../b.jpg", "/etc/b.jpg", "x/../../b.jpg"])
def test_results_cannot_lead_out_of_the_folders(
    tmp_path: Path, records: list[Record], shot: str
) -> None:
    plan = plan_actions([records[1] | {"shot": shot}], folders(tmp_path), Action.MOVE)

    assert not plan.transfers
    assert "damaged" in plan.problems[0].message


def test_names_that_end_lines_elsewhere_do_not_end_records(tmp_path: Path) -> None:
    written = {"shot": "a\u2028b\x85c.jpg", "verdict": "reject"}
    text = json.dumps(written, ensure_ascii=False) + "\n"
    (tmp_path / "r.jsonl").write_text(text, encoding="utf-8")

    assert read_results(tmp_path / "r.jsonl") == [written]


def test_results_of_earlier_versions_are_not_acted_on(
    tmp_path: Path, records: list[Record]
) -> None:
    old = {key: value for key, value in records[1].items() if key != "stats"}

    assert "cull again" in plan_actions([old], folders(tmp_path), Action.MOVE).problems[0].message


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', "\xff"])
def test_other_files_are_no_results(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.jsonl").write_text(content, encoding="latin-1")

    with pytest.raises(InputError, match=r"r\.jsonl"):
        read_results(tmp_path / "r.jsonl")
    with pytest.raises(InputError, match="There are no results"):
        read_results(tmp_path)


def test_a_copy_changed_since_is_left(tmp_path: Path, library: Path, records: list[Record]) -> None:
    _, _, manifest = act(plan_actions(records[1:2], folders(tmp_path), Action.COPY), tmp_path)
    (tmp_path / "rejects" / "b.jpg").write_bytes(b"edited")
    assert manifest is not None

    done, problems = undo(manifest)

    assert done == 0
    assert "changed by someone" in problems[0].message
    assert (tmp_path / "rejects" / "b.jpg").read_bytes() == b"edited"
    assert latest_manifest(tmp_path) == manifest


def test_a_place_taken_since_is_left(tmp_path: Path, library: Path, records: list[Record]) -> None:
    _, _, manifest = act(plan_actions(records[1:2], folders(tmp_path), Action.MOVE), tmp_path)
    (library / "b.jpg").write_bytes(b"another")
    assert manifest is not None

    _, problems = undo(manifest)

    assert "another file" in problems[0].message
    assert (library / "b.jpg").read_bytes() == b"another"
    assert (tmp_path / "rejects" / "b.jpg").exists()


def test_a_sidecar_changed_since_is_left_and_others_come_back(tmp_path: Path) -> None:
    one, two, new = (tmp_path / name for name in ("one.xmp", "two.xmp", "new.xmp"))
    for path in (one, two):
        path.write_bytes(b"before")
        os.utime(path, ns=(5, 5))
        path.chmod(0o600)
    manifest = Manifest(tmp_path, "write-xmp")
    for path in (one, two, new):
        before = path.read_bytes() if path.exists() else None
        step = write_step(path, before, b"after")
        manifest.add(step)
        files.write_file(
            path, b"after", step["part"], mode=step["mode"], replace=before is not None
        )
    manifest.close()
    two.write_bytes(b"mine")

    done, problems = undo(latest_manifest(tmp_path))

    assert done == 2
    assert [problem.name for problem in problems] == [str(two)]
    assert (one.read_bytes(), one.stat().st_mtime_ns, one.stat().st_mode & 0o777) == (
        b"before", 5, 0o600,
    )  # fmt: skip
    assert two.read_bytes() == b"mine"
    assert not new.exists()


def test_manifests_are_undone_latest_first_and_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to undo"):
        latest_manifest(tmp_path)
    for number in (1, 2):
        manifest = Manifest(tmp_path, "apply")
        manifest.add({"step": "mkdir", "path": str(tmp_path / f"d{number}")})
        manifest.close()

    chosen = [latest_manifest(tmp_path).name]
    undo(latest_manifest(tmp_path))
    chosen.append(latest_manifest(tmp_path).name)

    assert chosen == ["focuskit-undo-002.jsonl", "focuskit-undo-001.jsonl"]
    third = Manifest(tmp_path, "apply")
    third.add({"step": "mkdir", "path": str(tmp_path / "d3")})
    third.close()
    assert third.path is not None
    assert third.path.name == "focuskit-undo-003.jsonl"


def test_a_manifest_without_its_first_line_undoes_nothing(tmp_path: Path) -> None:
    (tmp_path / "focuskit-undo-001.jsonl").write_bytes(b'{"focus')

    assert undo(latest_manifest(tmp_path)) == (0, [])
    assert (tmp_path / "focuskit-undo-001.undone.jsonl").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{}\n", b"[1]\n", b"\xff\xff\n", b'{"what": 1}\n{"step": "rm", "path": "/"}\n'],
)
def test_other_files_are_no_manifests(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.jsonl").write_bytes(content)

    with pytest.raises(InputError, match="no manifest"):
        undo(tmp_path / "m.jsonl")
