"""Pairs of photos of one scene, focused near and far: masks that nobody drew.

What is sharper in A than in B was in focus in A, and the other way round; both pictures are
labelled from one comparison. Blurring A by a known Gaussian tells what counts as clearly sharper:
if A has more gradient left *after* that than B ever had, B is blurrier by more than the Gaussian,
whatever the texture looks like. The rest is left undecided: flat areas, what is sharp or blurred in
both, and bands along the boundary, where blurred foreground spills over its surroundings and
frames of different magnification do not fit.
"""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import FocuskitError, InputError, PhotoUnreadableError, ShapeError
from focuskit.optics.edges import gradient_energies
from focuskit.optics.noise import measure_noise
from focuskit.training.example import Example

__all__ = [
    "EXCLUDED_PAIRS",
    "FILLED_WEIGHT",
    "MIN_FINE_RATIO",
    "compare",
    "develop",
    "gray_of",
    "read_pairs",
    "settle",
]

_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())

EXCLUDED_PAIRS: dict[str, str] = {
    "mffw_08": "near and far differ by hardly more than the shake of the hand",
    "newspaper": "A and B do not fit by two or three pixels and were sharpened after scanning",
}
"""Scenes of MFIFB whose truth was looked at and found wrong, with the reason."""

FILLED_WEIGHT = 0.5
"""Trust in smooth surfaces that took the label of what encloses them."""

MIN_FINE_RATIO = np.float32(1.65)
"""What blurring with sigma 1 must take from the |gradient|^2 of anything that is called in focus.

A step between two pixels loses a factor 1.84, crowded detail more. With this limit nine of ten
edges in what MFIFB's pairs have in focus read below sigma 0.45 px, a CoC of 1.5 px.
"""

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

# The same boats and the same clock: no split may part them.
_SCENES = {"aymaz_20": "aymaz_07", "stand_04": "stand_03"}
# Registration left black or stretched bands along the borders of some pairs; others carry the
# sharp name of a web site in a corner of only one picture.
_BORDER_PX = 4
_WIDE_BORDERS_PX = {
    "mffw_09": 16,
    "mffw_10": 26,
    "mffw_13": 12,
    "stand_01": 24,
    "stand_02": 10,
    "stand_03": 8,
    "stand_04": 8,
}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
_SMALL_SIDE = 128
_MIN_DECIDED = 0.01
# Near and far windows, in pixels: next to the blurred edge of an object the near one sees only
# what spilled over and takes it for detail, the far one sees the edge itself. Both must agree.
_WINDOWS = (2.0, 5.0)
_MARGIN = np.float32(1.15)
_MIN_GRADIENT = 0.006
_TEXTURE_PX = 5
_MIN_SNR = 4.0
# The opposite of MIN_FINE_RATIO: what loses more than this is not called blurred.
_MAX_FINE_RATIO = np.float32(2.2)
_SPECK_SHARE = 4e-4
_BAND_PX = 3
_FILL_PX = 8


def read_pairs(path: Path) -> list[Example]:
    """Read every usable pair under `path`: two examples each, A first.

    The layout is that of MFIFB: NAME/NAME_A.*, NAME/NAME_B.*. Pairs that cannot be used are
    left out; the log says which and why.

    Raises:
        InputError: `path` is not a folder, or holds no usable pair.
    """
    if not path.is_dir():
        raise InputError(f"{path} is not a folder: expected NAME/NAME_A.* and NAME/NAME_B.* in it.")
    examples: list[Example] = []
    for folder in sorted(each for each in path.iterdir() if each.is_dir()):
        try:
            if folder.name in EXCLUDED_PAIRS:
                raise InputError(EXCLUDED_PAIRS[folder.name])
            examples += _read_pair(folder)
        except FocuskitError as exc:
            _LOG.warning("The pair %s is left out: %s", folder.name, exc)
    if not examples:
        raise InputError(f"There is no usable pair NAME/NAME_A.*, NAME/NAME_B.* in {path}.")
    return examples


def develop(path: Path) -> NDArray[np.uint8]:
    """Return the (H, W, 3) encoded RGB pixels of a picture as in its file; grey is tripled.

    Not `focuskit.io`: half of these benchmarks are BMP, which photographers do not have.

    Raises:
        PhotoUnreadableError: the file is missing, empty or damaged.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error) as exc:
        raise PhotoUnreadableError(f"{path} could not be read: {exc}.") from exc
    if bgr is None:
        raise PhotoUnreadableError(f"{path} is empty or damaged.")
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)


def gray_of(rgb: NDArray[np.uint8]) -> Map:
    """Return the encoded grey picture in [0, 1]."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def compare(first: Map, second: Map) -> tuple[Map, Map]:
    """Say where the first of two encoded grey pictures of one scene is in focus, the other not.

    Returns:
        `in_focus` of the first, 1 or 0, and `weight`; where the weight is not 0, the second is the
        opposite of the first.
    """
    # Textured pictures read too noisy; the calmer of two photos by one camera comes nearer.
    noise = min(measure_noise(first), measure_noise(second))
    gain = _contrast(first) / max(_contrast(second), 1e-6)
    a, b = _Detail(first, noise, 1.0), _Detail(second, noise, gain)
    in_first, in_second = a.clearly_sharper_than(b), b.clearly_sharper_than(a)
    flat = ~(a.textured | b.textured)
    return settle(in_first, in_second, flat)


def settle(sharp: Mask, blurred: Mask, flat: Mask) -> tuple[Map, Map]:
    """Clean two masks up and fill the smooth gaps that they enclose.

    Args:
        sharp: (H, W), where the picture was found in focus.
        blurred: (H, W), where it was found out of focus; apart from `sharp`.
        flat: (H, W), where there was nothing to judge.

    Returns:
        `in_focus` and `weight` of an `Example`.
    """
    smallest = max(16, round(_SPECK_SHARE * flat.size))
    votes = [_without_specks(_shrunk(each), smallest) for each in (sharp, blurred)]
    near = [cv2.dilate(each.astype(np.uint8), _disc(_BAND_PX)) > 0 for each in votes]
    votes = [votes[0] & ~near[1], votes[1] & ~near[0]]
    closed = [
        cv2.morphologyEx(each.astype(np.uint8), cv2.MORPH_CLOSE, _disc(_FILL_PX)) > 0
        for each in votes
    ]
    # Closing fills what lies between decided parts, never what lies around them.
    filled = flat & (closed[0] ^ closed[1])
    weight = np.where(filled, np.float32(FILLED_WEIGHT), np.float32(0))
    weight[votes[0] | votes[1]] = 1
    in_focus = votes[0] | (filled & closed[0] & ~votes[1])
    return in_focus.astype(np.float32), np.asarray(weight, np.float32)


def _read_pair(folder: Path) -> list[Example]:
    first, second = (develop(_member(folder, letter)) for letter in "AB")
    if first.shape != second.shape:
        sizes = [f"{each.shape[1]}×{each.shape[0]}" for each in (first, second)]
        raise ShapeError(f"A is {sizes[0]} pixels, B {sizes[1]}.")
    if min(first.shape[:2]) < _SMALL_SIDE:
        _LOG.info("The pair %s is only %d×%d.", folder.name, first.shape[1], first.shape[0])
    in_first, weight = compare(gray_of(first), gray_of(second))
    border = _WIDE_BORDERS_PX.get(folder.name, _BORDER_PX)
    inside = _inside(weight.shape, border)
    in_first, weight = in_first * inside, weight * inside
    if weight.mean() < _MIN_DECIDED:
        raise InputError("A and B hardly differ; there is nothing to learn from.")
    scene = _SCENES.get(folder.name, folder.name)
    unknown = np.full(weight.shape, np.nan, np.float32)
    return [
        Example(rgb, in_focus, weight, unknown, "multifocus", scene)
        for rgb, in_focus in ((first, in_first), (second, (1 - in_first) * (weight > 0)))
    ]


def _member(folder: Path, letter: str) -> Path:
    stem = f"{folder.name}_{letter}"
    found = [
        file
        for file in sorted(folder.iterdir())
        if file.stem == stem and file.suffix.lower() in _SUFFIXES
    ]
    if not found:
        raise PhotoUnreadableError(f"there is no picture {stem}.* in {folder}.")
    return found[0]


class _Detail:
    """What is left of the gradients of one picture, pooled over the windows."""

    def __init__(self, gray: Map, noise: float, gain: float) -> None:
        before, after = gradient_energies(gray, noise)
        power = np.float32(gain**2)
        self.before = [_pooled(before, window) * power for window in _WINDOWS]
        self.after = [_pooled(after, window) * power for window in _WINDOWS]
        floor = max(_MIN_GRADIENT, _MIN_SNR**0.5 * noise) ** 2
        # A box, not a Gaussian: a strong outline must not reach far over its surroundings.
        near = cv2.blur(before, (_TEXTURE_PX, _TEXTURE_PX), borderType=cv2.BORDER_REFLECT)
        self.textured = np.asarray(near * power > np.float32(floor), np.bool_)

    def clearly_sharper_than(self, other: _Detail) -> Mask:
        sharper = self.textured & (self.before[0] > MIN_FINE_RATIO * self.after[0])
        # Pictures that were sharpened or shrunk after a slight blur look sharp by themselves.
        sharper &= other.before[0] < _MAX_FINE_RATIO * other.after[0]
        for after, before in zip(self.after, other.before, strict=True):
            sharper &= after > _MARGIN * before
        return sharper


def _disc(radius: int) -> NDArray[np.uint8]:
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size), np.uint8)


def _shrunk(mask: Mask) -> Mask:
    """Take off what the windows reached over; thin lines stay, closed first."""
    kernel = _disc(1)
    solid = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return np.asarray(cv2.erode(solid, kernel) > 0, np.bool_)


def _without_specks(mask: Mask, smallest: int) -> Mask:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    large = stats[:, cv2.CC_STAT_AREA] >= smallest
    large[0] = False
    return np.asarray(large[labels], np.bool_)


def _pooled(values: Map, sigma: float) -> Map:
    pooled = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(pooled, np.float32)


def _contrast(gray: Map) -> float:
    return float(_pooled(gray, 8.0).std())


def _inside(shape: tuple[int, ...], border: int) -> Map:
    inside = np.zeros(shape, np.float32)
    inside[border : shape[0] - border, border : shape[1] - border] = 1
    return inside
