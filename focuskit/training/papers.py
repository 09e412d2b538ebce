"""Photos and their masks as textures for rendered scenes, read one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import InputError
from focuskit.io import read_photo
from focuskit.training.camera import develop
from focuskit.training.datasets import MaskedDataset, MaskedPhoto
from focuskit.training.textures import sharp_textures
from focuskit.training.trials import fitted

__all__ = ["Paper", "find_masks", "papers_to_textures", "read_paper"]

Image = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_MASK_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
# A pixel of a shrunk mask belongs to a side if so much of it does.
_MOSTLY = 0.9
# As in `datasets`: how clearly one side must be the sharper one, as a power of two.
_LEAST_MEDIAN = 0.1
_FLOOR = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Paper:
    """A photo to cut textures out of.

    Attributes:
        rgb: (H, W, 3) uint8 encoded sRGB, at most `trials.LONG_EDGE` px long.
        white: (H, W) float32 in [0, 1], how white its mask is; None without a mask.
    """

    rgb: Pixels
    white: Image | None


def find_masks(folder: Path) -> dict[str, Path]:
    """Return the masks in a folder by stem.

    Raises:
        InputError: it is no folder, or holds no picture.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give --masks the one that holds the masks.")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _MASK_SUFFIXES)
    if not files:
        raise InputError(f"There is no mask in {folder}; give --masks the folder that holds them.")
    return {file.stem: file for file in files}


def read_paper(path: Path, masks: Mapping[str, Path] | None = None) -> Paper:
    """Read a photo, and the mask that carries its stem.

    Raises:
        InputError: one of them cannot be read, the photo has no mask, or one of other proportions.
    """
    if masks is None:
        light = fitted(read_photo(path))
        return Paper(_encoded(light), None)
    if path.stem not in masks:
        raise InputError("The photo has no mask of the same name; add one, or leave out --masks.")
    item = MaskedPhoto(path, masks[path.stem])
    # Whether white means in focus is not known yet.
    photo, white = MaskedDataset((item,), in_focus_is_white=True).read(item)
    light = fitted(photo)
    size = (light.shape[1], light.shape[0])
    share = cv2.resize(white.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return Paper(_encoded(light), np.asarray(share, np.float32).reshape(size[::-1]))


def papers_to_textures(papers: Sequence[Paper], rng: np.random.Generator) -> list[Pixels]:
    """Return crisp pieces of photos; which colour of the masks is in focus is told by the pixels.

    Raises:
        InputError: there is no such piece, or the pixels do not tell.
    """
    masked = [paper for paper in papers if paper.white is not None]
    is_white = _sharp_is_white(masked) if masked else True
    pairs = [(paper.rgb, _in_focus(paper, is_white)) for paper in papers]
    textures = sharp_textures(pairs, rng)
    if not textures:
        raise InputError(
            f"No crisp piece of at least 96×96 px was found in {len(papers)} photos; give photos "
            "that are sharp over larger parts."
        )
    return textures


def _encoded(light: Image) -> Pixels:
    # Without any chance at this strength.
    return develop(light, np.random.default_rng(0), strength=0)


def _in_focus(paper: Paper, is_white: bool) -> NDArray[np.bool_] | None:
    if paper.white is None:
        return None
    return paper.white > _MOSTLY if is_white else paper.white < 1 - _MOSTLY


def _sharp_is_white(papers: Sequence[Paper]) -> bool:
    votes = [vote for paper in papers if (vote := _vote(paper)) is not None]
    middle = float(np.median(votes)) if votes else 0.0
    if abs(middle) < _LEAST_MEDIAN:
        raise InputError(
            "The masks do not tell which colour is in focus: both look equally sharp, or each mask "
            "holds one colour only. Check that masks and photos belong together."
        )
    return middle > 0


def _vote(paper: Paper) -> float | None:
    """Return how much sharper the white side is than the black one, None without both."""
    gray = cv2.cvtColor(paper.rgb, cv2.COLOR_RGB2GRAY)
    detail = np.abs(cv2.Laplacian(gray, cv2.CV_32F))
    sides = [_in_focus(paper, is_white) for is_white in (True, False)]
    means = [float(detail[side].mean()) for side in sides if side is not None and side.any()]
    if len(means) < 2:
        return None
    return float(np.log2((means[0] + _FLOOR) / (means[1] + _FLOOR)))
