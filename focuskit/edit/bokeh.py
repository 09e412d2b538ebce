"""Bokeh: the background blurred as a wider aperture would have, the subject left alone.

References:
    J. Peng et al.: BokehMe: When neural rendering meets classical rendering. CVPR 2022.
    Y. Sheng et al.: Dr.Bokeh: Differentiable occlusion-aware bokeh rendering. CVPR 2024.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.check import check_range
from focuskit.edit.edited import Edited
from focuskit.edit.field import even_field, missing_blur, signed
from focuskit.edit.finish import finished
from focuskit.errors import CameraDataError, InputError, RangeError
from focuskit.optics.psf import Aperture
from focuskit.optics.render import MOST_COC_PX
from focuskit.photo import Photo

__all__ = ["bokeh"]

Map = NDArray[np.float32]

_F_NUMBERS = (0.5, 64.0)
_STRENGTHS = (0.0, 10.0)
# How blurred the background is is told by its more blurred parts.
_TYPICAL = 0.9
_SAMPLES = 500_000
_STRIP = 128


def bokeh(
    photo: Photo,
    blur_map: BlurMap,
    *,
    f_number: float | None = None,
    strength: float | None = None,
    aperture: Aperture | None = None,
    highlights: float = 0.5,
    grain: bool = True,
    protect: Map | None = None,
    device: str = "cpu",
    tick: Callable[[float], None] | None = None,
) -> Edited:
    """Return the photo with more background blur; what is in focus stays bit-identical.

    Args:
        photo: in linear light.
        blur_map: of this photo.
        f_number: as of which the blur shall look; the photo's own comes from its EXIF.
        strength: instead, how large the circle of confusion of the background becomes, in per cent
            of the picture's diagonal, above 0 to 10. 2 is a portrait lens wide open.
        aperture: its shape; None for an open round one.
        highlights: how much light clipped highlights get back before they are blurred, 0 to 1.
        grain: whether blurred parts get the photo's noise again.
        protect: (H, W) float32 in [0, 1], 1 where nothing may change; None = nowhere.
        device: where to render: "cpu" or "cuda".
        tick: told the share that is done.

    Raises:
        InputError: neither or both of `f_number` and `strength`, or nothing is out of focus.
        CameraDataError: an f-number was asked for and the photo does not know its own.
        RangeError: a setting is out of range, or it asks for less blur than there is.
        ShapeError: map or mask belong to a picture of another size.
    """
    if (f_number is None) == (strength is None):
        raise InputError("Give either f_number or strength: they are two ways to say one thing.")
    return finished(
        photo,
        _added(photo, blur_map, f_number, strength),
        nothing="The map finds nothing out of focus in this photo, so that there is no background "
        "to blur: paint a map (white = in focus) and give it with --map.",
        identity=False,
        aperture=aperture,
        highlights=highlights,
        grain=grain,
        protect=protect,
        device=device,
        tick=tick,
    )


def _added(photo: Photo, blur_map: BlurMap, f_number: float | None, strength: float | None) -> Map:
    """Return the signed circle of confusion to add."""
    now = even_field(photo, blur_map)
    factor = (
        _widening(photo, f_number)
        if f_number is not None
        else _strengthening(photo, now, strength or 0.0)
    )
    # In place and by strips: of a large photo every further map costs a tenth of a gigabyte.
    for top in range(0, len(now), _STRIP):
        own = now[top : top + _STRIP]
        wanted = np.minimum(own * np.float32(factor), np.float32(MOST_COC_PX))
        own[:] = missing_blur(own, wanted)
    return signed(now, blur_map)


def _widening(photo: Photo, f_number: float) -> float:
    check_range("f_number", f_number, low=_F_NUMBERS[0], high=_F_NUMBERS[1])
    own = photo.exif.f_number
    if own is None:
        raise CameraDataError(
            "The photo's EXIF does not say at which f-number it was taken, so that nobody knows "
            f"how much blur f/{f_number:g} would add: give --strength instead, in per cent of the "
            "picture's diagonal."
        )
    if f_number >= own:
        raise RangeError(
            f"The photo was taken at f/{own:g}; f/{f_number:g} would be sharper, not more blurred. "
            f"Give an f-number below {own:g}, or use refocus or deblur to gain sharpness."
        )
    return own / f_number


def _strengthening(photo: Photo, now: Map, strength: float) -> float:
    """Return how much larger the background's blur becomes when it is as large as asked."""
    check_range("strength", strength, low=_STRENGTHS[0], high=_STRENGTHS[1])
    if strength == 0:
        raise RangeError("strength must be above 0; 2 is a portrait lens wide open.")
    background = _sample(now)
    if not background.size:
        return 1.0
    typical = float(np.quantile(background, _TYPICAL))
    diagonal = math.hypot(photo.height, photo.width)
    if strength / 100 * diagonal <= typical:
        there = 100 * typical / diagonal
        raise RangeError(
            f"The background is blurred by {there:.1f} % of the picture's diagonal already, and "
            f"strength {strength:g} would add nothing: give more than {there:.1f}."
        )
    return strength / 100 * diagonal / max(typical, 1e-3)


def _sample(now: Map) -> Map:
    """Return blur above 0, of large photos at every few pixels."""
    every = max(1, math.isqrt(now.size // _SAMPLES))
    few = now[::every, ::every]
    found = few[few > 0]
    return found if found.size or every == 1 else now[now > 0]
