from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

from focuskit.cli import app
from focuskit.detect import runtime
from focuskit.detect import weights as weights_module
from focuskit.detect.frame import focus_probability
from focuskit.detect.loading import load_network
from focuskit.detect.network import NetworkConfig
from focuskit.detect.weights import find_weights
from focuskit.errors import InputError
from focuskit.training import sources
from focuskit.training.recipes import FocusRecipe, Recipe, recipe_named
from focuskit.training.train import train_recipe
from tests.unit.cli.conftest import Run
from tests.unit.training._make import few_renderings, one_thread, write_data_root

GAUGE_SETTINGS = ("steps=2", "batch=2", "size=64", "warmup=1")
SETTINGS = (*GAUGE_SETTINGS, "width=8", "swap=0.5")
Train = Callable[..., Result]


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_root(tmp_path_factory.mktemp("data") / "data")


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Iterator[Train]:
    """Run the command here, where it can be made to render little."""
    for name, value in few_renderings().items():
        monkeypatch.setattr(sources, name, value)

    def run(*arguments: object, settings: tuple[str, ...] = SETTINGS) -> Result:
        options = [part for setting in settings for part in ("--set", setting)]
        words = ["train", *map(str, arguments), *options]
        return CliRunner().invoke(app, words, catch_exceptions=False)

    with one_thread():
        yield run
    find_weights.cache_clear()
    runtime._opened.cache_clear()


def _log(output: Path) -> list[dict[str, float]]:
    text = (output / "log.jsonl").read_text("utf-8")
    return [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]


def test_a_run_ends_with_weights_that_open(
    train: Train, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"

    answer = train("focusnet", data_root, "-o", output, "--every", "1")

    assert answer.exit_code == 0, answer.output
    assert answer.stdout == ""
    assert "Training focusnet for 2 steps on cpu." in answer.stderr
    assert f"Wrote {output / 'weights'}." in answer.stderr
    assert [record["step"] for record in _log(output)] == [1, 2]
    assert {path.name for path in output.iterdir()} == {
        "checkpoint.pt",
        "examples",
        "log.jsonl",
        "weights",
    }

    weights = find_weights("focusnet", output / "weights")
    assert weights.facts["kind"] == "focusnet"
    assert weights.facts["network"] == {"width": 8, "high_frequency": True}
    assert set(weights.facts["fusion"]) == {"first", "both"}
    assert weights.facts["recipe"]["steps"] == 2
    assert weights.facts["started_from"] == "ImageNet encoder"
    assert len(weights.facts["data_sha256"]) == 64
    figures = weights.facts["validation"]
    assert {"f_max", "mae", "pairs_accuracy", "sweeps_accuracy"} <= set(figures)
    assert all(value is None or math.isfinite(value) for value in figures.values())
    assert load_network(weights).config == NetworkConfig(8)
    monkeypatch.setattr(weights_module, "weights_folder", lambda: output / "weights")
    monkeypatch.setenv(runtime.RUNTIME_VARIABLE, "onnx")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    find_weights.cache_clear()
    runtime._opened.cache_clear()
    network, _ = runtime.open_network("focusnet")
    assert np.isfinite(network(np.full((1, 3, 64, 64), 0.5, np.float32))[0]).all()


@pytest.mark.parametrize("chosen", ["onnx", "torch"])
def test_a_run_of_the_other_network_ends_with_weights_that_open_too(
    train: Train, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    output = tmp_path / "run"

    answer = train("gauge", data_root, "-o", output, settings=GAUGE_SETTINGS)

    assert answer.exit_code == 0, answer.output
    assert "Training gauge for 2 steps on cpu." in answer.stderr
    assert [record["step"] for record in _log(output)] == [2]
    facts = find_weights("gauge", output / "weights").facts
    assert (facts["kind"], facts["network"], facts["started_from"]) == (
        "gauge",
        {},
        "random weights",
    )
    assert facts["recipe"]["size"] == 64
    assert "fusion" not in facts
    assert math.isfinite(facts["frame_offset"])
    assert {"sharp_called", "missed_called"} <= set(facts["validation"])
    assert all(0 <= facts["validation"][name] <= 1 for name in ("sharp_called", "missed_called"))
    monkeypatch.setattr(weights_module, "weights_folder", lambda: output / "weights")
    monkeypatch.setenv(runtime.RUNTIME_VARIABLE, chosen)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    network, _ = runtime.open_network("gauge")
    maps = network(np.full((1, 1, 64, 72), 0.5, np.float32))
    assert [each.shape for each in maps] == [(1, 8, 9)] * 3
    assert np.isfinite(maps).all()
    light = np.full((40, 50, 3), 0.5, np.float32)
    assert 0 <= focus_probability(light, light[..., 0], most=1) <= 1


def test_a_repeat_of_the_command_goes_on_or_has_nothing_left_to_do(
    train: Train, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("focusnet", data_root, "--cache", tmp_path / "cache", "--every", "1", "-o")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert train(*arguments, whole).exit_code == 0
    first = {path.name: path.read_bytes() for path in (whole / "weights").iterdir()}
    monkeypatch.setattr(sources, "_render_chunk", lambda *args: pytest.fail("rendered again"))

    again = train(*arguments, whole)
    assert again.exit_code == 0
    assert "Going on at step 2." in again.stderr
    assert len(_log(whole)) == 2
    assert first == {path.name: path.read_bytes() for path in (whole / "weights").iterdir()}

    # Stopped after the first step, by what stops people's runs.
    with monkeypatch.context() as patch:
        patch.setattr("focuskit.training.loop.Run._save", _saved_and_interrupted())
        stopped = train(*arguments, broken)
    assert stopped.exit_code == 130
    assert not (broken / "weights").exists()
    resumed = train(*arguments, broken)
    assert resumed.exit_code == 0
    assert "Going on at step 1." in resumed.stderr
    assert [record["step"] for record in _log(broken)] == [1, 2]
    assert first["focusnet.safetensors"] == (broken / "weights/focusnet.safetensors").read_bytes()


def _saved_and_interrupted() -> Callable[..., None]:
    from focuskit.training.loop import Run as TrainingRun

    save = TrainingRun._save

    def run(*arguments: object) -> None:
        save(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    return run


def test_a_run_starts_from_given_weights(train: Train, data_root: Path, tmp_path: Path) -> None:
    arguments = ("focusnet", data_root, "--cache", tmp_path / "cache", "-o")
    assert train(*arguments, tmp_path / "one").exit_code == 0
    start = tmp_path / "one" / "weights" / "focusnet.safetensors"

    settings = (*SETTINGS, "learning_rate=0")
    answer = train(*arguments, tmp_path / "two", "--from", start, settings=settings)

    assert answer.exit_code == 0
    one, two = (find_weights("focusnet", tmp_path / name / "weights") for name in ("one", "two"))
    assert two.facts["started_from"] == "focusnet.safetensors"
    states = [load_network(each).state_dict().values() for each in (one, two)]
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in zip(*states, strict=True))


def test_the_other_network_starts_from_given_weights_of_its_own_kind(
    train: Train, data_root: Path, tmp_path: Path
) -> None:
    arguments = (data_root, "--cache", tmp_path / "cache", "-o")
    assert train("gauge", *arguments, tmp_path / "one", settings=GAUGE_SETTINGS).exit_code == 0
    start = tmp_path / "one" / "weights" / "gauge.safetensors"
    settings = (*GAUGE_SETTINGS, "learning_rate=0")

    answer = train("gauge", *arguments, tmp_path / "two", "--from", start, settings=settings)

    assert answer.exit_code == 0
    one, two = (find_weights("gauge", tmp_path / name / "weights") for name in ("one", "two"))
    assert two.facts["started_from"] == "gauge.safetensors"
    states = [load_network(each).state_dict().values() for each in (one, two)]
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in zip(*states, strict=True))

    with pytest.raises(InputError, match=r"does not fit the recipe's network .*of the same kind"):
        train_recipe(
            FocusRecipe(),
            data=data_root,
            output=tmp_path / "three",
            cache=tmp_path / "cache",
            start=start,
            device="cpu",
            every=1,
            say=str,
        )


# What cannot be trained, said by the installed command.


def _refused(focuskit: Run, *arguments: object, **environment: str) -> str:
    answer = focuskit("train", *arguments, **environment)

    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("focuskit: ")
    assert "Traceback" not in answer.stderr
    # One sentence, with nothing in it that a terminal would not show.
    assert answer.stderr.count("\n") == 1
    assert "\ufffd" not in answer.stderr
    return answer.stderr


def test_an_unknown_recipe_is_answered_with_the_list(focuskit: Run, tmp_path: Path) -> None:
    said = _refused(focuskit, "nosuch", tmp_path, "-o", tmp_path / "run")

    assert "There is no recipe 'nosuch'; there is focusnet, gauge" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("steps=many", "steps is a whole number, got 'many'."),
        ("nosuch=1", "'nosuch=1' is no setting of a recipe"),
        ("size=100", "size must be a multiple of 32"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(
    focuskit: Run, tmp_path: Path, setting: str, sentence: str
) -> None:
    said = _refused(focuskit, "focusnet", tmp_path, "-o", tmp_path / "run", "--set", setting)

    assert sentence in said
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(focuskit: Run, data_root: Path, tmp_path: Path) -> None:
    said = _refused(focuskit, "focusnet", data_root, "-o", tmp_path / "run", "--device", "cuda")

    assert "no CUDA device that torch can use; train with --device cpu" in said


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("gauge", "--size", "full"), ("focusnet", "--size", "small"), ("r-dbd", "--teacher", "t")],
)
def test_options_that_mean_nothing_to_a_recipe_are_refused(
    tmp_path: Path, name: str, option: str, value: str
) -> None:
    words = ["train", name, str(tmp_path), "-o", str(tmp_path / "run"), option, value]

    answer = CliRunner().invoke(app, words)

    assert answer.exit_code == 1
    assert f"{option} means nothing to {name}; leave it out." in str(
        answer.exception or answer.output
    )
    assert not (tmp_path / "run").exists()


def test_options_change_the_recipe_and_what_is_started_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, object] = {}

    def note(recipe: Recipe, **arguments: object) -> None:
        given.update(arguments, recipe=recipe)

    monkeypatch.setattr("focuskit.training.train.train_recipe", note)
    words = ["train", "distill-dbdgan-student", str(tmp_path), "-o", str(tmp_path / "run")]
    options = ["--size", "full", "--teacher", "t.safetensors", "--weights", "b3.pth"]

    answer = CliRunner().invoke(app, [*words, *options, "--set", "steps=7"], catch_exceptions=False)

    assert answer.exit_code == 0
    wanted = {"configuration": "full", "teacher": "t.safetensors", "steps": 7}
    before = recipe_named("distill-dbdgan-student").as_record()
    recipe = given["recipe"]
    assert isinstance(recipe, Recipe)
    assert recipe.as_record() == before | wanted
    assert given["backbone"] == Path("b3.pth")


def test_missing_data_are_refused(focuskit: Run, data_root: Path, tmp_path: Path) -> None:
    arguments = ("focusnet", tmp_path / "nowhere", "-o", tmp_path / "run")
    assert "does not hold the encoder to start from" in _refused(focuskit, *arguments)

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "init").symlink_to(data_root / "init")
    arguments = ("focusnet", tmp_path / "data", "-o", tmp_path / "run", "--set", "width=8")
    assert "is not laid out like cuhk" in _refused(focuskit, *arguments)


def test_weights_that_do_not_fit_are_refused(
    focuskit: Run, data_root: Path, tmp_path: Path
) -> None:
    from safetensors.torch import save

    start = tmp_path / "start.safetensors"
    arguments = ("focusnet", data_root, "-o", tmp_path / "run", "--from", start)
    start.write_bytes(save({"head.weight": torch.zeros(3)}))
    assert "start.safetensors does not fit the recipe's network" in _refused(focuskit, *arguments)

    start.write_bytes(b"no tensors")
    assert "start.safetensors does not fit the recipe's network" in _refused(focuskit, *arguments)


def test_an_output_that_is_a_file_is_refused(
    focuskit: Run, data_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").write_text("")

    said = _refused(focuskit, "focusnet", data_root, "-o", tmp_path / "run")

    assert "run cannot be made (File exists); choose another" in said


def test_without_an_output_it_is_a_usage_error(focuskit: Run, tmp_path: Path) -> None:
    answer = focuskit("train", "focusnet", tmp_path)

    assert answer.returncode == 2
    assert "--output" in answer.stderr
