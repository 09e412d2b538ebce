from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from focuskit.detect.systems.local_metric import LocalMetricNet
from focuskit.errors import InputError
from focuskit.training.example import Example
from focuskit.training.kinds import kind_of
from focuskit.training.recipes import recipe_named
from focuskit.training.system_recipes import LocalMetricRecipe
from focuskit.training.systems.local_metric import (
    LocalMetricTask,
    find_patches,
    fresh_network,
    principal_filters,
    superpixels,
)


def _example(seed: int = 0, *, sharp: float = 0.5, shape: tuple[int, int] = (128, 160)) -> Example:
    """Noise on the left, which is in focus, and gray on the right."""
    height, width = shape
    border = round(sharp * width)
    rng = np.random.default_rng(seed)
    rgb = np.full((height, width, 3), 128, np.uint8)
    rgb[:, :border] = rng.integers(0, 256, (height, border, 1), np.uint8)
    in_focus = np.zeros(shape, np.float32)
    in_focus[:, :border] = 1
    unknown = np.full(shape, np.nan, np.float32)
    return Example(rgb, in_focus, np.ones(shape, np.float32), unknown, "cuhk", str(seed))


def _recipe(**changes: object) -> LocalMetricRecipe:
    settings = ["batch=8", "nets=2", "kernels=4", *(f"{k}={v}" for k, v in changes.items())]
    recipe = recipe_named("local-metric").changed(settings)
    assert isinstance(recipe, LocalMetricRecipe)
    return recipe


def _task(*examples: Example) -> LocalMetricTask:
    pool = {"cuhk": list(examples or (_example(0), _example(1)))}
    return LocalMetricTask(_recipe(), pool, pool)


def test_patches_are_of_one_class_by_nine_tenths_and_inside_the_photo() -> None:
    example = _example()

    corners, sharp = find_patches(example)

    assert sharp.any()
    assert (~sharp).any()
    for (y, x), is_sharp in zip(corners, sharp, strict=True):
        window = example.in_focus[y : y + 32, x : x + 32]
        assert window.shape == (32, 32)
        assert (window.mean() if is_sharp else 1 - window.mean()) >= 0.9 - 1e-6


def test_windows_across_the_border_are_dropped() -> None:
    corners, _ = find_patches(_example())
    share = [_example().in_focus[y : y + 32, x : x + 32].mean() for y, x in corners]

    assert not [each for each in share if 0.1 < each < 0.9]
    assert len(corners) < len(superpixels(_example().rgb, 300))


def _two_colours(border: int) -> NDArray[np.uint8]:
    rgb = np.zeros((120, 160, 3), np.uint8)
    rgb[:, border:] = (200, 30, 30)
    return rgb


def test_superpixels_are_about_as_many_as_asked_for_and_fill_the_picture() -> None:
    centres = superpixels(np.full((120, 160, 3), 90, np.uint8), 48)

    assert len(centres) == pytest.approx(48, rel=0.15)
    # Of a picture without structure they are the cells of a grid: 20×20 px each.
    nearest = [np.sort(np.hypot(*(centres - each).T))[1] for each in centres]
    np.testing.assert_allclose(nearest, 20, atol=4)


def test_superpixels_follow_a_border_between_colours() -> None:
    # The border cuts a column of cells at a quarter: centres move away from it.
    plain = superpixels(_two_colours(0), 48)
    split = superpixels(_two_colours(64), 48)

    def clearance(centres: NDArray[np.float32]) -> float:
        return float(np.abs(centres[:, 1] - 64).min())

    assert clearance(split) > clearance(plain)


def test_batches_hold_both_classes_alike_and_repeat_by_step() -> None:
    task = _task()

    one, again, other = task.batch(3), task.batch(3), task.batch(4)

    assert one.gray.shape == (8, 1, 32, 32)
    assert int(one.in_focus.sum()) == 4
    torch.testing.assert_close(one.gray, again.gray)
    assert not torch.equal(one.gray, other.gray)
    # Noise is sharp, gray is not.
    spread = one.gray.std((1, 2, 3))
    assert float(spread[one.in_focus == 1].min()) > float(spread[one.in_focus == 0].max())


def test_training_tells_sharp_patches_from_blurred_ones() -> None:
    task = _task()
    network = fresh_network(_recipe())
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    device = torch.device("cpu")

    for step in range(12):
        loss, terms = task.loss(network.train(), task.batch(step), step, device)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    assert terms["right"] > 0.9


def test_every_net_learns_from_the_loss() -> None:
    task, network = _task(), fresh_network(_recipe())
    loss, _ = task.loss(network, task.batch(0), 0, torch.device("cpu"))

    loss.backward()

    grads = [net.first.weight.grad for net in network.nets]
    assert all(each is not None and float(each.abs().sum()) > 0 for each in grads)


def test_photos_without_one_of_the_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r"0 sharp and \d+ blurred"):
        _task(_example(sharp=0.0))


def test_photos_smaller_than_a_patch_are_left_out() -> None:
    tiny = _example(shape=(20, 160))

    # Of each photo there are two sizes.
    assert {int(p) for places in _task(tiny, _example())._patches for p in places[:, 0]} == {2, 3}


def test_patches_come_from_the_photos_and_from_their_halves() -> None:
    whole, half = _task(_example())._photos

    assert half.rgb.shape == (64, 80, 3)
    assert half.in_focus.shape == half.weight.shape == half.coc_diameter_px.shape == (64, 80)
    assert half.in_focus[:, :40].min() == 1
    assert half.in_focus[:, 40:].max() == 0
    assert half.scene == whole.scene


def test_principal_filters_span_what_the_kernels_vary_in() -> None:
    rng = np.random.default_rng(2)
    basis = rng.normal(size=(2, 49))
    basis -= basis.mean(1, keepdims=True)
    amounts = rng.normal(size=(60, 2)) * (3, 1)
    kernels = (amounts @ basis).reshape(60, 7, 7).astype(np.float32)

    filters = principal_filters(kernels)

    flat = filters.reshape(2, 49)
    np.testing.assert_allclose(flat.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), 1, atol=1e-5)
    assert (flat[:, 24] >= 0).all()
    weights, *_ = np.linalg.lstsq(basis.T, flat.T, rcond=None)
    np.testing.assert_allclose(basis.T @ weights, flat.T, atol=1e-4)


def test_filters_do_not_depend_on_the_order_or_sign_of_kernels_around_their_mean() -> None:
    rng = np.random.default_rng(5)
    kernels = rng.normal(size=(40, 7, 7)).astype(np.float32)
    centred = kernels - kernels.mean(0)

    straight, other = principal_filters(centred), principal_filters(-centred[::-1])

    np.testing.assert_allclose(straight, other, atol=1e-5)


def test_the_index_is_told_the_filters_and_the_network_that_they_came_from() -> None:
    recipe = _recipe()
    network = fresh_network(recipe)

    facts = kind_of(recipe).facts(network, _task())

    np.testing.assert_allclose(
        facts["filters"], principal_filters(network.kernels().numpy()), atol=1e-5
    )
    same = LocalMetricNet.from_facts(facts["network"])
    same.load_state_dict(network.state_dict())


def test_validation_judges_the_detector() -> None:
    figures = _task().validate(fresh_network(_recipe()))

    assert set(figures) == {"f_max", "f_adaptive", "f_blur", "mae", "auc"}
    # Any two filters of mean 0 tell noise from gray.
    assert figures["auc"] > 0.9
