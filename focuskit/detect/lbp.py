"""Where a photo is in focus, by local binary patterns: fast, and without training.

A pixel's pattern says which of its eight neighbours are clearly brighter. In focus, many patterns
are isolated points, tips and irregular; out of focus almost all are flat or half a slope. The share
of the former around a pixel is its sharpness (Yi and Eramian 2016). What differs from the paper:

- The threshold that a neighbour must exceed follows the photo's noise instead of being constant.
- Nothing is rescaled so that each photo's sharpest part becomes 1: a frame without any sharp part
  comes out low everywhere. The photo's own sharpest part only ever *raises* the bar.
- Contrast that is not blurred at all counts as sharp even where no pattern is: clean outlines.
- A guided filter, weighted by local contrast, takes the place of matting and belief propagation.

References:
    X. Yi, M. Eramian: LBP-based segmentation of defocus blur. IEEE TIP 25(4), 2016.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.detect._working import (
    WORKING_LONG_EDGE,
    Working,
    contrast_trust,
    finish,
    logistic,
    regional_width,
    spread,
)
from focuskit.optics.edges import OWN_VARIANCE
from focuskit.photo import Photo

__all__ = ["detect_lbp", "measure_coc", "regional_coc_diameter_px"]

_SCALES_PX = (11, 15, 21)
# Noise of sigma n makes differences of sigma 1.4 n: beyond 4 n they are rare.
_NOISE_FACTOR = 4.0
_MIN_THRESHOLD = 0.006

Map = NDArray[np.float32]


def detect_lbp(photo: Photo, *, working_long_edge: int | None = WORKING_LONG_EDGE) -> BlurMap:
    """Tell sharp from blurred by local binary patterns at three scales.

    Args:
        photo: of any size.
        working_long_edge: larger photos are shrunk to this many pixels for measuring, and their map
            enlarged along the photo's edges; None measures them as they are. Shrinking hides
            blur of less than a working pixel.

    Returns:
        Map of the photo's size. Its CoC is a regional estimate, good to about 30 % up to 20 working
        pixels; the detector "reblur" measures it at single edges.

    Raises:
        RangeError: `working_long_edge` is below 1.
    """
    working = Working.of(photo, working_long_edge)
    sharpness = _sharpness(working)
    trust = contrast_trust(working)
    coc = regional_coc_diameter_px(working, trust)
    probability = _refined(working, _probability(sharpness, coc, trust), trust)
    return finish(
        photo,
        working,
        probability=probability,
        coc_diameter_px=coc,
        confidence=trust,
    )


def measure_coc(photo: Photo) -> BlurMap:
    """Return the CoC and the confidence of `detect_lbp`, for whoever knows what is in focus.

    Returns:
        Map of the photo's size; its in-focus probability is 0 throughout.
    """
    working = Working.of(photo, WORKING_LONG_EDGE)
    trust = contrast_trust(working)
    return finish(
        photo,
        working,
        probability=np.zeros_like(trust),
        coc_diameter_px=regional_coc_diameter_px(working, trust),
        confidence=trust,
    )


def _sharpness(working: Working) -> Map:
    """Share of patterns 6 to 9 around each cell of the grid, mean over the scales (Eq. 4)."""
    threshold = max(_MIN_THRESHOLD, _NOISE_FACTOR * working.noise_sigma)
    sharp = cv2.LUT(_patterns(working.gray, threshold), _SHARP_PATTERNS)
    share = working.on_grid(np.asarray(sharp, np.uint8).reshape(working.gray.shape))
    scales = [working.box(share, width) for width in _SCALES_PX]
    return sum(scales[1:], start=scales[0]) / np.float32(255 * len(scales))


def _patterns(gray: Map, threshold: float) -> NDArray[np.uint8]:
    """Eight bits per pixel: which neighbours, in order around it, exceed it by the threshold.

    The diagonal neighbours are taken as they are, not interpolated to distance 1: ranking is as
    good, at half the cost.
    """
    height, width = gray.shape
    # Eight bits hold what a JPEG knows, and are compared several times faster than floats.
    levels = np.asarray(cv2.convertScaleAbs(gray, alpha=255), np.uint8).reshape(gray.shape)
    bar = cv2.add(levels, np.full_like(levels, min(255, int(threshold * 255))))
    padded = np.asarray(cv2.copyMakeBorder(levels, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.uint8)
    code = np.zeros(gray.shape, np.uint8)
    for bit, (dy, dx) in enumerate(_AROUND):
        neighbour = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        here = np.asarray(cv2.compare(neighbour, bar, cv2.CMP_GT), np.uint8).reshape(gray.shape)
        np.bitwise_and(here, np.uint8(1 << bit), out=here)
        np.bitwise_or(code, here, out=code)
    return code


_AROUND = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def _sharp_patterns() -> NDArray[np.uint8]:
    """255 for the codes 6 to 9: at least six bits set, or more than two changes around."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where((changes > 2) | (bits.sum(axis=1) >= 6), 255, 0).astype(np.uint8)


_SHARP_PATTERNS = _sharp_patterns()


# Fitted on a seeded half of CUHK's 604 training photos, native size and 320 px.
_FLOOR = 0.45
_BAR = 0.65
_SLOPE = 8.0
# Fitted on photos blurred over the whole frame: the CoC of the sharpest part reads up to 1 working
# pixel before, mostly 1 to 3 after a blur of 4, and 3 or more after a blur of 6.
_FRAME_COC_PX = 1.2
_FRAME_WEIGHT = 0.3
_SHARPEST_SHARE = 0.05
_TRUSTED = 0.5
_CLEAN_EDGE = np.float32(0.7)
_CLEAN_COC_PX = np.float32(1.0)


def _probability(sharpness: Map, coc_diameter_px: Map, trust: Map) -> Map:
    """Judge against the photo's own sharpest part, but never against less than a sharp photo's.

    Patterns mix sharpness with contrast. So that a strong but soft structure does not pass as sharp
    in a missed shot, the bar rises where even the photo's sharpest part is measurably blurred. And
    since a clean outline of a flat shape holds no sharp pattern, contrast without blur speaks too.
    """
    root = np.sqrt(sharpness)
    reference = max(float(np.quantile(root, 0.95)), _FLOOR)
    judged = coc_diameter_px[trust > _TRUSTED]
    sharpest = float(np.quantile(judged, _SHARPEST_SHARE)) if judged.size else 0.0
    bar = _BAR + _FRAME_WEIGHT * min(max(sharpest - _FRAME_COC_PX, 0.0), 1.0)
    relative = np.asarray(root / np.float32(reference), np.float32)
    by_patterns = logistic(relative, centre=bar, slope=_SLOPE)
    by_width = _CLEAN_EDGE * trust * np.exp(-((coc_diameter_px / _CLEAN_COC_PX) ** 2))
    return np.asarray(1 - (1 - by_patterns) * (1 - by_width), np.float32)


_LEAST_TRUST = np.float32(0.2)


def _refined(working: Working, probability: Map, trust: Map) -> Map:
    # Flat surfaces have some say: without it, a small subject would light up the sky around it.
    weight = np.maximum(trust, _LEAST_TRUST)
    smooth = spread(working, probability, weight, share=0.05)
    return logistic(smooth, centre=0.5, slope=10)


def regional_coc_diameter_px(working: Working, trust: Map) -> Map:
    """CoC in working pixels from regional gradient energies before and after re-blurring.

    As in `focuskit.optics.edges`, but summed over regions instead of along single edges. Halved
    pictures see the blur that is too wide for the full one.
    """
    sigma, picture, scale = np.zeros_like(trust), working.gray, 1
    while min(picture.shape) >= 8 and scale <= _LARGEST_SCALE:
        here = _regional_sigma(working, picture, scale)
        # Beyond two pixels of its own an octave is blind; the next one refines what it left.
        sigma = here if scale == 1 else np.where(sigma < _OCTAVE_END * scale / 2, sigma, here)
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = np.asarray(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), np.float32)
        scale *= 2
    return spread(working, sigma, trust, share=0.03).clip(0) * np.float32(_COC_PER_SIGMA)


# Measured on photographs blurred with discs of 2 to 12 px. Larger than for single edges
# (`focuskit.optics.edges.COC_PER_SIGMA`): texture is steeper than the edge that the ratio assumes.
_COC_PER_SIGMA = 4.4
_LARGEST_SCALE = 8
_OCTAVE_END = 1.8


def _regional_sigma(working: Working, picture: Map, scale: int) -> Map:
    width = regional_width(working, picture, scale)
    own_removed = np.sqrt(np.maximum(width * width - np.float32(OWN_VARIANCE), 0))
    return np.asarray(own_removed * np.float32(scale), np.float32)
