"""Encoded values and linear light: transfer curves, primaries, luminance, perceptual grey."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import RangeError
from focuskit.photo import Photo, Primaries

__all__ = [
    "BT2020_CURVE",
    "HLG_CURVE",
    "LINEAR_CURVE",
    "PQ_CURVE",
    "SRGB_CURVE",
    "Curve",
    "Encoding",
    "encode_srgb",
    "encoded_gray",
    "encoding_of",
    "encoding_of_xyz",
    "gamma_curve",
    "linearise",
    "linearise_srgb",
    "luminance",
    "rgb_to_xyz",
    "rgb_to_xyz_d50",
]

Samples = NDArray[Any]

# Second row of each space's RGB -> XYZ matrix (D65; ProPhoto: D50).
_LUMINANCE: dict[Primaries, tuple[float, float, float]] = {
    "srgb": (0.2126, 0.7152, 0.0722),
    "display-p3": (0.2290, 0.6917, 0.0793),
    "adobe-rgb": (0.2974, 0.6273, 0.0753),
    "prophoto": (0.2880, 0.7119, 0.0001),
    "rec2020": (0.2627, 0.6780, 0.0593),
}

_D65 = (0.3127, 0.3290)
_D50 = (0.3457, 0.3585)
_D50_XYZ = np.array([0.9642, 1.0, 0.8249])  # the ICC's profile connection space
# CIE xy of red, green, blue and white.
_CHROMATICITIES: dict[Primaries, tuple[tuple[float, float], ...]] = {
    "srgb": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65),
    "display-p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    "adobe-rgb": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65),
    "prophoto": ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105), _D50),
    "rec2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
}
# Profiles in the wild round their colorants to three or four digits; the named spaces lie ten
# times farther apart than this.
_SAME_COLORANT = 0.004
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


@dataclass(frozen=True, slots=True)
class Curve:
    """A transfer curve from encoded values to linear light, both 1 at white.

    Attributes:
        kind: "parametric", "sampled", or the absolute HDR curves "pq" and "hlg".
        numbers: parametric: (g, a, b, c, d, e, f) of ICC.1 type 4, so linear is
            (a·x + b)^g + e from x = d on and c·x + f below; sampled: the curve at equal steps
            over [0, 1]; else empty.
    """

    kind: Literal["parametric", "sampled", "pq", "hlg"]
    numbers: tuple[float, ...] = ()

    def linearise(self, encoded: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return linear light >= 0 for encoded values; a parametric curve goes on above 1."""
        values = np.maximum(encoded.astype(np.float64), 0)
        if self.kind == "parametric":
            g, a, b, c, d, e, f = self.numbers
            linear = np.where(
                values >= d, np.power(np.maximum(a * values + b, 0), g) + e, c * values + f
            )
        elif self.kind == "sampled":
            steps = np.linspace(0, 1, len(self.numbers))
            linear = np.interp(values, steps, np.array(self.numbers))
        elif self.kind == "pq":
            linear = _linearise_pq(np.minimum(values, 1))
        else:
            linear = _linearise_hlg(np.minimum(values, 1))
        return np.maximum(linear, 0).astype(np.float32)

    def encode(self, linear: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return encoded values for linear light >= 0.

        Raises:
            RangeError: the curve is not parametric; focuskit writes no others.
        """
        if self.kind != "parametric":
            raise RangeError(f"Only parametric curves can be encoded, got a {self.kind} one.")
        g, a, b, c, d, e, f = self.numbers
        knee = (a * d + b) ** g + e
        high = np.maximum(linear - np.float32(e), np.float32(max(knee - e, 0)))
        high = np.asarray(cv2.pow(high, 1 / g), np.float32).reshape(linear.shape)
        high = (high - np.float32(b)) / np.float32(a)
        if d <= 0:
            return high
        return np.where(linear < knee, (linear - np.float32(f)) / np.float32(c), high)


def gamma_curve(gamma: float) -> Curve:
    """Return the curve linear = encoded ** gamma."""
    return Curve("parametric", (gamma, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0))


LINEAR_CURVE = gamma_curve(1.0)
SRGB_CURVE = Curve("parametric", (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0))
PQ_CURVE = Curve("pq")
HLG_CURVE = Curve("hlg")
# Rec. ITU-R BT.2020, table 4, with the constants to the digits that make both parts meet.
_ALPHA, _BETA = 1.09929682680944, 0.018053968510807
BT2020_CURVE = Curve(
    "parametric", (1 / 0.45, 1 / _ALPHA, (_ALPHA - 1) / _ALPHA, 1 / 4.5, 4.5 * _BETA, 0.0, 0.0)
)
_CURVES: dict[Primaries, Curve] = {
    "srgb": SRGB_CURVE,
    "display-p3": SRGB_CURVE,
    "adobe-rgb": gamma_curve(563 / 256),
    "prophoto": Curve("parametric", (1.8, 1.0, 0.0, 1 / 16, 1 / 32, 0.0, 0.0)),
    "rec2020": BT2020_CURVE,
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the samples of a file become linear light.

    Attributes:
        primaries: colour space of the linear result.
        curves: transfer curves of red, green and blue.
        matrix: row-major 3×3 from the file's linear RGB to `primaries`; None where the file
            uses these primaries itself.
    """

    primaries: Primaries = "srgb"
    curves: tuple[Curve, Curve, Curve] = (SRGB_CURVE, SRGB_CURVE, SRGB_CURVE)
    matrix: tuple[float, ...] | None = None


def encoding_of(primaries: Primaries, curve: Curve | None = None) -> Encoding:
    """Return the encoding of a named space: its own curve unless another one is given."""
    chosen = _CURVES[primaries] if curve is None else curve
    return Encoding(primaries, (chosen, chosen, chosen))


def encoding_of_xyz(
    to_xyz: NDArray[np.float64], curves: tuple[Curve, Curve, Curve]
) -> Encoding | None:
    """Return the encoding for colorants given as a 3×3 matrix to XYZ; None if they span no space.

    A matrix whose white is not D50 is adapted first. Colorants of no named space lead to
    Rec. 2020 by a matrix.
    """
    white = to_xyz.sum(axis=1)
    if not np.isfinite(to_xyz).all() or white.min() <= 0 or abs(np.linalg.det(to_xyz)) < 1e-6:
        return None
    if np.abs(white - _D50_XYZ).max() > 0.01:
        to_xyz = _adapt(white, _D50_XYZ) @ to_xyz
    for name in _CHROMATICITIES:
        if np.abs(to_xyz - rgb_to_xyz_d50(name)).max() < _SAME_COLORANT:
            return Encoding(name, curves)
    matrix = np.linalg.inv(rgb_to_xyz_d50("rec2020")) @ to_xyz
    return Encoding("rec2020", curves, tuple(float(value) for value in matrix.ravel()))


def linearise(samples: Samples, encoding: Encoding) -> NDArray[np.float32]:
    """Return linear light in `encoding.primaries` for encoded (H, W, 3) RGB samples.

    Colours that lie outside the primaries are clipped to 0.

    Args:
        samples: uint8 or uint16 with white at the largest integer, or float32 with white at 1.
        encoding: how they are encoded.
    """
    if len(set(encoding.curves)) == 1:
        linear = _apply_curve(samples, encoding.curves[0])
    else:
        channels = [
            _apply_curve(np.ascontiguousarray(samples[..., index]), curve)
            for index, curve in enumerate(encoding.curves)
        ]
        linear = np.stack(channels, axis=-1)
    if encoding.matrix is None:
        return linear
    matrix = np.array(encoding.matrix).reshape(3, 3)
    mapped = np.asarray(cv2.transform(linear, matrix), np.float32).reshape(linear.shape)
    return np.maximum(mapped, np.float32(0), out=mapped)


def rgb_to_xyz(chromaticities: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    """Return the 3×3 matrix from linear RGB to XYZ (white Y = 1).

    Args:
        chromaticities: CIE (x, y) of red, green, blue and white.
    """
    columns = np.array([_xyz(point) for point in chromaticities]).T
    primaries, white = columns[:, :3], columns[:, 3]
    return np.asarray(primaries * np.linalg.solve(primaries, white))


@lru_cache(maxsize=8)
def rgb_to_xyz_d50(primaries: Primaries) -> NDArray[np.float64]:
    """Return the 3×3 matrix from linear RGB to XYZ, adapted to D50 as ICC profiles store it."""
    matrix = rgb_to_xyz(_CHROMATICITIES[primaries])
    adapted = _adapt(matrix.sum(axis=1), _D50_XYZ) @ matrix
    adapted.flags.writeable = False
    return np.asarray(adapted)


def linearise_srgb(encoded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return linear light for sRGB-encoded values, both 1 at white (IEC 61966-2-1)."""
    low = encoded / np.float32(12.92)
    high = np.power((np.maximum(encoded, 0) + np.float32(0.055)) / np.float32(1.055), 2.4)
    return np.where(encoded <= 0.04045, low, high).astype(np.float32, copy=False)


def encode_srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sRGB-encoded values for linear light; values above 1 go on along the curve."""
    encoded = np.asarray(cv2.pow(np.maximum(linear, 0), 1 / 2.4), np.float32)
    encoded = encoded.reshape(linear.shape)
    encoded *= np.float32(1.055)
    encoded -= np.float32(0.055)
    np.multiply(linear, np.float32(12.92), out=encoded, where=linear <= np.float32(0.0031308))
    return encoded


def luminance(rgb: NDArray[np.float32], primaries: Primaries = "srgb") -> NDArray[np.float32]:
    """Return the (H, W) luminance of a linear (H, W, 3) picture."""
    weights = np.array([_LUMINANCE[primaries]], np.float32)
    gray = cv2.transform(np.ascontiguousarray(rgb), weights)
    return np.asarray(gray, np.float32).reshape(rgb.shape[:2])


def encoded_gray(photo: Photo) -> NDArray[np.float32]:
    """Return the photo's luminance along the sRGB curve, (H, W) float32, clipped to [0, 1].

    Detectors measure contrast here: equal steps look about equally strong and shot noise is
    about even over the tones.
    """
    return encode_srgb(np.minimum(luminance(photo.rgb, photo.primaries), np.float32(1)))


@lru_cache(maxsize=32)
def _table(curve: Curve, steps: int) -> NDArray[np.float32]:
    table = curve.linearise(np.linspace(0, 1, steps, dtype=np.float32))
    table.flags.writeable = False
    return table


def _apply_curve(samples: Samples, curve: Curve) -> NDArray[np.float32]:
    if samples.dtype == np.uint8:
        looked_up = cv2.LUT(np.ascontiguousarray(samples), _table(curve, 256))
        return np.asarray(looked_up, np.float32).reshape(samples.shape)
    if samples.dtype == np.uint16:
        if curve == LINEAR_CURVE:
            return np.multiply(samples, np.float32(1 / 65535), dtype=np.float32)
        return _table(curve, 65536)[samples]
    if curve == LINEAR_CURVE:
        return np.maximum(samples, np.float32(0)).astype(np.float32, copy=False)
    return curve.linearise(samples.astype(np.float32, copy=False))


def _linearise_pq(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # SMPTE ST 2084, eq. 4.1; diffuse white at 203 cd/m² becomes 1 (ITU-R BT.2408).
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = np.power(values, 1 / m2)
    light = np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1)
    return np.asarray(light * (10000 / 203))


def _linearise_hlg(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # ITU-R BT.2100, table 5, scene light; reference white at 75 % signal becomes 1 (BT.2408).
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    return np.asarray(light / ((np.exp((0.75 - c) / a) + b) / 12))


def _xyz(point: tuple[float, float]) -> tuple[float, float, float]:
    x, y = point
    return x / y, 1.0, (1 - x - y) / y


def _adapt(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    # Lindbloom, "Chromatic Adaptation"; Bradford, as ICC.1:2022 annex E asks.
    gain = np.diag((_BRADFORD @ target) / (_BRADFORD @ source))
    return np.asarray(np.linalg.inv(_BRADFORD) @ gain @ _BRADFORD)
