"""The process that does the work, as the worker sees it: it may die and be replaced."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO

from focuskit.bridge.faults import ProtocolError, WorkerDiedError
from focuskit.bridge.protocol import FrameReader, frame
from focuskit.errors import BridgeError

__all__ = ["Child"]

_PIECE = 1 << 16
_PATIENCE_S = 5.0

Message = dict[str, Any]


class Child:
    """A process of its own interpreter; nothing of it can hold up the worker.

    Args:
        log: where it says what nobody asked for.

    Raises:
        BridgeError: it cannot be started.
    """

    def __init__(self, log: BinaryIO) -> None:
        try:
            self._process = subprocess.Popen(
                # -P: a folder focuskit where the editor was started is not this package.
                [sys.executable, "-P", "-m", "focuskit.bridge.work"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # On Windows, no console of its own in front of the editor.
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as exc:
            raise BridgeError(
                f"The process that works on pictures cannot be started ({exc.strerror}): close "
                "other programs and try again."
            ) from exc
        self._answers: queue.Queue[Message | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def send(self, message: Mapping[str, Any]) -> None:
        """Tell it something.

        Raises:
            WorkerDiedError: nobody listens any more.
        """
        stdin = self._process.stdin
        try:
            if stdin is not None:
                stdin.write(frame(message))
                stdin.flush()
        except (OSError, ValueError) as exc:
            raise self._died() from exc

    def receive(self, timeout_s: float) -> Message | None:
        """Return what it says next; None if it says nothing for so long.

        Raises:
            WorkerDiedError: it has ended.
        """
        try:
            message = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if message is None:
            # For whoever asks again.
            self._answers.put(None)
            raise self._died()
        return message

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()

    def _read(self) -> None:
        reader, stdout = FrameReader(), self._process.stdout
        try:
            while stdout is not None and (data := stdout.read1(_PIECE)):  # type: ignore[attr-defined]
                for message in reader.feed(data):
                    self._answers.put(message)
        except (OSError, ValueError, ProtocolError):
            self._process.kill()
        self._answers.put(None)

    def _died(self) -> WorkerDiedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE_S)
        code = self._process.returncode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return WorkerDiedError(
            f"The process that worked on this picture ended unexpectedly ({how}), perhaps for want "
            "of memory. A new one is starting: try again, with other programs closed or a smaller "
            "picture if it happens again. log.txt of the folder that `focuskit bridge --where` "
            "names may tell more."
        )
