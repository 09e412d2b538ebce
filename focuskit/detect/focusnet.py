"""Where a photo is in focus, by a small network that looks twice.

Once at the whole frame made small, where it sees what things are and that a smooth flank belongs
to the sharp animal; and once closer, up to 1600 px, where a blur that vanishes in a small picture
still shows. The second look goes only where the first found something that might be in focus:
what is blurred in a small picture is blurred in a large one. Last, the sharpest spots at that size
tell whether anything is in focus at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.check import check_range
from focuskit.color import encode_srgb, luminance
from focuskit.detect._working import Working, contrast_trust
from focuskit.detect.frame import GAUGE_NAME, focus_probability
from focuskit.detect.runtime import Network, open_network
from focuskit.errors import DeviceError
from focuskit.optics.guided import guided_upsample
from focuskit.optics.noise import measure_noise
from focuskit.photo import Photo

__all__ = ["CLOSE_LONG_EDGE", "MOST_CLOSE_LOOKS", "FocusNetDetector"]

CLOSE_LONG_EDGE = 1600
"""Long side in pixels of the picture that the second look is taken at, at most."""

MOST_CLOSE_LOOKS = 8
"""Tiles of that picture that are looked at, at most."""

Map = NDArray[np.float32]

_NAME = "focusnet"
_STRIDE = 32
_FIRST_SIDE = 320
# A second look must show more than the first did.
_LEAST_GAIN = 1.25
_TILE, _MARGIN, _ONE_TILE = 384, 32, 640
# Where the first look is surer than this that nothing is in focus, there is no second.
_WORTH_A_LOOK = 0.06
# In smaller photos slight misfocus (6 px at a long side of 1600 px) is less than 2 px: no blur.
_LEAST_FRAME_EDGE = 500
_UPSAMPLE_EPS = 1e-3
_STRIP = 64
_TRUST_WINDOW_PX = 11


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What the network says of a picture; maps of half its size.

    Attributes:
        in_focus: logits.
        coc: diameter in pixels of the picture.
        confidence: in [0, 1].
        seen: where the network looked; 0 elsewhere.
    """

    in_focus: Map
    coc: Map
    confidence: Map
    seen: Map


@dataclass(frozen=True, slots=True)
class FocusNetDetector:
    """Finds what is in focus with the network that ships with focuskit.

    Attributes:
        close_long_edge: larger photos are shrunk to this for the second look. It decides what
            counts as blurred: from about 2 pixels of this picture on.
        close_looks: how many tiles of it are looked at, at most.
        frame_looks: how many tiles of it are asked whether anything at all is in focus; 0 leaves
            that question out.

    Raises:
        RangeError: on construction, if `close_long_edge` is below 32 or another below 0.
    """

    close_long_edge: int = CLOSE_LONG_EDGE
    close_looks: int = MOST_CLOSE_LOOKS
    frame_looks: int = MOST_CLOSE_LOOKS

    def __post_init__(self) -> None:
        check_range("close_long_edge", self.close_long_edge, low=_STRIDE, unit="px")
        check_range("close_looks", self.close_looks, low=0)
        check_range("frame_looks", self.frame_looks, low=0)

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the weights that it runs."""
        return (_NAME, GAUGE_NAME) if self.frame_looks else (_NAME,)

    def prepare(self) -> None:
        """Load the networks now, so that what is wrong is said before any photo is read.

        Raises:
            WeightsError, DeviceError: the network cannot be run; the message tells a way on.
        """
        open_network(_NAME)
        if self.frame_looks:
            open_network(GAUGE_NAME)

    def __call__(self, photo: Photo) -> BlurMap:
        """Return the map of a photo, of the photo's size.

        Raises:
            WeightsError, DeviceError: the network cannot be run; the message tells a way on.
        """
        return self.at(photo, photo.height, photo.width)

    def at(self, photo: Photo, height: int, width: int) -> BlurMap:
        """Return the map of a photo for the same photo made smaller.

        Args:
            photo: what to look at, at its own size.
            height: of the map in pixels, at most the photo's.
            width: of the map in pixels, at most the photo's.

        Raises:
            WeightsError, DeviceError: the network cannot be run; the message tells a way on.
        """
        network, weights = open_network(_NAME)
        try:
            return self._detected(photo, (height, width), network, weights.facts["fusion"])
        except MemoryError as exc:
            raise DeviceError(
                f"There is too little memory for the map of a photo of {photo.width}×"
                f"{photo.height} pixels; run fewer at once (--workers 1), or refuse such photos "
                "with --max-megapixels."
            ) from exc

    def _detected(
        self, photo: Photo, shape: tuple[int, int], network: Network, fusion: dict[str, Any]
    ) -> BlurMap:
        light, scale = _light(photo, self.close_long_edge)
        small = _encoded(_resized(light, _first_shape(light.shape)))
        first = _look(network, small)
        shrink = _scale(small.shape, light.shape)
        close = None
        if shrink >= _LEAST_GAIN and self.close_looks > 0:
            close = _close_look(network, light, _sigmoid(first.in_focus), self.close_looks)
        in_focus, coc, confidence = _joined(first, close, shrink, fusion)
        if self.frame_looks and max(light.shape) >= _LEAST_FRAME_EDGE:
            in_focus = in_focus * np.float32(focus_probability(light, in_focus, self.frame_looks))
        # The network says how well it can tell, the contrast whether anybody could.
        # Enlarging by a little makes noise coarse, which hides it from its measurement.
        same = small.shape == light.shape
        judged = small if same or shrink >= _LEAST_GAIN else _encoded(light)
        trust = _resized(_trust(judged), confidence.shape)
        confidence = trust * (np.float32(0.5) + np.float32(0.5) * confidence)
        coc = coc / np.float32(scale * _scale(shape, (photo.height, photo.width)))
        return _finished(photo, shape, in_focus, coc, confidence)


detect_focusnet = FocusNetDetector()
detect_focusnet_quick = FocusNetDetector(close_looks=0, frame_looks=2)


def _light(photo: Photo, long_edge: int) -> tuple[Map, float]:
    """Return the photo, highlights clipped as in print, no longer than asked, and its scale."""
    longest = max(photo.height, photo.width)
    if longest <= long_edge:
        within = float(photo.rgb.max()) <= 1
        return photo.rgb if within else np.minimum(photo.rgb, np.float32(1)), 1.0
    light = _clipped(photo.rgb, longest // long_edge)
    factor = long_edge / longest
    shape = tuple(max(1, round(side * factor)) for side in photo.rgb.shape[:2])
    light = _resized(light, shape)
    return light, 1 / _scale(light.shape, (photo.height, photo.width))


def _scale(small: tuple[int, ...], large: tuple[int, ...]) -> float:
    """Return how many times as long one picture is as another, on the mean of both axes."""
    return float((large[0] * large[1] / (small[0] * small[1])) ** 0.5)


def _clipped(rgb: Map, factor: int) -> Map:
    """Clip highlights and shrink by a whole factor, strip by strip to spare memory."""
    if factor == 1:
        return np.minimum(rgb, np.float32(1))
    width, strips = max(1, rgb.shape[1] // factor), []
    for top in range(0, rgb.shape[0], _STRIP * factor):
        strip = np.minimum(rgb[top : top + _STRIP * factor], np.float32(1))
        strips.append(_resized(strip, (max(1, strip.shape[0] // factor), width)))
    return np.concatenate(strips)


def _encoded(light: Map) -> Map:
    return np.clip(encode_srgb(light), 0, 1)


def _trust(picture: Map) -> Map:
    """Return the trust in [0, 1) of a picture's every pixel: local contrast against noise."""
    gray = luminance(picture)
    working = Working(gray, gray, measure_noise(gray), gray, 1, 1.0)
    return contrast_trust(working, width_px=_TRUST_WINDOW_PX)


def _first_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the size of the first look: squashed as the network learned, hardly ever enlarged."""
    rows, columns = (
        min(_FIRST_SIDE, max(_STRIDE, round(side / _STRIDE) * _STRIDE)) for side in shape[:2]
    )
    return rows, columns


def _look(network: Network, picture: Map) -> _Look:
    in_focus, log_coc, confidence = network(_batch(picture))
    return _Look(
        in_focus[0],
        np.maximum(np.exp2(log_coc[0]) - 1, np.float32(0)),
        _sigmoid(confidence[0]),
        np.ones_like(in_focus[0]),
    )


def _close_look(network: Network, light: Map, probability: Map, most: int) -> _Look | None:
    """Look at the tiles that may hold something in focus, the most promising first."""
    height, width = light.shape[:2]
    padded = _padded(light)
    shape = (padded.shape[0] // 2, padded.shape[1] // 2)
    worth = _resized(probability, shape)
    sums = [np.zeros(shape, np.float32) for _ in range(4)]
    windows = _windows(worth)[:most]
    if not windows:
        return None
    for rows, columns in windows:
        tile = padded[2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop]
        found = _look(network, _encoded(tile))
        weight = _feather(found.seen.shape)
        maps = (found.in_focus, found.coc, found.confidence, found.seen)
        for total, values in zip(sums, maps, strict=True):
            total[rows, columns] += weight * values
    crop = (slice(0, (height + 1) // 2), slice(0, (width + 1) // 2))
    in_focus, coc, confidence, weight = (total[crop] for total in sums)
    divisor = np.maximum(weight, np.float32(1e-6))
    seen = (weight > 0).astype(np.float32)
    in_focus, coc, confidence = (
        np.asarray(total / divisor, np.float32) for total in (in_focus, coc, confidence)
    )
    return _Look(in_focus, coc, confidence, seen)


def _windows(worth: Map) -> list[tuple[slice, slice]]:
    """Return the tiles worth a closer look, best first, in pixels of the half-size map."""
    rows, columns = (_spans(2 * side) for side in worth.shape)
    windows = [(slice(*row), slice(*column)) for row in rows for column in columns]
    promising = [w for w in windows if float(worth[w].max(initial=0)) >= _WORTH_A_LOOK]
    promising.sort(key=lambda window: -float(worth[window].sum()))
    return promising


def _joined(
    first: _Look, close: _Look | None, shrink: float, fusion: dict[str, Any]
) -> tuple[Map, Map, Map]:
    """Weigh both looks; constants fitted on training photos, see the model card."""
    alone_gain, alone_bias = fusion["first"]
    alone = np.float32(alone_gain) * first.in_focus + np.float32(alone_bias)
    if close is None:
        return _sigmoid(alone), first.coc * np.float32(shrink), first.confidence
    shape = close.in_focus.shape
    logits, coc, confidence, alone = (
        _resized(part, shape) for part in (first.in_focus, first.coc, first.confidence, alone)
    )
    coc = coc * np.float32(shrink)
    gain_first, gain_close, bias = (np.float32(value) for value in fusion["both"])
    both = gain_first * logits + gain_close * close.in_focus + bias
    seen = close.seen > 0
    # Where the most promising tiles turn out to be blurred, the others are no better.
    weight = _sigmoid(alone) * seen
    found = float((weight * (both - alone)).sum() / max(float(weight.sum()), 1e-6))
    in_focus = _sigmoid(np.where(seen, both, alone + np.float32(min(found, 0.0))))
    trust_close = close.confidence * close.seen + np.float32(1e-3)
    trust_first = confidence * confidence + np.float32(1e-3)
    # Lengths are known to a ratio: the mean is taken of logarithms.
    log = trust_close * np.log1p(close.coc) + trust_first * np.log1p(coc)
    joined = np.expm1(log / (trust_close + trust_first))
    return (
        in_focus,
        np.asarray(joined, np.float32),
        np.maximum(close.confidence * close.seen, confidence),
    )


def _finished(
    photo: Photo, shape: tuple[int, int], in_focus: Map, coc: Map, confidence: Map
) -> BlurMap:
    rgb = _resized(photo.rgb, shape)
    light = np.minimum(luminance(rgb, photo.primaries), np.float32(1))
    # A square root follows the encoding closely enough to guide, at a tenth of its cost.
    guide = np.asarray(cv2.sqrt(light), np.float32).reshape(shape)
    if in_focus.shape[0] <= shape[0] and in_focus.shape[1] <= shape[1]:
        large = guided_upsample(guide, in_focus, radius=2, eps=_UPSAMPLE_EPS)
    else:
        large = _resized(in_focus, shape)
    return BlurMap(
        in_focus_probability=np.clip(large, 0, 1),
        coc_diameter_px=np.maximum(_resized(coc, shape), 0),
        confidence=np.clip(_resized(confidence, shape), 0, 1),
    )


def _padded(picture: Map) -> Map:
    """Repeat the last rows and columns until both sides suit the network."""
    down, right = (-picture.shape[0] % _STRIDE, -picture.shape[1] % _STRIDE)
    if down == right == 0:
        return picture
    return np.asarray(
        cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REFLECT), np.float32
    )


def _spans(length: int) -> list[tuple[int, int]]:
    """Cover a length with equal overlapping spans; in pixels of the half-size map."""
    if length <= _ONE_TILE:
        return [(0, length // 2)]
    inner = _TILE - 2 * _MARGIN
    count = -(-(length - 2 * _MARGIN) // inner)
    starts = np.linspace(0, length - _TILE, count)
    return [(round(s / 2), round(s / 2) + _TILE // 2) for s in starts]


def _feather(shape: tuple[int, ...]) -> Map:
    """Weights that fall towards the borders, where a tile knows least."""
    rows, columns = (
        np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)).clip(max=_MARGIN) for n in shape
    )
    return np.asarray(rows[:, None] * columns[None, :], np.float32)


def _batch(picture: Map) -> Map:
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None])


def _sigmoid(logits: Map) -> Map:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def _resized(picture: Map, shape: tuple[int, ...]) -> Map:
    if picture.shape[:2] == tuple(shape[:2]):
        return picture
    shrinks = shape[0] * shape[1] < picture.shape[0] * picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(picture, (shape[1], shape[0]), interpolation=method)
    return np.asarray(resized, np.float32).reshape(*shape[:2], *picture.shape[2:])
