"""Pictures as stacks of planes, and the few things that a renderer does to them.

The renderer is written once, over these; numpy with OpenCV serves the CPU, torch a GPU.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import DeviceError

__all__ = ["Planes", "planes_on"]

Array = NDArray[np.float32]


class Planes(Protocol):
    """What can be done to (H, W, C) pictures; they add and multiply like arrays of numpy."""

    def taken(self, picture: Array) -> Any:
        """Return a numpy picture in this kind's own form."""
        ...

    def given(self, picture: Any) -> Array:
        """Return a picture of this kind as a numpy picture."""
        ...

    def clipped(self, picture: Any, low: float, high: float) -> Any:
        """Return the values limited to [low, high]."""
        ...

    def joined(self, pictures: list[Any]) -> Any:
        """Return the channels of all pictures in one."""
        ...

    def eroded(self, picture: Any) -> Any:
        """Return the least of each pixel and its eight neighbours."""
        ...

    def convolved(self, picture: Any, psf: Array) -> Any:
        """Return the convolution with a (K, K) PSF, K odd; the picture is mirrored at its rim."""
        ...

    def shrunk(self, picture: Any, factor: int) -> Any:
        """Return means over factor×factor pixels; sides must be multiples of `factor`."""
        ...

    def enlarged(self, picture: Any, factor: int) -> Any:
        """Return the picture `factor` times as large, interpolated linearly."""
        ...


class _Numpy:
    def taken(self, picture: Array) -> Array:
        return picture

    def given(self, picture: Array) -> Array:
        return picture

    def clipped(self, picture: Array, low: float, high: float) -> Array:
        return np.clip(picture, np.float32(low), np.float32(high))

    def joined(self, pictures: list[Array]) -> Array:
        return np.concatenate(pictures, axis=2)

    def eroded(self, picture: Array) -> Array:
        return _channels(cv2.erode(picture, np.ones((3, 3), np.uint8)), picture)

    def convolved(self, picture: Array, psf: Array) -> Array:
        if psf.size == 1:
            return picture
        reach = psf.shape[0] // 2
        # Mirroring reaches no further than the picture itself.
        border = cv2.BORDER_REFLECT_101 if min(picture.shape[:2]) > reach else cv2.BORDER_REPLICATE
        # filter2D correlates; a PSF is the picture of a point, not the weights around it.
        return _channels(cv2.filter2D(picture, -1, psf[::-1, ::-1], borderType=border), picture)

    def shrunk(self, picture: Array, factor: int) -> Array:
        if factor == 1:
            return picture
        size = (picture.shape[1] // factor, picture.shape[0] // factor)
        return _channels(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), picture)

    def enlarged(self, picture: Array, factor: int) -> Array:
        if factor == 1:
            return picture
        size = (picture.shape[1] * factor, picture.shape[0] * factor)
        return _channels(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), picture)


def _channels(made: Any, like: Array) -> Array:
    """Give a picture of one channel its third axis back, which OpenCV drops."""
    return np.asarray(made, np.float32).reshape(*made.shape[:2], like.shape[2])


class _Torch:
    def __init__(self, device: str) -> None:
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            raise DeviceError("There is no CUDA device that torch can use; render on the CPU.")
        self._torch = torch
        self._device = torch.device(device)

    def taken(self, picture: Array) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(picture)).to(self._device)

    def given(self, picture: Any) -> Array:
        return np.asarray(picture.cpu().numpy(), np.float32)

    def clipped(self, picture: Any, low: float, high: float) -> Any:
        return picture.clamp(low, high)

    def joined(self, pictures: list[Any]) -> Any:
        return self._torch.cat(pictures, dim=2)

    def eroded(self, picture: Any) -> Any:
        planes = -picture.permute(2, 0, 1)[None]
        least = -self._torch.nn.functional.max_pool2d(planes, 3, stride=1, padding=1)
        return least[0].permute(1, 2, 0)

    def convolved(self, picture: Any, psf: Array) -> Any:
        if psf.size == 1:
            return picture
        functional = self._torch.nn.functional
        reach = psf.shape[0] // 2
        planes = picture.permute(2, 0, 1)[:, None]
        mode = "reflect" if min(picture.shape[:2]) > reach else "replicate"
        framed = functional.pad(planes, (reach,) * 4, mode=mode)
        weights = self._torch.from_numpy(np.ascontiguousarray(psf[::-1, ::-1])).to(self._device)
        return functional.conv2d(framed, weights[None, None])[:, 0].permute(1, 2, 0)

    def shrunk(self, picture: Any, factor: int) -> Any:
        if factor == 1:
            return picture
        planes = picture.permute(2, 0, 1)[None]
        return self._torch.nn.functional.avg_pool2d(planes, factor)[0].permute(1, 2, 0)

    def enlarged(self, picture: Any, factor: int) -> Any:
        if factor == 1:
            return picture
        planes = picture.permute(2, 0, 1)[None]
        large = self._torch.nn.functional.interpolate(
            planes, scale_factor=float(factor), mode="bilinear", align_corners=False
        )
        return large[0].permute(1, 2, 0)


def planes_on(device: str) -> Planes:
    """Return what works on a device: "cpu" (OpenCV), "torch" (on the CPU) or "cuda".

    Raises:
        DeviceError: there is no such device here.
    """
    if device == "cpu":
        return _Numpy()
    if device in ("torch", "cuda"):
        return _Torch("cpu" if device == "torch" else "cuda")
    raise DeviceError(f"A renderer runs on cpu, torch or cuda, got {device!r}.")


def next_power_of_two_below(value: float) -> int:
    """Return the largest power of two up to `value`, at least 1."""
    return 1 if value < 2 else 2 ** math.floor(math.log2(value))
