"""One client: who it is, what it asks, and what it is told."""

from __future__ import annotations

import contextlib
import logging
import platform
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import focuskit
from focuskit.bridge.desk import Desk, Job
from focuskit.bridge.faults import ProtocolError
from focuskit.bridge.protocol import (
    PROTOCOL,
    FrameReader,
    frame,
    is_nonce,
    new_nonce,
    prove,
    proves,
)
from focuskit.errors import FocuskitError

__all__ = ["Connection", "peer_uid"]

_LOG = logging.getLogger(__name__)
_HANDSHAKE_S = 10.0
_SEND_S = 10.0
_PIECE = 1 << 16
_LINUX_UCRED = struct.Struct("3i")
_MACOS_XUCRED = struct.Struct("=II")

Message = dict[str, Any]


def peer_uid(link: socket.socket) -> int | None:
    """Return the user at the other end of a Unix socket; None where the system does not tell."""
    if platform.system() == "Linux":
        told = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _LINUX_UCRED.size)
        _, uid, _ = _LINUX_UCRED.unpack(told)
        return int(uid)
    option = getattr(socket, "LOCAL_PEERCRED", None)
    if option is None:
        return None
    # macOS and FreeBSD: level SOL_LOCAL is 0; a version and the user come first in the answer.
    _, uid = _MACOS_XUCRED.unpack_from(link.getsockopt(0, option, 76))
    return int(uid)


class Connection:
    """Serves one client until it leaves or the worker ends.

    Args:
        link: connected, its peer's user checked.
        token: that the client must have read.
        desk: where calls are handed in.
        names: of the operations.
        stop: ends the worker.
    """

    def __init__(
        self,
        link: socket.socket,
        token: str,
        desk: Desk,
        names: tuple[str, ...],
        stop: Callable[[], None],
    ) -> None:
        self._link = link
        self._token = token
        self._desk = desk
        self._names = names
        self._stop = stop
        self._sending = threading.Lock()
        self._job: Job | None = None
        self._gone = False

    def serve(self) -> None:
        """Talk with the client; returns when one of both has had enough."""
        self._link.settimeout(_SEND_S)
        messages = self._messages()
        try:
            if self._proved(messages):
                for message in messages:
                    if message is not None:
                        self._obey(message)
        except ProtocolError as exc:
            # What follows on this connection cannot be understood any more.
            _LOG.warning("A client was sent away: %s", exc)
        finally:
            self._leave()

    def close(self) -> None:
        """End the conversation from the worker's side."""
        self._gone = True
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    def _messages(self) -> Iterator[Message | None]:
        """Yield what arrives, and None now and then while nothing does."""
        reader = FrameReader()
        while not self._gone:
            try:
                data = self._link.recv(_PIECE)
            except TimeoutError:
                yield None
                continue
            except OSError:
                return
            if not data:
                return
            yield from reader.feed(data)

    def _proved(self, messages: Iterator[Message | None]) -> bool:
        """Prove to each other that both have read the token."""
        until = time.monotonic() + _HANDSHAKE_S
        hello = _next(messages, until)
        if hello is None or hello["type"] != "hello":
            return False
        if hello.get("protocol") != PROTOCOL:
            other = ProtocolError(
                f"The editor's plug-in speaks protocol {hello.get('protocol')!r}, this focuskit "
                f"{focuskit.__version__} speaks {PROTOCOL}: install both from one version "
                "(focuskit gimp install)."
            )
            self._say_error(other)
            return False
        theirs, ours = hello.get("nonce"), new_nonce()
        if not is_nonce(theirs):
            return False
        proof = prove(self._token, "worker", str(theirs), ours)
        self.tell({"type": "challenge", "protocol": PROTOCOL, "nonce": ours, "proof": proof})
        answer = _next(messages, until)
        if answer is None or answer["type"] != "proof":
            return False
        if not proves(answer.get("proof"), prove(self._token, "client", theirs, ours)):
            return False
        version = str(focuskit.__version__)
        self.tell({"type": "ready", "focuskit": version, "operations": list(self._names)})
        return True

    def _obey(self, message: Message) -> None:
        kind = message["type"]
        try:
            if kind == "run":
                self._run(message)
            elif kind == "cancel":
                if self._job is not None and self._job.id == message.get("id"):
                    self._job.cancelled.set()
            elif kind == "describe":
                self.tell({"type": "operations", "operations": self._desk.operations()})
            elif kind == "ping":
                self.tell({"type": "pong"})
            elif kind == "stop":
                self._stop()
            else:
                raise ProtocolError(f"A message of type {kind!r} means nothing to this focuskit.")
        except FocuskitError as exc:
            self._say_error(exc, message.get("id"))

    def _run(self, message: Message) -> None:
        if self._job is not None and not self._job.done.is_set():
            raise ProtocolError("A connection carries one call at a time, and one is under way.")
        self._job = Job(message, self.tell)
        self._desk.add(self._job)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send a message; of a client that has left, nothing is heard any more."""
        try:
            with self._sending:
                self._link.sendall(frame(message))
        except OSError:
            # Half a frame may have gone out, after which nothing makes sense.
            self.close()

    def _say_error(self, error: Exception, number: Any = None) -> None:
        said: Message = {"type": "error", "kind": type(error).__name__, "text": str(error)}
        self.tell(said | ({} if number is None else {"id": number}))

    def _leave(self) -> None:
        job = self._job
        if job is not None:
            self._desk.leave(job)
        with contextlib.suppress(OSError):
            self._link.close()


def _next(messages: Iterator[Message | None], until: float) -> Message | None:
    for message in messages:
        if time.monotonic() > until:
            return None
        if message is not None:
            return message
    return None
