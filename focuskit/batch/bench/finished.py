"""Repeats of a cull over a library that is finished, made without culling every shot of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from focuskit.batch.bench.decoding import peak_mb
from focuskit.batch.catalog import CATALOG_NAME, Catalog, Row
from focuskit.batch.culling import judge_step
from focuskit.batch.judge import Judge, Judgement
from focuskit.batch.keys import key_of
from focuskit.batch.library import Shot, find_shots
from focuskit.batch.storing import restored, stored
from focuskit.errors import BatchError

__all__ = ["Repeat", "finished_library", "repeat_cull"]

_COMMAND = (sys.executable, "-c", "from focuskit.cli import main; main()", "cull")
_ORIGINALS, _WIDTH, _HEIGHT = 16, 960, 640
_FIRST = datetime(2026, 1, 1)
_APART = timedelta(minutes=1)
_AT_ONCE = 1000
_LOOK_EVERY_S = 0.01


@dataclass(frozen=True, slots=True)
class Repeat:
    """What one more `focuskit cull` cost.

    Attributes:
        wall_s: of the whole command.
        peak_mb: of its process, None where the system does not tell.
    """

    wall_s: float
    peak_mb: float | None


def finished_library(folder: Path, count: int) -> None:
    """Make `library` and `out` of a cull of so many small photos in a folder.

    A few photos are culled; the others are the same files under further names, which the catalog
    tells to have been taken minutes apart.

    Raises:
        BatchError: the cull failed.
    """
    library = folder / "library"
    library.mkdir(parents=True)
    rng = np.random.default_rng(16)
    for number in range(_ORIGINALS):
        (library / f"{number:06d}.jpg").write_bytes(_photo(rng))
    repeat_cull(folder)
    for number in range(_ORIGINALS, count):
        (library / f"{number:06d}.jpg").hardlink_to(library / f"{number % _ORIGINALS:06d}.jpg")
    with Catalog.open(folder / "out" / CATALOG_NAME) as catalog:
        step = judge_step(Judge()).name
        rows = list(catalog.rows(step))
        found = [restored(row.outcome, Judgement) for row in rows]
        shots = find_shots([library]).shots
        for first in range(0, count, _AT_ONCE):
            known = _known(shots[first : first + _AT_ONCE], first, rows, found)
            catalog.put(known)


def repeat_cull(folder: Path) -> Repeat:
    """Run `focuskit cull library -o out` in a folder of `finished_library`.

    Raises:
        BatchError: it failed.
    """
    started = time.perf_counter()
    environment = os.environ | {"PYTHONUTF8": "1"}
    environment.pop("DASK_SCHEDULER_ADDRESS", None)
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [*_COMMAND, "library", "-o", "out"],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        peak: float | None = None
        while process.poll() is None:
            peak = peak_mb(process.pid) or peak
            time.sleep(_LOOK_EVERY_S)
    if process.returncode:
        text = (folder / "said.txt").read_text(encoding="utf-8", errors="replace").strip()
        raise BatchError(f"The benchmark's cull failed: {text[-400:]}")
    return Repeat(time.perf_counter() - started, peak)


def _known(
    shots: tuple[Shot, ...], first: int, rows: list[Row], found: list[Judgement]
) -> Iterator[Row]:
    for number, shot in enumerate(shots, start=first):
        row, judgement = rows[number % len(rows)], found[number % len(rows)]
        taken_at = _FIRST + number * _APART
        told = replace(
            judgement,
            shot=shot,
            exif=replace(judgement.exif, taken_at=taken_at),
            fingerprint=replace(judgement.fingerprint, taken_at=taken_at, name=shot.name),
        )
        yield replace(row, shot=shot.name, key=key_of(shot), outcome=stored(told))


def _photo(rng: np.random.Generator) -> bytes:
    picture = np.full((_HEIGHT, _WIDTH, 3), 90, np.uint8)
    for _ in range(200):
        centre = (int(rng.integers(_WIDTH)), int(rng.integers(_HEIGHT)))
        colour = tuple(int(each) for each in rng.integers(20, 235, 3))
        cv2.circle(picture, centre, int(rng.integers(4, 60)), colour, -1, cv2.LINE_AA)
    return bytes(cv2.imencode(".jpg", picture)[1])
