"""ICC profiles: what a file's profile means for linear light, and a profile for what we write."""

from __future__ import annotations

import io
import logging
import struct
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from focuskit.color import (
    HLG_CURVE,
    LINEAR_CURVE,
    PQ_CURVE,
    Curve,
    Encoding,
    encoding_of,
    encoding_of_xyz,
    gamma_curve,
    rgb_to_xyz_d50,
)
from focuskit.photo import Primaries

__all__ = ["ProfileError", "build_profile", "exact_encoding", "needs_lut", "parse_profile"]
__all__ += ["to_srgb"]

_LOG = logging.getLogger(__name__)
_DAMAGED = (ValueError, IndexError, KeyError, struct.error, OverflowError, ZeroDivisionError)
_NAMES: dict[Primaries, str] = {
    "srgb": "sRGB",
    "display-p3": "Display P3",
    "adobe-rgb": "Adobe RGB (1998) compatible",
    "prophoto": "ProPhoto RGB",
    "rec2020": "Rec. 2020",
}
# CICP transfer characteristics, ITU-T H.273 table 3.
_PQ, _HLG = 16, 18


def parse_profile(profile: bytes, name: str) -> Encoding:
    """Return how samples under this profile become linear light.

    Args:
        profile: an ICC profile for RGB or gray.
        name: the file, for the log.

    Returns:
        Matrix and gray profiles exactly; sRGB, with a logged warning, for a damaged one.
    """
    try:
        return exact_encoding(profile)
    except ProfileError as exc:
        _LOG.warning("%s: its ICC profile %s; read as sRGB.", name, exc)
        return Encoding()


class ProfileError(ValueError):
    """A profile does not tell by curves and colorants what samples mean; the text is a clause."""


def exact_encoding(profile: bytes) -> Encoding:
    """Return what a matrix or gray profile says, for callers who must not guess.

    Raises:
        ProfileError: it is damaged, or says something else.
    """
    try:
        encoding = _parse(profile)
    except _DAMAGED as exc:
        raise ProfileError(f"is damaged ({exc})") from exc
    if encoding is None:
        raise ProfileError("has no usable colorants")
    return encoding


def needs_lut(profile: bytes) -> bool:
    """Return whether only the profile's tables tell its colours: no RGB matrix, no gray curve."""
    try:
        tags = _tags(profile)
    except _DAMAGED:
        return False
    space = profile[16:20]
    if space == b"GRAY":
        return False
    return "A2B0" in tags and (space != b"RGB " or "rXYZ" not in tags)


def to_srgb(image: Image.Image, profile: bytes, name: str) -> NDArray[np.uint8]:
    """Return (H, W, 3) sRGB samples of a picture by its profile's tables, perceptual, 8 bit.

    Args:
        image: a picture in the profile's own space: RGB, CMYK or LAB.
        profile: its ICC profile; without use, the naive conversion is taken and a warning logged.
        name: the file, for the log.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError) as exc:
        _LOG.warning("%s: its ICC profile cannot be used (%s); colours are a guess.", name, exc)
        converted = image.convert("RGB")
    if converted is None:
        converted = image.convert("RGB")
    return np.asarray(converted, np.uint8)


def _tags(profile: bytes) -> dict[str, bytes]:
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise ValueError("it lacks the 'acsp' signature")
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > 200:
        raise ValueError(f"it claims {count} tags")
    tags: dict[str, bytes] = {}
    for index in range(count):
        signature, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if offset + size > len(profile):
            raise ValueError("a tag lies outside of it")
        tags[signature.decode("latin-1")] = profile[offset : offset + size]
    return tags


def _parse(profile: bytes) -> Encoding | None:
    tags = _tags(profile)
    if profile[16:20] == b"GRAY":
        curve = _curve(tags["kTRC"])
        return Encoding(curves=(curve, curve, curve))
    if profile[16:20] != b"RGB ":
        raise ValueError(f"it is for {profile[16:20]!r} and not for RGB")
    colorants = np.array([_xyz(tags[tag]) for tag in ("rXYZ", "gXYZ", "bXYZ")]).T
    curves = _cicp_curve(tags)
    if curves is None:
        red, green, blue = (_curve(tags[tag]) for tag in ("rTRC", "gTRC", "bTRC"))
        curves = (red, green, blue)
    return encoding_of_xyz(colorants, curves)


def _cicp_curve(tags: dict[str, bytes]) -> tuple[Curve, Curve, Curve] | None:
    # ICC.1:2022 9.2.17: HDR profiles carry this beside tables that map their tones down.
    transfer = tags["cicp"][9] if "cicp" in tags else 0
    curve = {_PQ: PQ_CURVE, _HLG: HLG_CURVE}.get(transfer)
    return None if curve is None else (curve, curve, curve)


def _xyz(tag: bytes) -> tuple[float, float, float]:
    x, y, z = struct.unpack_from(">iii", tag, 8)
    return x / 65536, y / 65536, z / 65536


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        return _parametric(tag)
    if tag[:4] != b"curv":
        raise ValueError(f"a curve is of type {tag[:4]!r}")
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return LINEAR_CURVE
    values = struct.unpack_from(f">{count}H", tag, 12) if count <= 65536 else ()
    if count == 1:
        return gamma_curve(values[0] / 256)
    if not values or values[-1] <= values[0]:
        raise ValueError("a curve does not rise")
    return Curve("sampled", tuple(value / 65535 for value in values))


def _parametric(tag: bytes) -> Curve:
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind > 4:
        raise ValueError(f"a parametric curve is of kind {kind}")
    count = (1, 3, 4, 5, 7)[kind]
    p = [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)]
    if kind == 0:
        return gamma_curve(p[0])
    if kind in (1, 2):
        # Below its zero the curve is constant: 0, or the offset c.
        g, a, b, offset = (*p, 0.0)[:4]
        return Curve("parametric", (g, a, b, 0.0, -b / a, offset, offset))
    g, a, b, c, d, e, f = (*p, 0.0, 0.0)[:7]
    if a <= 0 or g <= 0:
        raise ValueError("a parametric curve does not rise")
    return Curve("parametric", (g, a, b, c, d, e, f))


@lru_cache(maxsize=16)
def build_profile(primaries: Primaries, *, linear: bool = False) -> bytes:
    """Return a small version 4 matrix profile for samples in `primaries`.

    Args:
        primaries: the colour space.
        linear: for samples that are linear light, else for the space's own curve.
    """
    name = _NAMES[primaries] + (", linear" if linear else "")
    curve = encoding_of(primaries, LINEAR_CURVE if linear else None).curves[0]
    colorants = rgb_to_xyz_d50(primaries).T
    trc = _curve_tag(curve)
    tags = [
        (b"desc", _text_tag(f"{name} (focuskit)")),
        (b"cprt", _text_tag("No copyright, use freely")),
        (b"wtpt", _xyz_tag((0.9642, 1.0, 0.8249))),
        (b"rXYZ", _xyz_tag(colorants[0])),
        (b"gXYZ", _xyz_tag(colorants[1])),
        (b"bXYZ", _xyz_tag(colorants[2])),
        (b"rTRC", trc),
        (b"gTRC", trc),
        (b"bTRC", trc),
    ]
    return _assemble(tags)


def _assemble(tags: list[tuple[bytes, bytes]]) -> bytes:
    table, body, placed = b"", b"", dict[bytes, int]()
    start = 128 + 4 + 12 * len(tags)
    for code, data in tags:
        if data not in placed:
            placed[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", code, placed[data], len(data))
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sIIIQI3i4s",
        *(start + len(body), b"\0\0\0\0", 0x04200000, b"mntr", b"RGB ", b"XYZ "),
        *(2026, 1, 1, 0, 0, 0, b"acsp", b"\0\0\0\0", 0, 0, 0, 0, 1),
        *(_fixed(value) for value in (0.9642, 1.0, 0.8249)),
        b"\0\0\0\0",
    )
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(value: float) -> int:
    return round(value * 65536)


def _xyz_tag(xyz: Any) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(_fixed(value) for value in xyz))


def _text_tag(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded


def _curve_tag(curve: Curve) -> bytes:
    g, a, b, c, d, _, _ = curve.numbers
    if d == 0:
        return b"para\0\0\0\0" + struct.pack(">HHi", 0, 0, _fixed(g))
    return b"para\0\0\0\0" + struct.pack(">HH5i", 3, 0, *(_fixed(v) for v in (g, a, b, c, d)))
