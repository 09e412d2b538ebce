"""Files that belong together: all of them appear, or none."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from focuskit.errors import OutputError
from focuskit.io import write_atomically

__all__ = ["Content", "write_together"]

Content = bytes | Callable[[Path], object]
"""What a file holds, or what writes it at its place, complete or not at all."""


def write_together(files: Mapping[Path, Content], *, overwrite: bool) -> None:
    """Write all files or, if something comes between, none of them.

    Args:
        files: what goes where, in this order; missing folders are made.
        overwrite: replace what is there. If a later file fails, what was replaced comes back where
            the disk knows hard links.

    Raises:
        OutputExistsError: something is there and `overwrite` is False.
        OutputError: a folder cannot be made, or a file not be written.
    """
    before: dict[Path, Path | None] = {}
    written: list[Path] = []
    try:
        for path, content in files.items():
            _make_folder(path.parent)
            before[path] = _aside(path) if overwrite else None
            if isinstance(content, bytes):
                _write_bytes(path, content, overwrite=overwrite)
            else:
                content(path)
            written.append(path)
    except BaseException:
        for path in written:
            _restore(path, before[path])
        raise
    finally:
        for aside in before.values():
            if aside is not None:
                aside.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(
            f"The folder {folder} cannot be made ({exc.strerror}); choose another --output."
        ) from exc


def _write_bytes(path: Path, content: bytes, *, overwrite: bool) -> None:
    write_atomically(path, lambda: [content], overwrite=overwrite)


def _aside(path: Path) -> Path | None:
    """Give a file that is there a second name, which costs nothing and leaves it in place."""
    aside = path.with_name(f".focuskit-{secrets.token_hex(8)}.part")
    try:
        os.link(path, aside)
    except OSError:
        return None
    return aside


def _restore(path: Path, aside: Path | None) -> None:
    if aside is None:
        path.unlink(missing_ok=True)
    else:
        os.replace(aside, path)
