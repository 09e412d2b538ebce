"""Whether a part of a picture is in focus, in a sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encoded_gray
from focuskit.optics.blind import smallest_resolvable_coc_px
from focuskit.photo import Photo

__all__ = ["checked"]

# Below the first share of texture nobody can tell; the others are where edits draw their lines.
_LEAST_TEXTURE, _TEXTURED = 0.02, 0.5
_BLURRED_BELOW, _SHARP_FROM = 0.3, 0.6
# Of a disc: its variance along an axis is (diameter / 4)².
_PER_SIGMA = 4.0


def checked(
    photo: Photo, blur_map: BlurMap, box: tuple[float, float, float, float] | None
) -> dict[str, Any]:
    """Return how blurred a part is: probability, diameter, sigma, a verdict, and a sentence.

    Args:
        photo: the whole picture.
        blur_map: of it.
        box: (x0, y0, x1, y1) in its pixels; None for all of it.

    Returns:
        `in_focus_probability`, `coc_px`, `sigma_px`, all medians that count pixels by the map's
        confidence, `smallest_coc_px` that the picture can show (None where that is not known),
        `verdict` and `text`.
    """
    x0, y0, x1, y1 = box or (0, 0, photo.width, photo.height)
    part = np.s_[
        int(y0) : max(int(y0) + 1, math.ceil(y1)), int(x0) : max(int(x0) + 1, math.ceil(x1))
    ]
    trust = blur_map.confidence[part]
    textured = float((trust >= _TEXTURED).mean())
    probability = _median(blur_map.in_focus_probability[part], trust)
    coc_px = _median(blur_map.coc_diameter_px[part], trust)
    smallest = smallest_resolvable_coc_px(encoded_gray(photo))
    verdict = _verdict(probability, textured)
    return {
        "in_focus_probability": round(probability, 3),
        "coc_px": round(coc_px, 2),
        "sigma_px": round(coc_px / _PER_SIGMA, 3),
        "smallest_coc_px": round(smallest, 2) if math.isfinite(smallest) else None,
        "texture_share": round(textured, 3),
        "verdict": verdict,
        "text": _text(verdict, probability, coc_px, smallest),
    }


def _verdict(probability: float, textured: float) -> str:
    if textured < _LEAST_TEXTURE:
        return "cannot-tell"
    if probability >= _SHARP_FROM:
        return "sharp"
    return "soft" if probability >= _BLURRED_BELOW else "blurred"


def _text(verdict: str, probability: float, coc_px: float, smallest: float) -> str:
    if verdict == "cannot-tell":
        return (
            "Nobody can tell: there is hardly any texture here whose sharpness would show. Mark a "
            "part with edges or detail."
        )
    begins = {
        "sharp": f"In focus ({probability:.0%} sure)",
        "soft": "A little soft, neither clearly in focus nor clearly out of it",
        "blurred": f"Out of focus ({1 - probability:.0%} sure)",
    }[verdict]
    if math.isfinite(smallest) and coc_px < smallest:
        return f"{begins}: any blur is smaller than this picture can show ({smallest:.1f} px)."
    return f"{begins}: blurred by {coc_px:.1f} px (σ {coc_px / _PER_SIGMA:.1f} px)."


def _median(values: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    order = np.argsort(values, axis=None)
    heard = np.cumsum(np.maximum(weights, np.float32(1e-3)).ravel()[order], dtype=np.float64)
    return float(values.ravel()[order][int(np.searchsorted(heard, heard[-1] / 2))])
