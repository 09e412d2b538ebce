"""Shots of servers, looked at as copies in a private folder that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from focuskit.batch.remote import fetch
from focuskit.batch.shots import Shot
from focuskit.errors import FocuskitError, InputError

__all__ = ["on_copy"]

R = TypeVar("R")

_PREFIX = "focuskit-copy-"
# No photo takes so long; what is older was left behind by a process that was killed.
_LEFT_BEHIND_S = 24 * 3600


def on_copy(job: Callable[[Shot], R], shot: Shot) -> R:
    """Run a job on a shot; if that is on a server, on a copy of it.

    The judged file is fetched, and the others only if the job cannot read that one. Paths and texts
    in what comes back name the files on the server.

    Args:
        job: takes a shot whose files are on this machine.
        shot: any.

    Raises:
        FocuskitError: by the job, or a file cannot be fetched.
    """
    if not shot.remote:
        return job(shot)
    _sweep()
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder:
        # Two files of one shot may differ in nothing but the case of a letter.
        files = [
            Path(folder, str(index), path.name)
            for index, path in enumerate(shot.files[: len(shot.remote)])
        ]
        names = _Names(shot, files)
        try:
            try:
                return names.back(job(_copied(shot, files[:1])))
            except InputError:
                if len(files) == 1 or not files[0].exists():
                    raise
                return names.back(job(_copied(shot, files)))
        except FocuskitError as exc:
            raise type(exc)(names.back(str(exc))) from exc


def _copied(shot: Shot, files: Sequence[Path]) -> Shot:
    """Fetch what is not there yet; files of this machine that go with the shot stay with it."""
    for path, remote in zip(files, shot.remote, strict=False):
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            fetch(remote, path)
    own = shot.files[len(shot.remote) :]
    return replace(shot, judged=files[0], files=(*files, *own), remote=())


class _Names:
    """Gives what a job found out about copies back under the names on the server."""

    def __init__(self, shot: Shot, files: Sequence[Path]) -> None:
        self._shot = shot
        self._paths = dict(zip(files, shot.files, strict=False))
        self._urls = {str(path): each.url for path, each in zip(files, shot.remote, strict=True)}

    def back(self, value: R) -> R:
        """Return a value with every path and every mention of a copy replaced."""
        return cast("R", self._back(value))

    def _back(self, value: Any) -> Any:
        if isinstance(value, Shot):
            return self._shot if value.name == self._shot.name else value
        if isinstance(value, Path):
            return self._paths.get(value, value)
        if isinstance(value, str):
            for here, url in self._urls.items():
                value = value.replace(here, url)
            return value
        if type(value) is tuple or isinstance(value, list):
            moved = [self._back(each) for each in value]
            same = all(new is old for new, old in zip(moved, value, strict=True))
            return value if same else type(value)(moved)
        if isinstance(value, Mapping):
            return {key: self._back(each) for key, each in value.items()}
        if is_dataclass(value) and not isinstance(value, type):
            return self._dataclass_back(value)
        return value

    def _dataclass_back(self, value: Any) -> Any:
        now = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        moved = {name: self._back(each) for name, each in now.items()}
        changed = {name: each for name, each in moved.items() if each is not now[name]}
        return replace(value, **changed) if changed else value


@cache
def _sweep() -> None:
    """Remove what killed processes left behind, once."""
    owner = os.getuid() if hasattr(os, "getuid") else None
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            found = folder.lstat()
        except OSError:
            continue
        old = time.time() - found.st_mtime > _LEFT_BEHIND_S
        if old and stat.S_ISDIR(found.st_mode) and owner in (None, found.st_uid):
            shutil.rmtree(folder, ignore_errors=True)
