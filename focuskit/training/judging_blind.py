"""The edits that add blur, judged with nothing but the photo: the map is a detector's guess."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb, linearise_srgb
from focuskit.detect import DEFAULT_DETECTOR, open_detector
from focuskit.edit import OPERATIONS
from focuskit.errors import InputError
from focuskit.optics.psf import Aperture
from focuskit.photo import Photo
from focuskit.training.judging import Advance, Case, Row, aperture_of, judged_case, scenes_of
from focuskit.training.judging_measures import depth_edges
from focuskit.training.judging_scenes import Part, Scene
from focuskit.training.peers import typical_coc
from focuskit.training.reference import draw_defocused, draw_sharp

__all__ = ["BlindCase", "blind_cases", "judge_blind"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]

_SIZE = (440, 600)
# A background that is less blurred in the photo tells nobody that it was meant to be.
_MOST_COC_PX, _LEAST_SHARE = 28.0, 0.6
_STREAM = 1
_FACTORS = (2.0, 3.0, 2.5)
# `bokeh` counts the blur of a background by its more blurred parts.
_STRENGTH_OF = 0.9
_IN_FOCUS = 0.5
# The truth has no grain.
_PLAIN = {"grain": False}
# What a sensor in fair light and 8 bits leave.
_NOISE = 0.006
_NAMES = {"bokeh": "bokeh, blind", "magnify": "magnify, blind"}


@dataclass(frozen=True, slots=True, eq=False)
class BlindCase:
    """A photo as a camera makes it, and what should come of it.

    Attributes:
        case: with the photo as `light`; `sharp` is not known yet.
        photo: to be edited.
        factor: how much wider all circles of confusion shall become.
        coc_px: (H, W) signed, as wide as they then are.
        aperture: of the lens, which those who ask for more blur choose.
    """

    case: Case
    photo: Photo
    factor: float
    coc_px: Map
    aperture: Aperture


def judge_blind(
    data: Path | None,
    part: Part,
    *,
    edits: Sequence[str] = ("bokeh", "magnify"),
    count: int = 12,
    detector: str = DEFAULT_DETECTOR,
    advance: Advance = None,
) -> list[Row]:
    """Return a row for every edit and scene, with circles of confusion estimated from the photo.

    bokeh is told how wide the blur of the background shall become, magnify how many times as wide
    as it is; so is the Gaussian, which gets the same detector's mask too.

    Args:
        data: as of `judge_added_blur`.
        part: of the scenes, which are others than those with the true circles.
        edits: "bokeh" (to a strength), "magnify" (by a factor), or both.
        count: how many drawn scenes; those with measured depth come besides.
        detector: whose maps.
        advance: told after each scene: done, all, failed.
    """
    detect = open_detector(detector)
    rows: list[Row] = []
    for done, total, blind in blind_cases(data, part, count=count):
        if blind is not None:
            rows += _rows(blind, detect(blind.photo), edits)
        if advance is not None:
            advance(done, total, 0)
    return rows


def blind_cases(
    data: Path | None, part: Part, *, count: int = 12
) -> Iterator[tuple[int, int, BlindCase | None]]:
    """Return number, count, and each case; None where a scene's pictures are missing."""
    makers = list(
        scenes_of(
            part,
            data,
            count,
            size=_SIZE,
            most_coc_px=_MOST_COC_PX,
            least_share=_LEAST_SHARE,
            stream=_STREAM,
        )
    )
    for done, make in enumerate(makers, 1):
        scene = make()
        yield done, len(makers), None if scene is None else _case(scene, done - 1)


def _case(scene: Scene, number: int) -> BlindCase:
    factor = _FACTORS[number % len(_FACTORS)]
    # Nobody gives an edit more than the frame: what shines in from outside is cut off.
    _, coc = (each[scene.inner].astype(np.float32) for each in draw_sharp(scene.surfaces))
    given, truth = (
        draw_defocused(scene.surfaces, scene.opening, factor=each)[scene.inner].astype(np.float32)
        for each in (1 / factor, 1.0)
    )
    photo = Photo(_photographed(given, number), bits=8)
    added = np.sign(coc) * np.abs(coc) * np.float32(math.sqrt(1 - 1 / factor**2))
    judged = np.ones(coc.shape, np.bool_)
    nowhere = np.zeros_like(coc)
    case = Case("", scene.name, photo.rgb, added, nowhere, truth, judged, depth_edges(coc))
    return BlindCase(case, photo, factor, coc, aperture_of(scene))


def _photographed(light: Image, number: int) -> Image:
    """Return light as a file of 8 bits holds it, noise and all."""
    rng = np.random.default_rng([_STREAM, number])
    encoded = encode_srgb(np.clip(light, 0, 1))
    encoded += rng.normal(0, _NOISE, encoded.shape).astype(np.float32)
    return linearise_srgb((np.rint(encoded * 255).clip(0, 255) / 255).astype(np.float32))


def _rows(blind: BlindCase, blur_map: BlurMap, edits: Sequence[str]) -> Iterator[Row]:
    wanted = np.abs(blind.coc_px)
    diagonal = math.hypot(*wanted.shape)
    strength = 100 / diagonal * float(np.quantile(wanted[wanted >= 1], _STRENGTH_OF))
    settings = {"bokeh": {"strength": strength}, "magnify": {"factor": blind.factor}}
    # Everybody knows as much: how wide the blur shall become, or how many times as wide as it
    # looks.
    found = blur_map.coc_diameter_px[blur_map.in_focus_probability < _IN_FOCUS]
    guess = float(np.median(found)) if found.size else 0.0
    widths = {
        "bokeh": typical_coc(blind.case.added_px),
        "magnify": guess * math.sqrt(blind.factor**2 - 1),
    }
    for edit in edits:
        case = replace(blind.case, edit=_NAMES[edit], sharp=blur_map.in_focus_probability)
        try:
            edited = OPERATIONS.get(edit)(
                blind.photo, blur_map, aperture=blind.aperture, **_PLAIN, **settings[edit]
            )
            seen = edited.photo.rgb
        except InputError:
            # A refusal leaves the photo as it is, and counts as that.
            seen = blind.photo.rgb
        yield judged_case(case, seen, coc_px=widths[edit])
