from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rawpy
from PIL import Image

from focuskit.errors import PhotoUnreadableError
from focuskit.io import open_frame, read_photo, read_preview
from focuskit.io.raw import _preview_orientation
from tests.unit.io._make import DATA, exif_block, needs_data, picture


class FakeRaw:
    """What rawpy gives for a 600 × 400 sensor, as far as focuskit asks."""

    raw_type = rawpy.RawType.Flat
    white_level = 16383

    def __init__(self, flip: int = 0, thumb: object = None) -> None:
        self.sizes = SimpleNamespace(width=600, height=400, flip=flip)
        self.thumb = thumb

    def __enter__(self) -> FakeRaw:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def extract_thumb(self) -> object:
        if self.thumb is None:
            raise rawpy.LibRawNoThumbnailError(b"No thumbnail in file")
        return self.thumb

    def postprocess(self, *, half_size: bool, user_flip: int, **options: object) -> np.ndarray:
        assert user_flip == 0
        assert options["gamma"] == (1, 1)
        assert options["no_auto_bright"]
        shape = (200, 300, 3) if half_size else (400, 600, 3)
        return np.full(shape, 32768, np.uint16)


@pytest.fixture
def raw_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    def make(raw: FakeRaw) -> Path:
        monkeypatch.setattr(rawpy, "imread", lambda stream: raw)
        path = tmp_path / "a.nef"
        path.write_bytes(b"II*\0\x08\0\0\0" + bytes(64))
        return path

    return make


def jpeg(height: int, width: int, orientation: int | None = None) -> SimpleNamespace:
    buffer = io.BytesIO()
    options = {"exif": exif_block(orientation)} if orientation else {}
    Image.fromarray(picture(height, width)).save(buffer, "JPEG", **options)
    return SimpleNamespace(format=rawpy.ThumbFormat.JPEG, data=buffer.getvalue())


def test_the_preview_of_a_raw_is_taken_where_large_enough(raw_file) -> None:
    path = raw_file(FakeRaw(flip=6, thumb=jpeg(200, 300)))
    preview = read_preview(path, min_long_edge=300)
    assert (preview.width, preview.height) == (200, 300)
    assert (preview.decoded_from, preview.scale, preview.bits) == ("preview", 0.5, 8)
    assert preview.primaries == "srgb"


def test_else_a_half_size_demosaic_else_a_full_one(raw_file) -> None:
    path = raw_file(FakeRaw(thumb=jpeg(100, 150)))
    half = read_preview(path, min_long_edge=300)
    assert (half.width, half.decoded_from, half.scale, half.bits) == (300, "half-size", 0.5, 16)
    assert half.primaries == "rec2020"
    assert half.rgb[0, 0, 0] == pytest.approx(0.5, abs=1e-4)
    assert read_preview(path, min_long_edge=301).decoded_from == "full"
    assert read_photo(path).width == 600


def test_a_preview_of_plain_pixels(raw_file) -> None:
    thumb = SimpleNamespace(format=rawpy.ThumbFormat.BITMAP, data=picture(200, 300))
    assert read_preview(raw_file(FakeRaw(thumb=thumb)), min_long_edge=250).width == 300


def test_a_broken_preview_leaves_the_sensor_data(raw_file) -> None:
    thumb = SimpleNamespace(format=rawpy.ThumbFormat.JPEG, data=jpeg(300, 400).data[:900])
    preview = read_preview(raw_file(FakeRaw(thumb=thumb)), min_long_edge=250)
    assert preview.decoded_from == "half-size"


@pytest.mark.parametrize(("flip", "shape"), [(0, (400, 600)), (3, (400, 600)), (5, (600, 400))])
def test_the_sensor_picture_is_turned_by_the_flip(raw_file, flip: int, shape: object) -> None:
    assert read_photo(raw_file(FakeRaw(flip=flip))).rgb.shape[:2] == shape


@pytest.mark.parametrize(
    ("preview", "own", "orientation", "wanted"),
    [
        ((300, 200), 0, 1, 1),
        ((300, 200), 0, 6, 6),
        ((300, 200), 6, 6, 6),
        ((200, 300), 0, 6, 1),  # upright already
        ((200, 300), 1, 6, 1),
        ((200, 300), 6, 6, 1),  # upright already, and its own tag was not reset
        ((300, 200), 1, 6, 6),  # its own tag says nothing, the RAW's does
        ((300, 200), 3, 1, 3),
        ((300, 200), 0, 3, 3),
        ((300, 200), 1, 3, 1),
        ((250, 250), 0, 8, 8),
    ],
)
def test_a_preview_is_not_turned_twice(
    preview: tuple[int, int], own: int, orientation: int, wanted: int
) -> None:
    assert _preview_orientation(preview, own, (600, 400), orientation) == wanted


@needs_data
def test_a_real_raw_in_all_three_sizes() -> None:
    path = DATA / "raw/colorchart.dng"
    full, half = open_frame(path), open_frame(path, min_long_edge=800)
    assert (full.width, full.height, full.decoded_from) == (1734, 1156, "full")
    assert (half.width, half.decoded_from, half.scale) == (867, "half-size", 0.5)
    assert full.exif.camera == "Canon EOS Kiss X4"
    small = np.abs(full.photo(100).rgb - half.photo(100).rgb)
    assert small.mean() < 0.01


@needs_data
def test_a_scan_that_only_looks_like_a_raw_keeps_its_tones() -> None:
    photo = read_photo(DATA / "raw/Nikon_uncompressed.nef")
    assert photo.primaries == "srgb"
    assert 0.02 < photo.rgb.mean() < 0.2


@needs_data
def test_half_a_box_is_truncation(tmp_path: Path) -> None:
    box = (24).to_bytes(4, "big") + b"ftypcrx " + bytes(12) + (9000).to_bytes(4, "big") + b"mdat"
    (tmp_path / "a.cr3").write_bytes(box + bytes(5000))
    with pytest.raises(PhotoUnreadableError, match=r"a\.cr3"):
        read_photo(tmp_path / "a.cr3")
