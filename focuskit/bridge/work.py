"""The process that does the work: `python -m focuskit.bridge.work`, started by the worker alone.

It takes frames on its standard input and answers on its standard output, one call after the other,
and keeps what it has loaded. It ends with its input.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, BinaryIO

from focuskit.bridge.calls import read_call
from focuskit.bridge.faults import Cancelled
from focuskit.bridge.memory import MapMemory
from focuskit.bridge.operations import perform
from focuskit.bridge.protocol import FrameReader, frame
from focuskit.bridge.settings import describe
from focuskit.bridge.wording import for_editors
from focuskit.detect import DEFAULT_DETECTOR, open_detector
from focuskit.errors import FocuskitError, PhotoTooLargeError
from focuskit.io import default_max_megapixels

__all__ = ["main"]

_LOG = logging.getLogger(__name__)
_EVERY_S = 0.1
_PIECE = 1 << 16

Message = dict[str, Any]


class _Orders:
    """What the worker wants, read while something is being worked on."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._calls: queue.Queue[Message] = queue.Queue()
        self._cancelled: set[Any] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> Message:
        return self._calls.get()

    def is_cancelled(self, number: Any) -> bool:
        return number in self._cancelled

    def _read(self) -> None:
        reader = FrameReader()
        while data := os.read(self._source.fileno(), _PIECE):
            for message in reader.feed(data):
                if message["type"] == "cancel":
                    self._cancelled.add(message.get("id"))
                else:
                    self._calls.put(message)
        # Nobody is left to answer to.
        os._exit(0)


class _Work:
    """Answers calls on a pipe."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._orders = _Orders(source)
        self._sink = sink
        self._memory = MapMemory()

    def go_on(self) -> None:
        """Answer one call after the other."""
        with contextlib.suppress(FocuskitError):
            # What keeps it from running is said to whoever asks for it.
            open_detector(DEFAULT_DETECTOR)
        self._send({"type": "ready", "operations": describe()})
        while True:
            message = self._orders.next()
            self._send({**self._answer(message), "id": message.get("id")})

    def _answer(self, message: Mapping[str, Any]) -> Message:
        try:
            call = read_call(message, default_max_megapixels())
            return {"type": "result", **perform(call, self._memory, self._progress(message))}
        except FocuskitError as exc:
            return _error(type(exc).__name__, for_editors(str(exc)))
        except MemoryError:
            self._memory = MapMemory()
            return _error(
                PhotoTooLargeError.__name__,
                "The picture needs more memory than there is: close other programs, or scale it "
                "down first.",
            )
        except Exception as exc:  # noqa: BLE001 - a bug must not cost the next call its answer
            _LOG.exception("A call failed.")
            return _error(
                "BridgeError",
                f"focuskit failed in a way that is its own fault ({type(exc).__name__}: {exc}): "
                "please report it, with log.txt of the folder that `focuskit bridge --where` "
                "names.",
            )

    def _progress(self, message: Mapping[str, Any]) -> Any:
        number, last = message.get("id"), [("", 0.0)]

        def tell(fraction: float | None, text: str) -> None:
            if self._orders.is_cancelled(number):
                raise Cancelled("The call was cancelled.")
            now = time.monotonic()
            if text == last[0][0] and now - last[0][1] < _EVERY_S:
                return
            last[0] = (text, now)
            share = None if fraction is None else round(min(max(fraction, 0.0), 1.0), 4)
            self._send({"type": "progress", "id": number, "fraction": share, "text": text})

        return tell

    def _send(self, message: Mapping[str, Any]) -> None:
        self._sink.write(frame(message))
        self._sink.flush()


def _error(kind: str, text: str) -> Message:
    return {"type": "error", "kind": kind, "text": text}


def main() -> None:
    """Work until the input ends."""
    # Ctrl-C is the worker's to hear.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    # What C libraries print belongs to the log and not among the frames.
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _Work(sys.stdin.buffer, sink).go_on()


if __name__ == "__main__":
    main()
