"""Which shots the light table shows, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from focuskit.batch.choices import LABELS, Choice
from focuskit.errors import InputError
from focuskit.review.index import Entry

__all__ = ["ORDERS", "Query", "counted_verdict", "is_close"]

ORDERS = ("set", "score", "-score", "time", "name", "close")
"""Orders that can be asked for."""

_NOTHING = Choice()
# A tenth from the limit: log2(1.1). Confidence is 1 at half or double the limit.
_CLOSE = 0.1375


def counted_verdict(entry: Entry, choice: Choice | None) -> str:
    """Return the verdict that counts: the person's pick, else the run's own."""
    if choice is None or choice.pick is None:
        return entry.seen.verdict
    return "cant-tell" if choice.pick == "unset" else choice.pick


def is_close(entry: Entry) -> bool:
    """Tell whether a shot lies within a tenth of the limit between sharp and soft."""
    confidence = entry.seen.confidence
    return "close-call" in entry.seen.codes or (confidence is not None and confidence < _CLOSE)


@dataclass(frozen=True, slots=True)
class Query:
    """What shots to show; what is empty or None leaves nothing out.

    Attributes:
        verdicts: that count.
        picks: of the person, or "none".
        reasons, cameras, lenses: one of each has to fit.
        labels: of the person, or "none".
        dates: first and last day as ISO 8601, both included; "" for open.
        scores: least and most; None for open.
        stars_min: least stars that the person gave.
        changed: only what the person said something about.
        close: only close calls.
        words: all have to occur in name, camera or lens, in lower case.
        order: one of ORDERS.
    """

    verdicts: frozenset[str] = frozenset()
    picks: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    cameras: frozenset[str] = frozenset()
    lenses: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    dates: tuple[str, str] = ("", "")
    scores: tuple[float | None, float | None] = (None, None)
    stars_min: int = 0
    changed: bool = False
    close: bool = False
    words: tuple[str, ...] = ()
    order: str = "set"

    @classmethod
    def parse(cls, pairs: Iterable[tuple[str, str]]) -> Query:
        """Read it from the pairs of a web address; unknown names are refused.

        Raises:
            InputError: a name or value is none that can be asked for.
        """
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in _NAMES:
                raise InputError(f"Shots cannot be asked for by {name[:40]!r}.")
            if value:
                given.setdefault(name, []).append(value)
        order = _one(given, "order") or "set"
        if order not in ORDERS:
            raise InputError(f"The order is one of {', '.join(ORDERS)}; found {order[:40]!r}.")
        labels = _several(given, "label")
        if labels - {*LABELS, "none"}:
            raise InputError(f"Labels are {', '.join(LABELS)} and none.")
        return cls(
            verdicts=_several(given, "verdict"),
            picks=_several(given, "pick"),
            reasons=_several(given, "reason"),
            cameras=_several(given, "camera"),
            lenses=_several(given, "lens"),
            labels=labels,
            dates=(_one(given, "date_from"), _one(given, "date_to")),
            scores=(_number(given, "score_min"), _number(given, "score_max")),
            stars_min=int(_number(given, "stars_min") or 0),
            changed=_one(given, "changed") == "1",
            close=_one(given, "close") == "1",
            words=tuple(_one(given, "text").casefold().split()),
            order=order,
        )

    def of(self, entries: Sequence[Entry], choices: Mapping[int, Choice]) -> list[Entry]:
        """Return the entries that fit, in the order asked for.

        Args:
            entries: in the order of sets.
            choices: by number.
        """
        tests = self._tests()
        found = [
            entry
            for entry in entries
            if all(test(entry, choices.get(entry.id, _NOTHING)) for test in tests)
        ]
        key = _KEYS.get(self.order)
        # Python's sort is stable: what is equal stays in the order of sets.
        return found if key is None else sorted(found, key=key)

    def _tests(self) -> list[Callable[[Entry, Choice], bool]]:
        first, last = self.dates
        low, high = self.scores
        tests: list[tuple[object, Callable[[Entry, Choice], bool]]] = [
            (self.verdicts, lambda entry, said: counted_verdict(entry, said) in self.verdicts),
            (self.picks, lambda _, said: (said.pick or "none") in self.picks),
            (self.reasons, lambda entry, _: not self.reasons.isdisjoint(entry.seen.codes)),
            (self.cameras, lambda entry, _: entry.seen.camera in self.cameras),
            (self.lenses, lambda entry, _: entry.seen.lens in self.lenses),
            (self.labels, lambda _, said: (said.label or "none") in self.labels),
            (first, lambda entry, _: entry.seen.identity.taken[:10] >= first),
            (last, lambda entry, _: "" < entry.seen.identity.taken[:10] <= last),
            (low is not None, lambda entry, _: _score(entry, -1.0) >= (low or 0.0)),
            (high is not None, lambda entry, _: _score(entry, 101.0) <= (high or 0.0)),
            (self.stars_min, lambda _, said: (said.stars or 0) >= self.stars_min),
            (self.changed, lambda _, said: bool(said)),
            (self.close, lambda entry, _: is_close(entry)),
            (self.words, lambda entry, _: self._worded(entry)),
        ]
        return [test for asked, test in tests if asked]

    def _worded(self, entry: Entry) -> bool:
        text = f"{entry.name} {entry.seen.camera} {entry.seen.lens}".casefold()
        return all(word in text for word in self.words)


_NAMES = frozenset(
    "verdict pick reason camera lens label date_from date_to score_min score_max stars_min changed "
    "close text order".split()
)


def _score(entry: Entry, missing: float) -> float:
    return missing if entry.seen.score is None else entry.seen.score


_KEYS: Mapping[str, Callable[[Entry], Any]] = {
    "score": lambda entry: _score(entry, 101.0),
    "-score": lambda entry: -_score(entry, -1.0),
    "time": lambda entry: (entry.seen.identity.taken or "~", entry.name),
    "name": lambda entry: entry.name,
    "close": lambda entry: 2.0 if entry.seen.confidence is None else entry.seen.confidence,
}


def _one(given: Mapping[str, Sequence[str]], name: str) -> str:
    return given.get(name, [""])[-1]


def _several(given: Mapping[str, Sequence[str]], name: str) -> frozenset[str]:
    return frozenset(given.get(name, ()))


def _number(given: Mapping[str, Sequence[str]], name: str) -> float | None:
    text = _one(given, name)
    if not text:
        return None
    try:
        return float(text)
    except ValueError as exc:
        raise InputError(f"{name} is a number; found {text[:40]!r}.") from exc
