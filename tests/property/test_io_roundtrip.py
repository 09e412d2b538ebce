from __future__ import annotations

import tempfile
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focuskit.color import encoding_of
from focuskit.io import open_frame, read_photo, write_photo
from focuskit.io.exif import parse_exif
from focuskit.io.frame import Frame
from focuskit.io.icc import parse_profile
from focuskit.photo import Photo, Primaries

SIZES = st.tuples(st.integers(1, 33), st.integers(1, 33))
# A code value of noise would not survive lossy formats: they get a smooth picture.
LOSSLESS = {(".png", 8): 255, (".png", 16): 65535, (".tif", 8): 255, (".tif", 16): 65535}


@pytest.mark.parametrize(("suffix", "bits"), LOSSLESS)
@settings(max_examples=25)
@given(size=SIZES, primaries=st.sampled_from(get_args(Primaries)), seed=st.integers(0, 2**32 - 1))
def test_lossless_formats_keep_every_code_value(
    suffix: str, bits: int, size: tuple[int, int], primaries: Primaries, seed: int
) -> None:
    rgb = np.random.default_rng(seed).uniform(0, 1.2, (*size, 3)).astype(np.float32)
    curve = encoding_of(primaries).curves[0]
    again = _there_and_back(Photo(rgb, primaries=primaries, bits=bits), suffix)
    assert again.primaries == primaries
    assert again.bits == bits
    wanted, found = curve.encode(np.minimum(rgb, np.float32(1))), curve.encode(again.rgb)
    # Half a step of rounding, and what the profile's 16-bit fixed-point numbers add.
    assert np.abs(wanted - found).max() <= 0.5 / LOSSLESS[suffix, bits] + 3e-5


@settings(max_examples=25)
@given(size=SIZES, primaries=st.sampled_from(get_args(Primaries)), seed=st.integers(0, 2**32 - 1))
def test_floating_point_tiff_keeps_everything(
    size: tuple[int, int], primaries: Primaries, seed: int
) -> None:
    rgb = np.random.default_rng(seed).exponential(1, (*size, 3)).astype(np.float32)
    again = _there_and_back(Photo(rgb, primaries=primaries, bits=32), ".tif")
    assert again.primaries == primaries
    assert np.array_equal(again.rgb, rgb)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".heic", ".avif"])
@settings(max_examples=8)
@given(size=SIZES, primaries=st.sampled_from(get_args(Primaries)), level=st.floats(0.05, 0.9))
def test_lossy_formats_keep_flat_colour(
    suffix: str, size: tuple[int, int], primaries: Primaries, level: float
) -> None:
    again = _there_and_back(
        Photo(np.full((*size, 3), level, np.float32), primaries=primaries), suffix
    )
    assert again.rgb.shape == (*size, 3)
    assert again.primaries == primaries
    assert np.abs(again.rgb - level).max() < 0.03


@given(
    size=SIZES,
    orientation=st.integers(1, 8),
    order=st.sampled_from(["rgb", "bgr"]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    data=st.data(),
)
def test_a_crop_is_that_part_of_the_upright_photo(
    size: tuple[int, int], orientation: int, order: str, dtype: type, data: st.DataObject
) -> None:
    samples = np.arange(size[0] * size[1] * 3).reshape(*size, 3).astype(dtype)
    frame = Frame(samples, order=order, orientation=orientation)  # type: ignore[arg-type]
    whole = frame.photo().rgb
    assert whole.shape == (frame.height, frame.width, 3)
    x, y = data.draw(st.integers(0, frame.width - 1)), data.draw(st.integers(0, frame.height - 1))
    width = data.draw(st.integers(1, frame.width - x))
    height = data.draw(st.integers(1, frame.height - y))
    part = frame.crop(x, y, width, height).rgb
    assert np.array_equal(part, whole[y : y + height, x : x + width])


@given(size=SIZES, long_edge=st.integers(1, 40), orientation=st.integers(1, 8))
def test_a_shrunk_photo_keeps_shape_range_and_flat_colour(
    size: tuple[int, int], long_edge: int, orientation: int
) -> None:
    frame = Frame(np.full((*size, 3), 100, np.uint8), orientation=orientation)
    photo = frame.photo(long_edge)
    assert max(photo.height, photo.width) == min(long_edge, max(size))
    assert np.ptp(photo.rgb) == 0


@given(st.binary(max_size=400))
def test_any_bytes_are_exif_or_none(data: bytes) -> None:
    for head in (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b""):
        parse_exif(head + data, "any")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_profile_or_srgb(data: bytes) -> None:
    head = bytes(16) + b"RGB XYZ " + bytes(12) + b"acsp"
    for profile in (data, head.ljust(128, b"\0") + data):
        parse_profile(profile, "any")


def _there_and_back(photo: Photo, suffix: str) -> Photo:
    with tempfile.TemporaryDirectory() as folder:
        path = write_photo(photo, Path(folder) / f"a{suffix}")
        assert open_frame(path).orientation == 1
        return read_photo(path)
