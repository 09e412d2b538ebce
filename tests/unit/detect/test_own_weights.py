"""Weights of a person's own: what is taken, and what is refused in which words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from focuskit.detect import runtime
from focuskit.detect.cards import weights_to_files
from focuskit.detect.network import NetworkConfig
from focuskit.detect.runtime import RUNTIME_VARIABLE, open_network
from focuskit.detect.weights import (
    DESCRIPTION_KEY,
    WEIGHTS_VARIABLE,
    chosen_weights,
    find_weights,
    read_weights,
)
from focuskit.errors import DeviceError, WeightsError
from focuskit.training.export import export
from tests.unit.training._make import lively_gauge, lively_network, one_thread

FACTS = {"network": {"width": 8, "high_frequency": True}, "fusion": {"first": [1.0, 0.0]}}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    with one_thread():
        export(lively_network(NetworkConfig(8)), folder, "mine", FACTS, graph=False)
        export(lively_gauge(), folder, "gauge", {"network": {}}, graph=False)
    return folder / "mine.safetensors"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.delenv(RUNTIME_VARIABLE, raising=False)
    runtime._opened.cache_clear()
    with one_thread():
        yield
    runtime._opened.cache_clear()


def _own(monkeypatch: pytest.MonkeyPatch, file: Path, name: str = "focusnet") -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, f"{name}={file}")


def _rewritten(file: Path, target: Path, **told: object) -> Path:
    facts = {**read_weights(file, "mine").facts, **told}
    save_file(load_file(file), target, {DESCRIPTION_KEY: json.dumps(facts)})
    return target


def test_without_a_graph_there_is_one_form_and_torch_runs_it(file: Path) -> None:
    weights = find_weights("mine", file.parent)

    assert set(weights.files) == {"safetensors"}
    assert not list(file.parent.glob("*.onnx"))
    count = sum(each.numel() for each in lively_network(NetworkConfig(8)).parameters())
    assert weights.parameters == count


def test_own_weights_take_the_place_of_the_shipped_of_that_name_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    shipped = open_network("focusnet")[0](picture)[0]

    _own(monkeypatch, file)
    network, weights = open_network("focusnet")

    with torch.inference_mode():
        wanted = lively_network(NetworkConfig(8)).eval().maps(torch.from_numpy(picture))[0]
    assert weights.files["safetensors"] == file
    assert weights.facts["fusion"] == FACTS["fusion"]
    assert np.abs(network(picture)[0] - wanted[:, 0].numpy()).max() < 0.05
    assert np.abs(network(picture)[0] - shipped).max() > 0.05
    assert chosen_weights("focusnet").checksum != find_weights("focusnet").checksum
    assert open_network("gauge")[1] is find_weights("gauge")


def test_another_architecture_is_refused_with_the_first_keys(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _own(monkeypatch, file.parent / "gauge.safetensors")

    with pytest.raises(
        WeightsError, match="holds 'gauge', another architecture than focusnet"
    ) as e:
        open_network("focusnet")
    named = re.search(r"keys that differ: (.*) and \d+ more", str(e.value))
    assert named
    assert named[1].count("(missing)") == 3


def test_weights_that_do_not_fit_what_they_say_are_refused_with_the_keys(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wider = _rewritten(
        file, tmp_path / "wider.safetensors", network={"width": 16, "high_frequency": True}
    )
    _own(monkeypatch, wider)

    with pytest.raises(WeightsError, match=r"keys that differ: \S+ \([\d×]+ instead of [\d×]+\), "):
        open_network("focusnet")


def test_another_version_is_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _own(monkeypatch, _rewritten(file, tmp_path / "new.safetensors", version=99))

    with pytest.raises(WeightsError, match=r"of version 99, .* reads version 1; keys that differ"):
        open_network("focusnet")


def test_weights_that_say_nothing_are_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(load_file(file), tmp_path / "bare.safetensors")
    _own(monkeypatch, tmp_path / "bare.safetensors")

    with pytest.raises(WeightsError, match=r"does not say what it is, .*; keys that differ: "):
        open_network("focusnet")


@pytest.mark.parametrize("network", [None, {"nosuch": 3}, []])
def test_an_unknown_variant_is_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: object
) -> None:
    _own(monkeypatch, _rewritten(file, tmp_path / "odd.safetensors", network=network))

    with pytest.raises(WeightsError, match="what it says of its network is unknown here"):
        open_network("focusnet")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_what_is_cut_off_is_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    data = file.read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(data[: int(share * len(data))])
    _own(monkeypatch, cut)

    with pytest.raises(WeightsError, match="is cut off, damaged or no safetensors file"):
        open_network("focusnet")


@pytest.mark.parametrize("modern", [True, False])
def test_a_pickle_is_never_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modern: bool
) -> None:
    path = tmp_path / "model.safetensors"
    torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=modern)
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("it was loaded"))
    _own(monkeypatch, path)

    with pytest.raises(WeightsError, match="is a pickle, which may carry code and is never loaded"):
        open_network("focusnet")


@pytest.mark.parametrize("place", ["nosuch.safetensors", "."])
def test_what_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    _own(monkeypatch, tmp_path / place)

    with pytest.raises(WeightsError, match=r"cannot be read .*; name a \.safetensors file"):
        open_network("focusnet")


@pytest.mark.parametrize("text", ["mine.safetensors", "=mine", "focusnet="])
def test_the_variable_names_network_and_file(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, text)

    with pytest.raises(WeightsError, match=f"{WEIGHTS_VARIABLE} is NETWORK=FILE"):
        open_network("focusnet")


def test_onnxruntime_cannot_be_asked_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _own(monkeypatch, file)
    monkeypatch.setenv(RUNTIME_VARIABLE, "onnx")

    with pytest.raises(DeviceError, match=f"no form for onnxruntime; set {RUNTIME_VARIABLE}=torch"):
        open_network("focusnet")


def test_numbers_that_16_bits_cannot_hold_are_kept(tmp_path: Path) -> None:
    network = lively_network(NetworkConfig(8))
    with torch.no_grad():
        next(network.parameters()).fill_(1e6)

    export(network, tmp_path, "large", FACTS, graph=False)

    state = load_file(tmp_path / "large.safetensors")
    assert sum(each.dtype == torch.float32 for each in state.values()) == 1
    assert all(each.isfinite().all() for each in state.values())


def test_files_to_hand_on_say_what_they_are(tmp_path: Path) -> None:
    shipped = find_weights("gauge")

    for name, data in weights_to_files(shipped).items():
        (tmp_path / name).write_bytes(data)

    found = read_weights(tmp_path / "gauge.safetensors", "gauge")
    assert {key: found.facts[key] for key in shipped.facts} == shipped.facts
    one, other = (load_file(x.files["safetensors"]) for x in (shipped, found))
    assert all(torch.equal(one[key], other[key]) for key in one)
    for line in (tmp_path / "gauge.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert digest in (tmp_path / "gauge.md").read_text("utf-8")
        assert (tmp_path / name).exists()
