"""Judgements and decisions as rows for people's spreadsheets and other programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import focuskit
from focuskit.batch.culling import Culled
from focuskit.batch.judge import Judgement
from focuskit.batch.library import Problem
from focuskit.batch.versions import model_version, parameters_version
from focuskit.cull.decide import Decision, Thresholds
from focuskit.cull.same_place import IN_BURST

__all__ = ["SCHEMA", "Flat", "Record", "cull_records", "decision_record", "flat"]
__all__ += ["judgement_record", "problem_record", "score_record"]

SCHEMA = 1

Record = dict[str, Any]


def cull_records(
    culled: Culled, detector: str, thresholds: Thresholds | None = None
) -> list[Record]:
    """Return a record per shot, failed ones last, each with everything that is known about it.

    Args:
        culled: what culling gave.
        detector: name in DETECTORS.
        thresholds: the lines that were drawn; None for the defaults.
    """
    made_by = {"model": model_version(detector), "parameters": parameters_version(thresholds)}
    done = [
        judgement_record(judgement, detector) | decision_record(decision) | made_by
        for judgement, decision in zip(culled.judgements, culled.decisions, strict=True)
    ]
    return done + [problem_record(problem) for problem in culled.problems]


def judgement_record(judgement: Judgement, detector: str) -> Record:
    """Return what was measured on a shot; numbers that could not be taken are None."""
    exif, region = judgement.exif, judgement.measures.region
    beside, compared = judgement.measures.beside, judgement.compared
    return {
        "schema": SCHEMA,
        "shot": judgement.shot.name,
        "files": list(judgement.shot.sources),
        "stats": [_stat(file) for file in judgement.shot.files],
        "verdict": None,
        "pictures": judgement.picture,
        "measures": {name: _number(value) for name, value in judgement.measures.values.items()},
        "region": {
            "kind": region.kind,
            "x": region.x,
            "y": region.y,
            "width": region.width,
            "height": region.height,
        },
        "beside": beside
        and {
            "edge_width": _number(beside.edge_width_px),
            "side": beside.side,
            "hint": beside.hint,
            "region": asdict(beside.region),
        },
        "compared": compared
        and {
            "measures": {name: _number(compared[name]) for name in IN_BURST},
            "region": asdict(compared.region),
        },
        "picture": {
            "width": judgement.width,
            "height": judgement.height,
            "scale": round(judgement.scale, 4),
            "decoded_from": judgement.decoded_from,
        },
        "exif": {
            "camera": exif.camera,
            "lens": exif.lens,
            "focal_length_mm": exif.focal_length_mm,
            "f_number": exif.f_number,
            "iso": exif.iso,
            "exposure_s": exif.exposure_s,
            "taken_at": exif.taken_at.isoformat() if exif.taken_at else None,
        },
        "detector": detector,
        "version": focuskit.__version__,
    }


def score_record(
    judgement: Judgement, decision: Decision, detector: str, thresholds: Thresholds | None = None
) -> Record:
    """Return what was measured on a shot and its scores, without a verdict."""
    return judgement_record(judgement, detector) | {
        "score": _number(decision.score, 1),
        "scores": _scores(decision),
        "model": model_version(detector),
        "parameters": parameters_version(thresholds),
    }


def problem_record(problem: Problem) -> Record:
    """Return the record of a shot that failed."""
    return {
        "schema": SCHEMA,
        "shot": problem.name,
        "verdict": "failed",
        "reasons": [{"code": "failed", "text": problem.message}],
    }


def flat(record: Mapping[str, Any]) -> Record:
    """Return a record with one level of keys, as a table needs it."""
    row: Record = {
        "shot": record["shot"],
        "verdict": record["verdict"],
        "score": record.get("score"),
        "confidence": record.get("confidence"),
        "reason": "; ".join(reason["code"] for reason in record.get("reasons", ())),
        "explanation": " ".join(reason["text"] for reason in record.get("reasons", ())),
    }
    place = record.get("set") or {}
    row["set"] = f"{place['kind']} {place['number']}" if place else None
    row["rank"] = place.get("rank") or None
    row["region"] = record.get("region", {}).get("kind")
    row |= record.get("scores", {})
    row |= record.get("measures", {})
    row |= record.get("picture", {})
    row |= record.get("exif", {})
    row["files"] = "; ".join(record.get("files", ()))
    for key in ("detector", "model", "parameters", "version"):
        row[key] = record.get(key)
    if choice := record.get("choice"):
        row |= {"your_pick": choice["pick"], "your_stars": choice["stars"]}
        row["your_label"] = choice["label"]
    return row


class Flat:
    """Records with one level of keys each, made anew whenever they are gone through."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._records = records

    def __iter__(self) -> Iterator[Record]:
        """Yield one row after the other."""
        return (flat(record) for record in self._records)


def _scores(decision: Decision) -> dict[str, float | None]:
    return {name: _number(value, 1) for name, value in decision.parts.items()}


def decision_record(decision: Decision) -> Record:
    """Return the verdict on a shot, with its reasons and scores."""
    place = decision.place
    return {
        "verdict": decision.verdict,
        "score": _number(decision.score, 1),
        "scores": _scores(decision),
        "confidence": _number(decision.confidence, 3),
        "reasons": [{"code": each.code, "text": each.text} for each in decision.reasons],
        "set": place
        and {
            "kind": place.kind,
            "number": place.number,
            "size": place.size,
            "rank": place.rank,
        },
    }


def _stat(file: Path) -> list[int] | None:
    """Return what tells whether a file was changed later: its bytes and its time in ns."""
    try:
        found = file.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _number(value: float, digits: int = 4) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
