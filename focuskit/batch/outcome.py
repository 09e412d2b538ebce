"""What comes of one shot, wherever it was worked on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from focuskit.batch.keys import ShotKey
from focuskit.batch.library import Problem, Shot

__all__ = ["Outcome"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What came of one shot.

    Attributes:
        shot: which.
        result: what its job returned, or why there is nothing.
        key: the files that were looked at; () where they could not be.
    """

    shot: Shot
    result: R | Problem
    key: ShotKey = ()
