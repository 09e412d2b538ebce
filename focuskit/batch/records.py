"""Judgements and decisions as rows for people's spreadsheets and other programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import focuskit
from focuskit.batch.culling import Culled
from focuskit.batch.judge import Judgement
from focuskit.batch.library import Problem
from focuskit.cull.decide import Decision

__all__ = ["SCHEMA", "cull_records", "flat", "judgement_record", "problem_record", "to_csv"]
__all__ += ["to_json", "to_jsonl"]

SCHEMA = 1

Record = dict[str, Any]


def cull_records(culled: Culled, detector: str) -> list[Record]:
    """Return a record per shot, failed ones last, each with everything that is known about it."""
    done = [
        judgement_record(judgement, detector) | _decision_record(decision)
        for judgement, decision in zip(culled.judgements, culled.decisions, strict=True)
    ]
    return done + [problem_record(problem) for problem in culled.problems]


def judgement_record(judgement: Judgement, detector: str) -> Record:
    """Return what was measured on a shot; numbers that could not be taken are None."""
    exif, region = judgement.exif, judgement.measures.region
    return {
        "schema": SCHEMA,
        "shot": judgement.shot.name,
        "files": [str(file) for file in judgement.shot.files],
        "verdict": None,
        "measures": {name: _number(value) for name, value in judgement.measures.values.items()},
        "region": {
            "kind": region.kind,
            "x": region.x,
            "y": region.y,
            "width": region.width,
            "height": region.height,
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
    row |= record.get("measures", {})
    row |= record.get("picture", {})
    row |= record.get("exif", {})
    row["files"] = "; ".join(record.get("files", ()))
    row["detector"], row["version"] = record.get("detector"), record.get("version")
    return row


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV with a header; the columns are the union of their keys."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _spreadsheet_safe(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON that is valid UTF-8 whatever bytes the names of files hold."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def to_jsonl(records: Iterable[Mapping[str, Any]]) -> str:
    """Return records as JSON, one per line."""
    return "".join(to_json(record) + "\n" for record in records)


def _decision_record(decision: Decision) -> Record:
    place = decision.place
    return {
        "verdict": decision.verdict,
        "score": _number(decision.score, 1),
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


def _number(value: float, digits: int = 4) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _spreadsheet_safe(value: Any) -> Any:
    # A file name that begins like a formula would be run by a spreadsheet that opens the table.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value
