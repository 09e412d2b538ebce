"""Regions of a photo that are worth deblurring, and why the others are not.

A region is a connected part of the blur map without a jump of blur in it. It is worth deblurring if
its blur is large enough to be seen and small enough to be taken back, if it has detail that blur
took and noise does not hide, if it is not clipped, and if its blur was not meant: where a subject
is in focus, a background far out of focus is the picture's style.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.edit.field import coc_field
from focuskit.optics.deconvolve import (
    GUESSED_ERROR,
    HARDEST_COC_PX,
    LEAST_COC_PX,
    MEASURED_ERROR,
    clipped,
)
from focuskit.optics.gain import Gain, expected_gains
from focuskit.optics.light_noise import LightNoise, measure_light_noise
from focuskit.photo import Photo

__all__ = ["LEAST_GAIN_DB", "SURE_FROM", "Region", "Regions", "error_of", "find_regions"]

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]
Tick = Callable[[float], None]

LEAST_GAIN_DB = 1.0
"""What a region must be expected to gain."""
SURE_FROM = 0.99
"""Confidence from which on a map counts as measured or told, not as guessed."""

# Where a map is as sure as this that all is sharp, or a person painted it so, nothing is restored.
_SURELY_SHARP = 0.95
_JUMP, _JUMP_WINDOW = 0.25, 5
_LEAST_AREA_PX, _LEAST_AREA_SHARE = 900, 2e-4
_CLIPPED_SHARE = 0.5
_LEAST_LOST_DB = 1.0
_LEAST_TRUST = 0.2
# What a detector calls half sharp it has often mistaken, and what it calls blurred by more is
# seldom worth restoring by a guess: of the rendered regions that these limits were chosen on, one
# in six got worse without them, one in twenty with them; of others one in three.
_GUESSED_PROBABILITY, _GUESSED_TO_PX = 0.25, 8.0
_SUBJECT_FROM, _SUBJECT_SHARE, _SUBJECT_TRUST = 0.6, 0.01, 0.2
_INTENDED_FROM_DIAGONALS = 0.003
_QUANTILES = (0.1, 0.5, 0.9)
# Of a disc: its variance along an axis is (diameter / 4)².
_PER_SIGMA = 4.0
_SAMPLES = 200_000
# Share of the search after which rehearsing begins.
_SEGMENTED = 0.05


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the photo, how blurred it is, and whether to restore it.

    Attributes:
        label: its number in `Regions.labels`; 0 of those left out.
        box: (x, y, width, height) in pixels.
        area_px: number of its pixels.
        sigma_px: 10 %, 50 % and 90 % quantiles of its blur's standard deviation.
        coc_px: diameter of its disc, the median.
        expected_gain_db: of restoring it; None where that was not asked.
        reason: one word: "worth", or what speaks against it: "sharp", "clipped", "background",
            "blurred", "unsure", "narrow", "plain" or "little".
        sentence: the same for a person.
    """

    label: int
    box: tuple[int, int, int, int]
    area_px: int
    sigma_px: tuple[float, float, float]
    coc_px: float
    expected_gain_db: float | None
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """What is worth deblurring, and what is not.

    Attributes:
        labels: (H, W) int32: 0, or the label of the region that is worth it.
        kept: the regions worth it by label, from 1, the one with the most to gain first.
        left_out: the others, the largest first.
        coc_px: (H, W) float32, the circle of confusion that they were found with.
        noise: of the photo.
    """

    labels: Labels
    kept: tuple[Region, ...]
    left_out: tuple[Region, ...]
    coc_px: Map
    noise: LightNoise


def find_regions(
    photo: Photo,
    blur_map: BlurMap,
    *,
    background: bool = False,
    protect: Map | None = None,
    tick: Tick | None = None,
) -> Regions:
    """Return the regions of a photo with what speaks for and against deblurring each.

    Args:
        photo: in linear light.
        blur_map: of this photo.
        background: whether blur that was meant counts like any other.
        protect: (H, W) float32 in [0, 1]: what is 1 belongs to no region; None = nowhere.
        tick: told the share that is done, from 0 to 1; what it raises ends the search.

    Raises:
        ShapeError: the map belongs to a picture of another size.
    """
    tell = tick or (lambda _: None)
    tell(0.0)
    coc = _coc(photo, blur_map)
    noise = measure_light_noise(photo.rgb)
    allowed = None if protect is None else protect < 1
    labels = _segments(coc, allowed)
    tell(_SEGMENTED)

    def rehearsed(share: float) -> None:
        tell(_SEGMENTED + (1 - _SEGMENTED) * share)

    judge = _Judge(photo, blur_map, coc, labels, noise, rehearsed, background=background)
    tell(1.0)
    found = [judge.region(label) for label in range(1, int(labels.max()) + 1)]
    kept = sorted((r for r in found if r.reason == "worth"), key=_at_stake, reverse=True)
    left = sorted((r for r in found if r.reason != "worth"), key=lambda r: -r.area_px)
    renumbered = np.zeros(int(labels.max()) + 1, np.int32)
    for number, region in enumerate(kept, start=1):
        renumbered[region.label] = number
    return Regions(
        renumbered[labels],
        tuple(replace(region, label=number) for number, region in enumerate(kept, start=1)),
        tuple(replace(region, label=0) for region in left),
        coc,
        noise,
    )


def error_of(blur_map: BlurMap, where: Mask) -> float:
    """Return the share of itself that a map's circle of confusion may be wrong by there."""
    guessed = where.any() and float(blur_map.confidence[where].mean()) < SURE_FROM
    return GUESSED_ERROR if guessed else MEASURED_ERROR


def _at_stake(region: Region) -> float:
    return region.area_px * (region.expected_gain_db or 0.0)


def _coc(photo: Photo, blur_map: BlurMap) -> Map:
    """Return the dense circle of confusion: what is half in focus is what gains the most."""
    probability = blur_map.in_focus_probability
    blurred = np.where(probability < _SURELY_SHARP, np.float32(0), np.float32(1))
    return coc_field(photo, replace(blur_map, in_focus_probability=blurred))


def _segments(coc_px: Map, allowed: Mask | None) -> Labels:
    """Return labels from 1 of the connected parts without a jump of blur that are large enough."""
    level = np.log(np.maximum(coc_px, np.float32(1)))
    window = np.ones((_JUMP_WINDOW, _JUMP_WINDOW), np.uint8)
    jump = cv2.dilate(level, window) - cv2.erode(level, window) > _JUMP
    kind = (coc_px >= LEAST_COC_PX).astype(np.uint8) + (coc_px >= HARDEST_COC_PX)
    labels = np.zeros(coc_px.shape, np.int32)
    for each in range(3):
        mask = kind == each if allowed is None else (kind == each) & allowed
        parts = _parts(mask, np.asarray(jump))
        labels = np.where(parts > 0, parts + labels.max(), labels)
    return labels


def _parts(mask: Mask, jump: Mask) -> Labels:
    """Return labels of the parts of a mask, cut along jumps; the cuts go to whom they are near."""
    whole = (mask & ~jump).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=4)
    least = max(_LEAST_AREA_PX, round(_LEAST_AREA_SHARE * mask.size))
    large = stats[:count, cv2.CC_STAT_AREA] >= least
    large[0] = False
    seeds = large[labels]
    if not seeds.any():
        return np.zeros(mask.shape, np.int32)
    renumbered = np.where(large, np.cumsum(large), 0).astype(np.int32)
    away, nearest = cv2.distanceTransformWithLabels(
        (~seeds).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owners = np.zeros(int(nearest.max()) + 1, np.int32)
    owners[nearest[seeds]] = renumbered[labels[seeds]]
    return np.where(mask & (away <= 2 * _JUMP_WINDOW), owners[nearest], 0).astype(np.int32)


class _Judge:
    """Says of one region after the other what speaks for it and against it."""

    def __init__(
        self,
        photo: Photo,
        blur_map: BlurMap,
        coc_px: Map,
        labels: Labels,
        noise: LightNoise,
        tick: Tick,
        *,
        background: bool,
    ) -> None:
        self._clipped = clipped(photo.rgb)
        self._trust = np.maximum(blur_map.confidence, np.float32(1e-3))
        self._coc, self._labels = coc_px, labels
        recoverable = (coc_px >= LEAST_COC_PX) & (coc_px < HARDEST_COC_PX)
        asked = np.where(recoverable, labels, 0)
        coc_error = error_of(blur_map, recoverable)
        self._guessed = coc_error >= GUESSED_ERROR
        self._probability = blur_map.in_focus_probability
        self._gains = expected_gains(
            photo.rgb, coc_px, asked, noise, coc_error=coc_error, tick=tick
        )
        self._intended_from_px = math.inf
        if not background and _has_subject(blur_map):
            diagonal = math.hypot(photo.height, photo.width)
            self._intended_from_px = _INTENDED_FROM_DIAGONALS * diagonal

    def region(self, label: int) -> Region:
        """Return what there is to say about a label."""
        box = _box(self._labels, label)
        x, y, width, height = box
        part = np.s_[y : y + height, x : x + width]
        own = self._labels[part] == label
        coc = _quantiles(self._coc[part][own], self._trust[part][own])
        gain = self._gains.get(label)
        clipped_share = float(self._clipped[part][own].mean())
        trust = float(self._trust[part][own].mean())
        reason, sentence = self._verdict(coc, gain, clipped_share, trust)
        if reason == "worth" and self._guessed:
            probability = float(self._probability[part][own].mean())
            reason, sentence = _doubted(coc[1], probability) or (reason, sentence)
        return Region(
            label=label,
            box=box,
            area_px=int(own.sum()),
            sigma_px=(coc[0] / _PER_SIGMA, coc[1] / _PER_SIGMA, coc[2] / _PER_SIGMA),
            coc_px=coc[1],
            expected_gain_db=None if gain is None else gain.gain_db,
            reason=reason,
            sentence=sentence,
        )

    def _verdict(
        self, coc: tuple[float, float, float], gain: Gain | None, clipped_share: float, trust: float
    ) -> tuple[str, str]:
        low, middle, _ = coc
        sized = f"Its blur of {middle:.1f} px"
        if middle < 1:
            return "sharp", "It is in focus."
        if middle < LEAST_COC_PX:
            return "sharp", f"{sized} is too little to take back."
        if clipped_share > _CLIPPED_SHARE:
            return "clipped", f"{clipped_share:.0%} of it is clipped, so that its detail is gone."
        if low >= self._intended_from_px:
            return (
                "background",
                f"{sized} looks meant, with a subject in focus elsewhere: ask for the background "
                "to restore it too.",
            )
        if middle >= HARDEST_COC_PX:
            return "blurred", f"{sized} is too much to take back (from {HARDEST_COC_PX:g} px on)."
        if trust < _LEAST_TRUST:
            return "unsure", "Too little can be told about its blur, for want of edges."
        if gain is None:
            return "narrow", "It is too narrow to tell what deblurring would gain."
        return self._by_gain(gain, sized)

    def _by_gain(self, gain: Gain, sized: str) -> tuple[str, str]:
        if gain.lost_db < _LEAST_LOST_DB:
            return "plain", "It has no texture that blur took, or none that stands out from noise."
        if gain.gain_db >= LEAST_GAIN_DB:
            return (
                "worth",
                f"{sized} can be taken back; it should come {gain.gain_db:.1f} dB nearer to a "
                "sharp photo.",
            )
        return (
            "little",
            f"{sized} can be taken back by {max(0.0, gain.gain_db):.1f} dB only, with the texture "
            f"and the noise that are there; worth it is {LEAST_GAIN_DB:g} dB.",
        )


def _doubted(coc_px: float, probability: float) -> tuple[str, str] | None:
    """Return what speaks against restoring a region whose blur is only a guess."""
    if probability >= _GUESSED_PROBABILITY:
        return "unsure", "It may as well be in focus: its blur is a guess that is not sure enough."
    if coc_px >= _GUESSED_TO_PX:
        return (
            "unsure",
            f"Its blur of {coc_px:.1f} px is a guess, and too large to be taken back by one; a "
            "measured circle of confusion may do.",
        )
    return None


def _has_subject(blur_map: BlurMap) -> bool:
    """Whether something with texture is in focus."""
    sharp = (blur_map.in_focus_probability >= _SUBJECT_FROM) & (
        blur_map.confidence >= _SUBJECT_TRUST
    )
    return bool(sharp.mean() >= _SUBJECT_SHARE)


def _box(labels: Labels, label: int) -> tuple[int, int, int, int]:
    x, y, width, height = cv2.boundingRect((labels == label).astype(np.uint8))
    return x, y, width, height


def _quantiles(values: Map, weights: Map) -> tuple[float, float, float]:
    """Return the 10 %, 50 % and 90 % quantiles of values that are trusted differently."""
    step = max(1, values.size // _SAMPLES)
    order = np.argsort(values[::step])
    sorted_values = values[::step][order]
    rank = np.cumsum(weights[::step][order], dtype=np.float64)
    found = np.interp(np.array(_QUANTILES) * rank[-1], rank, sorted_values)
    return float(found[0]), float(found[1]), float(found[2])
