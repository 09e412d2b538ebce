"""What GIMP's plug-in consists of, and what a profile holds of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from focuskit.bridge.gimp_profiles import PLUG_IN, Profile
from focuskit.errors import BridgeError

__all__ = [
    "MANIFEST",
    "SCRIPT",
    "SETTINGS",
    "Installed",
    "State",
    "digest",
    "inspect",
    "names_in",
    "origin",
    "shipped_files",
    "shipped_folder",
]

# GIMP loads NAME/NAME.py and nothing else.
SCRIPT = f"{PLUG_IN}.py"
SETTINGS = "focuskit-bridge.json"
MANIFEST = "focuskit-files.json"


class State(StrEnum):
    """What lies where focuskit's plug-in belongs."""

    ABSENT = "absent"
    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Installed:
    """What a profile holds of focuskit's plug-in.

    Args:
        state: whether it is there, and focuskit's.
        version: focuskit's, when it was installed.
        python: what runs the worker.
        files: SHA-256 of what was written, by name; empty where that is not known.
        made_folder: installing it made the folder of plug-ins, too.
        missing: names of what was written and is gone.
        kept: names of what focuskit did not write, or somebody changed since.
    """

    state: State
    version: str | None = None
    python: Path | None = None
    files: dict[str, str] = field(default_factory=dict)
    made_folder: bool = False
    missing: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of files of focuskit's that somebody changed."""
        return tuple(name for name in self.kept if name in self.files)


def shipped_folder() -> Path:
    """Return the plug-in's folder that came with this focuskit.

    Raises:
        BridgeError: it is not there.
    """
    package = Path(__file__).resolve().parents[1]
    # In a wheel plugins/ lies inside the package, in a checkout beside it.
    for place in (package / "plugins", package.parent / "plugins"):
        folder = place / "gimp" / PLUG_IN
        if (folder / SCRIPT).is_file():
            return folder
    raise BridgeError(
        f"This focuskit came without GIMP's plug-in: there is no plugins/gimp/{PLUG_IN}/{SCRIPT} "
        f"in or beside {package}. Install focuskit again: pip install --force-reinstall focuskit"
    )


def origin() -> str:
    """Return where the plug-in that came with this focuskit lies: in a "wheel" or a "checkout"."""
    inside = shipped_folder().is_relative_to(Path(__file__).resolve().parents[1])
    return "wheel" if inside else "checkout"


def shipped_files() -> dict[str, bytes]:
    """Return what the plug-in that came with this focuskit consists of, by name.

    Raises:
        BridgeError: it is not there.
    """
    folder = shipped_folder()
    return {
        name: (folder / name).read_bytes()
        for name in names_in(folder)
        if not name.endswith(".pyc") and not any(part[0] == "." for part in name.split("/"))
    }


def inspect(profile: Profile) -> Installed:
    """Look at what lies where focuskit's plug-in belongs; changes nothing."""
    folder = profile.plug_in
    if not os.path.lexists(folder):
        return Installed(State.ABSENT)
    if folder.is_symlink() or not (folder / MANIFEST).is_file():
        return Installed(State.FOREIGN)
    manifest = _read(folder / MANIFEST)
    files = _checked_names(manifest.get("files"))
    python = _read(folder / SETTINGS).get("python")
    version = manifest.get("focuskit")
    # A damaged list says nothing; what this focuskit would write is the best guess.
    known = files or dict.fromkeys((*shipped_files(), SETTINGS), "")
    there = names_in(folder)
    return Installed(
        State.OURS,
        version=version if isinstance(version, str) else None,
        python=Path(python) if isinstance(python, str) and python else None,
        files=known,
        made_folder=manifest.get("made_folder") is True,
        missing=tuple(name for name in known if name not in there),
        kept=tuple(name for name in there if not _is_ours(folder, name, known)),
    )


def digest(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def names_in(folder: Path) -> list[str]:
    """Return the names of all files below a folder, with `/`; a link is one, wherever it leads."""
    found: list[str] = []
    for place, below, names in os.walk(folder):
        links = [name for name in below if Path(place, name).is_symlink()]
        found += [Path(place, name).relative_to(folder).as_posix() for name in (*names, *links)]
    return sorted(found)


def _is_ours(folder: Path, name: str, files: dict[str, str]) -> bool:
    if name == MANIFEST:
        return True
    path = PurePosixPath(name)
    if path.parent.name == "__pycache__":
        # Python keeps what it compiled of x.py as __pycache__/x.cpython-313.pyc.
        source = path.parent.parent / f"{path.name.split('.')[0]}.py"
        return path.suffix == ".pyc" and str(source) in files
    if name not in files or (folder / name).is_symlink():
        return False
    # The settings are meant to be changed, and are written anew every time.
    return name == SETTINGS or files[name] in ("", digest((folder / name).read_bytes()))


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _checked_names(files: object) -> dict[str, str]:
    """Return the names of a manifest that stay inside their folder."""
    if not isinstance(files, dict):
        return {}
    return dict(_inside(files))


def _inside(files: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    for name, sha in files.items():
        path = PurePosixPath(str(name))
        if not path.is_absolute() and ".." not in path.parts and "\\" not in str(name):
            yield str(path), str(sha)
