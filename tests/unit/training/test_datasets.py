from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from focuskit.color import encode_srgb
from focuskit.errors import InputError, PhotoUnreadableError, ShapeError
from focuskit.training.datasets import find_cuhk, split
from tests.scenes import blurred, make_scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos, sharp on the left; masks white where blurred, as CUHK paints them."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    for seed in (1, 2):
        scene = make_scene(80, 120, seed=seed)
        scene[:, 60:] = blurred(scene, 8.0)[:, 60:]
        pixels = (encode_srgb(scene) * 255).round().astype(np.uint8)
        cv2.imwrite(str(tmp_path / "photos" / f"im{seed}.png"), pixels)
        white = np.zeros((80, 120), np.uint8)
        white[:, 60:] = 255
        cv2.imwrite(str(tmp_path / "masks" / f"im{seed}.png"), white)
    return tmp_path


def test_masks_are_true_where_in_focus(folder: Path) -> None:
    found = find_cuhk(folder)

    assert len(found) == 2
    assert [item.name for item in found.items] == ["im1", "im2"]
    assert not found.in_focus_is_white
    for photo, mask in found:
        assert mask.shape == (photo.height, photo.width)
        assert mask.dtype == np.bool_
        assert mask[:, :60].all()
        assert not mask[:, 60:].any()


def test_repacked_masks_of_the_other_polarity_are_recognised(folder: Path) -> None:
    for path in (folder / "masks").iterdir():
        cv2.imwrite(str(path), 255 - cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))

    found = find_cuhk(folder)

    assert found.in_focus_is_white
    assert next(iter(found))[1][:, :60].all()


def test_missing_masks_are_listed(folder: Path) -> None:
    (folder / "masks" / "im2.png").unlink()

    with pytest.raises(InputError, match=r"1 photos have no mask: im2\.png"):
        find_cuhk(folder)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        find_cuhk(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match="no photo"):
        find_cuhk(tmp_path)


def test_masks_that_tell_nothing_are_refused(folder: Path) -> None:
    for path in (folder / "masks").iterdir():
        cv2.imwrite(str(path), np.zeros((80, 120), np.uint8))

    with pytest.raises(InputError, match="do not tell"):
        find_cuhk(folder)


def test_a_damaged_or_misfitting_mask_is_refused(folder: Path) -> None:
    found = find_cuhk(folder)
    cv2.imwrite(str(folder / "masks" / "im1.png"), np.zeros((8, 8), np.uint8))
    (folder / "masks" / "im2.png").write_bytes(b"no picture")

    with pytest.raises(ShapeError, match="8×8"):
        found.read(found.items[0])
    with pytest.raises(PhotoUnreadableError):
        found.read(found.items[1])


def test_a_split_repeats_and_loses_nothing(folder: Path) -> None:
    items = find_cuhk(folder).items * 20

    first, second = split(items, share=0.75, seed=3)

    assert (len(first), len(second)) == (30, 10)
    assert sorted(map(str, first + second)) == sorted(map(str, items))
    assert split(items, share=0.75, seed=3) == (first, second)
    assert split(items, share=0.75, seed=4) != (first, second)
