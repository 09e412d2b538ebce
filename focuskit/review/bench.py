"""What a review of a large library costs: the first grid, the next photo, memory."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from focuskit.errors import BatchError
from focuskit.review.large_library import Multiplied, multiply
from focuskit.review.server import LARGE

__all__ = ["bench_review"]

Row = dict[str, Any]

_COMMAND = (sys.executable, "-c", "from focuskit.cli import main; main()", "review")
_SCREEN_TILES, _CONNECTIONS = 48, 6
_STARTS_WITHIN_S = 120
_REPEATS = 5


@dataclass(frozen=True, slots=True)
class _Server:
    """A review that runs.

    Attributes:
        host, port: where.
        cookie: that opens it.
        process: its number.
        started_s: from the command to the printed address.
    """

    host: str
    port: int
    cookie: str
    process: int
    started_s: float

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def get(self, connection: http.client.HTTPConnection, path: str) -> bytes:
        connection.request("GET", path, headers={"Cookie": self.cookie, "Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise BatchError(f"The benchmark's review answered {path} with {answer.status}.")
        return data


def bench_review(photos: Path, shots: int, steps: int, say: Callable[[str], None]) -> list[Row]:
    """Serve a library of so many shots and walk through it.

    Args:
        photos: folder that the library is made of.
        shots: how many, at least.
        steps: from photo to photo.
        say: told what is done.

    Returns:
        Rows of what, value and unit.

    Raises:
        BatchError: the server does not answer.
        InputError: there are no photos.
    """
    with tempfile.TemporaryDirectory(prefix="focuskit-bench-") as name:
        folder = Path(name)
        say(f"Making a culled library of {shots} shots ...")
        made = multiply(photos, folder, shots, LARGE)
        say(f"Serving {made.shots} shots, and walking {steps} steps ...")
        with _serving(made.output) as server:
            return _measured(server, made, steps)


def _measured(server: _Server, made: Multiplied, steps: int) -> list[Row]:
    connection = server.connect()
    page = _times(lambda: server.get(connection, "/"))
    grids = _times(lambda: _first_grid(server))
    plain = _times(lambda: server.get(connection, "/api/shots"))
    filtered = _times(lambda: server.get(connection, "/api/shots?verdict=reject&order=close"))
    size = len(server.get(connection, "/api/shots"))
    tiles = _tiles(_unpacked(server.get(connection, "/api/shots")))
    before = _memory_mb(server.process)
    walked = [_step(server, connection, tile) for tile in _walk(tiles, steps)]
    after = _memory_mb(server.process)
    rows: list[tuple[str, float | None, str]] = [
        ("shots", made.shots, ""),
        ("different photos", made.photos, ""),
        ("start, until the address is printed", server.started_s, "s"),
        ("page alone, first request", page[0] * 1000, "ms"),
        (f"first grid: page and {_SCREEN_TILES} thumbnails, median", _middle(grids), "ms"),
        ("all shots as the page asks for them, median", _middle(plain), "ms"),
        ("the same, size sent", size / 1e6, "MB"),
        ("a filter and an order, median", _middle(filtered), "ms"),
        ("steps", steps, ""),
        ("next photo and its details, median", _middle(walked), "ms"),
        ("next photo, 95th percentile", float(np.percentile(walked, 95)) * 1000, "ms"),
        ("next photo, 99th percentile", float(np.percentile(walked, 99)) * 1000, "ms"),
        ("next photo, slowest", max(walked) * 1000, "ms"),
        ("memory of the server before the walk", before, "MB"),
        ("memory after it", after, "MB"),
    ]
    return [{"what": what, "value": value, "unit": unit} for what, value, unit in rows]


def _first_grid(server: _Server) -> None:
    """Ask for what a browser asks for before the first screen is full."""
    page = server.get(server.connect(), "/").decode()
    start = page.index('<script type="application/json"')
    tiles = _tiles(_first(page[start:]))[:_SCREEN_TILES]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(lambda some: _thumbs(server, some), _dealt(tiles)))


def _first(text: str) -> dict[str, Any]:
    """Return the first window of shots among the JSON that a page carries."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except ValueError:
            break
        for each in (found, *found.values()):
            if isinstance(each, dict) and "groups" in each:
                return each
        at = text.find("{", end)
    raise BatchError("The review's page carries no shots.")


def _thumbs(server: _Server, tiles: Sequence[list[Any]]) -> None:
    connection = server.connect()
    for tile in tiles:
        server.get(connection, f"/pictures/{tile[0]}/thumb?v={tile[9]}")


def _dealt(tiles: Sequence[list[Any]]) -> list[Sequence[list[Any]]]:
    return [tiles[first::_CONNECTIONS] for first in range(_CONNECTIONS)]


def _step(server: _Server, connection: http.client.HTTPConnection, tile: list[Any]) -> float:
    """Return how long it takes to have the next photo, its 100 % crop and all about it."""
    started = time.perf_counter()
    server.get(connection, f"/pictures/{tile[0]}/photo?v={tile[9]}")
    server.get(connection, f"/pictures/{tile[0]}/crop?v={tile[9]}")
    server.get(connection, f"/api/shots/{tile[0]}")
    return time.perf_counter() - started


def _walk(tiles: Sequence[list[Any]], steps: int) -> Iterator[list[Any]]:
    # From the middle on: nothing there was on the first screen.
    start = len(tiles) // 2
    for step in range(steps):
        yield tiles[(start + step) % len(tiles)]


def _unpacked(data: bytes) -> dict[str, Any]:
    import gzip

    found: dict[str, Any] = json.loads(gzip.decompress(data))
    return found


def _tiles(said: dict[str, Any]) -> list[list[Any]]:
    return [tile for group in said["groups"] for tile in group["shots"]]


def _times(go: Callable[[], object]) -> list[float]:
    found = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        go()
        found.append(time.perf_counter() - started)
    return found


def _middle(times: Sequence[float]) -> float:
    return float(np.median(times)) * 1000


def _memory_mb(process: int) -> float | None:
    """Return the memory that a process and its children hold, or None where nobody tells."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (OSError, ValueError, IndexError):
        return None
    own = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return own + sum(_memory_mb(int(child)) or 0.0 for child in children)


@contextmanager
def _serving(output: Path) -> Iterator[_Server]:
    started = time.perf_counter()
    with (output / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [*_COMMAND, str(output), "--no-open"], stdout=subprocess.PIPE, stderr=said, text=True
        )
    try:
        yield _opened(process, started, output / "said.txt")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_STARTS_WITHIN_S)


def _opened(process: subprocess.Popen[str], started: float, said: Path) -> _Server:
    address = process.stdout.readline().strip() if process.stdout else ""
    if not address:
        text = said.read_text(encoding="utf-8", errors="replace").strip()
        raise BatchError(f"The benchmark's review did not start: {text[-400:]}")
    took = time.perf_counter() - started
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or 0
    connection = http.client.HTTPConnection(host, port, timeout=60)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
    return _Server(host, port, cookie, process.pid, took)
