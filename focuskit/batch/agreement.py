"""How far verdicts agree with what a person picked."""

from __future__ import annotations

import math
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focuskit.batch.picks import Pick

__all__ = ["Agreement", "Matched", "Share", "compare", "match_picks"]

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Matched:
    """Picks that found their shots.

    Attributes:
        picks: by the shot's name.
        troubles: picks that fit no shot, several, or contradict each other; a sentence each.
    """

    picks: Mapping[str, Pick]
    troubles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A share that was counted.

    Attributes:
        hits: how many.
        of: of how many.
    """

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share in [0, 1], NaN of nothing."""
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval by Wilson (1927), in [0, 1]; all of it where nothing was counted."""
        if not self.of:
            return 0.0, 1.0
        z2 = 1.96**2
        middle = (self.hits + z2 / 2) / (self.of + z2)
        spread = math.sqrt(z2 * (self.hits * (self.of - self.hits) / self.of + z2 / 4))
        half = spread / (self.of + z2)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What comparing verdicts with picks gave.

    Attributes:
        counts: shots by (kept by the person, verdict).
        by_reason: shots by (deciding code, kept by the person).
        rows: one per shot with a pick: shot, picked, verdict, reason, confidence, agrees (None for
            can't tell) and explanation; those that are most surely wrong first.
        without_pick: shots that nobody said anything about.
        failed: shots with a pick that could not be read.
    """

    counts: Mapping[tuple[bool, str], int]
    by_reason: Mapping[tuple[str, bool], int]
    rows: Sequence[Mapping[str, Any]]
    without_pick: int
    failed: int

    @property
    def reject_precision(self) -> Share:
        """Of what was rejected, how much the person rejected too."""
        wrong, right = self.counts.get((True, "reject"), 0), self.counts.get((False, "reject"), 0)
        return Share(right, right + wrong)

    @property
    def reject_recall(self) -> Share:
        """Of what the person rejected, how much was rejected."""
        return Share(self.counts.get((False, "reject"), 0), self._picked(keep=False))

    @property
    def keepers_lost(self) -> Share:
        """Of what the person kept, how much was rejected: the mistake that hurts."""
        return Share(self.counts.get((True, "reject"), 0), self._picked(keep=True))

    @property
    def left_to_the_eye(self) -> Share:
        """Of all, how many the person must look at."""
        unsure = sum(self.counts.get((keep, "cant-tell"), 0) for keep in (True, False))
        return Share(unsure, sum(self.counts.values()))

    def _picked(self, *, keep: bool) -> int:
        return sum(count for (kept, _), count in self.counts.items() if kept is keep)


def match_picks(picks: Iterable[Pick], records: Sequence[Record]) -> Matched:
    """Find each pick's shot: by its path, else the end of it, else the file's name, else its stem.

    Letter case does not count, nor does how accents are written.
    """
    index = _index(records)
    troubles: list[str] = []
    found: dict[str, list[Pick]] = defaultdict(list)
    for pick in picks:
        shots = _shots(pick.name, index)
        if len(shots) == 1:
            found[shots[0]].append(pick)
        elif shots:
            troubles.append(
                f"{pick.source}: {pick.name} may be {_several(shots)}; write more of its path."
            )
        else:
            troubles.append(f"{pick.source}: there is no shot called {pick.name}.")
    agreed = {}
    for shot, said in found.items():
        if len({pick.keep for pick in said}) == 1:
            agreed[shot] = said[0]
        else:
            words = " and ".join(f"{pick.said} ({pick.source})" for pick in said)
            troubles.append(f"{shot}: {words} contradict each other; neither is used.")
    return Matched(agreed, tuple(troubles))


def compare(records: Sequence[Record], picks: Mapping[str, Pick]) -> Agreement:
    """Compare the verdicts of a cull with picks by the shots' names."""
    counts: Counter[tuple[bool, str]] = Counter()
    by_reason: Counter[tuple[str, bool]] = Counter()
    rows, without, failed = [], 0, 0
    for record in records:
        pick = picks.get(record["shot"])
        if pick is None:
            without += 1
        elif record["verdict"] == "failed":
            failed += 1
        else:
            row = _row(record, pick)
            rows.append(row)
            counts[pick.keep, row["verdict"]] += 1
            by_reason[row["reason"], pick.keep] += 1
    rows.sort(key=lambda row: (_order(row["agrees"]), -row["confidence"], row["shot"]))
    return Agreement(counts, by_reason, rows, without, failed)


def _row(record: Record, pick: Pick) -> dict[str, Any]:
    verdict = str(record["verdict"])
    reasons = record.get("reasons") or [{"code": "", "text": ""}]
    agrees = None if verdict == "cant-tell" else (verdict == "keeper") is pick.keep
    return {
        "shot": record["shot"],
        "picked": "keeper" if pick.keep else "reject",
        "said": pick.said,
        "verdict": verdict,
        "agrees": agrees,
        "reason": reasons[0]["code"],
        "confidence": float(record.get("confidence") or 0.0),
        "explanation": reasons[0]["text"],
    }


def _order(agrees: bool | None) -> int:
    return {False: 0, None: 1, True: 2}[agrees]


def _index(records: Sequence[Record]) -> dict[str, list[str]]:
    """Return the shots' names by everything that they may be called."""
    index: dict[str, dict[str, None]] = defaultdict(dict)
    for record in records:
        shot = str(record["shot"])
        for file in [shot, *record.get("files", ())]:
            for path in {file, os.path.realpath(file)} if os.path.isabs(file) else {file}:
                parts = _parts(path)
                for start in range(len(parts)):
                    index["/".join(parts[start:])][shot] = None
                    stem = Path(parts[-1]).stem
                    index["stem:" + "/".join([*parts[start:-1], stem])][shot] = None
    return {key: list(shots) for key, shots in index.items()}


def _shots(name: str, index: Mapping[str, list[str]]) -> list[str]:
    """Return the shots that fit the most of a name."""
    parts = _parts(name)
    for start in range(len(parts)):
        tail = "/".join(parts[start:])
        stem = "/".join([*parts[start:-1], Path(parts[-1]).stem])
        for key in (tail, f"stem:{tail}", f"stem:{stem}"):
            if key in index:
                return index[key]
    return []


def _parts(name: str) -> list[str]:
    plain = unicodedata.normalize("NFC", name).casefold().replace("\\", "/")
    return [part for part in plain.split("/") if part not in ("", ".")]


def _several(shots: Sequence[str]) -> str:
    more = f" or {len(shots) - 3} others" if len(shots) > 3 else ""
    return " or ".join(shots[:3]) + more
