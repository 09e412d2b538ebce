from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from focuskit.detect.frame import GAUGE_STRIDE
from focuskit.detect.loading import load_network
from focuskit.detect.network import FocusNet, NetworkConfig, Outputs
from focuskit.detect.weights import find_weights
from focuskit.errors import InputError, OutputError
from focuskit.training.export import export
from tests.unit.training._make import lively_gauge, lively_network, one_thread

FACTS: dict[str, Any] = {
    "network": {"width": 48, "high_frequency": True},
    "fusion": {"first": [1.0, 0.0], "both": [0.5, 0.5, 0.0]},
    "validation": {"f_max": None},
}
SIZES = ((320, 320), (64, 96), (448, 640))
Map = NDArray[np.float32]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def network() -> FocusNet:
    return lively_network()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, network: FocusNet) -> Path:
    path = tmp_path_factory.mktemp("export") / "weights"
    export(network, path, "lively", FACTS)
    return path


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    find_weights.cache_clear()
    yield
    find_weights.cache_clear()


def _picture(height: int, width: int, count: int = 1) -> Map:
    rng = np.random.default_rng(height)
    coarse = rng.random((count, 3, height // 8, width // 8), np.float32)
    return coarse.repeat(8, axis=2).repeat(8, axis=3)


def _session(folder: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = str(folder / "lively.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _heads(outputs: Outputs) -> list[Map]:
    return [x.numpy() for x in (outputs.in_focus, outputs.log_coc, outputs.confidence)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_both_forms_give_the_same_maps(folder: Path, height: int, width: int) -> None:
    picture = _picture(height, width)
    by_torch = load_network(find_weights("lively", folder))

    with torch.inference_mode():
        wanted = _heads(by_torch(torch.from_numpy(picture)))
    found = _session(folder).run(None, {"rgb": picture})

    for one, other in zip(found, wanted, strict=True):
        assert one.shape == (1, 1, height // 2, width // 2)
        assert np.abs(one - other).max() < 1e-3
        # Not because both are empty.
        assert other.std() > 0.05


def test_several_pictures_at_once(folder: Path) -> None:
    pictures = _picture(64, 64, count=3)
    session = _session(folder)

    together = session.run(None, {"rgb": pictures})
    alone = [session.run(None, {"rgb": pictures[i : i + 1]}) for i in range(3)]

    for index, maps in enumerate(together):
        assert maps.shape == (3, 1, 32, 32)
        assert maps == pytest.approx(np.concatenate([each[index] for each in alone]), abs=1e-4)


def test_names_of_what_goes_in_and_comes_out(folder: Path) -> None:
    session = _session(folder)

    assert [each.name for each in session.get_inputs()] == ["rgb"]
    assert [each.name for each in session.get_outputs()] == ["in_focus", "log_coc", "confidence"]


def test_rounding_changes_little_and_not_the_network_itself(
    folder: Path, network: FocusNet
) -> None:
    fresh = lively_network()
    for kept, made in zip(network.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(kept, made)
    picture = torch.from_numpy(_picture(96, 96))
    stored = load_network(find_weights("lively", folder))

    with torch.inference_mode():
        pairs = zip(_heads(network(picture)), _heads(stored(picture)), strict=True)
        assert all(np.abs(one - other).max() < 0.05 for one, other in pairs)


def test_weights_are_stored_in_16_bits(folder: Path, network: FocusNet) -> None:
    count = sum(parameter.numel() for parameter in network.parameters())

    for form in ("onnx", "safetensors"):
        size = (folder / f"lively.{form}").stat().st_size
        assert 2 * count < size < 2.2 * count
        assert size < 5e6
    assert {x.dtype for x in load_file(folder / "lively.safetensors").values()} == {torch.float16}
    graph = onnx.load(folder / "lively.onnx").graph
    floats = [w for w in graph.initializer if w.data_type == onnx.TensorProto.FLOAT]
    assert all(np.prod(w.dims, dtype=int) < 16 for w in floats)
    # The few that are kept wide hold the rounded numbers too.
    assert floats
    for values in map(onnx.numpy_helper.to_array, floats):
        assert np.array_equal(values, values.astype(np.float16).astype(np.float32))


def test_the_index_tells_what_was_written(folder: Path) -> None:
    text = (folder / "index.json").read_text("utf-8")
    entry = json.loads(text, parse_constant=pytest.fail)["weights"]["lively"]

    assert {key: entry[key] for key in FACTS} == FACTS
    assert set(entry["files"]) == {"onnx", "safetensors"}
    for form, told in entry["files"].items():
        data = (folder / told["file"]).read_bytes()
        assert told["file"] == f"lively.{form}"
        assert told["bytes"] == len(data)
        assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert {path.name for path in folder.iterdir()} == {
        "index.json",
        "lively.onnx",
        "lively.safetensors",
    }


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_everybody_may_read_what_was_written(folder: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_weights_are_found_by_name(folder: Path) -> None:
    weights = find_weights("lively", folder)

    assert weights.facts == {**FACTS, "kind": "focusnet"}
    assert weights.files == {form: folder / f"lively.{form}" for form in ("onnx", "safetensors")}


def test_a_second_network_joins_the_first_and_a_repeat_gives_the_same_bytes(
    folder: Path, network: FocusNet
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    facts = {**FACTS, "network": {"width": 8, "high_frequency": False}}
    small = lively_network(NetworkConfig(8, high_frequency=False), seed=1)

    export(small, folder, "small", facts)

    assert find_weights("lively", folder).facts == {**FACTS, "kind": "focusnet"}
    assert find_weights("small", folder).facts == {**facts, "kind": "focusnet"}
    again = load_network(find_weights("small", folder))
    assert again.config == NetworkConfig(8, high_frequency=False)
    first = {path.name: path.read_bytes() for path in folder.glob("small.*")}
    export(small, folder, "small", facts)
    assert first == {path.name: path.read_bytes() for path in folder.glob("small.*")}
    for name in ("small.onnx", "small.safetensors"):
        (folder / name).unlink()
    for name, data in before.items():
        (folder / name).write_bytes(data)


def test_a_damaged_index_is_refused_and_nothing_written(
    tmp_path: Path, network: FocusNet, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    graph = (folder / "lively.onnx").read_bytes()
    # Tracing takes seconds and says nothing here.
    monkeypatch.setattr(
        "focuskit.training.export._write_graph", lambda network, path: path.write_bytes(graph)
    )
    for text in ("{", "[]", '{"weights": []}', "{}"):
        (tmp_path / "index.json").write_text(text)
        with pytest.raises(InputError, match=r"index\.json is damaged; remove it"):
            export(network, tmp_path, "lively", FACTS)
    assert [path.name for path in tmp_path.iterdir()] == ["index.json"]

    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file cannot be written to"):
        export(network, tmp_path / "file", "lively", FACTS)


def test_without_onnx_the_way_to_it_is_told(
    tmp_path: Path, network: FocusNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(InputError, match=r"onnx is not installed: pip install 'focuskit\[train\]'"):
        export(network, tmp_path, "lively", FACTS)


def test_a_network_of_another_kind_is_exported_by_its_own_names(tmp_path: Path) -> None:
    network = lively_gauge()
    # A folder that holds one of the other kind.
    (tmp_path / "index.json").write_text('{"weights": {"other": {"kind": "focusnet"}}}')

    export(network, tmp_path, "gauge", {"network": {}, "frame_offset": 0.25})

    index = json.loads((tmp_path / "index.json").read_text("utf-8"))["weights"]
    assert {name: entry["kind"] for name, entry in index.items()} == {
        "other": "focusnet",
        "gauge": "gauge",
    }
    stored = load_network(find_weights("gauge", tmp_path))
    assert type(stored) is type(network)
    assert find_weights("gauge", tmp_path).facts["frame_offset"] == 0.25
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(tmp_path / "gauge.onnx"), options, providers=["CPUExecutionProvider"]
    )
    assert [each.name for each in session.get_inputs()] == ["gray"]
    assert [each.name for each in session.get_outputs()] == ["log_coc", "log_error", "evidence"]
    for height, width in ((64, 64), (40, 104)):
        picture = _picture(height, width, count=2)[:, :1]
        with torch.inference_mode():
            wanted = [each.numpy() for each in stored.maps(torch.from_numpy(picture))]
        found = session.run(None, {"gray": picture})
        for one, other in zip(found, wanted, strict=True):
            assert one.shape == (2, 1, height // GAUGE_STRIDE, width // GAUGE_STRIDE)
            assert np.abs(one - other).max() < 5e-3
            assert other.std() > 0.01


def test_with_pictures_a_form_that_counts_in_8_bits_is_written_too(
    tmp_path: Path, network: FocusNet
) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.random((1, 3, 64, 64), np.float32) for _ in range(4)]

    export(network, tmp_path, "lively", FACTS, pictures=pictures)
    found = find_weights("lively", tmp_path)

    assert set(found.files) == {"onnx", "safetensors", "int8"}
    assert found.files["int8"].name == "lively-int8.onnx"
    assert found.files["int8"].stat().st_size < found.files["onnx"].stat().st_size
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    maps = [
        onnxruntime.InferenceSession(
            str(found.files[form]), options, providers=["CPUExecutionProvider"]
        ).run(None, {"rgb": pictures[0]})[0]
        for form in ("onnx", "int8")
    ]
    assert maps[0].shape == maps[1].shape
    assert not np.array_equal(*maps)
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.9
