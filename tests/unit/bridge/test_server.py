"""The worker: found, proven, shared, alone, and gone when nobody calls."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.bridge.connection import peer_uid
from focuskit.bridge.folders import FOLDER_VARIABLE, own_folder, worker_folder
from focuskit.bridge.protocol import FrameReader, frame, new_nonce, prove
from focuskit.bridge.server import serve
from focuskit.errors import BridgeError
from tests.unit.bridge.conftest import Worker, end, run, start_worker, wait_for
from tests.unit.bridge.tiny_client import TinyClient

Samples = NDArray[np.uint8]


@pytest.fixture
def link(worker: Worker) -> Iterator[socket.socket]:
    """A connection that has said nothing yet."""
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(30)
    link.connect(worker.address()["address"])
    yield link
    link.close()


def _next(link: socket.socket) -> dict[str, object] | None:
    """Return the next message; None when the worker has hung up."""
    reader = FrameReader()
    while True:
        try:
            data = link.recv(1)
        except ConnectionResetError:
            return None
        if not data:
            return None
        for message in reader.feed(data):
            return message


def _hello(nonce: str) -> bytes:
    return frame({"type": "hello", "protocol": 1, "client": "test", "nonce": nonce})


def test_nobody_else_may_read_the_address(worker: Worker) -> None:
    modes = {
        name: stat.S_IMODE((worker.folder / name).stat().st_mode)
        for name in ("", "address.json", "socket", "log.txt", "lock")
    }

    assert modes == {"": 0o700} | dict.fromkeys(list(modes)[1:], 0o600)
    told = worker.address()
    assert told["pid"] == worker.process.pid
    assert (told["protocol"], told["transport"]) == (1, "unix")


def test_a_client_is_told_what_there_is(client: TinyClient) -> None:
    client.send({"type": "describe"})
    described = client.receive()["operations"]
    client.send({"type": "ping", "unknown": {"key": 1}})

    assert client.receive() == {"type": "pong"}
    assert set(client.ready["operations"]) == set(described)
    assert {"focus-map", "magnify", "bokeh", "refocus", "deblur", "check"} <= set(described)


def test_what_nobody_knows_is_an_error_and_not_the_end(client: TinyClient) -> None:
    client.send({"type": "dance", "id": 7})
    said = client.receive()

    assert (said["type"], said["kind"], said["id"]) == ("error", "ProtocolError", 7)
    client.send({"type": "ping"})
    assert client.receive()["type"] == "pong"


def test_another_protocol_is_named_with_our_own(link: socket.socket) -> None:
    link.sendall(frame({"type": "hello", "protocol": 2, "nonce": new_nonce()}))
    said = _next(link)

    assert said is not None
    assert said["kind"] == "ProtocolError"
    assert "protocol 2" in str(said["text"])
    assert "speaks 1" in str(said["text"])
    assert _next(link) is None


@pytest.mark.parametrize(
    "bytes_",
    [
        b"\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x02[]",
        b"\0\0\0\x03\xff\xfe\xfd",
        frame({"type": "run", "id": 1}),
        frame({"type": "hello", "protocol": 1, "nonce": "short"}),
        frame({"type": "hello", "protocol": 1}),
    ],
)
def test_who_does_not_speak_the_protocol_is_hung_up_on(link: socket.socket, bytes_: bytes) -> None:
    link.sendall(bytes_)

    assert _next(link) is None


def test_a_wrong_proof_is_hung_up_on(link: socket.socket) -> None:
    nonce = new_nonce()
    link.sendall(_hello(nonce))
    challenge = _next(link)
    assert challenge is not None
    link.sendall(frame({"type": "proof", "proof": "0" * 64}))

    assert _next(link) is None


def test_the_workers_own_proof_and_an_old_one_open_nothing(worker: Worker) -> None:
    token, nonce, old = worker.address()["token"], new_nonce(), ""
    for attempt in range(3):
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(30)
        link.connect(worker.address()["address"])
        link.sendall(_hello(nonce))
        challenge = _next(link)
        assert challenge is not None
        theirs = str(challenge["nonce"])
        assert challenge["proof"] == prove(token, "worker", nonce, theirs)
        right = prove(token, "client", nonce, theirs)
        given = [right, old, challenge["proof"]][attempt]
        old = right
        link.sendall(frame({"type": "proof", "proof": given}))
        answer = _next(link)
        assert (answer is None) == (attempt > 0)
        link.close()


def test_pictures_of_two_clients_do_not_mix(worker: Worker, samples: Samples) -> None:
    pictures = [np.roll(samples, 40 * number, axis=1) for number in range(4)]

    def alone(values: Samples) -> Samples:
        client = worker.client()
        try:
            made = [run(client, "magnify", values, factor=3)[1]["picture"] for _ in range(2)]
        finally:
            client.close()
        assert np.array_equal(made[0], made[1])
        return made[0]

    one_by_one = [alone(values) for values in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(alone, pictures))

    for first, second in zip(one_by_one, together, strict=True):
        assert np.array_equal(first, second)


def test_two_that_start_at_once_leave_one_worker(tmp_path: Path) -> None:
    folder = tmp_path / "worker"
    workers = [start_worker(folder) for _ in range(2)]
    try:
        wait_for((folder / "address.json").exists)
        client = TinyClient(folder)
        first = [each for each in workers if each.process.pid == workers[0].address()["pid"]]
        others = [each for each in workers if each not in first]
        assert len(first) == 1
        assert others[0].process.wait(60) == 0
        assert first[0].process.poll() is None
        client.close()
    finally:
        for each in workers:
            end(each)


def test_what_a_dead_worker_left_is_replaced_and_the_next_one_ends_by_itself(
    tmp_path: Path,
) -> None:
    folder = own_folder(tmp_path / "worker")
    dead = {"transport": "unix", "address": str(folder / "socket"), "token": "old", "pid": 1}
    (folder / "address.json").write_text(json.dumps(dead))
    old = socket.socket(socket.AF_UNIX)
    old.bind(str(folder / "socket"))
    old.close()
    started = start_worker(folder, "--idle-minutes", "0.02")
    try:
        assert started.process.wait(60) == 0
        assert "Ready" in (folder / "log.txt").read_text()
        assert sorted(each.name for each in folder.iterdir()) in (
            ["lock", "log.txt"],
            ["log.txt"],
        )
    finally:
        end(started)


def test_stop_ends_the_worker_and_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "worker"
    folder.parent.mkdir()
    started = start_worker(folder)
    try:
        wait_for((folder / "address.json").exists)
        client = TinyClient(folder)
        address = Path(started.address()["address"])
        assert not address.is_relative_to(tmp_path)
        assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700
        client.send({"type": "stop"})
        client.close()
        assert started.process.wait(60) == 0
        assert not address.parent.exists()
        assert not (folder / "address.json").exists()
    finally:
        end(started)


@pytest.mark.parametrize("kind", ["open", "link", "file", "below an open one"])
def test_a_folder_that_is_not_private_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "worker"
    if kind == "open":
        folder.mkdir()
        folder.chmod(0o750)
    elif kind == "link":
        (tmp_path / "other").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "other")
    elif kind == "file":
        folder.write_text("")
    else:
        (tmp_path / "open").mkdir()
        (tmp_path / "open").chmod(0o777)
        folder = tmp_path / "open" / "worker"

    with pytest.raises(BridgeError, match=FOLDER_VARIABLE):
        own_folder(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "worker"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)

    with pytest.raises(BridgeError, match="belongs to another user"):
        own_folder(folder)


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "Größe"))
    assert worker_folder() == tmp_path / "Größe"
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert worker_folder().is_absolute()


def test_without_unix_sockets_it_is_the_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    folder = tmp_path / "worker"
    thread = threading.Thread(target=serve, args=(folder, 60.0))
    thread.start()
    wait_for((folder / "address.json").exists)
    told = json.loads((folder / "address.json").read_text())
    client = TinyClient(folder)
    client.send({"type": "ping"})
    answer = client.receive()
    client.send({"type": "stop"})
    thread.join(60)
    client.close()

    assert (told["transport"], told["address"][0]) == ("tcp", "127.0.0.1")
    assert answer == {"type": "pong"}
    assert not thread.is_alive()


def test_another_user_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focuskit.bridge.server.peer_uid", lambda _: os.geteuid() + 1)
    folder = tmp_path / "worker"
    thread = threading.Thread(target=serve, args=(folder, 2.0))
    thread.start()
    wait_for((folder / "address.json").exists)
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(30)
        link.connect(str(folder / "socket"))
        assert _next(link) is None
    thread.join(60)

    assert not thread.is_alive()


def test_the_system_tells_who_calls() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_uid(one) == os.geteuid()


def test_a_worker_that_was_told_to_end_ends_soon(tmp_path: Path) -> None:
    started = start_worker(tmp_path / "worker")
    try:
        wait_for((tmp_path / "worker" / "address.json").exists)
        began = time.monotonic()
        started.process.terminate()
        assert started.process.wait(60) == 0
        assert time.monotonic() - began < 30
    finally:
        end(started)
