"""Culling judged where the truth is known, beside other measures of the same pictures.

Peers get the same crops in the same run. A peer that publishes no line between sharp and blurred
gets the best one that there is for these very pictures; ours is that of the shipped recipe.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.judge import Judge
from focuskit.batch.library import Shot
from focuskit.blurmap import BlurMap
from focuskit.color import linearise_srgb
from focuskit.cull import SCORERS, Measures, gather, measure
from focuskit.cull.decide import Thresholds, decide
from focuskit.cull.same_place import brighter_by
from focuskit.cull.subject import Region
from focuskit.detect.motion import motion_logit
from focuskit.errors import InputError
from focuskit.photo import Photo
from focuskit.training.cull_lines import Line
from focuskit.training.datasets import MaskedPhoto, find_dataset, validation_split
from focuskit.training.judging_bursts import judge_bursts
from focuskit.training.judging_cull_cases import (
    Ranked,
    Single,
    Subject,
    bursts,
    ladders,
    misfocus,
    moved,
    read_sharp,
    sweeps,
)
from focuskit.training.judging_scenes import Part
from focuskit.training.judging_sets import judge_sets

__all__ = ["FRAME_DIAGONAL_PX", "OURS", "Line", "Peer", "judge_cull"]

OURS = "focuskit"

FRAME_DIAGONAL_PX = math.hypot(6000, 4000)
"""Of a frame of 24 MP, which the crops are taken to come from."""

Row = dict[str, Any]
Pixels = NDArray[np.uint8]
Advance = Callable[[int, int, int], None]

_STEPS_PX, _CLOSE_PX = (0.7, 0.4), 0.1
# Photos of which so much is in focus are portraits of something.
_SHALLOW_SHARES = (0.05, 0.7)
_SHALLOW_PHOTOS = 60
_MOTION = Thresholds().motion_probability
_LENGTH_ERROR = 0.2


@dataclass(frozen=True, slots=True)
class Peer:
    """Another measure of the same pictures.

    Attributes:
        name: for tables.
        sharpness: (H, W) uint8 grey to a number; larger is sharper.
        moved: whether it calls a blurred grey picture motion; None where it cannot tell.
    """

    name: str
    sharpness: Callable[[Pixels], float]
    moved: Callable[[Pixels], bool] | None = None


def judge_cull(
    data: Path,
    part: Part,
    *,
    lines: Sequence[Line] = tuple(Line),
    peers: Sequence[Peer] = (),
    most: int | None = None,
    advance: Advance | None = None,
) -> list[Row]:
    """Judge culling on one part of the data.

    Args:
        data: folder with sharp, rgbd, focal-sweeps and cuhk-dbd, as far as the lines need them.
        part: constants are chosen on the development part; the parts share no photo and no scene.
        lines: what to judge.
        peers: what to compare with.
        most: use so many photos at most; None for all.
        advance: called with (done, total, failed).

    Returns:
        A row per line, condition and method.

    Raises:
        InputError: a line's data are missing.
    """
    rows: list[Row] = []
    for done, line in enumerate(lines, 1):
        rows += [
            {"line": line.value, "part": part.value, **row}
            for row in _judged(line, data, part, peers, most)
        ]
        if advance is not None:
            advance(done, len(lines), 0)
    return rows


def _judged(
    line: Line, data: Path, part: Part, peers: Sequence[Peer], most: int | None
) -> Iterator[Row]:
    if line is Line.SWEEPS:
        yield from _ranked(sweeps(data / "focal-sweeps", part), peers)
    elif line is Line.SHALLOW:
        yield from _shallow(data, part, peers, most)
    elif line is Line.SETS:
        found = judge_sets(part, data, most=most)
        yield from _shares({(case, OURS): hits for case, hits in found.items()})
    else:
        subjects = _subjects(data, part, most)
        if line is Line.BURSTS:
            for step in _STEPS_PX:
                yield from _ranked(bursts(subjects, part, step_px=step), peers)
            yield from _ranked(bursts(subjects, part, step_px=_CLOSE_PX, uneven=True), peers)
        elif line is Line.WHOLE_BURSTS:
            yield from _culled(subjects, part, peers)
        elif line is Line.LADDER:
            yield from _ranked(ladders(subjects, part), peers)
        elif line is Line.REJECTS:
            yield from _rejected(misfocus(subjects, part), peers)
        else:
            yield from _told_apart(moved(subjects, part), peers)


@cache
def _subjects(data: Path, part: Part, most: int | None) -> list[Subject]:
    return read_sharp(data, part, most)


def _ranked(cases: Iterable[Ranked], peers: Sequence[Peer]) -> Iterator[Row]:
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for case in cases:
        scores = {OURS: _shared_details(case)}
        grays = [_gray(crop) for crop in case.crops]
        scores |= {peer.name: [peer.sharpness(gray) for gray in grays] for peer in peers}
        for name, values in scores.items():
            right[case.condition, name].append(_is_right(case, values))
    yield from _shares(right)


def _culled(subjects: Sequence[Subject], part: Part, peers: Sequence[Peer]) -> Iterator[Row]:
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    measures = {peer.name: peer.sharpness for peer in peers}
    for condition, name, hit in judge_bursts(subjects, part, measures):
        right[condition, name].append(hit)
    yield from _shares(right)


def _shares(right: Mapping[tuple[str, str], Sequence[bool]]) -> Iterator[Row]:
    for (condition, name), each in right.items():
        yield {
            "condition": condition,
            "method": name,
            "right": round(float(np.mean(each)), 4),
            "cases": len(each),
        }


def _is_right(case: Ranked, values: Sequence[float]) -> bool:
    known = [-math.inf if math.isnan(value) else value for value in values]
    if case.in_order:
        return all(sharper > softer for sharper, softer in pairwise(known))
    return int(np.argmax(known)) in case.best


def _rejected(cases: Iterable[Single], peers: Sequence[Peer]) -> Iterator[Row]:
    truths, called = [], []
    scores: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for case in cases:
        truths.append(case.truth != "sharp")
        called.append(decide(measured(case.crop), FRAME_DIAGONAL_PX).verdict == "reject")
        gray = _gray(case.crop)
        for peer in peers:
            scores[peer.name].append(peer.sharpness(gray))
    truth = np.array(truths)
    calls = {OURS: np.array(called)}
    for name, values in scores.items():
        calls[name] = np.array(values) < _best_line(truth, np.array(values))
    for name, call in calls.items():
        yield {
            "condition": "misfocus of CoC 4-16 px at 24 MP",
            "method": name,
            "precision": round(float((truth & call).sum() / max(1, call.sum())), 4),
            "recall": round(float((truth & call).sum() / truth.sum()), 4),
            "cases": len(truth),
        }


def _best_line(truth: NDArray[np.bool_], values: NDArray[np.float64]) -> float:
    """Return the threshold of the largest F1 on these very values."""

    def f1(line: float) -> float:
        call = values < line
        return float(2 * (truth & call).sum() / max(1, truth.sum() + call.sum()))

    return float(max(np.append(np.unique(values), math.inf).tolist(), key=f1))


def _told_apart(cases: Iterable[Single], peers: Sequence[Peer]) -> Iterator[Row]:
    right: dict[str, list[bool]] = defaultdict(list)
    lengths: list[bool] = []
    for case in cases:
        truth, found = case.truth == "motion", measured(case.crop)
        called = found["motion_probability"] >= _MOTION
        right[OURS].append(called == truth)
        if truth and called:
            error = abs(found["motion_length"] - case.coc_px)
            lengths.append(error <= max(1.0, _LENGTH_ERROR * case.coc_px))
        for peer in peers:
            if peer.moved is not None:
                right[peer.name].append(peer.moved(_gray(case.crop)) == truth)
    for name, each in right.items():
        yield {
            "condition": "motion or defocus, 4-16 px",
            "method": name,
            "right": round(float(np.mean(each)), 4),
            "cases": len(each),
        }
    if lengths:
        yield {
            "condition": "length of what is called motion, to a fifth or 1 px",
            "method": OURS,
            "right": round(float(np.mean(lengths)), 4),
            "cases": len(lengths),
        }


def _shallow(data: Path, part: Part, peers: Sequence[Peer], most: int | None) -> Iterator[Row]:
    dataset = find_dataset("cuhk", data / "cuhk-dbd")
    held, taught = validation_split(dataset.items)
    items = held if part is Part.JUDGING else taught
    chosen = [each for each in items if _is_shallow(each, dataset.in_focus_is_white)]
    chosen = chosen[: most or (_SHALLOW_PHOTOS if part is Part.DEVELOPMENT else None)]
    if not chosen:
        raise InputError(f"No photo of {data / 'cuhk-dbd'} is in focus in part only.")
    lines = _lines_of(data, part, peers, most)
    judge = Judge()
    wronged: dict[str, list[bool]] = defaultdict(list)
    for item in chosen:
        judged = judge(Shot(item.name, item.photo, (item.photo,)))
        verdict = decide(judged.measures, judged.diagonal_px).verdict
        wronged[OURS].append(verdict == "reject")
        gray = cv2.imread(str(item.photo), cv2.IMREAD_GRAYSCALE)
        if gray is None:
            raise InputError(f"The photo {item.photo} is missing or damaged.")
        for peer in peers:
            sharpness = peer.sharpness(np.asarray(gray, np.uint8))
            wronged[peer.name].append(sharpness < lines[peer.name])
    for name, each in wronged.items():
        yield {
            "condition": "subject sharp, the rest blurred",
            "method": name,
            "rejected": round(float(np.mean(each)), 4),
            "cases": len(each),
        }


def _lines_of(data: Path, part: Part, peers: Sequence[Peer], most: int | None) -> dict[str, float]:
    if not peers:
        return {}
    cases = list(misfocus(_subjects(data, part, most), part))
    truth = np.array([case.truth != "sharp" for case in cases])
    grays = [_gray(case.crop) for case in cases]
    return {
        peer.name: _best_line(truth, np.array([peer.sharpness(gray) for gray in grays]))
        for peer in peers
    }


def _is_shallow(item: MaskedPhoto, in_focus_is_white: bool) -> bool:
    mask = cv2.imread(str(item.mask), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        return False
    share = float(((mask >= 128) == in_focus_is_white).mean())
    return _SHALLOW_SHARES[0] <= share <= _SHALLOW_SHARES[1]


def _shared_details(case: Ranked) -> list[float]:
    """Return what culling ranks frames by that show the same thing in the same box."""
    details = [measured(crop)["detail"] for crop in case.crops]
    gains = [brighter_by(case.views[0], view) for view in case.views] or [1.0] * len(details)
    return [detail - 20 * math.log10(gain) for detail, gain in zip(details, gains, strict=True)]


def measured(crop: Pixels) -> Measures:
    """Return what culling measures in a crop at 100 % that is the subject."""
    photo = Photo(linearise_srgb(crop.astype(np.float32) / np.float32(255)))
    ones = np.ones(crop.shape[:2], np.float32)
    region = Region(0, 0, photo.width, photo.height, "in-focus area")
    blur_map = BlurMap(ones, np.zeros_like(ones), ones)
    candidates = gather(photo, blur_map, [(region, photo)], moved=motion_logit)
    return measure(candidates, {row.name: SCORERS.get(row.name) for row in SCORERS})


def _gray(crop: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)
