"""Starting and ending the review server."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from focuskit.errors import InputError, OutputError
from focuskit.review.access import Access
from focuskit.review.app import Review, make_app
from focuskit.review.pictures import Pictures, Store
from focuskit.review.report import pictures_place
from focuskit.review.table import Table
from focuskit.review.writing import Writing

__all__ = ["LARGE", "bound", "local_address", "serve"]

LARGE = "large"
"""Folder below that of the pictures, for those that are made while reviewing."""

_BACKLOG = 128
_GRACE_S = 2
_IDLE_S = 30


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes any that is free.

    Raises:
        InputError: the address is taken, not this machine's, or not permitted.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise InputError(f"--host {host} is no address of this machine ({exc.strerror}).") from exc
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_BACKLOG)
    except OSError as exc:
        found.close()
        if exc.errno == errno.EADDRINUSE:
            raise InputError(
                f"Port {port} of {host} is taken, perhaps by another review; choose another "
                "--port, or leave it out."
            ) from exc
        raise InputError(
            f"Nothing can listen at port {port} of {host} ({exc.strerror}); choose another."
        ) from exc
    return found


def local_address(listening: socket.socket, access: Access) -> str:
    """Return the address to open on this machine, with the token."""
    host, port = listening.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        name = "127.0.0.1"
    return f"http://{name}:{port}/?token={access.token}"


def serve(
    table: Table, access: Access, listening: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve a light table until Ctrl-C.

    Args:
        table: what is reviewed.
        access: who may.
        listening: as `bound` gives it; closed at the end.
        ready: called once requests are answered.

    Raises:
        OutputError: the server could not start.
    """
    pictures = pictures_place(table.path.absolute().parent)
    review = Review(table, Pictures(pictures, Store(pictures / LARGE)), Writing(table))
    config = uvicorn.Config(
        make_app(review, access),
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config, review, ready)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        # Ctrl-C is how a person ends it; uvicorn raises it again when everything is closed.
        pass
    finally:
        listening.close()
    if not server.started:
        raise OutputError("The review server could not start; try again.")


class _Server(uvicorn.Server):
    """Tells when it is ready, and lets pages go that only listen."""

    def __init__(self, config: uvicorn.Config, review: Review, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._review = review
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Close the streams, which would be waited for."""
        self._review.tidings.close()
        super().handle_exit(sig, frame)
