"""The edits as functions from photo to photo: what `import focuskit` offers.

The functions in the modules beside this one return an `Edited`, which also tells how far restored
detail is to be believed, and what there is to say.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.edit.bokeh import bokeh as _bokeh
from focuskit.edit.magnify import magnify as _magnify
from focuskit.optics.psf import Aperture
from focuskit.photo import Photo

__all__ = ["bokeh", "magnify"]

Map = NDArray[np.float32]
Tick = Callable[[float], None]


def magnify(
    photo: Photo,
    blur_map: BlurMap,
    *,
    factor: float = 2.0,
    aperture: Aperture | None = None,
    highlights: float = 0.5,
    grain: bool = True,
    protect: Map | None = None,
    device: str = "cpu",
    tick: Tick | None = None,
) -> Photo:
    """Return the photo with every circle of confusion `factor` times as large.

    Args:
        photo: in linear light.
        blur_map: of this photo, at its size.
        factor: 1, which changes nothing, to 20.
        aperture: shape of the discs; None for an open round one.
        highlights: how much light clipped highlights get back before they are blurred, 0 to 1.
        grain: whether blurred parts get the photo's noise again.
        protect: (H, W) float32 in [0, 1], 1 where nothing may change; None = nowhere.
        device: where to render: "cpu" or "cuda".
        tick: told the share that is done, in [0, 1].

    Returns:
        A new photo of the same size; EXIF comes along, and what is in focus is bit-identical.

    Raises:
        RangeError: `factor` or `highlights` is out of range.
        ShapeError: map or mask belong to a picture of another size.
        InputError: nothing in the photo is out of focus.
        DeviceError: the device is absent.
    """
    return _magnify(
        photo,
        blur_map,
        factor=factor,
        aperture=aperture,
        highlights=highlights,
        grain=grain,
        protect=protect,
        device=device,
        tick=tick,
    ).photo


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
    tick: Tick | None = None,
) -> Photo:
    """Return the photo with its background blurred as a wider aperture would have.

    Args:
        photo: in linear light.
        blur_map: of this photo, at its size.
        f_number: as of which the blur shall look, 0.5 to 64 and below the photo's own in its EXIF.
        strength: instead, the diameter of the background's circle of confusion in per cent of the
            picture's diagonal, above 0 to 10; 2 is a portrait lens wide open.
        aperture: shape of the discs; None for an open round one.
        highlights: how much light clipped highlights get back before they are blurred, 0 to 1.
        grain: whether blurred parts get the photo's noise again.
        protect: (H, W) float32 in [0, 1], 1 where nothing may change; None = nowhere.
        device: where to render: "cpu" or "cuda".
        tick: told the share that is done, in [0, 1].

    Returns:
        A new photo of the same size; EXIF comes along, and what is in focus is bit-identical.

    Raises:
        InputError: neither or both of `f_number` and `strength`, or there is no blur to add.
        CameraDataError: an f-number was asked for, and the photo's EXIF holds none.
        RangeError: a setting is out of range, or the f-number asks for less blur than there is.
        ShapeError: map or mask belong to a picture of another size.
        DeviceError: the device is absent.
    """
    return _bokeh(
        photo,
        blur_map,
        f_number=f_number,
        strength=strength,
        aperture=aperture,
        highlights=highlights,
        grain=grain,
        protect=protect,
        device=device,
        tick=tick,
    ).photo
