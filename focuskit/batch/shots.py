"""What a library holds: shots, and what is in the way of others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from focuskit.errors import InputError

__all__ = ["Library", "Problem", "RemoteFile", "Shot", "stands_in"]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on a server.

    Attributes:
        url: as fsspec takes it, without a password.
        bytes: its size; -1 where the server does not say.
        mtime_ns: when it was changed last; a negative number that stands for the server's own mark
            of its content (ETag) where it tells no time, 0 where it tells neither.
    """

    url: str
    bytes: int = -1
    mtime_ns: int = 0


def stands_in(path: Path) -> bool:
    """Return whether a path only stands for a file on a server, as `/s3:/bucket/1.jpg` does."""
    return len(path.parts) > 1 and path.parts[1].endswith(":") and not path.exists()


@dataclass(frozen=True, slots=True)
class Shot:
    """One press of the button.

    Attributes:
        name: path of the judged file below the library, with forward slashes; unique in a library.
        judged: the file that is looked at: the JPEG of a pair, which costs least to decode.
        files: every file of the shot, the judged one first. Of a shot on a server these are names
            only, and nothing is there.
        apart: files beside it of the same stem that were taken at another moment and therefore are
            shots of their own.
        remote: where the first of the files are, if they are on a server; () if on this machine.
    """

    name: str
    judged: Path
    files: tuple[Path, ...]
    apart: tuple[Path, ...] = ()
    remote: tuple[RemoteFile, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its files are, as a person would write it: paths or URLs, the judged one first."""
        urls = tuple(each.url for each in self.remote)
        return (*urls, *(str(path) for path in self.files[len(urls) :]))


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the library that could not be used, and why.

    Attributes:
        name: of the shot, or of a folder.
        message: what was wrong, what to do.
        again: another try of the same file may go better.
    """

    name: str
    message: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Library:
    """What was asked for.

    Attributes:
        shots: in the order of their names.
        problems: what could not be listed.
        folders: those that were listed with everything below; no results may go there.
        older: how many shots were left out because they are older than asked for.
    """

    shots: tuple[Shot, ...]
    problems: tuple[Problem, ...] = ()
    folders: tuple[Path, ...] = ()
    older: int = 0

    def check_local(self, purpose: str) -> None:
        """Refuse what can only be done with files of this machine.

        Args:
            purpose: what that is, as the beginning of a sentence.

        Raises:
            InputError: a shot is on a server.
        """
        for shot in self.shots:
            if shot.remote:
                raise InputError(
                    f"{purpose} needs files of this machine, and {shot.sources[0]} is on a server, "
                    "where nothing is ever changed; mount or copy the folder first."
                )
