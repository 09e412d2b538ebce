"""What a verdict rests on: numbers with units, taken at 100 % where the picture is judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encoded_gray
from focuskit.cull.beside import Beside
from focuskit.cull.orientation import (
    Ellipse,
    fit_ellipse,
    motion_lean,
    shared_motion,
    widths_by_direction,
)
from focuskit.cull.subject import Region
from focuskit.errors import InputError
from focuskit.optics.edges import Edges, join_edges, measure_edges
from focuskit.optics.noise import measure_noise
from focuskit.photo import Photo

__all__ = ["Evidence", "Measures", "Moved", "ScoreInfo", "Scorer", "gather", "measure"]

_MOST_NOISE = 0.03

Moved = Callable[[NDArray[np.float32]], float]
"""Takes (H, W) encoded luma at 100 %, returns the log odds of its blur being motion."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What scorers look at: the whole frame small, its map, and one box of it at 100 %.

    Attributes:
        photo: the whole frame, small.
        blur_map: its map, of the same size.
        crop: the judged box in native pixels.
        region: where that box lies.
        noise_sigma: noise at 100 % on the encoded scale of 0 to 1.
        edges: edges of the box with their width in native pixels.
        all_edges: the same for all boxes that were looked at: motion shows in directions, which a
            single box may not have.
        shared: share of the other boxes that moved the same way, NaN where that cannot be told.
        moved: tells motion; None leaves it to the widths of edges by direction.
    """

    photo: Photo
    blur_map: BlurMap
    crop: Photo
    region: Region
    noise_sigma: float
    edges: Edges
    all_edges: Edges
    shared: float = math.nan
    moved: Moved | None = None

    @cached_property
    def gray(self) -> NDArray[np.float32]:
        """What `crop` holds, encoded, as edges are measured in it."""
        return encoded_gray(self.crop)

    @cached_property
    def frame_gray(self) -> NDArray[np.float32]:
        """What `photo` holds, encoded."""
        return encoded_gray(self.photo)

    @cached_property
    def lean(self) -> complex | None:
        """Direction of motion at twice its angle, and how surely, see `motion_lean`."""
        return motion_lean(self.gray, self.noise_sigma, self.all_edges)

    @cached_property
    def ellipse(self) -> Ellipse | None:
        """How the width of all edges depends on direction, where that can be told."""
        return fit_ellipse(widths_by_direction(self.all_edges, by_contrast=True))

    @cached_property
    def widths(self) -> NDArray[np.float64]:
        """Width of its sharpest edges by direction, see `widths_by_direction`."""
        return widths_by_direction(self.edges, by_contrast=True)


def gather(
    photo: Photo,
    blur_map: BlurMap,
    boxes: Sequence[tuple[Region, Photo]],
    *,
    moved: Moved | None = None,
) -> list[Evidence]:
    """Return the evidence of each box of a shot.

    Args:
        photo: the whole frame, small.
        blur_map: its map, of the same size.
        boxes: regions and what they hold at 100 %.
        moved: tells motion, and is asked of boxes that may have moved only; None leaves it to the
            widths of edges by direction.
    """
    grays = [encoded_gray(crop) for _, crop in boxes]
    # Texture reads as noise too: the flattest box knows best, and no photo is as noisy as a lawn
    # may seem.
    noise = min(_MOST_NOISE, *(measure_noise(gray) for gray in grays))
    edges = [measure_edges(gray, noise_sigma=noise) for gray in grays]
    together = join_edges(edges)
    shared = shared_motion([fit_ellipse(widths_by_direction(found)) for found in edges])
    return [
        Evidence(photo, blur_map, crop, region, noise, found, together, share, moved)
        for (region, crop), found, share in zip(boxes, edges, shared, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class ScoreInfo:
    """What a number means.

    Attributes:
        name: key in every table and file.
        unit: "px", "share", "EV", "ratio"...; empty for a plain number.
        low, high: range; NaN says that it cannot be measured on this photo.
        higher_is_better: None where neither end is better.
        meaning: one sentence for people.
    """

    name: str
    unit: str
    low: float
    high: float
    higher_is_better: bool | None
    meaning: str

    def facts(self) -> dict[str, str | float | None]:
        """Return it as a row for tables and JSON; a range without an end has None there."""
        better = {True: "higher", False: "lower", None: None}[self.higher_is_better]
        return {
            "name": self.name,
            "unit": self.unit or None,
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "better": better,
            "meaning": self.meaning,
        }


@dataclass(frozen=True, slots=True)
class Scorer:
    """A measurement: its facts and the function that takes it."""

    info: ScoreInfo
    measure: Callable[[Evidence], float]


@dataclass(frozen=True, slots=True)
class Measures:
    """The numbers of one shot.

    Attributes:
        values: by scorer name; NaN where a number could not be taken.
        region: the box that they were taken in.
        beside: what is sharp instead, where that box holds a known subject that is not.
    """

    values: Mapping[str, float]
    region: Region
    beside: Beside | None = None

    def __getitem__(self, name: str) -> float:
        return self.values[name]


def measure(candidates: Sequence[Evidence], scorers: Mapping[str, Scorer]) -> Measures:
    """Measure the boxes of one shot and return the numbers of the sharpest.

    The sharpest decides because the plane of focus is somewhere: a photo is missed only where no
    box worth looking at is sharp.

    Args:
        candidates: boxes of the same shot, the most promising first.
        scorers: what to take, by name; must hold "edge_width".

    Raises:
        InputError: no box was given.
    """
    if not candidates:
        raise InputError("A photo is measured in at least one box; got none.")
    chosen = min(candidates, key=lambda box: _preference(box, scorers))
    values = {name: float(scorer.measure(chosen)) for name, scorer in scorers.items()}
    return Measures(values, chosen.region)


def _preference(box: Evidence, scorers: Mapping[str, Scorer]) -> tuple[bool, bool, float]:
    """Order boxes: with edges before those without, judged along two directions, sharpest first.

    Edges along the path of a moving camera stay sharp: a box that has no others proves nothing.
    """
    width = scorers["edge_width"].measure(box)
    one_way = fit_ellipse(box.widths) is None
    return math.isnan(width), one_way, width
