"""Who may talk to the review server: pages that it served, after its token or password."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html
import ipaddress
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MOST_BYTES", "Access", "Guard", "error"]

MOST_BYTES = 4 << 20
"""Largest request that is read."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'none'; base-uri 'none'; form-action {forms}; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_OWN_SITES = frozenset({"same-origin", "none"})
_LOGIN = "/login"
_AFTER_WRONG_S = 1.0
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>focuskit review</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>
<h1>focuskit review</h1>{content}</body></html>"""
_FORM = """<p>{said}</p><form method="post" action="/login"><label>Password
<input name="password" type="password" autocomplete="current-password" autofocus required></label>
<button>Open</button></form>"""


@dataclass(frozen=True, slots=True)
class Access:
    """What opens the door.

    Attributes:
        port: that the server listens on.
        names: other host names than loopback ones that a request may be made to, lower case; with
            any of them, addresses made of digits are taken too.
        password: asked of whoever comes without the token; "" where only the token opens.
        token: in the address that is opened first.
        session: what the cookie holds afterwards.
    """

    port: int
    names: frozenset[str] = frozenset()
    password: str = ""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def cookie(self) -> str:
        """Name of the cookie: browsers do not tell ports apart."""
        return f"focuskit-review-{self.port}"

    def knows_host(self, host: str) -> bool:
        """Tell whether a Host header names this server, and no stranger's name that leads here."""
        name, colon, port = host.lower().rpartition(":")
        if not colon or name.endswith(":") or not port.isdigit():
            name, port = host.lower(), "80"
        if port != str(self.port):
            return False
        return name in _LOOPBACK or name in self.names or bool(self.names and _is_address(name))

    def set_cookie(self, response: Response) -> None:
        """Let a browser in for as long as it runs."""
        response.set_cookie(self.cookie, self.session, httponly=True, samesite="strict", path="/")

    def is_open_to(self, headers: Headers) -> bool:
        """Tell whether a request carries the cookie."""
        # Other programs of this machine may have set cookies that no standard allows.
        pairs = (each.strip().partition("=") for each in headers.get("cookie", "").split(";"))
        return any(name == self.cookie and same(value, self.session) for name, _, value in pairs)


def same(given: str, secret: str) -> bool:
    """Compare with a secret in a time that does not tell how much of it was right."""
    one, other = (
        hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, secret)
    )
    return hmac.compare_digest(one, other)


def error(sentence: str, status: int, kind: str = "InputError") -> Response:
    """Return what went wrong as a page's script reads it."""
    body = json.dumps({"error": sentence, "kind": kind})
    return Response(body, status, media_type="application/json")


class Guard:
    """Stands before the routes: refuses what no page of this server asks for.

    Checks the host (against names that strangers point here), where a request comes from (against
    pages of strangers), the cookie, and the size; adds the headers that keep pages to themselves.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._asking = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        forms = "'self'" if scope["path"] == _LOGIN else "'none'"

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY.format(forms=forms)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers)
        if answer is None and scope["method"] == "POST":
            body = await _body(receive)
            if body is None:
                answer = error("The request is too large.", 413)
            else:
                receive = _replay(body, receive)
                if scope["path"] == _LOGIN:
                    answer = await self._login(body)
        if answer is None:
            answer = self._entry(scope, headers)
        await (answer or self._app)(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._access.knows_host(headers.get("host", "")):
            return error("This server is not called that; open the address it printed.", 421)
        changing = scope["method"] not in ("GET", "HEAD")
        if changing and scope["method"] != "POST":
            return error("This server takes GET and POST only.", 405)
        site = headers.get("sec-fetch-site", "none")
        opened = not changing and headers.get("sec-fetch-mode") == "navigate"
        if site not in _OWN_SITES and not (opened and scope["path"] == "/"):
            return error("Other sites may not ask this server for anything.", 403)
        if not changing:
            return None
        if headers.get("origin") != f"http://{headers['host']}":
            return error("Only pages of this server may change anything.", 403)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return error("The request does not say how long it is.", 400)
        if int(length) > MOST_BYTES:
            return error("The request is too large.", 413)
        if scope["path"] != _LOGIN:
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json" or headers.get("x-focuskit") != "1":
                return error("Send application/json with the header X-Focuskit: 1.", 415)
        return None

    def _entry(self, scope: Scope, headers: Headers) -> Response | None:
        """Let in who may; take the token where somebody brings it, and ask for it elsewhere."""
        access, path = self._access, scope["path"]
        if path == "/" and scope["method"] == "GET":
            given = QueryParams(scope["query_string"]).get("token")
            if given is not None and same(given, access.token):
                return self._welcome()
        if access.is_open_to(headers) or path.startswith("/static/"):
            return None
        if path in ("/", _LOGIN) and access.password:
            return _form("Say the password of this review.", 200 if path == _LOGIN else 401)
        if path == "/":
            said = "Open the address that focuskit review printed in its terminal."
            return HTMLResponse(_PAGE.format(content=f"<p>{said}</p>"), 403)
        return error("Open the address that focuskit review printed, then try again.", 403)

    async def _login(self, body: bytes) -> Response:
        given = parse_qs(body.decode("utf-8", "replace"), max_num_fields=4).get("password", [""])
        # One at a time, and slow where it was wrong: nobody tries words by the thousand.
        async with self._asking:
            if self._access.password and same(given[0], self._access.password):
                return self._welcome()
            await asyncio.sleep(_AFTER_WRONG_S)
        return _form("That was not the password.", 403)

    def _welcome(self) -> Response:
        response = RedirectResponse("/", 303)
        self._access.set_cookie(response)
        return response


def _form(said: str, status: int) -> Response:
    return HTMLResponse(_PAGE.format(content=_FORM.format(said=html.escape(said))), status)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request, or None where it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    told: list[Mapping[str, object]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return dict(told.pop()) if told else await receive()

    return again
