"""Keeps what the C libraries print about damaged files off the user's terminal."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

__all__ = ["native_noise_held", "pillow_warnings_held"]

_LOG = logging.getLogger(__name__)
_NOISE = re.compile(
    rb"^(Corrupt JPEG data|Premature end of JPEG|Unsupported marker|Invalid SOS|Invalid crop"
    rb"|Inconsistent progression|Warning: |unknown file: |libpng (error|warning)"
    rb"|_?(TIFF|LZW|ZIP|Fax|PackBits|O?JPEG|ThunderS?|NeXT|SGI|LogL)\w*: |tempfile\.tif: "
    rb"|\[ ?(WARN|ERROR|INFO)[: ]|.*: data corrupted at)"
)


class _Hold:
    """Standard error held in a file while decoders run in any number of threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.real = -1
        self.passed = 0
        self.held: BinaryIO | None = None

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                held = tempfile.TemporaryFile()
                self.real = os.dup(2)
                os.dup2(held.fileno(), 2)
                self.held, self.passed = held, 0
            self.users += 1

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.held is None:
                return
            if self.users == 0:
                os.dup2(self.real, 2)
            self._pass_on(self.held)
            if self.users == 0:
                os.close(self.real)
                self.held.close()
                self.held = None

    def _pass_on(self, held: BinaryIO) -> None:
        # pread leaves the offset alone, which descriptor 2 shares and other threads write at.
        found = os.pread(held.fileno(), os.fstat(held.fileno()).st_size - self.passed, self.passed)
        self.passed += len(found)
        for line in found.splitlines(keepends=True):
            if _NOISE.match(line):
                _LOG.debug("decoder: %s", line.decode("utf-8", "replace").rstrip())
            else:
                os.write(self.real, line)


_HOLD = _Hold()


@contextmanager
def native_noise_held() -> Iterator[None]:
    """Hold standard error while a C decoder runs, then pass on all but the decoders' own lines.

    libjpeg, libpng and LibRaw print to file descriptor 2 and offer no switch through their Python
    bindings. Lines of other threads come out late by one decode at most; none is lost. Where the
    system has no `pread` (Windows), or Python was started without standard error, nothing is held:
    descriptor 2 may be anyone's file or socket then.
    """
    if not hasattr(os, "pread") or sys.__stderr__ is None:
        yield
        return
    try:
        _HOLD.enter()
    except OSError:  # no standard error, or no room for a temporary file: decode all the same
        yield
        return
    try:
        yield
    finally:
        _HOLD.leave()


_WARNINGS_LOCK = threading.Lock()


@contextmanager
def pillow_warnings_held() -> Iterator[None]:
    """Ignore warnings while Pillow reads a header: it warns about each odd EXIF tag.

    The filters belong to the whole process, so one thread at a time may change them.
    """
    with _WARNINGS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
