from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from focuskit.detect.systems.rdbd import Rdbd, RdbdOutputs
from focuskit.errors import InputError
from focuskit.training.kinds import kind_of
from focuskit.training.loop import Run
from focuskit.training.losses import Batch
from focuskit.training.system_recipes import RdbdRecipe
from focuskit.training.systems.rdbd import RdbdTask, fresh_network
from tests.unit.training._make import half_sharp_example, one_thread

CPU = torch.device("cpu")
SIZE = 64


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def _recipe(**changes: bool | int | float | str) -> RdbdRecipe:
    fields: dict[str, bool | int | float | str] = {
        "steps": 6,
        "batch": 4,
        "size": SIZE,
        "warmup": 1,
        "swap_side": 16,
        "cuhk": 1.0,
        "pairs": 0.0,
        "sweeps": 0.0,
        "scenes": 0.0,
    }
    return RdbdRecipe(**(fields | changes))  # type: ignore[arg-type]


def _task(recipe: RdbdRecipe) -> RdbdTask:
    pools = {"cuhk": [half_sharp_example(seed) for seed in range(3)]}
    return RdbdTask(recipe, pools, pools)


class _Oracle(Rdbd):
    """Tells what is in focus from the pictures' colour, or answers what it is told."""

    def __init__(self, answer: float | None = None) -> None:
        super().__init__()
        self.answer = answer
        self.seen = 0

    def forward(self, picture: Tensor) -> RdbdOutputs:
        self.seen = len(picture)
        if self.answer is not None:
            return RdbdOutputs(torch.full_like(picture[:, :1], self.answer))
        return RdbdOutputs((picture[:, :1] - 0.5) * 60)


def _told(in_focus: Tensor) -> Batch:
    """A batch whose pictures are white where they are in focus."""
    rgb = in_focus.expand(-1, 3, -1, -1).contiguous()
    unknown = torch.full_like(in_focus, torch.nan)
    return Batch(rgb, in_focus, torch.ones_like(in_focus), unknown)


def _left_half(count: int = 2) -> Tensor:
    in_focus = torch.zeros((count, 1, SIZE, SIZE))
    in_focus[..., : SIZE // 2] = 1
    return in_focus


@pytest.mark.parametrize("swap_side", [0, 16, 64])
def test_the_truth_costs_nothing_however_patches_are_swapped(swap_side: int) -> None:
    task = _task(_recipe(swap_side=swap_side))

    loss, terms = task.loss(_Oracle(), _told(_left_half()), 3, CPU)

    assert float(loss) == pytest.approx(0, abs=1e-6)
    assert all(value == pytest.approx(0, abs=1e-6) for value in terms.values())


@pytest.mark.parametrize(("swap_side", "pictures"), [(0, 4), (16, 2)])
def test_a_step_sees_as_many_pictures_with_copies_as_without(swap_side: int, pictures: int) -> None:
    task = _task(_recipe(swap_side=swap_side))
    oracle = _Oracle()
    batch = task.batch(0)

    task.loss(oracle, batch, 0, CPU)

    assert len(batch.rgb) == pictures
    assert oracle.seen == 4


def test_maps_that_do_not_move_with_the_patches_cost_consistency() -> None:
    class Stubborn(_Oracle):
        def forward(self, picture: Tensor) -> RdbdOutputs:
            logits = (_left_half(len(picture)) - 0.5) * 60
            return RdbdOutputs(logits)

    batch = _told(_left_half())
    with_it = _task(_recipe(self_supervision=0.2))
    without = _task(_recipe(self_supervision=0.0))

    # A step at which a patch of either half changes places.
    step = next(
        step
        for step in range(20)
        if with_it.loss(Stubborn(), batch, step, CPU)[1]["consistency"] > 0
    )
    loss, terms = with_it.loss(Stubborn(), batch, step, CPU)
    bare, _ = without.loss(Stubborn(), batch, step, CPU)

    assert float(loss - bare) == pytest.approx(0.2 * terms["consistency"], rel=1e-3)
    assert terms["mask"] == pytest.approx(0, abs=1e-6)
    assert terms["swapped_mask"] > 0
    assert terms["swapped_overlap"] > 0


def test_both_classes_count_alike() -> None:
    task = _task(_recipe(swap_side=0))
    batch = _told(_left_half())

    sure_sharp, _ = task.loss(_Oracle(5.0), batch, 0, CPU)
    sure_blurred, _ = task.loss(_Oracle(-5.0), batch, 0, CPU)

    assert float(sure_sharp) == pytest.approx(float(sure_blurred), rel=1e-4)


def test_hard_regions_weigh_double_unless_mining_is_off() -> None:
    mined = _task(_recipe()).batch(0)
    plain = _task(_recipe(hard=1.0)).batch(0)

    assert torch.equal(mined.rgb, plain.rgb)
    # Views are resampled, which rounds.
    assert torch.allclose(plain.weight, torch.ones(()))
    twice = mined.weight > 1.5
    assert torch.allclose(mined.weight, 1 + twice.float())
    assert 0 < float(twice.float().mean()) < 1


def test_training_lowers_the_loss_and_reaches_every_branch(tmp_path: Path) -> None:
    recipe = _recipe(steps=12)
    task = _task(recipe)
    start = fresh_network(recipe)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    batch = task.batch(0)
    with torch.no_grad():
        first, _ = task.loss(start, batch, 0, CPU)

    # What `train` returns is an average that lags behind in so few steps; it trains in place.
    Run(recipe, task, tmp_path, CPU, every=12, say=lambda _: None).train(start)
    start.train()
    with torch.no_grad():
        last, _ = task.loss(start, batch, 0, CPU)

    assert last < first
    moved = {
        name.split(".")[0] + name.split(".")[1]
        for name, parameter in start.named_parameters()
        if not torch.equal(parameter, before[name])
    }
    assert {"encoders0", "encoders1", "encoders2"} <= moved


def test_the_kind_starts_from_the_seed_and_tells_what_loading_needs() -> None:
    recipe = _recipe(gradients=False)
    kind = kind_of(recipe)

    one = kind.initial(recipe, Path("nowhere"), None)
    other = kind.fresh(recipe)

    assert kind.facts(one, _task(recipe)) == {"network": {"size": "small", "gradients": False}}
    for name, values in one.state_dict().items():
        assert torch.equal(values, other.state_dict()[name])


def test_a_backbones_file_is_refused() -> None:
    recipe = _recipe()

    with pytest.raises(InputError, match="no backbone"):
        kind_of(recipe).initial(recipe, Path("nowhere"), Path("vgg.pth"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"swap_side": 65}, "65 px do not fit views of 64 px"),
        ({"batch": 1}, "batch must be at least 2, or swap_side 0"),
        ({"self_supervision": -0.1}, "self_supervision"),
        ({"configuration": "huge"}, "configuration"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    changes: dict[str, int | float | str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _recipe(**changes)


def test_pictures_may_go_without_copies() -> None:
    assert _recipe(batch=1, swap_side=0).batch == 1
