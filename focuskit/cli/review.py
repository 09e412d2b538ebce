"""`focuskit review`: a light table in the browser, where a person has the last word."""

from __future__ import annotations

import ipaddress
import socket
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from focuskit.cli._options import OutputOption
from focuskit.cli._output import say
from focuskit.errors import InputError

__all__ = ["review"]

_SHORTEST = 8


def review(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="PLACE",
            help="A library that was culled, the output folder of its cull, or the catalog in it.",
        ),
    ] = Path("focuskit-cull"),
    output: OutputOption = Path("focuskit-cull"),
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but this machine's own needs a password.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", help="File whose first line is the password for --host."),
    ] = None,
) -> None:
    """Look through a cull in the browser, and have the last word.

    Choices are saved as they are made, in the catalog of the cull; nothing else is changed before
    you write back from the page. Only the printed address opens it. Ctrl-C ends it.
    """
    from focuskit.review.access import Access
    from focuskit.review.places import find_catalog
    from focuskit.review.server import bound, local_address, serve
    from focuskit.review.table import Table

    shared = not _is_loopback(host)
    password = _password(host, password_file, shared=shared)
    catalog = find_catalog(place, output)
    listening = bound(host, port)
    try:
        table = Table(catalog)
    except BaseException:
        listening.close()
        raise
    names = {host.lower(), socket.gethostname().lower()} if shared else set()
    access = Access(listening.getsockname()[1], frozenset(names), password)
    address = local_address(listening, access)
    if table.journal.refusal:
        say(table.journal.refusal)
    if shared:
        say(
            f"Whoever reaches port {access.port} of this machine and knows the password sees all "
            "photos of this cull, changes choices, and can move them and write beside them. The "
            "connection is not encrypted: do this in networks that you trust."
        )

    def ready() -> None:
        typer.echo(address)
        sys.stdout.flush()
        say("The review is open at this address. Ctrl-C ends it.")
        if browser:
            _show(address)

    try:
        serve(table, access, listening, ready)
    finally:
        table.close()
    say("The review has ended; what you chose is saved.")


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _password(host: str, file: Path | None, *, shared: bool) -> str:
    if file is None:
        if shared:
            raise InputError(
                f"--host {host} lets other machines in, which needs --password-file: a file whose "
                "first line is the password."
            )
        return ""
    try:
        readable = file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"The password cannot be read from {file} ({exc}).") from exc
    if readable and sys.platform != "win32":
        raise InputError(f"Others can read {file}; take that away: chmod 600 {file}")
    password = lines[0].strip() if lines else ""
    if len(password) < _SHORTEST:
        raise InputError(f"The password in {file} is shorter than {_SHORTEST} characters.")
    return password


def _show(address: str) -> None:
    import threading
    import webbrowser

    # Some browsers keep their caller waiting.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
