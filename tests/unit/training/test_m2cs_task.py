"""Teaching M2CS: no mask is read, each part of the steps teaches whom it should, it goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from focuskit.errors import InputError
from focuskit.training.example import Example
from focuskit.training.loop import Run
from focuskit.training.system_recipes import M2csRecipe
from focuskit.training.systems.m2cs import KIND, M2csTask, coverage_loss, fresh_network
from tests.scenes import make_scene
from tests.unit.training._make import encoded, half_sharp_example, one_thread, write_encoder

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> object:
    with one_thread():
        yield


def tiny(**changes: bool | int | float | str) -> M2csRecipe:
    fields: dict[str, bool | int | float | str] = {
        "steps": 4,
        "batch": 2,
        "size": 64,
        "warmup": 1,
        "local_patches": "32",
        "pool": 3,
        "pretrain": 0.25,
        "alternate": 0.5,
    }
    return M2csRecipe(**(fields | changes))  # type: ignore[arg-type]


def sharp_example(seed: int) -> Example:
    ones = np.ones((96, 96), np.float32)
    return Example(encoded(make_scene(96, 96, seed)), ones, ones, 0 * ones, "sharp", f"s{seed}")


def photos() -> dict[str, list[Example]]:
    return {
        "cuhk": [half_sharp_example(seed) for seed in range(3)],
        "sharp": [sharp_example(seed) for seed in (10, 11)],
    }


def noisy(example: Example) -> Example:
    rng = np.random.default_rng(9)
    shape = example.in_focus.shape
    in_focus, weight, coc = (rng.random(shape, np.float32) for _ in range(3))
    return replace(example, in_focus=in_focus, weight=weight, coc_diameter_px=coc)


def task(recipe: M2csRecipe, pools: dict[str, list[Example]] | None = None) -> M2csTask:
    return M2csTask(recipe, pools or photos(), {})


def weights(module: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(before: list[torch.Tensor], module: nn.Module) -> bool:
    return all(map(torch.equal, before, module.parameters()))


def test_masks_are_not_read() -> None:
    recipe = tiny()
    pools = photos()
    masked = task(recipe, pools)
    blind = task(recipe, {kind: [noisy(e) for e in pool] for kind, pool in pools.items()})
    network = fresh_network(recipe).train()
    # One step of each part: pre-training, masks, and the similarity networks again.
    for step in (0, 1, 3):
        one, other = masked.batch(step), blind.batch(step)
        for name in ("photos", "clear", "blurred", "masks"):
            assert torch.equal(getattr(one, name), getattr(other, name))
        losses = []
        for each, batch in ((masked, one), (blind, other)):
            torch.manual_seed(step)
            losses.append(each.loss(network, batch, step, CPU))
        assert torch.equal(losses[0][0], losses[1][0])
        assert losses[0][1] == losses[1][1]


def test_batches_depend_on_their_step_alone() -> None:
    first, second = task(tiny()), task(tiny())
    later = first.batch(2)
    second.batch(0)
    assert torch.equal(later.photos, second.batch(2).photos)
    assert torch.equal(later.clear, second.batch(2).clear)
    assert not torch.equal(later.clear, first.batch(3).clear)


@pytest.mark.parametrize(("step", "teaches_masks"), [(0, False), (1, True), (2, True), (3, False)])
def test_every_step_teaches_one_side(step: int, teaches_masks: bool) -> None:
    recipe = tiny()
    made = task(recipe)
    network = fresh_network(recipe).train()
    before = weights(made.similarity)
    loss, terms = made.loss(network, made.batch(step), step, CPU)
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad is not None and bool(p.grad.any()) for p in network.parameters()]
    assert any(gradients) is teaches_masks
    assert same(before, made.similarity) is teaches_masks
    assert ("learn_local32" in terms) is not teaches_masks
    assert ("cover" in terms) is teaches_masks


def test_the_similarity_networks_learn_to_tell_sharp_from_blurred() -> None:
    recipe = tiny(steps=30, pretrain=1.0, alternate=0.0, similarity_rate=3e-3)
    made = task(recipe)
    network = fresh_network(recipe)
    torch.manual_seed(0)
    losses = [
        made.loss(network, made.batch(step), step, CPU)[1]["learn_local32"] for step in range(30)
    ]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_only_the_wanted_networks_compare() -> None:
    made = task(tiny(local_patches=""))
    assert list(made.similarity) == ["global"]
    made = task(tiny(global_similarity=False, local_patches="32,64"))
    assert list(made.similarity) == ["local32", "local64"]


def test_a_broken_off_run_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    recipe = tiny()
    unbroken = _run(recipe, task(recipe), tmp_path / "one")
    (tmp_path / "two").mkdir()

    class _Stop(Exception):
        pass

    def stop(text: str) -> None:
        if text.startswith("step 2"):
            raise _Stop

    # The checkpoint is written after the words: of the first two steps one is lost.
    run = Run(recipe, task(recipe), tmp_path / "two", CPU, every=1, say=stop)
    with pytest.raises(_Stop):
        run.train(fresh_network(recipe))
    continued = _run(recipe, task(recipe), tmp_path / "two")
    for one, other in zip(unbroken, continued, strict=True):
        torch.testing.assert_close(one, other)


def _run(recipe: M2csRecipe, made: M2csTask, folder: Path) -> list[torch.Tensor]:
    folder.mkdir(exist_ok=True)
    run = Run(recipe, made, folder, CPU, every=1, say=lambda text: None)
    network = run.train(fresh_network(recipe))
    return [*weights(network), *weights(made.similarity)]


class TestCoverage:
    def test_finding_enough_costs_nothing(self) -> None:
        mask = torch.zeros(2, 1, 10, 10)
        mask[:, :, :1] = 1
        cover, undecided = coverage_loss(mask, 0.1)
        assert cover.item() == pytest.approx(0)
        assert undecided.item() == 0

    def test_each_picture_must_have_enough(self) -> None:
        mask = torch.stack([torch.zeros(1, 4, 4), torch.full((1, 4, 4), 0.5)])
        assert coverage_loss(mask, 0.1)[0].item() == pytest.approx(0.05)

    def test_all_costs_as_much_as_nothing(self) -> None:
        nothing = torch.zeros(1, 1, 4, 4)
        costs = [coverage_loss(mask, 0.1)[0].item() for mask in (nothing, 1 - nothing)]
        assert costs == pytest.approx([0.1, 0.1])

    def test_staying_undecided_costs_most_at_one_half(self) -> None:
        costs = [coverage_loss(torch.full((1, 1, 2, 2), v), 0.1)[1].item() for v in (0.5, 0.8, 1.0)]
        assert costs == sorted(costs, reverse=True)


def test_without_sharp_photos_nothing_starts() -> None:
    with pytest.raises(InputError, match="no sharp photos"):
        task(tiny(), {"cuhk": [half_sharp_example(0)]})


def test_without_photos_nothing_starts() -> None:
    with pytest.raises(InputError, match="no examples of cuhk"):
        task(tiny(), {"sharp": [sharp_example(0)]})


def test_it_is_judged_by_the_masks_that_were_held_back() -> None:
    recipe = tiny()
    made = M2csTask(recipe, photos(), {"cuhk": [half_sharp_example(8)]})
    figures = made.validate(fresh_network(recipe))
    assert set(figures) == {"f_max", "f_ada", "f_blur", "mae", "auc"}


def test_the_small_network_starts_from_the_encoder_of_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "init" / "mobilenet_v2_imagenet.npz"
    write_encoder(archive)
    network = KIND.initial(tiny(), tmp_path, None)
    with np.load(archive) as stored:
        wanted = stored["conv00.weight"]
    stem = next(network.backbone.parameters())
    np.testing.assert_array_equal(stem.detach().numpy(), wanted.astype(np.float32))


def test_the_full_network_takes_no_backbone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no backbone"):
        KIND.initial(tiny(configuration="full"), tmp_path, tmp_path / "vgg16.pth")
