from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from focuskit.detect.maps import MapNetwork
from focuskit.errors import InputError
from focuskit.training.example import Example, Pools
from focuskit.training.losses import Batch, cross_entropy
from focuskit.training.masked import MaskTask, mask_figures
from focuskit.training.system_recipes import MaskedRecipe
from tests.unit.training._make import half_sharp_example, one_thread

POOLS: Pools = {
    "cuhk": [half_sharp_example(seed) for seed in range(3)],
    "scenes": [half_sharp_example(seed, "scene") for seed in range(3)],
}
SHARES = {"cuhk": 0.5, "pairs": 0.0, "sweeps": 0.0, "scenes": 0.5}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


class _Painted(MapNetwork):
    """Answers the left half, or whatever it is given, at a quarter of the size."""

    KIND: ClassVar[str] = "painted"
    INPUT: ClassVar[str] = "picture"
    CHANNELS: ClassVar[int] = 3
    OUTPUTS: ClassVar[tuple[str, ...]] = ("in_focus_probability",)

    def __init__(self, left: float = 1.0, right: float = 0.0) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 2, 1)
        self.head = nn.Conv2d(2, 1, 1)
        self.sides = (left, right)
        self.seen: list[tuple[torch.Size, bool]] = []

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        self.seen.append((picture.shape, self.training))
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
        count, _, height, width = picture.shape
        found = torch.full((count, 1, height // 4, width // 4), self.sides[1])
        found[..., : width // 8] = self.sides[0]
        return (found,)


class _Task(MaskTask[MaskedRecipe, MapNetwork]):
    def loss(
        self, network: MapNetwork, batch: Batch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        return cross_entropy(network.maps(batch.rgb)[0], batch.in_focus, batch.weight), {}


def _recipe(**changes: Any) -> MaskedRecipe:
    return MaskedRecipe(**({"name": "tiny", "batch": 3, "size": 64, **SHARES} | changes))


def test_every_step_has_a_batch_of_its_own() -> None:
    one, other = _Task(_recipe(), POOLS, {}), _Task(_recipe(seed=1), POOLS, {})

    batch, again, next_one = one.batch(4), one.batch(4), one.batch(5)

    assert batch.rgb.shape == (3, 3, 64, 64)
    assert batch.in_focus.shape == batch.weight.shape == batch.log_coc.shape == (3, 1, 64, 64)
    assert torch.equal(batch.rgb, again.rgb)
    assert torch.equal(batch.in_focus, again.in_focus)
    assert not torch.equal(batch.rgb, next_one.rgb)
    assert not torch.equal(batch.rgb, other.batch(4).rgb)


def test_hard_regions_have_the_weight_of_the_recipe() -> None:
    weights = [
        set(
            _Task(_recipe(hard=hard, cuhk=1.0, scenes=0.0), POOLS, {})
            .batch(0)
            .weight.unique()
            .tolist()
        )
        for hard in (1.0, 3.0)
    ]

    assert max(weights[0]) == 1
    assert max(weights[1]) == 3


def test_only_the_backbone_learns_at_a_rate_of_its_own() -> None:
    network = _Painted()
    backbone, rest = _Task(_recipe(encoder_share=0.25), POOLS, {}).groups(network)

    assert backbone == (list(network.backbone.parameters()), 0.25)
    assert rest == (list(network.head.parameters()), 1.0)

    network.backbone = nn.Identity()  # type: ignore[assignment]
    assert _Task(_recipe(), POOLS, {}).groups(network) == [(list(network.parameters()), 1.0)]


def test_a_kind_of_data_that_is_missing_is_refused_before_training() -> None:
    for pools in ({"cuhk": POOLS["cuhk"]}, {"cuhk": POOLS["cuhk"], "scenes": []}):
        with pytest.raises(InputError, match="no examples of scenes"):
            _Task(_recipe(), pools, {})


def test_a_map_as_the_mask_has_the_figures_of_one() -> None:
    held: Pools = {"cuhk": [half_sharp_example(seed, size=80) for seed in range(2)]}
    network = _Painted().train()

    figures = _Task(_recipe(), POOLS, held).validate(network)

    assert set(figures) == {"f_max", "f_ada", "f_blur", "mae", "auc"}
    assert figures["f_max"] == pytest.approx(1, abs=0.01)
    assert figures["auc"] == pytest.approx(1, abs=0.01)
    assert figures["mae"] == pytest.approx(0, abs=0.01)
    # Judged at the size of the protocol, and not as in training.
    assert network.seen == [((1, 3, 320, 320), False)] * 2


def test_figures_get_worse_as_the_map_does() -> None:
    photos = [half_sharp_example(0)]

    right, doubtful, wrong = (
        mask_figures(_Painted(*sides), photos) for sides in ((1.0, 0.0), (0.6, 0.4), (0.0, 1.0))
    )

    assert right["mae"] < doubtful["mae"] < wrong["mae"]
    assert doubtful["f_max"] == pytest.approx(right["f_max"], abs=0.01)
    assert wrong["auc"] == pytest.approx(0, abs=0.01)


def test_photos_of_any_shape_are_judged_and_none_give_no_figures() -> None:
    tall = half_sharp_example(1)
    cut = Example(
        np.ascontiguousarray(tall.rgb[:50]),
        np.ascontiguousarray(tall.in_focus[:50]),
        np.ascontiguousarray(tall.weight[:50]),
        np.ascontiguousarray(tall.coc_diameter_px[:50]),
        tall.source,
        tall.scene,
    )

    assert mask_figures(_Painted(), [cut])["f_max"] == pytest.approx(1, abs=0.01)
    assert mask_figures(_Painted(), []) == {}
