from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from focuskit.detect.network import FocusNet, NetworkConfig
from focuskit.errors import InputError, OutputError
from focuskit.training.loop import Pools, Run
from focuskit.training.recipes import Recipe
from tests.unit.training._make import half_sharp_example, one_thread, tiny_recipe

POOLS: Pools = {
    "cuhk": [half_sharp_example(seed) for seed in range(3)],
    "scenes": [half_sharp_example(seed, "scene") for seed in range(3)],
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


class _Interrupt:
    """A validation that is interrupted the nth time."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, network: FocusNet) -> dict[str, float]:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return {"answer": 42.0}


def _start(recipe: Recipe) -> FocusNet:
    torch.manual_seed(recipe.seed)
    return FocusNet(NetworkConfig(recipe.width, recipe.high_frequency))


def _run(folder: Path, recipe: Recipe, *, every: int = 1, interrupt: int = 0) -> Run:
    folder.mkdir(exist_ok=True)
    return Run(
        recipe,
        POOLS,
        folder,
        torch.device("cpu"),
        _Interrupt(interrupt),
        every=every,
        say=lambda text: None,
    )


def _log(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "log.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


def _losses(folder: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in record.items() if k != "s_per_step"} for record in _log(folder)]


def _same(one: FocusNet, other: FocusNet) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in pairs)


def test_the_same_seed_gives_the_same_losses(tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=3)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        changed = replace(recipe, seed=seed)
        _run(tmp_path / name, changed).train(_start(recipe))

    losses = [_losses(tmp_path / name) for name in "abc"]
    assert [record["step"] for record in losses[0]] == [1, 2, 3]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    for record in losses[0]:
        assert all(math.isfinite(value) for value in record.values())


def test_every_step_draws_anew_and_the_same_whenever_it_is_asked(tmp_path: Path) -> None:
    run, again = (_run(tmp_path, tiny_recipe()) for _ in range(2))

    batches = [run._batch(step) for step in range(8)]

    assert [batch.rgb.shape[0] for batch in batches] == [2, 1] * 4
    for step, batch in enumerate(batches):
        others = [other for other in batches if other.rgb.shape == batch.rgb.shape]
        assert sum(torch.equal(batch.rgb, other.rgb) for other in others) == 1
        assert torch.equal(batch.rgb, again._batch(step).rgb)
        assert batch.rgb.min() >= 0
        assert batch.rgb.max() <= 1


@pytest.mark.parametrize("interrupted", [2, 3])
def test_a_run_that_was_broken_off_ends_as_one_that_was_not(
    tmp_path: Path, interrupted: int
) -> None:
    recipe = tiny_recipe(steps=5)
    whole = _run(tmp_path / "whole", recipe, every=2).train(_start(recipe))
    broken = _run(tmp_path / "broken", recipe, every=2, interrupt=interrupted)
    with pytest.raises(KeyboardInterrupt):
        broken.train(_start(recipe))
    done = [record["step"] for record in _log(tmp_path / "broken")]

    # From another start: what the checkpoint holds is what counts.
    other = FocusNet(NetworkConfig(recipe.width))
    resumed = _run(tmp_path / "broken", recipe, every=2).train(other)

    assert done == [2, 4][: interrupted - 1]
    assert _same(whole, resumed)
    assert _losses(tmp_path / "broken") == _losses(tmp_path / "whole")


def test_the_log_has_one_record_per_validation(tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=5)
    said: list[str] = []
    run = replace(_run(tmp_path, recipe, every=2), say=said.append)

    run.train(_start(recipe))

    log = _log(tmp_path)
    assert [record["step"] for record in log] == [2, 4, 5]
    for record in log:
        assert {"loss", "mask", "overlap", "side", "coc", "gradient", "s_per_step"} <= set(record)
        assert record["answer"] == 42
    assert len(said) == 3
    assert "loss" in said[0]


def test_a_finished_run_is_finished_at_once(tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=2)
    first = _run(tmp_path, recipe).train(_start(recipe))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    again = replace(_run(tmp_path, recipe), pools={kind: [None] for kind in POOLS}).train(  # type: ignore[dict-item]
        _start(recipe)
    )

    assert _same(first, again)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"checkpoint.pt", "log.jsonl"}


def test_training_changes_the_network_and_the_mean_lags_behind(tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=3)
    start = _start(recipe)
    averaged = _run(tmp_path, recipe).train(start)

    assert not _same(averaged, _start(recipe))
    assert not _same(averaged, start)
    assert not averaged.training


def test_learning_rates_rise_and_fall_and_the_encoders_is_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(steps=4, warmup=2, learning_rate=1e-3, encoder_share=0.25)
    rates: list[list[float]] = []

    def note(optimiser: torch.optim.AdamW) -> None:
        rates.append([group["lr"] for group in optimiser.param_groups])

    monkeypatch.setattr(torch.optim.AdamW, "step", note)

    _run(tmp_path, recipe).train(_start(recipe))

    # Two steps of rise, then a cosine from the peak on, half of it done after half of the rest.
    decoder = [0.5e-3, 1e-3, 1e-3, (0.01 + 0.99 / 2) * 1e-3]
    assert [rest for _, rest in rates] == pytest.approx(decoder)
    assert [encoder for encoder, _ in rates] == pytest.approx([0.25 * rate for rate in decoder])


def test_the_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    _run(tmp_path, tiny_recipe(steps=1)).train(_start(tiny_recipe()))

    for changed in (tiny_recipe(steps=2), tiny_recipe(steps=1, width=16)):
        with pytest.raises(InputError, match=r"made by another recipe; train into another"):
            _run(tmp_path, changed).train(_start(changed))


@pytest.mark.parametrize("kind", ["cut", "empty", "no checkpoint", "other table", "other network"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, kind: str) -> None:
    recipe = tiny_recipe(steps=1)
    _run(tmp_path, recipe).train(_start(recipe))
    path = tmp_path / "checkpoint.pt"
    if kind == "other table":
        torch.save({"step": 1}, path)
    elif kind == "other network":
        state = torch.load(path, weights_only=True)
        state["network"].pop("head.weight")
        torch.save(state, path)
    else:
        whole = path.read_bytes()
        data = {"cut": whole[: len(whole) // 2], "empty": b"", "no checkpoint": b"a" * 300}
        path.write_bytes(data[kind])

    with pytest.raises(InputError, match=r"checkpoint.pt is damaged .*remove it to start anew\.$"):
        _run(tmp_path, recipe).train(_start(recipe))


def test_a_kind_of_data_that_is_missing_is_refused(tmp_path: Path) -> None:
    recipe = tiny_recipe(pairs=0.1, whole=0.1)
    run = replace(_run(tmp_path, recipe), pools={**POOLS, "whole": []})

    with pytest.raises(InputError, match=r"no examples of pairs, whole; .*set that share to 0"):
        run.train(_start(recipe))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_a_sentence(tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=1)
    for name in ("log.jsonl", "checkpoint.pt.part"):
        folder = tmp_path / name.replace(".", "-")
        (folder / name).mkdir(parents=True)
        with pytest.raises(OutputError, match="cannot be written"):
            _run(folder, recipe).train(_start(recipe))


def test_patches_fit_into_small_views(tmp_path: Path) -> None:
    recipe = tiny_recipe(size=32, swap=1.0, steps=3)

    _run(tmp_path, recipe).train(_start(recipe))

    assert [record["consistency"] >= 0 for record in _log(tmp_path)] == [True] * 3


def test_figures_that_are_no_numbers_are_missing_from_the_log_not_invalid(tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=1)
    run = replace(_run(tmp_path, recipe), validate=lambda network: {"f_max": math.nan})

    run.train(_start(recipe))

    assert _log(tmp_path)[0]["f_max"] is None


def test_shares_decide_what_is_seen(tmp_path: Path) -> None:
    """A pool without a share is never touched, nor needed."""
    recipe = tiny_recipe(steps=1, cuhk=0.0, scenes=1.0)

    _run(tmp_path, recipe).train(_start(recipe))
    run = replace(_run(tmp_path / "more", recipe), pools={"cuhk": [None], **POOLS})  # type: ignore[dict-item]
    run.train(_start(recipe))

    assert _losses(tmp_path) == _losses(tmp_path / "more")
    assert np.isfinite(_losses(tmp_path)[0]["coc"])
