"""Photos on servers, through fsspec: what a URL leads to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from focuskit.batch.listing import Listed, is_photo, list_local
from focuskit.batch.remote import described, no_driver, open_url, said
from focuskit.errors import FocuskitError, InputError

__all__ = ["is_url", "list_remote"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# Unlike in patterns of this machine, a question mark begins the query of a web address.
_MAGIC = re.compile(r"[*\[]")
_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@")
_HERE = {"file", "local"}
_LOOK_UPS_AT_ONCE = 16


def is_url(text: str) -> bool:
    """Return whether a text names something on a server rather than a path."""
    return _URL.match(text) is not None


def list_remote(url: str) -> Listed:
    """List a file, a folder with everything below, or what a pattern matches, on a server.

    Files of servers get names below folders such as `/s3:/bucket`, where nothing is. `file://` is
    this machine.

    Args:
        url: of any protocol that fsspec knows; `*`, `**` and `[...]` make it a pattern unless
            something of that very name exists.

    Raises:
        InputError: nothing is there, it cannot be reached, the driver is not installed, or the URL
            holds a password.
    """
    if _PASSWORD.search(url):
        raise InputError(
            f"{_PASSWORD.sub('://...@', url)} holds a password, which would end up in results: put "
            "it into the settings of fsspec (~/.config/fsspec) or of the driver instead."
        )
    with _listing(url):
        files, path = open_url(url)
        if _HERE & {files.protocol, *files.protocol}:
            return list_local(path)
        head, colons, rest = url.partition("::")
        magic = _MAGIC.search(head)
        if magic and not files.exists(path):
            server = _Server(files, _folder_of(head[: magic.start()]), colons + rest)
            return server.matching(path)
        if is_photo(path.rpartition("/")[2]) and files.isfile(path):
            return _Server(files, _folder_of(head), colons + rest).only(path)
        if files.isdir(path):
            return _Server(files, head, colons + rest).everything(path)
    raise InputError(f"{url} does not exist, or is no photo; check its spelling.")


@dataclass(frozen=True, slots=True)
class _Server:
    """A folder on a server.

    Attributes:
        files: fsspec's file system.
        head: URL of the folder, up to "::" where it lies inside an archive.
        chain: what follows from there on.
    """

    files: Any
    head: str
    chain: str

    def only(self, path: str) -> Listed:
        """List one file."""
        return self._listed({path: self.files.info(path)}, Listed(self._place()))

    def matching(self, pattern: str) -> Listed:
        """List what a pattern matches, folders with everything below."""
        listed = Listed(self._place(), pattern=True)
        found: dict[str, Mapping[str, Any]] = {}
        for path, info in self.files.glob(pattern, detail=True).items():
            if info["type"] == "directory":
                found |= self._walked(path, listed)
            elif is_photo(path.rpartition("/")[2]):
                found[path] = info
        return self._listed(found, listed)

    def everything(self, path: str) -> Listed:
        """List everything below a folder."""
        listed = Listed(self._place(), folders=[self._place()])
        return self._listed(self._walked(path, listed), listed)

    def _walked(self, root: str, listed: Listed) -> dict[str, Mapping[str, Any]]:
        # Not by fsspec's own walk, which passes over folders below the first that it cannot list.
        found: dict[str, Mapping[str, Any]] = {}
        todo, seen = [root], {root}
        while todo:
            folder = todo.pop()
            try:
                entries = self.files.ls(folder, detail=True)
            except Exception as exc:  # drivers raise errors of the libraries they are built on
                if folder == root:
                    raise
                self._tell(folder, exc, listed)
                continue
            for info in entries:
                path = info["name"].rstrip("/")
                name = path.rpartition("/")[2]
                if info["type"] != "directory" and is_photo(name):
                    found[path] = info
                elif info["type"] == "directory" and path not in seen and name[:1] != ".":
                    seen.add(path)
                    todo.append(path)
        return found

    def _tell(self, folder: str, exc: Exception, listed: Listed) -> None:
        below = folder[len(self.files._strip_protocol(self.head)) :].strip("/")
        text = f"The folder {below} of {self.head}{self.chain} cannot be listed ({said(exc)})."
        listed.troubles.append((f"{listed.base}/{below}/", text))

    def _listed(self, found: Mapping[str, Mapping[str, Any]], listed: Listed) -> Listed:
        root = self.files._strip_protocol(self.head)
        slash = "" if self.head.endswith("/") else "/"
        for path, info in sorted(self._looked_up(found)):
            below = path[len(root) :].lstrip("/")
            url = f"{self.head}{slash}{below}{self.chain}"
            parts = below.split("/")
            if {"", ".", ".."} & set(parts):
                text = f"{url} has a name that no folder here can have, and is left out; rename it."
                listed.troubles.append((f"{listed.base}/{below}", text))
                continue
            *folders, name = parts
            place = os.path.join(listed.base, *folders)
            if not any(folder.startswith(".") for folder in folders):
                listed.files[place, name] = described(info, url)
        return listed

    def _looked_up(
        self, found: Mapping[str, Mapping[str, Any]]
    ) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Ask for what listings of web servers do not tell."""
        if all(info.get("size") is not None for info in found.values()):
            return found.items()
        with ThreadPoolExecutor(_LOOK_UPS_AT_ONCE) as pool:
            return list(zip(found, pool.map(self.files.info, found), strict=True))

    def _place(self) -> str:
        """Return the folder that stands for this one in paths, where nothing is."""
        parts = f"{self.chain.removeprefix('::')}/{self.head}".split("/")
        return "/" + "/".join(part for part in parts if part not in ("", ".", ".."))


def _folder_of(head: str) -> str:
    folder = head.rpartition("/")[0]
    return folder if _URL.match(folder) else f"{head.partition('://')[0]}://"


@contextmanager
def _listing(url: str) -> Iterator[None]:
    try:
        yield
    except FocuskitError:
        raise
    except ImportError as exc:
        raise no_driver(url, exc) from exc
    except FileNotFoundError as exc:
        raise InputError(f"{url} does not exist; check its spelling.") from exc
    except Exception as exc:  # drivers raise errors of the libraries that they are built on
        if "Protocol not known" in str(exc):
            raise InputError(
                f"{url} is of a kind that fsspec does not know; it knows s3, gs, sftp and others."
            ) from exc
        raise InputError(
            f"{url} cannot be listed ({said(exc)}); check address, connection, and what its "
            "driver asks for to let you in."
        ) from exc
