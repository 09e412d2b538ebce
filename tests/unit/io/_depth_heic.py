"""HEIC files with a depth image, as portrait modes write them.

pillow-heif reads depth images and writes none: it writes the two pictures, and here the boxes are
added that make the second one the first one's depth (ISO/IEC 23008-12, 6.6.2; the message about
the values is that of H.265, G.14.2.3).
"""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path

import numpy as np
import pillow_heif
from numpy.typing import NDArray

__all__ = ["DISPARITY", "DISTANCE", "INVERSE_Z", "UNEVEN_DISPARITY", "save_heic_with_depth"]

INVERSE_Z, DISPARITY, DISTANCE, UNEVEN_DISPARITY = range(4)
_DEPTH_URN = b"urn:mpeg:hevc:2015:auxid:2\0"


def save_heic_with_depth(
    path: Path,
    rgb: NDArray[np.uint8],
    depth: NDArray[np.uint8],
    *,
    kind: int | None = DISPARITY,
    z: tuple[float, float] | None = None,
    quarter_turns: int = 0,
    turn_depth: bool = True,
    exif: bytes | None = None,
) -> Path:
    """Write a photo and its depth.

    Args:
        path: to write.
        rgb: (H, W, 3), as stored.
        depth: (h, w), as stored.
        kind: what its values are; None leaves the message about them out.
        z: the nearest and the farthest distance.
        quarter_turns: counter-clockwise, which readers shall turn the photo by.
        turn_depth: whether the depth too.
        exif: block with "Exif" in front.
    """
    both = pillow_heif.from_bytes("RGB", (rgb.shape[1], rgb.shape[0]), rgb.tobytes())
    both.add_frombytes("L", (depth.shape[1], depth.shape[0]), depth.tobytes())
    file = io.BytesIO()
    both.save(file, quality=100, chroma=444, exif=exif)
    new = [_box(b"auxC", bytes(4) + _DEPTH_URN + (b"" if kind is None else _message(kind, z)))]
    if quarter_turns:
        new.append(_box(b"irot", bytes([quarter_turns])))
    path.write_bytes(_with_boxes(file.getvalue(), new, quarter_turns > 0, turn_depth))
    return path


def _with_boxes(data: bytes, new: list[bytes], turned: bool, turn_depth: bool) -> bytes:
    boxes = dict(_boxes(data))
    meta = dict(_boxes(boxes[b"meta"][4:]))
    properties = dict(_boxes(meta[b"iprp"]))
    first = len(list(_boxes(properties[b"ipco"]))) + 1
    photo, depth = _pictures(meta[b"iinf"])
    added = {photo: [first + 1] if turned else [], depth: [first]}
    if turned and turn_depth:
        added[depth].append(first + 1)
    ipma = _associated(properties[b"ipma"], added, essential=first + 1)
    ipco = properties[b"ipco"] + b"".join(new)
    meta[b"iprp"] = _box(b"ipco", ipco) + _box(b"ipma", ipma)
    reference = _box(b"auxl", struct.pack(">HHH", depth, 1, photo))
    meta[b"iref"] = meta.get(b"iref", bytes(4)) + reference
    length = sum(8 + len(part) for part in meta.values()) + 12
    shift = length - (8 + len(boxes[b"meta"]))
    meta[b"iloc"] = _moved(meta[b"iloc"], shift)
    boxes[b"meta"] = bytes(4) + b"".join(_box(name, part) for name, part in meta.items())
    return b"".join(_box(name, part) for name, part in boxes.items())


def _pictures(iinf: bytes) -> list[int]:
    entries = (entry for _, entry in _boxes(iinf[6:]))
    return [int.from_bytes(entry[4:6], "big") for entry in entries if entry[8:12] == b"hvc1"]


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    at, found = 0, []
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        found.append((name, data[at + 8 : at + size]))
        at += size
    return found


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), name) + data


def _associated(ipma: bytes, added: dict[int, list[int]], *, essential: int) -> bytes:
    (count,) = struct.unpack_from(">I", ipma, 4)
    at, result = 8, ipma[:8]
    for _ in range(count):
        item, has = struct.unpack_from(">HB", ipma, at)
        more = bytes(index | (0x80 if index == essential else 0) for index in added.get(item, []))
        result += struct.pack(">HB", item, has + len(more)) + ipma[at + 3 : at + 3 + has] + more
        at += 3 + has
    return result


def _moved(iloc: bytes, shift: int) -> bytes:
    """Add to the base offset of every item; version 0, four bytes each, as pillow-heif writes."""
    moved = bytearray(iloc)
    (count,) = struct.unpack_from(">H", iloc, 6)
    at = 8
    for _ in range(count):
        base, extents = struct.unpack_from(">IH", moved, at + 4)
        struct.pack_into(">I", moved, at + 4, base + shift)
        at += 10 + 8 * extents
    return bytes(moved)


def _message(kind: int, z: tuple[float, float] | None) -> bytes:
    bits = ("11" if z else "00") + "00" + _exp_golomb(kind)
    for value in z or ():
        bits += _float(value)
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    payload = int(bits, 2).to_bytes(len(bits) // 8, "big")
    unit = bytes([39 << 1, 1, 177, len(payload)]) + payload
    return struct.pack(">II", len(unit) + 4, len(unit)) + unit


def _exp_golomb(value: int) -> str:
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def _float(value: float) -> str:
    """Sign, exponent + 31, length of the mantissa - 1, and 23 bits of it."""
    fraction, exponent = math.frexp(value)
    mantissa = round((fraction * 2 - 1) * 2**23)
    return f"0{exponent - 1 + 31:07b}{22:05b}{mantissa:023b}"
