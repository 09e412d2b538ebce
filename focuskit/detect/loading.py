"""From weights on disk to the network of torch that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from torch import Tensor

from focuskit.detect.maps import MapNetwork
from focuskit.detect.weights import (
    WAY_ON,
    Weights,
    differing_keys,
    find_weights,
    first_line,
    read_shapes,
    refusal,
    weight_names,
)
from focuskit.errors import WeightsError

__all__ = ["NETWORKS", "load_network", "load_own_network", "network_class"]

_SYSTEMS = "focuskit.detect.systems"

NETWORKS: dict[str, str] = {
    "focusnet": "focuskit.detect.network:FocusNet",
    "gauge": "focuskit.detect.gauge:GaugeNet",
    "motion": "focuskit.detect.motion_network:MotionNet",
    "r-dbd": f"{_SYSTEMS}.rdbd:Rdbd",
    "defusionnet": f"{_SYSTEMS}.defusionnet:DeFusionNet",
    "distill-dbdgan-teacher": f"{_SYSTEMS}.dbdgan_teacher:DbdganTeacher",
    "distill-dbdgan-student": f"{_SYSTEMS}.dbdgan_student:DbdganStudent",
    "m2cs": f"{_SYSTEMS}.m2cs:M2csNet",
    "local-metric": f"{_SYSTEMS}.local_metric:LocalMetricNet",
}
"""Where the classes are, by what the index calls their kind."""

# Where the index is silent.
_FIRST_KIND = "focusnet"


def network_class(kind: str) -> type[MapNetwork]:
    """Return the class of a kind of network, importing it now.

    Raises:
        KeyError: there is no such kind.
    """
    module, _, name = NETWORKS[kind].partition(":")
    return cast(type[MapNetwork], getattr(import_module(module), name))


def load_network(weights: Weights) -> MapNetwork:
    """Return the network with shipped weights, ready to judge.

    Raises:
        WeightsError: the file cannot be read or belongs to another network.
    """
    path = weights.files["safetensors"]
    try:
        network = network_class(_kind(weights)).from_facts(weights.facts["network"])
        _fill(network, weights)
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as exc:
        raise WeightsError(
            f"The weights {path} do not fit this version of focuskit "
            f"({type(exc).__name__}: {first_line(exc)}). {WAY_ON}"
        ) from exc
    return network.eval()


def load_own_network(weights: Weights) -> MapNetwork:
    """Return the network with a person's own weights, ready to judge.

    Raises:
        WeightsError: they are of another architecture or version; the first keys that differ are
            named.
    """
    path, told = weights.files["safetensors"], weights.facts
    wanted = _wanted_kind(weights.name)
    shapes, _ = read_shapes(path)
    reason = refusal(told, wanted)
    network = None if reason else _made(wanted, told)
    if network is None:
        usual = _usual(weights.name, wanted)
        differing = differing_keys(_shapes_of(usual), shapes)
        raise WeightsError(
            f"{path} cannot run {weights.name}: "
            f"{reason or 'what it says of its network is unknown here'}; {differing}. Give weights "
            f"that focuskit train or focuskit weights export wrote for {weights.name}."
        )
    expected = _shapes_of(network)
    if expected != dict(shapes):
        raise WeightsError(
            f"{path} is of another architecture than the {wanted} that it says it is: "
            f"{differing_keys(expected, shapes)}. Write it anew with focuskit weights export."
        )
    _fill(network, weights)
    return network.eval()


def _fill(network: MapNetwork, weights: Weights) -> None:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as exc:
        raise WeightsError(
            f"safetensors, which reads the weights for torch, cannot be loaded ({exc}); install it "
            "with pip install safetensors."
        ) from exc
    path = weights.files["safetensors"]
    try:
        state = load_file(path)
    except SafetensorError as exc:
        raise ValueError(str(exc)) from exc
    network.load_state_dict({key: _widened(values) for key, values in state.items()})


def _widened(values: Tensor) -> Tensor:
    return values.float() if values.is_floating_point() else values


def _kind(weights: Weights) -> Any:
    return weights.facts.get("kind", _FIRST_KIND)


def _wanted_kind(name: str) -> str:
    """Return the kind of network that runs under a name: the shipped one's, or the name itself."""
    return str(_kind(find_weights(name))) if name in weight_names() else name


def _made(kind: str, told: Mapping[str, Any]) -> MapNetwork | None:
    try:
        return network_class(kind).from_facts(told["network"])
    except (LookupError, TypeError, ValueError, RuntimeError):
        return None


def _usual(name: str, kind: str) -> MapNetwork:
    """Return the network that such weights are compared with: as shipped, else as by default."""
    facts = find_weights(name).facts["network"] if name in weight_names() else {}
    return network_class(kind).from_facts(facts)


def _shapes_of(network: MapNetwork) -> dict[str, tuple[int, ...]]:
    return {key: tuple(values.shape) for key, values in network.state_dict().items()}
