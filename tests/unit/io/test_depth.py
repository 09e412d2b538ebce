"""Depth images inside HEIC files, read by the real decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray

from focuskit.errors import PhotoTooLargeError, PhotoUnreadableError
from focuskit.io import read_embedded_depth, read_photo
from tests.scenes import SAMPLES
from tests.unit.io._depth_heic import (
    DISPARITY,
    DISTANCE,
    INVERSE_Z,
    UNEVEN_DISPARITY,
    save_heic_with_depth,
)
from tests.unit.io._make import exif_block, picture

WITHIN = 3 / 255


@pytest.fixture(scope="module")
def ramp() -> NDArray[np.uint8]:
    """Nearest at the right, as disparity."""
    return np.tile(np.linspace(0, 255, 48), (32, 1)).astype(np.uint8)


@pytest.mark.parametrize("kind", [DISPARITY, INVERSE_Z, UNEVEN_DISPARITY, None])
def test_disparities_are_turned_round(
    tmp_path: Path, ramp: NDArray[np.uint8], kind: int | None
) -> None:
    path = save_heic_with_depth(tmp_path / "a.heic", picture(64, 96), ramp, kind=kind)

    depth = read_embedded_depth(path)

    assert depth is not None
    assert depth.of_steps
    assert depth.values.dtype == np.float32
    assert depth.values.shape == (32, 48)
    assert np.abs(depth.values - (1 - ramp / 255)).max() < WITHIN


def test_distances_stay_distances_where_their_range_is_known(
    tmp_path: Path, ramp: NDArray[np.uint8]
) -> None:
    known = save_heic_with_depth(
        tmp_path / "known.heic", picture(64, 96), ramp, kind=DISTANCE, z=(0.5, 8.25)
    )
    open_ended = save_heic_with_depth(tmp_path / "no.heic", picture(64, 96), ramp, kind=DISTANCE)

    metres, steps = read_embedded_depth(known), read_embedded_depth(open_ended)

    assert metres is not None
    assert steps is not None
    assert (metres.of_steps, steps.of_steps) == (False, True)
    assert np.abs(metres.values - (0.5 + 7.75 * ramp / 255)).max() < 7.75 * WITHIN
    assert np.abs(steps.values - ramp / 255).max() < WITHIN


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_depth_is_upright_with_its_photo(
    tmp_path: Path, ramp: NDArray[np.uint8], turns: int
) -> None:
    rgb = picture(64, 96)
    path = save_heic_with_depth(tmp_path / "a.heic", rgb, ramp, quarter_turns=turns)

    photo, depth = read_photo(path), read_embedded_depth(path)

    assert depth is not None
    assert photo.rgb.shape[:2] == np.rot90(rgb, turns).shape[:2]
    assert np.abs(depth.values - np.rot90(1 - ramp / 255, turns)).max() < WITHIN


def test_the_photo_around_it_reads_as_ever(tmp_path: Path, ramp: NDArray[np.uint8]) -> None:
    block = exif_block(1)
    path = save_heic_with_depth(tmp_path / "a.heic", picture(64, 96), ramp, exif=block)
    plain = tmp_path / "plain.heic"
    pillow_heif.from_bytes("RGB", (96, 64), picture(64, 96).tobytes()).save(
        plain, quality=100, chroma=444, exif=block
    )

    photo, alone = read_photo(path), read_photo(plain)

    assert np.array_equal(photo.rgb, alone.rgb)
    assert photo.exif == alone.exif
    assert photo.exif.f_number == 2.8
    assert read_embedded_depth(path) is not None


def test_other_photos_hold_none(tmp_path: Path) -> None:
    plain = tmp_path / "plain.heic"
    pillow_heif.from_bytes("RGB", (96, 64), picture(64, 96).tobytes()).save(plain)

    assert read_embedded_depth(plain) is None
    assert read_embedded_depth(SAMPLES / "IMG_0001.jpg") is None


def test_damage_and_size_are_sentences(tmp_path: Path, ramp: NDArray[np.uint8]) -> None:
    path = save_heic_with_depth(tmp_path / "a.heic", picture(64, 96), ramp)
    data = path.read_bytes()
    cut = tmp_path / "cut.heic"
    cut.write_bytes(data[:-40])
    # The picture data of the depth comes last.
    garbled = tmp_path / "garbled.heic"
    garbled.write_bytes(data[:-200] + bytes(200))

    with pytest.raises(PhotoUnreadableError, match="truncated"):
        read_embedded_depth(cut)
    with pytest.raises(PhotoTooLargeError):
        read_embedded_depth(path, max_megapixels=0.001)
    with pytest.raises(PhotoUnreadableError, match="does not exist"):
        read_embedded_depth(tmp_path / "nowhere.heic")
    with pytest.raises(PhotoUnreadableError, match="depth image in it is damaged"):
        read_embedded_depth(garbled)
    assert read_photo(garbled).rgb.shape == (64, 96, 3)
