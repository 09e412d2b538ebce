"""What the bridge costs: calls on a large picture and its previews, by a client in this process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.bench.decoding import camera_jpeg
from focuskit.bridge.faults import WorkerDiedError
from focuskit.bridge.folders import FOLDER_VARIABLE
from focuskit.bridge.protocol import PROTOCOL, FrameReader, frame, new_nonce, prove
from focuskit.bridge.server import ADDRESS_FILE
from focuskit.errors import BridgeError

__all__ = ["bench_bridge"]

Row = dict[str, Any]
Samples = NDArray[np.uint8]
Message = dict[str, Any]

# As in the plug-in's dialogs.
_PREVIEW_PX = 640
_START_S = 60.0
_PIECE = 1 << 16
# Sharp in the middle, blurred towards the rim.
_SHARP_SHARE = 0.4
_BLUR_SHARE = 0.002


def bench_bridge(strength: float, advance: Callable[[str], None]) -> list[Row]:
    """Time bokeh, and the preview of refocus, over the bridge, with a worker started for it.

    Args:
        strength: of the background blur in the first call.
        advance: told what is timed next, and how long it took.

    Returns:
        A row for each call: what it was, and seconds: in all, of the client's own files, of the
        worker's reading, work and writing; and the share outside of the work.
    """
    advance("Making a picture of 24 MP")
    whole, other = _picture(), _picture()[:, ::-1].copy()
    scale = _PREVIEW_PX / max(whole.shape)
    small = _shrunk(whole, scale)
    first, later = ({"strength": strength * factor} for factor in (1.0, 1.1))
    near, far = ({"point": [place, place]} for place in (30, 60))
    with _private_folder() as folder, _worker(folder) as started:
        # In the order of a person with a dialog: previews until the settings are right.
        calls: list[tuple[str, str, Samples, Message, float]] = [
            ("bokeh", "preview, first call, worker starts", small, first, scale),
            ("bokeh", "preview, later call", small, later, scale),
            ("refocus", "preview, first call", small, near, scale),
            ("refocus", "preview, later call", small, far, scale),
            ("bokeh", "24 MP, first call", whole, first, 1.0),
            ("bokeh", "24 MP, later call", whole, later, 1.0),
            ("bokeh", "24 MP, another picture", other, later, 1.0),
        ]
        rows = []
        client: _Client | None = None
        for operation, what, picture, settings, size in calls:
            advance(f"{operation}, {what}")
            began = started if client is None else time.perf_counter()
            if client is None:
                client = _Client(folder)
            row = client.run(operation, picture, settings, size, began)
            rows.append({"operation": operation, "what": what} | row)
            advance(f"{row['total_s']:.2f} s, {row['work_s']:.2f} s of them work")
    return rows


def _picture() -> Samples:
    encoded = np.frombuffer(camera_jpeg(), np.uint8)
    sharp = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    height, width = sharp.shape[:2]
    blurred = cv2.GaussianBlur(sharp, (0, 0), _BLUR_SHARE * width)
    middle = np.zeros((height, width), np.uint8)
    axes = (round(_SHARP_SHARE * width / 2), round(_SHARP_SHARE * height / 2))
    cv2.ellipse(middle, (width // 2, height // 2), axes, 0, 0, 360, 255, -1)
    return np.where(middle[..., None] > 0, sharp, np.asarray(blurred, np.uint8))


def _shrunk(picture: Samples, scale: float) -> Samples:
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="focuskit-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _worker(folder: Path) -> Iterator[float]:
    """Start a worker of its own, and yield when that was."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "focuskit", "bridge", "--idle-minutes", "2"],
        env=os.environ | {FOLDER_VARIABLE: str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield began
    finally:
        process.terminate()
        process.wait()


class _Client:
    """One connection."""

    def __init__(self, folder: Path) -> None:
        told = _address(folder)
        unix = told["transport"] == "unix"
        self._link = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        self._link.connect(told["address"] if unix else tuple(told["address"]))
        self._messages = self._arriving()
        mine = new_nonce()
        self._send({"type": "hello", "protocol": PROTOCOL, "client": "bench", "nonce": mine})
        theirs = next(self._messages)["nonce"]
        self._send({"type": "proof", "proof": prove(told["token"], "client", mine, theirs)})
        next(self._messages)

    def run(
        self, operation: str, picture: Samples, settings: Message, scale: float, began: float
    ) -> Row:
        """Do a call and return its seconds."""
        height, width = picture.shape[:2]
        told = {"file": "picture.raw", "width": width, "height": height, "channels": 3}
        with _private_folder() as folder:
            before = time.perf_counter()
            picture.tofile(folder / "picture.raw")
            files_s = time.perf_counter() - before
            call = {"type": "run", "id": 1, "operation": operation, "parameters": settings}
            more = {"picture": told | {"dtype": "u8"}, "folder": str(folder), "scale": scale}
            self._send(call | more)
            answer = self._answer()
            before = time.perf_counter()
            np.fromfile(folder / answer["pictures"]["picture"]["file"], np.uint8)
            files_s += time.perf_counter() - before
        total = time.perf_counter() - began
        seconds = answer["seconds"]
        return {
            "total_s": round(total, 3),
            "client_files_s": round(files_s, 3),
            "read_s": round(seconds["read"], 3),
            "work_s": round(seconds["work"], 3),
            "write_s": round(seconds["write"], 3),
            "outside_share": round(1 - seconds["work"] / total, 3),
        }

    def _answer(self) -> Message:
        for message in self._messages:
            if message["type"] == "error":
                raise BridgeError(message["text"])
            if message["type"] == "result":
                return message
        raise WorkerDiedError("The worker has ended in the middle of a call.")

    def _send(self, message: Message) -> None:
        self._link.sendall(frame(message))

    def _arriving(self) -> Iterator[Message]:
        reader = FrameReader()
        while data := self._link.recv(_PIECE):
            yield from reader.feed(data)


def _address(folder: Path) -> Message:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError):
            told: Message = json.loads((folder / ADDRESS_FILE).read_text(encoding="utf-8"))
            return told
        time.sleep(0.01)
    raise BridgeError(f"The worker did not start within {_START_S:g} s; see {folder}/log.txt.")
