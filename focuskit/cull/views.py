"""How one frame lies beside the next: tiny gray pictures, registered by correlation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import luminance
from focuskit.photo import Photo

__all__ = ["Match", "View", "likeness_unmoved", "match", "view_of"]

Gray = NDArray[np.float32]

_LONG_EDGE_PX = 64
# Slow gradients (a sky, a lamp in the corner) look alike wherever the camera points.
_COARSE_SIGMA_PX = 3.0
# Less overlap than this correlates with anything.
_LEAST_OVERLAP = 0.15
_UNMOVED = 0.93
_PLAIN, _LEAST_SPREAD = 1e-3, 1e-4
_SUREST = 0.999


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


@lru_cache(maxsize=4096)
def match(first: View, second: View) -> Match:
    """Register two views under any shift that leaves 15 % of the frame in common.

    Correlation is normalised over the overlap alone (Padfield, "Masked object registration in the
    Fourier domain", 2012), so that neither exposure nor what left the frame counts.
    """
    if (first.width, first.height) != (second.width, second.height):
        return Match(0.0, 0.0, 0.0, 0.0)
    unmoved = likeness_unmoved(first, second)
    if unmoved >= _UNMOVED:
        return Match(unmoved, 0.0, 0.0, 1.0)
    scores = _scores(first, second)
    shifts = _shifts(first.height, first.width)
    # The less two frames share, the more easily what they share looks alike.
    sure = np.clip(scores, -_SUREST, _SUREST)
    worth = np.log((1 + sure) / (1 - sure)) * shifts.root_overlap + shifts.barred
    row, column = np.unravel_index(int(np.argmax(worth)), worth.shape)
    return Match(
        likeness=float(scores[row, column]),
        x=float(shifts.columns[column]) / first.width,
        y=float(shifts.rows[row]) / first.height,
        overlap=float(shifts.root_overlap[row, column]) ** 2,
    )


def likeness_unmoved(first: View, second: View) -> float:
    """Return the correlation of the detail of two views of one size, in [-1, 1], not registered.

    That of the best shift is never less: see `match`.
    """
    if (first.width, first.height) != (second.width, second.height):
        return 0.0
    return float(np.vdot(_unit_detail(first), _unit_detail(second)))


@lru_cache(maxsize=1024)
def _unit_detail(view: View) -> Gray:
    """Return the view without slow gradients, of mean 0 and norm 1 (0 if it is plain)."""
    pixels = cv2.GaussianBlur(view.pixels(), (0, 0), 0.7)
    coarse = cv2.GaussianBlur(pixels, (0, 0), _COARSE_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    detail = np.asarray(pixels - coarse, np.float32).reshape(view.height, view.width)
    detail -= detail.mean()
    return np.asarray(detail / max(float(np.linalg.norm(detail)), _PLAIN), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Shifts:
    """Every shift that leaves enough in common, the most negative first.

    Attributes:
        rows, columns: in pixels.
        count: how many pixels both frames share, (rows, columns).
        root_overlap: root of the share of the frame that both show.
        barred: minus infinity where that is too little, else 0.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    count: NDArray[np.float64]
    root_overlap: Gray
    barred: Gray


@lru_cache(maxsize=16)
def _shifts(height: int, width: int) -> _Shifts:
    down, right = (int((1 - _LEAST_OVERLAP) * side) for side in (height, width))
    rows, columns = np.arange(-down, down + 1), np.arange(-right, right + 1)
    count = np.outer(height - np.abs(rows), width - np.abs(columns)).astype(np.float64)
    overlap = count / (height * width)
    barred = np.where(overlap >= _LEAST_OVERLAP, 0, -np.inf).astype(np.float32)
    return _Shifts(rows, columns, count, np.sqrt(overlap).astype(np.float32), barred)


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """What registering a view takes that does not depend on the other one.

    Attributes:
        spectrum: of the unit detail, padded to twice its size, as OpenCV packs it.
        level, scale: of what stays in the frame under every shift: the sum over the root of the
            count, and one over the root of the sum of squared deviations from the mean.
    """

    spectrum: Gray
    level: Gray
    scale: Gray


# Neighbours are compared, so that a few are enough.
@lru_cache(maxsize=128)
def _prepared(view: View) -> _Prepared:
    detail = _unit_detail(view)
    shifts = _shifts(view.height, view.width)
    sums, squares = cv2.integral2(detail, sdepth=cv2.CV_64F)[:2]
    level = _kept(np.asarray(sums), shifts) / np.sqrt(shifts.count)
    spread = np.maximum(_kept(np.asarray(squares), shifts) - level**2, _LEAST_SPREAD)
    padded = cv2.copyMakeBorder(detail, 0, *_padding(view), cv2.BORDER_CONSTANT, value=0.0)
    return _Prepared(
        spectrum=np.asarray(cv2.dft(padded), np.float32),
        level=level.astype(np.float32),
        scale=(1 / np.sqrt(spread)).astype(np.float32),
    )


def _padding(view: View) -> tuple[int, int, int]:
    """Return by how much a view grows at the bottom, left and right."""
    height, width = (cv2.getOptimalDFTSize(2 * side) for side in (view.height, view.width))
    return height - view.height, 0, width - view.width


def _scores(first: View, second: View) -> Gray:
    """Return the correlation under every shift, the most negative first."""
    one, other = _prepared(first), _prepared(second)
    spectrum = cv2.mulSpectrums(other.spectrum, one.spectrum, 0, conjB=True)
    wrapped = np.asarray(cv2.idft(spectrum, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT))
    down, right = one.level.shape[0] // 2, one.level.shape[1] // 2
    upper = np.concatenate((wrapped[-down:], wrapped[: down + 1])) if down else wrapped[:1]
    left = (upper[:, -right:], upper[:, : right + 1]) if right else (upper[:, :1],)
    product = np.concatenate(left, axis=1)
    # What stays of the second under a shift is what stays of it under the opposite one.
    deviation = product - one.level * other.level[::-1, ::-1]
    return np.asarray(deviation * one.scale * other.scale[::-1, ::-1], np.float32)


def _kept(table: NDArray[np.float64], shifts: _Shifts) -> NDArray[np.float64]:
    """Return from a table of sums the sum over what stays in the frame under every shift."""

    def along(sums: NDArray[np.float64], most: int) -> NDArray[np.float64]:
        side = len(sums) - 1
        before = sums[side] - sums[most::-1]
        after = sums[side - 1 : side - most - 1 : -1] - sums[0]
        return np.concatenate((before, after)) if most else before

    down, right = len(shifts.rows) // 2, len(shifts.columns) // 2
    return np.asarray(along(along(table, down).T, right).T)
