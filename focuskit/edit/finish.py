"""What all edits that add blur share: highlights before it, grain after it, and what stays."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_map, check_range
from focuskit.color import encode_srgb, encoded_gray, linearise_srgb
from focuskit.edit.edited import Edited
from focuskit.errors import InputError
from focuskit.optics.noise import QUANTISATION_SIGMA, measure_noise
from focuskit.optics.psf import Aperture
from focuskit.optics.render import IDENTITY_BELOW_COC_PX, render
from focuskit.photo import Photo

__all__ = ["finished", "with_highlights"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]

# Encoders clip at 1; from here on a value may stand for more.
_CLIPPED_FROM = 0.85
_MOST_GAIN = 12.0
# A spot fills less than this share of the window around it.
_SPOT_SHARE, _SPOT_WINDOW, _SPOT_CELLS = 0.25, 0.02, 400
# Blur of this size has taken all grain.
_GRAINLESS_COC_PX = 3.0
_STRIP = 512


def finished(
    photo: Photo,
    added_px: Map,
    *,
    nothing: str,
    identity: bool,
    aperture: Aperture | None,
    highlights: float,
    grain: bool,
    protect: Map | None,
    device: str,
    tick: Callable[[float], None] | None,
) -> Edited:
    """Return a photo with blur added.

    Args:
        photo: in linear light.
        added_px: (H, W) signed circle of confusion to add.
        nothing: what to say where that is nothing.
        identity: whether adding nothing is what was asked for.
        aperture: as `render` takes it.
        highlights: 0 to 1.
        grain: whether to put the photo's noise back.
        protect: (H, W) in [0, 1], 1 where nothing may change.
        device: as `render` takes it.
        tick: likewise.

    Raises:
        InputError: there is nothing to do, and something was asked for.
        RangeError, ShapeError: a setting is out of range, or the mask is of another size.
    """
    check_range("highlights", highlights, low=0.0, high=1.0)
    if protect is not None:
        check_map("protect", protect, shape=(photo.height, photo.width))
        added_px = np.where(protect >= 1, np.float32(0), added_px)
    changes = np.abs(added_px) >= IDENTITY_BELOW_COC_PX
    if not changes.any():
        if identity:
            return Edited(photo, None, (), 0.0)
        raise InputError(nothing)
    light = with_highlights(photo.rgb, highlights)
    seen = render(light, added_px, aperture, device=device, tick=tick)
    if grain:
        seen = _with_grain(photo, seen, added_px)
    # Highlights that nothing spread over stay what they were, to the bit.
    touched = np.any(seen != light, axis=2, keepdims=True)
    rgb = np.where(touched, seen, photo.rgb)
    if protect is not None:
        kept = protect[..., None]
        rgb = np.where(kept >= 1, photo.rgb, rgb + kept * (photo.rgb - rgb))
    rgb = np.asarray(rgb, np.float32)
    share = float(np.any(rgb != photo.rgb, axis=2).mean())
    return Edited(photo.with_rgb(rgb), None, (), share)


def with_highlights(light: Image, amount: float) -> Image:
    """Return light of which clipped parts have some of their energy back.

    A lamp that a file holds as 1 was many times brighter; spread over a disc, the 1 would vanish.
    The factor rises smoothly from 1 at 85 % of white to 1 + 12·amount at white, but only of small
    spots: a white sky is as bright as it looks.

    Args:
        light: (H, W, 3) linear light, white at 1.
        amount: 0 = none, 1 = as of lamps.
    """
    if amount == 0:
        return light
    level = light.max(axis=2)
    rise = np.clip((level - _CLIPPED_FROM) / (1 - _CLIPPED_FROM), 0, 1)
    # What the file holds above white need not be guessed.
    spot = np.clip(1 - _around(rise) / _SPOT_SHARE, 0, 1)
    gain = 1 + np.float32(_MOST_GAIN * amount) * spot * rise**3 * (level <= 1.001)
    return np.asarray(light * gain[..., None], np.float32)


def _around(rise: Map) -> Map:
    """Return the mean over a wide window, computed on a smaller picture."""
    height, width = rise.shape
    factor = max(1, max(height, width) // _SPOT_CELLS)
    size = (max(1, width // factor), max(1, height // factor))
    small = np.asarray(cv2.resize(rise, size, interpolation=cv2.INTER_AREA), np.float32)
    reach = 2 * max(1, round(_SPOT_WINDOW * max(size))) + 1
    mean = cv2.blur(small.reshape(size[1], size[0]), (reach, reach))
    large = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32).reshape(height, width)


def _with_grain(photo: Photo, seen: Image, added_px: Map) -> Image:
    """Give blurred parts noise of the photo's strength: a part without any looks cut out."""
    sigma = measure_noise(encoded_gray(photo))
    if sigma <= 1.5 * QUANTISATION_SIGMA:
        return seen
    seed = zlib.crc32(np.ascontiguousarray(photo.rgb[:8, :8]).tobytes())
    rng = np.random.default_rng(seed)
    lost = np.clip((np.abs(added_px) - IDENTITY_BELOW_COC_PX) / _GRAINLESS_COC_PX, 0, 1)
    result = seen.copy()
    for top in range(0, seen.shape[0], _STRIP):
        rows = slice(top, top + _STRIP)
        noise = rng.standard_normal(lost[rows].shape, dtype=np.float32) * lost[rows]
        encoded = encode_srgb(np.minimum(seen[rows], np.float32(1)))
        grained = linearise_srgb(np.clip(encoded + np.float32(sigma) * noise[..., None], 0, 1))
        # Highlights above white keep what they have.
        within = (seen[rows] < 1) & (lost[rows][..., None] > 0)
        result[rows] = np.where(within, grained, seen[rows])
    return result
