"""From weights on disk to the network of torch that they belong to."""

from __future__ import annotations

from focuskit.detect.gauge import GaugeNet
from focuskit.detect.maps import MapNetwork
from focuskit.detect.network import FocusNet
from focuskit.detect.weights import WAY_ON, Weights, first_line
from focuskit.errors import WeightsError

__all__ = ["NETWORKS", "load_network"]

NETWORKS: dict[str, type[MapNetwork]] = {each.KIND: each for each in (FocusNet, GaugeNet)}
"""Classes by what the index calls their kind; where it is silent, it is a FocusNet."""


def load_network(weights: Weights) -> MapNetwork:
    """Return the network with shipped weights, ready to judge.

    Raises:
        WeightsError: the file cannot be read or belongs to another network.
    """
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
        made = NETWORKS[weights.facts.get("kind", FocusNet.KIND)]
        network = made.from_facts(weights.facts["network"])
        network.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as exc:
        raise WeightsError(
            f"The weights {path} do not fit this version of focuskit "
            f"({type(exc).__name__}: {first_line(exc)}). {WAY_ON}"
        ) from exc
    return network.eval()
