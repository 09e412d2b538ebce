"""Pictures as stacks of planes, and the few things that a renderer does to them.

The renderer is written once, over these; numpy with OpenCV serves the CPU, torch a GPU. Pictures
are (C, H, W) here: one weight times all channels then runs along whole rows.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.errors import DeviceError

__all__ = ["Planes", "next_power_of_two_below", "planes_on"]

Array = NDArray[np.float32]


class Planes(Protocol):
    """What can be done to (C, H, W) pictures; they add and multiply like arrays of numpy.

    Attributes:
        strip_px: pictures are worked on in strips of about so many pixels, which stay in the cache.
    """

    strip_px: int

    def taken(self, picture: Array) -> Any:
        """Return a numpy picture in this kind's own form."""
        ...

    def given(self, picture: Any) -> Array:
        """Return a picture of this kind as a numpy picture."""
        ...

    def blank(self, channels: int, height: int, width: int) -> Any:
        """Return a picture of zeros."""
        ...

    def clipped(self, picture: Any, low: float, high: float) -> Any:
        """Return the values limited to [low, high]."""
        ...

    def layered(self, light: Any, place: Any, step: float, hidden_below: float | None) -> Any:
        """Return (3, H, W) light times its share in a step, the share, and two more channels.

        They are the share of this step and of what is up to two steps before it, and what is not
        hidden.

        Args:
            light: (3, H, W).
            place: (1, H, W), in steps.
            step: the share falls from 1 there to 0 one step away.
            hidden_below: rises from 0 one step before to 1; None leaves this channel out.
        """
        ...

    def put(self, picture: Any, index: NDArray[np.intp], values: list[Any]) -> None:
        """Replace pixels, counted along rows, by values for each channel."""
        ...

    def without_crumbs(self, picture: Any, least: float) -> Any:
        """Return the picture with pixels whose last channel is below `least` set to 0."""
        ...

    def convolved(self, picture: Any, psf: Array) -> Any:
        """Return the convolution with a (K, K) PSF, K odd; the picture is mirrored at its rim."""
        ...

    def shrunk(self, picture: Any, factor: int) -> Any:
        """Return means over factor×factor pixels, a power of two that divides the sides."""
        ...

    def enlarged(self, picture: Any, factor: int) -> Any:
        """Return the picture `factor` times as large, interpolated linearly."""
        ...


class _Numpy:
    strip_px = 2**16

    def taken(self, picture: Array) -> Array:
        return picture

    def given(self, picture: Array) -> Array:
        return picture

    def blank(self, channels: int, height: int, width: int) -> Array:
        return np.zeros((channels, height, width), np.float32)

    def clipped(self, picture: Array, low: float, high: float) -> Array:
        # Twice as fast as np.clip on small pictures.
        made = np.maximum(picture, np.float32(low))
        return made if high == math.inf else np.minimum(made, np.float32(high), out=made)

    def layered(self, light: Array, place: Array, step: float, hidden_below: float | None) -> Array:
        made = np.empty((5 if hidden_below is None else 6, *light.shape[1:]), np.float32)
        share = made[3:4]
        np.abs(np.subtract(place, np.float32(step), out=share), out=share)
        np.maximum(np.subtract(np.float32(1), share, out=share), np.float32(0), out=share)
        np.multiply(light, share, out=made[:3])
        upto = np.subtract(np.float32(step + 1), place, out=made[4:5])
        np.minimum(np.maximum(upto, np.float32(0), out=upto), np.float32(1), out=upto)
        if hidden_below is not None:
            seen = np.subtract(place, np.float32(hidden_below - 1), out=made[5:])
            np.minimum(np.maximum(seen, np.float32(0), out=seen), np.float32(1), out=seen)
            upto *= seen
        return made

    def put(self, picture: Array, index: NDArray[np.intp], values: list[Array]) -> None:
        for plane, each in zip(picture, values, strict=True):
            plane.reshape(-1)[index] = each

    def without_crumbs(self, picture: Array, least: float) -> Array:
        picture *= picture[-1] >= np.float32(least)
        return picture

    def convolved(self, picture: Array, psf: Array) -> Array:
        if psf.size == 1:
            return picture
        reach = psf.shape[0] // 2
        # Mirroring reaches no further than the picture itself.
        border = cv2.BORDER_REFLECT_101 if min(picture.shape[1:]) > reach else cv2.BORDER_REPLICATE
        # filter2D correlates; a PSF is the picture of a point, not the weights around it.
        weights = psf[::-1, ::-1]
        made = np.empty_like(picture)
        for plane, out in zip(picture, made, strict=True):
            cv2.filter2D(plane, -1, weights, dst=out, borderType=border)
        return made

    def shrunk(self, picture: Array, factor: int) -> Array:
        # Halving has a path of its own in OpenCV, several times as fast as one long step.
        while factor > 1:
            made = np.empty((len(picture), *(side // 2 for side in picture.shape[1:])), np.float32)
            for plane, out in zip(picture, made, strict=True):
                cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_AREA)
            picture, factor = made, factor // 2
        return picture

    def enlarged(self, picture: Array, factor: int) -> Array:
        if factor == 1:
            return picture
        made = np.empty((len(picture), *(side * factor for side in picture.shape[1:])), np.float32)
        for plane, out in zip(picture, made, strict=True):
            cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_LINEAR)
        return made


class _Torch:
    strip_px = 2**24

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

    def blank(self, channels: int, height: int, width: int) -> Any:
        return self._torch.zeros((channels, height, width), device=self._device)

    def clipped(self, picture: Any, low: float, high: float) -> Any:
        return picture.clamp(low, high)

    def layered(self, light: Any, place: Any, step: float, hidden_below: float | None) -> Any:
        share = (1 - (place - step).abs()).clamp(min=0)
        upto = (step + 1 - place).clamp(0, 1)
        if hidden_below is None:
            return self._torch.cat([light * share, share, upto])
        seen = (place - (hidden_below - 1)).clamp(0, 1)
        return self._torch.cat([light * share, share, upto * seen, seen])

    def put(self, picture: Any, index: NDArray[np.intp], values: list[Any]) -> None:
        places = self._torch.from_numpy(index).to(self._device)
        picture.view(picture.shape[0], -1)[:, places] = self._torch.stack(values)

    def without_crumbs(self, picture: Any, least: float) -> Any:
        return picture * (picture[-1] >= least)

    def convolved(self, picture: Any, psf: Array) -> Any:
        if psf.size == 1:
            return picture
        functional = self._torch.nn.functional
        reach = psf.shape[0] // 2
        planes = picture[:, None]
        mode = "reflect" if min(picture.shape[1:]) > reach else "replicate"
        framed = functional.pad(planes, (reach,) * 4, mode=mode)
        weights = self._torch.from_numpy(np.ascontiguousarray(psf[::-1, ::-1])).to(self._device)
        return functional.conv2d(framed, weights[None, None])[:, 0]

    def shrunk(self, picture: Any, factor: int) -> Any:
        if factor == 1:
            return picture
        return self._torch.nn.functional.avg_pool2d(picture[None], factor)[0]

    def enlarged(self, picture: Any, factor: int) -> Any:
        if factor == 1:
            return picture
        large = self._torch.nn.functional.interpolate(
            picture[None], scale_factor=float(factor), mode="bilinear", align_corners=False
        )
        return large[0]


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
