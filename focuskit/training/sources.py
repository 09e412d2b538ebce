"""Where training data come from: the folders, the parts held back, and what is rendered from them.

Rendered examples are made once and kept in a cache folder, in files that a broken-off run
continues.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import InputError, OutputError
from focuskit.training.datasets import MaskedPhoto, find_dataset, validation_split
from focuskit.training.example import Example
from focuskit.training.pairs import read_pairs
from focuskit.training.scenes import SceneMaker, sharp_textures
from focuskit.training.sweeps import read_sweeps
from focuskit.training.whole import WholeKind, whole_frame

__all__ = ["HELD_OUT_SCENES", "RENDERED", "SPARED", "Sources", "read_examples", "read_sources"]

HELD_OUT_SCENES = frozenset(
    {"aymaz_05", "aymaz_14", "aymaz_23", "mffw_03", "mffw_09", "stand_08", "temple", "flowerLady"}
)
"""Pairs and sweeps kept from training."""

SPARED = {
    "out_of_focus0509": "its mask is inverted",
    "out_of_focus0097": "taken a moment from a photo that is held back",
}
"""Photos that nothing is learned from, and why."""

RENDERED = ("scenes", "whole")
"""Kinds of examples that are rendered."""

_SCENES, _WHOLE = 1600, 800
_CHUNK = 40
_HELD_OUT_PLAIN = 10
_BORDER_PX = 4
_NO_ARCHIVE = (EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)
_SCENE_SIZE = (400, 400)
_WHOLE_KINDS: tuple[WholeKind, ...] = ("misfocused", "motion", "sharp", "textureless")
_WHOLE_SHARES = (0.5, 0.15, 0.25, 0.1)


@dataclass(frozen=True, slots=True)
class _Part:
    """What is rendered for training or for validation.

    Attributes:
        name: of its folder in the cache.
        prefix: of its files there.
        share: of the number of examples that training gets.
        streams: added to the numbers of the random streams, of which no two parts may share one.
    """

    name: str
    prefix: str
    share: float
    streams: int


_TRAINING = _Part("training", "", 1.0, 0)
_VALIDATION = _Part("validation", "held-", 0.12, 10)


@dataclass(frozen=True, slots=True, eq=False)
class _Sharp:
    """A photo, where it is sharp, and its name; `everywhere` for those without a mask."""

    rgb: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    name: str
    everywhere: bool = False

    def example(self) -> Example:
        """Return a photo that is sharp everywhere as an example."""
        ones = np.ones(self.rgb.shape[:2], np.float32)
        return Example(self.rgb, ones, ones, np.full_like(ones, np.nan), "sharp", self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Examples by kind, apart for training and for validation, and the hash of the data."""

    training: dict[str, list[Example]]
    validation: dict[str, list[Example]]
    data_hash: str


def read_sources(
    data: Path,
    cache: Path,
    *,
    seed: int,
    say: Callable[[str], None],
    kinds: Collection[str] = RENDERED,
) -> Sources:
    """Read what is below `data`, and render what is asked for into `cache`.

    Besides what has truth, training gets "sharp": photos that are in focus everywhere.

    Args:
        data: folder with cuhk-dbd, multifocus, focal-sweeps and sharp.
        cache: folder for rendered examples; made if missing.
        seed: of what is rendered.
        say: told what happens.
        kinds: what is wanted; of these only "scenes" and "whole", which take time and memory, are
            left out where they are not.

    Raises:
        InputError: a folder is missing or not what it should be.
        OutputError: the cache cannot be written to.
    """
    dataset = find_dataset("cuhk", data / "cuhk-dbd")
    held, taught = validation_split(dataset.items)
    say(f"Reading {len(taught)} photos for training, {len(held)} for validation.")
    taught = tuple(item for item in taught if item.name not in SPARED)
    white = dataset.in_focus_is_white
    cuhk, cuhk_held = (read_examples(items, in_focus_is_white=white) for items in (taught, held))
    frames = [("pairs", e) for e in read_pairs(data / "multifocus")]
    frames += [("sweeps", e) for e in read_sweeps(data / "focal-sweeps")]
    training: dict[str, list[Example]] = {"cuhk": cuhk, "pairs": [], "sweeps": []}
    validation: dict[str, list[Example]] = {"cuhk": cuhk_held, "pairs": [], "sweeps": []}
    for kind, example in frames:
        pools = validation if example.scene in HELD_OUT_SCENES else training
        pools[kind].append(example)
    plain = _read_plain(data / "sharp")
    training["sharp"] = [photo.example() for photo in plain[_HELD_OUT_PLAIN:]]
    stamp = _hash(data)
    # Plain photos go to one side only: textures must not be shared either.
    for part, target, own in (
        (_TRAINING, training, plain[_HELD_OUT_PLAIN:]),
        (_VALIDATION, validation, plain[:_HELD_OUT_PLAIN]),
    ):
        folder = cache / f"{stamp[:12]}-{seed}-{part.name}"
        wanted = [kind for kind in RENDERED if kind in kinds]
        target |= _rendered(wanted, part, folder, target["cuhk"], own, seed, say)
    return Sources(training, validation, stamp)


def read_examples(items: Iterable[MaskedPhoto], *, in_focus_is_white: bool) -> list[Example]:
    """Read photos with masks as examples without CoC.

    Raises:
        InputError: a photo or a mask is damaged, or they differ in size.
    """
    examples = []
    for item in items:
        rgb = _read_rgb(item.photo)
        gray = cv2.imread(str(item.mask), cv2.IMREAD_GRAYSCALE)
        if gray is None or gray.shape != rgb.shape[:2]:
            raise InputError(f"The mask {item.mask} is damaged or not of its photo's size.")
        in_focus = ((gray >= 128) == in_focus_is_white).astype(np.float32)
        unknown = np.full_like(in_focus, np.nan)
        examples.append(Example(rgb, in_focus, np.ones_like(in_focus), unknown, "cuhk", item.name))
    return examples


def _read_plain(folder: Path) -> list[_Sharp]:
    if not folder.is_dir():
        raise InputError(f"{folder} is missing: photos to take sharp textures from belong there.")
    # Scans end in a dark line, which is sharp in every photo.
    crop = slice(_BORDER_PX, -_BORDER_PX)
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".jpg")
    if len(photos) <= _HELD_OUT_PLAIN:
        raise InputError(
            f"{folder} holds {len(photos)} photos (.jpg); more than {_HELD_OUT_PLAIN} are needed, "
            "which are held back."
        )
    pictures = (np.ascontiguousarray(_read_rgb(path)[crop, crop]) for path in photos)
    return [
        _Sharp(rgb, np.ones(rgb.shape[:2], np.bool_), path.stem, everywhere=True)
        for path, rgb in zip(photos, pictures, strict=True)
    ]


def _read_rgb(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise InputError(f"The photo {path} is missing or damaged.")
    return np.asarray(picture, np.uint8)


def _rendered(
    kinds: Sequence[str],
    part: _Part,
    cache: Path,
    photos: Sequence[Example],
    plain: Sequence[_Sharp],
    seed: int,
    say: Callable[[str], None],
) -> dict[str, list[Example]]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{cache} cannot be made ({exc.strerror}); choose another.") from exc
    jobs = [
        (kind, number, cache / f"{part.prefix}{kind}-{number:03}.npz")
        for kind in kinds
        for number in range(max(1, round(part.share * _counts()[kind] / _CHUNK)))
    ]
    missing = [job for job in jobs if not job[2].exists()]
    if missing:
        say(f"Rendering {len(missing) * _CHUNK} examples into {cache}.")
        rng = np.random.default_rng([seed, part.streams + 1])
        masked = [_Sharp(e.rgb, e.in_focus > 0.5, e.scene) for e in photos]
        all_of_them = [*masked, *plain]
        textures = sharp_textures(
            [(photo.rgb, None if photo.everywhere else photo.mask) for photo in all_of_them], rng
        )
        sharp = [photo for photo in all_of_them if photo.everywhere or photo.mask.mean() > 0.3]
        for kind, number, path in missing:
            if path.exists():
                continue  # made meanwhile by another run
            stream = part.streams + (2 if kind == "scenes" else 3)
            _render_chunk(
                kind, textures, sharp, np.random.default_rng([seed, stream, number]), path
            )
    found: dict[str, list[Example]] = {kind: [] for kind in kinds}
    for kind, _, path in jobs:
        found[kind] += _load(path)
    return found


def _counts() -> dict[str, int]:
    return {"scenes": _SCENES, "whole": _WHOLE}


def _render_chunk(
    kind: str,
    textures: Sequence[NDArray[np.uint8]],
    sharp: Sequence[_Sharp],
    rng: np.random.Generator,
    path: Path,
) -> None:
    if kind == "scenes":
        maker = SceneMaker(textures)
        made = [maker.make(rng, size=_SCENE_SIZE) for _ in range(_CHUNK)]
    else:
        made = [_whole(rng, sharp) for _ in range(_CHUNK)]
    _store(path, made)


def _whole(rng: np.random.Generator, sharp: Sequence[_Sharp]) -> Example:
    kind = _WHOLE_KINDS[int(rng.choice(len(_WHOLE_KINDS), p=_WHOLE_SHARES))]
    # Only the plain photos, which come last, are sharp everywhere.
    first = sum(not photo.everywhere for photo in sharp) if kind == "sharp" else 0
    photo = sharp[int(rng.integers(first, len(sharp)))]
    return whole_frame(photo.rgb, rng, kind=kind, sharp_mask=photo.mask, scene=photo.name)


def _store(path: Path, examples: Sequence[Example]) -> None:
    arrays: dict[str, NDArray[np.generic]] = {}
    for index, example in enumerate(examples):
        arrays[f"rgb{index}"] = example.rgb
        arrays[f"in_focus{index}"] = (255 * example.in_focus).astype(np.uint8)
        arrays[f"weight{index}"] = (255 * example.weight).astype(np.uint8)
        arrays[f"coc{index}"] = example.coc_diameter_px.astype(np.float16)
        arrays[f"name{index}"] = np.array([example.source, example.scene])
    # Another run may be making the same file.
    temporary = path.with_suffix(f".{os.getpid()}.part.npz")
    try:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
        temporary.replace(path)
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written ({exc.strerror}).") from exc


def _load(path: Path) -> list[Example]:
    try:
        with path.open("rb") as file, np.load(file) as stored:
            return [
                Example(
                    stored[f"rgb{index}"],
                    stored[f"in_focus{index}"].astype(np.float32) / 255,
                    stored[f"weight{index}"].astype(np.float32) / 255,
                    stored[f"coc{index}"].astype(np.float32),
                    *(str(text) for text in stored[f"name{index}"]),
                )
                for index in range(len(stored.files) // 5)
            ]
    except _NO_ARCHIVE as exc:
        raise InputError(f"{path} is damaged ({exc}); remove it, and it is made again.") from exc


def _hash(data: Path) -> str:
    """Hash names and contents of all photos and masks that are read."""
    digest = hashlib.sha256()
    for folder in ("cuhk-dbd", "multifocus", "focal-sweeps", "sharp"):
        for path in sorted((data / folder).rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(data)).encode("utf-8", "surrogatepass"))
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
