from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.errors import RangeError, ShapeError
from focuskit.optics.edges import COC_PER_SIGMA, measure_edges
from focuskit.training.lens import Lens
from focuskit.training.scenes import Layer, SceneMaker, render, sharp_textures
from focuskit.training.whole import WholeKind, whole_frame
from tests.scenes import blurred, make_scene

KINDS: list[WholeKind] = ["misfocused", "motion", "sharp", "textureless"]


def _pixels(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (encode_srgb(light) * 255).round().clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def textures() -> list[NDArray[np.uint8]]:
    return [_pixels(make_scene(120, 160, seed=seed)) for seed in range(3)]


def _flat(value: float, cover: NDArray[np.float32] | None, coc: float) -> Layer:
    return Layer(np.full((96, 96, 3), value, np.float32), cover, coc)


def _right_half() -> NDArray[np.float32]:
    cover = np.zeros((96, 96), np.float32)
    cover[:, 48:] = 1
    return cover


# A scene's examples


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("papered", [True, False])
def test_scenes_keep_the_contract(
    textures: list[NDArray[np.uint8]], seed: int, papered: bool
) -> None:
    maker = SceneMaker(textures if papered else [])

    example = maker.make(np.random.default_rng(seed), size=(72, 104))

    assert example.rgb.shape == (72, 104, 3)
    assert example.rgb.dtype == np.uint8
    for values in (example.in_focus, example.weight, example.coc_diameter_px):
        assert values.shape == (72, 104)
        assert values.dtype == np.float32
    assert set(np.unique(example.in_focus)) <= {0.0, 1.0}
    assert set(np.unique(example.weight)) <= {0.0, 1.0}
    coc = example.coc_diameter_px
    known = ~np.isnan(coc)
    assert coc[known].min(initial=0) >= 0
    assert coc[known].max(initial=0) <= 40.01
    believed = known & (example.weight > 0)
    np.testing.assert_array_equal(example.in_focus[believed], coc[believed] <= 1.3)
    assert example.source == "scene"


def test_the_same_seed_gives_the_same_scene(textures: list[NDArray[np.uint8]]) -> None:
    maker = SceneMaker(textures)

    first, again, other = (maker.make(np.random.default_rng(s), size=(64, 64)) for s in (7, 7, 8))

    np.testing.assert_array_equal(first.rgb, again.rgb)
    np.testing.assert_array_equal(first.coc_diameter_px, again.coc_diameter_px)
    assert first.scene == again.scene != other.scene


def test_scenes_hold_sharp_and_blurred_in_the_shares_asked_for() -> None:
    maker = SceneMaker([])
    least, largest = [], []
    for seed in range(80):
        example = maker.make(np.random.default_rng(seed), size=(48, 48))
        known = example.coc_diameter_px[~np.isnan(example.coc_diameter_px)]
        least.append(known.min())
        largest.append(known.max())

    assert 0.5 < (np.array(least) <= 1.3).mean() < 0.95
    assert 0.05 < (np.array(largest) <= 1.3).mean() < 0.4
    assert (np.array(largest) > 20).mean() > 0.08


# Rendering


@pytest.mark.parametrize("coc_px", [4.0, 7.5, 14.0])
def test_an_edge_is_as_wide_as_its_circle_of_confusion(coc_px: float) -> None:
    light, _ = render([_flat(0.2, None, 0.0), _flat(0.3, _right_half(), coc_px)], Lens())

    profile = (light[48, :, 0].astype(np.float64) - 0.2) / 0.1
    x = np.arange(95) + 0.5
    spread = np.diff(profile)
    variance = (spread * (x - (spread * x).sum()) ** 2).sum()
    # The line spread of a disc of diameter c has variance c^2 / 16; the pixel adds 1 / 12.
    assert variance == pytest.approx(coc_px**2 / 16 + 1 / 12, rel=0.05)
    sigma = float(np.median(measure_edges(encode_srgb(light[..., 0])).sigma_px))
    assert sigma * COC_PER_SIGMA == pytest.approx(coc_px, rel=0.2)


def test_a_sharp_object_before_a_blurred_ground_has_a_crisp_edge_and_no_halo() -> None:
    light, shares = render([_flat(0.5, None, 20.0), _flat(0.5, _right_half(), 0.0)], Lens())

    np.testing.assert_allclose(light, 0.5, atol=1e-5)
    np.testing.assert_array_equal(shares[1], _right_half())


def test_a_blurred_object_before_a_sharp_ground_lets_it_through_and_leaves_no_halo() -> None:
    light, shares = render([_flat(0.5, None, 0.0), _flat(0.5, _right_half(), 20.0)], Lens(6, 0.2))

    np.testing.assert_allclose(light, 0.5, atol=1e-5)
    np.testing.assert_allclose(shares[0] + shares[1], 1, atol=1e-5)
    assert ((shares[1] > 0.05) & (shares[1] < 0.95)).sum(axis=1).min() >= 12


def test_no_light_is_lost() -> None:
    cover = np.zeros((96, 96), np.float32)
    cover[48, 48] = 1
    light, _ = render([_flat(0.0, None, 0.0), _flat(50.0, cover, 16.0)], Lens())

    assert light[..., 0].sum() == pytest.approx(50, rel=1e-3)
    # A bokeh ball: evenly lit, with a hard rim.
    assert light[48, 48, 0] == pytest.approx(50 / (np.pi * 64), rel=0.03)
    assert light[48, 48 + 9, 0] < 1e-4


def test_scenes_refuse_what_they_cannot_use() -> None:
    with pytest.raises(ShapeError):
        SceneMaker([np.zeros((8, 8), np.uint8)])
    with pytest.raises(RangeError):
        SceneMaker([]).make(np.random.default_rng(0), size=(8, 64))


# Textures


def test_textures_come_from_where_the_mask_is_in_focus() -> None:
    sharp = make_scene(200, 300, seed=4)
    scene = blurred(sharp, 9.0)
    scene[:, 150:] = sharp[:, 150:]
    scene[..., 0] = 0.0
    scene[:, 150:, 0] = 0.5
    mask = np.zeros((200, 300), np.bool_)
    mask[:, 150:] = True

    found = sharp_textures([(_pixels(scene), mask)], np.random.default_rng(0))

    assert found
    for texture in found:
        assert min(texture.shape[:2]) >= 48
        assert texture.dtype == np.uint8
        assert (texture[..., 0] > 100).mean() > 0.85


def test_without_a_mask_only_crisp_parts_are_taken() -> None:
    sharp = make_scene(200, 300, seed=4)
    soft = blurred(sharp, 9.0)
    rng = np.random.default_rng(0)

    assert sharp_textures([(_pixels(sharp), None)], rng)
    assert not sharp_textures([(_pixels(soft), None)], rng)
    assert not sharp_textures([(np.full((200, 300, 3), 90, np.uint8), None)], rng)


def test_textures_refuse_a_mask_of_another_size() -> None:
    with pytest.raises(ShapeError):
        sharp_textures(
            [(np.zeros((200, 200, 3), np.uint8), np.ones((9, 9), np.bool_))],
            np.random.default_rng(0),
        )


# Whole frames


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_whole_frames_have_one_answer(kind: WholeKind, seed: int) -> None:
    photo = _pixels(make_scene(90, 120, seed=seed))

    example, again = (
        whole_frame(photo, np.random.default_rng(seed), kind=kind, scene="p") for _ in range(2)
    )

    np.testing.assert_array_equal(example.rgb, again.rgb)
    shape = example.rgb.shape[:2]
    assert 45 <= shape[0] <= 90
    for values in (example.in_focus, example.weight, example.coc_diameter_px):
        assert values.shape == shape
        assert values.dtype == np.float32
    assert np.unique(example.in_focus).tolist() == [1.0 if kind == "sharp" else 0.0]
    assert example.weight.mean() == pytest.approx(0.3 if kind == "textureless" else 1.0)
    assert np.isnan(example.coc_diameter_px).all() == (kind in ("motion", "textureless"))
    assert (example.source, example.scene) == ("whole", "p")


def test_the_farther_out_of_focus_the_less_gradient() -> None:
    photo = _pixels(make_scene(120, 160, seed=3))
    measured = []
    for seed in range(60):
        example = whole_frame(photo, np.random.default_rng(seed), kind="misfocused")
        if example.rgb.shape != photo.shape or np.ptp(example.coc_diameter_px) > 0.1:
            continue
        # Over several pixels, where noise and sharpening say little.
        gray = cv2.GaussianBlur(example.rgb[..., 1].astype(np.float32), (0, 0), 1.5)
        energy = np.abs(np.diff(gray, axis=1)).mean() / gray.mean()
        measured.append((float(example.coc_diameter_px[0, 0]), energy))

    coc, energy = np.array(sorted(measured)).T
    third = coc.size // 3
    assert energy[:third].mean() > energy[third:-third].mean() > energy[-third:].mean()
    assert np.corrcoef(coc.argsort().argsort(), energy.argsort().argsort())[0, 1] < -0.7
    assert coc.min() < 4
    assert coc.max() <= 16.1


@pytest.mark.parametrize("seed", range(4))
def test_nobody_knows_the_blur_of_what_was_blurred_before(seed: int) -> None:
    photo = _pixels(make_scene(80, 100, seed=1))
    mask = np.zeros((80, 100), np.bool_)
    mask[:, 50:] = True

    example = whole_frame(photo, np.random.default_rng(seed), kind="misfocused", sharp_mask=mask)

    known = ~np.isnan(example.coc_diameter_px)
    half = known.shape[1] // 2
    assert not known[:, : half - 1].any()
    assert known[:, half + 1 :].all()
    assert (example.weight == 1).all()


def test_whole_frames_refuse_what_they_cannot_use() -> None:
    photo = np.zeros((40, 40, 3), np.uint8)
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError):
        whole_frame(photo.astype(np.float32), rng, kind="sharp")  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        whole_frame(photo, rng, kind="sharp", sharp_mask=np.ones((3, 3), np.bool_))
    with pytest.raises(RangeError):
        whole_frame(photo, rng, kind="upside-down")  # type: ignore[arg-type]
