"""One picture as every kind of image that GIMP has, and its values as a person sees them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from focuskit.color import Encoding, encode_srgb, encoding_of
from focuskit.io.icc import build_profile, parse_profile
from focuskit.io.samples import encode_samples
from tests.gimp.conftest import REPOSITORY, Answer, focuskit, pixels

STEP = 1 / 255 + 1e-6
"""How far pixels may lie from the command line's, as a share of white."""

KINDS: dict[str, list[list[Any]]] = {
    "rgb8.png": [],
    "rgb16.tif": [],
    "float.tif": [],
    "alpha.png": [],
    "adobe.png": [],
    "adobe16.tif": [],
    "gray.png": [],
    "half.png": [["precision", "HALF_LINEAR"]],
    "double.png": [["precision", "DOUBLE_NON_LINEAR"]],
    "u32.png": [["precision", "U32_LINEAR"]],
}
"""Files, and what is done to the images in GIMP before."""


def blurred_beside_sharp() -> Image.Image:
    """Return 128×96 pixels: left of 80 a photo out of focus, right of it a sharp one."""
    with Image.open(REPOSITORY / "samples" / "IMG_0021.jpg") as missed:
        picture = Image.fromarray(np.asarray(missed)).crop((100, 100, 228, 196))
    with Image.open(REPOSITORY / "samples" / "IMG_0020.jpg") as sharp:
        sharp.thumbnail((230, 230))
        picture.paste(sharp.crop((60, 20, 108, 116)), (80, 0))
    return picture


def save_kinds(picture: Image.Image, folder: Path) -> Path:
    """Save a picture as each of KINDS, and as indexed.png, in a new folder; return that."""
    folder.mkdir()
    rgb = np.asarray(picture)
    share = rgb.astype(np.float32) / 255
    adobe = build_profile("adobe-rgb")
    opaque = np.full(rgb.shape[:2], 255, np.uint8)
    Image.fromarray(np.dstack([rgb, opaque])).save(folder / "alpha.png")
    for name in ("rgb8.png", "half.png", "double.png", "u32.png"):
        picture.save(folder / name)
    picture.save(folder / "adobe.png", icc_profile=adobe)
    # Without the photo's profile, which is for colours.
    Image.fromarray(np.asarray(picture.convert("L"))).save(folder / "gray.png")
    picture.quantize(64).save(folder / "indexed.png")
    deep = np.rint(share * 65535).astype(np.uint16)
    tifffile.imwrite(folder / "rgb16.tif", deep, photometric="rgb")
    tifffile.imwrite(folder / "adobe16.tif", deep, photometric="rgb", iccprofile=adobe)
    linear = build_profile("srgb", linear=True)
    light = share**2.2 * np.float32(1.3)
    tifffile.imwrite(folder / "float.tif", light, photometric="rgb", iccprofile=linear)
    return folder


def save_given(photos: Path, answers: Mapping[str, Answer], folder: Path) -> None:
    """Save what the procedures were given, by kind, for the command line."""
    folder.mkdir()
    for kind, answer in answers.items():
        before = KINDS.get(kind)
        if before and "LINEAR" in before[0][1] and "NON" not in before[0][1]:
            # Rounding to other samples moves outlines by a pixel here and there.
            samples = pixels(answer["before"]).astype(np.float32)
            file, profile = folder / f"{Path(kind).stem}.tif", build_profile("srgb", linear=True)
            tifffile.imwrite(file, samples, photometric="rgb", iccprofile=profile)
        else:
            shutil.copy(photos / kind, folder)


def command(edit: str, given: Path, made: Path, *words: str) -> None:
    """Let the command line edit a folder's photos, or one, to floating-point TIFF."""
    done = focuskit(edit, given, "-o", made, "--as", "tif", "--bits", "32", *words)
    assert done.returncode == 0, done.stderr


def commands_values(made: Path, edit: str, kind: str) -> NDArray[np.float64]:
    """Return the command line's (H, W, 3) along the curve of the image's own space."""
    with tifffile.TiffFile(made / f"{Path(kind).stem}-{edit}.tif") as file:
        page = file.pages[0]
        linear = np.asarray(page.asarray(), np.float32)
        profile = parse_profile(page.tags[34675].value, "its profile")
    assert profile.primaries == ("adobe-rgb" if kind.startswith("adobe") else "srgb")
    space: Encoding = encoding_of(profile.primaries)
    values = encode_samples(np.ascontiguousarray(linear), space, "f32").astype(np.float64)
    if kind == "gray.png":
        values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
    return values


def perceptual(dump: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return a layer's colours along the curve of its space, without alpha, grey as three."""
    samples = pixels(dump)
    model = dump["format"].split(" ")[0]
    channels = 1 if model.startswith("Y") else 3
    colours = samples[..., :channels].repeat(4 - channels if channels == 1 else 1, axis=2)
    if "'" in model or "~" in model:
        return colours
    return encode_srgb(np.maximum(colours, 0).astype(np.float32)).astype(np.float64)


def differences(made: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (H, W), of each pixel the largest difference of a channel, up to white."""
    # Layers of whole numbers end at white; floating-point ones go on.
    found = np.abs(np.minimum(made, 1) - np.minimum(expected, 1)).max(axis=2)
    return np.asarray(found, np.float64)
