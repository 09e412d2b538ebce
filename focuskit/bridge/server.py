"""The worker: one per user and version, found by its address file, ended when nobody calls."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

import focuskit
from focuskit.bridge.connection import Connection, peer_uid
from focuskit.bridge.desk import Desk
from focuskit.bridge.folders import own_folder
from focuskit.bridge.protocol import PROTOCOL
from focuskit.edit import OPERATIONS
from focuskit.errors import BridgeError

__all__ = ["ADDRESS_FILE", "serve"]

ADDRESS_FILE = "address.json"
_LOG = logging.getLogger(__name__)
_LOCK, _SOCKET, _LOG_FILE = "lock", "socket", "log.txt"
_MOST_LOG_BYTES = 1 << 20
# Of a path of a Unix socket; 104 on macOS, 108 on Linux, with the closing zero.
_MOST_PATH_BYTES = 103
_MOST_CLIENTS = 64
_LOOK_S = 0.25
# A worker that is about to end holds the lock, but has no address any more.
_ENDING_S = 10.0


def serve(folder: Path, idle_s: float) -> bool:
    """Serve until nobody has called for so long; returns False if another worker is there.

    Args:
        folder: of the worker, made if it is not there.
        idle_s: in seconds.

    Raises:
        BridgeError: the folder is open to others, or no socket can be had.
    """
    own_folder(folder)
    lock = _locked(folder)
    if lock is None:
        return False
    with lock, _logging(folder / _LOG_FILE) as log:
        _Worker(folder, log, idle_s).serve()
    return True


def _locked(folder: Path) -> FileLock | None:
    """Return the lock of the folder; None where another worker has it and goes on."""
    lock = FileLock(folder / _LOCK, mode=0o600)
    until = time.monotonic() + _ENDING_S
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if (folder / ADDRESS_FILE).exists() or time.monotonic() > until:
                return None
            time.sleep(_LOOK_S)
        except OSError as exc:
            raise BridgeError(f"The worker's folder {folder} cannot be used ({exc}).") from exc
        else:
            return lock


@contextlib.contextmanager
def _logging(path: Path) -> Iterator[BinaryIO]:
    with contextlib.suppress(OSError):
        if path.stat().st_size > _MOST_LOG_BYTES:
            path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab", buffering=0) as log:
        handler = logging.FileHandler(path, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
        logger = logging.getLogger("focuskit.bridge")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield log
        finally:
            logger.removeHandler(handler)
            handler.close()


class _Worker:
    """Takes connections, one thread each."""

    def __init__(self, folder: Path, log: BinaryIO, idle_s: float) -> None:
        self._folder = folder
        self._idle_s = idle_s
        self._log = log
        self._token = secrets.token_hex(32)
        self._names = ("focus-map", *(row.name for row in OPERATIONS), "check")
        self._stopping = threading.Event()
        self._hurried = threading.Event()
        self._connections: set[Connection] = set()
        self._called = time.monotonic()

    def serve(self) -> None:
        """Serve until nobody calls, or until told to stop."""
        _forget(self._folder)
        with contextlib.ExitStack() as ends:
            listener, told = _listener(self._folder, ends)
            desk = Desk(self._log)
            self._on_signals()
            _write_address(self._folder, told | self._facts())
            _LOG.info("Ready at %s.", told["address"])
            try:
                self._listen(listener, desk)
            finally:
                # First of all, so that nobody calls any more.
                _forget(self._folder)
                listener.close()
                desk.close(finish=not self._hurried.is_set())
                for connection in list(self._connections):
                    connection.close()
                _LOG.info("Ended.")

    def _on_signals(self) -> None:
        def hurry(*_: object) -> None:
            self._hurried.set()
            self._stopping.set()

        if threading.current_thread() is threading.main_thread():
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, hurry)

    def _facts(self) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "focuskit": str(focuskit.__version__),
            "pid": os.getpid(),
            "token": self._token,
        }

    def _listen(self, listener: socket.socket, desk: Desk) -> None:
        listener.settimeout(_LOOK_S)
        while not self._stopping.is_set():
            if not desk.idle:
                self._called = time.monotonic()
            elif time.monotonic() - self._called > self._idle_s:
                return
            try:
                link, _ = listener.accept()
            except TimeoutError:
                continue
            self._called = time.monotonic()
            self._welcome(link, desk)

    def _welcome(self, link: socket.socket, desk: Desk) -> None:
        uid = peer_uid(link) if link.family != socket.AF_INET else None
        if len(self._connections) >= _MOST_CLIENTS or (uid is not None and uid != os.geteuid()):
            _LOG.warning("A connection of user %s was refused.", uid)
            link.close()
            return
        connection = Connection(link, self._token, desk, self._names, self._stopping.set)
        self._connections.add(connection)
        threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            self._connections.discard(connection)
            self._called = time.monotonic()


def _listener(folder: Path, ends: contextlib.ExitStack) -> tuple[socket.socket, dict[str, Any]]:
    """Return a socket that listens, and how clients find it."""
    try:
        if not hasattr(socket, "AF_UNIX"):
            return _by_tcp()
        path = folder / _SOCKET
        if len(os.fsencode(path)) > _MOST_PATH_BYTES:
            path = _short_folder(ends) / _SOCKET
        if len(os.fsencode(path)) > _MOST_PATH_BYTES:
            return _by_tcp()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen()
        return listener, {"transport": "unix", "address": os.fspath(path)}
    except OSError as exc:
        raise BridgeError(
            f"The worker cannot listen in {folder} ({exc}): set FOCUSKIT_BRIDGE_FOLDER to a folder "
            "of your own on a local disk."
        ) from exc


def _short_folder(ends: contextlib.ExitStack) -> Path:
    """Return a folder of our own with a short path, which is removed at the end."""
    short = "/tmp" if Path("/tmp").is_dir() else None
    path = tempfile.mkdtemp(prefix="focuskit-", dir=short)
    ends.callback(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def _by_tcp() -> tuple[socket.socket, dict[str, Any]]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform == "win32":
        # There another program could else listen at the same port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener, {"transport": "tcp", "address": list(listener.getsockname())}


def _write_address(folder: Path, told: dict[str, Any]) -> None:
    """Write the address whole or not at all, readable by nobody else from the first byte on."""
    descriptor, name = tempfile.mkstemp(prefix=ADDRESS_FILE, dir=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(told, file)
        os.replace(name, folder / ADDRESS_FILE)
    except OSError as exc:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise BridgeError(
            f"{folder / ADDRESS_FILE} cannot be written ({exc.strerror}): free some space there."
        ) from exc


def _forget(folder: Path) -> None:
    """Remove the address and the socket, of this worker or of one that died."""
    for name in (ADDRESS_FILE, _SOCKET):
        with contextlib.suppress(OSError):
            (folder / name).unlink()
