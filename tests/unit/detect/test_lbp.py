from __future__ import annotations

import numpy as np
import pytest

from focuskit.detect.lbp import detect_lbp
from focuskit.detect.reblur import detect_reblur
from focuskit.errors import RangeError
from tests.scenes import as_photo, blurred, make_scene


@pytest.mark.parametrize("detect", [detect_lbp, detect_reblur])
def test_a_large_photo_is_measured_small_and_gets_a_map_of_its_own_size(detect) -> None:  # type: ignore[no-untyped-def]
    photo = as_photo(blurred(make_scene(401, 603, seed=1), 12.0))

    small = detect(photo, working_long_edge=300)
    whole = detect(photo, working_long_edge=None)

    assert small.in_focus_probability.shape == (401, 603)
    # In pixels of the photo both times, whatever size it was measured at.
    assert np.median(small.coc_diameter_px) == pytest.approx(
        np.median(whole.coc_diameter_px), rel=0.4
    )


@pytest.mark.parametrize("detect", [detect_lbp, detect_reblur])
def test_a_working_size_below_one_pixel_is_refused(detect) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RangeError, match="working_long_edge"):
        detect(as_photo(make_scene(20, 30, seed=1)), working_long_edge=0)
