from __future__ import annotations

import math
import pickle
import time
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from focuskit.errors import RangeError
from focuskit.optics.psf import Aperture, disc_psf


def test_apertures_are_values() -> None:
    aperture = Aperture(blades=7, ring=0.5)

    assert pickle.loads(pickle.dumps(aperture)) == aperture
    assert len({aperture, Aperture(7, ring=0.5)}) == 1
    with pytest.raises(FrozenInstanceError):
        aperture.blades = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"blades": 4}, r"blades must be 0 \(round\) or 5 to 9, got 4"),
        ({"blades": -5}, "got -5"),
        ({"blades": 10}, "more than 9 look round"),
        ({"rotation_deg": math.inf}, "rotation_deg must be finite degrees, got inf"),
        ({"curvature": 1.1}, "curvature must be >= 0 and <= 1, got 1.1"),
        ({"ring": -1.5}, "ring must be >= -1 and <= 1, got -1.5"),
        ({"cats_eye": math.nan}, "cats_eye must be >= 0 and <= 1, got nan"),
    ],
)
def test_wrong_apertures_are_refused_with_a_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(RangeError, match=words):
        Aperture(**change)


@pytest.mark.parametrize("coc", [-1.0, math.nan, math.inf])
def test_wrong_circles_are_refused(coc: float) -> None:
    with pytest.raises(RangeError, match="coc_diameter_px must be >= 0 px"):
        Aperture(6).psf(coc)


@pytest.mark.parametrize("field", [(1.0, 1.0), (math.nan, 0.0), (0.0, -2.0)])
def test_fields_off_the_picture_are_refused(field: tuple[float, float]) -> None:
    # A number that only some settings look at is checked by all of them.
    with pytest.raises(RangeError, match="at most 1 half diagonal from its centre, got"):
        Aperture().psf(8.0, field)


def test_corners_of_the_picture_are_on_it() -> None:
    corner = (600 / math.hypot(600, 400), 400 / math.hypot(600, 400))

    assert Aperture(cats_eye=1.0).psf(20.0, corner).sum() == pytest.approx(1)


@pytest.mark.parametrize("coc", [0.0, 0.5, 0.999])
def test_less_than_a_pixel_is_no_blur(coc: float) -> None:
    aperture = Aperture(5, ring=1.0, cats_eye=1.0)

    assert np.array_equal(aperture.psf(coc, (0.6, 0.8)), [[1]])


def test_whole_and_half_pixels_of_a_square_rim() -> None:
    # With a corner at 22.5 degrees an octagon has its flat sides on the axes.
    area = 8 * math.tan(math.pi / 8)
    flat = 2 * 10.25 * math.sqrt(area / math.pi)

    psf = Aperture(8, 22.5).psf(flat)

    middle = psf[psf.shape[0] // 2] * area * 10.25**2
    assert middle[np.nonzero(middle)] == pytest.approx([0.75, *[1] * 19, 0.75], abs=1e-3)


def test_the_first_corner_turns_counter_clockwise_from_the_right() -> None:
    right, up = Aperture(5).psf(60.0), Aperture(5, 90.0).psf(60.0)

    columns, rows = np.flatnonzero(right.any(axis=0)), np.flatnonzero(up.any(axis=1))
    middle = right.shape[0] // 2
    assert columns[-1] - middle > middle - columns[0]
    assert middle - rows[0] > rows[-1] - middle


def test_a_cats_eye_at_the_corner_is_a_narrow_lens() -> None:
    psf = Aperture(cats_eye=1.0).psf(100.0, (1.0, 0.0))

    middle = psf.shape[0] // 2
    columns, rows = np.flatnonzero(psf.any(axis=0)), np.flatnonzero(psf.any(axis=1))
    # Two circles of diameter 100, 70 apart: 30 wide, 2 sqrt(50² - 35²) = 71.4 high.
    assert np.ptp(columns) + 1 == pytest.approx(30, abs=1)
    assert np.ptp(rows) + 1 == pytest.approx(71.4, abs=2)
    assert columns[-1] < middle
    assert psf.shape == Aperture(cats_eye=1.0).psf(100.0).shape


def test_rings_go_from_dark_to_bright() -> None:
    psf = Aperture(ring=1.0).psf(101.0)
    row = psf[50] * math.pi * 101**2 / 4

    assert row[50] == pytest.approx(0.1, abs=0.02)
    assert row[1] == pytest.approx(1 + 0.9 * (2 * (49 / 50.5) ** 2 - 1), abs=0.01)
    assert np.all(np.diff(row[50:100]) > 0)


def test_small_shaded_circles_are_means_over_their_pixels() -> None:
    psf = Aperture(ring=1.0).psf(2.0)

    # The middle pixel sees 1 + 0.9 (2 <r²> - 1) with <r²> = 1 / 6 over [-1/2, 1/2]².
    assert psf[1, 1] * math.pi == pytest.approx(1 + 0.9 * (2 / 6 - 1), rel=0.01)


@pytest.mark.parametrize(
    "aperture", [Aperture(), Aperture(9, 10.0, 0.5, 1.0, 1.0), Aperture(ring=-1.0)]
)
def test_large_circles_are_fast(aperture: Aperture) -> None:
    fastest = math.inf
    for _ in range(5):
        start = time.perf_counter()
        aperture.psf(300.0, (0.5, 0.5))
        fastest = min(fastest, time.perf_counter() - start)

    # Measured 1 ms; a busy machine may take its time.
    assert fastest < 0.05


def test_discs_stay_what_they_were() -> None:
    assert disc_psf(3.0).shape == (3, 3)
    assert disc_psf(3.0)[1, 1] == pytest.approx(1 / (math.pi * 9 / 4), rel=0.01)
