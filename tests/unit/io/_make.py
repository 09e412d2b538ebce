"""Small photo files for the tests of focuskit.io."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="no real photos beside the checkout (../shared/data)"
)


def real_files(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (DATA / folder).rglob("*") if path.is_file())
    return sorted(path for path in found if path.name != "README")


def picture(height: int = 24, width: int = 40) -> NDArray[np.uint8]:
    """Smooth, and different in every corner, (H, W, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    planes = (x * 255 // width, y * 255 // height, (x + y) * 200 // (width + height))
    return np.stack(planes, axis=-1).astype(np.uint8)


def exif_block(orientation: int = 1, **details: object) -> bytes:
    """An EXIF block with "Exif" in front, as Pillow wants it."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Canon", "Canon EOS R5", orientation
    sub = exif.get_ifd(0x8769)
    sub[0x829D], sub[0x920A], sub[0x829A] = 2.8, 85.0, 0.004
    sub[0x8827], sub[0xA431], sub[0xA434] = 400, "012345", "RF 85mm F1.2"
    sub[0x9003], sub[0x9291], sub[0x9011] = "2026:05:17 10:30:00", "123", "+02:00"
    for tag, value in details.items():
        sub[int(tag.removeprefix("t"), 16)] = value
    return exif.tobytes()


def save(path: Path, pixels: NDArray[np.uint8] | Image.Image, **options: object) -> Path:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path
