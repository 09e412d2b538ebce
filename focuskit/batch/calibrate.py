"""Fitting the lines that verdicts are drawn by to a person's picks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from focuskit.batch.picks import Pick
from focuskit.batch.redecide import Measured, decide_again, measured
from focuskit.cull.decide import Thresholds
from focuskit.errors import InputError

__all__ = ["LEAST_PICKS", "Costs", "Fitted", "Outcome", "calibrate", "deal", "recipe_text"]

LEAST_PICKS = 30
"""Keepers and rejects that are needed, each."""

_FOLDS = 5
_SWEEPS = 3
# A gain smaller than one can't-tell in a thousand photos is no reason to move a line.
_LEAST_GAIN = 3e-4
_FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0)
_CHOICES: dict[str, tuple[float, ...]] = {
    "burst_tolerance": (1.04, 1.08, 1.12, 1.2, 1.3, 1.5, 2.0, 4.0),
    "motion_probability": (0.3, 0.5, 0.7, 0.9, 0.97),
    "least_edges": (10, 25, 40, 80, 160),
    "close_call": (1.0, 1.04, 1.1, 1.2),
    "recoverable_coc_px": (0.0, 2.35, 4.0, 6.0),
}


@dataclass(frozen=True, slots=True)
class Costs:
    """What a mistake costs; the search minimises their mean over photos.

    Attributes:
        lost: a photo was rejected that the person kept.
        missed: a photo was kept that the person rejected.
        unsure: a person must look.
    """

    lost: float = 5.0
    missed: float = 1.0
    unsure: float = 0.3


@dataclass(frozen=True, slots=True)
class Outcome:
    """Verdicts against picks.

    Attributes:
        lost, missed, unsure: how many of each, see `Costs`.
        rejected: how many were rejected rightly.
        of: how many photos were compared.
        cost: mean cost of a photo.
    """

    lost: int
    missed: int
    unsure: int
    rejected: int
    of: int
    cost: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """What calibrating gave.

    Attributes:
        thresholds: fitted to all picks.
        before, after: on picks that were held out while fitting, five times over.
        groups: how many groups (days, or sets and single shots) were kept together.
        moved: the lines that changed: name, before, after.
    """

    thresholds: Thresholds
    before: Outcome
    after: Outcome
    groups: int
    moved: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """A shot, what it must not be parted from, and what was picked."""

    shot: Measured
    group: str
    keep: bool | None


def calibrate(
    records: Sequence[Mapping[str, Any]],
    picks: Mapping[str, Pick],
    *,
    start: Thresholds | None = None,
    costs: Costs | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fitted:
    """Fit thresholds to picks by a coarse search, one line after the other.

    Args:
        records: of a cull, with what was measured; shots without a pick take their part in bursts.
        picks: by the shots' names.
        start: where the search starts, and what "before" means; None for the defaults.
        costs: what a mistake costs.
        progress: called with (done, total) fits.

    Raises:
        InputError: there are too few picks of a kind, or too few days and sets to hold some out.
    """
    first, prices = start or Thresholds(), costs or Costs()
    cases = _cases(records, picks)
    _check_enough(cases)
    fold_of = deal([case.group for case in cases], _FOLDS)
    before, after = [], []
    for fold in range(_FOLDS):
        if progress is not None:
            progress(fold, _FOLDS + 1)
        held_out = [case for case, its in zip(cases, fold_of, strict=True) if its == fold]
        others = [case for case, its in zip(cases, fold_of, strict=True) if its != fold]
        fitted = _fit(others, first, prices)
        before.append(_outcome(held_out, first, prices))
        after.append(_outcome(held_out, fitted, prices))
    final = _fit(cases, first, prices)
    if progress is not None:
        progress(_FOLDS + 1, _FOLDS + 1)
    was, now = asdict(first), asdict(final)
    moved = tuple((name, was[name], now[name]) for name in was if was[name] != now[name])
    groups = len({case.group for case in cases})
    return Fitted(final, _sum(before, prices), _sum(after, prices), groups, moved)


def deal(groups: Sequence[str], folds: int) -> list[int]:
    """Deal whole groups into folds of about equal size.

    Args:
        groups: the group of every member.
        folds: how many; at least 1.

    Returns:
        The fold of every member, from 0 on; members of a group are in the same one.
    """
    sizes = Counter(groups)
    filled = [0] * folds
    fold_of = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        fold_of[name] = filled.index(min(filled))
        filled[fold_of[name]] += sizes[name]
    return [fold_of[name] for name in groups]


def recipe_text(fitted: Fitted, detector: str, picked: int) -> str:
    """Return a recipe for `focuskit cull --recipe` with the fitted lines."""
    lines = [
        f"# Fitted to {picked} picks by `focuskit cull calibrate`.",
        f"# On picks held out: mean cost of a photo {fitted.before.cost:.3f} before, "
        f"{fitted.after.cost:.3f} after;",
        f"# keepers rejected {fitted.before.lost} before, {fitted.after.lost} after; rejects kept "
        f"{fitted.before.missed} before, {fitted.after.missed} after.",
        "",
        'do = "cull"',
        'summary = "fitted to your own picks"',
        f'detector = "{detector}"',
        "",
        "[thresholds]",
    ]
    changed = {name: was for name, was, _ in fitted.moved}
    for name, value in asdict(fitted.thresholds).items():
        note = f"  # was {changed[name]:g}" if name in changed else ""
        lines.append(f"{name} = {value!r}{note}")
    return "\n".join(lines) + "\n"


def _cases(records: Sequence[Mapping[str, Any]], picks: Mapping[str, Pick]) -> list[_Case]:
    done = [record for record in records if record.get("measures")]
    days = [str((record.get("exif") or {}).get("taken_at") or "")[:10] for record in done]
    # A day is what a photographer sorts in one go; one day alone cannot be held out from itself.
    by_day = len(set(days) - {""}) >= 2 * _FOLDS
    day_of_set: dict[str, str] = {}
    cases, telling = [], set()
    for record, day in zip(done, days, strict=True):
        shot, pick = measured(record), picks.get(record["shot"])
        place = shot.place and f"{shot.place.kind} {shot.place.number}"
        group = place or f"shot {record['shot']}"
        if by_day and day:
            # A set that runs past midnight stays on its first day.
            group = day_of_set.setdefault(place, day) if place else day
        if pick and place:
            telling.add(place)
        cases.append((place, _Case(shot, group, pick.keep if pick else None)))
    # What neither was picked nor competes with what was has no say.
    return [case for place, case in cases if case.keep is not None or place in telling]


def _check_enough(cases: Sequence[_Case]) -> None:
    keepers = sum(case.keep is True for case in cases)
    rejects = sum(case.keep is False for case in cases)
    if min(keepers, rejects) < LEAST_PICKS:
        raise InputError(
            f"Fitting needs at least {LEAST_PICKS} keepers and {LEAST_PICKS} rejects that you "
            f"picked; found {keepers} and {rejects}. Sort more photos, or start from a recipe such "
            "as portrait or wildlife."
        )
    groups = len({case.group for case in cases if case.keep is not None})
    if groups < _FOLDS:
        raise InputError(
            f"Your picks come from {groups} sets only; fitting holds some of them out to see "
            f"whether it helps, and needs {_FOLDS}. Sort photos of more scenes."
        )


def _fit(cases: Sequence[_Case], start: Thresholds, costs: Costs) -> Thresholds:
    best, least = start, _outcome(cases, start, costs).cost
    for _ in range(_SWEEPS):
        swept = best
        for candidates in _steps(start, best):
            for candidate in candidates:
                cost = _outcome(cases, candidate, costs).cost
                if cost < least - _LEAST_GAIN:
                    best, least = candidate, cost
        if best == swept:
            break
    return best


def _steps(start: Thresholds, best: Thresholds) -> list[list[Thresholds]]:
    """Return what to try, one line at a time."""
    scaled = [
        replace(
            best,
            coc_limit_px=round(start.coc_limit_px * factor, 6),
            coc_limit_share=round(start.coc_limit_share * factor, 9),
        )
        for factor in _FACTORS
    ]
    singles = [
        [replace(best, **{name: float(value)}) for value in values]
        for name, values in _CHOICES.items()
    ]
    return [scaled, *singles]


def _outcome(cases: Sequence[_Case], thresholds: Thresholds, costs: Costs) -> Outcome:
    decisions = decide_again([case.shot for case in cases], thresholds)
    counts = Counter(
        (case.keep, decision.verdict)
        for case, decision in zip(cases, decisions, strict=True)
        if case.keep is not None
    )
    lost, missed = counts[True, "reject"], counts[False, "keeper"]
    unsure = counts[True, "cant-tell"] + counts[False, "cant-tell"]
    rejected = counts[False, "reject"]
    return _priced(lost, missed, unsure, rejected, sum(counts.values()), costs)


def _sum(outcomes: Sequence[Outcome], costs: Costs) -> Outcome:
    def total(name: str) -> int:
        return sum(getattr(outcome, name) for outcome in outcomes)

    counted = [total(name) for name in ("lost", "missed", "unsure", "rejected", "of")]
    return _priced(counted[0], counted[1], counted[2], counted[3], counted[4], costs)


def _priced(lost: int, missed: int, unsure: int, rejected: int, of: int, costs: Costs) -> Outcome:
    paid = lost * costs.lost + missed * costs.missed + unsure * costs.unsure
    return Outcome(lost, missed, unsure, rejected, of, paid / of if of else 0.0)
