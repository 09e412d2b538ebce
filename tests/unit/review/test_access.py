"""Each attack that a local server invites, tried."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from focuskit.batch.catalog import CATALOG_NAME
from focuskit.review import access as access_module
from focuskit.review.access import MOST_BYTES, Access
from focuskit.review.table import Table
from tests.unit.review.conftest import PORT, Serve


@pytest.fixture(scope="module")
def table(samples_once: Path) -> Iterator[Table]:
    """One for all: whatever is tried here must change nothing."""
    made = Table(samples_once / "out" / CATALOG_NAME)
    yield made
    assert not made.choices()
    made.close()


HERE = f"127.0.0.1:{PORT}"
ORIGIN = {"origin": f"http://{HERE}", "x-focuskit": "1", "content-type": "application/json"}
PATHS = ("/", "/api/library", "/api/shots", "/api/shots/1", "/pictures/1/thumb", "/api/events")
PATHS += ("/api/export?format=csv",)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_told_to_who_has_no_token(serve: Serve, path: str) -> None:
    client = serve(opened=False)

    answer = client.get(path)

    assert answer.status_code == 403
    assert "IMG_" not in answer.text


@pytest.mark.parametrize("path", ["/api/choices", "/api/undo", "/api/redo", "/api/plan"])
def test_nothing_is_changed_by_who_has_no_token(serve: Serve, path: str) -> None:
    assert serve(opened=False).post(path, content="{}", headers=ORIGIN).status_code == 403


@pytest.mark.parametrize("token", ["", "x", "é", "\N{ROCKET}", "%00"])
def test_a_wrong_token_or_cookie_opens_nothing(serve: Serve, token: str) -> None:
    access = Access(PORT)
    client = serve(access, opened=False)

    assert client.get("/", params={"token": token}, follow_redirects=False).status_code == 403
    cookie = {"cookie": f"{access.cookie}={token}".encode("utf-8", "replace")}
    assert client.get("/api/library", headers=cookie).status_code == 403  # type: ignore[arg-type]


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(serve: Serve) -> None:
    access = Access(PORT)
    client = serve(access, opened=False)

    answer = client.get("/", params={"token": access.token}, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert access.token not in answer.headers["set-cookie"]
    assert client.get("/").status_code == 200


def test_two_servers_have_other_secrets() -> None:
    one, other = Access(PORT), Access(PORT + 1)

    assert len({one.token, one.session, other.token, other.session}) == 4
    assert min(len(one.token), len(one.session)) >= 40
    assert one.cookie != other.cookie


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "", "192.168.0.9"]
)
def test_a_strangers_name_that_leads_here_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/library", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", [HERE, f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
def test_the_machines_own_names_are_taken(client: TestClient, host: str) -> None:
    assert Access(PORT).knows_host(host)


def test_on_the_network_addresses_of_digits_are_taken_and_strange_names_are_not() -> None:
    access = Access(PORT, frozenset({"studio"}), "secret words")

    assert all(access.knows_host(f"{name}:{PORT}") for name in ("studio", "10.0.0.7", "[fe80::1]"))
    assert not access.knows_host(f"evil.example:{PORT}")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"https://{HERE}"},
        {"origin": f"http://{HERE}.evil.example"},
        {"origin": f"http://localhost:{PORT}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-focuskit": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
    ],
)
def test_posts_of_other_sites_are_refused_though_the_cookie_came_along(
    client: TestClient, numbers: dict[str, int], headers: dict[str, str]
) -> None:
    said = {"client": "a", "changes": [{"id": numbers["IMG_0010.jpg"], "pick": "reject"}]}

    answer = client.post("/api/choices", content=json.dumps(said), headers=ORIGIN | headers)

    assert answer.status_code in (403, 415)
    assert client.get("/api/library").json()["counts"]["changed"] == 0


def test_a_post_without_an_origin_is_refused(client: TestClient) -> None:
    del client.headers["origin"]

    assert client.post("/api/undo", json={}).status_code == 403


@pytest.mark.parametrize("path", PATHS[1:])
def test_other_sites_cannot_embed_anything(client: TestClient, path: str) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}

    assert client.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    assert client.request(method, "/api/choices").status_code == 405


@pytest.mark.parametrize("path", ["/", "/api/library", "/nothing", "/static/nothing.js"])
def test_every_answer_keeps_itself_to_this_page(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/..%2f..%2fetc%2fpasswd/thumb",
        "/pictures/1/..%2f..%2ffocuskit.catalog",
        "/pictures/1/%2e%2e/%2e%2e/focuskit.catalog",
        "/pictures/-1/thumb",
        "/pictures/99999/thumb",
        "/pictures/99999999999999999999999/thumb",
        "/static/..%2f..%2faccess.py",
        "/static/%2e%2e/access.py",
        "/static/../access.py",
        "/static//etc/passwd",
        "/api/shots/1;drop",
        "/focuskit.catalog",
    ],
)
def test_nothing_outside_the_catalog_is_served(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code in (400, 404)
    assert b"SQLite" not in answer.content
    assert b"import" not in answer.content


def test_a_request_that_is_too_large_is_refused_whether_it_says_so_or_not(
    client: TestClient,
) -> None:
    def parts() -> list[bytes]:
        return [b" " * (1 << 20)] * ((MOST_BYTES >> 20) + 1)

    told = client.post("/api/choices", content=b" " * (MOST_BYTES + 1), headers=ORIGIN)
    silent = client.post("/api/choices", content=iter(parts()), headers=ORIGIN)

    assert (told.status_code, silent.status_code) == (413, 413)


@pytest.mark.parametrize("length", ["x", "-5", "1e9", "١"])
def test_a_length_that_is_no_number_is_refused(client: TestClient, length: str) -> None:
    headers = {**ORIGIN, "content-length": length.encode()}

    assert client.post("/api/undo", content=b"{}", headers=headers).status_code in (400, 413)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "1", "null", '{"changes": 3}', '{"changes": [3]}', "[" * 100_000]
)
def test_what_is_no_request_is_answered_with_a_sentence(client: TestClient, body: str) -> None:
    answer = client.post("/api/choices", content=body, headers=ORIGIN)

    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_what_the_page_carries_cannot_end_the_element_that_holds_it(client: TestClient) -> None:
    page = client.get("/").text

    start = page.index('<script type="application/json"')
    data = page[page.index(">", start) + 1 : page.index("</script>", start)]
    assert "<" not in data
    assert json.loads(data)["first"]["total"] == 8


def test_on_the_network_a_password_is_asked_for_and_taken_by_post_only(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_module, "_AFTER_WRONG_S", 0)
    access = Access(PORT, frozenset({"studio"}), "correct horse")
    client = serve(access, opened=False)
    form = {"origin": f"http://{HERE}", "content-type": "application/x-www-form-urlencoded"}

    asked = client.get("/")
    foreign = client.post(
        "/login", content="password=correct+horse", headers=form | {"origin": "x"}
    )
    wrong = client.post("/login", content="password=wrong", headers=form)
    closed = client.get("/api/library")
    right = client.post(
        "/login", content="password=correct+horse", headers=form, follow_redirects=False
    )

    assert (asked.status_code, "password" in asked.text) == (401, True)
    assert "form-action 'self'" in client.get("/login").headers["content-security-policy"]
    assert (foreign.status_code, wrong.status_code, closed.status_code) == (403, 403, 403)
    assert right.status_code == 303
    assert client.get("/api/library").status_code == 200


def test_without_a_password_none_opens(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_module, "_AFTER_WRONG_S", 0)
    form = {"origin": f"http://{HERE}", "content-type": "application/x-www-form-urlencoded"}
    client = serve(opened=False)

    assert client.post("/login", content="password=", headers=form).status_code == 403
    assert client.get("/api/library").status_code == 403
