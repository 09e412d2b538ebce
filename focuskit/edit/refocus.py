"""Refocusing: the plane of focus moved to what lies elsewhere.

What had the blur of the new plane is deconvolved, as far as noise and its own size allow; what was
sharp is blurred by how far it now lies from the plane. Detail that is gone does not come back: the
confidence tells where it was brought back, and the original stays where it could not be.

References:
    Y. Bando, T. Nishita: Towards digital refocusing from a single photograph. Pacific Graphics
        2007.
    W. Zhang, W.-K. Cham: Single-image refocusing and defocusing. IEEE TIP 21(2), 2012.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.check import check_map, check_range
from focuskit.edit.edited import Edited
from focuskit.edit.field import coc_field
from focuskit.edit.finish import finished
from focuskit.edit.plane import Moves, Plane, moves_to, plane_at_point, plane_in_box, plane_of_coc
from focuskit.errors import InputError
from focuskit.optics.deconvolve import (
    GUESSED_ERROR,
    LEAST_COC_PX,
    MEASURED_ERROR,
    deconvolve,
)
from focuskit.optics.light_noise import measure_light_noise
from focuskit.optics.psf import Aperture
from focuskit.optics.render import IDENTITY_BELOW_COC_PX
from focuskit.photo import Photo

__all__ = ["refocus"]

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Tick = Callable[[float], None]

_RESTORING_SHARE = 0.6
# Above this, `deconvolve` fades its answer out: a larger blur is taken back in part.
_MOST_REMOVED_PX = 12.0
# How sure `deconvolve` must be: below the first its answer is left out. Half of it is taken at
# most: judged on pairs and sweeps, that is nearer to the photo that a camera took than all of it.
_KEPT_BELOW, _TAKEN_FROM, _MOST_TAKEN = np.float32(0.5), 0.8, 0.5
# Judged there too: with blur that nobody measured, restoring helps in about two cases of three.
_RESTORED_CONFIDENCE = np.float32(0.65)
# Blurring what is sharp helps nearly always where the map is decided. What its outlines spill over
# their surroundings is as often worse as better: which of both is nearer, nobody knows.
_BLURRED_CONFIDENCE = np.float32(0.4)
_RIM_CONFIDENCE = np.float32(0.5)
_BELIEVED_FROM = 0.5
# A map as confident as this was measured or told, not guessed.
_MEASURED_FROM = 0.99


def refocus(
    photo: Photo,
    blur_map: BlurMap,
    *,
    point: tuple[float, float] | None = None,
    box: tuple[float, float, float, float] | None = None,
    coc_px: float | None = None,
    aperture: Aperture | None = None,
    highlights: float = 0.1,
    grain: bool = True,
    protect: Map | None = None,
    device: str = "cpu",
    tick: Tick | None = None,
) -> Edited:
    """Return the photo as if it had been focused on something else in it.

    Give exactly one of `point`, `box` and `coc_px`. A photo alone does not tell what lies before
    the plane of focus and what behind: where the map does not know, all that is out of focus
    counts as on one side, that of the new plane.

    Args:
        photo: in linear light.
        blur_map: of this photo.
        point: (x, y) in pixels of what shall be in focus.
        box: (x0, y0, x1, y1) in pixels, around what shall be in focus.
        coc_px: instead, the circle of confusion that what shall be in focus has now, 1 to 600 px;
            negative for what lies before the plane of focus.
        aperture: its shape; None for an open round one.
        highlights: how much light clipped highlights get back before they are blurred, 0 to 1;
            less than for bokeh, as real lenses do not make sunlit textures glitter.
        grain: whether blurred parts get the photo's noise again.
        protect: (H, W) float32 in [0, 1], 1 where nothing may change; None = nowhere.
        device: where to render: "cpu" or "cuda".
        tick: told the share that is done.

    Returns:
        The photo; its confidence says how far each pixel that changed is to be believed, and is 1
        where nothing changed.

    Raises:
        InputError: none or several of `point`, `box` and `coc_px`, or what they name is in focus
            already.
        RangeError: point or box lie outside the photo, or a setting is out of range.
        ShapeError: map or mask belong to a picture of another size.
    """
    if sum(each is not None for each in (point, box, coc_px)) != 1:
        raise InputError(
            "Give exactly one of point, box and coc_px: each says what shall be in focus."
        )
    check_range("highlights", highlights, low=0.0, high=1.0)
    if protect is not None:
        check_map("protect", protect, shape=(photo.height, photo.width))
    now_px = coc_field(photo, blur_map)
    plane = _plane(photo, blur_map, now_px, point, box, coc_px)
    moves = moves_to(plane, now_px, blur_map)
    if protect is not None:
        moves = moves.without(protect >= 1)
    ticks = _Ticks(tick)
    restored, believed = _restored(photo, moves, aperture, _coc_error(blur_map, moves), ticks.first)
    made = finished(
        restored,
        moves.added_px,
        nothing="",
        identity=True,
        aperture=aperture,
        highlights=highlights,
        grain=grain,
        protect=None,
        device=device,
        tick=ticks.second,
    ).photo
    if protect is not None:
        made = _kept(photo, made, protect)
    ticks.second(1.0)
    changed = np.any(made.rgb != photo.rgb, axis=2)
    confidence = np.where(changed, _confidence(blur_map, plane, moves, believed), np.float32(1))
    notes = _notes(plane, moves, believed)
    return Edited(made, np.asarray(confidence, np.float32), notes, float(changed.mean()))


def _plane(
    photo: Photo,
    blur_map: BlurMap,
    now_px: Map,
    point: tuple[float, float] | None,
    box: tuple[float, float, float, float] | None,
    coc_px: float | None,
) -> Plane:
    if point is not None:
        return plane_at_point(photo, blur_map, now_px, point)
    if box is not None:
        return plane_in_box(photo, blur_map, now_px, box)
    return plane_of_coc(coc_px or 0.0)


def _kept(photo: Photo, made: Photo, protect: Map) -> Photo:
    kept = protect[..., None]
    mixed = np.where(kept >= 1, photo.rgb, made.rgb + kept * (photo.rgb - made.rgb))
    return photo.with_rgb(np.asarray(mixed, np.float32))


class _Ticks:
    """Progress of restoring and then of blurring, as one."""

    def __init__(self, tick: Tick | None) -> None:
        self._tick = tick

    def first(self, share: float) -> None:
        if self._tick is not None:
            self._tick(_RESTORING_SHARE * share)

    def second(self, share: float) -> None:
        if self._tick is not None:
            self._tick(_RESTORING_SHARE + (1 - _RESTORING_SHARE) * share)


def _coc_error(blur_map: BlurMap, moves: Moves) -> float:
    """Return how far the blur to be taken back may be wrong, as a share of itself."""
    band = moves.nearness >= _BELIEVED_FROM
    sure = band.any() and float(blur_map.confidence[band].mean()) >= _MEASURED_FROM
    return MEASURED_ERROR if sure else GUESSED_ERROR


def _restored(
    photo: Photo, moves: Moves, aperture: Aperture | None, coc_error: float, tick: Tick
) -> tuple[Photo, Map]:
    """Return the photo with its new plane sharpened where that can be believed, and how far."""
    if float(moves.removed_px.max()) < LEAST_COC_PX:
        return photo, np.zeros_like(moves.removed_px)
    found = deconvolve(
        photo.rgb,
        np.minimum(moves.removed_px, np.float32(_MOST_REMOVED_PX)),
        noise=measure_light_noise(photo.rgb),
        aperture=aperture,
        coc_error=coc_error,
        least=np.asarray(_KEPT_BELOW / np.maximum(moves.nearness, _KEPT_BELOW), np.float32),
        tick=tick,
    )
    sure = found.confidence * moves.nearness
    taken = np.clip((sure - _KEPT_BELOW) / (_TAKEN_FROM - _KEPT_BELOW), 0, 1)
    taken *= np.float32(_MOST_TAKEN)
    believed = np.where(taken > 0, _RESTORED_CONFIDENCE * sure, np.float32(0))
    rgb = photo.rgb + taken[..., None] * (found.light - photo.rgb)
    rgb = np.where(taken[..., None] > 0, np.maximum(rgb, 0), photo.rgb)
    return photo.with_rgb(np.asarray(rgb, np.float32)), np.asarray(believed, np.float32)


def _confidence(blur_map: BlurMap, plane: Plane, moves: Moves, believed: Map) -> Map:
    blurred = np.abs(moves.added_px) >= IDENTITY_BELOW_COC_PX
    decided = np.abs(2 * blur_map.in_focus_probability - 1)
    sure = _BLURRED_CONFIDENCE + (1 - _BLURRED_CONFIDENCE) * decided
    found = np.where(blurred, sure, believed)
    found = np.where(_rim(blurred, abs(plane.coc_px)), _RIM_CONFIDENCE, found)
    return np.asarray(np.clip(found, 0, 1), np.float32)


def _rim(blurred: Mask, coc_px: float) -> Mask:
    """Return what lies within the reach of a blurred outline, on either side."""
    size = 2 * round(coc_px / 2) + 1
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    mask = blurred.astype(np.uint8)
    return np.asarray(cv2.dilate(mask, window) != cv2.erode(mask, window))


def _notes(plane: Plane, moves: Moves, believed: Map) -> tuple[str, ...]:
    coc_px = abs(plane.coc_px)
    notes: list[str] = []
    band = moves.nearness >= _BELIEVED_FROM
    share = float((believed[band] >= _BELIEVED_FROM).mean()) if band.any() else 0.0
    if coc_px > _MOST_REMOVED_PX:
        notes.append(
            f"What shall be in focus is blurred by {coc_px:.0f} px. Detail that was spread over "
            f"more than {_MOST_REMOVED_PX:.0f} px cannot come back."
        )
    elif coc_px < LEAST_COC_PX:
        notes.append(
            f"What shall be in focus is blurred by {coc_px:.1f} px only, so that there was nothing "
            "to sharpen; the rest was blurred."
        )
    if coc_px >= LEAST_COC_PX:
        notes.append(
            f"Of what shall be in focus, {share:.0%} came back with a confidence of one half or "
            "more; the rest of it stays as it was."
        )
    if plane.confidence < _BELIEVED_FROM:
        notes.append(
            "The map is not sure how blurred this place is; a place with more texture, or --coc "
            "with a measured file, may do better."
        )
    return tuple(notes)
