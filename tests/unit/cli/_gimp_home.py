"""A home folder with profiles of GIMP, and programs that say that they are GIMP."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from focuskit.bridge import gimp_files

PLUG_IN = {
    "focuskit.py": b"#!/usr/bin/env python3\nprint('the plug-in')\n",
    "job.py": b"""
class JobError(Exception):
    pass


class Picture:
    def __init__(self, strips, width, height, channels, dtype):
        self.strips, self.width, self.height = strips, width, height


class Result:
    def __init__(self, picture):
        self.pictures = {"map": picture}


class Caller:
    def __init__(self, name):
        pass

    def operations(self, told):
        told(None, "Starting")

    def run(self, operation, parameters, picture, told, **more):
        return Result(picture)

    def stop(self):
        pass

    def close(self):
        pass
""",
    "icons/focus.svg": b"<svg/>\n",
}


class Home:
    """A user's home folder; PATH holds nothing but its own programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.shipped = folder
        self.programs.mkdir(parents=True)

    def profile(self, *parts: str) -> Path:
        """Make a profile with other people's plug-ins, as GIMP leaves it."""
        profile = self.folder.joinpath(*parts)
        for name, content in {
            "gimprc": '(theme "Dark")\n',
            "plug-ins/other/other.py": "#!/usr/bin/env python3\n",
            "plug-ins/other/focuskit.py": "of somebody else\n",
            "plug-ins/focus kit – mine/notes.txt": "ü\n",
            "pluginrc": RC,
        }.items():
            path = profile / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        (profile / "plug-ins/other/other.py").chmod(0o755)
        return profile

    def program(self, name: str, script: str) -> Path:
        """Put a shell script on PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def gimp(self, version: str = "3.0.4", name: str = "gimp-console-3.0", more: str = "") -> Path:
        """Put a GIMP on PATH, which does `more` when it is started."""
        said = f'echo "GNU Image Manipulation Program version {version}"'
        return self.program(name, f'if [ "$1" = --version ]; then {said}; exit; fi\n{more}')


RC = """# GIMP pluginrc
(protocol-version 277)
(plug-in-def "${gimp_dir}/plug-ins/other/other.py" 1747522263
    (proc-def "other-thing" 1
         "Not \\"focuskit-bokeh\\" at all"))
"""


def registered(profile: Path, mtime: int | None = None, procedures: int = 2) -> None:
    """Write what GIMP writes once it has asked the plug-in."""
    script = profile / "plug-ins/focuskit/focuskit.py"
    time = int(script.stat().st_mtime) if mtime is None else mtime
    own = "".join(f'\n    (proc-def "focuskit-{n}" 1\n         "What")' for n in range(procedures))
    entry = f'(plug-in-def "${{gimp_dir}}/plug-ins/focuskit/focuskit.py" {time}{own})\n'
    (profile / "pluginrc").write_text(RC + entry, encoding="utf-8")


def everything(folder: Path) -> dict[str, tuple[str, int]]:
    """Content and mode of all that is below a folder; of a link, where it leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        what = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_symlink():
            what = os.readlink(path)
        found[str(path.relative_to(folder))] = (what, path.lstat().st_mode)
    return found


def write_plug_in(folder: Path, files: dict[str, bytes]) -> Path:
    """Write the files of a plug-in as it ships."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def make_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Make an empty home, with a space and letters beyond ASCII in its name, and move in."""
    if sys.platform != "linux":
        pytest.skip("the folders of Linux are tested on Linux")
    made = Home(tmp_path / "Zoë Müller 写真")
    monkeypatch.setenv("HOME", str(made.folder))
    monkeypatch.setenv("PATH", str(made.programs))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    for name in ("XDG_CONFIG_HOME", "GIMP3_DIRECTORY", "FOCUSKIT_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FOCUSKIT_BRIDGE_FOLDER", str(tmp_path / "worker"))
    made.shipped = write_plug_in(tmp_path / "shipped" / "focuskit", PLUG_IN)
    monkeypatch.setattr(gimp_files, "shipped_folder", lambda: made.shipped)
    return made
