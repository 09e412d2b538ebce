"""The similarity networks of M2CS, their loss, and the pools that they learn from."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from focuskit.errors import InputError, RangeError
from focuskit.training.systems.pools import make_pools, random_crop, random_masks, random_view
from focuskit.training.systems.similarity import (
    PATCH_SIDES,
    LocalNet,
    contrastive_loss,
    detail_of,
    seen_of,
    similarity_networks,
)
from tests.scenes import make_scene
from tests.unit.training._make import encoded, half_sharp


def sharp_photo(seed: int) -> NDArray[np.uint8]:
    return encoded(make_scene(120, 160, seed))


def detail(rgb: NDArray[np.uint8]) -> float:
    gray = rgb.mean(axis=2)
    return float(np.square(np.diff(gray, axis=0)).mean() + np.square(np.diff(gray, axis=1)).mean())


class TestContrastiveLoss:
    def test_two_tight_groups_that_are_opposite_give_the_least_loss(self) -> None:
        clear = torch.tensor([1.0, 0.0]).expand(4, 3, 2)
        within, across = 12 * math.e, 16 / math.e
        least = 2 * -math.log(within / (within + across))
        assert contrastive_loss(clear, -2 * clear).item() == pytest.approx(least, rel=1e-5)

    def test_one_group_costs_more_the_more_alike_it_is_to_the_other(self) -> None:
        clear = torch.tensor([1.0, 0.0]).expand(4, 1, 2)
        losses = [
            contrastive_loss(clear, torch.tensor([math.cos(a), math.sin(a)]).expand(4, 1, 2)).item()
            for a in (math.pi, 2.0, 1.0, 0.0)
        ]
        assert losses == sorted(losses)

    def test_the_order_within_a_group_matters_to_aligned_negatives_only(self) -> None:
        torch.manual_seed(0)
        clear, blurred = torch.randn(4, 5, 8), torch.randn(4, 5, 8)
        turned = blurred.roll(1, 0)
        torch.testing.assert_close(
            contrastive_loss(clear, blurred), contrastive_loss(clear, turned)
        )
        aligned, other = (
            contrastive_loss(clear, each, aligned_negatives=True) for each in (blurred, turned)
        )
        assert abs(aligned.item() - other.item()) > 1e-4

    def test_aligned_negatives_are_all_of_them_where_all_are_alike(self) -> None:
        torch.manual_seed(1)
        clear, blurred = torch.randn(1, 5, 8).expand(4, 5, 8), torch.randn(1, 5, 8).expand(4, 5, 8)
        torch.testing.assert_close(
            contrastive_loss(clear, blurred, aligned_negatives=True),
            contrastive_loss(clear, blurred),
        )

    def test_a_low_temperature_sharpens(self) -> None:
        clear = torch.tensor([1.0, 0.0]).expand(4, 1, 2)
        assert contrastive_loss(clear, -clear, temperature=0.1) < contrastive_loss(clear, -clear)


class TestNetworks:
    @pytest.mark.parametrize(
        ("side", "patches"), [(32, 15**2), (64, 13**2), (96, 11**2), (128, 9**2)]
    )
    def test_the_full_ones_cut_the_papers_patches(self, side: int, patches: int) -> None:
        network = LocalNet(side, "full").eval()
        with torch.inference_mode():
            # Narrow pictures save the time of square ones; 256 px give this many along a side.
            embedded = network(torch.rand(1, 3, 256, side))
        assert embedded.shape == (1, math.isqrt(patches), 256)

    @pytest.mark.parametrize("side", PATCH_SIDES)
    def test_the_small_ones_embed_patches_as_the_full_ones_would(self, side: int) -> None:
        torch.manual_seed(3)
        full, small = LocalNet(side, "full").eval(), LocalNet(side, "small").eval()
        small.load_state_dict(full.state_dict())
        # Black around, as the zeros that the full one sees around a patch.
        picture = torch.zeros(1, 3, side, side)
        picture[..., 8:-8, 8:-8] = torch.rand(1, 3, side - 16, side - 16)
        with torch.inference_mode():
            torch.testing.assert_close(full(picture), small(picture), atol=1e-5, rtol=1e-4)

    def test_small_ones_do_not_see_brightness(self) -> None:
        torch.manual_seed(5)
        picture = torch.rand(1, 3, 64, 64) / 2
        networks = similarity_networks(64, "small", patch_sides=(32,), whole=True).eval()
        with torch.inference_mode():
            for network in networks.values():
                bright, dark = (seen_of(each, "small") for each in (picture, picture - 0.4))
                torch.testing.assert_close(network(bright), network(dark), atol=1e-5, rtol=1e-4)

    def test_full_ones_see_the_picture_and_small_ones_its_detail(self) -> None:
        torch.manual_seed(6)
        picture = torch.rand(2, 3, 16, 16)
        assert seen_of(picture, "full") is picture
        torch.testing.assert_close(seen_of(picture, "small"), detail_of(picture))
        torch.testing.assert_close(detail_of(picture + 1), detail_of(picture), atol=1e-5, rtol=0)

    def test_every_patch_is_seen_by_itself(self) -> None:
        torch.manual_seed(4)
        network = LocalNet(32, "full").eval()
        picture = torch.rand(1, 3, 64, 64)
        changed = picture.clone()
        changed[..., 40:, 40:] = 0
        with torch.inference_mode():
            same = torch.isclose(network(picture), network(changed)).all(-1)[0].reshape(3, 3)
        assert same.tolist() == [[True] * 3, [True, False, False], [True, False, False]]

    def test_only_what_is_asked_for_is_made(self) -> None:
        networks = similarity_networks(64, "small", patch_sides=(32, 64), whole=False)
        assert list(networks) == ["local32", "local64"]
        assert list(similarity_networks(64, "small", patch_sides=(), whole=True)) == ["global"]

    def test_patches_larger_than_the_pictures_are_refused(self) -> None:
        with pytest.raises(RangeError, match="128 px do not fit pictures of 64 px"):
            similarity_networks(64, "small", patch_sides=(128,), whole=True)


class TestPools:
    def test_the_blurred_ones_hold_less_detail(self) -> None:
        photos = [sharp_photo(seed) for seed in range(3)]
        pools = make_pools(photos, np.random.default_rng(0), count=6, side_px=192)
        assert len(pools.clear) == len(pools.blurred) == 6
        clear, blurred = (
            np.array([detail(each) for each in pool]) for pool in (pools.clear, pools.blurred)
        )
        assert np.median(blurred) < 0.6 * np.median(clear)

    def test_photos_with_flat_places_are_left_out(self) -> None:
        flat = np.full((120, 160, 3), 90, np.uint8)
        half_flat = sharp_photo(7)
        half_flat[:60] = 90
        pools = make_pools(
            [flat, half_flat, sharp_photo(5), sharp_photo(6), sharp_photo(8)],
            np.random.default_rng(0),
            count=12,
            side_px=64,
        )
        for picture in (*pools.clear, *pools.blurred):
            assert np.abs(np.diff(picture.astype(int), axis=1)).mean(axis=(1, 2)).min() > 0

    def test_the_same_seed_makes_the_same_pools(self) -> None:
        photos = [sharp_photo(5)]
        first, second = (
            make_pools(photos, np.random.default_rng(1), count=2, side_px=32) for _ in range(2)
        )
        for one, other in zip(first.blurred, second.blurred, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_no_photos_are_refused(self) -> None:
        with pytest.raises(InputError, match="no sharp photos"):
            make_pools([], np.random.default_rng(0), count=2, side_px=32)

    @pytest.mark.parametrize("make", [random_crop, random_view])
    def test_views_are_of_the_size_and_leave_the_photo_alone(self, make: object) -> None:
        photo = half_sharp(72, 100, 6)
        before = photo.copy()
        rng = np.random.default_rng(2)
        for _ in range(8):
            view = make(photo, rng, 64)  # type: ignore[operator]
            assert view.shape == (64, 64, 3)
            assert view.dtype == np.uint8
        np.testing.assert_array_equal(photo, before)

    def test_random_masks_are_hard_and_soft_and_of_either_kind(self) -> None:
        masks = random_masks(np.random.default_rng(3), 40, 32)
        assert masks.shape == (40, 1, 32, 32)
        assert masks.min() >= 0
        assert masks.max() <= 1
        undecided = np.minimum(masks, 1 - masks).mean(axis=(1, 2, 3))
        assert undecided.min() < 0.05
        assert undecided.max() > 0.2
        assert 0.3 < masks.mean() < 0.7
