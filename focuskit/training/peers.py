"""What people do without this program: nothing, a Gaussian through a mask, GEGL's lens blur."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from focuskit.color import encode_srgb, linearise_srgb
from focuskit.errors import InputError

__all__ = ["gaussian_levels", "gaussian_through_mask", "gegl_lens_blur", "has_gegl", "typical_coc"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]

# The standard deviation of a disc along an axis is a quarter of its diameter.
_SIGMAS_PER_COC = 0.25
_LEAST_COC_PX = 1.0
_LEVEL_RATIO = 1.3
# GEGL's disc of radius r reaches half a pixel further than r.
_GEGL_RIM_PX = 0.5
_GEGL_TIMEOUT_S = 600


def typical_coc(added_px: Map) -> float:
    """Return the median circle of confusion of what is to be blurred, 0 where nothing is."""
    size = np.abs(added_px)
    blurred = size[size >= _LEAST_COC_PX]
    return float(np.median(blurred)) if blurred.size else 0.0


def gaussian_through_mask(light: Image, sharp: Map, coc_px: float) -> Image:
    """Return the whole frame blurred alike, with what is in focus laid over it.

    Args:
        light: (H, W, 3) linear light, which is kinder to this peer than the encoded values that
            editors mostly blur.
        sharp: (H, W) in [0, 1], 1 where the photo shall stay.
        coc_px: as wide as which disc the Gaussian is.
    """
    soft = _gaussian(light, coc_px)
    return np.asarray(soft + sharp[..., None] * (light - soft), np.float32)


def gaussian_levels(light: Image, coc_px: Map) -> Image:
    """Return each pixel as a Gaussian as wide as its own disc leaves it: no depth, no outlines."""
    size = np.abs(coc_px).astype(np.float64)
    most = float(size.max())
    if most < _LEAST_COC_PX:
        return light
    steps = max(1, int(np.ceil(np.log(most / _LEAST_COC_PX) / np.log(_LEVEL_RATIO))))
    levels = np.concatenate([[0.0], np.geomspace(_LEAST_COC_PX, most, steps + 1)])
    place = np.interp(size**2, levels**2, np.arange(levels.size))
    result = np.zeros_like(light)
    for index, level in enumerate(levels.tolist()):
        share = np.clip(1 - np.abs(place - index), 0, 1).astype(np.float32)
        if share.any():
            result += share[..., None] * _gaussian(light, level)
    return result


def has_gegl() -> bool:
    """Whether the program `gegl` is there (Debian and Ubuntu: the package gegl)."""
    return shutil.which("gegl") is not None


def gegl_lens_blur(light: Image, coc_px: Map) -> Image:
    """Return what `gegl:lens-blur` makes of it, with the same circles of confusion.

    Its aux input scales the radius pixel by pixel, in proportion with `linear-mask=false` where the
    file is of floating point; both pictures go there and back as float TIFF, encoded sRGB, which
    GEGL takes float TIFF for and makes linear before it blurs.

    Raises:
        InputError: GEGL is absent, or fails.
    """
    program = shutil.which("gegl")
    if program is None:
        raise InputError("The program gegl is not here: install the package gegl to compare.")
    radius = np.maximum(np.abs(coc_px) / 2 - _GEGL_RIM_PX, 0)
    # Less than a pixel would be drawn as a whole one.
    radius = np.where(np.abs(coc_px) < _LEAST_COC_PX, 0, radius)
    most = max(float(radius.max()), 1e-3)
    with tempfile.TemporaryDirectory(prefix="focuskit-gegl-") as name:
        folder = Path(name)
        tifffile.imwrite(folder / "in.tif", encode_srgb(light), photometric="rgb")
        tifffile.imwrite(folder / "coc.tif", (radius / most).astype(np.float32))
        command = [program, "in.tif", "-o", "out.tif", "--", "gegl:lens-blur", f"radius={most:.6f}"]
        command += ["linear-mask=false", "aux=[", "gegl:load", "path=coc.tif", "]"]
        # A home of its own: it would write a cache and settings into the user's.
        told = os.environ | {"HOME": name, "XDG_DATA_HOME": name, "XDG_CACHE_HOME": name}
        done = subprocess.run(  # the program is the user's own, the arguments are ours
            command,
            cwd=folder,
            env=told,
            capture_output=True,
            text=True,
            timeout=_GEGL_TIMEOUT_S,
            check=False,
        )
        if done.returncode or not (folder / "out.tif").is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InputError(f"gegl failed ({last}); gegl:lens-blur comes with GEGL 0.4.24.")
        seen = tifffile.imread(folder / "out.tif")
    return linearise_srgb(np.ascontiguousarray(seen[..., :3], np.float32))


def _gaussian(light: Image, coc_px: float) -> Image:
    if coc_px < _LEAST_COC_PX:
        return light
    sigma = coc_px * _SIGMAS_PER_COC
    return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)
