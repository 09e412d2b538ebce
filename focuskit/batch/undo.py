"""What was done to a library, written down before each step, so that it can be put back."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import json
import os
import re
import secrets
import zlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import focuskit
from focuskit.batch.files import move_file, same_content, write_file
from focuskit.batch.library import Problem
from focuskit.errors import InputError, OutputError, OutputExistsError

__all__ = ["Manifest", "Step", "latest_manifest", "put_back", "undo", "write_step"]

Step = dict[str, Any]

_KINDS = ("write", "mkdir", "move", "copy", "hardlink", "symlink", "cancelled")
_NAME = re.compile(r"focuskit-undo-(\d+)(\.undone)?\.jsonl")


class Manifest:
    """A file of steps that grows before each of them; made with the first one.

    Attributes:
        path: the file; None before the first step.
        broken: whether the disk refused a step; then it takes no more.
    """

    def __init__(self, folder: Path, what: str) -> None:
        """Prepare one in a folder; `what` was done is said in its first line."""
        self._folder, self._what = folder, what
        self._file: io.FileIO | None = None
        self.path: Path | None = None
        self.broken = False

    def add(self, step: Step) -> None:
        """Write a step down, on the disk and not only on its way there.

        Raises:
            OutputError: it cannot be written; then the step must not be done.
        """
        try:
            if self.broken:
                raise OSError(errno.EIO, "a step before could not be written")
            if self._file is None:
                self._file = self._create()
            self._append(step)
        except OSError as exc:
            self.broken = True
            raise OutputError(
                f"{self.path or self._folder} cannot be written ({exc.strerror}), and without it "
                "nothing could be put back; what came before it is done and can be undone. Free "
                "some space and repeat."
            ) from exc

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            # What could not be written before cannot be now.
            with suppress(OSError):
                self._file.close()

    def _create(self) -> io.FileIO:
        taken = [int(found[1]) for name in os.listdir(self._folder) if (found := _NAME.match(name))]
        self.path = self._folder / f"focuskit-undo-{max(taken, default=0) + 1:03d}.jsonl"
        self._file = self.path.open("xb", buffering=0)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        self._append({"focuskit": focuskit.__version__, "schema": 1, "what": self._what, "at": now})
        return self._file

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._file is not None:
            # ASCII only: names may hold bytes that are no text.
            data = json.dumps(line).encode() + b"\n"
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())


def write_step(path: Path, before: bytes | None, after: bytes) -> Step:
    """Return the step that makes `after` of a file that holds `before`."""
    found = path.stat() if before is not None else None
    return {
        "step": "write",
        "path": str(path),
        "before": before and base64.b64encode(zlib.compress(before)).decode("ascii"),
        "mtime_ns": found and found.st_mtime_ns,
        "mode": found and found.st_mode & 0o7777,
        "after": _digest(after),
        "part": part_name(),
    }


def part_name() -> str:
    """Return a name for a file that is not whole yet."""
    return f".focuskit-{secrets.token_hex(8)}.part"


def latest_manifest(path: Path) -> Path:
    """Return the manifest that a path names: itself, or the last in a folder that is not undone.

    Raises:
        InputError: there is none.
    """
    if path.is_dir():
        found = [
            (int(match[1]), path / name)
            for name in os.listdir(path)
            if (match := _NAME.fullmatch(name)) and not match[2]
        ]
        if found:
            return max(found)[1]
        raise InputError(
            f"There is nothing to undo in {path}: it holds no focuskit-undo-*.jsonl that is not "
            "undone yet."
        )
    if not path.is_file():
        raise InputError(f"{path} does not exist; name a manifest, or the folder of results.")
    return path


def undo(manifest: Path) -> tuple[int, list[Problem]]:
    """Put everything back, the last step first; can be repeated.

    Steps that were not done, or are undone already, are passed over. The manifest is called
    X.undone.jsonl afterwards, unless something could not be put back.

    Returns:
        How many files were put back, and what could not be.

    Raises:
        InputError: it is no manifest.
        OutputError: the manifest cannot be renamed.
    """
    done, problems = 0, []
    for step in reversed(_steps(manifest)):
        name = str(step.get("path") or step.get("source"))
        try:
            done += put_back(step)
        except OutputError as exc:
            problems.append(Problem(name, str(exc)))
        except OSError as exc:
            problems.append(
                Problem(name, f"{name} could not be put back ({exc.strerror}); repeat the undo.")
            )
    found = _NAME.fullmatch(manifest.name)
    if not problems and found and not found[2]:
        try:
            manifest.rename(manifest.with_suffix(".undone.jsonl"))
        except OSError as exc:
            raise OutputError(
                f"Everything is put back, but {manifest} could not be renamed ({exc.strerror})."
            ) from exc
    return done, problems[::-1]


def put_back(step: Step) -> bool:
    """Undo one step; return whether there was anything to undo.

    Raises:
        OutputError: somebody changed what it made.
        OSError: the system does not allow it.
    """
    kind = step["step"]
    if kind == "write":
        return _put_back_write(step)
    if kind == "mkdir":
        with suppress(OSError):
            # Only if it is empty: whatever lies there now is not ours.
            os.rmdir(step["path"])
        return False
    source, target = Path(step["source"]), Path(step["target"])
    _sweep(step["part"], source.parent, target.parent)
    if kind == "move":
        return _put_back_move(source, target, step["part"])
    return _put_back_copy(step, source, target)


def _put_back_write(step: Step) -> bool:
    path, part = Path(step["path"]), step["part"]
    packed = step["before"]
    before = None if packed is None else zlib.decompress(base64.b64decode(packed))
    _sweep(part, path.parent)
    now = path.read_bytes() if path.is_file() else None
    if now == before:
        return False
    if now is None:
        raise OutputError(
            f"{path} is gone: somebody moved it since. Undo what was done later first, or put it "
            "there again."
        )
    if _digest(now) != step["after"]:
        raise OutputError(
            f"{path} was changed by someone since and is left as it is; take out what focuskit "
            "wrote by hand."
        )
    if before is None:
        path.unlink()
    else:
        write_file(path, before, part, mode=step["mode"], mtime_ns=step["mtime_ns"], replace=True)
    return True


def _put_back_move(source: Path, target: Path, part: str) -> bool:
    at_source, at_target = os.path.lexists(source), os.path.lexists(target)
    if at_source and not at_target:
        return False
    if not at_target:
        raise OutputError(f"{target} is gone: somebody moved it since, so it cannot be put back.")
    if at_source:
        # Stopped half-way: what was made at the target is a copy, or a name claimed.
        if not same_content(source, target) and target.stat().st_size:
            raise OutputError(
                f"{target} cannot go back to {source}, where another file lies now; both are left "
                "as they are."
            )
        target.unlink()
        return True
    source.parent.mkdir(parents=True, exist_ok=True)
    try:
        move_file(target, source, part)
    except OutputExistsError as exc:
        raise OutputError(f"{target} cannot go back: {exc}") from exc
    return True


def _put_back_copy(step: Step, source: Path, target: Path) -> bool:
    if not os.path.lexists(target):
        return False
    kind = step["step"]
    if kind == "symlink":
        ours = target.is_symlink() and os.readlink(target) == str(source)
    elif kind == "hardlink":
        ours = source.exists() and os.path.samefile(source, target)
    else:
        ours = not target.is_symlink() and (
            same_content(source, target) or not target.stat().st_size
        )
    if not ours:
        raise OutputError(f"{target} was changed by someone since and is left as it is.")
    target.unlink()
    return True


def _sweep(part: str, *folders: Path) -> None:
    """Take away what a step that was cut off left half written."""
    if not re.fullmatch(r"\.focuskit-[0-9a-f]{16}\.part", part):
        raise OutputError(f"The manifest names {part!r} as a temporary file, which it is not.")
    for folder in folders:
        (folder / part).unlink(missing_ok=True)


def _steps(manifest: Path) -> list[Step]:
    try:
        lines = manifest.read_bytes().split(b"\n")
        # A line without its end was not whole when the process died, and its step not begun.
        read = [json.loads(line) for line in lines[:-1] if line]
        if not read and _NAME.fullmatch(manifest.name):
            # The process died before it had written the first line, and so before the first step.
            return []
        whole = all(isinstance(each, dict) for each in read) and "what" in read[0]
    except OSError as exc:
        raise InputError(f"{manifest} cannot be read ({exc.strerror}).") from exc
    except (ValueError, IndexError):
        whole, read = False, []
    if not whole or not all(_is_step(step) for step in read[1:]):
        raise InputError(f"{manifest} is no manifest of focuskit, or it is damaged.")
    cancelled = {step["part"] for step in read[1:] if step["step"] == "cancelled"}
    return [step for step in read[1:] if step.get("part") not in cancelled]


def _is_step(step: Step) -> bool:
    keys = {
        "write": ("path", "before", "mtime_ns", "mode", "after", "part"),
        "mkdir": ("path",),
        "cancelled": ("part",),
    }.get(step.get("step", ""), ("source", "target", "part"))
    return step.get("step") in _KINDS and all(key in step for key in keys)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
