"""Deblurring: the regions where it is worth it, and their restoration.

Only what is worth it is touched, and the rest stays bit-identical: restored detail is blended in by
how far it is to be believed, and fades out towards the edge of its region.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.check import check_map
from focuskit.edit.edited import Edited
from focuskit.edit.regions import Regions, error_of, find_regions
from focuskit.optics.deconvolve import GUESSED_ERROR, MOST_TRUST, deconvolve
from focuskit.photo import Photo

__all__ = ["Deblurred", "deblur"]

Map = NDArray[np.float32]
Tick = Callable[[float], None]

_EDGE_PX, _EDGE_COCS = 2.0, 0.5
# Every region is restored twice, in cells that overlap, before it is restored for good.
_SEARCHING_SHARE = 0.7
# Where the blur is a guess, less than all of the change gains more on average.
_GUESSED_STRENGTH = 0.7
_WHY = {
    "sharp": "is in focus or nearly so",
    "clipped": "is clipped",
    "background": "is blur that looks meant (--background takes it back too)",
    "blurred": "is blurred too much",
    "unsure": "has a blur that is not known well enough",
    "narrow": "is too narrow to judge",
    "plain": "has no texture that blur took",
    "little": "would gain too little with its texture and noise",
}


@dataclass(frozen=True, slots=True, eq=False)
class Deblurred(Edited):
    """An edited photo, and its regions.

    Attributes:
        regions: what is worth deblurring and what is not.
    """

    regions: Regions


def deblur(
    photo: Photo,
    blur_map: BlurMap,
    *,
    apply: bool = True,
    background: bool = False,
    protect: Map | None = None,
    device: str = "cpu",
    tick: Tick | None = None,
) -> Deblurred:
    """Find the regions of a photo that are worth deblurring, and restore them.

    Detail that is gone does not come back: what is blurred too much for its noise is left out, as
    are plain and clipped surfaces, and backgrounds whose blur was meant. Where no region is worth
    it the photo comes back as it was, and the notes say why.

    Args:
        photo: in linear light.
        blur_map: of this photo.
        apply: whether to restore them; else only to find them.
        background: whether blur that was meant, around a subject in focus, is taken back too.
        protect: (H, W) float32 in [0, 1], 1 where nothing may change; None = nowhere.
        device: of no influence yet: this works on the CPU.
        tick: told the share that is done.

    Raises:
        ShapeError: map or mask belong to a picture of another size.
        RangeError: the mask leaves [0, 1].
    """
    del device
    shape = (photo.height, photo.width)
    if protect is not None:
        check_map("protect", protect, shape=shape)
    found_by = _SEARCHING_SHARE if apply else 1.0
    regions = find_regions(
        photo,
        blur_map,
        background=background,
        protect=protect,
        tick=_part(tick, 0.0, found_by),
    )
    confidence = np.zeros(shape, np.float32)
    if not (apply and regions.kept):
        if tick is not None:
            tick(1.0)
        return Deblurred(photo, confidence, _notes(regions), 0.0, regions)
    inside = regions.labels > 0
    coc_error = error_of(blur_map, inside)
    restored = deconvolve(
        photo.rgb,
        regions.coc_px,
        noise=regions.noise,
        coc_error=coc_error,
        where=inside,
        tick=_part(tick, found_by, 1.0),
    )
    confidence = restored.confidence * _fading(regions)
    if coc_error >= GUESSED_ERROR:
        confidence *= np.float32(_GUESSED_STRENGTH)
    if protect is not None:
        confidence = np.where(protect >= 1, np.float32(0), confidence * (1 - protect))
    weight = np.minimum(confidence / np.float32(MOST_TRUST), np.float32(1))[..., None]
    mixed = photo.rgb + weight * (restored.light - photo.rgb)
    rgb = np.where(weight > 0, np.maximum(mixed, np.float32(0)), photo.rgb)
    share = float(np.any(rgb != photo.rgb, axis=2).mean())
    return Deblurred(photo.with_rgb(rgb), confidence, _notes(regions), share, regions)


def _fading(regions: Regions) -> Map:
    """Return 1 inside the kept regions, falling to 0 at their edges without a seam."""
    inside = cv2.copyMakeBorder(
        (regions.labels > 0).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE
    )
    away = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    width = np.float32(_EDGE_PX) + np.float32(_EDGE_COCS) * regions.coc_px
    share = np.clip((away - np.float32(0.5)) / width, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _notes(regions: Regions) -> tuple[str, ...]:
    if regions.kept:
        return ()
    if not regions.left_out:
        return (
            "No region is worth deblurring: the photo is too small, or protected, to hold one.",
        )
    areas: Counter[str] = Counter()
    for region in regions.left_out:
        areas[region.reason] += region.area_px
    said = (
        f"{area / regions.labels.size:.0%} {_WHY[reason]}" for reason, area in areas.most_common(3)
    )
    return (f"No region is worth deblurring: of the photo {', '.join(said)}.",)


def _part(tick: Tick | None, start: float, end: float) -> Tick | None:
    """Return what tells the progress of a part of the work as that of the whole."""
    if tick is None:
        return None
    return lambda share: tick(start + (end - start) * share)
