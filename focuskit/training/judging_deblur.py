"""Deblurring against the truth: are the right regions found, and does restoring them help?

A surface of a scene is worth it if restoring it with its true circle of confusion brings it at
least 1 dB nearer to the sharp scene, and if blur rather than noise is what it suffers from: it
would gain as much if blur were gone and noise still there. Regions are asked for with backgrounds,
as scenes do not know what was meant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb
from focuskit.detect import DEFAULT_DETECTOR, open_detector
from focuskit.edit.deblur import Deblurred, deblur
from focuskit.edit.regions import LEAST_GAIN_DB
from focuskit.errors import InputError
from focuskit.optics.deconvolve import MOST_TRUST, deconvolve
from focuskit.optics.light_noise import measure_light_noise
from focuskit.training.judging_blurs import BlurredScene, blurred_scene
from focuskit.training.judging_scenes import Part, read_textures

__all__ = ["Judged", "judge_deblur", "judged_scene", "worth_it"]

Row = dict[str, Any]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SEEDS = {Part.DEVELOPMENT: 5100, Part.JUDGING: 8200}
_SCENES = {Part.DEVELOPMENT: 24, Part.JUDGING: 32}
_SIZE = (320, 416)
_BORDER_PX = 8


@dataclass(frozen=True, slots=True)
class Judged:
    """How one map did on one scene.

    Attributes:
        worth_px: pixels of surfaces that are worth it.
        kept_px: pixels of surfaces that were kept.
        right_px: those that are both.
        gains_db: what applying gained, region by region.
        inside_db: the same over all that was kept; NaN where nothing was.
        outside_identical: whether nothing else changed, to the bit.
    """

    worth_px: int
    kept_px: int
    right_px: int
    gains_db: tuple[float, ...]
    inside_db: float
    outside_identical: bool


def judge_deblur(
    data: Path | None, part: str, advance: Callable[[int, int, int], None] | None = None
) -> list[Row]:
    """Return a row for the true map and one for the detector's, over all scenes of a part.

    Args:
        data: folder that holds the folder "sharp", photos to paper surfaces with; None to draw
            them.
        part: "development" or "judging".
        advance: told after each scene: done, all, failed.

    Raises:
        InputError: there is no such part, or the folder holds no photos.
    """
    if part not in tuple(Part):
        raise InputError(f"There is no part {part!r}: give {' or '.join(Part)}.")
    chosen = Part(part)
    textures = [] if data is None else read_textures(data / "sharp", chosen)
    detector = open_detector(DEFAULT_DETECTOR)
    found: dict[str, list[Judged]] = {"true": [], DEFAULT_DETECTOR: []}
    for number in range(_SCENES[chosen]):
        scene = blurred_scene(number, _SEEDS[chosen], textures, size=_SIZE)
        worth = worth_it(scene)
        for name, blur_map in (
            ("true", scene.true_map),
            (DEFAULT_DETECTOR, detector(scene.photo)),
        ):
            found[name].append(judged_scene(scene, worth, blur_map))
        if advance is not None:
            advance(number + 1, _SCENES[chosen], 0)
    return [_row(name, judged) for name, judged in found.items()]


def worth_it(scene: BlurredScene) -> Mask:
    """Return where surfaces lie that restoring them brings nearer to the truth by 1 dB."""
    light = scene.photo.rgb
    restored = deconvolve(light, scene.true_map.coc_diameter_px, noise=measure_light_noise(light))
    weight = np.minimum(restored.confidence / np.float32(MOST_TRUST), 1)[..., None]
    after = light + weight * (restored.light - light)
    worth = np.zeros(scene.surfaces.shape, np.bool_)
    for surface in range(1, int(scene.surfaces.max()) + 1):
        own = _inside(scene.surfaces == surface)
        gained = _gain_db(scene, light, after, own)
        noise = _error(light, scene.noiseless, own)
        lost = 10 * math.log10(_error(light, scene.truth, own) / max(noise, 1e-12))
        if min(gained, lost) >= LEAST_GAIN_DB:
            worth |= own
    return worth


def judged_scene(scene: BlurredScene, worth: Mask, blur_map: BlurMap) -> Judged:
    """Return how deblurring with a map did.

    Args:
        scene: whose photo is deblurred.
        worth: what `worth_it` says of it.
        blur_map: of the photo.
    """
    made = deblur(scene.photo, blur_map, background=True)
    inside = made.regions.labels > 0
    judged = _inside(scene.surfaces > 0)
    kept = inside & judged
    same = np.array_equal(made.photo.rgb[~inside], scene.photo.rgb[~inside])
    gains = tuple(_region_gains(scene, made))
    whole = _gain_db(scene, scene.photo.rgb, made.photo.rgb, _inside(inside))
    return Judged(int(worth.sum()), int(kept.sum()), int((kept & worth).sum()), gains, whole, same)


def _region_gains(scene: BlurredScene, made: Deblurred) -> Iterator[float]:
    for region in made.regions.kept:
        own = _inside(made.regions.labels == region.label)
        if own.any():
            yield _gain_db(scene, scene.photo.rgb, made.photo.rgb, own)


def _row(name: str, judged: Sequence[Judged]) -> Row:
    worth, kept, right = (
        sum(getattr(each, field) for each in judged)
        for field in ("worth_px", "kept_px", "right_px")
    )
    regions = [gain for each in judged for gain in each.gains_db]
    inside = [each.inside_db for each in judged if not math.isnan(each.inside_db)]
    return {
        "edit": "deblur",
        "map": name,
        "scenes": len(judged),
        "regions": len(regions),
        "precision": round(right / kept, 3) if kept else math.nan,
        "recall": round(right / worth, 3) if worth else math.nan,
        "gain_db": round(float(np.mean(inside)), 3) if inside else math.nan,
        "region_gain_db": round(float(np.mean(regions)), 3) if regions else math.nan,
        "regions_better": round(float(np.mean(np.array(regions) > 0)), 3) if regions else math.nan,
        "outside_identical": all(each.outside_identical for each in judged),
    }


def _inside(mask: Mask) -> Mask:
    """Return a mask without the rim of the picture, which light from outside falls into."""
    kept = np.zeros_like(mask)
    inner = slice(_BORDER_PX, -_BORDER_PX)
    kept[inner, inner] = mask[inner, inner]
    return kept


def _gain_db(scene: BlurredScene, before: Image, after: Image, where: Mask) -> float:
    if not where.any():
        return math.nan
    left = max(_error(after, scene.truth, where), 1e-12)
    return 10 * math.log10(max(_error(before, scene.truth, where), 1e-12) / left)


def _error(light: Image, other: Image, where: Mask) -> float:
    """Return the mean squared difference of encoded values."""
    one, two = (
        encode_srgb(np.ascontiguousarray(np.minimum(each[where], np.float32(1))))
        for each in (light, other)
    )
    return float(np.mean((one - two) ** 2, dtype=np.float64))
