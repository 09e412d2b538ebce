"""Laws of the renderer that hold for any photo."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.errors import DeviceError, RangeError, ShapeError
from focuskit.optics import render as renderer
from focuskit.optics.psf import Aperture
from focuskit.optics.render import IDENTITY_BELOW_COC_PX, MOST_COC_PX, render
from tests.scenes import make_scene

Image = NDArray[np.float32]
few = settings(max_examples=8)
APERTURES = [Aperture(), Aperture(blades=5, rotation_deg=20), Aperture(ring=0.7, cats_eye=0.5)]


def _field(shape: tuple[int, int], value: float) -> NDArray[np.float32]:
    return np.full(shape, value, np.float32)


def _fields(seed: int, shape: tuple[int, int], most: float = 14.0) -> NDArray[np.float32]:
    """Surfaces at different depths, before and behind the plane of focus."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-most, most, (3, 4)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_NEAREST)


@given(seed=st.integers(0, 99), value=st.floats(-0.99, 0.99))
@few
def test_less_than_a_pixel_of_blur_changes_nothing(seed: int, value: float) -> None:
    light = make_scene(37, 53, seed=seed)

    assert np.array_equal(render(light, _field((37, 53), value)), light)


@given(coc=st.floats(1.5, 40), sign=st.sampled_from([-1, 1]), which=st.integers(0, 1))
@few
def test_a_point_becomes_the_psf(coc: float, sign: int, which: int) -> None:
    light = np.zeros((121, 121, 3), np.float32)
    light[60, 60] = (1, 2, 3)
    aperture = APERTURES[which]

    seen = render(light, _field((121, 121), sign * coc), aperture)

    assert seen.sum((0, 1)) == pytest.approx([1, 2, 3], rel=2e-3)
    y, x = np.mgrid[:121, :121] - 60.0
    share = seen[..., 0] / seen[..., 0].sum()
    middle = [float((share * axis).sum()) for axis in (x, y)]
    # On a smaller picture it lands in the middle of a cell.
    assert max(map(abs, middle)) <= 0.07 * coc
    spread = float((share * ((x - middle[0]) ** 2 + (y - middle[1]) ** 2)).sum())
    psf = aperture.psf(coc)
    reach = psf.shape[0] // 2
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    assert spread == pytest.approx(float((psf * (u**2 + v**2)).sum()), rel=0.07, abs=0.1)


@pytest.mark.parametrize("aperture", APERTURES)
def test_one_blur_everywhere_is_a_convolution(aperture: Aperture) -> None:
    light = make_scene(90, 110, seed=3)
    psf = aperture.psf(7.0, (0.0, 0.0))

    seen = render(light, _field((90, 110), 7.0), aperture)

    wanted = cv2.filter2D(light, -1, psf[::-1, ::-1], borderType=cv2.BORDER_REFLECT_101)
    assert np.abs(seen - wanted)[8:-8, 8:-8].max() < 1e-5


@given(seed=st.integers(0, 99))
@few
def test_energy_is_kept(seed: int) -> None:
    """Of one surface; where one hides another, what was hidden comes into view."""
    light = np.zeros((160, 160, 3), np.float32)
    light[50:110, 50:110] = make_scene(60, 60, seed=seed)
    y, x = np.mgrid[:160, :160].astype(np.float32)
    coc = 6 + 0.03 * x + 0.02 * y

    assert render(light, coc).sum() == pytest.approx(light.sum(), rel=0.02)
    assert render(light, _field((160, 160), 9.0)).sum() == pytest.approx(light.sum(), rel=1e-3)


@given(value=st.floats(0.01, 5), seed=st.integers(0, 99))
@few
def test_an_even_picture_stays_even(value: float, seed: int) -> None:
    light = np.full((64, 80, 3), value, np.float32)

    seen = render(light, _fields(seed, (64, 80)))

    assert np.allclose(seen, value, rtol=1e-4)


@given(seed=st.integers(0, 99))
@few
def test_more_blur_leaves_less_detail(seed: int) -> None:
    light = make_scene(80, 96, seed=seed)
    detail = [
        float(np.abs(np.diff(render(light, _field((80, 96), coc)), axis=1)).mean())
        for coc in (0.0, 2.0, 5.0, 12.0)
    ]

    assert detail == sorted(detail, reverse=True)


@given(seed=st.integers(0, 99), axis=st.integers(0, 1))
@few
def test_a_mirrored_photo_gives_the_mirrored_picture(seed: int, axis: int) -> None:
    light, coc = make_scene(64, 96, seed=seed), _fields(seed, (64, 96))

    seen = render(light, coc)
    mirrored = render(np.flip(light, axis).copy(), np.flip(coc, axis).copy())

    assert np.allclose(np.flip(mirrored, axis), seen, atol=1e-4)


@given(seed=st.integers(0, 99))
@few
def test_twice_the_light_is_twice_as_bright(seed: int) -> None:
    light, coc = make_scene(48, 64, seed=seed), _fields(seed, (48, 64))

    assert np.allclose(render(2 * light, coc), 2 * render(light, coc), atol=1e-5)


@given(seed=st.integers(0, 99))
@few
def test_torch_draws_the_same(seed: int) -> None:
    light, coc = make_scene(72, 88, seed=seed), _fields(seed, (72, 88), most=30)

    one, other = (render(light, coc, APERTURES[2], device=each) for each in ("cpu", "torch"))

    assert np.abs(one - other).max() < 1e-3


def test_tiles_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    light = make_scene(160, 200, seed=5)
    y, x = np.mgrid[:160, :200].astype(np.float32)
    coc = np.where(x + y > 180, 8.0, 0.0).astype(np.float32)
    whole = render(light, coc)
    told: list[float] = []

    monkeypatch.setattr(renderer, "_TILE", 64)
    tiled = render(light, coc, tick=told.append)

    assert np.abs(tiled - whole).max() < 0.02
    assert float(np.abs(tiled - whole).mean()) < 1e-4
    assert told == sorted(told)
    assert told[-1] == 1


def test_a_sharp_subject_stays_to_the_bit_and_does_not_bleed() -> None:
    light = np.full((96, 128, 3), 0.1, np.float32)
    light[:, :64] = (0.9, 0.0, 0.0)
    coc = _field((96, 128), 20.0)
    coc[:, :64] = 0

    seen = render(light, coc)

    assert np.array_equal(seen[:, :64], light[:, :64])
    assert np.allclose(seen[:, 64:], 0.1, atol=1e-3)


def test_a_blurred_foreground_fades_over_a_sharp_background() -> None:
    light = np.full((96, 160, 3), 0.2, np.float32)
    light[:, 80:] = 0.8
    coc = _field((96, 160), 0.0)
    coc[:, 80:] = -24.0

    row = render(light, coc)[48, :, 0]

    # A disc cut by a straight edge through its middle lets half of it pass.
    assert row[79:81].mean() == pytest.approx(0.5, abs=0.03)
    assert row[:66] == pytest.approx(0.2, abs=1e-3)
    assert row[94:] == pytest.approx(0.8, abs=1e-3)
    assert (np.diff(row[66:94]) > -1e-4).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 5), (33, 2)])
def test_small_pictures_come_back_as_they_are_sized(shape: tuple[int, int]) -> None:
    light = make_scene(40, 40, seed=1)[: shape[0], : shape[1]].copy()
    coc = _field(shape, 12.0)
    coc[:1, :1] = 0

    seen = render(light, coc)

    assert seen.shape == light.shape
    assert np.isfinite(seen).all()
    assert seen.min() >= 0


def test_light_stays_light_beside_pure_black() -> None:
    light = np.zeros((200, 300, 3), np.float32)
    light[60:130, 90:170] = np.random.default_rng(0).random((70, 80, 3)) ** 3
    coc = _field((200, 300), 20.0)
    coc[60:130, 90:170] = 0

    assert render(light, coc, Aperture(blades=5)).min() >= 0


def test_what_cannot_be_rendered_is_refused() -> None:
    light = make_scene(8, 8, seed=1)
    with pytest.raises(ShapeError, match="coc_px must be float32"):
        render(light, _field((8, 9), 1.0))
    with pytest.raises(ShapeError, match="float64"):
        render(light, np.zeros((8, 8)))  # type: ignore[arg-type]
    for value in (math.nan, math.inf, MOST_COC_PX + 1):
        with pytest.raises(RangeError, match="must stay within 600 px"):
            render(light, _field((8, 8), value))
    with pytest.raises(DeviceError, match="cpu, torch or cuda"):
        render(light, _field((8, 8), 2 * IDENTITY_BELOW_COC_PX), device="tpu")
