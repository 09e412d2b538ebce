"""Runs a network on a picture: by onnxruntime on the CPU, by torch where asked or on a GPU.

Two environment variables choose, so that worker processes choose alike: FOCUSKIT_DEVICE ("auto",
"cpu" or "cuda") and FOCUSKIT_RUNTIME ("auto", "onnx" or "torch"). By itself onnxruntime takes the
form that counts in 8 bits, where there is one; "onnx" is the one in floating point, which gives the
same map as torch. Weights without a form for onnxruntime are run by torch, and so are a person's
own (see `focuskit.detect.weights`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from focuskit.detect.weights import Weights, find_weights, first_line, own_file, read_weights
from focuskit.errors import DeviceError, WeightsError

__all__ = ["DEVICE_VARIABLE", "RUNTIME_VARIABLE", "Network", "Prediction", "open_network"]

DEVICE_VARIABLE = "FOCUSKIT_DEVICE"
RUNTIME_VARIABLE = "FOCUSKIT_RUNTIME"
_DEVICES = ("auto", "cpu", "cuda")
_RUNTIMES = ("auto", "onnx", "torch")

Map = NDArray[np.float32]
Prediction = tuple[Map, ...]
"""The (N, h, w) maps that a network's class names as its outputs, in that order."""

Network = Callable[[Map], Prediction]
"""Takes (N, channels, H, W) float32 encoded pictures in [0, 1], H and W multiples of its stride."""

_log = logging.getLogger(__name__)


def open_network(name: str) -> tuple[Network, Weights]:
    """Return the network of that name, ready to run, and its weights' facts.

    Raises:
        WeightsError: its weights are missing or damaged, or nothing here can run them.
        DeviceError: the device or the runtime asked for is not there.
    """
    device = _choice(DEVICE_VARIABLE, _DEVICES)
    runtime = _choice(RUNTIME_VARIABLE, _RUNTIMES)
    return _opened(name, device, runtime, own_file(name))


@cache
def _opened(name: str, device: str, runtime: str, own: Path | None) -> tuple[Network, Weights]:
    weights = find_weights(name) if own is None else read_weights(own, name)
    if runtime == "onnx" and device == "cuda":
        raise DeviceError(
            "onnxruntime runs the network on the CPU only here; for a GPU set "
            f"{RUNTIME_VARIABLE}=torch, or leave it unset."
        )
    if runtime == "onnx" and "onnx" not in weights.files:
        raise DeviceError(
            f"The weights of {name} have no form for onnxruntime; set {RUNTIME_VARIABLE}=torch, or "
            "leave it unset."
        )
    if runtime == "torch" or device == "cuda" or "onnx" not in weights.files:
        return _by_torch(weights, device, own=own is not None), weights
    try:
        form = "int8" if runtime == "auto" and "int8" in weights.files else "onnx"
        return _by_onnxruntime(weights, form), weights
    except ImportError as exc:
        if runtime == "onnx":
            raise DeviceError(
                f"onnxruntime is not installed or cannot be loaded ({exc}); install it with "
                f"pip install onnxruntime, or set {RUNTIME_VARIABLE}=torch, which is slower."
            ) from exc
        _log.warning(
            "onnxruntime cannot be loaded (%s); torch runs the network, about three times slower. "
            "pip install onnxruntime",
            exc,
        )
        return _by_torch(weights, device, own=False), weights


def _choice(variable: str, known: tuple[str, ...]) -> str:
    chosen = os.environ.get(variable, "").strip().lower() or "auto"
    if chosen not in known:
        raise DeviceError(f"{variable} is one of {', '.join(known)}, got {chosen!r}.")
    return chosen


def _threads() -> int:
    # Workers are told to use one thread each by the variable that other libraries obey too.
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() else 0


def _by_onnxruntime(weights: Weights, form: str = "onnx") -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.inter_op_num_threads = 1
    # Errors reach the caller as exceptions; what it says besides is not for users.
    options.log_severity_level = 4
    path = weights.files[form]
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as exc:
        # onnxruntime's errors share no class of their own below Exception.
        raise WeightsError(
            f"onnxruntime {onnxruntime.__version__} cannot load {path} ({first_line(exc)}); "
            f"upgrade onnxruntime, set {RUNTIME_VARIABLE}=torch, or use --detector lbp."
        ) from exc

    (taken,) = (each.name for each in session.get_inputs())

    def run(picture: Map) -> Prediction:
        return tuple(found[:, 0] for found in session.run(None, {taken: picture}))

    return run


def _by_torch(weights: Weights, device: str, *, own: bool) -> Network:
    import torch

    from focuskit.detect.loading import load_network, load_own_network

    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "A CUDA device was asked for and there is none that torch can use; "
            f"set {DEVICE_VARIABLE}=cpu or leave it unset."
        )
    place = torch.device("cuda" if device == "cuda" else "cpu")
    network = (load_own_network if own else load_network)(weights).to(place)

    def run(picture: Map) -> Prediction:
        try:
            with torch.inference_mode():
                maps = network.maps(torch.from_numpy(picture).to(place))
                return tuple(found[:, 0].float().cpu().numpy() for found in maps)
        except torch.cuda.OutOfMemoryError as exc:
            raise DeviceError(
                f"The GPU has too little free memory for a picture of {picture.shape[3]}×"
                f"{picture.shape[2]} pixels; close what else uses it, or set {DEVICE_VARIABLE}=cpu."
            ) from exc

    return run
