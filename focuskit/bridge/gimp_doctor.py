"""Whether GIMP's plug-in works: what was found for each profile, and what to do where it fails."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import focuskit
from focuskit.bridge.gimp_files import (
    MANIFEST,
    SCRIPT,
    SETTINGS,
    Installed,
    State,
    digest,
    inspect,
    shipped_files,
)
from focuskit.bridge.gimp_profiles import PLUG_IN, Profile, places
from focuskit.bridge.gimp_programs import Program, find_programs
from focuskit.bridge.gimp_registered import registered
from focuskit.bridge.gimp_sandboxes import sandboxes
from focuskit.bridge.gimp_worker import focuskit_of, round_trip
from focuskit.errors import BridgeError

__all__ = ["Finding", "Verdict", "examine", "no_profile"]

_REPEAT = "run `focuskit gimp install`"


class Verdict(StrEnum):
    """How a check came out; a note is worth knowing, and keeps nothing from working."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check said.

    Args:
        profile: None for what belongs to none.
        check: its name.
        verdict: how it came out.
        detail: what was found; after a failure, what to do.
    """

    profile: Profile | None
    check: str
    verdict: Verdict
    detail: str

    def row(self) -> dict[str, str]:
        """Return it as plain data."""
        return {
            "profile": self.profile.title if self.profile else "-",
            "check": self.check,
            "state": self.verdict.value,
            "detail": self.detail,
            "folder": str(self.profile.folder) if self.profile else "",
        }


def no_profile() -> str:
    """Return what to say where no profile was found."""
    looked = places(platform.system(), os.environ, Path.home())
    named = os.environ.get("GIMP3_DIRECTORY")
    folders = [named] if named else [str(place) for _, place in looked]
    return (
        f"No profile of GIMP 3 was found in {', '.join(folders)}. Start GIMP 3 once, close it, "
        "and repeat; or name its profile with --profile."
    )


def examine(profiles: Iterable[Profile]) -> Iterator[Finding]:
    """Check profiles one after the other; changes nothing in them."""
    programs = find_programs()
    trips: dict[object, tuple[Verdict, str]] = {}
    found = False
    for profile in profiles:
        found = True
        yield Finding(profile, "profile", Verdict.OK, str(profile.folder))
        yield _gimp(profile, programs)
        try:
            yield from _installed(profile, trips)
        except OSError as exc:
            said = f"{exc.filename} cannot be read ({exc.strerror}): it should be yours, mode 755"
            yield Finding(profile, "plug-in", Verdict.FAILED, said)
        for sandbox in sandboxes(profile, programs):
            verdict = Verdict.OK if sandbox.open else Verdict.FAILED
            yield Finding(profile, sandbox.name, verdict, sandbox.detail)
    if not found:
        yield Finding(None, "profile", Verdict.FAILED, no_profile())


def _installed(profile: Profile, trips: dict[object, tuple[Verdict, str]]) -> Iterator[Finding]:
    installed = inspect(profile)
    yield _plug_in(profile, installed)
    if installed.state is State.OURS:
        yield _run_bit(profile)
        yield _folder(profile)
        yield _registered(profile)
        yield from _worker(profile, installed, trips)


def _gimp(profile: Profile, programs: list[Program]) -> Finding:
    users = [each for each in programs if each.uses(profile.kind, profile.version)]
    if users:
        said = "; ".join(f"{each.version}, {' '.join(each.command)}" for each in users)
        return Finding(profile, "GIMP", Verdict.OK, said)
    return Finding(
        profile,
        "GIMP",
        Verdict.NOTE,
        f"no {profile.title} found on PATH: a GIMP elsewhere, such as an AppImage, works as well",
    )


def _plug_in(profile: Profile, installed: Installed) -> Finding:
    verdict = Verdict.FAILED
    if installed.state is State.ABSENT:
        said = f"not installed: {_REPEAT}"
    elif installed.state is State.FOREIGN:
        said = (
            f"{profile.plug_in} is not what focuskit installs: move it out of the folder plug-ins, "
            f"and {_REPEAT}"
        )
    elif installed.missing:
        said = f"{', '.join(installed.missing)} missing: {_REPEAT}"
    elif installed.version != focuskit.__version__:
        said = f"of focuskit {installed.version or '?'}, this is {focuskit.__version__}: {_REPEAT}"
    elif installed.changed:
        verdict = Verdict.NOTE
        said = f"{', '.join(installed.changed)} changed by hand; `focuskit gimp install` resets it"
    elif _outdated(installed):
        said = f"other files than this focuskit brings: {_REPEAT}"
    else:
        verdict, said = Verdict.OK, f"focuskit {installed.version}, as it shipped"
    return Finding(profile, "plug-in", verdict, said)


def _outdated(installed: Installed) -> bool:
    brought = {name: digest(content) for name, content in shipped_files().items()}
    return brought != {name: sha for name, sha in installed.files.items() if name != SETTINGS}


def _run_bit(profile: Profile) -> Finding:
    script = profile.plug_in / SCRIPT
    if not script.is_file():
        said = f"{SCRIPT} is missing: {_REPEAT}"
    elif os.name == "posix" and not script.stat().st_mode & 0o100:
        said = f"{SCRIPT} has no run bit, and GIMP ignores it: chmod +x '{script}'"
    elif not os.access(script, os.X_OK):
        said = (
            f"{script} lies where no programs may be run (noexec): mount that disk with exec, or "
            "set GIMP3_DIRECTORY to a folder elsewhere"
        )
    else:
        return Finding(profile, "run bit", Verdict.OK, f"{SCRIPT} may be run")
    return Finding(profile, "run bit", Verdict.FAILED, said)


def _folder(profile: Profile) -> Finding:
    copies = [
        each
        for each in sorted(profile.plug_ins.iterdir())
        if each.name != PLUG_IN and each.name[0] != "." and (each / MANIFEST).is_file()
    ]
    if copies:
        said = f"GIMP ignores the copy in {copies[0]}, whose name is another: remove it"
        return Finding(profile, "folder", Verdict.FAILED, said)
    return Finding(profile, "folder", Verdict.OK, f"{PLUG_IN}/{SCRIPT}, as GIMP wants it")


def _registered(profile: Profile) -> Finding:
    found = registered(profile)
    if found.procedures:
        later = "" if found.asked else "; of the version before, until GIMP's next start"
        verdict, said = Verdict.OK, f"{len(found.procedures)} procedures{later}"
    elif not found.asked:
        verdict, said = Verdict.NOTE, "not yet: start GIMP once"
    else:
        verdict = Verdict.FAILED
        said = (
            "GIMP has seen the plug-in and got no procedures from it: start GIMP in a terminal, "
            "which shows why (in Debian, python3-gi and gir1.2-gimp-3.0 may be missing)"
        )
    return Finding(profile, "registered", verdict, said)


def _worker(
    profile: Profile, installed: Installed, trips: dict[object, tuple[Verdict, str]]
) -> Iterator[Finding]:
    chosen = os.environ.get("FOCUSKIT_PYTHON", "").strip()
    python = Path(shutil.which(chosen) or chosen) if chosen else installed.python
    if python is None:
        said = f"{SETTINGS} names no Python: {_REPEAT}"
        yield Finding(profile, "Python", Verdict.FAILED, said)
        return
    try:
        version = focuskit_of(python)
    except BridgeError as exc:
        yield Finding(profile, "Python", Verdict.FAILED, f"{exc} Then {_REPEAT}")
        return
    if version != installed.version:
        said = f"{python} has focuskit {version}, the plug-in is of {installed.version}: {_REPEAT}"
        yield Finding(profile, "Python", Verdict.FAILED, said)
        return
    why = ", named by FOCUSKIT_PYTHON" if chosen else ""
    yield Finding(profile, "Python", Verdict.OK, f"{python}: focuskit {version}{why}")
    # The same files and the same Python need no second try.
    key = (python, frozenset(installed.files.items()), installed.kept)
    if key not in trips:
        try:
            trips[key] = (Verdict.OK, round_trip(python, profile.plug_in))
        except BridgeError as exc:
            trips[key] = (Verdict.FAILED, str(exc))
    yield Finding(profile, "worker", *trips[key])
