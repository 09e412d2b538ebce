"""A test picture from GIMP's plug-in to the worker and back, in a process of its own.

`python -m focuskit.bridge.gimp_trip FOLDER` uses the modules of the plug-in in FOLDER, as GIMP
does, and prints what came of it as JSON: seconds, or the text that GIMP would have shown.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["main"]

_WIDTH, _HEIGHT = 96, 64
_LIMIT_S = 60.0


def main(folder: Path) -> dict[str, Any]:
    """Return seconds by name and whether the worker had to be started, or an error's text.

    Args:
        folder: of the plug-in.
    """
    sys.path.insert(0, str(folder))
    job = importlib.import_module("job")
    told: list[str] = []
    caller = job.Caller("focuskit doctor")
    try:
        began = time.monotonic()
        caller.operations(lambda _share, text: told.append(text))
        started = time.monotonic()
        _there_and_back(job, caller)
        first = time.monotonic()
        _there_and_back(job, caller)
        later = time.monotonic()
    except job.JobError as exc:
        return {"error": str(exc)}
    finally:
        # Only what was started for this is stopped: others may be using the other one.
        (caller.stop if told else caller.close)()
    seconds = {"start": started - began, "first": first - started, "later": later - first}
    return {"started": bool(told), "seconds": seconds}


def _there_and_back(job: Any, caller: Any) -> None:
    samples = bytes(
        (x * y + 40 * c) % 256 for y in range(_HEIGHT) for x in range(_WIDTH) for c in range(3)
    )
    picture = job.Picture([samples], _WIDTH, _HEIGHT, 3, "u8")
    result = caller.run("focus-map", {}, picture, lambda _share, _text: None, limit_s=_LIMIT_S)
    found = result.pictures["map"]
    if (found.width, found.height) != (_WIDTH, _HEIGHT):
        raise job.JobError(
            f"The map of a picture of {_WIDTH}×{_HEIGHT} came back as {found.width}×{found.height}."
        )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
