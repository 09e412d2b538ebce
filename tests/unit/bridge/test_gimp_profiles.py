from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from focuskit.bridge import gimp_files
from focuskit.bridge.gimp_files import SCRIPT, origin, shipped_files
from focuskit.bridge.gimp_profiles import Profile, places
from focuskit.bridge.gimp_programs import Program, _candidates

HOME = Path("/home/zoë")


@pytest.mark.parametrize(
    ("system", "env", "kind", "place"),
    [
        ("Linux", {}, "native", HOME / ".config/GIMP"),
        ("Linux", {"XDG_CONFIG_HOME": "/settings"}, "native", Path("/settings/GIMP")),
        # The standard says that a relative one counts for nothing.
        ("Linux", {"XDG_CONFIG_HOME": "settings"}, "native", HOME / ".config/GIMP"),
        ("Linux", {}, "flatpak", HOME / ".var/app/org.gimp.GIMP/config/GIMP"),
        ("Linux", {}, "snap", HOME / "snap/gimp/current/.config/GIMP"),
        ("Linux", {}, "snap", HOME / "snap/gimp/common/.config/GIMP"),
        ("Darwin", {}, "native", HOME / "Library/Application Support/GIMP"),
        ("Windows", {"APPDATA": "C:/Users/Z/Roaming"}, "native", Path("C:/Users/Z/Roaming/GIMP")),
        ("Windows", {}, "native", HOME / "AppData/Roaming/GIMP"),
    ],
)
def test_places(system: str, env: dict[str, str], kind: str, place: Path) -> None:
    assert (kind, place) in places(system, env, HOME)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_programs_come_once_those_without_a_window_first(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    names = ["gimp-3.0", "gimp-console-3.0", "gimp-script-fu-interpreter-3.0", "gimp-2.10", "snap"]
    for folder in (first, second):
        folder.mkdir()
    for name in names:
        (first / name).write_text("")
        (first / name).chmod(0o755)
    (first / "gimp").symlink_to("gimp-3.0")
    (second / "gimp").symlink_to(first / "snap")
    (second / "gimp-3").write_text("cannot be run")
    env = {"PATH": f"{first}:{second}:{tmp_path / 'absent'}:"}

    found = _candidates("Linux", env, HOME)

    assert [path.resolve().name for path in found] == ["gimp-console-3.0", "gimp-3.0"]


def test_on_windows_only_programs_without_a_window_are_asked(tmp_path: Path) -> None:
    folder = tmp_path / "GIMP 3" / "bin"
    folder.mkdir(parents=True)
    for name in ("gimp-3.0.exe", "gimp-console-3.0.exe", "gimp-console-3.0.dll"):
        (folder / name).write_text("")
        (folder / name).chmod(0o755)

    found = _candidates("Windows", {"PROGRAMFILES": str(tmp_path)}, HOME)

    assert found == [folder / "gimp-console-3.0.exe"]


@pytest.mark.parametrize(
    ("program", "profile", "uses"),
    [
        (("native", "3.0.4"), ("native", "3.0"), True),
        (("native", "3.0.4"), ("native", "3.2"), False),
        (("native", "3.0.4"), ("native", None), True),
        (("native", "3.0.4"), ("flatpak", "3.0"), False),
        (("flatpak", "3.0.4"), ("flatpak", "3.0"), True),
        # Flathub's may use the other one's folder.
        (("flatpak", "3.0.4"), ("native", "3.0"), True),
        (("snap", "3.0.4"), ("native", "3.0"), False),
    ],
)
def test_who_uses_which_profile(
    program: tuple[str, str], profile: tuple[str, str | None], uses: bool
) -> None:
    assert Program(*program, ("gimp",)).uses(*profile) is uses


def test_a_profile_is_called_by_version_and_sandbox() -> None:
    assert Profile(HOME, "native", "3.0").title == "GIMP 3.0"
    assert Profile(HOME, "flatpak", "3.2").title == "GIMP 3.2 (Flatpak)"
    assert Profile(HOME).title == "GIMP 3"


def test_in_a_wheel_the_plug_in_lies_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "focuskit/plugins/gimp/focuskit"
    inside.mkdir(parents=True)
    (inside / SCRIPT).write_bytes(b"of the wheel")
    (inside / "__pycache__").mkdir()
    (inside / "__pycache__/focuskit.cpython-313.pyc").write_bytes(b"")
    monkeypatch.setattr(gimp_files, "__file__", str(tmp_path / "focuskit/bridge/gimp_files.py"))

    assert shipped_files() == {SCRIPT: b"of the wheel"}
    assert origin() == "wheel"


def test_the_plug_in_that_ships_is_whole_and_needs_no_packages() -> None:
    files = shipped_files()

    assert files[SCRIPT].startswith(b"#!/usr/bin/env python3\n")
    assert origin() == "checkout"
    own = {name.removesuffix(".py") for name in files}
    for name, content in files.items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(content)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            for top in (each.split(".")[0] for each in names):
                assert top in own | {"gi"} | sys.stdlib_module_names, f"{name} imports {top}"
