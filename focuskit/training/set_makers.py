"""Draws shots of sets so that it is known what belongs together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from focuskit.cull.sets import Fingerprint, fingerprint
from focuskit.photo import Exif, Photo
from focuskit.training.set_pictures import Light, window

__all__ = ["SetLibrary", "SetMaker"]

_START = datetime(2026, 5, 17, 10, 30)
_NOISE = 0.004


@dataclass
class SetLibrary:
    """Shots of generated sets.

    Attributes:
        shots: what grouping knows of each.
        kinds: what each is one of: a kind of set, or "single".
        cases: what each is one of, more closely: for tables.
        truth: the number of the set that each belongs to.
    """

    shots: list[Fingerprint] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    truth: list[int] = field(default_factory=list)


@dataclass
class SetMaker:
    """Adds shots to a library, as two cameras take them.

    Attributes:
        rng: decides all.
        photos: gives one photo after the other.
        camera: that takes the next shots, "A" or "B".
        clocked: whether it writes times.
        library: what there is so far.
        clock_s: of each camera, after its last shot.
        count: number of each camera's next shot.
        sets: how many there are.
    """

    rng: np.random.Generator
    photos: Callable[[], Light]
    camera: str = "A"
    clocked: bool = True
    library: SetLibrary = field(default_factory=SetLibrary)
    clock_s: dict[str, float] = field(default_factory=lambda: {"A": 0.0, "B": 0.7})
    count: dict[str, int] = field(default_factory=lambda: {"A": 9950, "B": 120})
    sets: int = 0

    def add(
        self,
        kind: str,
        case: str,
        frames: Sequence[Light],
        times: Sequence[float],
        *,
        after_s: float | None = None,
        **exif: Sequence[float | None],
    ) -> None:
        """Add a set of frames taken at `times`; each keyword holds a value of `Exif` per frame.

        Without `after_s` the camera pauses before, for long enough to part two sets.
        """
        whole_seconds = self.rng.random() < 0.3 and min(np.diff(times), default=1) >= 1
        pause = self.rng.uniform(2.5, 30) if kind == "burst" else self.rng.uniform(11, 60)
        self.clock_s[self.camera] += pause if after_s is None else after_s
        # Without times, only a gap in the count or other content parts two sets.
        self.count[self.camera] += 0 if after_s is not None else 1 if self.clocked else 2
        start = self.clock_s[self.camera]
        for index, (light, at) in enumerate(zip(frames, times, strict=True)):
            moment = start + at
            taken = _START + timedelta(seconds=int(moment) if whole_seconds else round(moment, 2))
            number = self.count[self.camera] % 10_000
            self.count[self.camera] += 1
            values: dict[str, Any] = {name: each[index] for name, each in exif.items()}
            values.setdefault("exposure_s", 1 / 250)
            values.setdefault("iso", 200)
            values.setdefault("f_number", 4.0)
            written = Exif(serial=self.camera, taken_at=taken if self.clocked else None, **values)
            noisy = light + self.rng.normal(0, _NOISE, light.shape).astype(np.float32)
            photo = Photo(np.clip(noisy, 0, 1).astype(np.float32), written)
            shot = fingerprint(photo, name=f"{self.camera}/IMG_{number:04}.JPG")
            self.library.shots.append(shot)
            self.library.kinds.append(kind)
            self.library.cases.append(case)
            self.library.truth.append(self.sets if kind != "single" else -len(self.library.shots))
        self.sets += 1
        self.clock_s[self.camera] += times[-1]

    def shaken(self, count: int, share: float) -> list[Light]:
        """Return frames of one scene, from a camera held by hand."""
        scene = self.photos()
        at = self.rng.uniform(0.2, 0.8, 2)
        offsets = self.rng.normal(0, share, (count, 2)).cumsum(axis=0)
        return [window(scene, 0.7, *(at + offset)) for offset in offsets]
