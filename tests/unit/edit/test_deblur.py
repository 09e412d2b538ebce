"""deblur: which regions it finds, what it says of the others, and what it leaves as it was."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import focuskit
from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb, linearise_srgb
from focuskit.edit.deblur import deblur
from focuskit.edit.regions import Region, find_regions
from focuskit.errors import InputError
from focuskit.photo import Photo
from tests.scenes import as_photo, blurred, make_scene

Map = NDArray[np.float32]
Image = NDArray[np.float32]
HEIGHT, WIDTH = 120, 240
LEFT, RIGHT = np.s_[:, : WIDTH // 2], np.s_[:, WIDTH // 2 :]


def _map(coc: Map) -> BlurMap:
    return BlurMap(np.clip((3 - coc) / 2, 0, 1).astype(np.float32), coc, np.ones_like(coc))


def _scene(left_px: float, right_px: float, *, seed: int = 3) -> tuple[Image, Photo, BlurMap]:
    """Two halves of different blur, in 8 bits with a little noise; the truth comes first."""
    truth = make_scene(HEIGHT, WIDTH, seed=seed)
    light, coc = truth.copy(), np.zeros((HEIGHT, WIDTH), np.float32)
    for part, size in ((LEFT, left_px), (RIGHT, right_px)):
        coc[part] = size
        if size >= 1:
            light[part] = blurred(np.ascontiguousarray(truth[part]), size)
    return truth, as_photo(_eight_bits(light, 0.004)), _map(coc)


def _eight_bits(light: Image, sigma: float) -> Image:
    rng = np.random.default_rng(0)
    encoded = encode_srgb(np.minimum(light, 1))
    encoded = encoded + np.float32(sigma) * rng.standard_normal(light.shape, dtype=np.float32)
    return linearise_srgb(np.rint(np.clip(encoded, 0, 1) * 255).astype(np.float32) / 255)


def _error(light: Image, truth: Image) -> float:
    one, two = (encode_srgb(np.minimum(each, 1)) for each in (light, truth))
    return float(np.mean((one - two) ** 2))


def _reasons(regions: tuple[Region, ...]) -> list[str]:
    return [region.reason for region in regions]


def test_a_missed_focus_is_found_measured_and_restored() -> None:
    truth, photo, blur_map = _scene(4.0, 4.0)

    edited = deblur(photo, blur_map)

    (region,) = edited.regions.kept
    assert region.reason == "worth"
    assert region.box == (0, 0, WIDTH, HEIGHT)
    assert region.area_px == HEIGHT * WIDTH
    assert region.coc_px == pytest.approx(4.0, rel=0.05)
    low, middle, high = region.sigma_px
    assert low <= middle <= high
    assert middle == pytest.approx(1.0, rel=0.05)
    assert region.expected_gain_db is not None
    before, after = _error(photo.rgb, truth), _error(edited.photo.rgb, truth)
    assert 10 * np.log10(before / after) > 1.5
    assert region.expected_gain_db >= 1
    assert edited.notes == ()
    assert edited.confidence is not None
    assert edited.confidence.max() > 0.8


def test_two_sizes_of_blur_are_two_regions_and_numbers_go_by_what_is_at_stake() -> None:
    _, photo, blur_map = _scene(3.0, 7.0)

    regions = find_regions(photo, blur_map)

    assert [round(region.coc_px) for region in sorted(regions.kept, key=lambda r: r.box)] == [3, 7]
    assert [region.label for region in regions.kept] == [1, 2]
    stakes = [region.area_px * (region.expected_gain_db or 0) for region in regions.kept]
    assert stakes == sorted(stakes, reverse=True)
    for region in regions.kept:
        assert (regions.labels == region.label).sum() == region.area_px


def test_outside_the_regions_the_photo_is_the_same_and_the_edge_has_no_seam() -> None:
    _, photo, blur_map = _scene(0.0, 4.0)

    edited = deblur(photo, blur_map, background=True)

    outside = edited.regions.labels == 0
    assert outside[LEFT].mean() > 0.9
    assert np.array_equal(edited.photo.rgb[outside], photo.rgb[outside])
    assert edited.changed_share > 0.3
    change = np.abs(edited.photo.rgb - photo.rgb).max(axis=2)
    inside = np.argwhere(~outside[HEIGHT // 2])[0, 0]
    assert change[:, inside : inside + 2].mean() < 0.25 * change[:, inside + 10 :].mean()


def test_blur_that_was_meant_stays_unless_asked_for() -> None:
    _, photo, blur_map = _scene(0.0, 8.0)

    kept, asked = (deblur(photo, blur_map, background=each) for each in (False, True))

    assert not kept.regions.kept
    assert "background" in _reasons(kept.regions.left_out)
    assert np.array_equal(kept.photo.rgb, photo.rgb)
    assert kept.changed_share == 0
    assert "looks meant" in kept.notes[0]
    assert _reasons(asked.regions.kept) == ["worth"]


@pytest.mark.parametrize(("coc", "reason"), [(0.0, "sharp"), (1.3, "sharp"), (20.0, "blurred")])
def test_too_little_and_too_much_blur_are_left_out(coc: float, reason: str) -> None:
    _, photo, blur_map = _scene(coc, coc)

    edited = deblur(photo, blur_map)

    (region,) = edited.regions.left_out
    assert region.reason == reason
    assert region.label == 0
    assert region.sentence.endswith(".")
    assert edited.photo is photo
    assert "No region is worth deblurring" in edited.notes[0]


def test_plain_clipped_and_unknown_surfaces_are_left_out() -> None:
    coc = np.full((HEIGHT, WIDTH), 4.0, np.float32)
    plain = as_photo(_eight_bits(np.full((HEIGHT, WIDTH, 3), 0.2, np.float32), 0.004))
    white = as_photo(np.ones((HEIGHT, WIDTH, 3), np.float32))
    _, textured, _ = _scene(4.0, 4.0)
    unsure = BlurMap(np.zeros_like(coc), coc, np.full_like(coc, 0.02))

    found = [
        find_regions(plain, _map(coc)),
        find_regions(white, _map(coc)),
        find_regions(textured, unsure),
    ]

    assert [_reasons(each.left_out) for each in found] == [["plain"], ["clipped"], ["unsure"]]
    assert not any(each.kept for each in found)


def test_noise_decides_whether_it_is_worth_it() -> None:
    truth = make_scene(HEIGHT, WIDTH, seed=3)
    light = blurred(truth, 2.0)
    light = 0.2 + 0.05 * (light - 0.2)
    blur_map = _map(np.full((HEIGHT, WIDTH), 2.0, np.float32))

    quiet, noisy = (
        find_regions(as_photo(_eight_bits(light, sigma)), blur_map) for sigma in (0.0005, 0.06)
    )

    assert quiet.noise.encoded_sigma < 0.01 < noisy.noise.encoded_sigma
    assert not noisy.kept
    assert _reasons(noisy.left_out)[0] in {"plain", "little"}


def test_what_is_protected_belongs_to_no_region() -> None:
    _, photo, blur_map = _scene(4.0, 4.0)
    protect = np.zeros((HEIGHT, WIDTH), np.float32)
    protect[LEFT] = 1

    edited = deblur(photo, blur_map, protect=protect)

    assert not edited.regions.labels[LEFT].any()
    assert np.array_equal(edited.photo.rgb[LEFT], photo.rgb[LEFT])
    assert edited.changed_share > 0.3


def test_finding_alone_changes_nothing() -> None:
    _, photo, blur_map = _scene(4.0, 4.0)

    found = deblur(photo, blur_map, apply=False)

    assert found.regions.kept
    assert found.photo is photo
    assert found.changed_share == 0


@pytest.mark.parametrize("apply", [True, False])
def test_progress_is_told_from_the_beginning_to_the_end_and_may_cancel(apply: bool) -> None:
    _, photo, blur_map = _scene(4.0, 4.0)
    shares: list[float] = []

    def cancel(share: float) -> None:
        if share > 0:
            raise InputError("cancelled")

    deblur(photo, blur_map, apply=apply, tick=shares.append)

    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert len(shares) >= 4 if apply else len(shares) >= 3
    with pytest.raises(InputError, match="cancelled"):
        deblur(photo, blur_map, apply=apply, tick=cancel)


def test_a_search_that_finds_nothing_ends_too() -> None:
    _, photo, blur_map = _scene(0.0, 0.0)
    shares: list[float] = []

    found = find_regions(photo, blur_map, tick=shares.append)

    assert not found.kept
    assert shares[-1] == 1


def test_the_package_refuses_rather_than_give_back_the_same_photo() -> None:
    _, photo, blur_map = _scene(0.0, 0.0)

    with pytest.raises(InputError, match="No region is worth deblurring"):
        focuskit.deblur(photo, blur_map)
