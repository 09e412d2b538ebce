from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from focuskit.batch import models as module
from focuskit.batch.judge import Judge
from focuskit.batch.library import find_shots
from focuskit.batch.models import MODELS, Model, get_model, model_path
from focuskit.cli import app
from focuskit.errors import OutputError, UnknownNameError, WeightsError
from tests.scenes import make_scene

CONTENT = bytes(range(256)) * 800


class Server(ThreadingHTTPServer):
    """Sends CONTENT; may break off, ignore ranges, or send something else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.break_after: int | None = None
        self.knows_ranges = True
        self.refuses = 0
        self.ranges: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        start = 0
        if wanted and self.server.knows_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if self.server.refuses or start > len(self.server.content):
            self.send_error(self.server.refuses or 416)
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.break_after])
        self.server.break_after = None

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def model(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    monkeypatch.setenv("FOCUSKIT_MODELS", str(tmp_path / "models"))
    made = replace(
        MODELS[0],
        url=f"http://127.0.0.1:{server.server_address[1]}/yunet.onnx",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
    )
    monkeypatch.setattr(module, "MODELS", (made,))
    module._checked.cache_clear()
    yield made
    module._checked.cache_clear()


def _run(*words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["models", *words])
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer.exit_code, answer.stdout


def test_get_puts_the_model_where_culling_finds_it(model: Model, tmp_path: Path) -> None:
    assert model_path("yunet") is None

    code, printed = _run("get", "yunet")

    path = tmp_path / "models" / model.file
    assert code == 0
    assert printed.splitlines() == [str(path)]
    assert path.read_bytes() == CONTENT
    assert model_path("yunet") == path
    assert [each.name for each in path.parent.iterdir()] == [model.file]


def test_what_is_there_is_not_fetched_again(model: Model, server: Server) -> None:
    _run("get", "yunet")
    _run("get", "yunet")
    assert len(server.ranges) == 1

    _run("get", "yunet", "--overwrite")
    assert len(server.ranges) == 2


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_transfer_goes_on_where_it_stopped(
    model: Model, server: Server, tmp_path: Path, knows_ranges: bool
) -> None:
    server.break_after, server.knows_ranges = 70_000, knows_ranges

    with pytest.raises(WeightsError, match="Repeat the command"):
        get_model(model)
    assert model_path("yunet") is None
    _run("get", "yunet")

    assert (tmp_path / "models" / model.file).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=70000-"]


@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT + b"more"])
def test_something_else_is_thrown_away(
    model: Model, server: Server, tmp_path: Path, content: bytes
) -> None:
    server.content = content

    with pytest.raises(WeightsError, match="SHA-256"):
        get_model(model)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_damaged_model_is_not_used(model: Model) -> None:
    path = get_model(model)
    path.write_bytes(CONTENT[:-1] + b"x")
    module._checked.cache_clear()

    with pytest.raises(WeightsError, match="--overwrite"):
        model_path("yunet")
    assert "damaged" in _run("list")[1]

    get_model(model)
    assert model_path("yunet") == path


def test_without_a_server_the_way_by_hand_is_told(model: Model, tmp_path: Path) -> None:
    gone = replace(model, url="http://127.0.0.1:9/yunet.onnx")

    with pytest.raises(WeightsError, match=f"put the file {model.file} into"):
        get_model(gone)


def test_a_folder_that_cannot_be_written_is_named(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("FOCUSKIT_MODELS", str(tmp_path / "file" / "models"))

    with pytest.raises(OutputError, match="FOCUSKIT_MODELS"):
        get_model(model)


def test_a_transfer_that_the_user_stops_goes_on_later(
    model: Model, server: Server, tmp_path: Path
) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get_model(model, progress=stop)
    part = tmp_path / "models" / f"{model.file}.part"
    there = part.stat().st_size
    assert 0 < there < len(CONTENT)
    assert model_path("yunet") is None

    assert get_model(model).read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={there}-"]
    assert not part.exists()


def test_a_part_of_something_longer_is_replaced(
    model: Model, server: Server, tmp_path: Path
) -> None:
    part = tmp_path / "models" / f"{model.file}.part"
    part.parent.mkdir()
    part.write_bytes(bytes(len(CONTENT) - 1))
    server.content = CONTENT[:1000]

    with pytest.raises(WeightsError, match="Repeat the command"):
        get_model(model)
    server.content = CONTENT

    assert get_model(model).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_server_that_refuses_is_quoted(model: Model, server: Server, status: int) -> None:
    server.refuses = status

    with pytest.raises(WeightsError, match="could not be fetched from http"):
        get_model(model)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_no_space_is_told(model: Model, tmp_path: Path) -> None:
    part = tmp_path / "models" / f"{model.file}.part"
    part.parent.mkdir()
    part.symlink_to("/dev/full")

    with pytest.raises(OutputError, match="free some space"):
        get_model(model)
    assert model_path("yunet") is None


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only to root"
)
def test_a_folder_that_is_read_only_is_named(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir(mode=0o500)

    with pytest.raises(OutputError, match=str(folder)):
        get_model(model)


def test_what_was_fetched_finds_the_faces_that_are_judged(
    model: Model, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx", reason="onnx, which makes a network here, is not installed")
    from tests.unit.cull._yunet import write_network

    write_network(tmp_path / "made.onnx")
    server.content = (tmp_path / "made.onnx").read_bytes()
    made = replace(
        model, sha256=hashlib.sha256(server.content).hexdigest(), size=len(server.content)
    )
    monkeypatch.setattr(module, "MODELS", (made,))
    scene = (make_scene(300, 372, 5) * 255).astype(np.uint8)
    scene[..., 2] //= 2
    scene[96:128, 160:192, 2] = 255  # what this network takes for a face
    Image.fromarray(scene).save(tmp_path / "a.png")
    (shot,) = find_shots([tmp_path / "a.png"]).shots
    before = Judge()(shot).measures.region

    assert _run("get", "yunet")[0] == 0
    after = Judge()(shot).measures.region

    assert before.kind == "in-focus area"
    assert after.kind == "eyes"
    assert abs(after.x + after.width / 2 - 176) <= 40
    assert abs(after.y + after.height / 2 - 112) <= 60


def test_list_and_path(model: Model, tmp_path: Path) -> None:
    assert _run("path") == (0, f"{tmp_path / 'models'}\n")
    assert "absent" in _run("list")[1]


def test_an_unknown_model_is_an_error(model: Model) -> None:
    with pytest.raises(UnknownNameError, match="there is yunet"):
        _run("get", "younet")
