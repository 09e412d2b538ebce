"""The GIMPs of this machine: which are there, of which version, and what their sandboxes allow."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from focuskit.bridge.gimp_profiles import FLATPAK_APP
from focuskit.errors import BridgeError

__all__ = ["Program", "ask", "clean_environment", "find_programs", "start"]

_PROGRAM = re.compile(r"gimp(-console)?(-3(\.\d+)?)?(\.exe)?")
_VERSION = re.compile(r"\b(\d+\.\d+(?:\.\d+)?)\b")
_ASK_S = 20
_START_S = 180
# GIMP and virtual environments set these for their own libraries and modules.
_FOREIGN = ("PYTHON", "LD_LIBRARY_PATH", "LD_PRELOAD", "GI_", "DYLD_")


@dataclass(frozen=True, slots=True)
class Program:
    """A GIMP 3 that can be started.

    Args:
        kind: "native", "flatpak" or "snap".
        version: "3.0.4".
        command: what starts it, without arguments.
    """

    kind: str
    version: str
    command: tuple[str, ...]

    def uses(self, kind: str, version: str | None) -> bool:
        """Tell whether it may use a profile in a place of this kind and of this version."""
        same = version is None or version == ".".join(self.version.split(".")[:2])
        # Flathub's GIMP is allowed to use the folder of the others, and does since GIMP 3.
        return same and (kind == self.kind or (self.kind, kind) == ("flatpak", "native"))


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without what leads another program to the wrong libraries."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    return kept | more


def find_programs() -> list[Program]:
    """Return the GIMPs 3 of this machine, each version and kind once; starts none of them."""
    found: dict[tuple[str, str], Program] = {}
    for program in (*_native(), *_flatpak(), *_snap()):
        if program.version.startswith("3."):
            found.setdefault((program.kind, program.version), program)
    return list(found.values())


def start(program: Program) -> None:
    """Start a GIMP without a window and let it end at once, so that it makes its profile.

    Raises:
        BridgeError: it failed, or was not done in three minutes.
    """
    command = [*program.command, "--no-interface", "--quit"]
    try:
        subprocess.run(
            command,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_START_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise BridgeError(
            f"GIMP {program.version} has no profile yet, and could not be started without a "
            f"window to make one ({exc}). Start it once, close it, and repeat the command."
        ) from exc


def _native() -> Iterator[Program]:
    for path in _candidates(platform.system(), os.environ, Path.home()):
        version = _version(ask((str(path), "--version")))
        if version is not None:
            yield Program("native", version, (str(path),))


def _flatpak() -> Iterator[Program]:
    if shutil.which("flatpak") is None:
        return
    said = ask(("flatpak", "info", FLATPAK_APP)) or ""
    lines = [line for line in said.splitlines() if line.strip().startswith("Version:")]
    version = _version(lines[0]) if lines else None
    if version is not None:
        yield Program("flatpak", version, ("flatpak", "run", FLATPAK_APP))


def _snap() -> Iterator[Program]:
    if shutil.which("snap") is None:
        return
    said = ask(("snap", "list", "gimp")) or ""
    rows = [line.split() for line in said.splitlines() if line.startswith("gimp ")]
    version = _version(rows[0][1]) if rows and len(rows[0]) > 1 else None
    if version is not None:
        yield Program("snap", version, ("snap", "run", "gimp"))


def _candidates(system: str, env: Mapping[str, str], home: Path) -> list[Path]:
    """Return the programs that may be a GIMP 3; those without a window come first."""
    folders = [Path(each) for each in env.get("PATH", "").split(os.pathsep) if each]
    if system == "Darwin":
        inside = Path("GIMP.app") / "Contents" / "MacOS"
        folders += [Path("/Applications") / inside, home / "Applications" / inside]
    if system == "Windows":
        roots = [
            env.get("PROGRAMFILES"),
            env.get("LOCALAPPDATA") and env["LOCALAPPDATA"] + "\\Programs",
        ]
        folders += [Path(root) / "GIMP 3" / "bin" for root in roots if root]
    found: dict[Path, Path] = {}
    for folder in folders:
        for path in _gimps_in(folder):
            if system == "Windows" and "console" not in path.name:
                # Whatever it is asked, it opens a window there.
                continue
            target = path.resolve()
            # A Snap's command on PATH is a link to snap itself.
            if target.name != "snap":
                found.setdefault(target, path)
    return sorted(found.values(), key=lambda path: "console" not in path.name)


def _gimps_in(folder: Path) -> list[Path]:
    try:
        names = sorted(each for each in os.listdir(folder) if _PROGRAM.fullmatch(each))
    except OSError:
        return []
    return [folder / name for name in names if os.access(folder / name, os.X_OK)]


def _version(text: str | None) -> str | None:
    match = _VERSION.search(text or "")
    return match[1] if match else None


def ask(command: Sequence[str]) -> str | None:
    """Return what a program says on stdout; None if it fails or does not answer in time."""
    try:
        answer = subprocess.run(
            command,
            env=clean_environment(LC_ALL="C.UTF-8"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_ASK_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout
