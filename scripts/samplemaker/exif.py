"""The EXIF data of a shot, as a TIFF directory."""

from __future__ import annotations

from fractions import Fraction

from samplemaker.shots import Shot
from samplemaker.tiff import Ifd, Value, tiff_bytes

__all__ = ["exif_block", "exif_ifd", "first_ifd_entries"]

_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED, _SRATIONAL = 2, 3, 4, 5, 7, 10
_CENTIMETRE = 3


def exif_block(shot: Shot, width: int, height: int) -> bytes:
    """Return what goes into a JPEG's APP1 segment or a HEIC's Exif item."""
    first = Ifd(first_ifd_entries(shot), exif=exif_ifd(shot, width, height))
    return b"Exif\0\0" + tiff_bytes(first)


def first_ifd_entries(shot: Shot) -> dict[int, tuple[int, Value]]:
    """Return the tags that stand in a file's first directory."""
    return {
        0x010F: (_ASCII, shot.body.make),
        0x0110: (_ASCII, shot.body.model),
        0x0112: (_SHORT, shot.orientation),
        0x011A: (_RATIONAL, Fraction(72)),
        0x011B: (_RATIONAL, Fraction(72)),
        0x0128: (_SHORT, 2),
        0x0131: (_ASCII, "focuskit make_samples.py"),
        0x0132: (_ASCII, shot.taken_at.strftime("%Y:%m:%d %H:%M:%S")),
    }


def exif_ifd(shot: Shot, width: int, height: int) -> Ifd:
    """Return the EXIF directory for a stored picture of that size."""
    settings, body = shot.settings, shot.body
    crop_factor = 36.0 / body.sensor_long_side_mm
    taken = shot.taken_at.strftime("%Y:%m:%d %H:%M:%S")
    hundredths = f"{shot.taken_at.microsecond // 10_000:02d}"
    offset = shot.taken_at.strftime("%z")
    offset = f"{offset[:3]}:{offset[3:]}"
    # Samples are crops, yet stand for whole frames: the sensor's long side spans their long side.
    per_cm = Fraction(max(width, height) * 10) / Fraction(body.sensor_long_side_mm)
    entries: dict[int, tuple[int, Value]] = {
        0x829A: (_RATIONAL, settings.exposure_s),
        0x829D: (_RATIONAL, settings.f_number),
        0x8827: (_SHORT, settings.iso),
        0x9000: (_UNDEFINED, b"0232"),
        0x9003: (_ASCII, taken),
        0x9004: (_ASCII, taken),
        0x9010: (_ASCII, offset),
        0x9011: (_ASCII, offset),
        0x9012: (_ASCII, offset),
        0x9204: (_SRATIONAL, Fraction(settings.bias_ev)),
        0x920A: (_RATIONAL, settings.focal_length_mm),
        0x9290: (_ASCII, hundredths),
        0x9291: (_ASCII, hundredths),
        0x9292: (_ASCII, hundredths),
        0xA001: (_SHORT, 1),
        0xA002: (_LONG, width),
        0xA003: (_LONG, height),
        0xA20E: (_RATIONAL, per_cm),
        0xA20F: (_RATIONAL, per_cm),
        0xA210: (_SHORT, _CENTIMETRE),
        0xA402: (_SHORT, 2 if shot.group.startswith("bracket") else 0),
        0xA405: (_SHORT, round(settings.focal_length_mm * crop_factor)),
        0xA434: (_ASCII, body.lens),
    }
    if body.serial:
        entries[0xA431] = (_ASCII, body.serial)
    if settings.focus_distance_m is not None:
        entries[0x9206] = (_RATIONAL, settings.focus_distance_m)
    return Ifd(entries)
