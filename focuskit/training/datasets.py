"""Photos with hand-drawn masks of what is in focus: the public sets, laid out as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.check import check_range
from focuskit.errors import InputError, PhotoUnreadableError, ShapeError
from focuskit.io import read_photo
from focuskit.photo import Photo

__all__ = [
    "LAYOUTS",
    "VALIDATION_OF",
    "VALIDATION_SEED",
    "VALIDATION_SHARE",
    "Folders",
    "MaskedDataset",
    "MaskedPhoto",
    "find_dataset",
    "split",
    "validation_split",
]

VALIDATION_OF = 604
"""CUHK photos that the validation part is drawn from: of another number, it is another part."""

VALIDATION_SHARE = 57 / VALIDATION_OF
VALIDATION_SEED = 20

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}

# How sharp the white side is beside the black one, as a power of two. Of CUHK's 604 photos half
# are beyond 2 and two beyond 1 on the wrong side; both of their masks are inverted indeed.
_CLEAR_VOTE = 1.0
_LEAST_MEDIAN = 0.1
# A tenth of clear votes against the rest is no accident: a set of which a quarter is inverted has
# about a fifth, CUHK has 0.3 %.
_MIXED_SHARE = 0.1
# Gray levels of 255 that a flat side is granted, so that two flat sides come out equal.
_FLOOR = 0.05

_SLACK_PX = 2
_SLACK_SHARE = 0.01
_NAMES_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a copy of a set keeps its files; masks carry the stems of their photos in all of them.

    Attributes:
        photos: folder of the photos, relative to the one that holds both.
        masks: folder of the masks, likewise.
        in_focus_is_white: polarity of the masks as published, None where copies differ. Only what
            a message compares with: the polarity always comes from the pixels.
        begins: names of photos begin so; what else the folder holds is left out.
    """

    photos: str
    masks: str
    in_focus_is_white: bool | None = None
    begins: str = ""


_REPACKED = (Folders("images", "labels"), Folders("images", "masks"))

LAYOUTS: Mapping[str, tuple[Folders, ...]] = MappingProxyType(
    {
        # Shi, Xu and Jia, CVPR 2014. The original archives also hold 296 photos of motion blur.
        "cuhk": (
            Folders("photos", "masks", False),
            Folders("image", "gt", False, begins="out_of_focus"),
            Folders("xu100-source", "xu100-gt", True),
            *_REPACKED,
        ),
        # Zhao et al., CVPR 2018 (BTBNet) and 2019: 600 photos for training, 500 for tests.
        "dut": (
            Folders("dut500-source", "dut500-gt", True),
            Folders("DUT500S-Testing", "DUT500GT-Testing", True),
            Folders("image", "gt", True),
            *_REPACKED,
            Folders("DUT600S_Training", "DUT600GT_Training", True),
        ),
        # Tang et al., CVPR 2019 (DeFusionNET).
        "ctcug": (
            Folders("CTCUG_images", "CTCUG_gt", False),
            Folders("image", "gt", False),
            *_REPACKED,
        ),
        # Sun et al., 2020 (BD_EFPN); the photos of motion blur have a folder of their own.
        "szu-bd": (
            Folders("img/out-of-focus", "gt", False),
            Folders("image", "gt", False),
            *_REPACKED,
        ),
        # Jin et al., ICME 2023 (D-DFFNet).
        "ebd": (Folders("image", "gt", True), *_REPACKED),
    }
)
"""Layouts by name of the set; of several that fit a folder, the first counts."""


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
class MaskedDataset:
    """Photos with masks of one polarity.

    Attributes:
        items: pairs, sorted by name.
        in_focus_is_white: polarity of the masks, measured from the pixels.
        doubtful: names of photos whose masks look inverted; too few to be a matter of polarity.
        remarks: sentences that whoever uses this copy should read.
    """

    items: tuple[MaskedPhoto, ...]
    in_focus_is_white: bool
    doubtful: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def read(self, item: MaskedPhoto) -> tuple[Photo, NDArray[np.bool_]]:
        """Return the photo and its (H, W) mask, True where in focus.

        The mask is cut at half of full scale (other evaluators cut at a tenth) and keeps its own
        size: it may hold more or fewer pixels than the photo, in the same proportions.

        Raises:
            PhotoUnreadableError: one of the files is damaged.
            ShapeError: photo and mask differ in their proportions.
        """
        photo = read_photo(item.photo)
        white = _read_mask(item.mask)
        if not _fits(white.shape, (photo.height, photo.width)):
            raise ShapeError(
                f"The mask {item.mask} is {white.shape[1]}×{white.shape[0]} pixels, "
                f"its photo {photo.width}×{photo.height}: give it a mask of the same proportions."
            )
        return photo, white if self.in_focus_is_white else ~white

    def __iter__(self) -> Iterator[tuple[Photo, NDArray[np.bool_]]]:
        return (self.read(item) for item in self.items)

    def __len__(self) -> int:
        return len(self.items)


def find_dataset(layout: str, path: Path) -> MaskedDataset:
    """Find the pairs of a set and the polarity of its masks; looks at all of their pixels once.

    Args:
        layout: name in `LAYOUTS`.
        path: the folder that holds those of the photos and of the masks.

    Raises:
        InputError: no such layout, folders or photos; photos lack masks, or masks of both
            polarities are mixed (they are listed); or the pixels tell no polarity.
        PhotoUnreadableError: a file is damaged.
        ShapeError: masks have other proportions than their photos; they are listed.
    """
    folders = _folders(layout, path)
    items = _pairs(path / folders.photos, path / folders.masks, folders.begins)
    votes = _votes(items)
    in_focus_is_white = _polarity(items, votes, path / folders.masks)
    wrong = votes < -_CLEAR_VOTE if in_focus_is_white else votes > _CLEAR_VOTE
    doubtful = _chosen(items, wrong)
    remarks = []
    if folders.in_focus_is_white not in (None, in_focus_is_white):
        colours = ("white", "black") if in_focus_is_white else ("black", "white")
        remarks.append(
            f"The masks in {path / folders.masks} paint what is in focus {colours[0]}, the "
            f"published {layout} {colours[1]}: they are read as the pixels say."
        )
    if doubtful:
        remarks.append(f"Masks that look inverted, used as they are: {_listed(doubtful)}.")
    return MaskedDataset(items, in_focus_is_white, doubtful, tuple(remarks))


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


def validation_split(
    items: Sequence[MaskedPhoto],
) -> tuple[tuple[MaskedPhoto, ...], tuple[MaskedPhoto, ...]]:
    """Split CUHK's training photos into (validation, training): networks learn from the second.

    A plain random split is enough: matched keypoints, colour histograms and a look at all 604
    photos found no frame twice, mirrored or cropped, only a few pairs of one occasion.
    """
    return split(items, share=VALIDATION_SHARE, seed=VALIDATION_SEED)


def _folders(layout: str, path: Path) -> Folders:
    if layout not in LAYOUTS:
        raise InputError(f"There is no layout {layout!r}; choose one of {', '.join(LAYOUTS)}.")
    for each in LAYOUTS[layout]:
        if (path / each.photos).is_dir() and (path / each.masks).is_dir():
            return each
    known = "; ".join(f"{each.photos} and {each.masks}" for each in LAYOUTS[layout])
    raise InputError(
        f"{path} is not laid out like {layout}: it holds no folders of photos and masks called "
        f"{known}. Give the folder that holds both, or rename them."
    )


def _pairs(photos: Path, masks: Path, begins: str) -> tuple[MaskedPhoto, ...]:
    found = [file for file in _pictures(photos) if file.name.startswith(begins)]
    if not found:
        what = f" whose name begins with {begins}" if begins else ""
        raise InputError(f"There is no photo{what} in {photos}.")
    by_stem = {file.stem: file for file in _pictures(masks)}
    missing = [photo.name for photo in found if photo.stem not in by_stem]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(found)} photos have no mask of the same name in {masks}: "
            f"{_listed(missing)}. Add the masks or take these photos out."
        )
    return tuple(MaskedPhoto(photo, by_stem[photo.stem]) for photo in found)


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)


def _read_gray(path: Path, what: str) -> NDArray[np.uint8]:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        gray = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    except (OSError, cv2.error) as exc:
        raise PhotoUnreadableError(f"The {what} {path} could not be read: {exc}.") from exc
    if gray is None:
        raise PhotoUnreadableError(f"The {what} {path} is empty or damaged.")
    return np.asarray(gray, np.uint8)


def _read_mask(path: Path) -> NDArray[np.bool_]:
    return _read_gray(path, "mask") >= 128


def _fits(mask: tuple[int, ...], photo: tuple[int, ...]) -> bool:
    """Whether (height, width) agree up to the pixel that resizing and cropping cost."""
    wanted = photo[1] * mask[0] / photo[0]
    return abs(mask[1] - wanted) <= max(_SLACK_PX, _SLACK_SHARE * wanted)


def _votes(items: Sequence[MaskedPhoto]) -> NDArray[np.float64]:
    """Return how much sharper each photo's white side is than its black one."""
    votes, misfits = [], []
    for item in items:
        gray, white = _read_gray(item.photo, "photo"), _read_mask(item.mask)
        if _fits(white.shape, gray.shape):
            votes.append(_vote(gray, white))
        else:
            sizes = [f"{shape[1]}×{shape[0]}" for shape in (white.shape, gray.shape)]
            misfits.append(f"{item.mask.name} ({sizes[0]} for {sizes[1]})")
    if misfits:
        raise ShapeError(
            f"{len(misfits)} of {len(items)} masks have other proportions than their photos: "
            f"{_listed(misfits)}. Give each photo its own mask, not squashed or turned."
        )
    return np.array(votes)


def _vote(gray: NDArray[np.uint8], white: NDArray[np.bool_]) -> float:
    # Second derivatives tell sharp from blurred: first ones are ruled by contrast, and vote wrong
    # on 28 of CUHK's photos instead of 4.
    detail = cv2.convertScaleAbs(cv2.Laplacian(gray, cv2.CV_16S))
    size = (gray.shape[1], gray.shape[0])
    side = np.asarray(cv2.resize(white.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST))
    if side.all() or not side.any():
        return float("nan")
    sides = cv2.mean(detail, side)[0], cv2.mean(detail, 1 - side)[0]
    return float(np.log2((sides[0] + _FLOOR) / (sides[1] + _FLOOR)))


def _polarity(items: Sequence[MaskedPhoto], votes: NDArray[np.float64], folder: Path) -> bool:
    white, black = votes > _CLEAR_VOTE, votes < -_CLEAR_VOTE
    fewer = white if white.sum() < black.sum() else black
    voters = votes[~np.isnan(votes)]
    if fewer.sum() > _MIXED_SHARE * len(voters):
        raise InputError(
            f"The masks in {folder} mix both polarities: the white side is clearly the sharper "
            f"one in {white.sum()} photos, the black side in {black.sum()}. Invert these masks or "
            f"take them out: {_listed(_chosen(items, fewer))}."
        )
    middle = float(np.median(voters)) if len(voters) else 0.0
    if abs(middle) < _LEAST_MEDIAN:
        raise InputError(
            f"The masks in {folder} do not tell which colour is in focus: both look equally sharp, "
            "or each mask holds one colour only. Check that masks and photos belong together."
        )
    return middle > 0


def _chosen(items: Sequence[MaskedPhoto], which: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(item.name for item, chosen in zip(items, which, strict=True) if chosen)


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
