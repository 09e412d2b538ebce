"""Photos with hand-drawn masks of what is in focus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_range
from focuskit.color import encoded_gray
from focuskit.errors import InputError, PhotoUnreadableError, ShapeError
from focuskit.io import read_photo
from focuskit.photo import Photo

__all__ = ["CuhkDataset", "MaskedPhoto", "find_cuhk", "split"]

_PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
_POLARITY_SAMPLE = 24


@dataclass(frozen=True, slots=True)
class MaskedPhoto:
    """Where a photo and its mask are."""

    photo: Path
    mask: Path

    @property
    def name(self) -> str:
        """The stem that both share."""
        return self.photo.stem


@dataclass(frozen=True, slots=True)
class CuhkDataset:
    """A set in the layout of CUHK (Shi, Xu and Jia, CVPR 2014): `photos/` and `masks/`, by stem.

    Attributes:
        items: pairs, sorted by name.
        in_focus_is_white: polarity of the masks: the original set paints blur white, re-packed
            copies the opposite; measured from the pixels.
    """

    items: tuple[MaskedPhoto, ...]
    in_focus_is_white: bool

    def read(self, item: MaskedPhoto) -> tuple[Photo, NDArray[np.bool_]]:
        """Return the photo and its (H, W) mask, True where in focus.

        Raises:
            PhotoUnreadableError: one of the files is damaged.
            ShapeError: photo and mask differ in size.
        """
        photo = read_photo(item.photo)
        white = _read_mask(item.mask)
        if white.shape != (photo.height, photo.width):
            raise ShapeError(
                f"The mask {item.mask} is {white.shape[1]}×{white.shape[0]} pixels, "
                f"its photo {photo.width}×{photo.height}."
            )
        return photo, white if self.in_focus_is_white else ~white

    def __iter__(self) -> Iterator[tuple[Photo, NDArray[np.bool_]]]:
        return (self.read(item) for item in self.items)

    def __len__(self) -> int:
        return len(self.items)


def find_cuhk(path: Path) -> CuhkDataset:
    """Find the pairs under `path` and the polarity of their masks.

    Raises:
        InputError: a folder is missing or empty, photos lack masks (they are listed), or the pixels
            do not tell which colour of the masks is in focus.
    """
    for folder in (path / "photos", path / "masks"):
        if not folder.is_dir():
            raise InputError(f"{path} is not laid out like CUHK: {folder} is not a folder.")
    masks = {file.stem: file for file in sorted((path / "masks").iterdir())}
    photos = sorted(
        file for file in (path / "photos").iterdir() if file.suffix.lower() in _PHOTO_SUFFIXES
    )
    if not photos:
        raise InputError(f"There is no photo in {path / 'photos'}.")
    missing = [photo.name for photo in photos if photo.stem not in masks]
    if missing:
        raise InputError(f"{len(missing)} photos have no mask: {', '.join(missing[:20])}.")
    items = tuple(MaskedPhoto(photo, masks[photo.stem]) for photo in photos)
    return CuhkDataset(items, _in_focus_is_white(items))


def split(
    items: Sequence[MaskedPhoto], *, share: float, seed: int = 0
) -> tuple[tuple[MaskedPhoto, ...], tuple[MaskedPhoto, ...]]:
    """Split at random, the same way for the same seed; the first part holds `share` of the items.

    Raises:
        RangeError: `share` is not within [0, 1].
    """
    check_range("share", share, low=0, high=1)
    order = np.random.default_rng(seed).permutation(len(items))
    cut = round(share * len(items))
    first, second = sorted(order[:cut].tolist()), sorted(order[cut:].tolist())
    return tuple(items[i] for i in first), tuple(items[i] for i in second)


def _read_mask(path: Path) -> NDArray[np.bool_]:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        mask = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    except (OSError, cv2.error) as exc:
        raise PhotoUnreadableError(f"The mask {path} could not be read: {exc}.") from exc
    if mask is None:
        raise PhotoUnreadableError(f"The mask {path} is empty or damaged.")
    return np.asarray(mask) >= 128


def _in_focus_is_white(items: Sequence[MaskedPhoto]) -> bool:
    """Sharp pixels have the larger gradients: compare both colours over a sample of the set."""
    step = max(1, len(items) // _POLARITY_SAMPLE)
    votes = [_white_minus_black(item) for item in items[::step]]
    balance = sum(votes)
    if balance == 0:
        raise InputError("The masks do not tell which colour is in focus: both look equally sharp.")
    return balance > 0


def _white_minus_black(item: MaskedPhoto) -> int:
    white = _read_mask(item.mask)
    gray = encoded_gray(read_photo(item.photo))
    if gray.shape != white.shape or white.all() or not white.any():
        return 0
    slope = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    return int(np.sign(slope[white].mean() - slope[~white].mean()))
