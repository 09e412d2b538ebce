from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from focuskit.bridge import gimp_files, gimp_install
from tests.unit.cli._gimp_home import PLUG_IN, Home, everything, make_home, write_plug_in
from tests.unit.cli.conftest import Run

NATIVE = (".config", "GIMP", "3.0")
FLATPAK = (".var", "app", "org.gimp.GIMP", "config", "GIMP", "3.2")
SNAP = ("snap", "gimp", "common", ".config", "GIMP", "3.0")
SHIPPED_FOLDER = gimp_files.shipped_folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return make_home(tmp_path, monkeypatch)


def _written(profile: Path) -> dict[str, bytes]:
    folder = profile / "plug-ins" / "focuskit"
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _settings(profile: Path) -> dict[str, str]:
    path = profile / "plug-ins" / "focuskit" / "focuskit-bridge.json"
    return dict(json.loads(path.read_text(encoding="ascii")))


def test_every_profile_gets_the_plug_in_and_is_as_it_was_afterwards(
    home: Home, inside: Run
) -> None:
    profiles = [home.profile(*place) for place in (NATIVE, FLATPAK, SNAP)]
    home.profile(".config", "GIMP", "2.10")
    before = everything(home.folder)

    installed = inside("gimp", "install")

    assert installed.returncode == 0
    assert installed.stdout.splitlines() == [str(p / "plug-ins/focuskit") for p in profiles]
    assert "GIMP 3.2 (Flatpak): focuskit" in installed.stderr
    for profile in profiles:
        files = _written(profile)
        assert {name: files[name] for name in PLUG_IN} == PLUG_IN
        assert set(files) - set(PLUG_IN) == {"focuskit-bridge.json", "focuskit-files.json"}
        assert _settings(profile)["python"] == sys.executable
        assert _settings(profile)["focuskit"] == version("focuskit")
        script = profile / "plug-ins/focuskit/focuskit.py"
        assert stat.S_IMODE(script.stat().st_mode) == 0o755
        # What Python makes of the plug-in is the plug-in's.
        compiled = script.parent / "__pycache__" / "job.cpython-313.pyc"
        compiled.parent.mkdir()
        compiled.write_bytes(b"compiled")

    removed = inside("gimp", "uninstall")

    assert removed.returncode == 0
    assert removed.stdout == installed.stdout
    assert everything(home.folder) == before
    assert inside("gimp", "uninstall").returncode == 4


def test_a_second_time_changes_nothing(home: Home, inside: Run) -> None:
    home.profile(*NATIVE)
    inside("gimp", "install")
    once = everything(home.folder)

    again = inside("gimp", "install")

    assert again.returncode == 0
    assert "installed again" in again.stderr
    assert everything(home.folder) == once


def test_an_older_version_is_replaced_and_what_a_user_added_stays(
    home: Home, inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = home.profile(*NATIVE)
    new = home.shipped
    old = write_plug_in(
        home.folder.parent / "old" / "focuskit",
        {"focuskit.py": b"old", "gone.py": b"no longer shipped", "job.py": b"old job"},
    )
    with monkeypatch.context() as patched:
        patched.setattr(gimp_files, "shipped_folder", lambda: old)
        patched.setattr("focuskit.__version__", "0.0.9", raising=False)
        inside("gimp", "install")
    folder = profile / "plug-ins" / "focuskit"
    (folder / "my presets").mkdir()
    (folder / "my presets" / "münchen.json").write_text("{}")
    (folder / "job.py").write_text("patched by hand")

    answer = inside("gimp", "install")

    assert answer.returncode == 0
    assert "in place of 0.0.9" in answer.stderr
    assert "münchen.json, which focuskit did not write" in answer.stderr
    files = _written(profile)
    assert {name: files[name] for name in PLUG_IN} == PLUG_IN
    assert "gone.py" not in files
    assert files["my presets/münchen.json"] == b"{}"
    assert files["job.py.changed"] == b"patched by hand"
    assert new.is_dir()

    removed = inside("gimp", "uninstall")

    assert removed.returncode == 0
    assert set(_written(profile)) == {"my presets/münchen.json", "job.py.changed"}
    assert "job.py.changed" in removed.stderr


def test_uninstall_keeps_what_was_changed_under_another_name(home: Home, inside: Run) -> None:
    profile = home.profile(*NATIVE)
    inside("gimp", "install")
    (profile / "plug-ins/focuskit/focuskit.py").write_text("mine")

    assert inside("gimp", "uninstall").returncode == 0

    # GIMP starts nothing of that name.
    assert _written(profile) == {"focuskit.py.changed": b"mine"}


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_plug_in_of_that_name_that_is_not_ours_is_refused(
    home: Home, inside: Run, kind: str, command: str
) -> None:
    profile = home.profile(*NATIVE)
    other = home.profile(*FLATPAK)
    place = profile / "plug-ins" / "focuskit"
    if kind == "folder":
        place.mkdir()
        (place / "focuskit.py").write_text("another focuskit")
    elif kind == "link":
        place.symlink_to(home.shipped)
    else:
        place.write_text("a file")
    inside("gimp", "install", "--profile", other)
    before = everything(profile)

    answer = inside("gimp", command)

    assert answer.returncode == 1
    assert f"{place} is there already" in answer.stderr
    assert "left alone" in answer.stderr
    assert everything(profile) == before
    assert (other / "plug-ins/focuskit").exists() == (command == "install")


def test_a_dry_run_says_what_and_does_nothing(home: Home, inside: Run) -> None:
    profile = home.profile(*NATIVE)
    home.gimp("3.2.0", "gimp-console-3.2", "exit 1")
    before = everything(home.folder)

    answer = inside("gimp", "install", "--dry-run")

    assert answer.returncode == 0
    assert str(profile / "plug-ins/focuskit") in answer.stdout
    assert "GIMP 3.2.0 was never started" in answer.stderr
    assert "3 files" in answer.stderr
    assert everything(home.folder) == before


def test_a_gimp_that_was_never_started_is_started_without_a_window(home: Home, inside: Run) -> None:
    profile = home.folder.joinpath(*NATIVE)
    home.gimp(
        more=f'echo "$@" > "$HOME/asked"\n/bin/mkdir -p "{profile}"\necho > "{profile}/gimprc"'
    )
    home.gimp(name="gimp", more="exit 1")

    answer = inside("gimp", "install")

    assert answer.returncode == 0
    assert (home.folder / "asked").read_text().split() == ["--no-interface", "--quit"]
    assert set(PLUG_IN) < set(_written(profile))

    # The folder of plug-ins, which GIMP had not made, goes again.
    assert inside("gimp", "uninstall").returncode == 0
    assert [each.name for each in profile.iterdir()] == ["gimprc"]


def test_a_gimp_that_does_not_start_is_told(home: Home, inside: Run) -> None:
    home.gimp(more="exit 3")

    answer = inside("gimp", "install")

    assert answer.returncode == 1
    assert "Start it once" in answer.stderr
    assert not (home.folder / ".config").exists()


def test_a_gimp_that_makes_no_profile_does_not_keep_the_others_from_theirs(
    home: Home, inside: Run
) -> None:
    profile = home.profile(*NATIVE)
    home.gimp("3.2.0", "gimp-console-3.2")

    answer = inside("gimp", "install")

    assert answer.returncode == 1
    assert "GIMP 3.2.0 made no profile. Start it once" in answer.stderr
    assert answer.stdout.splitlines() == [str(profile / "plug-ins/focuskit")]


def test_a_home_whose_name_is_no_text_is_no_obstacle(
    home: Home, inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(os.fsdecode(os.fsencode(home.folder) + b" \xff"))
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    profile = folder.joinpath(*NATIVE)
    shutil.copytree(home.profile(*NATIVE), profile)

    installed = inside("gimp", "install", "--python", sys.executable)
    examined = inside("gimp", "doctor", "--format", "json")

    assert installed.returncode == 0
    assert set(PLUG_IN) < set(_written(profile))
    assert examined.returncode == 0, examined.stdout


def test_without_any_gimp_the_folders_that_were_looked_into_are_told(
    home: Home, inside: Run
) -> None:
    home.gimp("2.10.34", "gimp")

    answer = inside("gimp", "install")

    assert answer.returncode == 1
    assert str(home.folder / ".config/GIMP") in answer.stderr
    assert "Start GIMP 3 once" in answer.stderr


def test_a_flatpak_that_was_never_started_is_named(home: Home, inside: Run) -> None:
    home.program("flatpak", 'echo "     Version: 3.0.6"')

    answer = inside("gimp", "install")

    assert answer.returncode == 1
    assert "GIMP 3.0.6 (Flatpak) has no profile yet. Start it once" in answer.stderr


def test_gimp_s_own_variable_names_the_profile(
    home: Home, inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.profile(*NATIVE)
    chosen = home.profile("elsewhere", "my profile")
    monkeypatch.setenv("GIMP3_DIRECTORY", str(chosen))

    answer = inside("gimp", "install")

    assert answer.stdout.splitlines() == [str(chosen / "plug-ins/focuskit")]


def test_the_folder_for_settings_may_be_another(
    home: Home, inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = home.profile("settings", "GIMP", "3.2")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home.folder / "settings"))

    assert inside("gimp", "install").stdout.splitlines() == [str(profile / "plug-ins/focuskit")]


def test_a_profile_that_flatpak_shares_is_done_once(home: Home, inside: Run) -> None:
    profile = home.profile(*NATIVE)
    shared = home.folder / ".var/app/org.gimp.GIMP/config"
    shared.mkdir(parents=True)
    (shared / "GIMP").symlink_to(profile.parent)

    assert inside("gimp", "install").stdout.splitlines() == [str(profile / "plug-ins/focuskit")]


def test_a_named_profile_may_be_its_folder_of_plug_ins(home: Home, inside: Run) -> None:
    profile = home.profile("anywhere", "x")

    answer = inside("gimp", "install", "--profile", profile / "plug-ins")

    assert answer.stdout.splitlines() == [str(profile / "plug-ins/focuskit")]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("Pictures", "does not look like a profile"),
        (".config/GIMP", "did you mean"),
        (".config/GIMP/2.10", "needs GIMP 3"),
        ("nowhere", "Start GIMP 3 once"),
    ],
)
def test_a_folder_that_is_no_profile_is_refused(
    home: Home, inside: Run, place: str, told: str
) -> None:
    home.profile(*NATIVE)
    home.profile(".config", "GIMP", "2.10")
    (home.folder / "Pictures").mkdir()
    (home.folder / "Pictures/a.jpg").write_bytes(b"")
    before = everything(home.folder)

    answer = inside("gimp", "install", "--profile", home.folder / place)

    assert answer.returncode == 1
    assert told in answer.stderr
    assert everything(home.folder) == before


def test_another_python_must_have_focuskit(home: Home, inside: Run) -> None:
    profile = home.profile(*NATIVE)
    without = home.program(
        "python-x", "echo \"ModuleNotFoundError: No module 'focuskit'\" >&2; exit 1"
    )
    having = home.program("python-y", "echo 0.1.0")
    before = everything(home.folder)

    refused = inside("gimp", "install", "--python", without)
    absent = inside("gimp", "install", "--python", "/nowhere/python")

    assert (refused.returncode, absent.returncode) == (2, 2)
    assert "No module 'focuskit'" in refused.stderr
    assert "/nowhere/python is not there" in " ".join(absent.stderr.split())
    assert everything(home.folder) == before

    # By its name alone, too, as a shell would find it.
    assert inside("gimp", "install", "--python", "python-y").returncode == 0
    assert _settings(profile)["python"] == str(having)


def test_a_profile_that_is_read_only_is_named_and_the_others_are_done(
    home: Home, inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, other = home.profile(*NATIVE), home.profile(*FLATPAK)
    before = everything(closed)
    mkdir = Path.mkdir

    def refused(self: Path, *args: int, **named: bool) -> None:
        # As the system does, which lets root write anywhere.
        if self.parent == closed / "plug-ins":
            raise PermissionError(errno.EACCES, "Permission denied")
        mkdir(self, *args, **named)

    monkeypatch.setattr(Path, "mkdir", refused)
    answer = inside("gimp", "install")

    assert answer.returncode == 1
    assert f"cannot be written to {closed / 'plug-ins'} (Permission denied)" in answer.stderr
    assert "See to it that you may write" in answer.stderr
    assert everything(closed) == before
    assert answer.stdout.splitlines() == [str(other / "plug-ins/focuskit")]


@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_leaves_all_as_it_was(
    home: Home, inside: Run, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    profile = home.profile(*NATIVE)
    if there:
        inside("gimp", "install")
        (home.shipped / "job.py").write_text("newer")
    else:
        shutil.rmtree(profile / "plug-ins")
    before = everything(home.folder)
    flushed = []

    def full(descriptor: int) -> None:
        flushed.append(descriptor)
        if len(flushed) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gimp_install.os, "fsync", full)
    answer = inside("gimp", "install")

    assert answer.returncode == 1
    assert "Free some space" in answer.stderr
    assert everything(home.folder) == before


@pytest.mark.parametrize("step", [1, 2])
def test_an_installation_that_was_cut_off_is_put_right(
    home: Home, inside: Run, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    profile = home.profile(*NATIVE)
    inside("gimp", "install")
    (profile / "plug-ins/focuskit/mine.txt").write_text("mine")
    (home.shipped / "job.py").write_text("newer")
    renames = []
    rename = os.rename

    def cut(source: Path, target: Path) -> None:
        renames.append(target)
        if len(renames) >= step:
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(gimp_install.os, "rename", cut)
        # A power cut runs no clean-up.
        patched.setattr(gimp_install.shutil, "rmtree", lambda *_args, **_named: None)
        assert inside("gimp", "install").returncode == 130
    assert len(list((profile / "plug-ins").glob(".focuskit-*"))) == step

    assert inside("gimp", "install").returncode == 0

    files = _written(profile)
    assert files["job.py"] == b"newer"
    assert files["mine.txt"] == b"mine"
    assert list((profile / "plug-ins").glob(".focuskit-*")) == []


def test_a_list_of_files_that_is_damaged_hurts_nobody(home: Home, inside: Run) -> None:
    profile = home.profile(*NATIVE)
    inside("gimp", "install")
    folder = profile / "plug-ins" / "focuskit"
    (folder / "mine.txt").write_text("mine")
    (folder / "focuskit-files.json").write_text('{"files": {"../other/other.py": "", "a": 1')

    assert inside("gimp", "uninstall").returncode == 0

    assert _written(profile) == {"mine.txt": b"mine"}
    assert (profile / "plug-ins/other/other.py").exists()


def test_a_list_that_points_outside_is_not_followed(home: Home, inside: Run) -> None:
    profile = home.profile(*NATIVE)
    inside("gimp", "install")
    path = profile / "plug-ins/focuskit/focuskit-files.json"
    manifest = json.loads(path.read_text())
    manifest["files"] |= {"../other/other.py": "0", "/etc/passwd": "0"}
    path.write_text(json.dumps(manifest))

    assert inside("gimp", "uninstall").returncode == 0

    assert (profile / "plug-ins/other/other.py").exists()
    assert not path.parent.exists()


def test_without_the_plug_in_in_the_package_that_is_told(
    home: Home, inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = home.profile(*NATIVE)
    before = everything(profile)
    monkeypatch.setattr(gimp_files, "shipped_folder", SHIPPED_FOLDER)
    monkeypatch.setattr(gimp_files, "SCRIPT", "not-there.py")

    answer = inside("gimp", "install")

    assert answer.returncode == 1
    assert "came without GIMP's plug-in" in answer.stderr
    assert everything(profile) == before
