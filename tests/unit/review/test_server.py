"""A real server: started, talked to over the network, and ended."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.cli.review import _is_loopback
from focuskit.errors import InputError
from focuskit.review.places import find_catalog
from focuskit.review.server import bound
from tests.unit.cli.conftest import Run

COMMAND = (sys.executable, "-c", "from focuskit.cli import main; main()", "review")


class Page:
    """A browser's side: keeps the cookie, names its origin."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.cookie = ""
        with self.ask("GET", f"/?{parts.query}") as answer:
            self.cookie = (answer.getheader("set-cookie") or "").partition(";")[0]

    @contextmanager
    def ask(
        self, method: str, path: str, body: object = None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        headers = {"Cookie": self.cookie, "Origin": f"http://{self.host}:{self.port}"}
        headers |= {"X-Focuskit": "1", "Content-Type": "application/json"}
        with closing(connection):
            connection.request(method, path, json.dumps(body), headers)
            with connection.getresponse() as answer:
                yield answer

    def get(self, path: str) -> Any:
        with self.ask("GET", path) as answer:
            assert answer.status == 200
            return json.loads(answer.read())


def event(stream: http.client.HTTPResponse) -> dict[str, Any]:
    while True:
        line = stream.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            said: dict[str, Any] = json.loads(line[6:])
            return said


@contextmanager
def running(output: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [*COMMAND, str(output), "--no-open", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUTF8": "1"},
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def test_two_pages_are_in_step_and_what_was_chosen_outlasts_the_server(output: Path) -> None:
    with running(output) as (process, address):
        one, other = Page(address), Page(address)
        version = other.get("/api/library")["version"]
        shot = one.get("/api/shots")["groups"][0]["shots"][0]
        change = {"client": "one", "changes": [{"id": shot[0], "stars": 3}], "what": "3 stars"}
        with other.ask("GET", f"/api/events?since={version}") as stream:
            with one.ask("POST", "/api/choices", change) as answer:
                assert answer.status == 200
            heard = event(stream)
            with other.ask("GET", "/api/events?since=17") as late:
                gap = event(late)

            # Pages that listen do not keep the server from ending.
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[1]

    assert (heard["by"], heard["changed"][0][5]) == ("one", 3)
    assert gap["reload"] is True

    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert said.rstrip().endswith("what you chose is saved.")
    with Catalog.open(output / CATALOG_NAME, write=False) as catalog:
        assert catalog.choices()[shot[1]].stars == 3


def test_a_port_that_is_taken_is_told(output: Path, inside: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = inside("review", output, "--no-open", "--port", str(taken.getsockname()[1]))

    assert answer.returncode == 1
    assert "is taken" in answer.stderr
    assert "another --port" in answer.stderr


def test_the_network_is_let_in_with_a_password_only(
    output: Path, inside: Run, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\n")
    file.chmod(0o644)
    answers = [inside("review", output, "--host", "0.0.0.0", "--no-open")]
    options = ("--host", "0.0.0.0", "--no-open", "--password-file", file)
    answers.append(inside("review", output, *options))
    file.chmod(0o600)
    file.write_text("short\n")
    answers.append(inside("review", output, *options))
    file.unlink()
    answers.append(inside("review", output, *options))

    words = ("needs --password-file", "chmod 600", "shorter than 8", "cannot be read")
    for answer, each in zip(answers, words, strict=True):
        assert answer.returncode == 1
        assert each in answer.stderr


def test_with_a_password_what_that_exposes_is_said(output: Path, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\n")
    file.chmod(0o600)
    options = ("--host", "0.0.0.0", "--password-file", str(file))
    with running(output, *options) as (process, address):
        assert address.startswith("http://127.0.0.1:")
        assert process.stderr is not None
        said = process.stderr.readline()

    assert "not encrypted" in said
    assert "knows the password" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.5.5.5", "localhost", "LOCALHOST", "::1"])
def test_what_only_this_machine_reaches_needs_no_password(host: str) -> None:
    assert _is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "studio", "", "127.0.0.1.x"])
def test_all_else_does(host: str) -> None:
    assert not _is_loopback(host)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InputError, match="Nothing can listen"):
        bound("192.0.2.1", 0)


def test_the_catalog_is_found_from_library_output_and_itself(
    samples_once: Path, tmp_path: Path
) -> None:
    out = samples_once / "out"
    catalog = out / CATALOG_NAME

    for place in (samples_once / "library", samples_once / "library" / "more", out, catalog):
        assert find_catalog(place, out) == catalog
    with pytest.raises(InputError, match=r"not culled to .* yet: focuskit cull"):
        find_catalog(samples_once / "library", tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        find_catalog(tmp_path / "nothing", out)
    with pytest.raises(InputError, match="of another library"):
        find_catalog(tmp_path, out)
    (tmp_path / "photo.jpg").write_bytes(b"no catalog")
    with pytest.raises(InputError, match="is no catalog"):
        find_catalog(tmp_path / "photo.jpg", out)
    with Catalog.open(tmp_path / CATALOG_NAME):
        pass
    with pytest.raises(InputError, match="holds no cull yet"):
        find_catalog(tmp_path, out)


def test_a_cull_may_go_on_while_the_page_is_open(output: Path) -> None:
    with running(output) as (_, address):
        page = Page(address)
        version = page.get("/api/library")["version"]
        with page.ask("GET", f"/api/events?since={version}") as stream:
            with Catalog.open(output / CATALOG_NAME) as catalog:
                row = next(catalog.rows("cull"))
                catalog.forget([(row.shot, "cull")])
            heard = event(stream)
        shown = json.dumps(page.get("/api/shots"))

    assert heard["reload"] is True
    assert row.shot not in shown
