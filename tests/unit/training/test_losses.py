from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from focuskit.detect.network import Outputs
from focuskit.training.losses import Batch, LossWeights, consistency, loss_of, swap_patches
from tests.unit.training._make import lively_network, one_thread

SIZE = 64
SURE = 30.0
LN2 = math.log(2)
WEIGHTS = LossWeights(overlap=0.5, side=0.3, coc=0.3, confidence=0.1)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def _batch(in_focus: Tensor, weight: Tensor | None = None, coc_px: Tensor | None = None) -> Batch:
    count = in_focus.shape[0]
    rgb = torch.rand((count, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(1))
    unknown = torch.full_like(in_focus, math.nan)
    return Batch(
        rgb,
        in_focus,
        torch.ones_like(in_focus) if weight is None else weight,
        torch.log2(1 + (unknown if coc_px is None else coc_px)),
    )


def _left_half(count: int = 2) -> Tensor:
    in_focus = torch.zeros((count, 1, SIZE, SIZE))
    in_focus[..., : SIZE // 2] = 1
    return in_focus


def _outputs(logits: Tensor, log_coc: Tensor | None = None, confidence: float = 0.0) -> Outputs:
    """The same answer at every size, from a map of the picture's."""
    half = functional.avg_pool2d(logits, 2)
    side = tuple(functional.avg_pool2d(logits, stride) for stride in (4, 8, 16, 32))
    known = torch.zeros_like(half) if log_coc is None else log_coc
    return Outputs(half, known, torch.full_like(half, confidence), side)


def _random_outputs(count: int = 2, seed: int = 0) -> Outputs:
    generator = torch.Generator().manual_seed(seed)

    def maps(stride: int) -> Tensor:
        shape = (count, 1, SIZE // stride, SIZE // stride)
        return torch.randn(shape, generator=generator).requires_grad_()

    return Outputs(maps(2), maps(2), maps(2), tuple(maps(stride) for stride in (4, 8, 16, 32)))


def _gradients(outputs: Outputs) -> list[Tensor | None]:
    heads = (outputs.in_focus, outputs.log_coc, outputs.confidence)
    return [each.grad for each in (*heads, *outputs.side)]


def test_perfect_answers_cost_nothing() -> None:
    in_focus = _left_half()
    batch = _batch(in_focus, coc_px=6 * (1 - in_focus))
    outputs = _outputs(SURE * (2 * in_focus - 1), batch.log_coc[:, :, ::2, ::2], SURE)

    total, terms = loss_of(outputs, batch, WEIGHTS)

    assert set(terms) == {"mask", "overlap", "side", "coc"}
    assert float(total) == pytest.approx(0, abs=1e-4)
    assert list(terms.values()) == pytest.approx([0] * 4, abs=1e-4)


def test_wrong_answers_cost_as_much_as_they_are_sure() -> None:
    in_focus = _left_half()

    total, terms = loss_of(_outputs(SURE * (1 - 2 * in_focus)), _batch(in_focus), WEIGHTS)

    # Between the halves, where maps are enlarged, it is less sure.
    assert terms["mask"] == pytest.approx(SURE, rel=0.03)
    assert terms["overlap"] == pytest.approx(1, abs=1e-3)
    assert float(total) > SURE


def test_no_opinion_of_a_sharp_picture() -> None:
    in_focus = torch.ones((2, 1, SIZE, SIZE))

    total, terms = loss_of(_outputs(0 * in_focus), _batch(in_focus), WEIGHTS)

    # Every pixel: -log 1/2. Overlap of 1/2 with 1: both 1/2, either 1; no picture is blurred.
    assert terms["mask"] == pytest.approx(LN2)
    assert terms["overlap"] == pytest.approx(0.25)
    assert terms["side"] == pytest.approx(LN2 + 0.5 * 0.25)
    assert terms["coc"] == 0
    assert float(total) == pytest.approx(LN2 + 0.5 * 0.25 + 0.3 * (LN2 + 0.125))


def test_no_opinion_of_a_half_sharp_picture() -> None:
    in_focus = _left_half()

    _, terms = loss_of(_outputs(0 * in_focus), _batch(in_focus), WEIGHTS)

    # Either class: both 1/4, either 1/2 + 1/4.
    assert terms["overlap"] == pytest.approx(1 - 1 / 3)


def test_hard_pixels_count_double() -> None:
    in_focus = _left_half()
    weight = 1 + in_focus
    logits = torch.full_like(in_focus, -2.0)

    _, terms = loss_of(_outputs(logits), _batch(in_focus, weight), WEIGHTS)

    # Two thirds of the weight lie on the half of which it is wrong.
    wrong, right = math.log1p(math.exp(2)), math.log1p(math.exp(-2))
    assert terms["mask"] == pytest.approx((2 * wrong + right) / 3)


def test_what_is_undecided_does_not_matter() -> None:
    in_focus = _left_half()
    weight = torch.ones_like(in_focus)
    weight[..., 20:45] = 0
    other = in_focus.clone()
    other[..., 20:45] = 1 - other[..., 20:45]

    one, other_one = (
        loss_of(_random_outputs(), _batch(each, weight), WEIGHTS) for each in (in_focus, other)
    )

    assert torch.equal(one[0], other_one[0])
    assert one[1] == other_one[1]


def test_a_batch_of_which_nothing_is_known_teaches_nothing() -> None:
    outputs = _random_outputs()
    nothing = torch.zeros((2, 1, SIZE, SIZE))

    total, _ = loss_of(outputs, _batch(nothing, nothing), WEIGHTS)
    total.backward()

    assert float(total.detach()) == 0
    assert all(grad is None or not grad.any() for grad in _gradients(outputs))


@pytest.mark.parametrize("known", [0.0, 0.3, 1.0])
def test_unknown_circles_of_confusion_leave_everything_finite(known: float) -> None:
    generator = torch.Generator().manual_seed(3)
    in_focus = _left_half()
    unknown = torch.rand(in_focus.shape, generator=generator) >= known
    coc = torch.where(unknown, math.nan, 8.0)
    outputs = _random_outputs()

    total, terms = loss_of(outputs, _batch(in_focus, coc_px=coc), WEIGHTS)
    total.backward()

    assert math.isfinite(float(total.detach()))
    assert all(map(math.isfinite, terms.values()))
    assert (terms["coc"] > 0) == (known > 0)
    gradients = _gradients(outputs)
    assert all(grad is None or torch.isfinite(grad).all() for grad in gradients)
    assert outputs.log_coc.grad is not None or known == 0
    if outputs.log_coc.grad is not None:
        # Nothing is taught where nothing is known.
        assert not outputs.log_coc.grad[unknown[:, :, ::2, ::2]].any()


def test_confidence_learns_whether_the_circle_of_confusion_is_about_right() -> None:
    in_focus = _left_half()
    batch = _batch(in_focus, coc_px=torch.full_like(in_focus, 7.0))
    # log2(1 + 7) = 3; off by a factor of 1.07 in the left half, of 4 in the right one.
    said = torch.where(in_focus[:, :, ::2, ::2] == 1, 3.1, 5.0)
    for answer, wanted in ((SURE, 0.5 * SURE), (-SURE, 0.5 * SURE)):
        outputs = _outputs(SURE * (2 * in_focus - 1), said, answer)
        outputs.confidence.requires_grad_()

        total, terms = loss_of(outputs, batch, replace(WEIGHTS, coc=0.0, confidence=1.0))
        total.backward()

        assert float(total.detach()) == pytest.approx(wanted, rel=1e-3)
        assert terms["coc"] == pytest.approx((0.05 + 1.95) / 2, abs=1e-3)
    right = _outputs(in_focus, said)
    right.confidence.requires_grad_()
    loss_of(right, batch, WEIGHTS)[0].backward()
    assert (right.confidence.grad[..., : SIZE // 4] < 0).all()
    assert (right.confidence.grad[..., SIZE // 4 :] > 0).all()


def _positions(count: int) -> Batch:
    """Every pixel differs, and its maps tell where it came from."""
    index = torch.arange(SIZE * SIZE, dtype=torch.float32).reshape(1, 1, SIZE, SIZE)
    index = index.repeat(count, 1, 1, 1)
    return Batch(index.repeat(1, 3, 1, 1), index, index, index)


def _apart(boxes: Tensor) -> bool:
    return all(abs(y - v) >= side or abs(x - u) >= side for y, x, v, u, side in boxes.tolist())


def test_swapping_twice_is_not_swapping() -> None:
    batch = _positions(2)
    tried = 0
    for seed in range(200):
        swapped, boxes = swap_patches(batch, torch.Generator().manual_seed(seed), 24)
        if not _apart(boxes):
            continue
        tried += 1
        again, _ = swap_patches(swapped, torch.Generator().manual_seed(seed), 24)
        assert torch.equal(again.in_focus, batch.in_focus)
        assert not torch.equal(swapped.in_focus, batch.in_focus)
        moved = (swapped.in_focus != batch.in_focus).sum((1, 2, 3))
        assert moved.tolist() == [2 * 24 * 24] * 2

    assert tried >= 10


@pytest.mark.parametrize("side", [16, 32, 48, 64])
def test_the_truth_moves_with_the_picture_even_where_patches_overlap(side: int) -> None:
    batch = _positions(3)
    before = batch.in_focus.clone()
    for seed in range(20):
        swapped, boxes = swap_patches(batch, torch.Generator().manual_seed(seed), side)

        assert torch.equal(swapped.rgb[:, :1], swapped.in_focus)
        assert torch.equal(swapped.in_focus, swapped.weight)
        assert torch.equal(swapped.in_focus, swapped.log_coc)
        assert not (boxes % 2).any()
        assert (boxes[:, :4] >= 0).all()
        assert (boxes[:, :4] + side <= SIZE).all()
    assert torch.equal(batch.in_focus, before)


def _pointwise(rgb: Tensor) -> Outputs:
    return _outputs(6 * rgb.mean(1, keepdim=True) - 3)


def test_who_judges_every_place_by_itself_is_consistent() -> None:
    batch = _batch(_left_half())
    for seed, side in enumerate((16, 32, 48, 32, 16)):
        swapped, boxes = swap_patches(batch, torch.Generator().manual_seed(seed), side)

        found = consistency(_pointwise(batch.rgb), _pointwise(swapped.rgb), boxes)

        assert float(found) == pytest.approx(0, abs=1e-7)


def test_who_judges_by_the_surroundings_is_not() -> None:
    batch = _batch(_left_half())
    network = lively_network()
    swapped, boxes = swap_patches(batch, torch.Generator().manual_seed(4), 32)

    straight, other = network(batch.rgb), network(swapped.rgb)
    found = consistency(straight, other, boxes)
    found.backward()

    assert 1e-3 < float(found.detach()) < 1
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_the_loss_of_the_network_itself_reaches_every_parameter() -> None:
    network = lively_network().train()
    in_focus = _left_half()
    batch = _batch(in_focus, coc_px=torch.from_numpy(np.full(in_focus.shape, 5, np.float32)))

    total, _ = loss_of(network(batch.rgb), batch, WEIGHTS)
    total.backward()

    missing = [n for n, p in network.named_parameters() if p.grad is None]
    assert not missing
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_half_precision_as_on_a_gpu_costs_nearly_the_same() -> None:
    network = lively_network()
    in_focus = _left_half()
    batch = _batch(in_focus, coc_px=torch.full_like(in_focus, 5.0))
    swapped, boxes = swap_patches(batch, torch.Generator().manual_seed(4), 32)
    totals = []
    for half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            straight, other = network(batch.rgb), network(swapped.rgb)
            total = loss_of(straight, batch, WEIGHTS)[0] + consistency(straight, other, boxes)
        network.zero_grad()
        total.backward()
        totals.append(float(total.detach()))
        assert all(torch.isfinite(p.grad).all() for p in network.parameters())

    assert totals[0] == pytest.approx(totals[1], rel=0.05)
