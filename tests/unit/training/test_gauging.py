from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from focuskit.detect.gauge import GAUGE_STRIDE, GaugeNet
from focuskit.errors import InputError
from focuskit.training import gauging
from focuskit.training.example import Example, Pools
from focuskit.training.gauging import GaugeBatch, GaugeTask, fresh_network, gauge_loss
from tests.unit.training._make import (
    half_sharp,
    half_sharp_example,
    lively_gauge,
    one_thread,
    tiny_gauge_recipe,
)

POOLS: Pools = {
    "cuhk": [half_sharp_example(seed) for seed in range(3)],
    "scenes": [half_sharp_example(seed, "scene") for seed in range(3)],
    "whole": [half_sharp_example(seed, "whole") for seed in range(3)],
}
CPU = torch.device("cpu")
SHARP, UNKNOWN = -1.0, math.nan


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


# The loss.


def _loss(
    log_coc: list[float], log_error: list[float], truth: list[float]
) -> tuple[float, dict[str, float], Tensor]:
    """The loss of a picture of one row of cells, and its gradient."""
    found = torch.tensor([log_coc, log_error])[None, :, None, :].requires_grad_()
    loss, terms = gauge_loss(found, torch.tensor(truth)[None, None, :])
    loss.backward()
    assert found.grad is not None
    return float(loss.detach()), terms, found.grad[0, :, 0]


def test_of_a_known_blur_it_is_the_likelihood_of_its_logarithm() -> None:
    # log2(1 + 7) = 3.
    loss, terms, gradient = _loss([3.5], [math.log(0.25)], [7.0])

    assert loss == pytest.approx(0.5 / 0.25 + math.log(0.25))
    assert terms == pytest.approx({"off": 0.5, "above": 0.0})
    # Further is worse; a larger error of its own would have been the better bet.
    assert gradient[:, 0].tolist() == pytest.approx([4.0, 1 - 2.0])


def test_a_blur_of_zero_is_a_known_one() -> None:
    loss, terms, _ = _loss([1.0], [0.0], [0.0])

    assert loss == pytest.approx(1.0)
    assert terms["off"] == pytest.approx(1.0)


def test_what_is_sharp_costs_only_above_what_sharp_photos_have() -> None:
    limit = math.log2(1 + 1.4)
    loss, terms, gradient = _loss(
        [limit - 0.7, limit + 0.2], [math.log(0.5), math.log(0.5)], [SHARP, SHARP]
    )

    assert loss == pytest.approx(0.2 / 0.5 / 2)
    assert terms == pytest.approx({"off": 0.0, "above": 0.1})
    # The error is not learned from what nobody knows.
    assert gradient[0].tolist() == pytest.approx([0.0, 1 / 0.5 / 2])
    assert gradient[1].tolist() == [0, 0]


def test_what_is_unknown_costs_nothing_and_does_not_count() -> None:
    alone, terms, _ = _loss([3.5], [0.0], [7.0])
    among, terms_among, gradient = _loss([9.0, 3.5, -9.0], [1.0, 0.0, 1.0], [UNKNOWN, 7.0, UNKNOWN])

    assert among == pytest.approx(alone)
    assert terms_among == pytest.approx(terms)
    assert not gradient[:, [0, 2]].any()


def test_a_batch_of_which_nothing_is_known_teaches_nothing() -> None:
    loss, terms, gradient = _loss([9.0, 1.0], [0.0, 0.0], [UNKNOWN, UNKNOWN])

    assert loss == 0
    assert terms == {"off": 0.0, "above": 0.0}
    assert not gradient.any()


def test_no_error_is_so_small_that_one_cell_decides_everything() -> None:
    loss, _, _ = _loss([3.5], [-50.0], [7.0])

    assert loss == pytest.approx(0.5 * math.exp(4) - 4)


# Cells.


def _coc(height: int, width: int, value: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.full((height, width), value, np.float32)


def test_a_cell_is_known_where_it_holds_one_blur() -> None:
    coc = _coc(16, 32, 5.0)
    coc[:8, :8] = np.linspace(5.0, 5.4, 8)  # a slanted surface
    coc[:8, 12:16] = 9.0  # an outline
    coc[3, 17] = np.nan  # a single pixel nobody knows
    coc[8:, :8] = SHARP
    coc[8:, 8:12] = SHARP  # sharp beside blurred
    coc[8:, 16:20] = SHARP  # sharp beside unknown
    coc[8:, 20:24] = np.nan

    cells = gauging._cells(coc)

    assert (cells.shape, cells.dtype) == ((2, 4), np.float32)
    assert cells[0, 0] == pytest.approx(5.2, abs=0.1)
    assert cells[1, 0] == SHARP
    assert cells[0, 3] == cells[1, 3] == 5
    assert np.isnan(cells[0, [1, 2]]).all()
    assert np.isnan(cells[1, [1, 2]]).all()


# Windows.


def _even(coc_px: float, side: int = 160) -> Example:
    ones = np.ones((side, side), np.float32)
    return Example(half_sharp(side, side, 1), ones, ones, ones * coc_px, "scene", "even")


def test_a_window_that_is_made_smaller_is_less_blurred() -> None:
    example = _even(8.0)
    # Ramps instead of blur tell how large the window shows the picture.
    ramp = np.repeat(np.arange(160, dtype=np.float32)[None], 160, axis=0)
    scaled = []
    for seed in range(60):
        gray, cells = gauging._cut(example, np.random.default_rng(seed), 64)
        assert (gray.shape, gray.dtype) == ((64, 64), np.uint8)
        assert np.ptp(cells) == 0
        # Pixels of the example per pixel of the window, by the same draws.
        seen = gauging._cut(
            replace(example, rgb=ramp[..., None].repeat(3, 2).astype(np.uint8)),
            np.random.default_rng(seed),
            64,
        )[0]
        across = (float(seen.max()) - float(seen.min()) + 1) / 64
        assert cells[0, 0] == pytest.approx(8 / across, rel=0.03)
        scaled.append(float(cells[0, 0]))

    assert np.mean(np.array(scaled) == 8) > 0.5
    assert 4 <= min(scaled) < 6
    assert max(scaled) == 8


def test_a_window_larger_than_the_example_is_more_blurred() -> None:
    _, cells = gauging._cut(_even(4.0, side=48), np.random.default_rng(0), 96)

    assert (cells == 8).all()


def _photo(mask: np.ndarray[Any, np.dtype[np.float32]]) -> Example:
    unknown = np.full_like(mask, np.nan)
    return Example(half_sharp(*mask.shape, 1), mask, np.ones_like(mask), unknown, "cuhk", "photo")


def _lengths(cells: np.ndarray[Any, np.dtype[np.float32]]) -> set[float]:
    return set(cells[np.isfinite(cells)].tolist())


def test_photos_are_blurred_by_one_known_size_or_left_sharp() -> None:
    example = _photo(np.ones((120, 120), np.float32))
    found = []
    for seed in range(60):
        gray, cells = gauging._blurred(example, np.random.default_rng(seed), 64)
        assert (gray.shape, gray.dtype) == ((64, 64), np.uint8)
        (length,) = _lengths(cells)
        assert not np.isnan(cells).any()
        found.append(length)

    sharp = [each for each in found if each == SHARP]
    assert 0.15 < len(sharp) / len(found) < 0.55
    blurred = sorted(each for each in found if each != SHARP)
    # A photo has 0.8 px of its own.
    assert math.hypot(1, 0.8) <= blurred[0] < 2
    assert 10 < blurred[-1] <= math.hypot(20, 0.8)
    assert np.median(blurred) < math.sqrt(20)


def test_the_more_it_is_blurred_the_less_detail_is_left() -> None:
    example = _photo(np.ones((120, 120), np.float32))
    pairs = []
    for seed in range(40):
        gray, cells = gauging._blurred(example, np.random.default_rng(seed), 64)
        (length,) = _lengths(cells)
        inner = gray[:, :40].astype(float)
        pairs.append((length, np.abs(np.diff(inner, axis=1)).mean() / (1 + inner.std())))

    slight = np.mean([detail for length, detail in pairs if length < 2])
    strong = np.mean([detail for length, detail in pairs if length > 8])
    assert slight > 1.5 * strong


def test_blur_leaks_and_so_the_border_of_what_was_sharp_is_unknown() -> None:
    mask = np.zeros((64, 64), np.float32)
    mask[:, :29] = 1
    seen: dict[float, int] = {}
    for seed in range(40):
        _, cells = gauging._blurred(_photo(mask), np.random.default_rng(seed), 64)
        known = np.isfinite(cells)
        (length,) = _lengths(cells) or {0.0}
        assert not known[:, 3:].any()
        if length:
            assert (known == known[:1]).all()
            seen[length] = int(known[0].sum())

    assert seen.pop(SHARP) == 29 // GAUGE_STRIDE
    for length, columns in seen.items():
        reach = math.ceil(math.sqrt(length**2 - 0.8**2) / 2 - 1e-6)
        assert columns == (29 - reach) // GAUGE_STRIDE
    assert set(seen.values()) == {2, 3}


@pytest.mark.parametrize(("height", "width"), [(40, 120), (120, 40), (40, 40)])
def test_of_photos_smaller_than_a_window_nothing_is_known_beyond_them(
    height: int, width: int
) -> None:
    for seed in range(5):
        example = _photo(np.ones((height, width), np.float32))
        gray, cells = gauging._blurred(example, np.random.default_rng(seed), 64)

        assert gray.shape == (64, 64)
        known = np.isfinite(cells)
        assert not known[height // GAUGE_STRIDE :].any()
        assert not known[:, width // GAUGE_STRIDE :].any()


def test_windows_are_taken_where_there_is_something_in_focus() -> None:
    mask = np.zeros((200, 400), np.float32)
    mask[:, :120] = 1
    found = []
    for seed in range(20):
        window = gauging._in_focus_window(_photo(mask), np.random.default_rng(seed), 64)
        found.append(float(mask[window].mean()))

    assert np.mean(np.array(found) >= 0.3) > 0.8
    nowhere = gauging._in_focus_window(_photo(0 * mask), np.random.default_rng(0), 64)
    assert mask[nowhere].shape == (64, 64)


# The task.


def test_every_step_draws_anew_and_the_same_whenever_it_is_asked() -> None:
    task, again = (GaugeTask(tiny_gauge_recipe(), POOLS, {}) for _ in range(2))
    other = GaugeTask(tiny_gauge_recipe(seed=1), POOLS, {})

    batches = [task.batch(step) for step in range(6)]

    for step, batch in enumerate(batches):
        assert isinstance(batch, GaugeBatch)
        assert (batch.gray.shape, batch.gray.dtype) == ((3, 1, 64, 64), torch.float32)
        assert (batch.truth.shape, batch.truth.dtype) == ((3, 8, 8), torch.float32)
        assert 0 <= float(batch.gray.min()) < float(batch.gray.max()) <= 1
        repeat = again.batch(step)
        assert torch.equal(batch.gray, repeat.gray)
        assert np.array_equal(batch.truth.numpy(), repeat.truth.numpy(), equal_nan=True)
        assert sum(torch.equal(batch.gray, each.gray) for each in batches) == 1
        assert not torch.equal(batch.gray, other.batch(step).gray)


def test_shares_decide_what_is_seen_and_what_is_missing_is_refused() -> None:
    recipe = tiny_gauge_recipe(cuhk=0.0, whole=0.0)
    untouched: Pools = {"cuhk": [None], "scenes": POOLS["scenes"]}  # type: ignore[list-item]

    assert torch.isfinite(GaugeTask(recipe, untouched, {}).batch(0).truth).any()
    with pytest.raises(InputError, match=r"no examples of whole; .*set that share to 0"):
        GaugeTask(tiny_gauge_recipe(), {**POOLS, "whole": []}, {})


def test_the_loss_reaches_every_parameter() -> None:
    recipe = tiny_gauge_recipe(batch=6)
    network = fresh_network(recipe)
    task = GaugeTask(recipe, POOLS, {})

    loss, terms = task.loss(network, task.batch(0), 0, CPU)
    loss.backward()

    assert math.isfinite(float(loss.detach()))
    assert set(terms) == {"off", "above"}
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    ((parameters, share),) = task.groups(network)
    assert share == 1
    assert len(parameters) == len(list(network.parameters()))


def test_the_seed_decides_the_network_that_is_started_from() -> None:
    one, same, other = (fresh_network(tiny_gauge_recipe(seed=seed)) for seed in (0, 0, 1))

    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


class _Says(GaugeNet):
    """Says the same of every cell."""

    def __init__(self, coc_px: float) -> None:
        super().__init__()
        self.answer = math.log2(1 + coc_px)

    def forward(self, gray: Tensor) -> Tensor:
        shape = (gray.shape[0], 2, *(side // GAUGE_STRIDE for side in gray.shape[2:]))
        return torch.full(shape, self.answer)


def test_validation_gives_the_median_relative_error_of_each_kind() -> None:
    held = {"scenes": [_even(8.0), _even(4.0), _even(4.0, side=150)], "whole": [_even(10.0)]}
    task = GaugeTask(tiny_gauge_recipe(), POOLS, held)

    figures = task.validate(_Says(5.0))

    # Two thirds of the scenes' cells: |5 - 4| / 4.
    assert figures == pytest.approx({"scenes_coc_error": 0.25, "whole_coc_error": 0.5}, rel=1e-4)


def test_validation_leaves_out_what_cannot_be_judged() -> None:
    too_small, too_large, unknown = _even(1.0), _even(30.0), _even(math.nan)
    held = {"scenes": [too_small, _even(4.0), too_large], "whole": [unknown]}

    figures = GaugeTask(tiny_gauge_recipe(), POOLS, held).validate(_Says(4.0))

    assert figures == pytest.approx({"scenes_coc_error": 0}, abs=1e-5)
    assert GaugeTask(tiny_gauge_recipe(), POOLS, {}).validate(lively_gauge()) == {}
