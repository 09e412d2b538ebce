from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from focuskit.detect.gauge import GaugeNet
from focuskit.detect.maps import MapNetwork
from focuskit.detect.network import FocusNet, NetworkConfig
from focuskit.errors import InputError, OutputError
from focuskit.training.example import Pools
from focuskit.training.focusing import FocusTask, fresh_network
from focuskit.training.gauging import GaugeTask
from focuskit.training.loop import Run, Stateful
from focuskit.training.losses import Batch, cross_entropy
from focuskit.training.masked import MaskTask
from focuskit.training.recipes import FocusRecipe
from focuskit.training.system_recipes import MaskedRecipe
from tests.unit.training._make import (
    half_sharp_example,
    one_thread,
    tiny_gauge_recipe,
    tiny_recipe,
)

POOLS: Pools = {
    "cuhk": [half_sharp_example(seed) for seed in range(3)],
    "scenes": [half_sharp_example(seed, "scene") for seed in range(3)],
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@dataclass(frozen=True)
class _Judged:
    """A task whose validation is interrupted the nth time, and quick."""

    task: FocusTask | GaugeTask
    interrupt: int = 0
    figure: float = 42.0
    done: list[int] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def validate(self, network: object) -> dict[str, float]:
        self.done.append(1)
        if len(self.done) == self.interrupt:
            raise KeyboardInterrupt
        return {"answer": self.figure}


def _start(recipe: FocusRecipe) -> FocusNet:
    return fresh_network(recipe)


def _run(folder: Path, recipe: FocusRecipe, *, every: int = 1, interrupt: int = 0) -> Run[FocusNet]:
    folder.mkdir(exist_ok=True)
    task = _Judged(FocusTask(recipe, POOLS, {}), interrupt)
    return Run(recipe, task, folder, torch.device("cpu"), every=every, say=lambda text: None)


def _log(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "log.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


def _losses(folder: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in record.items() if k != "s_per_step"} for record in _log(folder)]


def _same(one: nn.Module, other: nn.Module) -> bool:
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

    nothing = FocusTask(recipe, {kind: [None] for kind in POOLS}, {})  # type: ignore[list-item]
    again = replace(_run(tmp_path, recipe), task=nothing).train(_start(recipe))

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


def test_a_folder_that_cannot_be_written_to_is_a_sentence(tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=1)
    for name in ("log.jsonl", "checkpoint.pt.part"):
        folder = tmp_path / name.replace(".", "-")
        (folder / name).mkdir(parents=True)
        with pytest.raises(OutputError, match="cannot be written"):
            _run(folder, recipe).train(_start(recipe))


def test_figures_that_are_no_numbers_are_missing_from_the_log_not_invalid(tmp_path: Path) -> None:
    recipe = tiny_recipe(steps=1)
    judged = _Judged(FocusTask(recipe, POOLS, {}), figure=math.nan)

    replace(_run(tmp_path, recipe), task=judged).train(_start(recipe))

    assert _log(tmp_path)[0]["answer"] is None


def test_a_network_of_another_kind_is_trained_by_its_own_task(tmp_path: Path) -> None:
    recipe = tiny_gauge_recipe(steps=3, whole=0.0)
    runs = []
    for name, interrupt in (("whole", 0), ("broken", 2), ("broken", 0)):
        (tmp_path / name).mkdir(exist_ok=True)
        task = _Judged(GaugeTask(recipe, POOLS, {}), interrupt)
        run = Run(recipe, task, tmp_path / name, torch.device("cpu"), every=1, say=str)
        torch.manual_seed(0)
        if interrupt:
            with pytest.raises(KeyboardInterrupt):
                run.train(GaugeNet())
        else:
            runs.append(run.train(GaugeNet()))

    assert _same(*runs)
    assert _losses(tmp_path / "whole") == _losses(tmp_path / "broken")
    assert {"off", "above", "frame", "loss", "gradient"} <= set(_log(tmp_path / "whole")[0])


def test_only_pictures_in_colour_have_their_channels_last(tmp_path: Path) -> None:
    recipe, other = tiny_recipe(steps=1), tiny_gauge_recipe(steps=1, whole=0.0)
    task = GaugeTask(other, POOLS, {})
    (tmp_path / "gauge").mkdir()

    colour = _run(tmp_path / "colour", recipe).train(_start(recipe))
    gray = Run(other, task, tmp_path / "gauge", torch.device("cpu"), say=str).train(GaugeNet())

    assert colour.encoder.stem.weight.is_contiguous(memory_format=torch.channels_last)
    assert gray.fine[0].weight.is_contiguous()


class _Normalised(MapNetwork):
    """All that a published network may bring along: running statistics and dropout."""

    KIND: ClassVar[str] = "normalised"
    INPUT: ClassVar[str] = "picture"
    CHANNELS: ClassVar[int] = 3
    OUTPUTS: ClassVar[tuple[str, ...]] = ("in_focus_probability",)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, 1, 1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout2d(0.3),
            nn.Conv2d(4, 1, 1),
        )

    def forward(self, picture: Tensor) -> Tensor:
        return self.layers(picture)

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        return (torch.sigmoid(self(picture)),)


class _Adversarial(MaskTask[MaskedRecipe, _Normalised]):
    """A task with a critic, which learns within the loss."""

    def __init__(self, recipe: MaskedRecipe, interrupt: int = 0) -> None:
        super().__init__(recipe, POOLS, {})
        torch.manual_seed(5)
        self.critic = nn.Sequential(spectral_norm(nn.Conv2d(4, 4, 3, 2)), nn.BatchNorm2d(4))
        self.optimiser = torch.optim.Adam(self.critic.parameters(), 1e-2)
        self.prepared: list[torch.device] = []
        self.interrupt = interrupt
        self.validated = 0

    def prepare(self, device: torch.device) -> None:
        self.prepared.append(device)
        self.critic.to(device)

    def companions(self) -> Mapping[str, Stateful]:
        return {"critic": self.critic, "critic optimiser": self.optimiser}

    def loss(
        self, network: _Normalised, batch: Batch, step: int, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        assert self.prepared == [device]
        logits = network(batch.rgb)
        found = torch.sigmoid(logits)
        self.optimiser.zero_grad()
        against = self._judged(batch.rgb, found.detach()) - self._judged(batch.rgb, batch.in_focus)
        against.backward()
        self.optimiser.step()
        fooled = self._judged(batch.rgb, found)
        content = cross_entropy(logits, batch.in_focus, batch.weight)
        return content - 0.1 * fooled, {"critic": float(against.detach())}

    def validate(self, network: _Normalised) -> dict[str, float]:
        self.validated += 1
        if self.validated == self.interrupt:
            raise KeyboardInterrupt
        return {}

    def _judged(self, rgb: Tensor, found: Tensor) -> Tensor:
        return self.critic(torch.cat([rgb, found], 1)).sigmoid().mean()


def _adversarial_recipe(**changes: Any) -> MaskedRecipe:
    shares = {"cuhk": 1.0, "pairs": 0.0, "sweeps": 0.0, "scenes": 0.0}
    fields = {"name": "tiny", "steps": 5, "batch": 3, "size": 32, "warmup": 1, **shares}
    return MaskedRecipe(**(fields | changes))


def _adversarial_run(folder: Path, task: _Adversarial) -> Run[_Normalised]:
    folder.mkdir(exist_ok=True)
    return Run(task.recipe, task, folder, torch.device("cpu"), every=2, say=lambda text: None)


def _normalised(seed: int = 0) -> _Normalised:
    torch.manual_seed(seed)
    return _Normalised()


def test_what_learns_beside_the_network_goes_on_with_it(tmp_path: Path) -> None:
    recipe = _adversarial_recipe()
    one, first, second = _Adversarial(recipe), _Adversarial(recipe, 2), _Adversarial(recipe)
    whole = _adversarial_run(tmp_path / "whole", one).train(_normalised())
    with pytest.raises(KeyboardInterrupt):
        _adversarial_run(tmp_path / "broken", first).train(_normalised())
    # What the process did meanwhile must not matter, nor what it starts from.
    torch.rand(17)

    resumed = _adversarial_run(tmp_path / "broken", second).train(_normalised(3))

    assert _same(whole, resumed)
    assert _same(one.critic, second.critic)
    assert not _same(one.critic, first.critic)
    assert _losses(tmp_path / "broken") == _losses(tmp_path / "whole")
    assert second.prepared == [torch.device("cpu")]


def test_the_mean_of_a_network_has_its_statistics(tmp_path: Path) -> None:
    task = _Adversarial(_adversarial_recipe(steps=3))
    start = _normalised()

    averaged = _adversarial_run(tmp_path, task).train(start)

    assert int(averaged.layers[1].num_batches_tracked) == 3
    assert len(list(start.buffers())) == 3
    for kept, now in zip(averaged.buffers(), start.buffers(), strict=True):
        assert torch.equal(kept, now)
    assert not _same(averaged, start)


def test_a_checkpoint_with_other_companions_is_refused(tmp_path: Path) -> None:
    recipe = _adversarial_recipe(steps=1)
    _adversarial_run(tmp_path, _Adversarial(recipe)).train(_normalised())
    path = tmp_path / "checkpoint.pt"
    whole = torch.load(path, weights_only=True)

    torch.save({name: value for name, value in whole.items() if name != "companions"}, path)
    with pytest.raises(
        InputError, match=r"holds nothing beside .* tiny trains with critic, critic optimiser"
    ):
        _adversarial_run(tmp_path, _Adversarial(recipe)).train(_normalised())

    del whole["companions"]["critic"]["1.running_mean"]
    torch.save(whole, path)
    with pytest.raises(InputError, match=r"checkpoint.pt is damaged .*remove it to start anew"):
        _adversarial_run(tmp_path, _Adversarial(recipe)).train(_normalised())


def test_a_checkpoint_holds_what_it_always_held(tmp_path: Path) -> None:
    """Runs of months ago go on."""
    recipe = tiny_recipe(steps=1)
    _run(tmp_path, recipe).train(_start(recipe))

    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)

    assert set(state) == {"recipe", "step", "network", "averaged", "optimiser"}
    assert state["recipe"] == recipe.as_record()
    encoder, rest = (len(group["params"]) for group in state["optimiser"]["param_groups"])
    assert encoder == 2 * 51
    assert encoder + rest == len(state["network"])
