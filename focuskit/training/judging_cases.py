"""Cases with a true answer: a photo, an edit of it, and the photo that a camera took instead."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb, linearise_srgb
from focuskit.photo import Photo
from focuskit.training.judging_scenes import Part
from focuskit.training.sources import HELD_OUT_SCENES

__all__ = ["Case", "as_light", "as_seen", "densest", "fitted_brightness", "part_of"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

# The mug stands in two cafés; sweeps are too few to leave to chance.
_JUDGING_SWEEPS = frozenset({"flowerLady", "mug"})
_SWEEPS = frozenset({"avery", "avery3", "exp10"}) | _JUDGING_SWEEPS
_DENSITY_SIGMA_PX = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A photo, what is asked of it, and the true answer.

    Attributes:
        name: of the case.
        scene: what it must not be split from.
        operation: "refocus" or "magnify".
        settings: of the operation, in pixels of `before`.
        before: the photo to edit.
        after: (H, W, 3) linear light of the true answer, as bright and at the same place.
        judged: (H, W) where the answer is one: away from borders.
        true_map: of `before`, made from the truth.
    """

    name: str
    scene: str
    operation: str
    settings: dict[str, Any]
    before: Photo
    after: Image
    judged: Mask
    true_map: BlurMap

    @property
    def held_out(self) -> bool:
        """Whether the shipped networks never saw the scene."""
        return self.scene in HELD_OUT_SCENES


def part_of(scene: str) -> Part:
    """Return the part that a scene belongs to, the same on every machine.

    What the shipped networks never saw judges, and by a hash of their names about half of the
    other pairs.
    """
    if scene in _SWEEPS:
        return Part.JUDGING if scene in _JUDGING_SWEEPS else Part.DEVELOPMENT
    chosen = scene in HELD_OUT_SCENES or zlib.crc32(scene.encode()) % 2 == 0
    return Part.JUDGING if chosen else Part.DEVELOPMENT


def as_light(rgb: NDArray[np.uint8]) -> Image:
    """Return the linear light of (H, W, 3) encoded pixels."""
    return linearise_srgb(rgb.astype(np.float32) / np.float32(255))


def as_seen(light: Image) -> Image:
    """Return encoded values in [0, 1]."""
    return encode_srgb(np.minimum(light, np.float32(1)))


def fitted_brightness(light: Image, like: Image, where: Mask) -> Image:
    """Return a picture as bright as another of the same scene, channel by channel."""
    small = np.float32(1e-6)
    gain = like[where].mean(axis=0) / np.maximum(light[where].mean(axis=0), small)
    return np.asarray(light * gain.astype(np.float32), np.float32)


def densest(mask: Mask) -> tuple[float, float]:
    """Return the point (x, y) around which most of a mask lies."""
    dense = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _DENSITY_SIGMA_PX)
    # The masks' own pixels: a hole among them may be another surface.
    dense = np.where(mask, dense, np.float32(-1))
    y, x = np.unravel_index(int(np.argmax(dense)), mask.shape)
    return float(x), float(y)
