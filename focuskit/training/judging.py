"""The edits that add blur, judged against scenes of which the truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.edit.field import missing_blur
from focuskit.edit.magnify import magnify
from focuskit.optics.psf import Aperture
from focuskit.optics.render import render
from focuskit.photo import Photo
from focuskit.training.judging_depths import depth_scenes
from focuskit.training.judging_measures import closeness, depth_edges
from focuskit.training.judging_scenes import Part, Scene, drawn_scene, read_textures
from focuskit.training.peers import (
    gaussian_levels,
    gaussian_through_mask,
    gegl_lens_blur,
    has_gegl,
    typical_coc,
)
from focuskit.training.reference import draw_defocused, draw_sharp

__all__ = [
    "Advance",
    "Case",
    "Row",
    "aperture_of",
    "judge_added_blur",
    "judged_case",
    "scenes_of",
    "summary",
]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Advance = Callable[[int, int, int], None] | None
Row = dict[str, Any]

_IN_FOCUS_BELOW_PX = 1.0
_FACTORS = (2.0, 3.0, 2.5)
_DIGITS = 3
# Columns that say what a row is of.
_KINDS = ("edit", "operation", "source", "map", "kind")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One picture to be edited, and what should come of it.

    Attributes:
        edit: for tables.
        scene: likewise.
        light: (H, W, 3) linear light that is given.
        added_px: (H, W) signed circle of confusion that is to be added, the true one.
        sharp: (H, W) in [0, 1], 1 where in focus: the mask of those who work by hand.
        truth: (H, W, 3) linear light.
        judged: (H, W), which pixels count.
        band: (H, W), which lie near depth edges.
    """

    edit: str
    scene: str
    light: Image
    added_px: Map
    sharp: Map
    truth: Image
    judged: Mask
    band: Mask


def scenes_of(
    part: Part,
    data: Path | None,
    count: int,
    *,
    size: tuple[int, int] = (384, 512),
    most_coc_px: float = 40.0,
    least_share: float = 0.25,
    stream: int = 0,
) -> Iterator[Callable[[], Scene | None]]:
    """Return how each scene of a part is made: `count` drawn ones, then those with depth."""
    textures = [] if data is None else read_textures(data / "sharp", part)
    for number in range(count):

        def draw(number: int = number) -> Scene:
            return drawn_scene(
                number,
                part,
                textures,
                size=size,
                most_coc_px=most_coc_px,
                least_share=least_share,
                stream=stream,
            )

        yield draw
    for _, make in depth_scenes(data, part):
        yield make


def judge_added_blur(
    data: Path | None,
    part: Part,
    *,
    edits: Sequence[str] = ("bokeh", "magnify"),
    count: int = 12,
    gegl: bool = True,
    advance: Advance = None,
) -> list[Row]:
    """Return a row for every edit and scene, with the true circles of confusion given.

    Args:
        data: folder with "sharp" and "rgbd"; None = drawn scenes without textures of photos.
        part: of the scenes.
        edits: "bokeh", "magnify", or both.
        count: how many drawn scenes; those with measured depth come besides.
        gegl: whether to compare with GEGL too, where it is installed.
        advance: told after each scene: done, all, failed.
    """
    makers = list(scenes_of(part, data, count))
    rows: list[Row] = []
    for done, make in enumerate(makers, 1):
        scene = make()
        for case, seen in _judged(scene, done - 1, edits) if scene is not None else ():
            rows.append(judged_case(case, seen, gegl=gegl and has_gegl()))
        if advance is not None:
            advance(done, len(makers), 0)
    return rows


def _judged(scene: Scene, number: int, edits: Sequence[str]) -> Iterator[tuple[Case, Image]]:
    """Return what each edit makes of a scene."""
    sharp, coc = (each.astype(np.float32) for each in draw_sharp(scene.surfaces))
    truth = draw_defocused(scene.surfaces, scene.opening).astype(np.float32)
    judged = np.zeros(coc.shape, np.bool_)
    judged[scene.inner] = True
    in_focus = (np.abs(coc) < _IN_FOCUS_BELOW_PX).astype(np.float32)
    aperture = aperture_of(scene)
    common = (in_focus, truth, judged, depth_edges(coc))
    if "bokeh" in edits:
        yield Case("bokeh", scene.name, sharp, coc, *common), render(sharp, coc, aperture)
    if "magnify" in edits:
        factor = _FACTORS[number % len(_FACTORS)]
        given = draw_defocused(scene.surfaces, scene.opening, factor=1 / factor).astype(np.float32)
        now = coc / np.float32(factor)
        added = np.sign(coc) * missing_blur(np.abs(now), np.abs(coc))
        seen = magnify(
            Photo(given),
            _true_map(now),
            factor=factor,
            aperture=aperture,
            # Of pictures that neither a file nor a sensor has clipped.
            highlights=0.0,
            grain=False,
        )
        yield Case("magnify", scene.name, given, added, *common), seen.photo.rgb


def aperture_of(scene: Scene) -> Aperture:
    """Return a scene's opening as the edits take it."""
    return Aperture(scene.opening.corners, scene.opening.rotation_deg)


def judged_case(case: Case, seen: Image, *, gegl: bool = False, coc_px: float | None = None) -> Row:
    """Return how close an edit and its peers come to the truth.

    Args:
        case: what was given and wanted.
        seen: what the edit made of it.
        gegl: whether GEGL takes part.
        coc_px: how wide the Gaussian through the mask is; None = as the typical true blur.
    """
    width = typical_coc(case.added_px[case.judged]) if coc_px is None else coc_px
    pictures: dict[str, Image] = {
        "": seen,
        "nothing": case.light,
        "gaussian": gaussian_through_mask(case.light, case.sharp, width),
        "levels": gaussian_levels(case.light, case.added_px),
    }
    if gegl:
        pictures["gegl"] = gegl_lens_blur(case.light, case.added_px)
    row: Row = {"edit": case.edit, "scene": case.scene}
    for name, picture in pictures.items():
        found = closeness(picture, case.truth, case.judged, case.band)
        prefix = f"{name}_" if name else ""
        row[f"{prefix}psnr"] = round(found.psnr_db, _DIGITS)
        row[f"{prefix}ssim"] = round(found.ssim, 5)
        row[f"{prefix}band_psnr"] = round(found.band_psnr_db, _DIGITS)
    row["above"] = row["psnr"] > max(row["nothing_psnr"], row["gaussian_psnr"])
    return row


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return means over rows of the same kind, in the order of their first ones.

    What is text names the kind, `_KINDS` only; numbers become means, NaN and None left out; what is
    true or false becomes "how many/of how many".
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in _KINDS), []).append(row)
    return [_mean_of(group) for group in groups.values()]


def _mean_of(rows: Sequence[Row]) -> Row:
    mean: Row = {key: rows[0][key] for key in _KINDS if key in rows[0]} | {"scenes": len(rows)}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [row[key] for row in rows if row.get(key) is not None]
        if all(isinstance(value, bool) for value in values):
            mean[key] = f"{sum(values)}/{len(rows)}" if values else None
        elif all(isinstance(value, int | float) for value in values):
            known = [value for value in values if not math.isnan(value)]
            mean[key] = round(float(np.mean(known)), 5) if known else None
    return mean


def _true_map(coc_px: Map) -> BlurMap:
    size = np.abs(coc_px)
    return BlurMap(
        (size < _IN_FOCUS_BELOW_PX).astype(np.float32),
        size,
        np.ones_like(size),
        np.sign(coc_px).astype(np.int8),
    )
