"""Defocus magnification: the photo as a lens with a wider aperture would have drawn it.

References:
    S. Bae, F. Durand: Defocus magnification. Computer Graphics Forum 26(3), 2007.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.check import check_range
from focuskit.edit.edited import Edited
from focuskit.edit.field import even_field, missing_blur, signed
from focuskit.edit.finish import finished
from focuskit.optics.psf import Aperture
from focuskit.photo import Photo

__all__ = ["magnify"]

Map = NDArray[np.float32]

_MOST = 20.0


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
    tick: Callable[[float], None] | None = None,
) -> Edited:
    """Return the photo with every circle of confusion `factor` times as large.

    Only the missing blur is added: to get from c to factor·c it takes c·sqrt(factor² - 1). What is
    in focus stays as it is.

    Args:
        photo: in linear light.
        blur_map: of this photo.
        factor: from 1, which changes nothing, to 20.
        aperture: its shape; None for an open round one.
        highlights: how much light clipped highlights get back before they are blurred, 0 to 1.
        grain: whether blurred parts get the photo's noise again.
        protect: (H, W) float32 in [0, 1], 1 where nothing may change; None = nowhere.
        device: where to render: "cpu" or "cuda".
        tick: told the share that is done.

    Raises:
        RangeError: `factor` is below 1 or above 20.
        ShapeError: map or mask belong to a picture of another size.
        InputError: nothing in the photo is out of focus, so that there is nothing to magnify.
    """
    check_range("factor", factor, low=1.0, high=_MOST)
    now = even_field(photo, blur_map)
    wanted = now * np.float32(factor)
    added = signed(missing_blur(now, wanted), blur_map)
    return finished(
        photo,
        added,
        nothing=f"Nothing in this photo is out of focus enough to be magnified {factor:g} times; "
        "for blur where there is none use bokeh, or give a map with --map.",
        identity=factor == 1,
        aperture=aperture,
        highlights=highlights,
        grain=grain,
        protect=protect,
        device=device,
        tick=tick,
    )
