"""Scenes and places that tests share."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from focuskit.color import encode_srgb
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


def write_jpeg(
    path: Path,
    rgb: NDArray[np.float32],
    *,
    taken_at: datetime | None = None,
    serial: str = "42",
    exposure_s: float = 0.01,
    noise: float = 0.004,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = encode_srgb(np.minimum(rgb, np.float32(1)))
    encoded = encoded + np.random.default_rng(1).normal(0, noise, encoded.shape)
    pixels = np.rint(np.clip(encoded, 0, 1) * 255).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model"
    details = exif.get_ifd(0x8769)
    details[0x829A], details[0x829D], details[0x8827] = exposure_s, 4.0, 100
    details[0xA431] = serial
    if taken_at is not None:
        details[0x9003] = taken_at.strftime("%Y:%m:%d %H:%M:%S")
        details[0x9291] = f"{taken_at.microsecond // 1000:03d}"
    Image.fromarray(pixels).save(path, quality=92, exif=exif)
    return path


def invert_mask(path: Path) -> None:
    """Write a mask anew with its two colours exchanged."""
    assert cv2.imwrite(str(path), 255 - np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)))
