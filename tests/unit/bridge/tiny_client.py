"""A whole client of docs/bridge.md, with nothing but the standard library: no GIMP, no numpy."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]


class BridgeSaysError(Exception):
    """The worker answered with an error; its kind is the first argument, its text the second."""


class TinyClient:
    """One connection to the worker, which is started if it is not there."""

    def __init__(self, folder: Path, wait_s: float = 60.0) -> None:
        self.folder = folder
        until, started = time.monotonic() + wait_s, False
        while True:
            try:
                self._connect()
                return
            except (OSError, ValueError):
                if time.monotonic() > until:
                    raise
                if not started:
                    self._start()
                    started = True
                time.sleep(0.05)

    def _start(self) -> None:
        strange = ("PYTHON", "LD_LIBRARY_PATH", "GI_")
        env = {name: text for name, text in os.environ.items() if not name.startswith(strange)}
        subprocess.Popen(
            [sys.executable, "-m", "focuskit", "bridge"],
            env=env | {"FOCUSKIT_BRIDGE_FOLDER": str(self.folder)},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _connect(self) -> None:
        told = json.loads((self.folder / "address.json").read_text())
        unix = told["transport"] == "unix"
        self.link = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        self.link.connect(told["address"] if unix else tuple(told["address"]))
        mine = secrets.token_hex(32)
        self.send({"type": "hello", "protocol": 1, "client": "tiny", "nonce": mine})
        challenge = self.receive()
        if challenge["proof"] != self._proof(told["token"], "worker", mine, challenge["nonce"]):
            raise ValueError("this is not the worker")
        proof = self._proof(told["token"], "client", mine, challenge["nonce"])
        self.send({"type": "proof", "proof": proof})
        self.ready = self.receive()

    @staticmethod
    def _proof(token: str, who: str, first: str, second: str) -> str:
        text = (who + first + second).encode()
        return hmac.new(token.encode(), text, hashlib.sha256).hexdigest()

    def send(self, message: Message) -> None:
        body = json.dumps(message).encode()
        self.link.sendall(len(body).to_bytes(4, "big") + body)

    def receive(self) -> Message:
        size = int.from_bytes(self._exactly(4), "big")
        message: Message = json.loads(self._exactly(size))
        return message

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.link.recv(size - len(data))
            if not piece:
                raise ConnectionError("the worker has left")
            data += piece
        return data

    def close(self) -> None:
        self.link.close()

    def answer(self, tell: Callable[[Message], None] = lambda _: None) -> Message:
        """Return the result of the call under way; `tell` gets the progress until then."""
        while (message := self.receive())["type"] == "progress":
            tell(message)
        if message["type"] == "error":
            raise BridgeSaysError(message["kind"], message["text"])
        return message

    def run(
        self, operation: str, files: dict[str, bytes], call: Message, **parameters: Any
    ) -> tuple[Message, dict[str, bytes]]:
        """Do one operation and return the answer, and the samples of its pictures by name.

        `files` are by name, and `call` has what docs/bridge.md says of `picture` and so on.
        """
        folder = Path(tempfile.mkdtemp(prefix="tiny-"))  # made with mode 0700
        try:
            for name, data in files.items():
                (folder / name).write_bytes(data)
            said = {"type": "run", "id": 1, "operation": operation, "parameters": parameters}
            self.send(said | call | {"folder": str(folder)})
            result = self.answer()
            pictures = result["pictures"].items()
            return result, {name: (folder / each["file"]).read_bytes() for name, each in pictures}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
