"""What all networks have in common: a picture goes in, named maps come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from torch import Tensor, nn

__all__ = ["MapNetwork"]


class MapNetwork(nn.Module, ABC):
    """A network that says something of every part of a picture.

    A class of its own says by these what training, export and loading need to know of it; whatever
    else its `forward` returns is a matter between it and its loss.

    Attributes:
        KIND: what the index calls networks of this class.
        INPUT: name of the picture that goes in.
        CHANNELS: how many that picture has.
        OUTPUTS: names of the maps that come out, in order.
    """

    KIND: ClassVar[str]
    INPUT: ClassVar[str]
    CHANNELS: ClassVar[int]
    OUTPUTS: ClassVar[tuple[str, ...]]

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return a network, its weights random, of the variant that the index's facts tell.

        Raises:
            TypeError, ValueError, RuntimeError: there is no such variant.
        """
        return cls(**facts)

    @abstractmethod
    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the maps (N, 1, h, w) of pictures (N, `CHANNELS`, H, W), as `OUTPUTS` names."""
