"""Trials that no one has to draw masks for: photos and scenes with blur of known size.

What is blurred here, or rendered, is known exactly; how far the answers carry over to photos from a
camera is another question; `focuskit evaluate` asks it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import NOTHING_IN_FOCUS_SHARE
from focuskit.check import check_range
from focuskit.color import encoding_of, linearise, rgb_to_xyz_d50
from focuskit.detect import Detector
from focuskit.errors import InputError
from focuskit.photo import Photo
from focuskit.training.camera import develop
from focuskit.training.example import SHARP_BELOW_COC_PX, Example
from focuskit.training.lens import Lens

__all__ = [
    "BASELINES",
    "FALSE_SHARE",
    "LONG_EDGE",
    "Calls",
    "CocError",
    "CocTrial",
    "MisfocusTrial",
    "allowed_calls",
    "fitted",
    "misfocused",
    "own_coc_px",
    "threshold_at",
]

LONG_EDGE = 1600
"""Photos are shrunk to this long side, and circles of confusion are said in its pixels."""

FALSE_SHARE = 0.02
"""Share of the sharp frames that the baselines' thresholds may call wrongly."""

Image = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_OCTAVES_PX = ((2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 20.0))
_CONFIDENT = 0.5
_SRGB = encoding_of("srgb")


@dataclass(frozen=True, slots=True)
class Calls:
    """How often a method says of a frame that nothing in it is in focus.

    Attributes:
        method: detector or baseline.
        coc_px: circle of confusion that the whole frame was blurred by, at `LONG_EDGE`.
        misfocused_called: share of the blurred frames; 1 = all found.
        sharp_called: share of the same photos unblurred; 0 = none wronged.
        threshold: below it, the method says so: share of the frame in focus, or the baseline's own.
        photos: how many.
    """

    method: str
    coc_px: float
    misfocused_called: float
    sharp_called: float
    threshold: float
    photos: int


@dataclass(frozen=True, slots=True)
class CocError:
    """How far a detector's circles of confusion are off, as |found - true| / true.

    Attributes:
        detector: its name.
        coc_px: range of the true ones, in pixels of the scene.
        median: over all pixels of that range, like `q1` and `q3`; None where there are none.
        q1: first quartile.
        q3: third quartile.
        confident_median: over those that the detector itself is confident of (0.5 and more).
        confident_q1: first quartile of these.
        confident_q3: third quartile of these.
        confident_share: share of the pixels that these are.
        pixels: how many.
    """

    detector: str
    coc_px: str
    median: float | None
    q1: float | None
    q3: float | None
    confident_median: float | None
    confident_q1: float | None
    confident_q3: float | None
    confident_share: float | None
    pixels: int


def fitted(photo: Photo) -> Image:
    """Return a photo's linear light in sRGB primaries, at most `LONG_EDGE` px long."""
    light = photo.rgb
    factor = LONG_EDGE / max(light.shape[:2])
    if factor < 1:
        size = (max(1, round(photo.width * factor)), max(1, round(photo.height * factor)))
        light = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
    if photo.primaries != "srgb":
        matrix = np.linalg.solve(rgb_to_xyz_d50("srgb"), rgb_to_xyz_d50(photo.primaries))
        mapped = np.asarray(cv2.transform(light, matrix), np.float32).reshape(light.shape)
        light = np.maximum(mapped, np.float32(0))
    return light


def own_coc_px(coc_px: float, shape: tuple[int, ...]) -> float:
    """Return what a circle of confusion at `LONG_EDGE` is in pixels of a picture of this shape.

    Raises:
        InputError: so little that it would not show.
    """
    longest = max(shape[:2])
    own_px = coc_px * longest / LONG_EDGE
    if own_px <= SHARP_BELOW_COC_PX:
        needed = math.floor(SHARP_BELOW_COC_PX * LONG_EDGE / coc_px) + 1
        raise InputError(
            f"The photo is {longest} px long, where a circle of confusion of {coc_px:g} px at "
            f"{LONG_EDGE} px is {own_px:.1f} px and still counts as sharp; give photos of "
            f"{needed} px or more, or a larger --coc-px."
        )
    return own_px


def misfocused(light: Image, coc_px: float) -> Image:
    """Return linear light as a lens focused elsewhere shows it, blurred by a disc all over.

    Args:
        light: (H, W, 3) linear light.
        coc_px: diameter of the circle of confusion at a long side of `LONG_EDGE`; of a smaller
            picture it covers the same share.

    Raises:
        InputError: the picture is so small that this blur would not show.
    """
    # The Fourier transform inside filter2D leaves -1e-8 where there was no light.
    return np.maximum(Lens().blur(light, own_coc_px(coc_px, light.shape)), np.float32(0))


def _laplacian(gray: Pixels) -> float:
    return float(cv2.Laplacian(gray, cv2.CV_64F).var())


def _tenengrad(gray: Pixels) -> float:
    x, y = (cv2.Sobel(gray, cv2.CV_64F, dx, dy) for dx, dy in ((1, 0), (0, 1)))
    return float((x * x + y * y).mean())


BASELINES: Mapping[str, Callable[[Pixels], float]] = MappingProxyType(
    {"variance of Laplacian": _laplacian, "Tenengrad": _tenengrad}
)
"""What is used in place of a map elsewhere: (H, W) uint8 to a number, larger = sharper."""


def allowed_calls(photos: int) -> int:
    """Return how many of so many sharp frames a baseline may call wrongly."""
    return int(FALSE_SHARE * photos + 1e-9)


def threshold_at(sharp: Sequence[float]) -> float:
    """Return the largest threshold below which at most `FALSE_SHARE` of sharp frames score.

    Raises:
        InputError: there is no score.
    """
    if not sharp:
        raise InputError("A threshold needs the score of one sharp frame at least.")
    return sorted(sharp)[allowed_calls(len(sharp))]


class MisfocusTrial:
    """Photos blurred over the whole frame, and the same photos as they are.

    Args:
        detectors: by name.
        cocs_px: diameters of circles of confusion at `LONG_EDGE`.
        seed: of the camera's noise and JPEG, which a photo and its blurred copies share.
        camera: how much of that there is: 0 = only what the photo has of its own, 0.5 = a camera
            in fair light, 1 = a phone at dusk now and then.

    Attributes:
        least_coc_px: the least blur that was drawn, in pixels of the picture that it was drawn on.

    Raises:
        RangeError: a diameter is below 1 px or not finite, or there is none; or `camera` is not
            within [0, 1].
    """

    def __init__(
        self,
        detectors: Mapping[str, Detector],
        cocs_px: Sequence[float],
        *,
        seed: int = 0,
        camera: float = 0.0,
    ) -> None:
        check_range("camera", camera, low=0.0, high=1.0)
        for coc_px in (min(cocs_px, default=math.nan), *cocs_px):
            check_range("coc_px", coc_px, low=1.0, unit="px")
        self._detectors = detectors
        self._cocs_px = tuple(sorted(set(cocs_px)))
        self._seed = seed
        self._camera = camera
        self._scores: list[list[list[float]]] = []
        self.least_coc_px = math.inf

    def add(self, name: str, photo: Photo) -> None:
        """Judge a photo that is sharp somewhere.

        Args:
            name: chance depends on it and on the seed, and not on what other photos there are.
            photo: of any size.

        Raises:
            InputError: it is too small for the least blur to show.
        """
        light = fitted(photo)
        # Before the work: every photo counts for every CoC, or for none.
        least_px = own_coc_px(self._cocs_px[0], light.shape)
        scores = [self._judged(light, name)]
        scores += [self._judged(misfocused(light, coc_px), name) for coc_px in self._cocs_px]
        self._scores.append(scores)
        self.least_coc_px = min(self.least_coc_px, least_px)

    def rows(self) -> list[Calls]:
        """Return the shares of every method and CoC.

        Raises:
            InputError: no photo was added.
        """
        if not self._scores:
            raise InputError("No photo could be used, so there is nothing to count.")
        # Photos, then sharp and every CoC, then methods.
        scores = np.array(self._scores)
        rows = []
        for index, method in enumerate((*self._detectors, *BASELINES)):
            sharp = scores[:, 0, index]
            threshold = NOTHING_IN_FOCUS_SHARE
            if method in BASELINES:
                threshold = threshold_at(sharp.tolist())
            called = (scores[:, :, index] < threshold).mean(axis=0).tolist()
            rows += [
                Calls(method, coc_px, share, called[0], threshold, len(scores))
                for coc_px, share in zip(self._cocs_px, called[1:], strict=True)
            ]
        return rows

    def _judged(self, light: Image, name: str) -> list[float]:
        chance = zlib.crc32(name.encode("utf-8", "surrogatepass"))
        rng = np.random.default_rng([self._seed, chance])
        pixels = develop(light, rng, strength=self._camera)
        photo = Photo(linearise(pixels, _SRGB))
        gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        scores = [detect(photo).in_focus_share for detect in self._detectors.values()]
        return scores + [score(gray) for score in BASELINES.values()]


class CocTrial:
    """Circles of confusion that detectors find, against true ones.

    Args:
        detectors: by name.
    """

    def __init__(self, detectors: Mapping[str, Detector]) -> None:
        self._detectors = detectors
        self._true: list[Image] = []
        self._found: dict[str, list[Image]] = {name: [] for name in detectors}
        self._confident: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in detectors}

    def add(self, example: Example) -> None:
        """Compare on the pixels whose true CoC is known and within 2 to 20 px."""
        true = example.coc_diameter_px
        # Comparisons with NaN, where nobody knows, are false.
        judged = (true >= _OCTAVES_PX[0][0]) & (true <= _OCTAVES_PX[-1][1])
        photo = Photo(linearise(example.rgb, _SRGB))
        self._true.append(true[judged])
        for name, detect in self._detectors.items():
            blur_map = detect(photo)
            self._found[name].append(blur_map.coc_diameter_px[judged])
            self._confident[name].append(blur_map.confidence[judged] >= _CONFIDENT)

    def rows(self) -> list[CocError]:
        """Return the errors of every detector, by octave and over all of them."""
        true = np.concatenate([np.zeros(0, np.float32), *self._true])
        rows = []
        for name in self._detectors:
            found = np.concatenate([np.zeros(0, np.float32), *self._found[name]])
            confident = np.concatenate([np.zeros(0, np.bool_), *self._confident[name]])
            error = np.abs(found - true) / np.maximum(true, np.float32(_OCTAVES_PX[0][0]))
            for low, high in (*_OCTAVES_PX, (_OCTAVES_PX[0][0], _OCTAVES_PX[-1][1])):
                # The last octave holds its end.
                inside = (true >= low) & ((true < high) | (high == _OCTAVES_PX[-1][1]))
                rows.append(_coc_error(name, f"{low:g}-{high:g}", error[inside], confident[inside]))
        return rows


def _coc_error(name: str, coc_px: str, error: Image, confident: NDArray[np.bool_]) -> CocError:
    q1, median, q3 = _quartiles(error)
    confident_q1, confident_median, confident_q3 = _quartiles(error[confident])
    share = float(confident.mean()) if error.size else None
    return CocError(
        detector=name,
        coc_px=coc_px,
        median=median,
        q1=q1,
        q3=q3,
        confident_median=confident_median,
        confident_q1=confident_q1,
        confident_q3=confident_q3,
        confident_share=share,
        pixels=int(error.size),
    )


def _quartiles(values: Image) -> tuple[float | None, float | None, float | None]:
    if not values.size:
        return None, None, None
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return low, middle, high
