"""Maps, circles of confusion, depths and masks from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from focuskit.batch.fitting import blurred_where_told
from focuskit.batch.guides import Guides
from focuskit.batch.library import Shot
from focuskit.batch.maps import MapMaker
from focuskit.batch.naming import named
from focuskit.batch.places import Spot
from focuskit.blurmap import BlurMap
from focuskit.detect import DETECTORS
from focuskit.errors import InputError, PhotoUnreadableError, RangeError, ShapeError
from focuskit.io import read_gray, read_photo
from focuskit.photo import Exif, Photo
from tests.scenes import SAMPLES
from tests.unit.io._depth_heic import DISTANCE, save_heic_with_depth
from tests.unit.io._make import picture

SHOT = Shot("IMG_0001.jpg", SAMPLES / "IMG_0001.jpg", (SAMPLES / "IMG_0001.jpg",))
HEIGHT, WIDTH = 60, 80


@pytest.fixture
def photo() -> Photo:
    return Photo(np.full((HEIGHT, WIDTH, 3), 0.2, np.float32))


def save(path: Path, values: NDArray[np.generic]) -> Path:
    if values.dtype == np.float32:
        tifffile.imwrite(path, values)
    else:
        cv2.imwrite(str(path), values)
    return path


def halves(
    low: float, high: float, kind: type[np.generic], height: int = HEIGHT, width: int = WIDTH
) -> NDArray[np.generic]:
    """Low on the left, high on the right."""
    values = np.full((height, width), low, kind)
    values[:, width // 2 :] = high
    return values


def guessed(photo: Photo) -> BlurMap:
    """A detector that finds a little blur everywhere."""
    ones = np.ones((photo.height, photo.width), np.float32)
    return BlurMap(ones * 0.5, ones * 2, ones * 0.8)


def refuse(photo: Photo) -> BlurMap:
    raise AssertionError("the detector was asked")


def test_without_files_the_detector_says_all(photo: Photo) -> None:
    told = Guides().tell(SHOT, photo, guessed)

    assert told.sources == ("detector",)
    assert not told.painted
    assert np.array_equal(told.blur_map.coc_diameter_px, guessed(photo).coc_diameter_px)


@pytest.mark.parametrize(("kind", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_a_painted_map_replaces_the_probability_alone(
    photo: Photo, tmp_path: Path, kind: type[np.generic], white: float
) -> None:
    suffix = ".tif" if kind is np.float32 else ".png"
    path = save(tmp_path / f"mine{suffix}", halves(white, 0, kind))

    told = Guides(map=path).tell(SHOT, photo, guessed)

    assert told.painted
    assert told.sources == (str(path), "detector")
    assert np.array_equal(told.blur_map.in_focus_probability, halves(1, 0, np.float32))
    assert np.array_equal(told.blur_map.coc_diameter_px, guessed(photo).coc_diameter_px)
    assert np.array_equal(told.blur_map.confidence, guessed(photo).confidence)


@pytest.mark.parametrize("by_folder", [False, True])
def test_what_detect_wrote_gives_the_detectors_map_again(tmp_path: Path, by_folder: bool) -> None:
    MapMaker(tmp_path, "reblur")(named([SHOT])[0])
    photo = read_photo(SHOT.judged)
    expected = DETECTORS.get("reblur")(photo)
    path = tmp_path if by_folder else tmp_path / "IMG_0001.jpg-map.png"

    told = Guides(map=path).tell(SHOT, photo, refuse)

    found = told.blur_map
    assert len(told.sources) == 3
    assert np.abs(found.in_focus_probability - expected.in_focus_probability).max() < 1e-4
    assert np.abs(found.coc_diameter_px - expected.coc_diameter_px).max() < 0.01
    assert np.abs(found.confidence - expected.confidence).max() < 0.003


def test_a_folder_without_the_map_is_a_sentence(photo: Photo, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no map .*IMG_0001.jpg-map.png"):
        Guides(map=tmp_path).tell(SHOT, photo, guessed)


def test_a_circle_of_confusion_alone_says_what_is_in_focus(photo: Photo, tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", halves(0, 8 * 64, np.uint16))

    told = Guides(coc=path).tell(SHOT, photo, refuse)

    assert not told.painted
    assert np.array_equal(told.blur_map.coc_diameter_px, halves(0, 8, np.float32))
    assert np.array_equal(told.blur_map.in_focus_probability, halves(1, 0, np.float32))
    assert told.blur_map.confidence.min() == 1


def test_a_circle_of_confusion_is_scaled_with_its_picture(photo: Photo, tmp_path: Path) -> None:
    double = halves(0, 8, np.float32, 2 * HEIGHT, 2 * WIDTH)

    told = Guides(coc=save(tmp_path / "x.tif", double)).tell(SHOT, photo, refuse)

    assert told.blur_map.coc_diameter_px[:, -1] == pytest.approx(4)
    assert told.blur_map.in_focus_probability[:, -1] == pytest.approx(0)


@pytest.mark.parametrize("stem", ["x", "x.png", "x-map.png", "x.y"])
def test_files_beside_are_found_by_name(photo: Photo, tmp_path: Path, stem: str) -> None:
    save(tmp_path / f"{stem}-map.png", halves(255, 0, np.uint8))
    save(tmp_path / f"{stem}-confidence.png", halves(255, 51, np.uint8))
    path = save(tmp_path / f"{stem}-coc.png", halves(0, 640, np.uint16))

    for guides in (Guides(coc=path), Guides(map=tmp_path / f"{stem}-map.png")):
        told = guides.tell(SHOT, photo, refuse)

        assert told.painted
        assert np.array_equal(told.blur_map.in_focus_probability, halves(1, 0, np.float32))
        assert told.blur_map.coc_diameter_px.max() == 10
        assert told.blur_map.confidence.min() == pytest.approx(0.2)


@pytest.mark.parametrize("option", ["map", "coc", "depth", "mask"])
def test_another_proportion_is_refused_and_turning_is_named(
    photo: Photo, tmp_path: Path, option: str
) -> None:
    values = halves(0, 65535, np.uint16, HEIGHT, WIDTH + 2)
    wrong = Guides(**{option: save(tmp_path / "wrong.png", values)})
    turned = Guides(**{option: save(tmp_path / "turned.png", np.rot90(halves(0, 9, np.uint16)))})

    def use(guides: Guides) -> None:
        guides.protect(photo)
        guides.tell(SHOT, photo, guessed)

    with pytest.raises(ShapeError, match=r"is 82×60 pixels, the photo 80×60.*same proportion"):
        use(wrong)
    with pytest.raises(ShapeError, match=r"is 60×80 .*portrait, the photo landscape.*Turn it"):
        use(turned)


@pytest.mark.parametrize("size", [(30, 40), (120, 160), (61, 81), (600, 799)])
def test_another_size_of_the_same_proportion_fits(
    photo: Photo, tmp_path: Path, size: tuple[int, int]
) -> None:
    path = save(tmp_path / "m.png", halves(255, 0, np.uint8, *size))

    mask = Guides(mask=path).protect(photo)

    assert mask is not None
    assert mask.shape == (HEIGHT, WIDTH)
    assert (mask[:, :36] == 1).all()
    assert (mask[:, 44:] == 0).all()


def test_a_mask_that_protects_everything_is_refused(photo: Photo, tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", halves(255, 255, np.uint8))

    assert Guides().protect(photo) is None
    with pytest.raises(InputError, match="white everywhere"):
        Guides(mask=path).protect(photo)


def test_wrong_values_are_refused(photo: Photo, tmp_path: Path) -> None:
    eight = save(tmp_path / "eight.png", halves(0, 200, np.uint8))
    percent = save(tmp_path / "percent.tif", halves(0, 100, np.float32))
    below = save(tmp_path / "below.tif", halves(-3, 5, np.float32))

    with pytest.raises(RangeError, match="8 bits, too few"):
        Guides(coc=eight).tell(SHOT, photo, refuse)
    with pytest.raises(RangeError, match="values up to 100"):
        Guides(map=percent).tell(SHOT, photo, guessed)
    with pytest.raises(RangeError, match="holds values down to -3"):
        Guides(coc=below).tell(SHOT, photo, refuse)
    with pytest.raises(PhotoUnreadableError, match="does not exist"):
        Guides(map=tmp_path / "nowhere.png").tell(SHOT, photo, guessed)


def test_gray_files_keep_their_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for kind in (np.uint8, np.uint16):
        values = rng.integers(0, np.iinfo(kind).max, (7, 9), dtype=kind)
        for suffix in (".png", ".tif"):
            found = read_gray(save(tmp_path / f"{kind.__name__}{suffix}", values))

            assert found.dtype == kind
            assert np.array_equal(found, values)
    floats = rng.random((7, 9), np.float32) * 50
    assert np.array_equal(read_gray(save(tmp_path / "f.tif", floats)), floats)


def test_a_colour_picture_is_no_map() -> None:
    with pytest.raises(InputError, match="a picture in colour"):
        read_gray(SAMPLES / "IMG_0001.jpg")


def test_depth_gives_the_sides_and_the_blur(photo: Photo, tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 60000, WIDTH), (HEIGHT, 1)).astype(np.uint16)
    path = save(tmp_path / "depth.png", ramp)

    told = Guides(depth=path, focus=Spot.parse("50%,50%")).tell(SHOT, photo, guessed)

    found = told.blur_map
    assert found.side is not None
    assert (found.side[:, :38] == -1).all()
    assert (found.side[:, 43:] == 1).all()
    assert found.in_focus_probability[:, 40].min() == 1
    assert found.in_focus_probability[:, [0, -1]].max() == 0
    # Even steps of depth are even steps of blur, at the scale of the blur that is there.
    coc = found.coc_diameter_px[0]
    assert coc[60] == pytest.approx(coc[20], rel=0.1)
    assert coc[79] == pytest.approx(2 * coc[60], rel=0.1)
    assert 2 < coc[79] < 5


def test_distances_follow_the_thin_lens(photo: Photo, tmp_path: Path) -> None:
    distances = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    distances[:, :20], distances[:, 60:] = 1.0, 1e6
    path = save(tmp_path / "depth.tif", distances)

    found = Guides(depth=path, focus=Spot.parse("40,30")).tell(SHOT, photo, guessed).blur_map

    # Half as far as the plane blurs as much as infinitely far behind it.
    assert found.coc_diameter_px[0, 0] == pytest.approx(found.coc_diameter_px[0, 79], rel=1e-3)
    assert found.side is not None
    assert (found.side[0, 0], found.side[0, 79]) == (-1, 1)


def test_what_files_say_takes_only_the_side_of_a_depth(photo: Photo, tmp_path: Path) -> None:
    depth = save(tmp_path / "depth.png", halves(10, 200, np.uint8))
    save(tmp_path / "x-map.png", halves(255, 0, np.uint8))
    coc = save(tmp_path / "x-coc.png", halves(0, 640, np.uint16))

    told = Guides(coc=coc, depth=depth).tell(SHOT, photo, refuse)

    assert told.blur_map.side is not None
    assert (told.blur_map.side[:, 40:] == 1).all()
    assert told.blur_map.coc_diameter_px.max() == 10
    assert np.array_equal(told.blur_map.in_focus_probability, halves(1, 0, np.float32))


def test_a_depth_that_tells_nothing_is_refused(photo: Photo, tmp_path: Path) -> None:
    flat = save(tmp_path / "flat.png", halves(9, 9, np.uint8))
    zero = save(tmp_path / "zero.tif", halves(0, 9, np.float32))
    good = save(tmp_path / "good.png", halves(0, 9, np.uint8))

    def tell(path: Path, spot: str | None = "0,0") -> None:
        focus = None if spot is None else Spot.parse(spot)
        Guides(depth=path, focus=focus).tell(SHOT, photo, guessed)

    with pytest.raises(InputError, match="the same nearly everywhere"):
        tell(flat)
    with pytest.raises(RangeError, match="must lie above 0"):
        tell(zero)
    with pytest.raises(RangeError, match="lies outside the photo"):
        tell(good, "80,0")
    with pytest.raises(InputError, match="give --focus"):
        tell(good, None)


def test_blur_is_assumed_only_where_a_map_says_so_and_none_is_seen(photo: Photo) -> None:
    probability = halves(1, 0, np.float32)
    coc = np.zeros((HEIGHT, WIDTH), np.float32)
    coc[:30] = 5
    made = BlurMap(probability, coc, np.ones_like(coc))

    raised, share = blurred_where_told(made, measured=True)

    assert share == pytest.approx(0.25)
    assert np.array_equal(raised.coc_diameter_px[:30], coc[:30])
    assert (raised.coc_diameter_px[30:, :40] == 0).all()
    assert raised.coc_diameter_px[30:, 40:] == pytest.approx(0.1)


@pytest.mark.parametrize(("measured", "share"), [(True, 0.0), (False, 0.5)])
def test_an_untrusted_circle_of_confusion_contradicts_no_map_of_its_own(
    photo: Photo, measured: bool, share: float
) -> None:
    nothing = np.zeros((HEIGHT, WIDTH), np.float32)
    made = BlurMap(halves(1, 0, np.float32), nothing, nothing)

    assert blurred_where_told(made, measured=measured)[1] == share


@pytest.fixture
def portrait(tmp_path: Path) -> Shot:
    """A HEIC whose depth is nearest at the right."""
    ramp = np.tile(np.linspace(0, 255, 40), (30, 1)).astype(np.uint8)
    return heic(tmp_path / "portrait.heic", ramp)


def heic(path: Path, depth: NDArray[np.uint8], **options: Any) -> Shot:
    save_heic_with_depth(path, np.full((HEIGHT, WIDTH, 3), 120, np.uint8), depth, **options)
    return Shot(path.name, path, (path,))


def test_the_depth_inside_a_photo_says_the_sides(photo: Photo, portrait: Shot) -> None:
    told = Guides(focus=Spot.parse("50%,50%")).tell(portrait, photo, guessed)

    assert told.sources == ("embedded depth", "detector")
    assert told.notes == ()
    assert told.kept is None
    assert told.blur_map.side is not None
    assert (told.blur_map.side[:, :36] == 1).all()
    assert (told.blur_map.side[:, 44:] == -1).all()
    assert told.blur_map.in_focus_probability[:, 40].min() == 1


def test_the_depth_inside_gives_way_and_can_be_left_out(
    photo: Photo, portrait: Shot, tmp_path: Path
) -> None:
    ramp = np.tile(np.linspace(0, 60000, WIDTH), (HEIGHT, 1)).astype(np.uint16)
    depth, spot = save(tmp_path / "depth.png", ramp), Spot.parse("50%,50%")

    given = Guides(depth=depth, focus=spot).tell(portrait, photo, guessed)
    without = Guides(embedded=False, focus=spot).tell(portrait, photo, guessed)

    assert given.sources == ("detector", str(depth))
    assert given.blur_map.side is not None
    assert (given.blur_map.side[:, 44:] == 1).all()
    assert without.sources == ("detector",)
    assert without.blur_map.side is None
    assert without.kept == (40.0, 30.0)


def test_a_depth_inside_that_does_not_fit_is_left_out_and_said(
    photo: Photo, tmp_path: Path
) -> None:
    square = heic(tmp_path / "square.heic", np.full((40, 40), 90, np.uint8))

    told = Guides().tell(square, photo, guessed)

    assert told.sources == ("detector",)
    assert "40×40 pixels and does not fit its 80×60" in told.notes[0]
    assert "--depth" in told.notes[0]


def test_a_damaged_depth_inside_does_not_stop_the_edit(photo: Photo, tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 48), (32, 1)).astype(np.uint8)
    path = save_heic_with_depth(tmp_path / "damaged.heic", picture(64, 96), ramp)
    path.write_bytes(path.read_bytes()[:-200] + bytes(200))
    damaged = Shot(path.name, path, (path,))

    told = Guides().tell(damaged, photo, guessed)

    assert told.sources == ("detector",)
    assert "depth image in it is damaged" in told.notes[0]


def test_a_depth_inside_that_tells_nothing_names_the_way_out(photo: Photo, tmp_path: Path) -> None:
    flat = heic(tmp_path / "flat.heic", np.full((30, 40), 90, np.uint8))

    with pytest.raises(InputError, match=r"embedded depth is the same.*--no-embedded-depth"):
        Guides(focus=Spot.parse("5,5")).tell(flat, photo, guessed)


def test_metres_inside_a_photo_and_its_exif_ask_no_detector(tmp_path: Path) -> None:
    exif = Exif(focal_length_mm=50, f_number=2, focus_distance_m=2, sensor_width_mm=36)
    photo = Photo(np.full((HEIGHT, WIDTH, 3), 0.2, np.float32), exif=exif)
    ramp = np.tile(np.linspace(0, 255, 40), (30, 1)).astype(np.uint8)
    shot = heic(tmp_path / "metres.heic", ramp, kind=DISTANCE, z=(1.0, 11.0))

    told = Guides().tell(shot, photo, refuse)

    assert told.sources == ("embedded depth", "thin lens")
    # f^2 / (N (s - f)) (1 - s / d) at d = 11 m, in pixels of 80 on 36 mm.
    farthest = 50**2 / (2 * 1950) * (1 - 2 / 11) * 80 / 36
    assert told.blur_map.coc_diameter_px[30, 79] == pytest.approx(farthest, rel=0.01)


def test_a_measured_circle_outranks_the_lens(photo: Photo, portrait: Shot, tmp_path: Path) -> None:
    coc = save(tmp_path / "x-coc.png", halves(0, 640, np.uint16))

    told = Guides(coc=coc, focus=Spot.parse("10%,50%")).tell(portrait, photo, refuse)

    assert told.sources == ("embedded depth", str(coc))
    assert told.blur_map.coc_diameter_px.max() == 10
    assert told.blur_map.side is not None
    assert (told.blur_map.side[:, 44:] == -1).all()


def everywhere(photo: Photo) -> BlurMap:
    """A detector that finds all of it sharp, as phones draw it."""
    ones = np.ones((photo.height, photo.width), np.float32)
    return BlurMap(ones, ones * 0.5, ones)


def test_a_photo_sharp_throughout_takes_the_cameras_focus_point(
    photo: Photo, portrait: Shot
) -> None:
    pointed = replace(photo, exif=Exif(focus_point=(0.9, 0.5)))

    told = Guides().tell(portrait, pointed, everywhere)

    assert told.blur_map.in_focus_probability[30, 71] == 1
    assert told.blur_map.in_focus_probability[30, 0] == 0
    with pytest.raises(InputError, match=r"sharp at nearly all distances.*give --focus"):
        Guides().tell(portrait, photo, everywhere)


def test_what_shows_in_the_photo_outranks_the_cameras_word(photo: Photo, portrait: Shot) -> None:
    def left(photo: Photo) -> BlurMap:
        sharp = halves(0, 0, np.float32)
        sharp[:, :10] = 1
        return replace(everywhere(photo), in_focus_probability=sharp)

    pointed = replace(photo, exif=Exif(focus_point=(0.9, 0.5)))

    told = Guides().tell(portrait, pointed, left)

    assert told.blur_map.in_focus_probability[30, 4] == 1
    assert told.blur_map.in_focus_probability[30, 71] == 0
