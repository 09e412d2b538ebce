from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from focuskit.detect.loading import load_network
from focuskit.detect.network import FocusNet
from focuskit.detect.weights import INDEX_NAME, find_weights, weight_names, weights_folder
from focuskit.errors import WeightsError
from tests.scenes import SAMPLES
from tests.unit.training._make import one_thread

WAY_ON = r"pip install --force-reinstall --no-deps focuskit.*--detector lbp"
LARGEST = {"focusnet": 10_000_000}
LARGEST_SYSTEM = 6_000_000


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    find_weights.cache_clear()
    yield
    find_weights.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights that are none: finding them opens no network."""
    data = {"thing.onnx": b"graph" * 50, "thing.safetensors": b"numbers" * 50}
    for name, content in data.items():
        (tmp_path / name).write_bytes(content)
    files = {
        name.split(".")[1]: {"file": name, "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in data.items()
    }
    facts = {"network": {"width": 8, "high_frequency": True}, "fusion": {"first": [1.0, 0.0]}}
    _write_index(tmp_path, {"weights": {"thing": {**facts, "files": files}}})
    return tmp_path


def _write_index(folder: Path, index: object) -> None:
    (folder / INDEX_NAME).write_text(json.dumps(index), encoding="utf-8")


def _index(folder: Path) -> dict[str, Any]:
    index: dict[str, Any] = json.loads((folder / INDEX_NAME).read_text("utf-8"))
    return index


def test_weights_are_found_with_their_facts(folder: Path) -> None:
    weights = find_weights("thing", folder)

    assert weights.name == "thing"
    assert weights.files == {form: folder / f"thing.{form}" for form in ("onnx", "safetensors")}
    assert set(weights.facts) == {"network", "fusion"}
    assert find_weights("thing", folder) is weights
    assert weight_names(folder) == ["thing"]


@pytest.mark.parametrize("form", ["onnx", "safetensors"])
def test_a_flipped_byte_is_found(folder: Path, form: str) -> None:
    path = folder / f"thing.{form}"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)

    with pytest.raises(WeightsError, match=rf"thing\.{form} are not the ones .*{WAY_ON}"):
        find_weights("thing", folder)


@pytest.mark.parametrize("form", ["onnx", "safetensors"])
def test_a_file_that_is_cut_or_missing_is_named(folder: Path, form: str) -> None:
    path = folder / f"thing.{form}"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=rf"thing\.{form} are not the ones"):
        find_weights("thing", folder)

    path.unlink()
    with pytest.raises(
        WeightsError, match=rf"thing\.{form} could not be read \(No such file.*{WAY_ON}"
    ):
        find_weights("thing", folder)


def test_what_failed_once_is_looked_at_again(folder: Path) -> None:
    path = folder / "thing.onnx"
    data = path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(WeightsError):
        find_weights("thing", folder)

    path.write_bytes(data)
    assert find_weights("thing", folder).files["onnx"] == path


def test_a_missing_index_is_named(folder: Path) -> None:
    (folder / INDEX_NAME).unlink()

    with pytest.raises(
        WeightsError, match=rf"weights are missing: there is no .*json\. .*{WAY_ON}"
    ):
        find_weights("thing", folder)
    with pytest.raises(WeightsError, match="weights are missing"):
        weight_names(folder / "nowhere")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"3",
        b"{}",
        b'{"weights": []}',
        b'{"weights": 1}',
    ],
)
def test_a_damaged_index_is_named(folder: Path, content: bytes) -> None:
    (folder / INDEX_NAME).write_bytes(content)

    with pytest.raises(WeightsError, match=rf"index\.json is damaged .*{WAY_ON}"):
        find_weights("thing", folder)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "thing",
        {},
        {"files": None},
        {"files": {}},
        {"files": {"onnx": {"file": "thing.onnx", "sha256": "0"}}},
        {"files": {"onnx": {"file": "thing.onnx"}, "safetensors": {"file": "thing.safetensors"}}},
        {"files": {"onnx": "thing.onnx", "safetensors": "thing.safetensors"}},
        {"files": {"onnx": {"file": 3, "sha256": 3}, "safetensors": {"file": 3, "sha256": 3}}},
    ],
)
def test_a_damaged_entry_is_named(folder: Path, entry: object) -> None:
    _write_index(folder, {"weights": {"thing": entry}})

    with pytest.raises(WeightsError, match=rf"index\.json is damaged: of 'thing' .*{WAY_ON}"):
        find_weights("thing", folder)


def test_an_unknown_name_is_answered_with_the_list(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights called 'other' in .*; there is thing\."):
        find_weights("other", folder)
    _write_index(folder, {"weights": {}})
    with pytest.raises(WeightsError, match="there is nothing"):
        find_weights("other", folder)


def test_weights_that_are_no_tensors_are_refused(folder: Path) -> None:
    weights = find_weights("thing", folder)

    with pytest.raises(WeightsError, match=rf"thing\.safetensors do not fit .*{WAY_ON}") as caught:
        load_network(weights)
    assert "\n" not in str(caught.value)


def test_weights_are_sentences_on_one_line(folder: Path) -> None:
    """The command line shows no control characters."""
    index = _index(folder)
    index["weights"]["thing"]["files"]["onnx"]["sha256"] = "wrong"
    _write_index(folder, index)

    with pytest.raises(WeightsError) as caught:
        find_weights("thing", folder)
    assert re.fullmatch(r"[^\n\t]+", str(caught.value))


# What ships.


def test_what_ships_is_whole() -> None:
    names = weight_names()

    assert "focusnet" in names
    for name in names:
        weights = find_weights(name)
        for path in weights.files.values():
            assert path.parent == weights_folder()
    listed = {path.name for name in names for path in find_weights(name).files.values()}
    forms = {".onnx", ".safetensors"}
    assert {path.name for path in weights_folder().iterdir() if path.suffix in forms} == listed


def test_what_ships_is_small() -> None:
    for name in weight_names():
        size = sum(path.stat().st_size for path in find_weights(name).files.values())
        assert size <= LARGEST.get(name, LARGEST_SYSTEM)


def test_facts_that_detection_needs_ship_too() -> None:
    for name in weight_names():
        facts = find_weights(name).facts
        if facts.get("kind", FocusNet.KIND) == FocusNet.KIND:
            assert set(facts["network"]) == {"width", "high_frequency"}
            assert [len(facts["fusion"][key]) for key in ("first", "both")] == [2, 3]
        else:
            assert "network" in facts


def test_both_forms_that_ship_give_the_same_maps() -> None:
    import onnxruntime

    bgr = cv2.imread(str(SAMPLES / "IMG_0042.jpg"))
    small = cv2.resize(bgr, (416, 288), interpolation=cv2.INTER_AREA)[..., ::-1]
    picture = np.ascontiguousarray(small.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    for name in weight_names():
        weights = find_weights(name)
        if "onnx" not in weights.files:
            continue
        session = onnxruntime.InferenceSession(
            str(weights.files["onnx"]), options, providers=["CPUExecutionProvider"]
        )

        network = load_network(weights)
        seen = picture[:, : network.CHANNELS]
        assert [each.name for each in session.get_inputs()] == [network.INPUT]
        assert tuple(each.name for each in session.get_outputs()) == network.OUTPUTS
        found = session.run(None, {network.INPUT: seen})
        with one_thread(), torch.inference_mode():
            wanted = network.maps(torch.from_numpy(seen))

        for one, other in zip(found, wanted, strict=True):
            assert np.abs(one - other.numpy()).max() < 1e-3
            assert one.std() > 1e-3
