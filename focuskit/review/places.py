"""Finding the catalog that a person means."""

from __future__ import annotations

import os
from pathlib import Path

from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.batch.keeping import catalog_path
from focuskit.batch.verdicts import VERDICTS
from focuskit.errors import InputError

__all__ = ["find_catalog"]


def find_catalog(place: Path, output: Path) -> Path:
    """Return the catalog of a place: of itself, of an output folder, or of a library's cull.

    Args:
        place: a catalog, an output folder, or a library that was culled.
        output: where a library's cull was written to.

    Raises:
        InputError: there is none, it holds no cull, or that of another library.
        OutputError, BatchError: it cannot be read now.
    """
    if not place.exists():
        raise InputError(f"{place} does not exist; give a library, or the output of its cull.")
    if place.is_file() or (place / CATALOG_NAME).is_file():
        path = catalog_path(place)
        if place.is_file() and not _is_sqlite(place):
            raise InputError(
                f"{place} is no catalog; give a library, the output folder of its cull, or the "
                f"{CATALOG_NAME} in it."
            )
        _check_culled(path, None)
        return path
    path = output / CATALOG_NAME
    if not path.is_file():
        raise InputError(
            f"{place} was not culled to {output} yet: focuskit cull {place} --output {output}"
        )
    _check_culled(path, place)
    return path


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def _check_culled(path: Path, library: Path | None) -> None:
    with Catalog.open(path, write=False) as catalog:
        row = next(catalog.known(VERDICTS), None)
        if row is None:
            raise InputError(f"{path} holds no cull yet: focuskit cull LIBRARY -o {path.parent}")
        if library is None:
            return
        root = os.path.realpath(library)
        for each in catalog.known(VERDICTS):
            if each.key and Path(os.path.realpath(each.key[0].path)).is_relative_to(root):
                return
    raise InputError(
        f"{path} is of another library, with {row.shot} in it; say with --output where the cull of "
        f"{library} was written to, or cull it: focuskit cull {library} --output FOLDER"
    )
