"""The catalog of an output folder, to write to or to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from focuskit.batch.catalog import CATALOG_NAME, Catalog

__all__ = ["opened"]


@contextmanager
def opened(folder: Path, *, write: bool) -> Iterator[Catalog]:
    """Give the catalog of an output folder; without `write`, an empty one where there is none.

    Raises:
        InputError, BatchError, OutputError: as `Catalog.open`.
    """
    path = folder / CATALOG_NAME
    if write or path.is_file():
        with Catalog.open(path, write=write) as catalog:
            yield catalog
    else:
        with Catalog.in_memory() as catalog:
            yield catalog
