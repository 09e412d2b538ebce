"""Photos for somebody else: smaller, in another format, with colours and EXIF as they were."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from focuskit.batch.naming import NamedShot, Naming
from focuskit.batch.outputs import Made, traces
from focuskit.batch.pictures import shrunk
from focuskit.batch.together import write_together
from focuskit.io import read_photo, write_photo

__all__ = ["COPIES_VERSION", "LONG_EDGE_PX", "Copier"]

COPIES_VERSION = 1
"""Goes up when the same photo and settings give another file."""

LONG_EDGE_PX = (16, 60_000)
"""What the longer side of a copy may be made, at least and at most."""


@dataclass(frozen=True, slots=True)
class Copier:
    """Writes one photo after the other in another size or format; picklable.

    Attributes:
        folder: where copies go; sub-folders of the library are mirrored below it.
        naming: what they are called.
        quality: of JPEG, 1 to 100.
        long_edge_px: larger photos are made that small, averaged in linear light; None for no.
        max_megapixels: larger photos are refused; None for the default of `read_photo`.
    """

    folder: Path
    naming: Naming
    quality: int = 85
    long_edge_px: int | None = None
    max_megapixels: float | None = None

    def __call__(self, shot: NamedShot, tick: Callable[[float], None] | None = None) -> Made:
        """Write the copy of one photo.

        Raises:
            FocuskitError: the photo cannot be read, or the copy not be written.
        """
        del tick
        started = time.perf_counter()
        photo = read_photo(shot.judged, max_megapixels=self.max_megapixels)
        if self.long_edge_px is not None:
            photo = shrunk(photo, self.long_edge_px)
        names = self.naming.names(shot, "export")
        name = names["photo"]
        bits = self.naming.bits_of(name.rpartition(".")[2], photo)
        write = partial(write_photo, photo, overwrite=shot.replace, quality=self.quality, bits=bits)
        write_together({self.folder / name: write}, overwrite=shot.replace)
        said = {
            "width": photo.width,
            "height": photo.height,
            "seconds": round(time.perf_counter() - started, 2),
        }
        return Made(traces(self.folder, names), said)
