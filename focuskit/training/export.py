"""From a trained network to the files that ship."""

from __future__ import annotations

import hashlib
import json
import warnings
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from focuskit.detect.maps import MapNetwork
from focuskit.detect.weights import INDEX_NAME, description
from focuskit.errors import InputError, OutputError
from focuskit.training.quantise import Pictures, quantise

__all__ = ["export"]

_OPSET = 17
_EXAMPLE_SIDE = 320


class _Flat(nn.Module):
    """The network with plain tensors in and out, as ONNX wants it."""

    def __init__(self, network: MapNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        return self.network.maps(picture)


def export(
    network: MapNetwork,
    folder: Path,
    name: str,
    facts: dict[str, Any],
    *,
    pictures: Pictures = (),
    graph: bool = True,
) -> None:
    """Write a network as safetensors and ONNX, both with 16-bit weights, and list it in the index.

    Both forms hold the same rounded numbers, so they give the same maps. The network itself stays
    as it is. The safetensors file says what it is, so it can be used without its index.

    Args:
        network: trained.
        folder: made if missing; other entries of its index stay.
        name: what it is called in the index.
        facts: stored beside it and its kind; must hold what loading and running it need ("network",
            of FocusNet "fusion" too).
        pictures: (1, channels, H, W) float32 as the network usually sees them: with them, a third
            form is written, "int8", whose encoder counts in 8 bits.
        graph: whether ONNX is written at all; without it, torch runs the network.

    Raises:
        InputError: onnx or safetensors is not installed, or the index is damaged.
        OutputError: the folder cannot be written to.
    """
    try:
        from safetensors.torch import save

        if graph:
            import onnx  # noqa: F401
    except ImportError as exc:
        raise InputError(f"{exc.name} is not installed: pip install 'focuskit[train]'.") from exc
    rounded = deepcopy(network).to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    stored = {key: _rounded(value).contiguous() for key, value in rounded.state_dict().items()}
    rounded.load_state_dict({key: _widened(value) for key, value in stored.items()})
    # Not save_file: it writes files that nobody else may read.
    forms = {"safetensors": save(stored, description(network.KIND, facts))}
    if graph:
        forms |= _graphs(rounded, pictures)
    files = {
        form: {
            "file": _file_name(name, form),
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
        }
        for form, data in forms.items()
    }
    index = _read_index(folder / INDEX_NAME)
    index["weights"][name] = {**facts, "kind": network.KIND, "files": files}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for form, data in forms.items():
            (folder / _file_name(name, form)).write_bytes(data)
        text = json.dumps(index, indent=2, sort_keys=True, allow_nan=False)
        (folder / INDEX_NAME).write_text(text + "\n", encoding="utf-8")
    except OSError as exc:
        raise OutputError(f"{folder} cannot be written to ({exc.strerror}).") from exc


def _rounded(values: Tensor) -> Tensor:
    """Return values in 16 bits; as they are where those cannot hold them, such as counts."""
    halves = values.half()
    fits = values.is_floating_point() and bool(halves.isfinite().all())
    return halves if fits else values


def _widened(values: Tensor) -> Tensor:
    return values.float() if values.is_floating_point() else values


def _graphs(network: MapNetwork, pictures: Pictures) -> dict[str, bytes]:
    import onnx

    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "network.onnx"
        _write_graph(network, path)
        forms = {"onnx": _packed(onnx.load(path))}
        if pictures:
            whole = path.with_name("int8.onnx")
            quantise(path, whole, pictures)
            forms["int8"] = _packed(onnx.load(whole))
    return forms


def _file_name(name: str, form: str) -> str:
    return f"{name}-int8.onnx" if form == "int8" else f"{name}.{form}"


def _packed(model: Any) -> bytes:
    """Return an ONNX file without what only takes up room."""
    import onnx

    _halve(model)
    _shorten(model.graph)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _shorten(graph: Any) -> None:
    """Number what torch and the quantiser name by its whole path; drop weights nobody uses."""
    used = {name for node in graph.node for name in node.input}
    kept = [weight for weight in graph.initializer if weight.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    fixed = {each.name for each in (*graph.input, *graph.output)}
    short: dict[str, str] = {name: name for name in (*fixed, "")}

    def renamed(name: str) -> str:
        return short.setdefault(name, f"t{len(short)}")

    for weight in graph.initializer:
        weight.name = renamed(weight.name)
    for node in graph.node:
        node.name, node.doc_string = "", ""
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]


def _write_graph(network: MapNetwork, path: Path) -> None:
    picture = torch.zeros(1, network.CHANNELS, _EXAMPLE_SIDE, _EXAMPLE_SIDE)
    axes = {0: "count", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        # The tracing exporter is called legacy; the new one does not keep both sides free here.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Flat(network).eval(),
            (picture,),
            str(path),
            dynamo=False,
            # Folded, BatchNorm would be rounded otherwise than in safetensors.
            training=torch.onnx.TrainingMode.PRESERVE,
            opset_version=_OPSET,
            input_names=[network.INPUT],
            output_names=list(network.OUTPUTS),
            dynamic_axes={each: axes for each in (network.INPUT, *network.OUTPUTS)},
        )


def _halve(model: Any) -> None:
    """Store weights in 16 bits and widen them on load: half the bytes, the same arithmetic."""
    from onnx import TensorProto, helper, numpy_helper

    kept, casts = [], []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        # Steps of quantised values are wanted as they are.
        plain = weight.data_type == TensorProto.FLOAT and not weight.name.endswith("_scale")
        if not plain or values.size < 16:
            kept.append(weight)
            continue
        small = f"{weight.name}.half"
        kept.append(numpy_helper.from_array(values.astype("float16"), small))
        casts.append(helper.make_node("Cast", [small], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:]
    del model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)


def _read_index(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"weights": {}}
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        index["weights"].keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InputError(f"The list of weights {path} is damaged; remove it first.") from exc
    return index
