"""Point spread functions: how one point of light lands on the sensor. Each sums to 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_range
from focuskit.errors import RangeError

__all__ = ["Aperture", "disc_psf", "motion_psf"]

_SUBSAMPLES = 16
_BLADES = (0, 5, 6, 7, 8, 9)
_OUTLINE_POINTS = 1440
# Of the circumscribed circle, in its radii, at the corner: leaves a lens shape 2.4 times as long as
# it is wide.
_CATS_EYE_SHIFT = 1.4
# Less than 1, so that no part of the aperture goes dark.
_RING_DEPTH = 0.9
_RING_CELLS = 64

Cells = NDArray[np.float64]
Psf = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Aperture:
    """The shape and shading of the opening that defocused points take on.

    Whatever its shape, the diameter of its circle of confusion is that of the round aperture with
    the same area: it lets the same light through, and the f-number keeps its meaning.

    Attributes:
        blades: 0 = round, else 5 to 9.
        rotation_deg: direction of the first corner, counter-clockwise from +x as seen on the
            picture; finite.
        curvature: of the blades' edges, between corners that stay on a circle: 0 = straight to
            1 = round.
        ring: spherical aberration, -1 to 1: > 0 brighter towards the rim (soap bubbles), < 0
            brighter in the centre (creamy). Brightness goes as 1 + 0.9 ring (2 r² - 1) with r = 1
            on the circumscribed circle: the first order in Seidel's aberration, which leaves the
            light of a round aperture what it was. In front of the plane of focus the sign is the
            other one.
        cats_eye: mechanical vignetting, 0 to 1. Away from the centre of the picture the lens barrel
            cuts the aperture off with its circumscribed circle, moved towards the picture's centre
            by 0.7 × cats_eye of its diameter at the corner and in proportion before it.

    Raises:
        RangeError: on construction, if an attribute is out of range.
    """

    blades: int = 0
    rotation_deg: float = 0.0
    curvature: float = 0.0
    ring: float = 0.0
    cats_eye: float = 0.0

    def __post_init__(self) -> None:
        if self.blades not in _BLADES:
            raise RangeError(
                f"Aperture.blades must be 0 (round) or 5 to 9, got {self.blades}; "
                "more than 9 look round."
            )
        check_range("Aperture.rotation_deg", self.rotation_deg, unit="degrees")
        check_range("Aperture.curvature", self.curvature, low=0.0, high=1.0)
        check_range("Aperture.ring", self.ring, low=-1.0, high=1.0)
        check_range("Aperture.cats_eye", self.cats_eye, low=0.0, high=1.0)

    def psf(self, coc_diameter_px: float, field: tuple[float, float] = (0.0, 0.0)) -> Psf:
        """Return how a defocused point behind the plane of focus lands on the picture.

        The middle pixel is where the chief ray lands, the point's own place. A cat's eye lies to
        one side of it, as it does in pictures, and is not moved back. It sums to 1 like the rest:
        that corners get less light is not modelled. In front of the plane of focus the same
        aperture draws its image upside down: `psf[::-1, ::-1]`, with `ring` negated.

        Args:
            coc_diameter_px: diameter of the circle of confusion in pixels, >= 0; below 1 px the PSF
                is the identity.
            field: (x, y) of the point in the picture, in half diagonals from its centre, x to the
                right and y down; at most 1 long. Of use with `cats_eye` only.

        Returns:
            (K, K) float32, >= 0, K odd and the same for all fields, anti-aliased, sum 1. Equal to
            `disc_psf` for a round, even, whole aperture.

        Raises:
            RangeError: the diameter is negative or not finite, or `field` is off the picture.
        """
        check_range("coc_diameter_px", coc_diameter_px, low=0.0, unit="px")
        shift = -_CATS_EYE_SHIFT * self.cats_eye * _checked_field(field)
        if coc_diameter_px < 1.0:
            return np.ones((1, 1), np.float32)
        if self.blades == 0 and self.ring == 0.0 and shift == 0:
            return disc_psf(coc_diameter_px)
        outline = self._outline()
        # The mean is the area of the outline in those of its circumscribed circle.
        radius = coc_diameter_px / 2 / math.sqrt(float(np.mean(np.abs(outline) ** 2)))
        # Rounding must not add an empty rim to a diameter that just fits.
        size = 2 * math.ceil(radius - 0.5 - 1e-9) + 1
        fine = math.ceil(_RING_CELLS / coc_diameter_px) if self.ring else 1
        light = _coverage(
            (_clipped(outline, shift) * radius + (1 + 1j) * size / 2) * fine, size * fine
        )
        if self.ring:
            light *= self._brightness(size * fine, radius * fine)
        return _binned(light, size)

    def _outline(self) -> NDArray[np.complex128]:
        """Points x + iy (y down) at equal angles, corners among them, corners at distance 1."""
        sides = max(1, self.blades)
        count = _OUTLINE_POINTS // sides * sides
        angle = np.arange(count) * (2 * math.pi / count)
        direction = np.exp(-1j * (angle + math.radians(self.rotation_deg)))
        if not self.blades:
            return np.asarray(direction)
        # Where a ray from the centre meets an arc of radius 1 / curvature through two corners;
        # multiplied out, so that straight edges are no special case.
        half = math.pi / self.blades
        off_middle = np.cos(angle % (2 * half) - half)
        flat = math.sqrt(1 - (self.curvature * math.sin(half)) ** 2)
        b = (flat - self.curvature * math.cos(half)) * off_middle
        c = 2 * flat * math.cos(half) - self.curvature * math.cos(2 * half)
        return np.asarray(direction * (c / (b + np.sqrt(b * b + self.curvature * c))))

    def _brightness(self, size: int, radius: float) -> Cells:
        at = (np.arange(size) + 0.5 - size / 2) / radius
        square = np.minimum(at[:, None] ** 2 + at[None, :] ** 2, 1.0)
        return np.asarray(1 + _RING_DEPTH * self.ring * (2 * square - 1))


def disc_psf(coc_diameter_px: float) -> NDArray[np.float32]:
    """Return the uniform disc that a defocused point makes behind an open round aperture.

    Args:
        coc_diameter_px: diameter of the circle of confusion in pixels, >= 0; below 1 px the disc
            falls within one pixel and the PSF is the identity.

    Returns:
        (K, K) float32, K odd, anti-aliased at the rim, sum 1.

    Raises:
        RangeError: the diameter is negative or not finite.
    """
    check_range("coc_diameter_px", coc_diameter_px, low=0.0, unit="px")
    if coc_diameter_px < 1.0:
        return np.ones((1, 1), np.float32)
    radius = coc_diameter_px / 2
    reach = math.ceil(radius - 0.5)
    size = 2 * reach + 1
    fine = (np.arange(size * _SUBSAMPLES) + 0.5) / _SUBSAMPLES - (reach + 0.5)
    square = (fine**2).reshape(size, _SUBSAMPLES)
    nearest, farthest = square.min(axis=1), square.max(axis=1)
    cells = np.zeros((size, size))
    cells[farthest[:, None] + farthest[None, :] <= radius**2] = _SUBSAMPLES**2
    # Large discs are all inside: only pixels on the rim need their samples looked at.
    y, x = np.nonzero((nearest[:, None] + nearest[None, :] <= radius**2) & (cells == 0))
    cells[y, x] = (square[y, :, None] + square[x, None, :] <= radius**2).sum(axis=(1, 2))
    return np.asarray(cells / cells.sum(), dtype=np.float32)


def motion_psf(length_px: float, angle_deg: float) -> NDArray[np.float32]:
    """Return the streak of a point that moves evenly along a straight line during the exposure.

    Args:
        length_px: length of the path in pixels, >= 0.
        angle_deg: direction, counter-clockwise from +x as seen on the picture.

    Returns:
        (K, K) float32, K odd, sum 1.

    Raises:
        RangeError: the length is negative or not finite.
    """
    check_range("length_px", length_px, low=0.0, unit="px")
    reach = math.ceil(length_px / 2)
    size = 2 * reach + 1
    # Enough samples that no sub-pixel cell on the path is missed.
    along = np.linspace(-length_px / 2, length_px / 2, max(1, math.ceil(length_px * 32)))
    x = along * math.cos(math.radians(angle_deg)) + reach
    y = -along * math.sin(math.radians(angle_deg)) + reach
    psf = np.zeros((size + 1, size + 1))
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0
    for dy, dx, weight in (
        (0, 0, (1 - fy) * (1 - fx)),
        (0, 1, (1 - fy) * fx),
        (1, 0, fy * (1 - fx)),
        (1, 1, fy * fx),
    ):
        np.add.at(psf, (y0 + dy, x0 + dx), weight)
    psf = psf[:size, :size]
    return np.asarray(psf / psf.sum(), dtype=np.float32)


def _checked_field(field: tuple[float, float]) -> complex:
    place = complex(*field)
    # Corner pixels may come out a rounding error outside; NaN fails every comparison.
    if not abs(place) <= 1 + 1e-6:
        raise RangeError(
            f"field must lie on the picture, at most 1 half diagonal from its centre, got {field}; "
            "(0, 0) is the centre."
        )
    return place


def _clipped(outline: NDArray[np.complex128], shift: complex) -> NDArray[np.complex128]:
    """The outline's intersection with the unit disc around `shift`."""
    if shift == 0:
        return outline
    # Seen from midway between the two centres, which lies inside both, both are star-shaped.
    middle = shift / 2
    ray = outline - middle
    length = np.abs(ray)
    along = (ray * middle.conjugate()).real / length
    to_disc = along + np.sqrt(along**2 + 1 - abs(middle) ** 2)
    return np.asarray(middle + ray * np.minimum(1.0, to_disc / length))


def _coverage(outline: NDArray[np.complex128], size: int) -> Cells:
    """The exact share of each of (size, size) pixels that lies inside a polygon x + iy."""
    x, y = (np.clip(np.append(part, part[0]), 0, size) for part in (outline.real, outline.imag))
    corner = np.arange(x.size)
    # Cut along the grid, every piece of the outline lies within one pixel ...
    cuts = np.sort(np.concatenate([corner, _crossings(x), _crossings(y)]))
    x, y = np.interp(cuts, corner, x), np.interp(cuts, corner, y)
    height, x, y = np.diff(y), (x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2
    column = np.minimum(x.astype(np.intp), size - 1)
    # ... and adds what is to the right of it in that pixel, and its height to all pixels beyond.
    cell = np.minimum(y.astype(np.intp), size - 1) * (size + 1) + column
    count = size * (size + 1)
    pieces = np.bincount(cell, height * (column + 1 - x), count)
    pieces += np.bincount(cell + 1, height * (x - column), count)
    shares = np.abs(np.cumsum(pieces.reshape(size, size + 1), axis=1)[:, :size])
    # Rounding leaves crumbs outside.
    shares[shares < 1e-9] = 0.0
    return np.asarray(shares)


def _crossings(values: Cells) -> Cells:
    """Where a path from value to value meets whole numbers, as index + fraction."""
    start, end = values[:-1], values[1:]
    first = np.ceil(np.minimum(start, end))
    count = (np.floor(np.maximum(start, end)) - first + 1).astype(np.intp)
    count[start == end] = 0
    step = np.repeat(np.arange(count.size), count)
    nth = np.arange(step.size) - np.repeat(np.cumsum(count) - count, count)
    return np.asarray(step + (first[step] + nth - start[step]) / (end - start)[step])


def _binned(fine: Cells, size: int) -> Psf:
    each = fine.shape[0] // size
    cells = fine.reshape(size, each, size, each).sum(axis=(1, 3))
    return np.asarray(cells / cells.sum(), dtype=np.float32)
