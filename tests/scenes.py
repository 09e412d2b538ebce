"""Scenes and places that tests share."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.psf import disc_psf
from focuskit.photo import Photo

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"


def make_scene(height: int, width: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    big = np.full((2 * height, 2 * width, 3), 0.2, np.float32)
    for _ in range(500):
        radius = int(min(height / 2, 6 / np.sqrt(rng.uniform(1e-3, 1))))
        centre = (int(rng.integers(2 * width)), int(rng.integers(2 * height)))
        colour = tuple(float(each) for each in rng.uniform(0.02, 0.8, 3))
        cv2.circle(big, centre, radius, colour, -1)
    # Drawn at twice the size: a sensor integrates over its pixels.
    return cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA)


def blurred(rgb: NDArray[np.float32], coc_diameter_px: float) -> NDArray[np.float32]:
    return cv2.filter2D(rgb, -1, disc_psf(coc_diameter_px), borderType=cv2.BORDER_REFLECT)


def as_photo(rgb: NDArray[np.float32]) -> Photo:
    return Photo(np.ascontiguousarray(rgb, np.float32))


def later(moment: datetime, seconds: float) -> datetime:
    return moment + timedelta(seconds=seconds)
