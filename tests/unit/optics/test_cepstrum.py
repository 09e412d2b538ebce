from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focuskit.color import encoded_gray
from focuskit.optics.cepstrum import LENGTHS_PX, motion_length_px
from focuskit.optics.psf import motion_psf
from tests.scenes import as_photo, make_scene

SCENE = make_scene(300, 300, seed=5)


@settings(deadline=None, max_examples=25)
@given(st.floats(5, 18), st.floats(0, 179))
def test_a_straight_path_is_found_whatever_its_direction(length: float, angle: float) -> None:
    moved = cv2.filter2D(SCENE, -1, motion_psf(length, angle), borderType=cv2.BORDER_REFLECT)
    gray = encoded_gray(as_photo(np.clip(moved, 0, 1)))

    assert motion_length_px(gray, angle) == pytest.approx(length, abs=max(1.0, 0.2 * length))
    # Directions are those of lines: both ends are one.
    assert motion_length_px(gray, angle + 180) == motion_length_px(gray, angle)


@pytest.mark.parametrize("picture", [np.zeros((96, 128)), np.ones((96, 128))])
def test_a_plain_picture_gives_a_number_in_range(picture: np.ndarray) -> None:
    low, high = LENGTHS_PX

    assert low <= motion_length_px(picture.astype(np.float32), 30.0) <= high


def test_too_small_a_picture_gives_none() -> None:
    assert np.isnan(motion_length_px(np.zeros((40, 300), np.float32), 0.0))
