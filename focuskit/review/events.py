"""What changed, told to every open page in the order in which it happened."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

__all__ = ["Tidings"]

_KEPT = 256
_MOST_TILES = 500
_MOST_PAGES = 64
# So often a page without news hears that the connection still stands.
_STILL_HERE_S = 15.0
_STILL_HERE = b": still here\n\n"


class Tidings:
    """Numbered changes, and the pages that wait for them; used from the event loop only.

    Attributes:
        version: number of the last change. It starts at the time in milliseconds, so that no
            number of an earlier server is reached again.
    """

    def __init__(self) -> None:
        self.version = int(time.time() * 1000)
        self._past: deque[tuple[int, bytes]] = deque(maxlen=_KEPT)
        self._waiting: set[asyncio.Event] = set()
        self._over = False

    @property
    def full(self) -> bool:
        """Whether no more pages may listen."""
        return len(self._waiting) >= _MOST_PAGES

    def tell(self, changed: Sequence[Any], by: str) -> int:
        """Tell all pages which tiles changed and who did it; return the new version.

        Where very many did, the pages are told to ask for everything anew.
        """
        if len(changed) > _MOST_TILES:
            return self.reload()
        return self._put({"changed": list(changed), "by": by})

    def reload(self) -> int:
        """Tell all pages to ask for everything anew; return the new version."""
        return self._put({"reload": True})

    def close(self) -> None:
        """End all streams."""
        self._over = True
        self._wake()

    async def stream(self, since: int) -> AsyncIterator[bytes]:
        """Yield server-sent events after a version, until the page or the server goes away."""
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            yield _STILL_HERE
            while not self._over:
                news.clear()
                for said in self._after(since):
                    yield said
                since = self.version
                try:
                    await asyncio.wait_for(news.wait(), _STILL_HERE_S)
                except TimeoutError:
                    yield _STILL_HERE
        finally:
            self._waiting.discard(news)

    def _after(self, since: int) -> list[bytes]:
        if since == self.version:
            return []
        if not any(number == since + 1 for number, _ in self._past):
            return [_event(self.version, {"reload": True})]
        return [said for number, said in self._past if number > since]

    def _put(self, news: dict[str, Any]) -> int:
        self.version += 1
        self._past.append((self.version, _event(self.version, news)))
        self._wake()
        return self.version

    def _wake(self) -> None:
        for each in self._waiting:
            each.set()


def _event(version: int, news: dict[str, Any]) -> bytes:
    data = json.dumps({"version": version, **news}, separators=(",", ":"))
    return f"id: {version}\ndata: {data}\n\n".encode()
