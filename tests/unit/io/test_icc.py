from __future__ import annotations

import io
import logging
import struct
import zlib
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from focuskit.color import HLG_CURVE, LINEAR_CURVE, PQ_CURVE, encoding_of
from focuskit.io import containers, read_photo
from focuskit.io.icc import build_profile, needs_lut, parse_profile
from focuskit.photo import Primaries
from tests.unit.io._make import picture, save

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def profile(space: bytes, **tags: bytes) -> bytes:
    """A profile of these tags; nothing else in it is right."""
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name.encode(), start + len(body), len(data))
        body += data
    header = bytes(16) + space + b"XYZ " + bytes(12) + b"acsp"
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def curv(*values: int) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *values)


def para(kind: int, *values: float) -> bytes:
    fixed = (round(value * 65536) for value in values)
    return b"para\0\0\0\0" + struct.pack(f">HH{len(values)}i", kind, 0, *fixed)


def rgb_profile(curve: bytes, colorants: np.ndarray | None = None, **tags: bytes) -> bytes:
    if colorants is None:
        colorants = np.array(
            [[0.436, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]]
        )
    xyz = [
        b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in row))
        for row in colorants
    ]
    named = dict(zip(("rXYZ", "gXYZ", "bXYZ"), xyz, strict=True))
    return profile(b"RGB ", **named, rTRC=curve, gTRC=curve, bTRC=curve, **tags)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("primaries", get_args(Primaries))
def test_what_is_built_is_read_back(primaries: Primaries, linear: bool) -> None:
    built = build_profile(primaries, linear=linear)
    encoding = parse_profile(built, "a")
    assert (encoding.primaries, encoding.matrix) == (primaries, None)
    wanted = LINEAR_CURVE if linear else encoding_of(primaries).curves[0]
    steps = np.linspace(0, 1, 256, dtype=np.float32)
    assert np.abs(encoding.curves[1].linearise(steps) - wanted.linearise(steps)).max() < 2e-5


@pytest.mark.parametrize("primaries", get_args(Primaries))
def test_littlecms_sees_the_same_colours_in_what_is_built(primaries: Primaries) -> None:
    source = ImageCms.ImageCmsProfile(io.BytesIO(build_profile(primaries)))
    target = ImageCms.createProfile("sRGB")
    gray = Image.fromarray(np.full((1, 1, 3), 128, np.uint8))
    out = np.asarray(ImageCms.profileToProfile(gray, source, target, outputMode="RGB"))
    linear = encoding_of(primaries).curves[0].linearise(np.array([128 / 255], np.float32))
    wanted = encoding_of("srgb").curves[0].encode(linear)[0] * 255
    assert np.abs(out.astype(float) - wanted).max() <= 1


def test_the_usual_srgb_profile() -> None:
    encoding = parse_profile(SRGB, "a")
    assert (encoding.primaries, encoding.matrix) == ("srgb", None)
    assert not needs_lut(SRGB)


@pytest.mark.parametrize(
    ("curve", "wanted"),
    [
        (curv(), 0.5),
        (curv(round(2.2 * 256)), 0.5**2.2),
        (curv(0, 16384, 65535), 0.25),
        (para(0, 1.8), 0.5**1.8),
        (para(1, 2.0, 1.0, -0.25), 0.25**2),
        (para(2, 2.0, 1.0, -0.25, 0.125), 0.25**2 + 0.125),
        (para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045), 0.21404),
        (para(4, 2.0, 1.0, 0.0, 1.0, 0.1, 0.0625, 0.0), 0.3125),
    ],
)
def test_every_kind_of_curve(curve: bytes, wanted: float) -> None:
    encoding = parse_profile(rgb_profile(curve), "a")
    assert encoding.primaries == "srgb"
    found = encoding.curves[2].linearise(np.array([0.5], np.float32))[0]
    assert found == pytest.approx(wanted, abs=5e-3)


def test_other_colorants_lead_to_rec2020() -> None:
    generic = np.array(
        [[0.4543, 0.2419, 0.0149], [0.3533, 0.6736, 0.0906], [0.1566, 0.0845, 0.7195]]
    )
    encoding = parse_profile(rgb_profile(curv(), generic), "a")
    assert encoding.primaries == "rec2020"
    assert np.array(encoding.matrix).reshape(3, 3).sum(axis=1) == pytest.approx([1, 1, 1], abs=2e-3)


def test_colorants_that_forgot_the_adaptation_to_d50() -> None:
    d65 = np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    assert parse_profile(rgb_profile(curv(), d65), "a").primaries == "srgb"


@pytest.mark.parametrize(("code", "curve"), [(16, PQ_CURVE), (18, HLG_CURVE)])
def test_hdr_profiles_by_their_code_points(code: int, curve: object) -> None:
    cicp = b"cicp\0\0\0\0" + bytes((12, code, 0, 1))
    assert parse_profile(rgb_profile(curv(), cicp=cicp), "a").curves[0] == curve


def test_gray_profiles(tmp_path: Path) -> None:
    icc = profile(b"GRAY", kTRC=curv(256))
    path = save(tmp_path / "a.jpg", np.full((8, 8), 128, np.uint8), icc_profile=icc, quality=100)
    assert read_photo(path).rgb[0, 0] == pytest.approx([128 / 255] * 3, abs=0.004)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"nonsense" * 40,
        SRGB[:200],
        rgb_profile(b"mft1" + bytes(20)),
        rgb_profile(curv(65535, 0, 0)),
        rgb_profile(para(9, 1.0)),
        rgb_profile(para(3, 0.0, 0.0, 0.0, 0.0, 0.0)),
        rgb_profile(curv(), np.zeros((3, 3))),
        profile(b"CMYK"),
        profile(b"GRAY"),
    ],
)
def test_a_broken_profile_is_srgb_and_said_so(
    broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        encoding = parse_profile(broken, "odd.jpg")
    assert encoding == encoding_of("srgb")
    assert "odd.jpg" in caplog.text


def test_profiles_of_tables_go_through_littlecms(tmp_path: Path) -> None:
    lut = profile(b"RGB ", A2B0=b"mft2" + bytes(60))
    assert needs_lut(lut)
    for name in ("a.png", "a.jpg", "a.tif"):
        path = save(tmp_path / name, picture(), icc_profile=lut)
        assert read_photo(path).primaries == "srgb"  # the tables are damaged: a guess, no crash


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_the_profile_of_every_format_is_found(tmp_path: Path, suffix: str) -> None:
    icc = build_profile("prophoto")
    path = save(tmp_path / f"a.{suffix}", picture(), icc_profile=icc)
    assert read_photo(path).primaries == "prophoto"


@pytest.mark.parametrize(
    ("chunks", "primaries", "linear"),
    [
        ({b"gAMA": struct.pack(">I", 45455)}, "srgb", 0.2140),
        ({b"gAMA": struct.pack(">I", 100_000)}, "srgb", 0.5),
        ({b"sRGB": b"\0", b"gAMA": struct.pack(">I", 100_000)}, "srgb", 0.2140),
        ({b"cICP": bytes((9, 8, 0, 1))}, "rec2020", 0.5),
        ({b"cICP": bytes((12, 13, 0, 1))}, "display-p3", 0.2140),
        (
            {
                b"gAMA": struct.pack(">I", 45455),
                b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000),
            },
            "adobe-rgb",
            0.2140,
        ),
    ],
)
def test_png_without_profile(
    tmp_path: Path, chunks: dict[bytes, bytes], primaries: str, linear: float
) -> None:
    extra = PngImagePlugin.PngInfo()
    for name, data in chunks.items():
        extra.add(name, data)
    path = save(tmp_path / "a.png", np.full((2, 2, 3), 128, np.uint8), pnginfo=extra)
    photo = read_photo(path)
    assert photo.primaries == primaries
    assert photo.rgb[0, 0, 0] == pytest.approx(linear, abs=0.004)


def test_a_png_profile_that_does_not_unpack(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", picture(), icc_profile=SRGB)
    data = path.read_bytes()
    at = data.index(b"iCCP")
    size = int.from_bytes(data[at - 4 : at], "big")
    body = b"iCCPname\0\0" + bytes(size - 6)
    chunk = body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(data[:at] + chunk + data[at + 4 + size + 4 :])
    assert read_photo(path).primaries == "srgb"


def test_the_colour_box_of_avif() -> None:
    box = b"....colrnclx" + struct.pack(">HHHB", 9, 16, 9, 128)
    assert containers._nclx(box) == encoding_of("rec2020", PQ_CURVE)
    assert containers._nclx(b"nothing") is None
