"""What all edits that add blur share: highlights before it, grain after it, and what stays."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_map, check_range
from focuskit.color import encoded_gray
from focuskit.edit.edited import Edited
from focuskit.errors import InputError
from focuskit.optics.noise import QUANTISATION_SIGMA, measure_noise
from focuskit.optics.parallel import each_done
from focuskit.optics.psf import Aperture
from focuskit.optics.render import IDENTITY_BELOW_COC_PX, render
from focuskit.photo import Photo

__all__ = ["by_strips", "finished", "highlight_gain"]

T = TypeVar("T")

Image = NDArray[np.float32]
Map = NDArray[np.float32]

# Encoders clip at 1; from here on a value may stand for more.
_CLIPPED_FROM = 0.9
_MOST_GAIN = 12.0
# A lamp fills less than this share of the window around it, and the window's mean stays below this
# level; both times the amount asked for.
_SPOT_SHARE, _DARK, _SPOT_WINDOW, _SPOT_CELLS = 0.2, 0.4, 0.02, 400
# Blur of this size has taken all grain.
_GRAINLESS_COC_PX = 3.0
_STRIP = 64
# Noise is measured on so many strips of so many rows, of large photos with gaps between them.
_NOISE_STRIPS, _NOISE_STRIP = 8, 128


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
    if max(float(added_px.max()), -float(added_px.min())) < IDENTITY_BELOW_COC_PX:
        if identity:
            return Edited(photo, None, (), 0.0)
        raise InputError(nothing)
    # Before the renderer fills the memory: the grain's size needs a picture of its own.
    sigma = _grain_sigma(photo) if grain else 0.0
    gain = highlight_gain(photo.rgb, highlights)
    seen = render(photo.rgb, added_px, aperture, gain=gain, device=device, tick=tick)
    changed = 0
    for count in by_strips(photo.height, _Last(photo, gain, added_px, protect, sigma, seen)):
        changed += count
    return Edited(photo.with_rgb(seen), None, (), changed / (photo.height * photo.width))


@dataclass(frozen=True, slots=True, eq=False)
class _Last:
    """What is left to do to a rendered picture, strip by strip, in place."""

    photo: Photo
    gain: Map | None
    added_px: Map
    protect: Map | None
    sigma: float
    seen: Image

    def __call__(self, rows: slice) -> int:
        """Return how many pixels of the strip differ from the photo's."""
        seen, own = self.seen[rows], self.photo.rgb[rows]
        if self.sigma:
            self._add_grain(rows)
        if self.gain is not None:
            # Highlights that nothing spread over stay what they were, to the bit.
            bright = np.nonzero(self.gain[rows] != 1)
            given = own[bright]
            untouched = (seen[bright] == given * self.gain[rows][bright][:, None]).all(axis=1)
            seen[bright[0][untouched], bright[1][untouched]] = given[untouched]
        if self.protect is not None:
            kept = self.protect[rows][..., None]
            seen[:] = np.where(kept >= 1, own, seen + kept * (own - seen))
        return int(np.count_nonzero(_differs(seen, own)))

    def _add_grain(self, rows: slice) -> None:
        """Give blurred parts noise of the photo's strength: a part without any looks cut out."""
        lost = np.abs(self.added_px[rows])
        lost -= np.float32(IDENTITY_BELOW_COC_PX)
        lost *= np.float32(1 / _GRAINLESS_COC_PX)
        np.clip(lost, 0, 1, out=lost)
        if not lost.any():
            return
        seen = self.seen[rows]
        seed = zlib.crc32(np.ascontiguousarray(self.photo.rgb[:8, :8]).tobytes())
        noise = np.random.default_rng([seed, rows.start]).standard_normal(
            lost.shape, dtype=np.float32
        )
        noise *= np.float32(self.sigma)
        noise *= lost
        grained = lost > 0
        for channel, plane in enumerate(cv2.split(seen)):
            # Even along the curve of sRGB: its slope is 2.27 light^0.583, near black 1 / 12.92.
            slope = np.asarray(cv2.pow(plane, 1 - 1 / 2.4), np.float32).reshape(plane.shape)
            slope *= np.float32(2.4 / 1.055)
            np.maximum(slope, np.float32(1 / 12.92), out=slope)
            slope *= noise
            slope += plane
            # Highlights above white keep what they have.
            within = grained & (plane < 1)
            np.copyto(seen[..., channel], np.clip(slope, 0, 1, out=slope), where=within)


def by_strips(height: int, work: Callable[[slice], T]) -> Iterator[T]:
    """Yield what `work` returns for the rows of each strip, several at a time."""
    strips = [slice(top, min(height, top + _STRIP)) for top in range(0, height, _STRIP)]
    return each_done(work, strips)


def _differs(one: Image, other: Image) -> NDArray[np.bool_]:
    apart = one != other
    return np.asarray(apart[..., 0] | apart[..., 1] | apart[..., 2])


def _grain_sigma(photo: Photo) -> float:
    """Return the noise to put back, 0 where the photo has none to speak of."""
    every = max(1, photo.height // _NOISE_STRIPS // _NOISE_STRIP)
    if every > 1:
        tops = range(0, photo.height - _NOISE_STRIP + 1, every * _NOISE_STRIP)
        strips = [photo.rgb[top : top + _NOISE_STRIP] for top in tops]
        photo = photo.with_rgb(np.concatenate(strips))
    sigma = measure_noise(encoded_gray(photo))
    return 0.0 if sigma <= 1.5 * QUANTISATION_SIGMA else sigma


def highlight_gain(light: Image, amount: float) -> Map | None:
    """Return by how much clipped light was brighter than a file can say.

    A lamp that a file holds as 1 was many times brighter; spread over a disc, the 1 would vanish.
    The factor rises smoothly from 1 at 90 % of white to 1 + 12·amount at white, but only of small
    spots amid darkness: white paint, paper and sky are as bright as they look. The larger the
    amount, the brighter the surroundings may be.

    Args:
        light: (H, W, 3) linear light, white at 1.
        amount: 0 = none, 0.5 = lamps at night, 1 = also the sun in leaves.

    Returns:
        (H, W) float32, >= 1; None where it is 1 throughout.
    """
    if amount == 0:
        return None
    level = np.empty(light.shape[:2], np.float32)

    def find(rows: slice) -> float:
        red, green, blue = cv2.split(light[rows])
        np.maximum(np.maximum(red, green, out=red), blue, out=level[rows])
        return float(level[rows].max())

    if max(by_strips(len(level), find)) <= _CLIPPED_FROM:
        return None
    spot = _lamps(level, amount)
    if not spot.any():
        return None
    large = cv2.resize(spot, level.shape[::-1], interpolation=cv2.INTER_LINEAR)
    spot = np.asarray(large, np.float32).reshape(level.shape)
    gain = level

    def brighten(rows: slice) -> None:
        # What the file holds above white need not be guessed.
        rise = _rise(level[rows])
        if rise.any():
            rise *= rise * rise
            rise *= level[rows] <= np.float32(1.001)
            rise *= spot[rows]
            rise *= np.float32(_MOST_GAIN * amount)
        gain[rows] = rise + 1

    list(by_strips(len(level), brighten))
    return gain


def _rise(level: Map) -> Map:
    """Return how surely light is clipped, 0 to 1."""
    rise = level - np.float32(_CLIPPED_FROM)
    rise *= np.float32(1 / (1 - _CLIPPED_FROM))
    return np.clip(rise, 0, 1, out=rise)


def _lamps(level: Map, amount: float) -> Map:
    """Return where bright spots are small and amid darkness, 0 to 1, on a smaller picture."""
    height, width = level.shape
    factor = max(1, max(height, width) // _SPOT_CELLS)
    size = (max(1, width // factor), max(1, height // factor))
    reach = 2 * max(1, round(_SPOT_WINDOW * max(size))) + 1
    # A quarter of the pixels tells the means of windows as well.
    level = level[:: 2 if factor >= 4 else 1, :: 2 if factor >= 4 else 1]
    bright, around = (
        cv2.blur(np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA)), (reach, reach))
        for each in (_rise(level), np.minimum(level, np.float32(1)))
    )
    spot = np.clip(1 - bright / np.float32(_SPOT_SHARE * amount), 0, 1)
    spot *= np.clip(2 - around * np.float32(2 / (_DARK * amount)), 0, 1)
    return np.asarray(spot, np.float32).reshape(size[::-1])
