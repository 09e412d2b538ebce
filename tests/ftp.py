"""A small FTP server over a folder, for tests that need files on another machine."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["FtpServer", "served"]


class FtpServer(socketserver.ThreadingTCPServer):
    """Serves a folder to anybody.

    Attributes:
        folder: its root.
        fetched: names of files that were asked for, in order.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.folder = folder
        self.fetched: list[str] = []

    @property
    def url(self) -> str:
        return f"ftp://127.0.0.1:{self.server_address[1]}"


@contextmanager
def served(folder: Path) -> Iterator[FtpServer]:
    """Serve a folder while the block runs."""
    with FtpServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Session(socketserver.StreamRequestHandler):
    """One client, in passive mode."""

    server: FtpServer

    def handle(self) -> None:
        self._listener: socket.socket | None = None
        self._start = 0
        commands = {
            "USER": lambda _: self._say("230 welcome"),
            "TYPE": lambda _: self._say("200 fine"),
            "REST": self._rest,
            "PASV": self._pasv,
            "MLSD": self._mlsd,
            "RETR": self._retr,
            "ABOR": lambda _: self._say("226 stopped"),
        }
        # Clients send the end of ABOR as urgent data.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        self._say("220 ready")
        with contextlib.suppress(ConnectionError):
            for line in self.rfile:
                word, _, argument = line.decode(errors="replace").strip().partition(" ")
                commands.get(word.upper(), lambda _: self._say("502 not here"))(argument)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _rest(self, argument: str) -> None:
        self._start = int(argument)
        self._say("350 from there")

    def _pasv(self, _: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        high, low = divmod(self._listener.getsockname()[1], 256)
        self._say(f"227 here (127,0,0,1,{high},{low})")

    def _mlsd(self, argument: str) -> None:
        folder = self.server.folder / argument.lstrip("/")
        if not folder.is_dir():
            self._send("550 no such folder", None)
            return
        lines = []
        for path in sorted(folder.iterdir()):
            found = path.stat()
            kind = "dir" if path.is_dir() else "file"
            modified = time.strftime("%Y%m%d%H%M%S", time.gmtime(found.st_mtime))
            lines.append(f"type={kind};size={found.st_size};modify={modified}; {path.name}\r\n")
        self._send("", "".join(lines).encode())

    def _retr(self, argument: str) -> None:
        path = self.server.folder / argument.lstrip("/")
        self.server.fetched.append(path.name)
        if path.is_file():
            self._send("", path.read_bytes()[self._start :])
        else:
            self._send("550 no such file", None)

    def _send(self, refusal: str, data: bytes | None) -> None:
        listener, self._listener, self._start = self._listener, None, 0
        assert listener is not None
        with listener:
            if data is None:
                self._say(refusal)
                return
            self._say("150 coming")
            # Who wanted only a part hangs up.
            with contextlib.suppress(OSError), listener.accept()[0] as channel:
                channel.sendall(data)
        self._say("226 done")
