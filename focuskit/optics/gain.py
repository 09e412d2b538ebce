"""What taking defocus back would gain, found by rehearsing it on a truth that is known.

What restoring makes of a patch is taken for the truth: blurred and given noise as the photo was,
and restored again, it shows by how much restoring comes nearer to a truth like this one, with this
texture, this blur and this noise (a parametric bootstrap).

References:
    B. Efron, R. Tibshirani: An Introduction to the Bootstrap. Chapman & Hall 1993, chapter 6.5.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.optics.deconvolve import (
    GUESSED_ERROR,
    MEASURED_ERROR,
    MOST_TRUST,
    Restored,
    clipped,
    deconvolve,
)
from focuskit.optics.gathering import Gathering
from focuskit.optics.light_noise import LightNoise
from focuskit.optics.parallel import each_done
from focuskit.optics.psf import Aperture

__all__ = ["Gain", "expected_gains", "mixed"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Labels = NDArray[np.int32]
Sums = NDArray[np.float64]
Box = tuple[slice, slice]

# Larger regions are judged by so many cells, those that hold most of them.
_CELL_PX, _CELLS, _LEAST_OWN_PX = 224, 6, 400
_MOST_COC_PX = 24.0
_MARGIN_PX = 8
_TINY = 1e-12
# Compression hides noise from measuring, but not from comparing.
_ROUGHNESS = 0.004
# A rehearsal flatters: what was restored is simpler than what was there. Decibels found, by
# decibels rehearsed, fitted on rendered scenes kept for development and cross-validated by photo;
# shifted by what balances precision and recall of "gains 1 dB" there. Restoring by a guess is more
# cautious, which a rehearsal shows, but how much is worth restoring is not less.
_PER_REHEARSED, _OFFSET_DB, _OFFSET_OF_GUESSES_DB = 0.33, -0.25, 0.35
_REHEARSED_DB = (-1.0, 6.0)


@dataclass(frozen=True, slots=True)
class Gain:
    """What restoring a region would bring.

    Attributes:
        gain_db: how much nearer to the truth it would come, in peak signal-to-noise ratio, if its
            circle of confusion is right.
        lost_db: how much nearer it would come if blur alone, and not noise, were taken away whole:
            near 0 there is nothing that blur took.
    """

    gain_db: float
    lost_db: float


def expected_gains(
    light: Image,
    coc_px: Map,
    labels: Labels,
    noise: LightNoise,
    *,
    coc_error: float = MEASURED_ERROR,
    tick: Callable[[float], None] | None = None,
) -> dict[int, Gain]:
    """Return the expected gain of every region that holds enough to tell.

    Args:
        light: (H, W, 3) float32 linear light, white at 1.
        coc_px: (H, W) float32, diameters in pixels.
        labels: (H, W) int32, the regions as 1, 2, ...; 0 belongs to none.
        noise: of the light.
        coc_error: share of itself that a diameter may be wrong by.
        tick: told the share that is done, in [0, 1]; what it raises ends the work.

    Returns:
        By label; regions with too few pixels that are not clipped are left out.
    """
    sums: dict[int, Sums] = defaultdict(lambda: np.zeros(3))
    cells = list(_cells(labels))

    def rehearse(job: tuple[Box, list[int]]) -> list[tuple[int, Sums]]:
        return list(_rehearsed(light, coc_px, labels, noise, *job, coc_error))

    with closing(each_done(rehearse, cells)) as each:
        for done, rehearsed in enumerate(each, start=1):
            for label, found in rehearsed:
                sums[label] += found
            if tick is not None:
                tick(done / len(cells))
    return {
        label: _gain(total, noise, coc_error)
        for label, total in sums.items()
        if total[2] >= _LEAST_OWN_PX
    }


def mixed(light: Image, restored: Restored) -> Image:
    """Return light with as much of the restored light in it as that is to be believed."""
    weight = np.minimum(restored.confidence / np.float32(MOST_TRUST), np.float32(1))[..., None]
    return np.asarray(light + weight * (restored.light - light), np.float32)


def _gain(total: Sums, noise: LightNoise, coc_error: float) -> Gain:
    nothing, restored, count = np.maximum(total, _TINY).tolist()
    rehearsed = 10 * math.log10(nothing / restored)
    low, high = _REHEARSED_DB
    offset = _OFFSET_OF_GUESSES_DB if coc_error >= GUESSED_ERROR else _OFFSET_DB
    found = offset + _PER_REHEARSED * min(max(rehearsed, low), high)
    alone = (noise.encoded_sigma**2 + _ROUGHNESS**2) * count
    return Gain(found, 10 * math.log10(nothing / alone))


def _cells(labels: Labels) -> Iterator[tuple[Box, list[int]]]:
    """Yield boxes of the picture and the labels that are to be judged by each."""
    height, width = labels.shape
    rows, columns = (max(1, round(side / _CELL_PX)) for side in (height, width))
    edges_y = np.linspace(0, height, rows + 1).astype(int)
    edges_x = np.linspace(0, width, columns + 1).astype(int)
    boxes = [
        (slice(edges_y[y], edges_y[y + 1]), slice(edges_x[x], edges_x[x + 1]))
        for y in range(rows)
        for x in range(columns)
    ]
    count = int(labels.max()) + 1
    areas = np.stack([np.bincount(labels[box].ravel(), minlength=count) for box in boxes])
    most = np.argsort(-areas, axis=0, kind="stable")[:_CELLS]
    chosen: dict[int, list[int]] = defaultdict(list)
    for label in range(1, count):
        for cell in most[:, label].tolist():
            if areas[cell, label] > 0:
                chosen[cell].append(label)
    for cell in sorted(chosen):
        yield boxes[cell], chosen[cell]


def _rehearsed(
    light: Image,
    coc_px: Map,
    labels: Labels,
    noise: LightNoise,
    cell: Box,
    chosen: list[int],
    coc_error: float,
) -> Iterator[tuple[int, Sums]]:
    """Yield labels with their squared errors left alone and restored, and their pixels."""
    wanted = np.isin(labels[cell], chosen)
    coc_most = min(float(coc_px[cell][wanted].max()), _MOST_COC_PX)
    around, core = _widened(cell, 2 * math.ceil(coc_most / 2) + _MARGIN_PX, labels.shape)
    part = np.ascontiguousarray(light[around])
    coc = np.minimum(coc_px[around], np.float32(_MOST_COC_PX))
    where = np.zeros(coc.shape, np.bool_)
    where[core] = wanted
    truth = mixed(part, deconvolve(part, coc, noise=noise, coc_error=coc_error))
    own_labels = np.where(where & ~clipped(part), labels[around], 0)
    seen = _as_seen(part, truth, coc, noise)
    again = mixed(seen, deconvolve(seen, coc, noise=noise, coc_error=coc_error, where=where))
    nothing, restored = (_squared(each, truth) for each in (seen, again))
    for label in chosen:
        own = own_labels == label
        yield label, np.array([nothing[own].sum(), restored[own].sum(), own.sum()])


def _widened(cell: Box, by: int, shape: tuple[int, ...]) -> tuple[Box, Box]:
    """Return a box with its surroundings, and where the box lies in them."""
    around, core = [], []
    for part, side in zip(cell, shape, strict=True):
        first, last = max(0, part.start - by), min(side, part.stop + by)
        around.append(slice(first, last))
        core.append(slice(part.start - first, part.stop - first))
    return (around[0], around[1]), (core[0], core[1])


def _as_seen(light: Image, truth: Image, coc_px: Map, noise: LightNoise) -> Image:
    """Return a truth as the photo would show it; along the rim, what the photo shows."""
    model = Gathering(coc_px, Aperture(), (0.0, 0.0))
    rng = np.random.default_rng(0)
    seen = model.blur_all(truth)
    seen += noise.sigma(truth) * rng.standard_normal(seen.shape, dtype=np.float32)
    reach = model.reach_px
    if reach:
        seen[:reach], seen[-reach:] = light[:reach], light[-reach:]
        seen[:, :reach], seen[:, -reach:] = light[:, :reach], light[:, -reach:]
    return np.clip(seen, 0, 1)


def _squared(light: Image, truth: Image) -> Map:
    one, two = (encode_srgb(np.minimum(each, np.float32(1))) for each in (light, truth))
    return np.asarray(((one - two) ** 2).mean(axis=2), np.float32)
