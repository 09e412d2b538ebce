"""Put the plug-in into a profile of GIMP, and take it out again, leaving the rest as it was.

A new version is written beside the old one and takes its name at once: GIMP sees the one or the
other. What was written is listed in the folder itself, so that exactly that is removed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from focuskit.bridge.gimp_files import (
    MANIFEST,
    SCRIPT,
    SETTINGS,
    Installed,
    State,
    digest,
    inspect,
    names_in,
    origin,
    shipped_files,
)
from focuskit.bridge.gimp_profiles import PLUG_IN, Profile
from focuskit.errors import OutputError, OutputExistsError

__all__ = ["Change", "check_place", "install", "uninstall"]

# Hidden, and not of the name of a file in them: GIMP looks into neither.
_NEW = f".{PLUG_IN}-new"
_OLD = f".{PLUG_IN}-old"


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a profile.

    Args:
        profile: which one.
        before: what it held.
        kept: files that are not focuskit's, or were changed by somebody, and are still there.
    """

    profile: Profile
    before: Installed
    kept: tuple[Path, ...] = ()


def check_place(profile: Profile) -> Installed:
    """Return what a profile holds, if focuskit may write its plug-in there; changes nothing.

    Raises:
        OutputExistsError: a plug-in of that name is there, and not focuskit's.
    """
    found = inspect(profile)
    if found.state is State.FOREIGN:
        raise OutputExistsError(
            f"{profile.plug_in} is there already, and was not written by `focuskit gimp install`; "
            "it is left alone. Move it out of the folder plug-ins, and repeat."
        )
    return found


def install(profile: Profile, python: Path, version: str) -> Change:
    """Write the plug-in into a profile, in place of an older one.

    Files that a user put into the plug-in's folder stay; one of focuskit's that was changed stays
    as NAME.changed.

    Args:
        profile: is there.
        python: absolute; runs the worker.
        version: focuskit's.

    Raises:
        BridgeError: this focuskit came without the plug-in.
        OutputExistsError: a plug-in of that name is there, and not focuskit's.
        OutputError: it cannot be written; then nothing has changed.
    """
    shipped = shipped_files()
    settings = {"python": str(python), "focuskit": version, "source": origin()}
    files = shipped | {SETTINGS: _json(settings)}
    with _told(profile, "written to"):
        _recover(profile.plug_ins)
        before = check_place(profile)
        made_folder = not profile.plug_ins.is_dir()
        profile.plug_ins.mkdir(exist_ok=True)
        new = profile.plug_ins / _NEW
        try:
            _write(new, files, version, made_folder=made_folder or before.made_folder)
            kept = _carry_over(profile.plug_in, new, before, files)
            _swap(new, profile.plug_in, profile.plug_ins / _OLD)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            if made_folder:
                _remove_if_empty(profile.plug_ins)
            raise
    return Change(profile, before, tuple(profile.plug_in / name for name in kept))


def uninstall(profile: Profile) -> Change | None:
    """Remove what `install` wrote, and nothing else; None if there is nothing of it.

    Raises:
        OutputExistsError: a plug-in of that name is there, and not focuskit's.
        OutputError: a file cannot be removed.
    """
    with _told(profile, "removed from"):
        _recover(profile.plug_ins)
        before = check_place(profile)
        if before.state is State.ABSENT:
            return None
        folder = profile.plug_in
        kept = [_set_aside(folder, name, before) for name in before.kept]
        _remove(folder, [name for name in names_in(folder) if name not in kept])
        if before.made_folder:
            _remove_if_empty(profile.plug_ins)
    return Change(profile, before, tuple(folder / name for name in kept))


@contextmanager
def _told(profile: Profile, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        full = exc.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        hint = (
            "Free some space, and repeat."
            if full
            else f"See to it that you may write to {profile.plug_ins}, and repeat."
        )
        raise OutputError(
            f"The plug-in cannot be {what} {profile.plug_ins} ({exc.strerror or exc}). {hint}"
        ) from exc


def _recover(plug_ins: Path) -> None:
    """Put right what an installation left that was cut off, by a power cut for instance."""
    old, new, place = plug_ins / _OLD, plug_ins / _NEW, plug_ins / PLUG_IN
    if old.is_dir() and not os.path.lexists(place):
        os.rename(old, place)
    for leftover in (old, new):
        if leftover.is_dir():
            shutil.rmtree(leftover)


def _write(folder: Path, files: dict[str, bytes], version: str, *, made_folder: bool) -> None:
    folder.mkdir()
    manifest = {
        "focuskit": version,
        "files": {name: digest(content) for name, content in files.items()},
        "made_folder": made_folder,
    }
    for name, content in (files | {MANIFEST: _json(manifest)}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        path.chmod(0o755 if name == SCRIPT else 0o644)


def _carry_over(folder: Path, new: Path, before: Installed, files: dict[str, bytes]) -> list[str]:
    """Copy what is not focuskit's to the new folder; gives the names that it has there."""
    kept = []
    for name in before.kept:
        target = _free_name(new, name, changed=name in before.files or name in files)
        (new / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / name, new / target, follow_symlinks=False)
        kept.append(target)
    return kept


def _set_aside(folder: Path, name: str, before: Installed) -> str:
    if name not in before.files:
        return name
    target = _free_name(folder, name, changed=True)
    os.rename(folder / name, folder / target)
    return target


def _free_name(folder: Path, name: str, *, changed: bool) -> str:
    wanted = f"{name}.changed" if changed else name
    number = 2
    while os.path.lexists(folder / wanted):
        wanted = f"{name}.changed-{number}"
        number += 1
    return wanted


def _swap(new: Path, place: Path, old: Path) -> None:
    if not place.is_dir():
        os.rename(new, place)
        return
    os.rename(place, old)
    try:
        os.rename(new, place)
    except BaseException:
        os.rename(old, place)
        raise
    # The new one is in place; what is left of the old one goes next time, if not now.
    shutil.rmtree(old, ignore_errors=True)


def _remove(folder: Path, names: list[str]) -> None:
    # Without its script GIMP sees no plug-in; without its list nobody could go on from here.
    for name in sorted(names, key=lambda name: (name == MANIFEST, name != SCRIPT)):
        (folder / name).unlink()
    emptied = {above for name in names for above in PurePosixPath(name).parents}
    for below in sorted(emptied, reverse=True):
        _remove_if_empty(folder / below)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise


def _json(content: Mapping[str, object]) -> bytes:
    # ASCII: whoever reads it need not know the encoding, and a path of any bytes comes through.
    return json.dumps(content, indent=2).encode("ascii") + b"\n"
