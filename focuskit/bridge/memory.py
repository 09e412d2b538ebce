"""What the worker remembers of the last pictures, so that another setting only draws."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.bridge.pictures import Samples

__all__ = ["MapMemory", "picture_key"]

_MOST_BYTES = 1 << 30


def picture_key(samples: Samples, scale: float) -> str:
    """Return what only the same pixels, meaning the same light, have in common."""
    digest = hashlib.sha256(samples.values.data)
    said = (samples.values.shape, samples.values.dtype.str, samples.encoding, scale)
    digest.update(repr(said).encode())
    return digest.hexdigest()


class MapMemory:
    """The maps of the pictures asked for last, as many as fit."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._maps: OrderedDict[tuple[str, ...], BlurMap] = OrderedDict()

    def find(self, key: tuple[str, ...], detect: Callable[[], BlurMap]) -> BlurMap:
        """Return the map of this key, made now if it is not known.

        Args:
            key: of the picture, and of what made the map.
            detect: makes it.
        """
        found = self._maps.pop(key, None)
        if found is None:
            found = detect()
        self._maps[key] = found
        while len(self._maps) > 1 and self._bytes() > self._most_bytes:
            self._maps.popitem(last=False)
        return found

    def __contains__(self, key: tuple[str, ...]) -> bool:
        return key in self._maps

    def _bytes(self) -> int:
        # Maps of one picture share arrays.
        owners = (_owner(part) for each in self._maps.values() for part in _parts(each))
        return sum({id(owner): owner.nbytes for owner in owners}.values())


def _parts(blur_map: BlurMap) -> list[NDArray[np.generic]]:
    parts = [blur_map.in_focus_probability, blur_map.coc_diameter_px, blur_map.confidence]
    return [*parts, *([] if blur_map.side is None else [blur_map.side])]


def _owner(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the array that holds the memory of a view."""
    while isinstance(values.base, np.ndarray):
        values = values.base
    return values
