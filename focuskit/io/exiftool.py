"""AF points by exiftool, where it is installed, for what our own reading of makers' notes misses.

It is asked about one photo at a time by a process that stays, because starting it takes ten times
as long as reading. Nothing that it says or fails to say is an error.

References:
    P. Harvey: ExifTool, https://exiftool.org: -stay_open, and its tag names.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.util import Finalize
from pathlib import Path
from typing import IO, Any

from focuskit.io import keeper
from focuskit.io.af_points import in_frame
from focuskit.io.exif import with_point
from focuskit.io.focus_tags import FOCUS_TAGS, point_of_tags
from focuskit.io.ifd import first_ifd, read_header, read_ifd
from focuskit.io.source import RAW_SUFFIXES
from focuskit.photo import Exif

__all__ = ["ask_focus", "exiftool_version"]

_LOG = logging.getLogger(__name__)
_TIMEOUT_S = 10.0
_MOST_BYTES, _CHUNK = 1 << 20, 1 << 12
_MOST_CHUNKS = _MOST_BYTES // _CHUNK
_MOST_FAILURES = 3
# Older ones run what a hostile photo tells them to (CVE-2021-22204, CVE-2022-23935).
_LEAST_VERSION = (12, 38)
_MAKERS = ("canon", "fujifilm", "leica", "nikon", "olympus", "om dig", "panasonic", "sony")
_EXIF_IFD, _MAKE, _MAKER_NOTE = 0x8769, 0x010F, 0x927C


def ask_focus(exif: Exif, path: Path | None, size: tuple[int, int]) -> Exif:
    """Return what the camera wrote, with the AF point that exiftool finds where there is none.

    Args:
        exif: what was read of the photo, with its block.
        path: the photo; None for one that lies in no file.
        size: (width, height) of the full picture in pixels, stored or upright.

    Returns:
        The data unchanged where exiftool is not installed, is too old, does not answer, or knows no
        AF point either.
    """
    if path is None or exif.focus_point is not None or not _may_tell(exif.block or b"", path):
        return exif
    answer = _EXIFTOOL.ask(path)
    point = None if answer is None else in_frame(point_of_tags(answer))
    return exif if point is None else with_point(exif, point, size)


def exiftool_version() -> str | None:
    """Return the version of the exiftool that is asked; None where there is none to ask."""
    return _EXIFTOOL.version()


def _may_tell(block: bytes, path: Path) -> bool:
    header, main = read_header(block), first_ifd(block)
    make = main.fields.get(_MAKE)
    if header is None or make is None:
        return False
    if not make.data.decode("latin-1").lower().startswith(_MAKERS):
        return False
    exif = read_ifd(block, header[0], main.number(_EXIF_IFD) or 0)
    # The block of a RAW comes without the notes, which make sense in their place only.
    return _MAKER_NOTE in exif or path.suffix.lower() in RAW_SUFFIXES


class _Process:
    """One exiftool of this process, started when first asked and again when it is lost."""

    def __init__(self) -> None:
        self._found: tuple[str, str] | None = None
        self._sought = False
        self._failures = 0
        self._running: subprocess.Popen[bytes] | None = None
        self._said: queue.Queue[bytes] = queue.Queue()
        self._number = 0
        self._one_at_a_time = threading.Lock()

    def version(self) -> str | None:
        """Return the program's version, or None where there is none that can be used."""
        with self._one_at_a_time:
            found = self._find()
        return None if found is None else found[1]

    def _find(self) -> tuple[str, str] | None:
        if not self._sought:
            self._found, self._sought = _find(), True
        return self._found

    def ask(self, path: Path) -> Mapping[str, Any] | None:
        """Return the tags of a photo, or None."""
        name = os.path.abspath(path)
        # Arguments are lines; and a name that ends in a bar was once run as a command.
        if re.search(r"[\x00-\x1f]|\|\s*$|\s$", name):
            return None
        with self._one_at_a_time:
            found = self._find()
            if found is None or self._failures >= _MOST_FAILURES:
                return None
            try:
                answer = self._answer(name, self._running or self._start(found[0]))
            except (OSError, queue.Empty, ValueError, RecursionError) as exc:
                self.close()
                self._failures += 1
                _LOG.warning("exiftool does not answer about %s (%r).", path, exc)
                return None
            self._failures = 0
            return answer

    def _answer(self, name: str, running: subprocess.Popen[bytes]) -> Mapping[str, Any] | None:
        self._number += 1
        lines = (*(f"-{tag}" for tag in FOCUS_TAGS), name, f"-execute{self._number}", "")
        if running.stdin is None:
            raise OSError("it takes no questions")
        running.stdin.write(os.fsencode("\n".join(lines)))
        running.stdin.flush()
        text = self._until(b"{ready%d}" % self._number)
        found = json.loads(text) if text.strip() else None
        first = found[0] if isinstance(found, list) and found else None
        return first if isinstance(first, dict) else None

    def _until(self, end: bytes) -> bytes:
        text, deadline = bytearray(), time.monotonic() + _TIMEOUT_S
        while not text[-_CHUNK:].rstrip().endswith(end):
            chunk = self._said.get(timeout=max(0.0, deadline - time.monotonic()))
            text += chunk
            if not chunk or len(text) > _MOST_BYTES or time.monotonic() > deadline:
                raise OSError("it ended" if not chunk else "it does not come to an end")
        return bytes(text.rstrip().removesuffix(end))

    def _start(self, program: str) -> subprocess.Popen[bytes]:
        options = "-stay_open True -@ - -common_args -json -n -fast -q -q".split()
        if os.name == "nt":
            options += ["-charset", "filename=utf8"]
        running = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, program, "-config", "", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in a terminal would end it in the middle of an answer.
            start_new_session=True,
        )
        if self._running is None and not self._number:
            atexit.register(self.close)
            # Worker processes end without atexit.
            Finalize(self, self.close, exitpriority=10)
        self._running, self._said = running, queue.Queue(_MOST_CHUNKS)
        threading.Thread(
            target=_read, args=(running.stdout, self._said), name="exiftool", daemon=True
        ).start()
        return running

    def close(self) -> None:
        """End it; the next question starts it again."""
        running, self._running = self._running, None
        if running is None:
            return
        if running.stdin is not None:
            try:
                running.stdin.close()
            except OSError:
                pass  # it is gone already
        try:
            running.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _read(stream: IO[bytes] | None, said: queue.Queue[bytes]) -> None:
    if stream is None:
        return
    with stream:
        chunk = b" "
        while chunk:
            chunk = os.read(stream.fileno(), _CHUNK)
            try:
                said.put(chunk, timeout=_TIMEOUT_S)
            except queue.Full:
                return  # nobody listens any more


_EXIFTOOL = _Process()


def _find() -> tuple[str, str] | None:
    """Return the program and its version."""
    program = shutil.which("exiftool")
    # A program that lies in the current folder may have come with the photos.
    if program is None or not os.path.isabs(program):
        return None
    try:
        answer = subprocess.run(
            [program, "-config", "", "-ver"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        _LOG.warning("%s cannot be used (%s).", program, exc)
        return None
    found = re.match(rb"(\d{1,4})\.(\d{1,4})", answer.stdout)
    if found is None or tuple(int(part) for part in found.groups()) < _LEAST_VERSION:
        least = ".".join(str(part) for part in _LEAST_VERSION)
        _LOG.warning("%s is older than %s and is not used.", program, least)
        return None
    return program, found.group().decode()
