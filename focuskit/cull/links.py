"""How frames of a run follow each other: turned on, held still, or alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from focuskit.cull.fingerprint import Fingerprint
from focuskit.cull.runs import gap_s
from focuskit.cull.views import Match, likeness_unmoved, match

__all__ = ["PRESS_S", "Link", "burst_length", "link", "panorama_length", "still_length"]

PRESS_S = 2.0
"""Frames of one press of the button follow each other within this time, in seconds."""

# Nobody frames anew so fast: the camera is following something.
_FAST_S = 0.45
_SAME_SCENE, _SAME_SCENE_FAST = 0.5, 0.2
_SAME_FRAMING, _REFRAMED = 0.06, 0.3
# Panoramas: how far the frame moves, and how alike the overlap must be.
_LEAST_TURN, _MOST_TURN, _OVERLAP_ALIKE = 0.13, 0.86, 0.6
_SHORTEST_PANORAMA = 3


@dataclass(frozen=True, slots=True)
class Link:
    """How a frame follows the one before it.

    Attributes:
        gap_s: pause; NaN without times.
        found: how it lies beside it; None where the pictures are not known.
    """

    gap_s: float
    found: Match | None

    @property
    def turned(self) -> bool:
        """Whether the camera moved on to another part of one view."""
        return (
            self.found is not None
            and _LEAST_TURN <= self.found.drift <= _MOST_TURN
            and self.found.likeness >= _OVERLAP_ALIKE
        )

    @property
    def still(self) -> bool:
        """Whether the framing is the same."""
        return (
            self.found is not None
            and self.found.drift <= _SAME_FRAMING
            and self.found.likeness >= _SAME_SCENE
        )

    @property
    def fast(self) -> bool:
        """Whether nobody could have done more than hold the button down; never without times."""
        return 0 <= self.gap_s < _FAST_S

    @property
    def alike(self) -> bool:
        """Whether both may be frames of one burst."""
        if self.found is None or self.gap_s > PRESS_S:
            return False
        if self.fast:
            return self.found.likeness >= _SAME_SCENE_FAST
        return self.found.likeness >= _SAME_SCENE and self.found.drift <= _REFRAMED


def link(before: Fingerprint, after: Fingerprint) -> Link:
    """Compare a frame with the one before it."""
    if before.view is None or after.view is None:
        return Link(gap_s(before, after), None)
    return Link(gap_s(before, after), match(before.view, after.view))


def panorama_length(frames: Sequence[Fingerprint], links: Sequence[Link], start: int) -> int:
    """Return how many frames from the start each show another part of one view; 1: none.

    Args:
        frames: a run.
        links: between them, one less.
        start: which frame is the first.
    """
    places = [(0.0, 0.0)]
    for at in range(start, len(links)):
        following = links[at]
        if following.found is None or not following.turned:
            break
        here = (places[-1][0] + following.found.x, places[-1][1] + following.found.y)
        # Back where the camera was before: it looks around, or follows something.
        if any(max(abs(here[0] - x), abs(here[1] - y)) < _LEAST_TURN for x, y in places):
            break
        places.append(here)
    length = len(places)
    if length < _SHORTEST_PANORAMA:
        return 1
    taken = frames[start + length - 1].clock_s - frames[start].clock_s
    return 1 if taken / (length - 1) < _FAST_S else length


def still_length(links: Sequence[Link], start: int) -> int:
    """Return how many frames from the start have one framing; see `panorama_length`."""
    end = start
    while end < len(links) and links[end].still:
        end += 1
    return end - start + 1


def burst_length(frames: Sequence[Fingerprint], links: Sequence[Link], start: int) -> int:
    """Return how many frames from the start show one scene in quick succession; 1: none.

    See `panorama_length`.
    """
    end = start
    while end < len(links) and links[end].alike:
        if _parted(frames[start], frames[end + 1], links[end]):
            break
        end += 1
    return end - start + 1


def _parted(first: Fingerprint, here: Fingerprint, following: Link) -> bool:
    """Return whether a burst that is not fast has slowly become one of something else."""
    if following.fast or first.view is None or here.view is None:
        return False
    if likeness_unmoved(first.view, here.view) >= _SAME_SCENE_FAST:
        return False
    return match(first.view, here.view).likeness < _SAME_SCENE_FAST
