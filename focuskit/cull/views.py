"""How one frame lies beside the next: tiny gray pictures, registered by correlation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import luminance
from focuskit.photo import Photo

__all__ = ["Match", "View", "match", "view_of"]

Gray = NDArray[np.float32]

_LONG_EDGE_PX = 64
# Slow gradients (a sky, a lamp in the corner) look alike wherever the camera points.
_COARSE_SIGMA_PX = 3.0
# Less overlap than this correlates with anything.
_LEAST_OVERLAP = 0.15
_UNMOVED = 0.93
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class View:
    """A picture of at most 64 px that travels with a judgement.

    Attributes:
        width, height: in pixels.
        gray: tones along a square root curve, row by row, a byte each.
    """

    width: int
    height: int
    gray: bytes

    def pixels(self) -> Gray:
        """Return (height, width) float32 in [0, 1]."""
        stored = np.frombuffer(self.gray, np.uint8).reshape(self.height, self.width)
        return stored.astype(np.float32) / np.float32(255)


@dataclass(frozen=True, slots=True)
class Match:
    """How the second of two frames lies beside the first.

    Attributes:
        likeness: correlation of the detail where they overlap, in [-1, 1].
        x, y: by how much the content moved, in shares of the frame's width and height.
        overlap: share of the frame that both show.
    """

    likeness: float
    x: float
    y: float
    overlap: float

    @property
    def drift(self) -> float:
        """How far the content moved, as a share of the frame along the larger axis."""
        return max(abs(self.x), abs(self.y))


def view_of(photo: Photo) -> View:
    """Return the tiny picture of a photo."""
    factor = _LONG_EDGE_PX / max(photo.width, photo.height)
    size = (max(1, round(photo.width * factor)), max(1, round(photo.height * factor)))
    small = np.asarray(cv2.resize(photo.rgb, size, interpolation=cv2.INTER_AREA), np.float32)
    gray = luminance(small.reshape(size[1], size[0], 3), photo.primaries)
    tones = np.rint(255 * np.sqrt(np.clip(gray, 0, 1))).astype(np.uint8)
    return View(size[0], size[1], tones.tobytes())


def match(first: View, second: View) -> Match:
    """Register two views under any shift that leaves 15 % of the frame in common.

    Correlation is normalised over the overlap alone (Padfield, "Masked object registration in the
    Fourier domain", 2012), so that neither exposure nor what left the frame counts.
    """
    if (first.width, first.height) != (second.width, second.height):
        return Match(0.0, 0.0, 0.0, 0.0)
    unmoved = _correlation(_detail(first), _detail(second))
    if unmoved >= _UNMOVED:
        return Match(unmoved, 0.0, 0.0, 1.0)
    scores, overlap = _scores(first, second)
    # The less two frames share, the more easily what they share looks alike.
    worth = np.arctanh(np.clip(scores, -0.999, 0.999)) * np.sqrt(overlap)
    row, column = np.unravel_index(int(np.argmax(worth)), worth.shape)
    shift_y, shift_x = int(row) - first.height + 1, int(column) - first.width + 1
    return Match(
        likeness=float(scores[row, column]),
        x=shift_x / first.width,
        y=shift_y / first.height,
        overlap=float(overlap[row, column]),
    )


@lru_cache(maxsize=4096)
def _detail(view: View) -> Gray:
    pixels = cv2.GaussianBlur(view.pixels(), (0, 0), 0.7)
    coarse = cv2.GaussianBlur(pixels, (0, 0), _COARSE_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    return np.asarray(pixels - coarse, np.float32).reshape(view.height, view.width)


def _correlation(one: Gray, other: Gray) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale > _EPSILON else 0.0


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What registering a view takes that does not depend on the other one.

    Attributes:
        detail: (H, W), without slow gradients.
        spectrum: of the detail, padded to twice its size.
        sums, spread: of what stays in the frame under every shift, the most negative shift first;
            the sum, and the sum of squared deviations from the mean.
    """

    detail: Gray
    spectrum: NDArray[np.complexfloating]
    sums: NDArray[np.float64]
    spread: NDArray[np.float64]


# Neighbours are compared, so that a few are enough.
@lru_cache(maxsize=128)
def _prepared(view: View) -> _Prepared:
    detail = _detail(view)
    rows, columns, count = _shifts(view.height, view.width)
    sums, squares = _sums(detail, rows, columns)
    return _Prepared(
        detail=detail,
        spectrum=np.fft.rfft2(detail, (2 * view.height, 2 * view.width)),
        sums=sums,
        spread=squares - sums**2 / count,
    )


@lru_cache(maxsize=16)
def _shifts(
    height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return all shifts along y, along x, and how many pixels both frames share under them."""
    rows, columns = np.arange(1 - height, height), np.arange(1 - width, width)
    count = np.outer(height - np.abs(rows), width - np.abs(columns)).astype(np.float64)
    return rows, columns, count


def _scores(first: View, second: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return correlation and overlap for every shift, the smallest (most negative) first."""
    height, width = first.height, first.width
    one, other = _prepared(first), _prepared(second)
    padded = (2 * height, 2 * width)
    wrapped = np.fft.irfft2(np.conj(one.spectrum) * other.spectrum, padded)
    rows, columns, count = _shifts(height, width)
    product = wrapped[np.ix_(rows % padded[0], columns % padded[1])]
    # What stays of the second under a shift is what stays of it under the opposite one.
    there, there_spread = other.sums[::-1, ::-1], other.spread[::-1, ::-1]
    spread = one.spread * there_spread
    here = one.sums
    scores = (product - here * there / count) / np.sqrt(np.maximum(spread, _EPSILON))
    overlap = count / (height * width)
    return np.where(overlap >= _LEAST_OVERLAP, scores, -1.0), overlap


def _sums(
    gray: Gray, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sums of values and of squares over what stays in the frame under every shift."""
    height, width = gray.shape
    top, bottom = np.maximum(0, -rows), np.minimum(height, height - rows)
    left, right = np.maximum(0, -columns), np.minimum(width, width - columns)
    sums, squares = cv2.integral2(gray, sdepth=cv2.CV_64F)[:2]

    def inside(table: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(
            table[np.ix_(bottom, right)]
            - table[np.ix_(top, right)]
            - table[np.ix_(bottom, left)]
            + table[np.ix_(top, left)]
        )

    return inside(np.asarray(sums)), inside(np.asarray(squares))
