"""What grouping knows of shots of scenes that tests make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.cull.sets import Fingerprint, fingerprint
from focuskit.photo import Exif, Photo

START = datetime(2026, 5, 17, 10, 30)
SIZE = (240, 160)


@lru_cache
def scene_light(seed: int) -> NDArray[np.float32]:
    """A scene of (320, 960) with detail of every size."""
    rng = np.random.default_rng(seed)
    light = np.zeros((320, 960), np.float32)
    for cells in (3, 12, 48, 160):
        noise = rng.random((cells, 3 * cells), dtype=np.float32)
        light += cv2.resize(noise, (960, 320), interpolation=cv2.INTER_LINEAR)
    return light / light.max()


@lru_cache
def _seen(seed: int, x: int = 0, sigma: float = 0.0, gain: float = 1.0) -> Fingerprint:
    light = scene_light(seed)[80 : 80 + SIZE[1], x : x + SIZE[0]] * np.float32(gain)
    if sigma:
        light = cv2.GaussianBlur(light, (0, 0), sigma)
    rgb = np.repeat(np.clip(light, 0, 1)[..., None], 3, axis=2)
    return fingerprint(Photo(np.ascontiguousarray(rgb), Exif()))


def shot(
    at_s: float | None,
    *,
    scene: int = 1,
    camera: str | None = "42",
    ev: float | None = -6.0,
    bias: float | None = 0.0,
    name: str = "",
    x: int = 0,
    sigma: float = 0.0,
    gain: float = 1.0,
) -> Fingerprint:
    taken = None if at_s is None else START + timedelta(seconds=at_s)
    return replace(
        _seen(scene, x, sigma, gain),
        taken_at=taken,
        camera=camera,
        exposure_ev=ev,
        exposure_bias_ev=bias,
        name=name,
        digest=b"",
    )


def focus_sweep(planes: Sequence[float], gap_s: float) -> list[Fingerprint]:
    """Frames of a scene that recedes from left (0) to right (1), focused at these planes."""
    frames = []
    scene = scene_light(3)[80 : 80 + SIZE[1], : SIZE[0]]
    for index, plane in enumerate(planes):
        light = np.empty_like(scene)
        for left in range(0, SIZE[0], 20):
            away = abs(left / (SIZE[0] - 20) - plane)
            soft = cv2.GaussianBlur(scene, (0, 0), 0.3 + 4 * away)
            light[:, left : left + 20] = soft[:, left : left + 20]
        rgb = np.repeat(light[..., None], 3, axis=2)
        exif = Exif(serial="42", taken_at=START + timedelta(seconds=index * gap_s))
        frames.append(fingerprint(Photo(np.ascontiguousarray(rgb), exif)))
    return frames
