"""Noise and tone: what else is worth knowing about a frame."""

from __future__ import annotations

import math

import numpy as np

from focuskit.cull.measures import Evidence, ScoreInfo, Scorer

__all__ = ["BRIGHTNESS", "CLIPPED_HIGH", "CLIPPED_LOW", "NOISE"]

_WHITE = 0.99
# Encoded; 2.5 of 255: what prints as paper black.
_BLACK = 0.01


def _noise(evidence: Evidence) -> float:
    return evidence.noise_sigma


def _clipped_high(evidence: Evidence) -> float:
    return float((evidence.photo.rgb >= _WHITE).any(axis=2).mean())


def _clipped_low(evidence: Evidence) -> float:
    return float((evidence.frame_gray <= _BLACK).mean())


def _brightness(evidence: Evidence) -> float:
    return float(np.mean(evidence.frame_gray))


NOISE = Scorer(
    ScoreInfo(
        "noise", "share of white", 0.0, math.inf, False, "Noise σ at 100 % on the encoded scale."
    ),
    _noise,
)
CLIPPED_HIGH = Scorer(
    ScoreInfo("clipped_high", "share", 0.0, 1.0, False, "Share of the frame with a blown channel."),
    _clipped_high,
)
CLIPPED_LOW = Scorer(
    ScoreInfo("clipped_low", "share", 0.0, 1.0, False, "Share of the frame that is black."),
    _clipped_low,
)
BRIGHTNESS = Scorer(
    ScoreInfo("brightness", "share of white", 0.0, 1.0, None, "Mean encoded tone."),
    _brightness,
)
