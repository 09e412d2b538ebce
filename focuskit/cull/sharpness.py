"""How sharp the judged box is, and how much of the frame is."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.cull.measures import Evidence, ScoreInfo, Scorer
from focuskit.optics.noise import measure_noise

__all__ = ["DETAIL", "EDGE_COUNT", "EDGE_SHARE", "EDGE_WIDTH", "FOCUS_X", "FOCUS_Y"]
__all__ += ["IN_FOCUS_SHARE", "TEXTURE_SHARE"]

# Motion widens neighbouring directions alike; one alone may rest on few edges.
_WIDEST = 2
_IN_FOCUS = 0.5
_TEXTURED = 0.5
# Finer, and noise that differs from frame to frame decides; coarser, and slight blur hides.
_DETAIL_SIGMA_PX = 1.5
# White noise of variance 1 leaves an energy of 0.0115 after smoothing; a fifth more ranks best, as
# demosaicing and compression leave noise coarser than white.
_DETAIL_OF_NOISE = 0.0138
_LEAST_DETAIL = 1e-9


def _edge_width(evidence: Evidence) -> float:
    known = evidence.widths[np.isfinite(evidence.widths)]
    return float(np.sort(known)[-_WIDEST:].mean()) if known.size else math.nan


def _edge_share(evidence: Evidence) -> float:
    photo = evidence.photo
    shrunk = photo.scale / evidence.crop.scale
    return 1000 * _edge_width(evidence) * shrunk / math.hypot(photo.width, photo.height)


def _edge_count(evidence: Evidence) -> float:
    return float(len(evidence.edges))


def _detail(evidence: Evidence) -> float:
    """Return the gradient energy of the box, smoothed a little, without the noise's share.

    Unlike edge widths it uses every pixel and knows no thresholds, and so it orders frames that
    show the same thing better; between different things it says nothing.
    """
    gray = evidence.gray
    smooth = cv2.GaussianBlur(gray, (0, 0), _DETAIL_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    energy = 0.0
    for dx, dy in ((1, 0), (0, 1)):
        slope = cv2.Sobel(smooth, cv2.CV_32F, dx, dy, scale=1 / 8, borderType=cv2.BORDER_REFLECT)
        energy += float(np.mean(np.square(slope)))
    # Not the evidence's own estimate, which is bounded and that of the flattest box.
    excess = energy - _DETAIL_OF_NOISE * measure_noise(gray) ** 2
    return 10 * math.log10(max(excess, _LEAST_DETAIL))


def _textured(evidence: Evidence) -> NDArray[np.bool_]:
    return evidence.blur_map.confidence >= _TEXTURED


def _in_focus_share(evidence: Evidence) -> float:
    textured = _textured(evidence)
    if not textured.any():
        return math.nan
    return float((evidence.blur_map.in_focus_probability[textured] >= _IN_FOCUS).mean())


def _focus_centre(evidence: Evidence, axis: int) -> float:
    """Return the mean position of the in-focus area along an axis, as a share of the frame."""
    probability = evidence.blur_map.in_focus_probability
    found = np.nonzero(_textured(evidence) & (probability >= _IN_FOCUS))[axis]
    return float((found.mean() + 0.5) / probability.shape[axis]) if found.size else math.nan


def _focus_x(evidence: Evidence) -> float:
    return _focus_centre(evidence, 1)


def _focus_y(evidence: Evidence) -> float:
    return _focus_centre(evidence, 0)


def _texture_share(evidence: Evidence) -> float:
    return float(_textured(evidence).mean())


EDGE_WIDTH = Scorer(
    ScoreInfo(
        "edge_width",
        "px",
        0.0,
        math.inf,
        False,
        "Width of the sharpest edges in the judged box at 100 %, along the two directions in which "
        "they are widest; σ of the profile, 0.65 for a perfect step.",
    ),
    _edge_width,
)
EDGE_SHARE = Scorer(
    ScoreInfo(
        "edge_share",
        "per mille",
        0.0,
        math.inf,
        False,
        "The same width as a share of the frame's diagonal, which is comparable between cameras.",
    ),
    _edge_share,
)
DETAIL = Scorer(
    ScoreInfo(
        "detail",
        "dB",
        10 * math.log10(_LEAST_DETAIL),
        10.0,
        True,
        "Gradient energy of the judged box without the noise's share; compare it only between "
        "frames that show the same thing in the same box.",
    ),
    _detail,
)
EDGE_COUNT = Scorer(
    ScoreInfo("edge_count", "", 0.0, math.inf, None, "How many edge points the width rests on."),
    _edge_count,
)
IN_FOCUS_SHARE = Scorer(
    ScoreInfo("in_focus_share", "share", 0.0, 1.0, None, "In-focus share of the textured frame."),
    _in_focus_share,
)
FOCUS_X = Scorer(
    ScoreInfo(
        "focus_x",
        "share",
        0.0,
        1.0,
        None,
        "Where the middle of the in-focus area lies, from the left edge of the frame.",
    ),
    _focus_x,
)
FOCUS_Y = Scorer(
    ScoreInfo(
        "focus_y",
        "share",
        0.0,
        1.0,
        None,
        "Where the middle of the in-focus area lies, from the upper edge of the frame.",
    ),
    _focus_y,
)
TEXTURE_SHARE = Scorer(
    ScoreInfo(
        "texture_share", "share", 0.0, 1.0, None, "Share of the frame with texture to judge."
    ),
    _texture_share,
)
