"""The numbers of a report: how many, of what, and how many of them are keepers."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from focuskit.review.summary_entries import Entry

__all__ = ["Bar", "Cell", "Gear", "Heat", "Tally", "gear", "heat_by_f_number", "heat_by_shutter"]
__all__ += ["of_sets", "reason_bars", "reason_of", "shutter_text", "tally"]

# Beyond so many different values a table is of the nearest common ones.
_MOST_EXACT = 7
_FOCAL_LENGTHS_MM = (8, 12, 16, 24, 35, 50, 85, 135, 200, 300, 400, 600, 800)
_F_NUMBERS = (1, 1.4, 2, 2.8, 4, 5.6, 8, 11, 16, 22, 32)
_SHUTTER_HZ = (8000, 4000, 2000, 1000, 500, 250, 125, 60, 30, 15, 8, 4, 2)
_SHUTTER_S = (*(1 / hz for hz in _SHUTTER_HZ), 1, 2, 4, 8, 15, 30)
_LEAST_SURE = 5

_REASONS = {
    "defocus": "Out of focus",
    "front-focus": "Focus before the subject",
    "back-focus": "Focus behind the subject",
    "motion": "Moved",
    "shake": "Camera shake",
    "subject-motion": "Subject moved",
    "softer-in-burst": "Softer than the best of its burst",
    "soft-recoverable": "A little soft, may be restored",
    "nothing-in-focus": "Nothing in focus",
    "no-texture": "Nothing to judge by",
    "close-call": "Right at the limit",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many shots have each verdict."""

    keeper: int
    reject: int
    cant_tell: int
    failed: int

    @property
    def shots(self) -> int:
        """All of them."""
        return self.keeper + self.reject + self.cant_tell + self.failed

    @property
    def keeper_rate(self) -> float | None:
        """Keepers among the shots that could be read, 0 to 1; None if there are none."""
        judged = self.shots - self.failed
        return self.keeper / judged if judged else None


@dataclass(frozen=True, slots=True)
class Cell:
    """Shots taken in one way.

    Attributes:
        shots, keepers: how many.
    """

    shots: int
    keepers: int

    @property
    def rate(self) -> float:
        """Keepers among them, 0 to 1."""
        return self.keepers / self.shots

    @property
    def step(self) -> int:
        """The same in tenths, for colours."""
        return round(self.rate * 10)

    @property
    def few(self) -> bool:
        """Whether there are too few to say much."""
        return self.shots < _LEAST_SURE


@dataclass(frozen=True, slots=True)
class Heat:
    """Keeper rates by two settings.

    Attributes:
        rows, columns: names of the settings.
        cells: a row for each of `rows`; None where no shot was taken.
        nearest: whether values stand for those near them.
        left_out: shots of which a setting is not known.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell | None, ...], ...]
    nearest: bool
    left_out: int


@dataclass(frozen=True, slots=True)
class Bar:
    """How many shots a reason decided.

    Attributes:
        name: in words.
        verdict: "reject" or "cant-tell".
        shots: how many.
    """

    name: str
    verdict: str
    shots: int


@dataclass(frozen=True, slots=True)
class Gear:
    """What came of a camera with a lens.

    Attributes:
        camera, lens: empty where EXIF does not say.
        tally: verdicts.
        score: median; None where nothing was scored.
        worst: the commonest reason for rejection, in words; empty for none.
    """

    camera: str
    lens: str
    tally: Tally
    score: float | None
    worst: str


def tally(entries: Iterable[Entry]) -> Tally:
    """Count verdicts."""
    counts = Counter(entry.verdict for entry in entries)
    return Tally(counts["keeper"], counts["reject"], counts["cant-tell"], counts["failed"])


def reason_of(entry: Entry) -> str:
    """Return in words what decided a verdict; codes from elsewhere stay as they are."""
    code = entry.codes[0] if entry.codes else ""
    finer = [each for each in entry.codes if each in ("shake", "subject-motion")]
    code = finer[0] if code == "motion" and finer else code
    return _REASONS.get(code, code or "No reason given")


def reason_bars(entries: Iterable[Entry]) -> list[Bar]:
    """Count what decided rejects, then what left shots to the eye; the commonest first."""
    counts = Counter(
        (entry.verdict, reason_of(entry))
        for entry in entries
        if entry.verdict in ("reject", "cant-tell")
    )
    found = [Bar(name, verdict, shots) for (verdict, name), shots in counts.items()]
    return sorted(found, key=lambda bar: (bar.verdict != "reject", -bar.shots, bar.name))


def gear(entries: Iterable[Entry]) -> list[Gear]:
    """Count by camera and lens, the most used first."""
    by_gear: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        by_gear[entry.take.camera, entry.take.lens].append(entry)
    found = [_gear(*key, members) for key, members in by_gear.items()]
    return sorted(found, key=lambda each: (-each.tally.shots, each.camera, each.lens))


def of_sets(entries: Iterable[Entry]) -> dict[tuple[str, int], list[Entry]]:
    """Put frames of a set together, bursts best first; sets in the order of their time."""
    sets: dict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.group is not None:
            sets[entry.group].append(entry)
    # Frames of a burst that could not be compared have no rank and come last.
    for members in sets.values():
        members.sort(key=lambda entry: (entry.rank or math.inf, *_when(entry)))
    return dict(sorted(sets.items(), key=lambda each: min(map(_when, each[1]))))


def heat_by_f_number(entries: Sequence[Entry]) -> Heat | None:
    """Return keeper rates by focal length and f-number; None where EXIF says neither."""
    return _heat(entries, lambda each: each.take.f_number, _F_NUMBERS, _f_number_text)


def heat_by_shutter(entries: Sequence[Entry]) -> Heat | None:
    """Return keeper rates by focal length and exposure time; None where EXIF says neither."""
    return _heat(entries, lambda each: each.take.exposure_s, _SHUTTER_S, shutter_text)


def shutter_text(exposure_s: float) -> str:
    """Return an exposure time as cameras show it."""
    return f"1/{1 / exposure_s:.0f} s" if exposure_s < 0.4 else f"{exposure_s:g} s"


def _when(entry: Entry) -> tuple[str, str]:
    return entry.take.at.isoformat() if entry.take.at else "~", entry.shot


def _gear(camera: str, lens: str, members: Sequence[Entry]) -> Gear:
    scores = [entry.score for entry in members if entry.score is not None]
    bars = [bar for bar in reason_bars(members) if bar.verdict == "reject"]
    return Gear(
        camera=camera,
        lens=lens,
        tally=tally(members),
        score=median(scores) if scores else None,
        worst=bars[0].name if bars else "",
    )


def _f_number_text(value: float) -> str:
    return f"f/{value:g}"


def _focal_length_text(value: float) -> str:
    return f"{value:g} mm"


def _heat(
    entries: Sequence[Entry],
    column_of: Callable[[Entry], float | None],
    stops: Sequence[float],
    column_text: Callable[[float], str],
) -> Heat | None:
    known = [
        (entry, focal, column)
        for entry in entries
        if (focal := entry.take.focal_length_mm) is not None
        and (column := column_of(entry)) is not None
    ]
    if not known:
        return None
    row_of, rows_nearest = _steps([each[1] for each in known], _FOCAL_LENGTHS_MM)
    place_of, columns_nearest = _steps([each[2] for each in known], stops)
    counts: dict[tuple[float, float], list[int]] = defaultdict(lambda: [0, 0])
    for entry, focal, column in known:
        count = counts[row_of[focal], place_of[column]]
        count[0] += 1
        count[1] += entry.verdict == "keeper"
    rows, columns = sorted({key[0] for key in counts}), sorted({key[1] for key in counts})
    return Heat(
        rows=tuple(map(_focal_length_text, rows)),
        columns=tuple(map(column_text, columns)),
        cells=tuple(
            tuple(
                Cell(*counts[row, column]) if (row, column) in counts else None
                for column in columns
            )
            for row in rows
        ),
        nearest=rows_nearest or columns_nearest,
        left_out=len(entries) - len(known),
    )


def _steps(values: Sequence[float], common: Sequence[float]) -> tuple[dict[float, float], bool]:
    """Map values to what they are listed under: themselves, or the nearest common one."""
    different = set(values)
    # Exposure times come as 0.0166 and 1/60; three digits tell them apart well enough.
    rounded = {value: float(f"{value:.3g}") for value in different}
    if len(set(rounded.values())) <= _MOST_EXACT:
        return rounded, False
    nearest = {
        value: min(common, key=lambda each: abs(math.log(each / value))) for value in different
    }
    return nearest, True
