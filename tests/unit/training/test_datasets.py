from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.errors import InputError, PhotoUnreadableError, ShapeError
from focuskit.training.datasets import (
    LAYOUTS,
    VALIDATION_OF,
    MaskedPhoto,
    find_dataset,
    split,
    validation_split,
)
from tests.scenes import ROOT, blurred, invert_mask, make_scene

CUHK = ROOT.parent / "shared" / "data" / "cuhk-dbd"
needs_cuhk = pytest.mark.skipif(not CUHK.is_dir(), reason="no real photos beside the checkout")


def sharp_left(seed: int, height: int = 80, width: int = 120) -> NDArray[np.uint8]:
    scene = make_scene(height, width, seed=seed)
    scene[:, width // 2 :] = blurred(scene, 8.0)[:, width // 2 :]
    return (encode_srgb(scene) * 255).round().astype(np.uint8)


def white_right(height: int = 80, width: int = 120) -> NDArray[np.uint8]:
    """The mask of `sharp_left` as CUHK paints it: white where blurred."""
    white = np.zeros((height, width), np.uint8)
    white[:, width // 2 :] = 255
    return white


def write(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in (1, 2):
        write(tmp_path / "photos" / f"im{seed}.png", sharp_left(seed))
        write(tmp_path / "masks" / f"im{seed}.png", white_right())
    return tmp_path


def test_masks_are_true_where_in_focus(folder: Path) -> None:
    found = find_dataset("cuhk", folder)

    assert len(found) == 2
    assert [item.name for item in found.items] == ["im1", "im2"]
    assert not found.in_focus_is_white
    assert (found.doubtful, found.remarks) == ((), ())
    for photo, mask in found:
        assert mask.shape == (photo.height, photo.width)
        assert mask.dtype == np.bool_
        assert mask[:, :60].all()
        assert not mask[:, 60:].any()


def test_a_copy_of_the_other_polarity_is_read_right_and_remarked_on(folder: Path) -> None:
    for path in (folder / "masks").iterdir():
        invert_mask(path)

    found = find_dataset("cuhk", folder)

    assert found.in_focus_is_white
    assert next(iter(found))[1][:, :60].all()
    assert len(found.remarks) == 1
    assert "in focus white, the published cuhk black" in found.remarks[0]


@pytest.mark.parametrize(
    ("layout", "photos", "masks", "ending"),
    [
        (name, each.photos, each.masks, ending)
        for name, candidates in LAYOUTS.items()
        for each, ending in zip(candidates, (".png", ".bmp", ".jpg") * 2, strict=False)
    ],
)
def test_every_layout_is_found(
    tmp_path: Path, layout: str, photos: str, masks: str, ending: str
) -> None:
    write(tmp_path / photos / "out_of_focus0001.JPG", sharp_left(1))
    write(tmp_path / masks / f"out_of_focus0001{ending}", white_right())
    (tmp_path / photos / "Thumbs.db").write_bytes(b"no photo")

    found = find_dataset(layout, tmp_path)

    assert [item.name for item in found.items] == ["out_of_focus0001"]
    assert found.read(found.items[0])[1][:, :60].all()


def test_photos_of_motion_blur_in_the_original_archive_are_left_out(tmp_path: Path) -> None:
    for name in ("motion0001", "out_of_focus0001"):
        write(tmp_path / "image" / f"{name}.jpg", sharp_left(1))
        write(tmp_path / "gt" / f"{name}.png", white_right())

    assert [item.name for item in find_dataset("cuhk", tmp_path).items] == ["out_of_focus0001"]


def test_masks_are_cut_at_half_of_full_scale(folder: Path) -> None:
    gray = np.where(white_right() > 0, 128, 127).astype(np.uint8)
    for path in (folder / "masks").iterdir():
        write(path, gray)

    _, mask = next(iter(find_dataset("cuhk", folder)))

    assert (mask == (gray < 128)).all()


def test_masks_keep_their_own_size(tmp_path: Path) -> None:
    write(tmp_path / "photos" / "half.png", sharp_left(1))
    write(tmp_path / "masks" / "half.png", white_right(40, 60))
    write(tmp_path / "photos" / "cropped.png", sharp_left(2))
    write(tmp_path / "masks" / "cropped.png", white_right(79, 120))

    found = find_dataset("cuhk", tmp_path)

    assert [found.read(item)[1].shape for item in found.items] == [(79, 120), (40, 60)]


def test_missing_masks_are_listed(folder: Path) -> None:
    (folder / "masks" / "im2.png").unlink()

    with pytest.raises(InputError, match=r"1 of 2 photos have no mask .* im2\.png\. Add"):
        find_dataset("cuhk", folder)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="photos and masks; image and gt"):
        find_dataset("cuhk", tmp_path)
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="not laid out like cuhk"):
        find_dataset("cuhk", tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match="no photo in"):
        find_dataset("cuhk", tmp_path)
    with pytest.raises(InputError, match="no layout 'imagenet'; choose one of cuhk, dut"):
        find_dataset("imagenet", tmp_path)


@pytest.mark.parametrize("gray", [0, 255])
def test_masks_that_tell_nothing_are_refused(folder: Path, gray: int) -> None:
    for path in (folder / "masks").iterdir():
        write(path, np.full((80, 120), gray, np.uint8))

    with pytest.raises(InputError, match="do not tell"):
        find_dataset("cuhk", folder)


def test_photos_that_tell_nothing_are_refused(folder: Path) -> None:
    for path in (folder / "photos").iterdir():
        write(path, np.full((80, 120, 3), 90, np.uint8))

    with pytest.raises(InputError, match="equally sharp"):
        find_dataset("cuhk", folder)


@pytest.mark.parametrize("inverted", [1, 2, 3])
def test_mixed_polarity_is_refused_with_the_list(tmp_path: Path, inverted: int) -> None:
    for number in range(8):
        write(tmp_path / "photos" / f"im{number}.png", sharp_left(number % 3))
        write(tmp_path / "masks" / f"im{number}.png", white_right())
    odd = [f"im{2 * number}" for number in range(inverted)]
    for name in odd:
        invert_mask(tmp_path / "masks" / f"{name}.png")

    with pytest.raises(InputError, match=f"mix both.*out: {', '.join(odd)}\\."):
        find_dataset("cuhk", tmp_path)


def test_one_odd_mask_among_many_is_named_and_kept(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path / "photos" / f"im{number:02}.png", sharp_left(number % 3))
        write(tmp_path / "masks" / f"im{number:02}.png", white_right())
    invert_mask(tmp_path / "masks" / "im07.png")

    found = find_dataset("cuhk", tmp_path)

    assert len(found) == 12
    assert found.doubtful == ("im07",)
    assert "look inverted, used as they are: im07." in found.remarks[0]


def test_misfitting_masks_are_listed(folder: Path) -> None:
    write(folder / "masks" / "im1.png", white_right(120, 80))
    write(folder / "masks" / "im2.png", white_right(32, 32))

    with pytest.raises(ShapeError, match=r"im1\.png \(80×120 for 120×80\), im2\.png \(32×32 for"):
        find_dataset("cuhk", folder)


def test_a_damaged_file_is_refused(folder: Path) -> None:
    (folder / "photos" / "im2.png").write_bytes(b"no picture")

    with pytest.raises(PhotoUnreadableError, match=r"The photo .*im2\.png is empty or damaged"):
        find_dataset("cuhk", folder)


def test_a_mask_that_was_damaged_meanwhile_is_refused(folder: Path) -> None:
    found = find_dataset("cuhk", folder)
    write(folder / "masks" / "im1.png", white_right(8, 8))
    (folder / "masks" / "im2.png").write_bytes(b"no picture")

    with pytest.raises(ShapeError, match="8×8"):
        found.read(found.items[0])
    with pytest.raises(PhotoUnreadableError):
        found.read(found.items[1])


def test_a_split_repeats_and_loses_nothing(folder: Path) -> None:
    items = find_dataset("cuhk", folder).items * 20

    first, second = split(items, share=0.75, seed=3)

    assert (len(first), len(second)) == (30, 10)
    assert sorted(map(str, first + second)) == sorted(map(str, items))
    assert split(items, share=0.75, seed=3) == (first, second)
    assert split(items, share=0.75, seed=4) != (first, second)


def test_the_validation_part_never_changes() -> None:
    items = [MaskedPhoto(Path(f"{i:03}.jpg"), Path(f"{i:03}.png")) for i in range(VALIDATION_OF)]

    validation, training = validation_split(items)

    # Trained weights depend on it: these stay, whatever becomes of the code.
    assert [item.name for item in validation[:6]] == ["010", "031", "045", "051", "077", "080"]
    assert (len(validation), len(training)) == (57, 547)
    assert not set(validation) & set(training)


@needs_cuhk
def test_the_real_set_is_accepted_and_its_two_inverted_masks_are_named() -> None:
    found = find_dataset("cuhk", CUHK)

    assert len(found) == VALIDATION_OF
    assert not found.in_focus_is_white
    # Seen: a sharp bird before blurred water, and three sharp children, both painted as blurred.
    assert found.doubtful == ("out_of_focus0508", "out_of_focus0509")


@needs_cuhk
def test_real_photos_of_which_a_quarter_is_inverted_are_refused(tmp_path: Path) -> None:
    items = find_dataset("cuhk", CUHK).items[:80]
    for number, item in enumerate(items):
        for kind, path in (("photos", item.photo), ("masks", item.mask)):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / path.name).write_bytes(path.read_bytes())
        if number % 4 == 0:
            invert_mask(tmp_path / "masks" / item.mask.name)

    with pytest.raises(InputError, match="mix both") as caught:
        find_dataset("cuhk", tmp_path)
    listed = str(caught.value).split(": ")[-1].rstrip(".").split(", ")
    assert set(listed) <= {item.name for item in items[::4]}
    assert len(listed) >= 15
