"""The same photo stored in eight orientations is about the same place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from focuskit.batch.judge import Judge, Judgement
from focuskit.batch.library import find_shots
from focuskit.io.exif import parse_exif
from tests.scenes import SAMPLES, make_scene
from tests.unit.io._notes import canon

TURNS = range(1, 9)
# What turns an upright picture back into the one that is stored.
_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def _stored(upright: Image.Image, orientation: int) -> Image.Image:
    turn = _STORED[orientation]
    return upright if turn is None else upright.transpose(turn)


def _area(orientation: int, *area: int, size: tuple[int, int]) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    sub = exif.get_ifd(0x8769)
    sub[0x9214], (sub[0xA002], sub[0xA003]) = area, size
    return exif.tobytes().removeprefix(b"Exif\0\0")


@given(st.sampled_from(TURNS), st.integers(1, 59), st.integers(1, 39))
def test_what_was_focused_on_turns_with_the_picture(orientation: int, x: int, y: int) -> None:
    """Compared with the way in which Pillow turns a picture that is black but for the point."""
    spot = np.zeros((40, 60), np.uint8)
    spot[y, x] = 255
    image = Image.fromarray(spot)
    image.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    row, column = np.argwhere(upright)[0]
    middle = (column + 0.5) / upright.shape[1], (row + 0.5) / upright.shape[0]

    note = canon(
        b"Canon EOS R6", 100 * x + 50 - 3000, 2000 - (100 * y + 50), orientation=orientation
    )
    area = _area(orientation, 100 * x + 50, 100 * y + 50, 450, 200, size=(6000, 4000))

    assert parse_exif(note, "a.jpg", size=(6000, 4000)).focus_point == pytest.approx(middle)
    found = parse_exif(area, "a.jpg", size=(6000, 4000))
    assert found.focus_point == pytest.approx(middle)
    area = 450 / 6000, 200 / 4000
    assert found.focus_area == pytest.approx(area[::-1] if orientation > 4 else area)


def _judged(folder: Path, upright: Image.Image, orientation: int, block: bytes) -> Judgement:
    path = folder / f"{orientation}.png"
    _stored(upright, orientation).save(path, exif=b"Exif\0\0" + block)
    (shot,) = find_shots([path]).shots
    return Judge()(shot)


@pytest.mark.parametrize("kind", ["maker's notes", "SubjectArea"])
def test_eight_orientations_of_one_photo_are_judged_in_one_place(tmp_path: Path, kind: str) -> None:
    upright = Image.fromarray((make_scene(400, 600, 5) * 255).astype(np.uint8))
    found = []
    for orientation in TURNS:
        # The camera writes where the point lies in the picture as stored.
        spot = Image.new("L", (60, 40))
        spot.putpixel((15, 28), 255)
        stored = np.asarray(_stored(spot, orientation))
        (row, column), (height, width) = np.argwhere(stored)[0].tolist(), stored.shape
        x, y = 100 * column + 50, 100 * row + 50
        block = _area(orientation, x, y, size=(100 * width, 100 * height))
        if kind == "maker's notes":
            size = 100 * width, 100 * height
            block = canon(
                b"Canon EOS R6",
                x - size[0] // 2,
                size[1] // 2 - y,
                orientation=orientation,
                size=size,
            )
        judged = _judged(tmp_path, upright, orientation, block)
        found.append((judged.measures.region, judged.measures["edge_width"]))

    regions, widths = zip(*found, strict=True)
    assert {region.kind for region in regions} == {"AF point"}
    for region in regions[1:]:
        assert abs(region.x - regions[0].x) <= 1
        assert abs(region.y - regions[0].y) <= 1
    assert (regions[0].x + regions[0].width / 2) / 600 == pytest.approx(15.5 / 60, abs=0.01)
    assert (regions[0].y + regions[0].height / 2) / 400 == pytest.approx(28.5 / 40, abs=0.01)
    assert np.allclose(widths, widths[0], rtol=0.03)


@pytest.mark.parametrize("name", ["IMG_0020", "IMG_0042"])
def test_what_the_picture_itself_tells_does_not_depend_on_how_it_is_stored(
    tmp_path: Path, name: str
) -> None:
    upright = ImageOps.exif_transpose(Image.open(SAMPLES / f"{name}.jpg")).convert("RGB")
    found = []
    for orientation in TURNS:
        exif = Image.Exif()
        exif[0x0112] = orientation
        block = exif.tobytes().removeprefix(b"Exif\0\0")
        found.append(_judged(tmp_path, upright, orientation, block).measures)

    for measures in found[1:]:
        region, first = measures.region, found[0].region
        assert region.kind == first.kind != "AF point"
        assert (region.width, region.height) == (first.width, first.height)
        assert abs(region.x - first.x) <= 2
        assert abs(region.y - first.y) <= 2
        assert measures["edge_width"] == pytest.approx(found[0]["edge_width"], rel=0.02)
