"""Scenes, measures and peers that edits are judged with."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import linearise_srgb
from focuskit.errors import InputError, ShapeError
from focuskit.training import peers
from focuskit.training.judging import Case, judge_added_blur, judged_case, summary
from focuskit.training.judging_blind import blind_cases, judge_blind
from focuskit.training.judging_depths import depth_scenes, sliced
from focuskit.training.judging_measures import BAND_PX, closeness, depth_edges
from focuskit.training.judging_scenes import Part, Scene, drawn_scene, read_textures
from focuskit.training.peers import (
    gaussian_levels,
    gaussian_through_mask,
    gegl_lens_blur,
    has_gegl,
    typical_coc,
)
from focuskit.training.reference import draw_defocused, draw_sharp
from tests.scenes import make_scene

Image = NDArray[np.float32]
SIZE = (72, 96)


def _everywhere(shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.ones(shape, np.bool_)


def _small(number: int, part: Part = Part.DEVELOPMENT, stream: int = 0) -> Scene:
    return drawn_scene(number, part, (), size=SIZE, most_coc_px=12, stream=stream)


def test_the_measure_is_psnr_of_encoded_values() -> None:
    truth = linearise_srgb(np.full((20, 30, 3), 0.5, np.float32))
    seen = linearise_srgb(np.full((20, 30, 3), 0.6, np.float32))
    band = _everywhere((20, 30))
    band[:10] = False
    seen[:10] = truth[:10]

    found = closeness(seen, truth, _everywhere((20, 30)), band)

    assert found.band_psnr_db == pytest.approx(20, abs=1e-3)
    assert found.psnr_db == pytest.approx(20 + 10 * math.log10(2), abs=1e-3)
    assert 0.5 < found.ssim < 1


def test_the_same_picture_is_as_close_as_can_be_and_highlights_count_as_white() -> None:
    light = make_scene(24, 32, seed=2)
    brighter = light.copy()
    light[:4], brighter[:4] = 1, 7

    found = closeness(brighter, light, _everywhere((24, 32)), ~_everywhere((24, 32)))

    assert (found.psnr_db, found.ssim) == (80, pytest.approx(1))
    assert math.isnan(found.band_psnr_db)


def test_ssim_is_that_of_others() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    one = make_scene(40, 50, seed=3).clip(0, 1)
    other = cv2.GaussianBlur(one, (0, 0), 1.2)
    inner = ~_everywhere((40, 50))
    inner[8:-8, 8:-8] = True

    found = closeness(linearise_srgb(one), linearise_srgb(other), inner, inner)

    _, whole = metrics.structural_similarity(
        one.astype(np.float64),
        other.astype(np.float64),
        channel_axis=2,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    assert found.ssim == pytest.approx(whole[inner].mean(), abs=1e-4)


def test_pictures_of_two_sizes_are_not_compared() -> None:
    light = make_scene(8, 8, seed=1)
    with pytest.raises(ShapeError, match="one size"):
        closeness(light, light[:7], _everywhere((8, 8)), _everywhere((8, 8)))


def test_the_band_lies_around_steps_in_depth_and_not_along_slopes() -> None:
    slope = np.tile(np.linspace(0, 30, 60, dtype=np.float32), (50, 1))
    stepped = slope.copy()
    stepped[25:] -= 8

    assert not depth_edges(slope).any()
    band = depth_edges(stepped)
    # The two rows beside the edge, and so many on from them.
    assert np.array_equal(np.flatnonzero(band[:, 30]), np.arange(24 - BAND_PX, 26 + BAND_PX))


def test_scenes_come_out_alike_and_no_two_of_them_share_anything() -> None:
    first, again = _small(4), _small(4)
    others = [_small(5), _small(4, Part.JUDGING), _small(4, stream=1)]

    assert all(
        np.array_equal(one.light, two.light) and np.array_equal(one.cover, two.cover)
        for one, two in zip(first.surfaces, again.surfaces, strict=True)
    )
    for other in others:
        assert not np.array_equal(draw_sharp(first.surfaces)[0], draw_sharp(other.surfaces)[0])


@pytest.mark.parametrize("number", range(8))
def test_every_scene_has_one_plane_in_focus_and_its_surfaces_in_order(number: int) -> None:
    scene = _small(number)

    cocs = [float(np.mean(each.coc_px)) for each in scene.surfaces]
    assert cocs == sorted(cocs)
    assert max(float(np.abs(each.coc_px).max()) for each in scene.surfaces) <= 12
    assert (scene.surfaces[-1].cover == 1).all()
    light, coc = (each[scene.inner] for each in draw_sharp(scene.surfaces))
    assert light.shape == (*SIZE, 3)
    assert 0.03 < (np.abs(coc) < 1).mean() < 0.8
    assert depth_edges(coc.astype(np.float32)).any()


def test_textures_for_judging_are_not_those_for_development(tmp_path: Path) -> None:
    for number in range(12):
        picture = np.rint(make_scene(200, 200, seed=number).clip(0, 1) * 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{number:02d}.jpg"), picture)

    judging, development = (read_textures(tmp_path, part) for part in reversed(Part))

    assert judging
    assert development
    taken = {each.tobytes() for each in judging}
    assert not taken & {each.tobytes() for each in development}
    with pytest.raises(InputError, match="holds 0 photos"):
        read_textures(tmp_path / "nowhere", Part.JUDGING)


def _step_scene() -> Scene:
    encoded = np.full((60, 80, 3), 40, np.uint8)
    encoded[:, 40:] = (200, 60, 60)
    disparity = np.full((60, 80), 10.0)
    disparity[:, 40:] = 30
    return sliced("step", encoded, disparity, 0.75, 12)


def test_slices_are_the_picture_again_and_go_on_behind_what_hides_them() -> None:
    scene = _step_scene()

    light, coc = (each[scene.inner] for each in draw_sharp(scene.surfaces))
    assert np.unique(np.round(coc, 6)).tolist() == [0, 12]
    assert (coc[:, 40:] == 0).all()
    assert np.allclose(light[:, :40], light[0, 0])
    # The red one is in focus and ends at its outline; behind it lies more of the dark one.
    seen = draw_defocused(scene.surfaces)[scene.inner]
    assert np.allclose(seen, light, atol=1e-9)


def test_a_slope_shows_no_gaps_between_its_slices() -> None:
    encoded = np.full((60, 80, 3), 120, np.uint8)
    disparity = np.tile(np.linspace(10, 40, 80), (60, 1))

    seen = draw_defocused(sliced("slope", encoded, disparity, 0.5, 9).surfaces)

    assert np.allclose(seen, seen[0, 0], rtol=1e-6)


def test_pictures_with_depth_are_found_where_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "rgbd"
    folder.mkdir()
    disparity = np.tile(np.arange(40, 100, dtype=np.uint8), (50, 1))
    for name in ("book", "dolls"):
        picture = np.rint(make_scene(50, 60, seed=4).clip(0, 1) * 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{name}_color.png"), picture)
        cv2.imwrite(str(folder / f"{name}_disparity.png"), disparity)

    made = {name: make() for name, make in depth_scenes(tmp_path, Part.DEVELOPMENT)}

    assert list(made) == ["book", "dolls"]
    book = made["book"]
    assert book is not None
    coc = draw_sharp(book.surfaces)[1][book.inner]
    assert coc.shape == (50, 60)
    # Brighter is nearer.
    assert coc[0, 0] > 0 > coc[0, -1]
    assert [make() for _, make in depth_scenes(None, Part.DEVELOPMENT)] == [None, None]
    (folder / "book_disparity.png").unlink()
    with pytest.raises(InputError, match=r"book_disparity\.png is missing or damaged"):
        next(make for name, make in depth_scenes(tmp_path, Part.DEVELOPMENT))()


def test_the_gaussian_keeps_what_the_mask_says_and_is_as_wide_as_the_disc() -> None:
    light = np.zeros((81, 81, 3), np.float32)
    light[40, 40] = 1
    sharp = np.zeros((81, 81), np.float32)
    sharp[:20] = 1
    light[5, 5] = 1

    seen = gaussian_through_mask(light, sharp, 12.0)

    assert np.array_equal(seen[:20], light[:20])
    y = np.arange(81) - 40
    row = seen[:, :, 0][25:56].sum(axis=1)
    assert row.sum() == pytest.approx(1, abs=1e-3)
    assert (row * y[25:56] ** 2).sum() == pytest.approx((12 / 4) ** 2, rel=0.02)


def test_gaussian_levels_follow_the_map() -> None:
    light = make_scene(50, 60, seed=5)
    coc = np.zeros((50, 60), np.float32)
    assert np.array_equal(gaussian_levels(light, coc), light)
    coc[:, 30:] = -8

    seen = gaussian_levels(light, coc)

    assert np.allclose(seen[:, :30], light[:, :30])
    assert np.allclose(seen[:, 30:], cv2.GaussianBlur(light, (0, 0), 2)[:, 30:], atol=1e-5)


def test_the_typical_circle_is_that_of_what_is_blurred() -> None:
    coc = np.array([[0, 0.5, -6, 8, 10]], np.float32)

    assert typical_coc(coc) == 8
    assert typical_coc(coc * 0) == 0


@pytest.mark.skipif(not has_gegl(), reason="the program gegl is not installed")
def test_gegl_draws_discs_of_the_size_that_is_asked_for() -> None:
    light = np.zeros((60, 120, 3), np.float32)
    light[30, 30] = light[30, 90] = 0.8
    coc = np.full((60, 120), 9.0, np.float32)
    coc[:, 60:] = -21

    seen = gegl_lens_blur(light, coc)[..., 1]

    for x, wanted in ((30, 9), (90, 21)):
        part = seen[:, x - 29 : x + 30]
        assert part.sum() == pytest.approx(0.8, rel=0.02)
        v, u = np.mgrid[:60, :59] - np.array([30, 29])[:, None, None]
        spread = float((part * (u**2 + v**2)).sum() / part.sum())
        assert math.sqrt(8 * spread) == pytest.approx(wanted, abs=0.8)


def test_without_gegl_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)

    assert not has_gegl()
    with pytest.raises(InputError, match="install the package gegl"):
        gegl_lens_blur(np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.float32))


def test_a_failing_gegl_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "gegl"
    program.write_text("#!/bin/sh\necho first >&2\necho broken >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    with pytest.raises(InputError, match=r"gegl failed \(broken\)"):
        gegl_lens_blur(np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.float32))


def test_a_case_is_compared_with_all_peers() -> None:
    light = make_scene(60, 80, seed=6)
    truth = cv2.GaussianBlur(light, (0, 0), 2)
    added = np.full((60, 80), 7.6, np.float32)
    every = _everywhere((60, 80))
    case = Case("bokeh", "one", light, added, 0 * added, truth, every, every)

    good, bad = judged_case(case, truth), judged_case(case, light)

    assert (good["psnr"], good["above"]) == (80, True)
    assert good["gaussian_psnr"] == pytest.approx(good["levels_psnr"], abs=0.1)
    assert 80 > good["gaussian_psnr"] > 35 > bad["psnr"] == bad["nothing_psnr"]
    assert not bad["above"]


def test_means_are_of_rows_of_one_kind() -> None:
    rows = [
        {"edit": "bokeh", "scene": "a", "psnr": 30.0, "band_psnr": math.nan, "above": True},
        {"edit": "bokeh", "scene": "b", "psnr": 40.0, "band_psnr": 20.0, "above": False},
        {"edit": "magnify", "scene": "a", "psnr": 10.0, "refused": None, "above": True},
    ]

    assert summary(rows) == [
        {"edit": "bokeh", "scenes": 2, "psnr": 35, "band_psnr": 20, "above": "1/2"},
        {"edit": "magnify", "scenes": 1, "psnr": 10, "refused": None, "above": "1/1"},
    ]


def test_true_circles_make_edits_better_than_nothing() -> None:
    told: list[tuple[int, int, int]] = []

    rows = judge_added_blur(
        None, Part.DEVELOPMENT, count=1, gegl=False, advance=lambda *each: told.append(each)
    )

    drawn = [row for row in rows if row["scene"] == "drawn-00"]
    assert [row["edit"] for row in drawn] == ["bokeh", "magnify"]
    for row in drawn:
        assert row["psnr"] > row["nothing_psnr"] + 3
        assert row["band_psnr"] > row["nothing_band_psnr"] + 3
        assert "gegl_psnr" not in row
    assert told[-1] == (3, 3, 0)


def test_blind_cases_are_photos_of_8_bits_with_their_truth() -> None:
    done, total, blind = next(iter(blind_cases(None, Part.DEVELOPMENT, count=1)))

    assert (done, total) == (1, 3)
    assert blind is not None
    assert blind.photo.bits == 8
    assert blind.case.light is blind.photo.rgb or np.array_equal(blind.case.light, blind.photo.rgb)
    # The truth is more blurred, by what is to be added and nowhere else.
    added = np.abs(blind.case.added_px)
    wanted = np.abs(blind.coc_px) * math.sqrt(1 - 1 / blind.factor**2)
    assert np.allclose(added, wanted, atol=1e-4)
    detail = [np.abs(np.diff(each, axis=1)).mean() for each in (blind.photo.rgb, blind.case.truth)]
    assert detail[0] > detail[1]


def test_blind_edits_are_compared_with_those_who_know_as_much() -> None:
    rows = judge_blind(None, Part.DEVELOPMENT, count=1, detector="lbp")

    drawn = [row for row in rows if row["scene"] == "drawn-00"]
    assert [row["edit"] for row in drawn] == ["bokeh, blind", "magnify, blind"]
    for row in drawn:
        better = row["psnr"] > max(row["nothing_psnr"], row["gaussian_psnr"])
        assert row["above"] is better
        assert row["psnr"] != row["nothing_psnr"]
    assert drawn[0]["nothing_psnr"] == drawn[1]["nothing_psnr"]
    assert drawn[0]["gaussian_psnr"] != drawn[1]["gaussian_psnr"]
