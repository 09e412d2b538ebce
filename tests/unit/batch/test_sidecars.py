"""Verdicts into the sidecars of a library when something goes wrong in the middle."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focuskit.batch import sidecars
from focuskit.batch.culling import Culled
from focuskit.batch.judge import Judgement
from focuskit.batch.library import find_shots
from focuskit.batch.records import cull_records
from focuskit.batch.sidecars import Written, write_sidecars
from focuskit.batch.undo import latest_manifest, undo
from focuskit.cull.decide import Decision, Reason
from focuskit.cull.fingerprint import Fingerprint
from focuskit.cull.measures import Measures
from focuskit.cull.subject import Region
from focuskit.io.sidecar_names import SidecarNaming
from focuskit.io.xmp import Packet
from focuskit.photo import Exif
from tests.unit.batch.test_acting import tree

THEIRS = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Make="mine"/></rdf:RDF></x:xmpmeta>"""


def culled(*places: Path, verdict: Any = "reject", score: float = 12.0) -> Culled:
    """Verdicts on every shot there, without looking at it."""
    judgements = [
        Judgement(
            shot=shot,
            measures=Measures({}, Region(kind="centre", x=0, y=0, width=9, height=9)),
            fingerprint=Fingerprint(None, None),
            box=None,  # type: ignore[arg-type]
            exif=Exif(),
            width=9,
            height=9,
            scale=1.0,
            decoded_from="full",
        )
        for shot in find_shots(places).shots
    ]
    decision = Decision(verdict, 1.0, score, (Reason("defocus", "Out of focus."),))
    return Culled(tuple(judgements), (decision,) * len(judgements))


def write(found: Culled, output: Path, naming: SidecarNaming = SidecarNaming.BOTH) -> Written:
    return write_sidecars(cull_records(found, "lbp"), output, naming=naming)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two RAW+JPEG pairs, one of which somebody has edited, and a JPEG."""
    folder = tmp_path / "library"
    folder.mkdir()
    for name in ("a.CR2", "a.jpg", "b.CR2", "b.jpg", "c.jpg"):
        (folder / name).write_bytes(name.encode())
    for name in ("a.CR2.xmp", "a.xmp"):
        (folder / name).write_bytes(THEIRS)
        os.utime(folder / name, ns=(10**18, 10**18))
    (folder / "a.xmp").chmod(0o600)
    (tmp_path / "out").mkdir()
    return folder


def test_everything_is_written_and_comes_back(tmp_path: Path, library: Path) -> None:
    before = tree(library)

    written = write(culled(library), tmp_path / "out")

    assert (written.made, written.changed, written.problems) == (6, 2, ())
    for name in ("a.xmp", "a.CR2.xmp", "a.jpg.xmp", "c.jpg.xmp"):
        assert Packet((library / name).read_bytes(), name).value("focuskit:Verdict") == "reject"
    assert b'tiff:Make="mine"' in (library / "a.xmp").read_bytes()
    assert (library / "a.xmp").stat().st_mode & 0o777 == 0o600
    marked = tree(library)
    again = write(culled(library), tmp_path / "out")
    assert (again.made, again.changed, again.same, again.manifest) == (0, 0, 8, None)
    assert tree(library) == marked
    assert undo(latest_manifest(tmp_path / "out")) == (8, [])
    assert tree(library) == before


def test_what_only_adobe_reads_is_counted(tmp_path: Path, library: Path) -> None:
    written = write(culled(library), tmp_path / "out", SidecarNaming.AUTO)

    made = {name for name in tree(library) if name.endswith(b".xmp")}
    assert made == {b"a.xmp", b"a.CR2.xmp", b"a.jpg.xmp", b"b.xmp", b"c.jpg.xmp"}
    assert (written.made, written.changed, written.for_adobe) == (3, 2, 1)
    assert write(culled(library), tmp_path / "out", SidecarNaming.AUTO).for_adobe == 0


def test_a_score_that_is_no_longer_known_does_not_stay(tmp_path: Path, library: Path) -> None:
    write(culled(library), tmp_path / "out")

    write(culled(library, verdict="cant-tell", score=float("nan")), tmp_path / "out")

    packet = Packet((library / "c.jpg.xmp").read_bytes(), "c")
    assert packet.value("focuskit:Verdict") == "cant-tell"
    assert packet.value("focuskit:Score") is None


KILL = """
import os, sys
from pathlib import Path
left = int(sys.argv[1])
def dying(call):
    def counted(*given, **named):
        global left
        left -= 1
        if left == 0:
            os._exit(9)
        return call(*given, **named)
    return counted
from tests.unit.batch.test_sidecars import culled, write
for name in ("link", "unlink", "fsync", "replace"):
    setattr(os, name, dying(getattr(os, name)))
write(culled(Path(sys.argv[2])), Path(sys.argv[3]))
"""


@pytest.mark.parametrize("moment", [2, 4, 5, 7, 9, 14])
def test_a_process_that_dies_half_way_can_be_repeated_and_undone(
    tmp_path: Path, library: Path, moment: int
) -> None:
    before, out = tree(library), tmp_path / "out"

    died = subprocess.run([sys.executable, "-c", KILL, str(moment), library, out], check=False)
    for name in library.glob("*.xmp"):
        Packet(name.read_bytes(), name.name)
    written = write(culled(library), out)

    assert died.returncode == 9
    assert written.problems == ()
    assert len(list(library.glob("*.xmp"))) == 8
    while list(out.glob("focuskit-undo-???.jsonl")):
        assert undo(latest_manifest(out))[1] == []
    assert tree(library) == before
    assert [path.name for path in library.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_if_one_sidecar_of_a_shot_cannot_be_written_none_is(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = tree(library)
    real: Callable[..., None] = sidecars.write_file

    def refusing(path: Path, *given: Any, **named: Any) -> None:
        if path.name == "a.jpg.xmp":
            raise OSError(number, os.strerror(number))
        real(path, *given, **named)

    monkeypatch.setattr(sidecars, "write_file", refusing)

    written = write(culled(library), tmp_path / "out")

    assert [problem.name for problem in written.problems] == ["a.jpg"]
    assert os.strerror(number) in written.problems[0].message
    assert (written.made, written.changed) == (5, 0)
    after = tree(library)
    assert {key: after.get(key) for key in before} == before
    assert b"a.jpg.xmp" not in after
    assert undo(latest_manifest(tmp_path / "out")) == (5, [])
    assert tree(library) == before


def test_what_somebody_writes_in_between_is_kept(tmp_path: Path, library: Path) -> None:
    write(culled(library), tmp_path / "out")
    edited = (library / "a.xmp").read_bytes().replace(b"mine", b"edited since")
    (library / "a.xmp").write_bytes(edited)

    done, problems = undo(latest_manifest(tmp_path / "out"))

    assert done == 7
    assert [problem.name for problem in problems] == [str(library / "a.xmp")]
    assert "changed by someone since" in problems[0].message
    assert (library / "a.xmp").read_bytes() == edited


def test_a_library_that_was_moved_is_named_and_comes_back_once_it_is_there(
    tmp_path: Path, library: Path
) -> None:
    before = tree(library)
    write(culled(library), tmp_path / "out")
    marked = tree(library)
    library.rename(tmp_path / "elsewhere")

    done, problems = undo(latest_manifest(tmp_path / "out"))

    assert (done, len(problems)) == (0, 8)
    assert all("was the library moved" in problem.message for problem in problems)
    assert tree(tmp_path / "elsewhere") == marked
    assert not library.exists()
    (tmp_path / "elsewhere").rename(library)
    assert undo(latest_manifest(tmp_path / "out")) == (8, [])
    assert tree(library) == before


def test_folders_and_links_in_place_of_sidecars_are_named_and_the_pair_stays_in_step(
    tmp_path: Path, library: Path
) -> None:
    (library / "b.CR2.xmp").mkdir()
    (tmp_path / "mine.txt").write_bytes(THEIRS)
    (library / "c.jpg.xmp").symlink_to(tmp_path / "mine.txt")
    before = tree(library)

    written = write(culled(library), tmp_path / "out")

    messages = {problem.name: problem.message for problem in written.problems}
    assert sorted(messages) == ["b.jpg", "c.jpg"]
    assert "no regular file" in messages["b.jpg"]
    assert "symbolic link" in messages["c.jpg"]
    assert (tmp_path / "mine.txt").read_bytes() == THEIRS
    assert {key for key in tree(library) if key not in before} == {b"a.jpg.xmp"}


def test_a_backup_by_hard_links_keeps_what_was_there(tmp_path: Path, library: Path) -> None:
    backup = tmp_path / "backup.xmp"
    os.link(library / "a.xmp", backup)

    write(culled(library), tmp_path / "out")

    assert backup.read_bytes() == THEIRS
    assert (library / "a.xmp").read_bytes() != THEIRS


def test_a_photo_that_two_paths_lead_to_is_written_once(tmp_path: Path, library: Path) -> None:
    before = tree(library)
    (tmp_path / "linked").symlink_to(library)

    written = write(culled(library, tmp_path / "linked"), tmp_path / "out")

    assert (written.made, written.changed, written.same, written.problems) == (6, 2, 0, ())
    assert undo(latest_manifest(tmp_path / "out")) == (8, [])
    assert tree(library) == before
