"""The review server's routes: what a page may ask for, and what it gets."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import focuskit
from focuskit.errors import BatchError, FocuskitError, InputError, OutputError
from focuskit.review.access import Access, Guard, error
from focuskit.review.events import Tidings
from focuskit.review.pictures import BusyError, Pictures
from focuskit.review.query import Query
from focuskit.review.rendering import Kind
from focuskit.review.table import NoShotError, Table, Tile, stem_of
from focuskit.review.writing import StalePlanError, Writing

__all__ = ["Review", "make_app"]

_TEMPLATE = "review.html.j2"
_FIRST_SHOTS = 200
_AHEAD = 3
_LEAST_GZIPPED = 4096
_LOOK_EVERY_S = 1.0
# While a cull writes, reading the catalog anew takes a tenth of the time at most.
_REST = 10.0
_MOST_TEXT = 200
_YEAR_S = 365 * 24 * 3600
_STATUS: tuple[tuple[type[FocuskitError], int], ...] = (
    (NoShotError, 404),
    (BusyError, 503),
    (BatchError, 503),
    (StalePlanError, 409),
    (InputError, 400),
    (OutputError, 507),
)


class Review:
    """Answers requests about one light table."""

    def __init__(self, table: Table, pictures: Pictures, writing: Writing) -> None:
        self.table = table
        self.pictures = pictures
        self.writing = writing
        self.tidings = Tidings()
        self._environment = Environment(
            loader=PackageLoader("focuskit.review"), autoescape=True, undefined=StrictUndefined
        )

    @asynccontextmanager
    async def running(self, _: Starlette) -> AsyncIterator[None]:
        """Keep an eye on photos and catalog while the server runs."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self.tidings.close()
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            self.pictures.close()

    async def page(self, _: Request) -> Response:
        """Return the page with its first window of shots."""
        library = await self._library()
        first = await run_in_threadpool(self.table.shots, Query(), _FIRST_SHOTS)
        text = self._environment.get_template(_TEMPLATE).render(
            name=self.table.name,
            version=focuskit.__version__,
            library=library,
            first={"version": self.tidings.version, **first},
        )
        # Names of files may hold bytes that are no text.
        return HTMLResponse(text.encode("utf-8", "replace"))

    async def library(self, request: Request) -> Response:
        """Return counts, facets and what can be undone."""
        return _json(await self._library(), request)

    async def shots(self, request: Request) -> Response:
        """Return the tiles that fit a query."""
        query = Query.parse(request.query_params.multi_items())
        version = self.tidings.version
        body = await run_in_threadpool(
            lambda: _dumped({"version": version, **self.table.shots(query)})
        )
        return _packed(body, request)

    async def details(self, request: Request) -> Response:
        """Return everything about a shot."""
        number = request.path_params["number"]
        found = await run_in_threadpool(self.table.details, number)
        entry = self.table.entry(number)
        stem, away = stem_of(entry), found["missing"] is not None
        found["pictures"] = {
            "thumb": not away or self.pictures.cached(stem, "photo") is not None,
            "photo": not away,
            "overlay": not away or self.pictures.cached(stem, "overlay") is not None,
            "crop": not away or self.pictures.cached(stem, "crop") is not None,
        }
        self._ahead(number)
        return _json(found, request)

    async def picture(self, request: Request) -> Response:
        """Return a picture of a shot."""
        entry = self.table.entry(request.path_params["number"])
        kind: Kind = request.path_params["kind"]
        if kind not in get_args(Kind):
            raise InputError(f"Pictures are {', '.join(get_args(Kind))}.")
        asked, stem = request.query_params, stem_of(entry)
        small = kind == "crop" and asked.get("size") != "640"
        small |= kind == "overlay" and asked.get("quick") == "1"
        tag = f'"{stem}-{kind}{"-small" * small}"'
        fresh = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if asked.get("v") and stem.startswith(asked["v"]):
            fresh["Cache-Control"] = f"private, max-age={_YEAR_S}, immutable"
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=fresh)
        path = None
        if small or kind == "thumb":
            path = self.pictures.cached(stem, "photo" if kind == "thumb" else kind)
        try:
            if path is None:
                wanted = await run_in_threadpool(self.table.wanted, entry, kind)
                path = await self.pictures.get(stem, wanted)
            data = await run_in_threadpool(path.read_bytes)
        except InputError as exc:
            raise NoShotError(str(exc)) from exc
        except OSError as exc:
            raise BusyError(f"{entry.name} could not be read back just now; ask again.") from exc
        if kind == "photo":
            self._ahead(entry.id)
        return Response(data, media_type="image/jpeg", headers=fresh)

    async def choose(self, request: Request) -> Response:
        """Save choices, and tell all pages."""
        said = await _asked(request)
        changes = _changes(said)
        what = _text(said, "what") or "change"
        client = _text(said, "client")
        tiles = await run_in_threadpool(self.table.change, changes, what, client)
        version = self.tidings.tell(tiles, client)
        undo, _ = await run_in_threadpool(self.table.journal.ends)
        return _json({"version": version, "changed": tiles, "undo": undo}, request)

    async def undo(self, request: Request) -> Response:
        """Take the last change back."""
        return await self._step(request, self.table.undo)

    async def redo(self, request: Request) -> Response:
        """Do again what was taken back last."""
        return await self._step(request, self.table.redo)

    async def events(self, request: Request) -> Response:
        """Tell a page what changes, for as long as it listens."""
        given = request.headers.get("last-event-id") or request.query_params.get("since", "")
        if self.tidings.full:
            raise BusyError("Too many pages listen already; close some.")
        since = int(given) if given.isdecimal() and len(given) < 20 else self.tidings.version
        return StreamingResponse(self.tidings.stream(since), media_type="text/event-stream")

    async def plan(self, request: Request) -> Response:
        """Say what writing back would do."""
        said = await _asked(request)
        return _json(await run_in_threadpool(self.writing.plan, said), request)

    async def apply(self, request: Request) -> Response:
        """Do what a plan says."""
        said = await _asked(request)
        done = await run_in_threadpool(self.writing.apply, _text(said, "plan"))
        await self._look()
        return _json(done, request)

    async def undo_apply(self, request: Request) -> Response:
        """Put back what was done."""
        said = await _asked(request)
        done = await run_in_threadpool(self.writing.undo, _text(said, "manifest"))
        await self._look()
        return _json(done, request)

    async def download(self, request: Request) -> Response:
        """Return the decisions as a file."""
        form = request.query_params.get("format", "")
        name, kind, data = await run_in_threadpool(self.writing.decisions, form)
        return _file(name, kind, data)

    async def export(self, request: Request) -> Response:
        """Return sidecars as they would be written, in a ZIP archive."""
        said = await _asked(request)
        if said.get("format") != "xmp":
            raise InputError('Only {"format": "xmp"} is exported this way.')
        data = await run_in_threadpool(self.writing.sidecars)
        return _file("focuskit-sidecars.zip", "application/zip", data)

    async def _step(
        self, request: Request, go: Callable[[], tuple[str, list[Tile]] | None]
    ) -> Response:
        client = _text(await _asked(request), "client")
        found = await run_in_threadpool(go)
        what, tiles = found or ("", [])
        version = self.tidings.tell(tiles, client) if tiles else self.tidings.version
        undo, redo = await run_in_threadpool(self.table.journal.ends)
        said = {"version": version, "changed": tiles, "what": what, "undo": undo, "redo": redo}
        return _json(said, request)

    async def _library(self) -> dict[str, Any]:
        version = self.tidings.version
        return {"version": version, **await run_in_threadpool(self.table.summary)}

    def _ahead(self, number: int) -> None:
        """Have the photos around one made: the next one is there before it is asked for."""
        for entry in self.table.neighbours(number, _AHEAD):
            with suppress(FocuskitError):
                self.pictures.ahead(stem_of(entry), self.table.wanted(entry, "photo"))

    async def _look(self) -> None:
        tiles = await run_in_threadpool(self.table.look_around)
        if tiles:
            self.tidings.tell(tiles, "")

    async def _watch(self) -> None:
        await self._look()
        while True:
            started = monotonic()
            with suppress(FocuskitError):
                # A catalog that cannot be read just now is read a second later.
                if await run_in_threadpool(self.table.refresh):
                    self.tidings.reload()
                    await self._look()
            await asyncio.sleep(max(_LOOK_EVERY_S, _REST * (monotonic() - started)))


def make_app(review: Review, access: Access) -> Starlette:
    """Return the server's application.

    Args:
        review: answers.
        access: who may ask.
    """
    static = Path(__file__).parent / "static"
    routes = [
        _get("/", review.page),
        _get("/api/library", review.library),
        _get("/api/shots", review.shots),
        _get("/api/shots/{number:int}", review.details),
        _get("/pictures/{number:int}/{kind:str}", review.picture),
        _get("/api/events", review.events),
        _get("/api/export", review.download),
        _post("/api/choices", review.choose),
        _post("/api/undo", review.undo),
        _post("/api/redo", review.redo),
        _post("/api/plan", review.plan),
        _post("/api/apply", review.apply),
        _post("/api/apply/undo", review.undo_apply),
        _post("/api/export", review.export),
        Mount("/static", _Static(directory=static)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, access)],
        exception_handlers={FocuskitError: _told, HTTPException: _refused},
        lifespan=review.running,
    )


class _Static(StaticFiles):
    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers["Cache-Control"] = "no-cache"
        return response


_Answer = Callable[[Request], Awaitable[Response]]


def _get(path: str, answer: _Answer) -> Route:
    return Route(path, answer, methods=["GET"])


def _post(path: str, answer: _Answer) -> Route:
    return Route(path, answer, methods=["POST"])


async def _told(_: Request, exc: Exception) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(exc, kind)), 500)
    return error(str(exc), status, type(exc).__name__.removesuffix("Error") + "Error")


async def _refused(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    return error(f"There is nothing at this address ({exc.detail}).", exc.status_code)


async def _asked(request: Request) -> dict[str, Any]:
    try:
        said = json.loads(await request.body())
    except (ValueError, RecursionError) as exc:
        raise InputError("The request is no JSON.") from exc
    if not isinstance(said, dict):
        raise InputError("The request is no JSON object.")
    return said


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"{name} is no text.")
    return value[:_MOST_TEXT]


def _changes(said: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return what is said about each shot.

    Raises:
        InputError: it is nothing that a page says.
    """
    listed = said.get("changes")
    if not isinstance(listed, list):
        raise InputError("changes is a list of what is said about each shot.")
    changes: dict[int, dict[str, Any]] = {}
    for each in listed:
        if not isinstance(each, dict) or type(each.get("id")) is not int:
            raise InputError("Each change has the id of a shot.")
        unknown = each.keys() - {"id", "pick", "stars", "label"}
        if unknown:
            raise InputError(f"{sorted(unknown)[0][:40]!r} is nothing that can be chosen.")
        values = {name: value for name, value in each.items() if name != "id"}
        changes.setdefault(each["id"], {}).update(values)
    return changes


def _dumped(said: Any) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


def _json(said: Any, request: Request) -> Response:
    return _packed(_dumped(said), request)


def _packed(body: bytes, request: Request) -> Response:
    response = Response(body, media_type="application/json")
    if len(body) >= _LEAST_GZIPPED and "gzip" in request.headers.get("accept-encoding", ""):
        response = Response(
            gzip.compress(body, compresslevel=1),
            media_type="application/json",
            headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"},
        )
    return response


def _file(name: str, kind: str, data: bytes) -> Response:
    return Response(
        data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
