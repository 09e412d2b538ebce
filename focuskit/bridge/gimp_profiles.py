"""Where the profiles of GIMP 3 lie: its own folders, Flatpak's, Snap's, macOS's and Windows's."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from focuskit.errors import InputError

__all__ = [
    "FLATPAK_APP",
    "PLUG_IN",
    "Profile",
    "find_profiles",
    "native_profile",
    "places",
    "profile_at",
]

PLUG_IN = "focuskit"

FLATPAK_APP = "org.gimp.GIMP"

_VERSION = re.compile(r"3\.\d+")
_OLD_VERSION = re.compile(r"2\.\d+")
# Some of what GIMP writes into every profile at its first start.
_SIGNS = ("gimprc", "pluginrc", "plug-ins", "colorrc", "parasiterc", "sessionrc", "brushes")


@dataclass(frozen=True, slots=True)
class Profile:
    """A folder in which a GIMP keeps what belongs to its user.

    Args:
        folder: absolute.
        kind: whose place it lies in: "native", "flatpak" or "snap".
        version: "3.0"; None where the folder's name does not say.
    """

    folder: Path
    kind: str = "native"
    version: str | None = None

    @property
    def plug_ins(self) -> Path:
        """The folder of all plug-ins."""
        return self.folder / "plug-ins"

    @property
    def plug_in(self) -> Path:
        """The folder of focuskit's plug-in, whether it is there or not."""
        return self.plug_ins / PLUG_IN

    @property
    def title(self) -> str:
        """What to call it, such as "GIMP 3.0 (Flatpak)"."""
        name = f"GIMP {self.version or '3'}"
        return name if self.kind == "native" else f"{name} ({self.kind.capitalize()})"


def places(system: str, env: Mapping[str, str], home: Path) -> list[tuple[str, Path]]:
    """Return the folders that hold a profile per version, with their kind.

    Args:
        system: as `platform.system()` names it.
        env: the environment.
        home: the user's folder.
    """
    if system == "Windows":
        roaming = env.get("APPDATA")
        return [("native", (Path(roaming) if roaming else home / "AppData/Roaming") / "GIMP")]
    if system == "Darwin":
        return [("native", home / "Library" / "Application Support" / "GIMP")]
    config = env.get("XDG_CONFIG_HOME", "")
    own = Path(config) if os.path.isabs(config) else home / ".config"
    return [
        ("native", own / "GIMP"),
        ("flatpak", home / ".var" / "app" / FLATPAK_APP / "config" / "GIMP"),
        ("snap", home / "snap" / "gimp" / "current" / ".config" / "GIMP"),
        ("snap", home / "snap" / "gimp" / "common" / ".config" / "GIMP"),
    ]


def find_profiles() -> list[Profile]:
    """Return the profiles of this user that are there, each folder once.

    Where GIMP3_DIRECTORY is set, GIMP uses that folder and no other, and so does this.
    """
    chosen = _chosen()
    if chosen is not None:
        return [_profile(chosen)] if chosen.is_dir() else []
    found: dict[Path, Profile] = {}
    for kind, place in places(platform.system(), os.environ, Path.home()):
        for folder in _version_folders(place):
            # Flatpak may have linked its folder to the other one.
            found.setdefault(folder.resolve(), Profile(folder, kind, folder.name))
    return list(found.values())


def native_profile(version: str) -> Profile:
    """Return the profile that a GIMP 3 outside any sandbox uses, whether it is there or not.

    Args:
        version: of GIMP, "3.0.4".
    """
    chosen = _chosen()
    if chosen is not None:
        return _profile(chosen)
    short = ".".join(version.split(".")[:2])
    _, place = places(platform.system(), os.environ, Path.home())[0]
    return Profile(place / short, "native", short)


def profile_at(path: Path) -> Profile:
    """Return the profile in a folder that somebody named; its plug-in folder will do, too.

    Raises:
        InputError: there is no such folder, or it is no profile of GIMP 3.
    """
    folder = Path(os.path.abspath(path.expanduser()))
    if folder.name == "plug-ins":
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder. Start GIMP 3 once, which makes its profile, or name "
            "another one with --profile."
        )
    if _OLD_VERSION.fullmatch(folder.name):
        raise InputError(
            f"{folder} is a profile of GIMP {folder.name}; the plug-in needs GIMP 3. Name a "
            "profile of GIMP 3 with --profile."
        )
    names = {each.name for each in folder.iterdir()}
    if names and not names.intersection(_SIGNS):
        inside = [each.name for each in _version_folders(folder)]
        hint = f"; did you mean {folder / inside[-1]}?" if inside else "."
        raise InputError(
            f"{folder} does not look like a profile of GIMP: there is no {', no '.join(_SIGNS[:3])}"
            f" in it. In GIMP, Edit > Preferences > Folders > Plug-ins shows the right one{hint}"
        )
    return _profile(folder)


def _chosen() -> Path | None:
    named = os.environ.get("GIMP3_DIRECTORY")
    # GIMP takes a relative one from the home folder.
    return Path.home() / named if named else None


def _profile(folder: Path) -> Profile:
    version = folder.name if _VERSION.fullmatch(folder.name) else None
    parts = folder.parts
    if FLATPAK_APP in parts:
        return Profile(folder, "flatpak", version)
    return Profile(folder, "snap" if "snap" in parts else "native", version)


def _version_folders(place: Path) -> Iterator[Path]:
    try:
        names = sorted(each for each in place.iterdir() if _VERSION.fullmatch(each.name))
    except OSError:
        return
    yield from (each for each in names if each.is_dir())
