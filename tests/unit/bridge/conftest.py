from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import Encoding
from focuskit.io.samples import encode_samples
from tests.scenes import blurred, make_scene
from tests.unit.bridge.tiny_client import TinyClient

HEIGHT, WIDTH = 160, 240


@dataclass
class Worker:
    """A worker of its own folder, and what a client needs to know of it."""

    folder: Path
    process: subprocess.Popen[bytes]

    def client(self) -> TinyClient:
        return TinyClient(self.folder)

    def address(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / "address.json").read_text())
        return told

    def working_process(self) -> int:
        """The process that does the work: the worker's only child."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = [
            int(pid)
            for each in task.parents[1].glob("*/children")
            for pid in each.read_text().split()
        ]
        assert len(children) == 1
        return children[0]


def start_worker(folder: Path, *options: str, **environment: str) -> Worker:
    process = subprocess.Popen(
        [sys.executable, "-m", "focuskit", "bridge", *options],
        env=os.environ | {"FOCUSKIT_BRIDGE_FOLDER": str(folder)} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    return Worker(folder, process)


def wait_for(what: Callable[[], Any], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def end(worker: Worker) -> None:
    """End it and all it started."""
    with suppress(ProcessLookupError):
        os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    if worker.process.stderr is not None:
        worker.process.stderr.close()


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One worker for the tests of a module, for a start takes seconds."""
    started = start_worker(tmp_path_factory.mktemp("bridge") / "worker")
    wait_for((started.folder / "address.json").exists)
    yield started
    end(started)


@pytest.fixture
def client(worker: Worker) -> Iterator[TinyClient]:
    connected = worker.client()
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def half() -> NDArray[np.float32]:
    """Linear light, sharp on the left and out of focus on the right."""
    scene = make_scene(HEIGHT, WIDTH, seed=3)
    scene[:, WIDTH // 2 :] = blurred(scene, 4.0)[:, WIDTH // 2 :]
    return scene


@pytest.fixture(scope="module")
def samples(half: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The same in sRGB, 8 bit."""
    encoded: NDArray[np.uint8] = encode_samples(half, Encoding(), "u8")
    return encoded


def said(values: NDArray[Any], file: str = "picture.raw", **more: Any) -> dict[str, Any]:
    """What a call says of samples."""
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    dtype = {"uint8": "u8", "uint16": "u16", "float32": "f32"}[values.dtype.name]
    facts = {"width": width, "height": height, "channels": channels, "dtype": dtype}
    return {"file": file, "profile": None} | facts | more


def run(
    client: TinyClient,
    operation: str,
    values: NDArray[Any],
    *,
    call: dict[str, Any] | None = None,
    files: dict[str, bytes] | None = None,
    picture: dict[str, Any] | None = None,
    **parameters: Any,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Do one operation; pictures come back as arrays."""
    told = {"picture": said(values, **(picture or {}))} | (call or {})
    data = {"picture.raw": values.tobytes()} | (files or {})
    parameters = {"detector": "lbp"} | parameters
    result, made = client.run(operation, data, told, **parameters)
    return result, {name: _array(result["pictures"][name], data) for name, data in made.items()}


def _array(picture: dict[str, Any], data: bytes) -> NDArray[Any]:
    kind = {"u8": "u1", "u16": "<u2", "f32": "<f4"}[picture["dtype"]]
    shape = (picture["height"], picture["width"], picture["channels"])
    values = np.frombuffer(data, kind).reshape(shape)
    return values[..., 0] if picture["channels"] == 1 else values
