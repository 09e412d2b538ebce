from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from focuskit.detect import runtime
from focuskit.detect import weights as weights_module
from focuskit.detect.network import NetworkConfig
from focuskit.detect.runtime import DEVICE_VARIABLE, RUNTIME_VARIABLE, open_network
from focuskit.detect.weights import find_weights
from focuskit.errors import DeviceError, WeightsError
from focuskit.training.export import export
from tests.unit.training._make import lively_gauge, lively_network, one_thread

Map = NDArray[np.float32]
FACTS = {"network": {"width": 8, "high_frequency": True}, "fusion": {"first": [1.0, 0.0]}}
GAUGE_FACTS = {"network": {}, "frame_offset": 0.25}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runtime") / "weights"
    with one_thread():
        export(lively_network(NetworkConfig(8)), path, "lively", FACTS)
        export(lively_gauge(), path, "gauge", GAUGE_FACTS)
    return path


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, exported: Path) -> Iterator[None]:
    """Nothing is chosen, nothing opened, and other weights ship."""
    for variable in (DEVICE_VARIABLE, RUNTIME_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(weights_module, "weights_folder", lambda: exported)
    _forget()
    with one_thread():
        yield
    _forget()


def _forget() -> None:
    find_weights.cache_clear()
    runtime._opened.cache_clear()


@pytest.fixture
def own_weights(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to break."""
    path = Path(shutil.copytree(exported, tmp_path / "weights"))
    monkeypatch.setattr(weights_module, "weights_folder", lambda: path)
    return path


@pytest.fixture
def no_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)


def _picture(height: int = 64, width: int = 96) -> Map:
    rng = np.random.default_rng(1)
    coarse = rng.random((1, 3, height // 8, width // 8), np.float32)
    return coarse.repeat(8, axis=2).repeat(8, axis=3)


@pytest.mark.parametrize(("height", "width"), [(320, 320), (64, 96), (448, 640)])
def test_both_runtimes_give_the_same_maps(
    monkeypatch: pytest.MonkeyPatch, height: int, width: int
) -> None:
    found = {}
    for name in ("onnx", "torch"):
        monkeypatch.setenv(RUNTIME_VARIABLE, name)
        network, weights = open_network("lively")
        found[name] = network(_picture(height, width))
        assert weights.facts == {**FACTS, "kind": "focusnet"}

    for one, other in zip(found["onnx"], found["torch"], strict=True):
        assert one.shape == other.shape == (1, height // 2, width // 2)
        assert one.dtype == other.dtype == np.float32
        assert np.abs(one - other).max() < 1e-3
        assert one.std() > 0.05


def test_a_network_of_another_kind_is_opened_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    gray = _picture(72, 96)[:, :1]
    found = {}
    for name in ("onnx", "torch"):
        monkeypatch.setenv(RUNTIME_VARIABLE, name)
        network, weights = open_network("gauge")
        found[name] = network(gray)
        assert weights.facts == {**GAUGE_FACTS, "kind": "gauge"}

    assert len(found["onnx"]) == len(found["torch"]) == 3
    for one, other in zip(found["onnx"], found["torch"], strict=True):
        assert one.shape == other.shape == (1, 9, 12)
        assert one.dtype == other.dtype == np.float32
        assert np.abs(one - other).max() < 5e-3


def test_the_form_in_8_bits_is_taken_unless_another_is_asked_for(
    own_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.random((1, 3, 64, 64), np.float32) for _ in range(4)]
    export(lively_network(NetworkConfig(8)), own_weights, "lively", FACTS, pictures=pictures)
    _forget()
    found = {}
    for name in ("auto", "onnx", "torch"):
        monkeypatch.setenv(RUNTIME_VARIABLE, name)
        found[name] = open_network("lively")[0](_picture())[0]

    assert np.abs(found["onnx"] - found["torch"]).max() < 1e-3
    assert np.abs(found["onnx"] - found["auto"]).max() > 1e-3


def test_weights_of_no_kind_are_of_the_first(
    own_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = own_weights / "index.json"
    index = json.loads(path.read_text("utf-8"))
    del index["weights"]["lively"]["kind"]
    path.write_text(json.dumps(index), encoding="utf-8")
    monkeypatch.setenv(RUNTIME_VARIABLE, "torch")

    assert len(open_network("lively")[0](_picture())) == 3


@pytest.mark.parametrize("kind", ["gauge", "nosuch", 3, None, []])
def test_another_kind_than_the_weights_is_refused(
    own_weights: Path, monkeypatch: pytest.MonkeyPatch, kind: object
) -> None:
    _change_index(own_weights, kind=kind)
    monkeypatch.setenv(RUNTIME_VARIABLE, "torch")

    with pytest.raises(WeightsError, match=r"lively\.safetensors do not fit .*lbp"):
        open_network("lively")


def test_without_a_choice_onnxruntime_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_by_torch", lambda *args: pytest.fail("torch was taken"))

    network, _ = open_network("lively")

    assert len(network(_picture())) == 3


def test_a_network_is_opened_once_for_each_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_network("lively")
    assert open_network("lively") is first

    monkeypatch.setenv(RUNTIME_VARIABLE, "torch")
    assert open_network("lively") is not first


@pytest.mark.parametrize("text", [" CPU ", "Auto", ""])
def test_case_and_blanks_do_not_matter(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, text)

    assert open_network("lively")


@pytest.mark.parametrize(
    ("variable", "known"),
    [(DEVICE_VARIABLE, "auto, cpu, cuda"), (RUNTIME_VARIABLE, "auto, onnx, torch")],
)
def test_an_unknown_choice_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, known: str
) -> None:
    monkeypatch.setenv(variable, "abacus")

    with pytest.raises(DeviceError, match=f"{variable} is one of {known}, got 'abacus'"):
        open_network("lively")


@pytest.mark.parametrize("chosen", ["auto", "torch"])
def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda")
    monkeypatch.setenv(RUNTIME_VARIABLE, chosen)

    with pytest.raises(DeviceError, match=rf"CUDA device .* set {DEVICE_VARIABLE}=cpu"):
        open_network("lively")


def test_onnxruntime_on_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda")
    monkeypatch.setenv(RUNTIME_VARIABLE, "onnx")

    with pytest.raises(DeviceError, match=f"on the CPU only here; .*{RUNTIME_VARIABLE}=torch"):
        open_network("lively")


@pytest.mark.usefixtures("no_onnxruntime")
def test_onnxruntime_that_is_missing_but_asked_for_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, "onnx")

    with pytest.raises(DeviceError, match="pip install onnxruntime"):
        open_network("lively")


@pytest.mark.usefixtures("no_onnxruntime")
def test_without_onnxruntime_torch_runs_it_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="focuskit.detect.runtime"):
        network, _ = open_network("lively")
        open_network("lively")

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "torch runs the network" in caplog.text
    assert "pip install onnxruntime" in caplog.text
    assert network(_picture())[0].shape == (1, 32, 48)


@pytest.mark.usefixtures("no_onnxruntime")
def test_who_asked_for_torch_is_not_warned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, "torch")

    open_network("lively")

    assert not caplog.records


def test_without_safetensors_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, "torch")
    monkeypatch.setitem(sys.modules, "safetensors", None)

    with pytest.raises(WeightsError, match="pip install safetensors"):
        open_network("lively")


def _change_index(folder: Path, **facts: object) -> None:
    path = folder / "index.json"
    index = json.loads(path.read_text("utf-8"))
    index["weights"]["lively"].update(facts)
    path.write_text(json.dumps(index), encoding="utf-8")


@pytest.mark.parametrize(
    "facts",
    [
        {"width": 16, "high_frequency": True},
        {"width": 8, "high_frequency": False},
        {"width": -3, "high_frequency": True},
        {"width": "8", "high_frequency": True},
        {"depth": 8},
        [8],
        None,
    ],
)
def test_facts_of_another_network_are_refused(
    monkeypatch: pytest.MonkeyPatch, own_weights: Path, facts: object
) -> None:
    _change_index(own_weights, network=facts)
    monkeypatch.setenv(RUNTIME_VARIABLE, "torch")

    with pytest.raises(WeightsError, match=r"lively\.safetensors do not fit .*lbp") as caught:
        open_network("lively")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("chosen", ["auto", "onnx", "torch"])
def test_a_flipped_byte_stops_every_runtime(
    monkeypatch: pytest.MonkeyPatch, own_weights: Path, chosen: str
) -> None:
    path = own_weights / "lively.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    monkeypatch.setenv(RUNTIME_VARIABLE, chosen)

    with pytest.raises(WeightsError, match=r"lively\.onnx are not the ones that were shipped"):
        open_network("lively")


def test_a_graph_that_onnxruntime_does_not_know_is_refused(own_weights: Path) -> None:
    """Its checksum fits: an older onnxruntime than the one that the graph was made for."""
    import hashlib

    path = own_weights / "lively.onnx"
    path.write_bytes(b"no graph")
    index = json.loads((own_weights / "index.json").read_text("utf-8"))
    files = index["weights"]["lively"]["files"]
    files["onnx"]["sha256"] = hashlib.sha256(b"no graph").hexdigest()
    _change_index(own_weights, files=files)

    with pytest.raises(WeightsError, match=r"cannot load .*lively\.onnx .*upgrade onnxruntime"):
        open_network("lively")


def test_a_full_gpu_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def to(self, place: object) -> Full:
            return self

        def maps(self, picture: object) -> object:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setenv(RUNTIME_VARIABLE, "torch")
    monkeypatch.setattr("focuskit.detect.loading.load_network", lambda weights: Full())
    network, _ = open_network("lively")

    with pytest.raises(DeviceError, match=rf"of 96×64 pixels; .*{DEVICE_VARIABLE}=cpu"):
        network(_picture())


@pytest.mark.parametrize("threads", ["", "1", "2", "0", "many", "4,2", "²"])
def test_any_number_of_threads_will_do(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)

    network, _ = open_network("lively")

    assert np.isfinite(network(_picture())[0]).all()


def test_inputs_are_left_alone() -> None:
    picture = _picture()
    before = picture.copy()

    open_network("lively")[0](picture)

    assert np.array_equal(picture, before)
