"""Maps of three samples stay what they were, unless somebody means to change them."""

from __future__ import annotations

import pytest

from focuskit.detect import DETECTORS
from focuskit.io import read_photo
from tests.golden.conftest import Compare
from tests.scenes import SAMPLES


@pytest.mark.parametrize("photo", ["IMG_0001.jpg", "IMG_0012.jpg", "IMG_0020.jpg"])
@pytest.mark.parametrize("name", ["focusnet", "focusnet-quick", "lbp", "reblur"])
def test_maps_stay(golden: Compare, name: str, photo: str) -> None:
    blur_map = DETECTORS.get(name)(read_photo(SAMPLES / photo)).resized(64, 64)

    # Other builds of OpenCV and libjpeg round differently.
    golden(f"{name}-{photo[:-4]}", blur_map.in_focus_probability, tolerance=0.05)
