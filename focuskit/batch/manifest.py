"""What is about to be done to a library, written down before each step."""

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
from focuskit.errors import OutputError

__all__ = ["MANIFEST_NAME", "Manifest", "Step", "content_digest", "part_name", "write_step"]

Step = dict[str, Any]

MANIFEST_NAME = re.compile(r"focuskit-undo-(\d+)(\.undone)?\.jsonl")
"""How manifests are called: their number, and whether they are undone."""


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
        found = [MANIFEST_NAME.match(name) for name in os.listdir(self._folder)]
        number = max((int(each[1]) for each in found if each), default=0)
        while self._file is None:
            number += 1
            self.path = self._folder / f"focuskit-undo-{number:03d}.jsonl"
            # Another run may take the number just now.
            with suppress(FileExistsError):
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
        "after": content_digest(after),
        "part": part_name(),
    }


def part_name() -> str:
    """Return a name for a file that is not whole yet."""
    return f".focuskit-{secrets.token_hex(8)}.part"


def content_digest(data: bytes) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
