"""What a step wrote for a shot: known again later, and never put onto what is not its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from focuskit.batch.catalog import Catalog, Row
from focuskit.batch.library import Problem, Shot
from focuskit.batch.naming import NamedShot
from focuskit.batch.storing import restored, stored
from focuskit.errors import InputError

__all__ = ["Made", "Outputs", "Trace", "traces"]

Names = Callable[[NamedShot], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Trace:
    """A file as it was when it had been written.

    Attributes:
        name: below the output folder, which may move.
        bytes: its size.
        mtime_ns: its time.
    """

    name: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Made:
    """What a step made of a shot.

    Attributes:
        files: by what they hold, the one that matters most first.
        said: facts about it, without places.
    """

    files: Mapping[str, Trace]
    said: dict[str, Any] = field(default_factory=dict)


def traces(folder: Path, names: Mapping[str, str]) -> dict[str, Trace]:
    """Return what files that were just written look like."""
    found = {kind: (folder / name).stat() for kind, name in names.items()}
    return {
        kind: Trace(names[kind], each.st_size, each.st_mtime_ns) for kind, each in found.items()
    }


@dataclass(frozen=True)
class Outputs:
    """The output folder of a step, as the coordinator watches over it.

    Attributes:
        folder: where results go.
        step: in the catalog.
        names: gives a shot's results by what they hold.
        originals: shots none of whose files may be replaced.
        version: of the step.
        catalog: tells which files are results of this very step.
        overwrite: whether what is there may be replaced.
        own: whether this step's results of other versions may be, as long as nobody changed them.
    """

    folder: Path
    step: str
    names: Names
    originals: Sequence[Shot]
    version: str
    catalog: Catalog
    overwrite: bool = False
    own: bool = False

    def rebound(self, made: Made, shot: Shot) -> Made:
        """Return what is known of a file's results for the shot that it is now called."""
        names = self.names(_named(shot))
        return replace(
            made,
            files={
                kind: replace(trace, name=names.get(kind, trace.name))
                for kind, trace in made.files.items()
            },
        )

    def there(self, made: Made) -> bool:
        """Whether all files are there; where they may be replaced, also as they were written."""
        found = [_stat(self.folder / trace.name) for trace in made.files.values()]
        if self.overwrite:
            return found == [(trace.bytes, trace.mtime_ns) for trace in made.files.values()]
        return None not in found

    def before(self, shot: Shot) -> Shot | Problem:
        """Return the shot with the leave to replace what is there, or why it must not be done.

        That it may be done is written down: of what a killed run left, the next one knows by it
        that it may be replaced.
        """
        one = _named(shot)
        paths = [self.folder / name for name in self.names(one).values()]
        there = {path: identity for path in paths if (identity := _identity(path)) is not None}
        for path, identity in there.items():
            if identity in self._originals:
                return Problem(
                    shot.name,
                    f"{path} is one of the photos to edit, and originals are never replaced; "
                    "choose another --output.",
                )
        if there and not self.overwrite and (why := self._foreign(shot, there)):
            return Problem(
                shot.name, f"{why}; add --overwrite to replace it, or choose another --output."
            )
        begun = stored(f"{shot.judged} was begun and not finished.")
        self.catalog.put([Row(shot.name, self.step, self.version, "again", (), begun)])
        return replace(one, replace=bool(there))

    def _foreign(self, shot: Shot, there: Iterable[Path]) -> str:
        """Return what is there that this step may not replace; empty for nothing."""
        row = self._known.get(shot.name)
        allowed = row is not None and (self.own or row.version == self.version)
        if row is None or not allowed:
            return f"{next(iter(there))} exists already"
        if row.state == "again" or (self.own and row.state == "failed"):
            return ""
        own = self._own_files(shot)
        for path in there:
            if path not in own:
                return f"{path} exists already"
            if own[path] != _stat(path):
                return f"{path} exists already and was changed since focuskit wrote it"
        return ""

    def _own_files(self, shot: Shot) -> dict[Path, tuple[int, int]]:
        try:
            made = restored(self.catalog.outcome(shot.name, self.step) or "", Made)
        except InputError:
            return {}
        return {
            self.folder / trace.name: (trace.bytes, trace.mtime_ns) for trace in made.files.values()
        }

    @cached_property
    def _known(self) -> dict[str, Row]:
        return {row.shot: row for row in self.catalog.known(self.step)}

    @cached_property
    def _originals(self) -> set[tuple[int, int]]:
        files = (file for shot in self.originals for file in shot.files)
        return {found for found in map(_identity, files) if found is not None}


def _named(shot: Shot) -> NamedShot:
    if not isinstance(shot, NamedShot):
        raise TypeError(f"{shot!r} has no stem; see `named`.")
    return shot


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what two names of one file have in common; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
