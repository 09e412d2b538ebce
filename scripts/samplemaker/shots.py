"""Which photos there are: one row per file, in the order in which they were taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from fractions import Fraction

__all__ = ["SHOTS", "Body", "Settings", "Shot", "Took"]


@dataclass(frozen=True, slots=True)
class Body:
    """A camera with its lens."""

    make: str
    model: str
    lens: str
    serial: str
    sensor_long_side_mm: float


@dataclass(frozen=True, slots=True)
class Settings:
    """What the photographer set."""

    focal_length_mm: float
    f_number: float
    exposure_s: Fraction
    iso: int
    focus_distance_m: float | None = None
    bias_ev: int = 0


@dataclass(frozen=True, slots=True)
class Took:
    """What went on while the shutter was open.

    Attributes:
        coc_diameter_px: circle of confusion of the whole picture; 0 = as sharp as the source.
        motion_px, motion_deg: length and direction of the streak.
        turn_deg: how far the hand tilted the camera.
        ev: exposure relative to the source picture's.
        highlight_peak: how bright the lamps are that the source clips at 1.
    """

    coc_diameter_px: float = 0.0
    motion_px: float = 0.0
    motion_deg: float = 0.0
    turn_deg: float = 0.0
    ev: float = 0.0
    highlight_peak: float = 1.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One file of the library.

    Attributes:
        file: name in samples/; its ending decides the format.
        crop: x, y, width, height within the source.
        truth: "keeper", "reject" or "cant-tell", and `reason`, as a photographer would say.
        group: the set that it belongs to, such as "burst-1"; empty for a single shot.
        how: "untouched", "camera" (the usual way) or "mosaic" (through a Bayer sensor).
    """

    file: str
    source: str
    crop: tuple[int, int, int, int]
    taken_at: datetime
    body: Body
    settings: Settings
    truth: str = "keeper"
    reason: str = "sharp"
    group: str = ""
    took: Took = Took()
    orientation: int = 1
    how: str = "camera"


_ONE = Body("Example", "Example Camera One", "Example 24-105mm F2.8", "EX100042", 36.0)
_MACRO = replace(_ONE, lens="Example 85mm F1.8")
_TELE = replace(_ONE, lens="Example 70-200mm F2.8")
_PHONE = Body("Example", "Example Phone", "Example Phone back camera 6.8mm f/1.8", "", 9.4)


def _at(clock: str) -> datetime:
    day = datetime(2024, 5, 18, tzinfo=timezone(timedelta(hours=2)))
    time = datetime.strptime(clock, "%H:%M:%S.%f").time()
    return datetime.combine(day.date(), time, day.tzinfo)


def _flower() -> list[Shot]:
    settings = Settings(85, 2.8, Fraction(1, 500), 100, focus_distance_m=0.9)
    whole = Shot(
        "IMG_0001.jpg", "flower", (0, 0, 640, 427), _at("10:02:11.20"), _MACRO, settings,
        reason="sharp subject, background out of focus", how="untouched",
    )  # fmt: skip
    # The name needs more than ASCII: libraries hold such files, and some decoders stumble.
    export = replace(whole, file="Blüte_é.tif", crop=(140, 40, 360, 360), how="camera")
    return [whole, replace(export, taken_at=_at("10:05:47.64"))]


def _burst(
    group: str, source: str, body: Body, settings: Settings,
    frames: list[tuple[str, str, tuple[int, int, int, int], Took]],
) -> list[Shot]:  # fmt: skip
    shots = []
    for file, clock, crop, took in frames:
        shot = Shot(f"{file}.jpg", source, crop, _at(clock), body, settings, group=group, took=took)
        if took.motion_px:
            shot = replace(shot, truth="reject", reason="motion")
        elif took.coc_diameter_px:
            shot = replace(shot, truth="reject", reason="defocus")
        shots.append(shot)
    return shots


def _pagoda() -> list[Shot]:
    # Sharp frames are only shifted by whole pixels: any resampling would cost them sharpness.
    return _burst(
        "burst-1", "china", _ONE, Settings(70, 5.6, Fraction(1, 60), 100),
        [
            ("IMG_0010", "11:20:31.12", (10, 8, 616, 410),
             Took(coc_diameter_px=2.8, turn_deg=0.15)),
            ("IMG_0011", "11:20:31.34", (12, 9, 616, 410), Took()),
            ("IMG_0012", "11:20:31.57", (13, 7, 616, 410),
             Took(coc_diameter_px=9.0, turn_deg=-0.1)),
            ("IMG_0013", "11:20:31.79", (11, 8, 616, 410),
             Took(motion_px=11.0, motion_deg=28.0, turn_deg=0.2)),
            ("IMG_0014", "11:20:32.02", (9, 10, 616, 410), Took()),
        ],
    )  # fmt: skip


def _portrait() -> list[Shot]:
    return _burst(
        "burst-2", "astronaut", _TELE, Settings(105, 2.8, Fraction(1, 80), 200),
        [
            ("IMG_0020", "12:41:05.30", (40, 4, 400, 500), Took()),
            ("IMG_0021", "12:41:05.48", (42, 5, 400, 500),
             Took(coc_diameter_px=2.6, turn_deg=-0.15)),
            ("IMG_0022", "12:41:05.83", (39, 6, 400, 500),
             Took(motion_px=9.5, motion_deg=-38.0, turn_deg=0.1)),
            ("IMG_0023", "12:41:06.21", (41, 3, 400, 500),
             Took(coc_diameter_px=8.5, turn_deg=0.2)),
        ],
    )  # fmt: skip


def _sky() -> Shot:
    return Shot(
        "IMG_0015.jpg", "china", (336, 0, 210, 140), _at("11:31:50.05"), _ONE,
        Settings(105, 8.0, Fraction(1, 250), 100), truth="cant-tell", reason="low-texture",
    )  # fmt: skip


def _raw_pair() -> list[Shot]:
    raw = Shot(
        "IMG_0030.dng", "coffee", (0, 0, 600, 400), _at("13:15:22.45"), _ONE,
        Settings(50, 4.0, Fraction(1, 100), 400), how="mosaic",
    )  # fmt: skip
    return [raw, replace(raw, file="IMG_0030.jpg")]


def _phone() -> Shot:
    return Shot(
        "IMG_7301.HEIC", "gravel", (0, 0, 512, 512), _at("13:48:09.71"), _PHONE,
        Settings(6.8, 1.8, Fraction(1, 640), 64),
    )  # fmt: skip


def _orientations() -> list[Shot]:
    upright = Shot(
        "", "chelsea", (122, 0, 225, 300), _at("15:00:00.00"), _ONE,
        Settings(85, 4.0, Fraction(1, 125), 200),
    )  # fmt: skip
    return [
        replace(
            upright,
            file=f"IMG_004{orientation}.jpg",
            orientation=orientation,
            taken_at=upright.taken_at + timedelta(minutes=3 * orientation, milliseconds=110),
        )
        for orientation in (2, 3, 4, 5, 6, 7, 8)
    ]


def _noisy() -> Shot:
    return Shot(
        "IMG_0050.jpg", "chelsea", (0, 0, 450, 300), _at("19:32:40.88"), _ONE,
        Settings(105, 4.0, Fraction(1, 125), 12_800), reason="sharp, noisy", how="mosaic",
    )  # fmt: skip


def _bracket() -> list[Shot]:
    metered = Settings(70, 5.6, Fraction(1, 30), 400)
    frame = Shot(
        "", "rocket", (0, 0, 640, 427), _at("21:10:03.10"), _ONE, metered,
        reason="bracket", group="bracket-1",
    )  # fmt: skip
    return [
        replace(
            frame,
            file=f"{file}.jpg",
            taken_at=_at(clock),
            settings=replace(metered, exposure_s=exposure_s, bias_ev=ev),
            took=Took(ev=ev, highlight_peak=3.6),
        )
        for file, clock, ev, exposure_s in (
            ("IMG_0060", "21:10:03.10", 0, Fraction(1, 30)),
            ("IMG_0061", "21:10:03.30", -2, Fraction(1, 125)),
            ("IMG_0062", "21:10:03.48", 2, Fraction(1, 8)),
        )
    ]


SHOTS: tuple[Shot, ...] = (
    *_flower(),
    *_pagoda(),
    _sky(),
    *_portrait(),
    *_raw_pair(),
    _phone(),
    *_orientations(),
    _noisy(),
    *_bracket(),
)
