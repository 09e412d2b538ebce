from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.errors import RangeError
from focuskit.training.lens import Lens, path_psf
from tests.scenes import make_scene

LENSES = [Lens(), Lens(5, 0.3), Lens(8, 1.1)]


def _second_moment(psf: NDArray[np.float32]) -> float:
    """<r^2>, less what the pixels themselves add."""
    y, x = np.mgrid[: psf.shape[0], : psf.shape[1]] - psf.shape[0] // 2
    total = psf.astype(np.float64)
    return float((total * (x**2 + y**2)).sum() / total.sum()) - 1 / 6


@pytest.mark.parametrize("lens", LENSES)
@settings(max_examples=20, deadline=None)
@given(coc_px=st.floats(3.0, 40.0))
def test_every_aperture_blurs_as_much_as_the_disc(lens: Lens, coc_px: float) -> None:
    psf = lens.psf(coc_px)

    assert psf.sum() == pytest.approx(1, abs=1e-4)
    # A disc of diameter c has <r^2> = c^2 / 8.
    assert _second_moment(psf) == pytest.approx(coc_px**2 / 8, rel=0.03, abs=0.15)
    assert psf.shape[0] // 2 <= lens.reach(coc_px) + 1


def test_a_gaussian_has_the_width_that_edges_are_measured_by() -> None:
    moment = _second_moment(Lens(gaussian=True).psf(16.75)) + 1 / 6

    assert moment == pytest.approx(2 * 5.0**2, rel=0.05)


@pytest.mark.parametrize("lens", [*LENSES, Lens(gaussian=True)])
def test_up_to_a_pixel_nothing_is_blurred(lens: Lens) -> None:
    image = make_scene(24, 24, seed=2)

    np.testing.assert_array_equal(lens.blur(image, 0.9), image)
    np.testing.assert_allclose(
        lens.blur_varying(image, np.full((24, 24), 0.5, np.float32)), image, atol=1e-6
    )


@pytest.mark.parametrize("lens", LENSES)
def test_slowly_varying_blur_is_the_constant_one_where_it_is_level(lens: Lens) -> None:
    image = make_scene(96, 96, seed=2)
    coc = np.repeat(np.linspace(2, 12, 96, dtype=np.float32)[:, None], 96, axis=1)

    varying = lens.blur_varying(image, coc)

    row = 48
    constant = lens.blur(image, float(coc[row, 0]))
    difference = np.abs(varying[row, 12:-12] - constant[row, 12:-12]).mean()
    assert difference < 0.05 * np.abs(image[row] - constant[row]).mean() + 0.004


def test_varying_blur_spreads_a_point_by_its_second_moment() -> None:
    image = np.zeros((81, 81), np.float32)
    image[40, 40] = 1
    coc = np.full((81, 81), 7.3, np.float32)
    coc[0, 0], coc[-1, -1] = 1.0, 30.0

    seen = Lens().blur_varying(image[..., None].repeat(3, axis=2), coc)[..., 0]

    assert _second_moment(seen[20:61, 20:61]) == pytest.approx(7.3**2 / 8, rel=0.06)


def test_a_path_is_as_long_as_asked() -> None:
    along = np.linspace(-10, 10, 400)
    psf = path_psf(along, np.zeros(400))

    assert psf.sum() == pytest.approx(1, abs=1e-5)
    assert np.flatnonzero(psf.sum(axis=0) > 1e-3).size in (21, 22)
    assert np.flatnonzero(psf.sum(axis=1) > 1e-3).size == 1


def test_a_negative_circle_of_confusion_is_refused() -> None:
    with pytest.raises(RangeError):
        Lens().psf(-1.0)
