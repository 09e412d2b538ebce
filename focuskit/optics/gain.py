"""What taking defocus back would gain, predicted from power spectra without doing it.

A blurred patch has the power P = |H|² S + N: what the lens let through of the scene's power S, and
noise. Where the lens let enough through, S follows; where it did not, S goes on as a power of
frequency, as it does in photographs. Leaving the photo alone costs the power |1 - H|² S + N, and
the best linear restoration (Wiener's) leaves S N / (|H|² S + N).

References:
    D. J. Field: Relations between the statistics of natural images and the response properties of
        cortical cells. JOSA A 4(12), 1987 (power falls as a power of frequency).
    R. C. Gonzalez, R. E. Woods: Digital Image Processing, chapter 5 (Wiener filter).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.optics.deconvolve import CAMERA_SIGMA, clipped
from focuskit.optics.light_noise import LightNoise
from focuskit.optics.psf import disc_psf

__all__ = ["Gain", "expected_gains"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Labels = NDArray[np.int32]
Spectrum = NDArray[np.float64]

_PATCH_PX = 32
_RINGS = 22
_TERMS = 5
_TINY = 1e-12
_LARGE_PX = 4_000_000
_LEAST_COVER = 0.5
_CHUNK = 4096
_LEVEL_RATIO = 1.15
_MOST_COC_PX = 24.0
# What the lens let through of a frequency, and over how much noise, for it to be believed.
_LEAST_PASSED, _LEAST_SNR = 0.04, 1.5
_EXPONENTS, _USUAL_EXPONENT = (1.2, 4.5), 2.6
# Compression hides noise from measuring, but not from comparing.
_ROUGHNESS = 0.004
# Wiener's filter knows the scene's spectrum; what restores in fact does not, and loses ground where
# blur is large. Decibels found, by decibels predicted, on rendered scenes kept for development.
_OFFSET_DB, _PER_PREDICTED, _MOST_PREDICTED_DB = 1.05, 0.69, 2.0
_FAR_FROM_PX, _FAR_LOSS_DB = 8.0, 4.3


@dataclass(frozen=True, slots=True)
class Gain:
    """What restoring a region would bring.

    Attributes:
        gain_db: how much nearer to the truth it would come, in peak signal-to-noise ratio.
        lost_db: how much nearer it would come if blur alone, and not noise, were taken away whole:
            near 0 there is nothing that blur took.
    """

    gain_db: float
    lost_db: float


def expected_gains(light: Image, coc_px: Map, labels: Labels, noise: LightNoise) -> dict[int, Gain]:
    """Return the expected gain of every region that holds enough to tell.

    Args:
        light: (H, W, 3) float32 linear light, white at 1.
        coc_px: (H, W) float32, diameters in pixels.
        labels: (H, W) int32, the regions as 1, 2, ...; 0 belongs to none.
        noise: of the light.

    Returns:
        By label; regions without a patch of mostly their own are left out.
    """
    powers: dict[tuple[int, int], Spectrum] = defaultdict(lambda: np.zeros(_RINGS))
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for (label, level), power in _patches(light, coc_px, labels):
        powers[label, level] += power
        counts[label, level] += 1
    costs: dict[int, Spectrum] = defaultdict(lambda: np.zeros(_TERMS))
    for (label, level), total in powers.items():
        count, coc = counts[label, level], _LEVEL_RATIO**level
        far = max(0.0, math.log(coc / _FAR_FROM_PX))
        costs[label] += count * np.array([*_costs(total / count, coc, noise), far, 1.0])
    return {label: _gain(cost) for label, cost in costs.items()}


def _gain(cost: Spectrum) -> Gain:
    nothing, restored, noise = np.maximum(cost[:3], _TINY).tolist()
    far, count = cost[3:].tolist()
    predicted = min(10 * math.log10(nothing / restored), _MOST_PREDICTED_DB)
    found = _OFFSET_DB + _PER_PREDICTED * predicted - _FAR_LOSS_DB * far / count
    return Gain(found, 10 * math.log10(nothing / noise))


def _patches(
    light: Image, coc_px: Map, labels: Labels
) -> Iterator[tuple[tuple[int, int], Spectrum]]:
    """Yield (label, level of blur) and the radial power spectrum of every patch that has them."""
    gray = encode_srgb(np.minimum(light, np.float32(1))).mean(axis=2, dtype=np.float32)
    usable = np.where(clipped(light), 0, labels)
    height, width = labels.shape
    step = _PATCH_PX if height * width > _LARGE_PX else _PATCH_PX // 2
    found: list[tuple[tuple[int, int], Map]] = []
    for top in range(0, height - _PATCH_PX + 1, step):
        for left in range(0, width - _PATCH_PX + 1, step):
            box = np.s_[top : top + _PATCH_PX, left : left + _PATCH_PX]
            key = _key(usable[box], coc_px[box])
            if key is not None:
                found.append((key, gray[box]))
        if len(found) >= _CHUNK or top + step > height - _PATCH_PX:
            yield from zip((key for key, _ in found), _spectra(found), strict=True)
            found = []


def _key(labels: Labels, coc_px: Map) -> tuple[int, int] | None:
    label = int(labels[_PATCH_PX // 2, _PATCH_PX // 2])
    own = labels == label
    if label == 0 or own.mean() < _LEAST_COVER:
        return None
    coc = min(max(float(coc_px[own].mean()), 1.0), _MOST_COC_PX)
    return label, round(math.log(coc) / math.log(_LEVEL_RATIO))


def _spectra(found: list[tuple[tuple[int, int], Map]]) -> Spectrum:
    """Return (patches, rings): mean power per frequency; all frequencies add up to the variance."""
    if not found:
        return np.zeros((0, _RINGS))
    patches = np.stack([patch for _, patch in found])
    patches = patches - patches.mean(axis=(1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(patches * _WINDOW)) ** 2
    power /= _PATCH_PX**2 * float((_WINDOW**2).sum())
    flat = power.reshape(len(found), -1)
    return np.stack([_by_ring(each) for each in flat])


def _by_ring(values: NDArray[np.float64]) -> Spectrum:
    return np.asarray(np.bincount(_RING.ravel(), values.ravel(), _RINGS) / _RING_COUNT)


def _costs(power: Spectrum, coc_px: float, noise: LightNoise) -> tuple[float, ...]:
    """Return the errors per pixel of leaving as it is, restoring, and of noise alone."""
    passed = _passed(coc_px)
    # Noise of the channels averages out in grey, the scene does not.
    own = noise.encoded_sigma**2 / _PATCH_PX**2
    assumed = own + CAMERA_SIGMA**2 / _PATCH_PX**2
    scene = _scene_power(power, passed, own / 3)
    nothing = (1 - passed) ** 2 * scene + own
    restored = scene * assumed / (passed**2 * scene + assumed)
    both = [float((each * _RING_COUNT).sum()) for each in (nothing, restored)]
    return (*both, noise.encoded_sigma**2 + _ROUGHNESS**2)


def _scene_power(power: Spectrum, passed: Spectrum, noise: float) -> Spectrum:
    known = (passed > _LEAST_PASSED**0.5) & (power > _LEAST_SNR * noise)
    known[0] = False
    scene = np.maximum(power - noise, 0) / np.maximum(passed, _LEAST_PASSED**0.5) ** 2
    if not known.any():
        return np.where(passed > 0.5, scene, 0.0)
    x, y = np.log(_FREQUENCY[known]), np.log(np.maximum(scene[known], 1e-16))
    exponent = _USUAL_EXPONENT
    if known.sum() >= 3:
        exponent = float(np.clip(-np.polyfit(x, y, 1)[0], *_EXPONENTS))
    # From the highest frequencies that are known, so that both parts meet.
    last = np.flatnonzero(known)[-3:]
    level = np.mean(np.log(np.maximum(scene[last], 1e-16)) + exponent * np.log(_FREQUENCY[last]))
    law = np.exp(level - exponent * np.log(_FREQUENCY))
    return np.asarray(np.where(known, scene, np.minimum(law, scene[known].max())))


def _passed(coc_px: float) -> Spectrum:
    """Return what a lens lets through, from the centre of the spectrum outwards, 0 to 1."""
    psf = disc_psf(coc_px)
    size = psf.shape[0]
    padded = np.zeros((_PATCH_PX, _PATCH_PX))
    padded[:size, :size] = psf
    return np.sqrt(_by_ring(np.abs(np.fft.fft2(padded)) ** 2))


def _rings() -> tuple[NDArray[np.intp], Spectrum]:
    axis = np.fft.fftfreq(_PATCH_PX)
    radius = np.hypot(axis[:, None], axis[None, :])
    ring = np.minimum(np.rint(radius * _PATCH_PX), _RINGS - 1).astype(np.intp)
    return ring, np.bincount(ring.ravel(), minlength=_RINGS).astype(np.float64)


_RING, _RING_COUNT = _rings()
_FREQUENCY = np.maximum(np.arange(_RINGS), 1) / _PATCH_PX
_WINDOW = np.hanning(_PATCH_PX + 2)[1:-1, None] * np.hanning(_PATCH_PX + 2)[None, 1:-1]
