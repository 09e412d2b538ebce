from __future__ import annotations

import errno
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from focuskit.bridge import gimp_files, gimp_worker
from focuskit.cli.doctor import _gimp_plug_in
from tests.unit.cli._gimp_home import PLUG_IN, RC, Home, everything, make_home, registered
from tests.unit.cli.conftest import Run

NATIVE = (".config", "GIMP", "3.0")
FLATPAK = (".var", "app", "org.gimp.GIMP", "config", "GIMP", "3.0")
SNAP = ("snap", "gimp", "current", ".config", "GIMP", "3.0")
SHIPPED_FOLDER = gimp_files.shipped_folder
FAILING = """
    def run(self, *args, **named):
        raise JobError("The model is gone.")
"""
Rows = dict[str, tuple[str, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return make_home(tmp_path, monkeypatch)


@pytest.fixture
def profile(home: Home, inside: Run) -> Path:
    """A profile with the plug-in, which GIMP has taken note of."""
    home.gimp()
    made = home.profile(*NATIVE)
    assert inside("gimp", "install").returncode == 0
    registered(made)
    return made


@pytest.fixture
def trip(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is asked where something else is tested."""
    monkeypatch.setattr("focuskit.bridge.gimp_doctor.round_trip", lambda *_: "there and back")


def _doctor(inside: Run) -> tuple[int, Rows]:
    answer = inside("gimp", "doctor", "--format", "json")
    rows = json.loads(answer.stdout)
    assert all(row["detail"] for row in rows)
    return answer.returncode, {row["check"]: (row["state"], row["detail"]) for row in rows}


def test_all_is_well(home: Home, profile: Path, inside: Run) -> None:
    before = everything(home.folder)

    code, rows = _doctor(inside)

    assert code == 0
    assert {state for state, _ in rows.values()} == {"ok"}
    assert list(rows) == [
        *("profile", "GIMP", "plug-in", "run bit", "folder", "registered", "Python", "worker")
    ]
    assert rows["profile"][1] == str(profile)
    assert rows["GIMP"][1].startswith("3.0.4, ")
    assert rows["registered"][1] == "2 procedures"
    assert rows["Python"][1] == f"{sys.executable}: focuskit {version('focuskit')}"
    assert "test picture there and back in " in rows["worker"][1]
    assert everything(home.folder) == before


def test_the_plug_in_that_ships_reaches_the_worker(
    home: Home, inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gimp_files, "shipped_folder", SHIPPED_FOLDER)
    home.profile(*NATIVE)
    inside("gimp", "install")

    _, rows = _doctor(inside)

    assert rows["worker"][0] == "ok", rows["worker"][1]
    assert rows["worker"][1].startswith("started in ")
    # What was started for the test does not stay.
    deadline = time.monotonic() + 30
    while (tmp_path / "worker/address.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not (tmp_path / "worker/address.json").exists()


def test_the_table_names_the_profile(home: Home, profile: Path, inside: Run, trip: None) -> None:
    answer = inside("gimp", "doctor")

    lines = answer.stdout.splitlines()
    assert lines[0].split() == ["profile", "check", "state", "detail"]
    assert lines[1].startswith("GIMP 3.0  profile")


def test_without_a_profile_it_says_where_it_looked(home: Home, inside: Run) -> None:
    code, rows = _doctor(inside)

    assert code == 1
    state, detail = rows["profile"]
    assert state == "failed"
    assert str(home.folder / ".config/GIMP") in detail
    assert "Start GIMP 3 once" in detail


def test_a_profile_without_the_plug_in(home: Home, inside: Run) -> None:
    home.profile(*NATIVE)

    code, rows = _doctor(inside)

    assert code == 1
    assert rows["plug-in"] == ("failed", "not installed: run `focuskit gimp install`")
    assert rows["GIMP"][0] == "note"
    assert "worker" not in rows


def test_a_plug_in_that_is_not_ours(home: Home, inside: Run) -> None:
    place = home.profile(*NATIVE) / "plug-ins/focuskit"
    place.mkdir()

    code, rows = _doctor(inside)

    assert code == 1
    assert rows["plug-in"][0] == "failed"
    assert "move it out" in rows["plug-in"][1]


@pytest.mark.parametrize(
    ("fault", "check", "told"),
    [
        ("missing", "plug-in", "job.py missing: run `focuskit gimp install`"),
        ("older", "plug-in", "of focuskit 0.0.1, this is "),
        ("outdated", "plug-in", "other files than this focuskit brings: run"),
        ("bit", "run bit", "chmod +x"),
        ("script", "run bit", "focuskit.py is missing: run"),
        ("copy", "folder", "focuskit-main, whose name is another: remove it"),
        ("no settings", "Python", "names no Python: run"),
        ("no Python", "Python", "is not there, or no program"),
        ("no focuskit", "Python", "-m pip install focuskit. Then run `focuskit gimp install`"),
        ("other focuskit", "Python", "has focuskit 7.0, the plug-in is of"),
        ("unseen", "registered", "start GIMP in a terminal"),
    ],
)
def test_each_fault_is_found_and_says_what_to_do(
    home: Home, profile: Path, inside: Run, trip: None, fault: str, check: str, told: str
) -> None:
    folder = profile / "plug-ins/focuskit"
    settings = folder / "focuskit-bridge.json"
    manifest = folder / "focuskit-files.json"
    pythons = {
        "no Python": str(home.folder / "gone/bin/python"),
        "no focuskit": str(home.program("python-a", "echo 'No module' >&2; exit 1")),
        "other focuskit": str(home.program("python-b", "echo 7.0")),
    }
    if fault == "missing":
        (folder / "job.py").unlink()
    elif fault == "older":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"focuskit": "0.0.1"}))
    elif fault == "outdated":
        (home.shipped / "new.py").write_text("shipped since")
    elif fault == "bit":
        (folder / "focuskit.py").chmod(0o644)
    elif fault == "script":
        (folder / "focuskit.py").unlink()
    elif fault == "copy":
        (folder.parent / "focuskit-main").mkdir()
        (folder.parent / "focuskit-main/focuskit-files.json").write_text("{}")
    elif fault == "no settings":
        settings.write_text("{")
    elif fault in pythons:
        settings.write_text(json.dumps({"python": pythons[fault]}))
    else:
        registered(profile, procedures=0)

    code, rows = _doctor(inside)

    assert code == 1
    assert rows[check][0] == "failed"
    assert told in rows[check][1]


def test_a_plug_in_that_gimp_has_not_seen_yet_is_no_fault(
    home: Home, inside: Run, trip: None
) -> None:
    profile = home.profile(*NATIVE)
    os.utime(profile / "pluginrc", (1_000_000_000, 1_000_000_000))
    inside("gimp", "install")

    code, rows = _doctor(inside)

    assert code == 0
    assert rows["registered"] == ("note", "not yet: start GIMP once")


def test_a_gimp_that_asked_and_got_nothing_is_a_fault(
    profile: Path, inside: Run, trip: None
) -> None:
    # A plug-in that breaks off is left out of the list, which GIMP then writes anew.
    (profile / "pluginrc").write_text(RC)

    code, rows = _doctor(inside)

    assert code == 1
    assert rows["registered"][0] == "failed"
    assert "got no procedures" in rows["registered"][1]


def test_the_other_doctor_points_here(home: Home, inside: Run) -> None:
    none = _gimp_plug_in()
    home.profile(*NATIVE)
    absent = _gimp_plug_in()
    inside("gimp", "install")
    present = _gimp_plug_in()

    assert (none["state"], absent["state"], present["state"]) == ("absent", "absent", "ok")
    assert "`focuskit gimp install`" in absent["detail"]
    assert present["detail"] == "in GIMP 3.0; `focuskit gimp doctor` tests it"


def test_gimp_knows_the_version_before(profile: Path, inside: Run, trip: None) -> None:
    registered(profile, mtime=1_700_000_000)

    code, rows = _doctor(inside)

    assert code == 0
    assert "until GIMP's next start" in rows["registered"][1]


def test_what_was_changed_by_hand_is_named_and_no_fault(
    profile: Path, inside: Run, trip: None
) -> None:
    (profile / "plug-ins/focuskit/job.py").write_text("patched")

    code, rows = _doctor(inside)

    assert code == 0
    assert rows["plug-in"][0] == "note"
    assert "job.py changed by hand" in rows["plug-in"][1]


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ("raise SyntaxError('broken')", "does not load (SyntaxError: broken)"),
        (PLUG_IN["job.py"].decode() + FAILING, "GIMP would show “The model is gone.” To see"),
    ],
)
def test_a_trip_that_fails_gives_the_text_that_gimp_would_show(
    home: Home, inside: Run, job: str, told: str
) -> None:
    home.profile(*NATIVE)
    (home.shipped / "job.py").write_text(job)
    inside("gimp", "install")

    code, rows = _doctor(inside)

    assert code == 1
    assert rows["worker"][0] == "failed"
    assert told in rows["worker"][1]


def test_the_user_s_own_choice_of_python_counts(
    home: Home, profile: Path, inside: Run, trip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUSKIT_PYTHON", "/nowhere/python")

    code, rows = _doctor(inside)

    assert code == 1
    assert rows["Python"][1].startswith("/nowhere/python is not there")


def test_what_cannot_be_read_is_named(
    home: Home, profile: Path, inside: Run, trip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path) -> bytes:
        # As the system does, which lets root read anything.
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refused)
    code, rows = _doctor(inside)

    assert code == 1
    assert "cannot be read (Permission denied)" in rows["plug-in"][1]


def test_a_trip_that_takes_for_ever_is_given_up(
    home: Home, inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.profile(*NATIVE)
    (home.shipped / "job.py").write_text("import time; time.sleep(60)")
    monkeypatch.setattr(gimp_worker, "_TRIP_S", 0.5)
    inside("gimp", "install")

    code, rows = _doctor(inside)

    assert code == 1
    assert "did not come back within 0.5 s" in rows["worker"][1]


ALLOWED = "[Session Bus Policy]\norg.gtk.vfs=talk\norg.freedesktop.Flatpak=talk"
CLOSED = "[Context]\nfilesystems=host;/tmp;"


@pytest.mark.parametrize("permissions", [ALLOWED, CLOSED])
@pytest.mark.parametrize("place", [FLATPAK, NATIVE])
def test_what_flatpak_prevents_is_said_with_the_command_that_allows_it(
    home: Home, inside: Run, trip: None, permissions: str, place: tuple[str, ...]
) -> None:
    home.profile(*place)
    home.program(
        "flatpak",
        f"""case "$*" in
"info org.gimp.GIMP") echo "     Version: 3.0.6";;
"info --show-permissions org.gimp.GIMP") echo "{permissions}";;
*) echo "$*" > "$HOME/ran";;
esac""",
    )
    inside("gimp", "install")

    code, rows = _doctor(inside)

    assert rows["GIMP"][1] == "3.0.6, flatpak run org.gimp.GIMP"
    assert code == (0 if permissions == ALLOWED else 1)
    assert rows["Flatpak"][0] == ("ok" if permissions == ALLOWED else "failed")
    command = "flatpak override --user --talk-name=org.freedesktop.Flatpak org.gimp.GIMP"
    assert (command in rows["Flatpak"][1]) == (permissions == CLOSED)
    assert not (home.folder / "ran").exists()


def test_what_snap_prevents_is_said_until_a_worker_is_there(
    home: Home, inside: Run, trip: None
) -> None:
    home.profile(*SNAP)
    home.program("snap", 'echo "Name Version Rev"; echo "gimp 3.0.4 501 latest/stable"')
    inside("gimp", "install")
    worker = home.folder / "snap/gimp/common/focuskit"

    code, rows = _doctor(inside)

    assert code == 1
    assert rows["GIMP"][1] == "3.0.4, snap run gimp"
    assert "no command allows it" in rows["Snap"][1]
    assert f"FOCUSKIT_BRIDGE_FOLDER='{worker}' focuskit bridge" in rows["Snap"][1]

    worker.mkdir(parents=True)
    (worker / "address.json").write_text("{}")
    assert _doctor(inside)[0] == 0


def test_a_gimp_that_does_not_answer_is_not_waited_for(
    home: Home, profile: Path, inside: Run, trip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("focuskit.bridge.gimp_programs._ASK_S", 0.3)
    home.program("gimp-console-3.0", "exec /bin/sleep 30")

    code, rows = _doctor(inside)

    assert code == 0
    assert rows["GIMP"][0] == "note"


def test_several_profiles_are_told_apart(home: Home, profile: Path, inside: Run) -> None:
    other = home.profile(*FLATPAK[:-1], "3.2")

    answer = inside("gimp", "doctor", "--format", "jsonl")

    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.returncode == 1
    assert {(row["folder"], row["state"]) for row in rows if row["check"] == "plug-in"} == {
        (str(profile), "ok"),
        (str(other), "failed"),
    }
