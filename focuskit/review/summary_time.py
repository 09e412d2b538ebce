"""Scores over time, drawn: sessions side by side, the time between them folded."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from markupsafe import Markup

from focuskit.review.summary_entries import LIMIT_SCORE, Entry
from focuskit.review.summary_svg import (
    Shape,
    circles,
    crosses,
    diamonds,
    element,
    label,
    number,
    plot,
)

__all__ = ["MOST_NAMED", "Session", "draw_scores", "sessions", "span_text"]

# Pauses from which on a new session begins; the next one where there would be too many.
_PAUSES = tuple(timedelta(hours=h) for h in (0.75, 2, 6, 16, 48, 170, 720, 4400, 17600))
_PX_A_SESSION = 78
_LEAST_PX = 46
_FOLD_PX = 14
_LEFT, _RIGHT, _TOP, _HEIGHT, _LANE = 30.0, 8.0, 10.0, 210.0, 34.0
MOST_NAMED = 300
"""Up to here every shot is a mark with its name; beyond, near ones are drawn as one."""
_MOST_MARKS = 2500
_LARGEST = 4.5
_RADIUS = {"keeper": 3.6, "reject": 3.4, "cant-tell": 4.4}
# Colour is not all that tells them apart.
_SHAPES: dict[str, Shape] = {"keeper": circles, "reject": crosses, "cant-tell": diamonds}


@dataclass(frozen=True, slots=True)
class Session:
    """Shots without a long pause between them.

    Attributes:
        entries: in the order of their time.
    """

    entries: tuple[Entry, ...]

    @property
    def start(self) -> datetime:
        """When the first was taken."""
        return self.entries[0].take.at or datetime.min

    @property
    def end(self) -> datetime:
        """When the last was taken."""
        return self.entries[-1].take.at or datetime.min


def sessions(entries: Sequence[Entry], most: int) -> list[Session]:
    """Part shots where the camera rested; those without a time are left out.

    Args:
        entries: in any order.
        most: no more sessions than so many; longer pauses are bridged for that.
    """
    timed = sorted(
        ((entry.take.at, entry) for entry in entries if entry.take.at is not None),
        key=lambda each: (each[0], each[1].number),
    )
    if not timed:
        return []
    for pause in _PAUSES:
        cuts = [at for at in range(1, len(timed)) if timed[at][0] - timed[at - 1][0] > pause]
        if len(cuts) < most:
            break
    else:
        cuts = []
    edges = [0, *cuts, len(timed)]
    return [
        Session(tuple(entry for _, entry in timed[first:last])) for first, last in pairwise(edges)
    ]


def draw_scores(entries: Sequence[Entry], key: str, width: float) -> Markup | None:
    """Draw the score of every shot by its time, or by its place where no shot has a time.

    Args:
        entries: that could be read.
        key: id of the drawing.
        width: of its coordinates, in px.

    Returns:
        The drawing; None where nothing has a score.
    """
    if not any(entry.score is not None for entry in entries):
        return None
    parts = sessions(entries, most=max(1, int((width - _LEFT) / _PX_A_SESSION)))
    places, axis = _timed(parts, width) if parts else _in_order(entries, width)
    blind = [place for place in places if place[0].score is None]
    height = _TOP + _HEIGHT + (_LANE if blind else 0)
    marks = [
        (x, _y(entry.score) if entry.score is not None else _TOP + _HEIGHT + _LANE * 0.6, entry)
        for entry, x in places
    ]
    return plot(
        key,
        "Scores over time" if parts else "Scores in the order of names",
        _told(entries, parts),
        (width, height + 36),
        _grid(width, blind=bool(blind)),
        axis(height),
        _points(marks),
    )


def span_text(first: datetime, last: datetime) -> str:
    """Return a span of time in words, as short as it can be told."""
    day = f"{first.day} {first:%B}"
    if first.date() == last.date():
        until = "" if f"{first:%H:%M}" == f"{last:%H:%M}" else f"–{last:%H:%M}"
        return f"{day} {first.year}, {first:%H:%M}{until}"
    until = f"{last.day} {last:%B} {last.year}"
    return f"{day}{'' if first.year == last.year else f' {first.year}'} – {until}"


def _y(score: float) -> float:
    return _TOP + _HEIGHT * (1 - min(max(score, 0.0), 100.0) / 100)


def _grid(width: float, *, blind: bool) -> Markup:
    lines = []
    for score in (0, 25, 50, 75, 100):
        y = _y(score)
        class_ = "limit" if score == LIMIT_SCORE else "rule"
        lines.append(
            element("path", d=f"M{_LEFT:g} {number(y)}H{number(width - _RIGHT)}", class_=class_)
        )
        lines.append(label(_LEFT - 6, y + 4, str(score), anchor="end"))
    if blind:
        lines.append(label(_LEFT - 6, _TOP + _HEIGHT + _LANE * 0.6 + 4, "none", anchor="end"))
    return Markup("").join(lines)


Axis = Callable[[float], Markup]
Places = list[tuple[Entry, float]]


def _timed(parts: Sequence[Session], width: float) -> tuple[Places, Axis]:
    room = width - _LEFT - _RIGHT - _FOLD_PX * (len(parts) - 1)
    spare = max(room - _LEAST_PX * len(parts), 0.0)
    seconds = [(part.end - part.start).total_seconds() for part in parts]
    # Half by how long it took and half by how much was taken: neither alone is easy to read.
    shots = sum(len(part.entries) for part in parts)
    shares = [
        (length / (sum(seconds) or 1) + len(part.entries) / shots) / (2 if sum(seconds) else 1)
        for length, part in zip(seconds, parts, strict=True)
    ]
    places: Places = []
    spans: list[tuple[Session, float, float]] = []
    left = _LEFT
    for part, length, share in zip(parts, seconds, shares, strict=True):
        across = min(_LEAST_PX, room / len(parts)) + spare * share
        inner = across - 12
        for entry in part.entries:
            passed = ((entry.take.at or part.start) - part.start).total_seconds()
            places.append((entry, left + 6 + (inner * passed / length if length else inner / 2)))
        spans.append((part, left, across))
        left += across + _FOLD_PX
    return places, lambda bottom: _clock(spans, bottom)


def _clock(spans: Sequence[tuple[Session, float, float]], bottom: float) -> Markup:
    marks, told = [], None
    several_years = (
        len({year for part, *_ in spans for year in (part.start.year, part.end.year)}) > 1
    )
    for part, left, across in spans:
        marks.append(
            element("path", d=f"M{number(left)} {number(bottom)}h{number(across)}", class_="axis")
        )
        if left > _LEFT:
            x, y = left - _FOLD_PX / 2, number(bottom + 5)
            fold = f"M{number(x - 3)} {y}l3 -10M{number(x + 2)} {y}l3 -10"
            marks.append(element("path", d=fold, class_="axis"))
        marks.append(label(left, bottom + 16, f"{part.start:%H:%M}"))
        if across > 110 and part.start.date() == part.end.date() and len(part.entries) > 1:
            marks.append(label(left + across, bottom + 16, f"{part.end:%H:%M}", anchor="end"))
        day = f"{part.start.day} {part.start:%b}" + (f" {part.start.year}" if several_years else "")
        if day != told and (not several_years or across > 70):
            marks.append(label(left, bottom + 31, day, "strong"))
            told = day
    return Markup("").join(marks)


def _in_order(entries: Sequence[Entry], width: float) -> tuple[Places, Axis]:
    room = width - _LEFT - _RIGHT - 12
    places = [
        (entry, _LEFT + 6 + room * (at + 0.5) / len(entries)) for at, entry in enumerate(entries)
    ]
    across = f"H{number(width - _RIGHT)}"

    def axis(bottom: float) -> Markup:
        line = element("path", d=f"M{_LEFT:g} {number(bottom)}{across}", class_="axis")
        return line + label(_LEFT, bottom + 16, "in the order of their names: no shot has a time")

    return places, axis


def _points(marks: Sequence[tuple[float, float, Entry]]) -> Markup:
    if len(marks) <= MOST_NAMED:
        return Markup("").join(_named(*mark) for mark in marks)
    drawn = []
    cells = _thinned(marks)
    for verdict, shape in _SHAPES.items():
        for least, most, class_ in ((1, 1, "one"), (2, 4, "some"), (5, math.inf, "many")):
            points = [
                (x, y, min(1.8 + 0.5 * math.sqrt(count), _LARGEST))
                for which, x, y, count in cells
                if which == verdict and least <= count <= most
            ]
            if points:
                drawn.append(element("path", d=shape(points), class_=f"mark {verdict} {class_}"))
    return Markup("").join(drawn)


def _thinned(
    marks: Sequence[tuple[float, float, Entry]],
) -> list[tuple[str, float, float, int]]:
    """Put near marks of one verdict together, as few as keep the drawing light.

    Returns:
        Verdict, mean x, mean y and count of each.
    """
    side = 3.0
    while True:
        cells: dict[tuple[int, int, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        for x, y, entry in marks:
            cell = cells[int(x // side), int(y // side), entry.verdict]
            cell[0] += x
            cell[1] += y
            cell[2] += 1
        if len(cells) <= _MOST_MARKS:
            return [(key[2], x / n, y / n, int(n)) for key, (x, y, n) in cells.items()]
        side *= 1.25


def _named(x: float, y: float, entry: Entry) -> Markup:
    radius = _RADIUS.get(entry.verdict, 4.0)
    score = "no score" if entry.score is None else f"score {entry.score:.0f}"
    at = f", {entry.take.at:%H:%M:%S}" if entry.take.at else ""
    shown = "".join(char if char.isprintable() else "\ufffd" for char in entry.shot)
    return element(
        "path",
        element("title", f"{shown}: {entry.verdict.replace('-', ' ')}, {score}{at}"),
        d=_SHAPES[entry.verdict]([(x, y, radius)]),
        class_=f"mark {entry.verdict}",
    )


def _told(entries: Sequence[Entry], parts: Sequence[Session]) -> str:
    scores = [entry.score for entry in entries if entry.score is not None]
    words = [
        f"{len(scores)} scores from {min(scores):.0f} to {max(scores):.0f}, half of them above "
        f"{median(scores):.0f}"
    ]
    if parts:
        count = "one session" if len(parts) == 1 else f"{len(parts)} sessions"
        words.append(f"{count}, {span_text(parts[0].start, parts[-1].end)}")
    return "; ".join(words) + "."
