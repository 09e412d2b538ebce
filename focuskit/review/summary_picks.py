"""Which shots a report shows: the best, the worst, the close calls, and as many as it can carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from focuskit.review.summary_counts import of_sets
from focuskit.review.summary_entries import Entry

__all__ = ["PAGE_BYTES", "Group", "Shown", "shown_shots"]

_HERO, _LEAST_HERO = 5, 3
# Base64 makes four characters out of three bytes.
_BYTES_A_CHARACTER = 0.75
PAGE_BYTES = 400_000
"""About what a page weighs without its pictures and lists."""
_CARDS_SHARE, _CROP_SHARE = 0.6, 0.35
_CARD_TEXT_BYTES = 1600
_LEAST_TILE_BYTES = 4200
_MOST_TILES = 1000
_CLOSE_CODES = ("close-call", "soft-recoverable")
_CLOSE_CONFIDENCE = 0.2


@dataclass(frozen=True, slots=True)
class Group:
    """Shots that are listed together.

    Attributes:
        kind: of the set; empty for single shots.
        members: those listed, bursts best first.
        size: of the whole set.
        keepers: in the whole set.
    """

    kind: str
    members: tuple[Entry, ...]
    size: int
    keepers: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a cull.

    Attributes:
        hero: at the very top, small.
        best: keepers, the highest score first, one of each set.
        worst: rejects, the lowest score first, one of each set.
        close: the least sure verdicts that are not among them.
        groups: sets, and then the single shots; all of them, or the least sure ones.
        listed: how many shots are in groups.
        photo_bytes, crop_bytes: what pictures of the best, the worst and close calls may weigh.
    """

    hero: tuple[Entry, ...]
    best: tuple[Entry, ...]
    worst: tuple[Entry, ...]
    close: tuple[Entry, ...]
    groups: tuple[Group, ...]
    listed: int
    photo_bytes: int
    crop_bytes: int

    @property
    def entries(self) -> list[Entry]:
        """All that is shown, each once."""
        listed = [entry for group in self.groups for entry in group.members]
        every = (*self.best, *self.worst, *self.close, *listed)
        return list({entry.number: entry for entry in every}.values())


def shown_shots(judged: Sequence[Entry], best: int, most_bytes: int) -> Shown:
    """Choose what is shown.

    Args:
        judged: all shots that could be read.
        best: how many of the best, and of the worst, at most; small libraries show a third.
        most_bytes: what the page may weigh.
    """
    count = min(best, -(-len(judged) // 3))
    finest = _extremes(judged, "keeper", count, lambda score: -score)
    worst = _extremes(judged, "reject", count, lambda score: score)
    taken = {entry.number for entry in (*finest, *worst)}
    close = _close(judged, taken, (count + 1) // 2)
    cards = len(finest) + len(worst) + len(close)
    room = max(most_bytes - PAGE_BYTES, PAGE_BYTES)
    for_cards = room * _CARDS_SHARE / max(cards, 1) - _CARD_TEXT_BYTES
    for_tiles = room * (1 - _CARDS_SHARE)
    most_tiles = min(_MOST_TILES, int(for_tiles / _LEAST_TILE_BYTES))
    groups = _groups(judged, most_tiles)
    return Shown(
        hero=finest[:_HERO] if len(finest) >= _LEAST_HERO else (),
        best=finest,
        worst=worst,
        close=close,
        groups=tuple(groups),
        listed=sum(len(group.members) for group in groups),
        photo_bytes=int(for_cards * (1 - _CROP_SHARE) * _BYTES_A_CHARACTER),
        crop_bytes=int(for_cards * _CROP_SHARE * _BYTES_A_CHARACTER),
    )


def _extremes(
    judged: Iterable[Entry], verdict: str, count: int, order: Callable[[float], float]
) -> tuple[Entry, ...]:
    scored = [
        (order(entry.score), entry.number, entry)
        for entry in judged
        if entry.verdict == verdict and entry.score is not None
    ]
    found: list[Entry] = []
    sets = set()
    for _, _, entry in sorted(scored, key=lambda each: each[:2]):
        if entry.group is not None and entry.group in sets:
            continue
        sets.add(entry.group)
        found.append(entry)
    return tuple(found[:count])


def _close(judged: Iterable[Entry], taken: set[int], count: int) -> tuple[Entry, ...]:
    close = [
        entry
        for entry in judged
        if entry.number not in taken
        and entry.score is not None
        and not entry.yours
        and (entry.confidence < _CLOSE_CONFIDENCE or any(c in _CLOSE_CODES for c in entry.codes))
    ]
    return tuple(sorted(close, key=_doubt)[:count])


def _doubt(entry: Entry) -> tuple[float, int]:
    return entry.confidence, entry.number


def _groups(judged: Sequence[Entry], most: int) -> list[Group]:
    """List sets, then single shots; if there are too many, the least sure ones, sets as a whole."""
    sets = of_sets(judged)
    singles = sorted((entry for entry in judged if entry.group is None), key=_when)
    # A burst is as sure as its best frame is.
    units = [(_doubt(members[0]), members) for members in sets.values()]
    units += [(_doubt(entry), [entry]) for entry in singles]
    listed: set[int] = set()
    for _, members in sorted(units, key=lambda unit: unit[0]):
        listed |= {entry.number for entry in members[: most - len(listed)]}
    groups = [_group(kind, members, listed) for (kind, _), members in sets.items()]
    return [each for each in (*groups, _group("", singles, listed)) if each.members]


def _group(kind: str, members: Sequence[Entry], listed: set[int]) -> Group:
    shown = tuple(entry for entry in members if entry.number in listed)
    keepers = sum(entry.verdict == "keeper" for entry in members)
    return Group(kind, shown, len(members), keepers)


def _when(entry: Entry) -> tuple[str, int]:
    return (entry.take.at.isoformat() if entry.take.at else "~"), entry.number
