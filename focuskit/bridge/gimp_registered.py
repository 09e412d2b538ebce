"""What a GIMP has taken note of: its pluginrc lists the plug-ins that it asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from focuskit.bridge.gimp_files import MANIFEST, SCRIPT
from focuskit.bridge.gimp_profiles import PLUG_IN, Profile

__all__ = ["Registered", "registered"]

_ENTRY = re.compile(r'^\(plug-in-def "(?P<path>[^"]*)" (?P<time>\d+)', re.MULTILINE)
_PROCEDURE = re.compile(r'^\s*\(proc-def "(?P<name>[^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Registered:
    """What GIMP knows of focuskit's plug-in.

    Args:
        procedures: their names; empty where GIMP knows none.
        asked: GIMP has asked the plug-in that is there now, and not another or none.
    """

    procedures: tuple[str, ...]
    asked: bool


def registered(profile: Profile) -> Registered:
    """Read what the GIMP of a profile knows of the plug-in that is there."""
    rc = profile.folder / "pluginrc"
    script = profile.plug_in / SCRIPT
    try:
        text = rc.read_text(encoding="utf-8", errors="replace")
        written = script.stat().st_mtime
    except OSError:
        return Registered((), asked=False)
    entries = list(_ENTRY.finditer(text))
    for entry, after in zip(entries, [*entries[1:], None], strict=True):
        # GIMP writes ${gimp_dir} for the profile, and backslashes twice on Windows.
        if not re.sub(r"[\\/]+", "/", entry["path"]).endswith(f"plug-ins/{PLUG_IN}/{SCRIPT}"):
            continue
        own = text[entry.end() : after.start() if after else len(text)]
        names = tuple(match["name"] for match in _PROCEDURE.finditer(own))
        return Registered(names, asked=int(entry["time"]) == int(written))
    newer = rc.stat().st_mtime > (profile.plug_in / MANIFEST).stat().st_mtime
    return Registered((), asked=newer)
