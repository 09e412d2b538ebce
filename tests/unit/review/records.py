"""Records of culls that never were."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

Record = dict[str, Any]

START = datetime(2026, 5, 17, 10, 30)
_CODES = {"keeper": "sharp", "reject": "defocus", "cant-tell": "close-call"}


def judged_record(
    number: int, rng: Random, *, verdict: str = "", exif: Record | None = None
) -> Record:
    verdict = verdict or rng.choice(("keeper", "keeper", "reject", "cant-tell"))
    score = rng.uniform(51, 99) if verdict == "keeper" else rng.uniform(1, 49)
    taken = START + timedelta(seconds=number * 20, hours=number // 50 * 5)
    portrait = rng.random() < 0.3
    known = {
        "camera": "Maker Model",
        "lens": rng.choice(("Lens 24-70", "Lens 85")),
        "focal_length_mm": rng.choice((24.0, 35.0, 50.0, 70.0, 85.0)),
        "f_number": rng.choice((1.8, 2.8, 4.0, 8.0)),
        "iso": 100,
        "exposure_s": 1 / rng.choice((30, 60, 125, 250)),
        "taken_at": taken.isoformat(),
    }
    return {
        "schema": 1,
        "shot": f"{number}.jpg",
        "files": [f"/home/anna/lib/{number}.jpg"],
        "stats": [[1, 1]],
        "verdict": verdict,
        "pictures": f"{number:016x}",
        "measures": {"focus_x": rng.random(), "focus_y": rng.random()},
        "region": {
            "kind": rng.choice(("AF point", "in-focus area")),
            "x": 100,
            "y": 90,
            "width": 100,
            "height": 100,
        },
        "picture": {
            "width": 400 if portrait else 600,
            "height": 600 if portrait else 400,
            "scale": 1.0,
            "decoded_from": "full",
        },
        "exif": dict.fromkeys(known) | exif if exif is not None else known,
        "score": round(score, 1),
        "scores": {"sharpness_score": round(score, 1)},
        "confidence": round(abs(score - 50) / 50, 3),
        "reasons": [{"code": _CODES[verdict], "text": f"Because of {_CODES[verdict]}."}],
        "set": None,
    }


def failed_record(shot: str, text: str = "It is damaged.") -> Record:
    return {
        "schema": 1,
        "shot": shot,
        "verdict": "failed",
        "reasons": [{"code": "failed", "text": text}],
    }


def write_records(folder: Path, records: list[Record]) -> Path:
    file = folder / "focuskit-cull.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file
