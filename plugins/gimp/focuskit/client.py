"""The client's side of focuskit's bridge: docs/bridge.md of focuskit describes it."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import socket
import struct
import time

import starting

PROTOCOL = 1
_MOST_BYTES = 1 << 20
_START_S = 60.0
# Beyond the worker's own limit: it then does not answer any more.
_GRACE_S = 30.0
_HELLO_S = 30.0


class WorkerError(Exception):
    """The worker said no; the text is for the user.

    Attributes:
        kind: as in docs/bridge.md, such as "InputError".
    """

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


class Broken(Exception):
    """The connection ended before the answer."""


class Connection:
    """A connection whose both ends have proven that they know the token."""

    def __init__(self, sock, token, client):
        self._socket = sock
        self._left = b""
        self._calls = 0
        self._prove(token, client)

    def run(self, operation, request, limit_s, told):
        """Return the answer to one call.

        Args:
            operation: its name.
            request: the keys of the call, such as parameters, picture and folder.
            limit_s: how long the work may take.
            told: called with (share or None, text) now and then.

        Raises:
            WorkerError: the worker's own error.
            Broken: it is gone.
        """
        self._calls += 1
        number = self._calls
        message = {"type": "run", "id": number, "operation": operation, "time_limit_s": limit_s}
        self._send(dict(message, **request))
        # Waiting for other callers' work does not count: every sign of life starts it anew.
        deadline = time.monotonic() + limit_s + _GRACE_S
        while True:
            answer = self._receive(deadline)
            if answer.get("id") not in (number, None):
                continue
            kind = answer.get("type")
            if kind == "progress":
                deadline = time.monotonic() + limit_s + _GRACE_S
                told(answer.get("fraction"), answer.get("text") or "")
            elif kind == "result":
                return answer
            elif kind == "error":
                raise _error(answer)

    def describe(self):
        """Return the worker's operations with their parameters."""
        self._send({"type": "describe"})
        answer = self._receive(time.monotonic() + _START_S)
        return answer.get("operations") or {}

    def stop(self):
        """Ask the worker to end when the calls under way are done."""
        self._send({"type": "stop"})

    def close(self):
        """End the connection; a call under way is cancelled. From any thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def _prove(self, token, client):
        deadline = time.monotonic() + _HELLO_S
        first = secrets.token_hex(32)
        hello = {"type": "hello", "protocol": PROTOCOL, "client": client, "nonce": first}
        self._send(hello)
        challenge = self._receive(deadline)
        if challenge.get("type") == "error":
            raise _error(challenge)
        second = str(challenge.get("nonce"))
        proof = str(challenge.get("proof"))
        if not hmac.compare_digest(proof, _proof(token, "worker", first, second)):
            raise WorkerError(
                "ProtocolError",
                "Another program answers in the place of focuskit's worker: remove the folder "
                f"{starting.worker_folder()} and try again.",
            )
        self._send({"type": "proof", "proof": _proof(token, "client", first, second)})
        ready = self._receive(deadline)
        if ready.get("type") == "error":
            raise _error(ready)

    def _send(self, message):
        body = json.dumps(message).encode("utf-8")
        try:
            self._socket.settimeout(_HELLO_S)
            self._socket.sendall(struct.pack(">I", len(body)) + body)
        except OSError as exc:
            raise Broken(str(exc)) from exc

    def _receive(self, deadline):
        (size,) = struct.unpack(">I", self._exactly(4, deadline))
        if size > _MOST_BYTES:
            raise Broken(f"a frame of {size} bytes was announced")
        try:
            message = json.loads(self._exactly(size, deadline).decode("utf-8"))
        except ValueError as exc:
            raise Broken("a frame without JSON") from exc
        if not isinstance(message, dict):
            raise Broken("a frame without an object")
        return message

    def _exactly(self, size, deadline):
        while len(self._left) < size:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise WorkerError(
                    "TimeLimitError",
                    "focuskit's worker does not answer any more; "
                    f"{starting.log_file()} may say why.",
                )
            try:
                self._socket.settimeout(left_s)
                more = self._socket.recv(1 << 16)
            except OSError as exc:
                # Of its own class only until Python 3.9.
                if isinstance(exc, (socket.timeout, TimeoutError)):
                    continue
                raise Broken(str(exc)) from exc
            if not more:
                raise Broken("the worker closed the connection")
            self._left += more
        data, self._left = self._left[:size], self._left[size:]
        return data


def connected(client, told):
    """Return a Connection to the worker, which is started if need be.

    Args:
        client: this program's name and version.
        told: called with (None, text) while the worker starts.

    Raises:
        starting.CannotStart: there is no focuskit, or it does not come up.
        WorkerError: it speaks another protocol.
    """
    found = _present(client)
    if found:
        return found
    told(None, "Starting focuskit…")
    worker = starting.Starting()
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        time.sleep(0.1)
        found = _present(client)
        if found:
            return found
        worker.check()
        told(None, "Starting focuskit…")
    raise starting.CannotStart(
        f"focuskit's worker did not come up within {_START_S:g} seconds; {starting.log_file()} may "
        "say why, and `focuskit gimp doctor` tries it step by step."
    )


def _present(client):
    """Return a Connection to the worker that is there; None if there is none."""
    folder = starting.worker_folder()
    if starting.may_be_anothers(folder):
        return None
    try:
        path = os.path.join(folder, "address.json")
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
        transport, address, token = told["transport"], told["address"], told["token"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    sock = None
    try:
        if transport == "unix":
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(_HELLO_S)
            sock.connect(address)
        else:
            sock = socket.create_connection((address[0], address[1]), _HELLO_S)
        return Connection(sock, token, client)
    except (OSError, Broken):
        # Left over from a worker that is gone, or going.
        if sock is not None:
            sock.close()
        return None
    except WorkerError:
        sock.close()
        raise


def _proof(token, who, first, second):
    text = (who + first + second).encode("utf-8")
    return hmac.new(token.encode("utf-8"), text, hashlib.sha256).hexdigest()


def _error(answer):
    return WorkerError(
        str(answer.get("kind") or "BridgeError"),
        str(answer.get("text") or "focuskit failed without saying why."),
    )
